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

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .json_values import UNREADABLE, decode_strictly
from .json_values import decode_first as decode_first
from .json_values import decode_item as decode_item
from .json_values import encode_item as encode_item
from .json_values import is_json as is_json

Body = bytes | bytearray

_OPEN = b'": ['
_CLOSE = b"]}\n"
_SEPARATOR = b",\n"


@dataclass(slots=True)
class Salvaged:
    """What could be read: all keys but the list's, the list's items, whether anything was lost."""

    head: dict[str, Any]
    items: list[Any]
    damaged: bool
    strays: bool = False  # no list holds the items; they were picked up somewhere


def join_items(lines: list[bytes]) -> bytes:
    return _SEPARATOR.join(lines)


def split_items(body: Body) -> list[bytes]:
    """Split a body made by `join_items` into its encoded items."""
    return bytes(body).split(_SEPARATOR) if body else []


def append_item(body: bytearray, line: bytes) -> None:
    if body:
        body += _SEPARATOR
    body += line


def last_items(body: Body, limit: int) -> list[bytes]:
    """Give the last encoded items, in their order, at a cost that follows `limit`."""
    lines: list[bytes] = []
    end = len(body)
    while end > 0 and len(lines) < limit:
        start = body.rfind(_SEPARATOR, 0, end)
        lines.append(bytes(body[start + len(_SEPARATOR) if start >= 0 else 0 : end]))
        end = start
    return lines[::-1]


def count_items(body: Body, end: int) -> int:
    """Tell how many items follow the one that ends there."""
    return body.count(_SEPARATOR, end)


def find_last_item(body: Body, line: bytes) -> int:
    """Tell where the last item equal to `line` begins; -1 if there is none."""
    end = len(body)
    while (place := body.rfind(line, 0, end)) >= 0:
        after = place + len(line)
        begins = place == 0 or body.endswith(_SEPARATOR, 0, place)
        if begins and (after == len(body) or body.startswith(_SEPARATOR, after)):
            break
        end = after - 1
    return place


def encode(head: dict[str, Any], list_key: str, body: Body) -> bytes:
    """Encode a whole document; `body` holds the items as `join_items` gives them."""
    return b"".join(pieces(head, list_key, body))


def pieces(head: dict[str, Any], list_key: str, body: Body) -> tuple[Body, ...]:
    """Give the pieces that `encode` joins; the body is not copied."""
    return _encode_head(head, list_key), body, b"\n" + _CLOSE if body else _CLOSE


def encode_in_pieces(
    head: dict[str, Any], list_key: str, lines: Iterable[bytes]
) -> Iterator[bytes]:
    """Encode the same document a line at a time; `lines` are items as `encode_item` gives them."""
    yield _encode_head(head, list_key)
    separator = b""
    for line in lines:
        yield separator + line
        separator = _SEPARATOR
    yield (b"\n" if separator else b"") + _CLOSE


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
        head = decode_strictly(first_line[: -len(opening)].decode().rstrip(", ") + "}")
    except UNREADABLE:
        return None
    return head if isinstance(head, dict) else None


def salvage(
    data: bytes, list_key: str, is_item: Callable[[object], bool] = lambda _: False
) -> Salvaged:
    """Read JSON of this shape, however it is laid out, and what is left of a damaged one.

    What `is_item` tells for an item is found in a damaged one wherever it stands.
    """
    try:
        text, damaged = data.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        text, damaged = data.decode("utf-8-sig", errors="replace"), True
    if not damaged:
        try:
            whole = decode_strictly(text)
        except UNREADABLE:
            whole = None
        if isinstance(whole, dict) and isinstance(whole.get(list_key), list):
            items = whole.pop(list_key)
            return Salvaged(whole, items, damaged=False)
    return _Salvage(text, list_key, is_item).run()


def _encode_head(head: dict[str, Any], list_key: str) -> bytes:
    first = encode_item(head)[:-1] + (b", " if head else b"")
    return first + b'"' + list_key.encode() + _OPEN + b"\n"


class _Salvage:
    """Walks over a damaged document and keeps every part that decodes."""

    _skipped = re.compile(r"[\s,]*")
    _next_item = re.compile(r"\n[ \t\r]*(?=\{)")
    _any_item = re.compile(r"(?:\A|[\[,\n])\s*(?=\{)")
    _stray_end = re.compile(r"\][\s,]*\{")  # what follows a list's end is a key or nothing

    def __init__(self, text: str, list_key: str, is_item: Callable[[object], bool]) -> None:
        self._text = text
        self._list_key = list_key
        self._is_item = is_item
        self._list_start = re.compile(rf'(?<!\\)"{re.escape(list_key)}"\s*:\s*\[')
        self._head: dict[str, Any] = {}
        self._items: dict[int, Any] = {}  # by where they begin
        self._read: list[tuple[int, int]] = []  # from where to where parts were read

    def run(self) -> Salvaged:
        position = self._members(self._opening())
        listed: list[int] = []
        while found := self._list_start.search(self._text, position):
            position = self._members(self._list(found.end()))
            listed = listed or list(self._items)
        if not listed:
            self._forget_lists()
        self._pick_up()
        self._head.pop(self._list_key, None)  # under this key stood something that is no list
        items = list(self._in_order(set(listed)))
        return Salvaged(self._head, items, damaged=True, strays=bool(items) and not listed)

    def _opening(self) -> int:
        """Tell where the document's first member may stand; an item may stand before it."""
        place = self._text.find("{")
        while place >= 0:
            value, after = self._value(place)
            if not self._is_item_alone(value):
                return place + 1
            place = self._text.find("{", after)
        return len(self._text)

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
            if not (self._holds_items(value) and self._has_swallowed(start, after)):
                self._head[key] = value
                self._read.append((start, after))
            position = after

    def _list(self, position: int) -> int:
        """Read items, going on at the next line that opens one after an item that fails."""
        while True:
            position = self._skip(position)
            if self._stray_end.match(self._text, position):
                position += 1
                continue
            if position >= len(self._text) or self._text[position] == "]":
                return position + 1
            item, after = self._value(position)
            if after < 0:
                found = self._next_item.search(self._text, position)
                if not found:
                    return len(self._text)
                position = found.end()
                continue
            self._items[position] = item
            if self._is_item_alone(item) and not self._has_swallowed(position, after):
                self._read.append((position, after))
            position = after

    def _pick_up(self) -> None:
        """Find items in what was not read yet: before the list, behind it, without any."""
        position = 0
        for start, end in [*sorted(self._read), (len(self._text), len(self._text))]:
            while found := self._any_item.search(self._text, position, start):
                item, after = self._value(found.end())
                if self._is_item(item):
                    self._items[found.end()] = item
                is_alone = self._is_item_alone(item)
                if is_alone and not self._has_swallowed(found.end(), after):
                    position = after
                else:
                    position = found.end() + 1
            position = max(position, end)

    def _is_item_alone(self, value: Any) -> bool:
        """Tell an item that cannot hold others in a list of its own."""
        return self._is_item(value) and self._list_key not in value

    def _holds_items(self, value: Any) -> bool:
        return isinstance(value, list) and any(map(self._is_item, value))

    def _has_swallowed(self, start: int, end: int) -> bool:
        """Tell whether something stands at the beginning of a line there, as items do."""
        return self._text.find("\n{", start, end) >= 0

    def _forget_lists(self) -> None:
        """Have items be picked up from other members too; the key of theirs may be misspelt."""
        self._read.clear()
        for key, value in list(self._head.items()):
            if self._holds_items(value):
                del self._head[key]

    def _in_order(self, listed: set[int]) -> Iterator[Any]:
        """Give the items as they stand; what stands elsewhere than in the list, but once."""
        known = {encode_item(self._items[place]) for place in listed}
        for place in sorted(self._items):
            line = encode_item(self._items[place])
            if place in listed or line not in known:
                known.add(line)
                yield self._items[place]

    def _skip(self, position: int) -> int:
        found = self._skipped.match(self._text, max(position, 0))
        return found.end() if found else position

    def _value(self, position: int) -> tuple[Any, int]:
        """Decode one value; the second part is where it ends, or -1."""
        try:
            return decode_first(self._text, position)
        except ValueError:
            return None, -1
