"""What must hold of every file that is read, whatever became of it.

What is sound, and which messages are readable, is found out with `json.loads` and with lines, not
with the code that this is about.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from types import NoneType
from typing import Any

from conversations.chat_file import ChatFile
from conversations.index_file import ReadIndex, encode_index, read_index
from conversations.models import ConversationMetadata, is_metadata

USER = 1001
UNSOUND = object()
_DEEPEST = 100

Object = dict[str, Any]


def sound(data: bytes) -> Any:
    """Decode JSON that can be written again without losing anything; `UNSOUND` if it is not."""
    try:
        document = json.loads(
            data.decode("utf-8-sig"),
            parse_constant=_refuse,
            parse_float=_finite,
            object_pairs_hook=_each_key_once,
        )
    except (ValueError, RecursionError):
        return UNSOUND
    return document if _is_flat(document, _DEEPEST) else UNSOUND


def is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode("utf-8-sig"), parse_int=str)
    except (ValueError, RecursionError):
        return False
    return True


def is_sound_chat(document: Any) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("messages"), list):
        return False
    if not isinstance(document.get("metadata"), dict | NoneType):
        return False
    return all(is_message(item) for item in document["messages"])


def is_sound_index(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("conversations"), list)


def is_message(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("type"), str)
        and isinstance(item.get("text"), str)
    )


def readable_messages(data: bytes, document: Any) -> list[Object]:
    """Give the messages that must be found: all of a sound file, else those on intact lines."""
    if isinstance(document, dict) and isinstance(document.get("messages"), list):
        return [item for item in document["messages"] if is_message(item)]
    if is_json(data) and not (
        isinstance(document, dict) and is_metadata(document.get("metadata"))
    ):
        return []  # it is somebody else's
    return [item for item, _ in _intact_lines(data, b'"text"') if is_message(item)]


def _intact_lines(data: bytes, mark: bytes) -> list[tuple[Any, bytes]]:
    lines = (line.strip(b" \t\r\n,") for line in data.split(b"\n") if mark in line)
    return [(sound(line), line) for line in lines if line.startswith(b"{")]


def check_chat(data: bytes, known: ConversationMetadata | None = None) -> None:
    """Read a chat's file, write it and read it again."""
    document = sound(data)
    needed = readable_messages(data, document)
    chat = _parse(data, known)
    if chat is None:
        assert not needed, f"hidden: {needed[0]}"
        assert not is_sound_chat(document) or not is_metadata(document.get("metadata"))
        return
    given = [json.loads(line) for line in chat.body.split(b",\n")] if chat.body else []
    check_contains(given, needed)
    check_order(given, data)
    assert chat.damaged is not is_sound_chat(document), "sound is what is not damaged"
    assert chat.metadata.message_count == len(chat.to_conversation().messages) == len(given)
    encoded = chat.encode()
    if not chat.damaged:
        check_same(json.loads(encoded), document)
    assert is_sound_chat(sound(encoded)), "what is written is not sound"
    again = _parse(encoded, known)
    assert again is not None
    assert not again.damaged
    assert again.encode() == encoded, "written and read it is another one"


def check_same(written: Object, document: Object, added: Sequence[Object] = ()) -> None:
    """Make sure that nothing of a sound file is lost, but for what its metadata get wrong."""
    assert written["messages"] == [*document["messages"], *added]
    for key in document.keys() - {"metadata", "messages"}:
        assert written[key] == document[key], key
    for key, value in (document.get("metadata") or {}).items():
        if not hasattr(ConversationMetadata, key) and key != "title":
            assert written["metadata"][key] == value, key


def check_contains(given: list[Any], needed: list[Any]) -> None:
    for item in needed:
        assert item in given, f"hidden: {item}"


def check_order(given: list[Any], data: bytes) -> None:
    """Make sure that messages on lines of their own stand as they stood, if they stood once."""
    lines = [(item, line) for item, line in _intact_lines(data, b'"text"') if is_message(item)]
    items = [item for item, _ in lines]  # the same one may stand there in other bytes
    once = [item for item, line in lines if items.count(item) == data.count(line) == 1]
    once = [item for item in once if given.count(item) == 1]
    assert [item for item in given if item in once] == once, "not in order"


def check_index(data: bytes) -> None:
    """Read an index, write it and read it again."""
    document = sound(data)
    read = read_index(data, USER)
    assert read.is_whole is is_sound_index(document), "whole is what is not damaged"
    for entry in _readable_entries(data, document):
        assert entry["conversation_id"] in read.listed, f"hidden: {entry}"
    encoded = _encode(read)
    if read.is_whole:
        written = json.loads(encoded)
        for key in document.keys() - _DERIVED - says_nothing(document):
            assert written[key] == document[key], key
    again = read_index(encoded, USER)
    assert again.is_whole
    assert _encode(again) == encoded, "written and read it is another one"


_DERIVED = {
    "user_id",
    "username",
    "last_active_conversation_id",
    "conversations",
    "damaged_told",
}


def says_nothing(index: Object) -> set[str]:
    """Give the keys that may be left out when a sound index is written again."""
    return {key for key in ("settings",) if index.get(key) == {}}


def _readable_entries(data: bytes, document: Any) -> list[Object]:
    lines = (item for item, _ in _intact_lines(data, b'"conversation_id"'))
    return [
        item
        for item in (document["conversations"] if is_sound_index(document) else lines)
        if isinstance(item, dict) and isinstance(item.get("conversation_id"), str)
    ]


def _encode(read: ReadIndex) -> bytes:
    return encode_index(read.index, read.listed.values(), damaged_told=read.damaged_told)


def _parse(data: bytes, known: ConversationMetadata | None) -> ChatFile | None:
    return ChatFile.parse(data, user_id=USER, conversation_id="a", known=known)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(text)
    return float(text)


def _each_key_once(pairs: list[tuple[str, Any]]) -> Object:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _is_flat(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list) or not inner:
        return levels >= 0
    return levels > 0 and all(_is_flat(item, levels - 1) for item in inner)
