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
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_OPEN = b'": ['
_CLOSE = b"]}\n"
_SEPARATOR = b",\n"

_DEEPEST = 100  # levels; far below what Python copies and encodes without a RecursionError
_UNREADABLE = (ValueError, RecursionError)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"no JSON number: {text[:20]}")
    return number


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return data


def _integer_or_none(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:  # thousands of digits
        return None


def _float_or_none(text: str) -> float | None:
    return float(text) if math.isfinite(float(text)) else None


# What this one reads can be written again without losing anything.
_strict = json.JSONDecoder(
    parse_float=_finite, parse_constant=_finite, object_pairs_hook=_without_repeats
)
# What would not be JSON again becomes null, and of a key that stands twice the last value counts.
_lenient = json.JSONDecoder(
    parse_float=_float_or_none, parse_int=_integer_or_none, parse_constant=lambda _: None
)


@dataclass(slots=True)
class Salvaged:
    """What could be read: all keys but the list's, the list's items, whether anything was lost."""

    head: dict[str, Any]
    items: list[Any]
    damaged: bool
    strays: bool = False  # no list holds the items; they were picked up somewhere


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
    newline = b"\n" if body else b""
    return _encode_head(head, list_key) + body + newline + _CLOSE


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
        head = _decode(first_line[: -len(opening)].decode().rstrip(", ") + "}")
    except _UNREADABLE:
        return None
    return head if isinstance(head, dict) else None


def decode_item(line: bytes) -> Any:
    """Decode one item.

    :raises ValueError: it is no JSON, or none that could be written again.
    """
    try:
        return _decode(line.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def decode_first(text: str, position: int) -> tuple[Any, int]:
    """Decode the value that begins at `position`, leniently; the second part is where it ends.

    :raises json.JSONDecodeError: it is no JSON, or it goes on behind the end of `text`.
    :raises ValueError: it is nested too deeply for an item in a document.
    """
    try:
        value, end = _lenient.raw_decode(text, position)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _check_depth([[value]])
    return value, end


def is_json(data: bytes) -> bool:
    try:
        _lenient.decode(data.decode("utf-8-sig"))
    except _UNREADABLE:
        return False
    return True


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
            whole = _decode(text)
        except _UNREADABLE:
            whole = None
        if isinstance(whole, dict) and isinstance(whole.get(list_key), list):
            items = whole.pop(list_key)
            return Salvaged(whole, items, damaged=False)
    return _Salvage(text, list_key, is_item).run()


def _encode_head(head: dict[str, Any], list_key: str) -> bytes:
    first = encode_item(head)[:-1] + (b", " if head else b"")
    return first + b'"' + list_key.encode() + _OPEN + b"\n"


def _decode(text: str) -> Any:
    value = _strict.decode(text)
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


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
