"""What hypothesis draws: calls of all verbs, with texts and names of every kind."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from conversations import ConversationMessage
from tests.faults.drafts import (
    USERS,
    ChatRef,
    DeletionRef,
    Draft,
    MessageRef,
    SavedDraft,
)

TEXTS = (
    "Where is the hotel?",
    "Проанализируй интервью с клиентом из отеля",
    "",
    " \n\t ",
    "a\x00b\r\n\u2028c",
    '"]}\n, {"text": "x"},\n',
    "😀" * 40,
    "\ud800 half",
    "\u202eright\u202c to left\u200b",
    "\u3164\u2800",
    "/" * 100,
    "long " * 9000,
)
_LETTERS = "abж 0.\n\t\x00\u0301\u200b\u202e\ud800\u3164"
_IMPORTED_FACTS = {
    "conversation_id": "x",
    "user_id": 5,
    "username": "eve",
    "name": "Imported",
    "created_at": "1999-01-01T00:00:00+00:00",
    "updated_at": "1999-01-02T00:00:00+00:00",
}
_IMPORTED_MESSAGES = [
    {"timestamp": "1999-01-01T00:00:00Z", "message_id": 1, "type": "user_question", "text": "Q?"},
    {"timestamp": "1999-01-02T00:00:00Z", "message_id": 2, "type": "bot_answer", "text": "A."},
]
IMPORTED = [
    json.dumps({"metadata": _IMPORTED_FACTS | more, "messages": _IMPORTED_MESSAGES}).encode()
    for more in ({"is_active": True}, {"is_active": False, "deleted_at": "1999-12-01T00:00:00Z"})
]


SENT_AT = (None, datetime(2000, 1, 1, 1, tzinfo=UTC), datetime(1999, 12, 31, 0, 30, tzinfo=UTC))


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


numbers = st.integers(0, 9)
texts = st.sampled_from(TEXTS) | st.text(_LETTERS, max_size=70)
short_texts = st.sampled_from(TEXTS[:6])
usernames = st.sampled_from(["anna", "anna_k", ""])
chats = st.builds(
    ChatRef,
    st.sampled_from([*["living"] * 11, "deleted", "deleted", "gone", "other's", "bad"]),
    numbers,
)
deleted = st.builds(ChatRef, st.sampled_from(["deleted", "deleted", "deleted", "living"]), numbers)
times = st.sampled_from(
    ["1999-12-31T23:00:00+00:00", "2000-01-01T05:00:00+03:00", "2000-01-01T03:00:00", "soon", ""]
)
messages = st.builds(
    ConversationMessage,
    timestamp=times,
    message_id=st.sampled_from([0, 1, 2, 2**60]),
    type=st.sampled_from(["user_question", "user_question", "bot_answer"]),
    text=short_texts | texts,
    tokens=st.sampled_from([0, 5]),
    sent_as=st.sampled_from([None, None, "message", "file"]),
    file_path=st.sampled_from([None, None, None, "/etc/passwd"]),
    search_type=st.sampled_from([None, None, "deep"]),
    reply_to=st.sampled_from([None, None, 1]),
    state=st.sampled_from([None, None, "partial"]),
    extra=st.sampled_from([{}, {}, {"rating": {"stars": 5}}]),
)
# Few in kind, so that the very same one is often added, and replaced, again.
plain_messages = st.builds(
    ConversationMessage,
    timestamp=st.just("2000-01-01T00:00:00+00:00"),
    message_id=st.sampled_from([1, 2]),
    type=st.sampled_from(["user_question", "bot_answer"]),
    text=short_texts,
    tokens=st.just(3),
)
any_messages = plain_messages | messages
stored_messages = st.builds(MessageRef, numbers, plain_messages)
_EDITS = ("none", "none", "add", "drop", "change", "rename", "pin", "facts")
saved = st.builds(
    SavedDraft,
    loaded=_optional(numbers),
    chat=_optional(chats),
    metadata=st.fixed_dictionaries(
        {
            "name": texts,
            "created_at": times,
            "updated_at": times,
            "name_source": st.sampled_from(["question", "user", "default", "model"]),
            "pinned": st.booleans(),
            "mode": st.sampled_from(["fast", "deep"]),
            "is_active": st.booleans(),
            "message_count": st.sampled_from([0, 7]),
            "extra": st.sampled_from([{}, {"tags": ["work"]}, {"note": "n" * 70_000}]),
        }
    ),
    messages=st.lists(any_messages, max_size=3),
    edit=st.sampled_from(_EDITS),
)

_Arguments = tuple[tuple[st.SearchStrategy[Any], ...], dict[str, st.SearchStrategy[Any]]]
_flag = st.booleans()
names = st.sampled_from(["Plans", "Отель", "  two\nlines ", "x" * 64, "x" * 65]) | texts
limits = st.sampled_from([-1, 0, 1, 2, 20, 10**30])
settings = st.dictionaries(
    st.sampled_from(["language", "тема", ""]),
    st.sampled_from([None, "de", 5, True, {"deep": [1]}, "\ud800\x00"]),
    max_size=2,
)
deletions = st.builds(DeletionRef, numbers)
sought = st.sampled_from(
    ["hotel", "ОТЕЛ", "the where", "a", "x", "ж", "long", "plans", "bc", "imported", "0", "?!", ""]
)
message_ids = st.sampled_from([0, 1, 1, 2, 2**60, 7])
file_names = st.sampled_from(["a.md", "a.md", "b-1.txt", "../a", ".hidden", "", "x" * 121])

# How often a verb is drawn; its arguments behind the user's id; its options.
VERBS: dict[str, tuple[int, *_Arguments]] = {
    "create_conversation": (3, (usernames, texts), {}),
    "load_conversation": (3, (chats,), {}),
    "save_conversation": (4, (saved,), {}),
    "delete_conversation": (5, (chats,), {}),
    "get_active_conversation_id": (1, (), {}),
    "set_active_conversation": (2, (chats,), {}),
    "add_message": (
        8,
        (chats, any_messages | stored_messages),
        {"include_deleted": _flag},
    ),
    "get_messages": (2, (chats, limits), {}),
    "load_index": (1, (), {}),
    "list_conversations": (1, (), {}),
    "rename_conversation": (3, (chats, names), {}),
    "name_conversation": (3, (chats, names), {}),
    "set_mode": (1, (chats, st.sampled_from(["fast", "deep", "slow"])), {}),
    "keep_file": (1, (file_names, texts), {}),
    "pin_conversation": (2, (chats,), {"pinned": _flag}),
    "start_conversation": (2, (usernames,), {}),
    "add_question": (6, (usernames, any_messages), {}),
    "get_active_conversation": (1, (), {}),
    "get_conversation": (1, (chats,), {}),
    "get_deleted_conversation": (1, (chats,), {}),
    "replace_message": (
        4,
        (chats, stored_messages | stored_messages | plain_messages, any_messages),
        {"include_deleted": _flag},
    ),
    "list_deleted": (2, (), {}),
    "restore_conversation": (4, (deleted,), {"activate": _flag}),
    "empty_trash": (1, (), {}),
    "take_damage_report": (1, (), {}),
    "export_conversation": (2, (chats, st.sampled_from(["json", "json", "pdf"])), {}),
    "import_conversations": (2, (usernames, st.sampled_from(IMPORTED)), {}),
    "set_instructions": (1, (chats, short_texts | st.sampled_from(TEXTS)), {}),
    "get_settings": (1, (), {}),
    "update_settings": (2, (settings,), {}),
    "delete_conversations": (1, (st.lists(chats, max_size=3),), {}),
    "restore_deletion": (1, (deletions,), {}),
    "measure_user": (1, (), {}),
    "erase_user": (1, (), {}),
    "search_messages": (2, (sought, limits), {}),
    "find_message": (1, (message_ids,), {"sent_at": st.sampled_from(SENT_AT)}),
    "fork_conversation": (2, (chats, st.none() | message_ids), {}),
    "remove_last_exchange": (2, (chats,), {}),
}
_LATER = ["list_deleted", "get_deleted_conversation", "restore_conversation", "empty_trash"]
_READS = ("load_", "get_", "list_conv", "take_", "export_", "measure_", "search_", "find_")
_OFTEN = [verb for verb, (weight, *_) in VERBS.items() for _ in range(weight)]
# Made of several steps, between which others, and a kill, may come.
_SEVERAL = ["delete_conversations", "restore_deletion"]
_WRITES = [verb for verb in _OFTEN if not verb.startswith(_READS) and verb not in _SEVERAL]
# These look first and purge then; a trash that is emptied meanwhile counts what they do not show.
_PURGING = ["list_deleted", "get_deleted_conversation"]
_NOT_AT_ONCE = ["import_conversations", *_SEVERAL, *_PURGING]
_AT_ONCE = [verb for verb in _OFTEN if verb not in _NOT_AT_ONCE]


@st.composite
def drafts(draw: st.DrawFn, verbs: list[str] = _OFTEN) -> Draft:
    verb = draw(st.sampled_from(verbs))
    user_id = draw(st.sampled_from([USERS[0], *USERS]))
    _, arguments, options = VERBS[verb]
    return Draft(
        verb,
        user_id,
        tuple(draw(strategy) for strategy in arguments),
        {name: draw(strategy) for name, strategy in options.items()},
    )


def writing() -> st.SearchStrategy[Draft]:
    return drafts(_WRITES)


def at_once() -> st.SearchStrategy[Draft]:
    return drafts(_AT_ONCE)


def of_the_trash() -> st.SearchStrategy[Draft]:
    return drafts(_LATER)


def usual_start(user_id: int) -> list[Draft]:
    """Two chats with messages, one of them in the trash, and an empty one."""
    question = ConversationMessage("2000-01-01T00:00:00+00:00", 1, "user_question", "One?", 3)
    answer = ConversationMessage("2000-01-01T00:00:00+00:00", 2, "bot_answer", "Two.", 5)
    living = ChatRef("living", 0)
    return [
        Draft("add_question", user_id, ("anna", question), {}),
        Draft("add_message", user_id, (living, answer), {}),
        Draft("create_conversation", user_id, ("anna", "Second"), {}),
        Draft("add_question", user_id, ("anna", question), {}),
        Draft("delete_conversation", user_id, (living,), {}),
        Draft("create_conversation", user_id, ("anna", ""), {}),
    ]
