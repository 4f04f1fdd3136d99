"""Line-oriented JSON: an object with its facts on the first line and then a line an item.

::

    {"metadata": {...}, "messages": [
    {"timestamp": ..., "text": ...},
    {"timestamp": ..., "text": ...}
    ]}

It is plain JSON for every reader, and it can be read from its end, extended without parsing what
is there, searched with grep, and damaged one line at a time. Any other JSON of the same shape is
read as well; what is cut off or garbled is read as far as it goes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_OPEN = b'": ['
_CLOSE = b"]}\n"
_SEPARATOR = b",\n"

# A constant like NaN is no JSON; it must not get into a file that we write.
_decoder = json.JSONDecoder(parse_constant=lambda _: None)
_UNREADABLE = (ValueError, RecursionError)


@dataclass(slots=True)
class Salvaged:
    """What could be read: all keys but the list's, the list's items, whether anything was lost."""

    head: dict[str, Any]
    items: list[Any]
    damaged: bool


def encode_item(item: object) -> bytes:
    """Encode one item as one line. A lone surrogate, which UTF-8 has no bytes for, is escaped.

    :raises ValueError: NaN, infinity or a circular reference.
    """
    try:
        return json.dumps(item, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(item, allow_nan=False).encode()


def join_items(lines: list[bytes]) -> bytes:
    return _SEPARATOR.join(lines)


def split_items(body: bytes) -> list[bytes]:
    """Split a body made by `join_items` into its encoded items."""
    return body.split(_SEPARATOR) if body else []


def append_item(body: bytes, line: bytes) -> bytes:
    return body + _SEPARATOR + line if body else line


def contains_item(body: bytes, line: bytes) -> bool:
    return _SEPARATOR + line + _SEPARATOR in _SEPARATOR + body + _SEPARATOR


def encode(head: dict[str, Any], list_key: str, body: bytes) -> bytes:
    """Encode a whole document; `body` holds the items as `join_items` gives them."""
    first = encode_item(head)[:-1] + (b", " if head else b"")
    newline = b"\n" if body else b""
    return first + b'"' + list_key.encode() + _OPEN + b"\n" + body + newline + _CLOSE


def split(data: bytes, list_key: str) -> tuple[dict[str, Any], bytes] | None:
    """Split a document of our own form into head and body without parsing the items.

    None when the first line or the end is not of our form; then `salvage` reads it.
    """
    first, _, rest = data.partition(b"\n")
    head = decode_head(first, list_key)
    if head is None or not (rest == _CLOSE or rest.endswith(b"\n" + _CLOSE)):
        return None
    return head, rest[: -len(_CLOSE)].removesuffix(b"\n")


def decode_head(first_line: bytes, list_key: str) -> dict[str, Any] | None:
    """Read the first line of a document of our own form; None when it is not one."""
    opening = b'"' + list_key.encode() + _OPEN
    if not first_line.endswith(opening):
        return None
    try:
        head = _decoder.decode(first_line[: -len(opening)].decode().rstrip(", ") + "}")
    except _UNREADABLE:
        return None
    return head if isinstance(head, dict) else None


def decode_item(line: bytes) -> Any:
    """Decode one item.

    :raises ValueError: it is no JSON.
    """
    try:
        return _decoder.decode(line.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def is_json(data: bytes) -> bool:
    try:
        _decoder.decode(data.decode("utf-8-sig"))
    except _UNREADABLE:
        return False
    return True


def salvage(data: bytes, list_key: str) -> Salvaged:
    """Read JSON of this shape, however it is laid out, and what is left of a damaged one."""
    try:
        text, damaged = data.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        text, damaged = data.decode("utf-8-sig", errors="replace"), True
    if not damaged:
        try:
            whole = _decoder.decode(text)
        except _UNREADABLE:
            whole = None
        if isinstance(whole, dict) and isinstance(whole.get(list_key, []), list):
            items = whole.pop(list_key, [])
            return Salvaged(whole, items, damaged=False)
    return _Salvage(text, list_key).run()


class _Salvage:
    """Walks over a damaged document and keeps every part that decodes."""

    _skipped = re.compile(r"[\s,]*")
    _next_item = re.compile(r"\n[ \t\r]*(?=\{)")

    def __init__(self, text: str, list_key: str) -> None:
        self._text = text
        self._list_key = list_key
        self._list_start = re.compile(rf'(?<!\\)"{re.escape(list_key)}"\s*:\s*\[')
        self._head: dict[str, Any] = {}
        self._items: list[Any] = []

    def run(self) -> Salvaged:
        start = self._text.find("{")
        position = self._members(start + 1) if start >= 0 else None
        if position is not None:
            found = self._list_start.search(self._text, position)
            if found:
                after = self._list(found.end())
                if after is not None:
                    self._members(after)
        return Salvaged(self._head, self._items, damaged=True)

    def _members(self, position: int) -> int:
        """Read `"key": value` pairs up to the list or the first that fails; tell where that is."""
        while True:
            start = self._skip(position)
            if self._list_start.match(self._text, start):
                return start
            key, position = self._value(start)
            position = self._skip(position)
            if not isinstance(key, str) or not self._text.startswith(":", position):
                return start
            value, after = self._value(self._skip(position + 1))
            if after < 0:
                return start
            self._head[key] = value
            position = after

    def _list(self, position: int) -> int | None:
        """Read items, going on at the next line that opens one after an item that fails."""
        while True:
            position = self._skip(position)
            if position >= len(self._text):
                return None
            if self._text[position] == "]":
                return position + 1
            item, after = self._value(position)
            if after < 0:
                found = self._next_item.search(self._text, position)
                if not found:
                    return None
                position = found.end()
                continue
            self._items.append(item)
            position = after

    def _skip(self, position: int) -> int:
        found = self._skipped.match(self._text, max(position, 0))
        return found.end() if found else position

    def _value(self, position: int) -> tuple[Any, int]:
        """Decode one value; the second part is where it ends, or -1."""
        try:
            return _decoder.raw_decode(self._text, position)
        except _UNREADABLE:
            return None, -1
