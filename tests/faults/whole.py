"""Whole files of chats: what they say, and the forms in which people and programs write it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

Document = dict[str, Any]

TEXTS = (
    "Где недорогой отель?",
    'He said: "messages": [\n{"text": "no"}\n]}\n',
    "line\none\r\ntwo\u2028three",
    "😀👨‍👩‍👧 e\u0301",
    "}, {",
    "\\ \\\\ \\u0041 \\",
    "",
)


def _message(number: int, text: str, **more: Any) -> Document:
    return {
        "timestamp": f"2025-10-04T08:00:{number:02}.000001",
        "message_id": number,
        "type": "bot_answer" if number % 2 else "user_question",
        "text": text,
        "tokens": 10 * number,
        "sent_as": None,
        "file_path": None,
        "search_type": "fast",
    } | more


def metadata(conversation_id: str, **more: Any) -> Document:
    return {
        "conversation_id": conversation_id,
        "user_id": 1001,
        "username": "anna",
        "name": f"Chat {conversation_id}",
        "created_at": "2025-10-04T07:59:00.123456",
        "updated_at": "2025-10-04T08:00:00.123456",
        "is_active": True,
        "message_count": 2,
        "total_tokens": 10,
    } | more


def _index(**more: Any) -> Document:
    chats = [metadata("a", colour="red"), metadata("b", file=[100, 200])]
    head = {"user_id": 1001, "username": "anna", "last_active_conversation_id": "b"}
    return head | more | {"conversations": chats}


CHATS: list[Document] = [
    {
        "metadata": metadata("a"),
        "messages": [_message(n, text) for n, text in enumerate(TEXTS)],
    },
    {
        "schema_version": "1.0",
        "metadata": metadata("a", tags=["work", {"deep": [None]}], pinned=True),
        "messages": [
            _message(0, "one", rating={"stars": 5}, state="partial"),
            _message(1, "two", message_id=2**60, reply_to=5),
        ],
        "theme": {"dark": True, "messages": [{"type": "no", "text": 5}]},
    },
    {"metadata": metadata("a", title="Title"), "messages": []},
    {"metadata": {}, "messages": [_message(0, "x" * 500), _message(0, "x" * 500)]},
]
INDEXES: list[Document] = [
    _index(),
    _index(next_chat_number=5, settings={"mode": "deep", "list": [1, [2]]}),
    _index(damaged_told=1) | {"conversations": []},
]


def _lines(document: Document, separators: tuple[str, str] = (", ", ": ")) -> str:
    """Write the list last and an item a line, as the storage does."""

    def encode(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, separators=separators)

    list_key = next((key for key in ("messages", "conversations") if key in document), "")
    items = document.get(list_key)
    if not isinstance(items, list):
        return encode(document) + "\n"
    head = {key: value for key, value in document.items() if key != list_key}
    first = encode(head)[:-1] + (separators[0] if head else "")
    lines = ",\n".join(map(encode, items)) + ("\n" if items else "")
    return f'{first}"{list_key}"{separators[1]}[\n{lines}]}}\n'


def _indented(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


FORMS: dict[str, Callable[[Document], str]] = {
    "lines": _lines,
    "dense lines": lambda document: _lines(document, (",", ":")),
    "indented": _indented,
    "one line": json.dumps,
    "tabs and CRLF": lambda d: json.dumps(d, indent="\t").replace("\n", "\r\n"),
    "list first": lambda d: _indented(dict(reversed(d.items()))),
}


@cache
def whole_chat(conversation_id: str) -> bytes:
    return _indented(CHATS[1] | {"metadata": metadata(conversation_id)}).encode()


@cache
def whole_index() -> bytes:
    return _indented(INDEXES[0]).encode()


def in_all_forms(document: Document) -> dict[str, bytes]:
    return {form: write(document).rstrip().encode() for form, write in FORMS.items()}
