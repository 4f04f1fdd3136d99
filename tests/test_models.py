from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import Conversation, ConversationMessage, ConversationMetadata, parse_time
from conversations.models import newest_first
from conversations.rules import in_order
from tests.storages import new_chat, old_metadata


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2025-10-04T07:59:00.123456", "2025-10-04T07:59:00.123456+00:00"),
        ("2025-10-04T07:59:00Z", "2025-10-04T07:59:00+00:00"),
        ("2025-10-04T07:59:00+03:00", "2025-10-04T04:59:00+00:00"),
        ("2025-10-04", "2025-10-04T00:00:00+00:00"),
    ],
)
def test_times_without_an_offset_are_utc(written: str, read: str) -> None:
    assert parse_time(written).isoformat() == read


@pytest.mark.parametrize("written", [None, "", "yesterday", "\ud800", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_sorts_first(written: str | None) -> None:
    assert parse_time(written).isoformat() == "0001-01-01T00:00:00+00:00"


def test_chats_are_ordered_by_time_and_not_by_text() -> None:
    times = ["2025-10-04T10:00:00", "2025-10-04T12:00:00+03:00", "2025-10-04T10:30:00Z", "never"]
    chats = [new_chat(str(number)) for number in range(4)]
    for chat, time in zip(chats, times, strict=True):
        chat.updated_at = time
    assert [chat.conversation_id for chat in sorted(chats, key=newest_first)] == list("2013")


ODD_TIMES = [
    "2025-10-04T10:00:00+00:00",
    "2025-10-04T10:00:00.000001+00:00",
    "2025-10-04T10:00:00.1+00:00",
    "2025-10-04T10:00:00",
    "2025-10-04T10:00:00Z",
    "2025-10-04T12:00:00+02:00",
    "2025-10-04T12:00:00.000001+02:00",
    "2025-10-04 10:00",
    "20251004T100000",
    "2025-W40-6",
    "9999-12-31T23:59:59-01:00",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00",
    "yesterday",
    "\ud800",
    "",
]


@given(
    st.lists(
        st.tuples(st.sampled_from(ODD_TIMES), st.sampled_from(ODD_TIMES), st.booleans()),
        max_size=20,
    ),
    st.randoms(),
)
def test_a_list_is_in_the_order_of_newest_first(
    facts: list[tuple[str, str, bool]], random: Random
) -> None:
    chats = [new_chat(str(number)) for number in range(len(facts))]
    for chat, (updated, created, pinned) in zip(chats, facts, strict=True):
        chat.updated_at, chat.created_at, chat.pinned = updated, created, pinned
    random.shuffle(chats)
    assert in_order(chats) == sorted(chats, key=lambda chat: (not chat.pinned, newest_first(chat)))


def test_a_plain_message_has_the_eight_keys_in_the_documented_order() -> None:
    message = ConversationMessage("2025-10-04T12:00:00", 5, "user_question", "Hi", 3)
    assert json.dumps(message.to_dict()) == (
        '{"timestamp": "2025-10-04T12:00:00", "message_id": 5, "type": "user_question",'
        ' "text": "Hi", "tokens": 3, "sent_as": null, "file_path": null, "search_type": null}'
    )


def test_what_a_message_says_beyond_that_is_added_and_read_back() -> None:
    message = ConversationMessage(
        "2025-10-04T12:00:00",
        0,
        "bot_answer",
        "Hello",
        tokens=9,
        reply_to=5,
        state="partial",
        tokens_estimated=True,
        model="echo",
        extra={"rating": 5},
    )
    data = message.to_dict()
    assert list(data)[8:] == ["reply_to", "state", "tokens_estimated", "model", "rating"]
    assert ConversationMessage.from_dict(data) == message


def test_a_message_of_any_age_is_read_with_defaults() -> None:
    assert ConversationMessage.from_dict({"type": "note", "text": ""}) == ConversationMessage(
        timestamp="",
        message_id=0,
        type="note",  # type: ignore[arg-type]
        text="",
    )
    strange = {
        "timestamp": 1759564740,
        "message_id": True,
        "type": "bot_answer",
        "text": "Hi",
        "tokens": -5,
        "sent_as": 1,
        "file_path": [],
        "search_type": {},
        "reply_to": True,
        "tokens_estimated": "yes",
    }
    assert ConversationMessage.from_dict(strange) == ConversationMessage("", 0, "bot_answer", "Hi")


@pytest.mark.parametrize("data", [None, 5, "text", [], {}, {"type": "bot_answer"}, {"text": "x"}])
def test_what_is_no_message_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="a message"):
        ConversationMessage.from_dict(data)


def test_the_older_key_of_the_name_is_read_and_follows_a_rename() -> None:
    data = old_metadata("a", title="Old title")
    del data["name"]
    metadata = ConversationMetadata.from_dict(data, user_id=1001, conversation_id="a")
    assert metadata.name == "Old title"

    metadata.name = "New name"
    assert metadata.to_dict()["name"] == "New name"
    assert metadata.to_dict()["title"] == "New name"


def test_folder_and_file_tell_whose_chat_it_is() -> None:
    data = old_metadata("somebody-elses", user_id=5)
    metadata = ConversationMetadata.from_dict(data, user_id=1001, conversation_id="a")
    assert (metadata.user_id, metadata.conversation_id) == (1001, "a")


def test_a_chat_that_does_not_say_when_it_changed_is_as_old_as_it_is() -> None:
    raw = {"name": "x", "created_at": "2026-01-01T00:00:00+00:00"}
    metadata = ConversationMetadata.from_dict(raw, user_id=1, conversation_id="a")
    assert metadata.updated_at == metadata.created_at == raw["created_at"]


def test_a_name_source_that_nobody_knows_counts_as_an_automatic_name() -> None:
    data = old_metadata("a", name_source=["model"])
    metadata = ConversationMetadata.from_dict(data, user_id=1001, conversation_id="a")
    assert metadata.name_source == "question"


def test_two_conversations_with_the_same_content_are_equal() -> None:
    one = Conversation(new_chat("a"), revision="1")
    assert one == Conversation(new_chat("a"), revision="2")
