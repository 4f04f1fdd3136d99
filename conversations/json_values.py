"""JSON values to bytes and back, without losing anything on the way there and back again.

`orjson` is fast, but it knows no lone surrogates, takes the last of two equal keys, and reads a
number of thirty digits as it likes. So it gets what holds none of these, and the standard library
does the rest; the bytes are the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import lru_cache
from types import NoneType
from typing import Any

import orjson

_PLAIN = frozenset((str, int, bool, NoneType))  # what both read and write alike
_TEXTS = frozenset((str,))
_DEEPEST = 100  # levels; far below what Python copies and encodes without a RecursionError

UNREADABLE = (ValueError, RecursionError)


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


def encode_item(item: object) -> bytes:
    """Encode one item as one line. A lone surrogate, which UTF-8 has no bytes for, is escaped.

    :raises ValueError: NaN, infinity or a circular reference.
    """
    try:
        return _encode_plain(item)
    except TypeError:  # also a lone surrogate, and a number of more than 64 bits
        pass
    try:
        return json.dumps(item, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(item, allow_nan=False).encode()


def decode_sound(line: bytes) -> Any:
    """Decode an item that was checked before: of equal keys the last counts.

    :raises ValueError: as `decode_item` does.
    """
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError:
        return decode_item(line)
    if type(item) is dict and _PLAIN.issuperset(map(type, item.values())):
        return item
    return decode_item(line)


def decode_item(line: bytes) -> Any:
    """Decode one item.

    :raises ValueError: it is no JSON, or none that could be written again.
    """
    try:
        return decode_strictly(line.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def decode_strictly(text: str) -> Any:
    """Decode what can be written again without losing anything.

    :raises ValueError: it is no JSON, or holds more than that.
    :raises RecursionError: it is nested far too deeply.
    """
    value = _strict.decode(text)
    _check_depth(value)
    return value


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
    except UNREADABLE:
        return False
    return True


def _encode_plain(value: object) -> bytes:
    """Encode texts, whole numbers and so on, and objects of them, as `json.dumps` would.

    :raises TypeError: there is something else in it.
    """
    kind, dumps = type(value), orjson.dumps
    if kind in _PLAIN:
        return dumps(value)
    if kind is not dict or not _TEXTS.issuperset(map(type, value)):  # type: ignore[call-overload]
        raise TypeError
    pairs = [
        _key(key) + (dumps(inner) if type(inner) in _PLAIN else _encode_plain(inner))
        for key, inner in value.items()  # type: ignore[attr-defined]
    ]
    return b"{" + b", ".join(pairs) + b"}"


@lru_cache(256)
def _key(key: str) -> bytes:
    return orjson.dumps(key) + b": "


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
