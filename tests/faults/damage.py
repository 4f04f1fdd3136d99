"""What may become of a file: edited, cut, garbled, written by others."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, NamedTuple

from tests.faults.whole import CHATS, FORMS, INDEXES, Document

What = Literal["chat", "index"]


class Spoilt(NamedTuple):
    what: What
    kinds: str  # its form, and what was done to it
    data: bytes


def spoilt(seed: int, number: int) -> Spoilt:
    """Make the n-th input of a seed; always the same one."""
    rng = random.Random(f"{seed} {number}")
    what: What = rng.choice(["chat", "chat", "index"])
    documents = CHATS if what == "chat" else INDEXES
    which = rng.randrange(len(documents))
    kinds = [rng.choice(list(FORMS))]
    if rng.random() < 0.5:
        document, raw = copy.deepcopy(documents[which]), dict[str, str]()
        for _ in range(rng.choice([1, 1, 2, 4])):
            kinds.append(rng.choice(list(_VALUE_DAMAGE)))
            _VALUE_DAMAGE[kinds[-1]](rng, document, raw)
        text = FORMS[kinds[0]](document)
        for placeholder, replacement in raw.items():
            text = text.replace(json.dumps(placeholder), replacement)
    else:
        text = _written(what, which, kinds[0])
    data = text.encode("utf-8", "surrogatepass")
    if len(kinds) == 1 or rng.random() < 0.3:
        for _ in range(rng.choice([0, 1, 1, 1, 2, 4])):
            kinds.append(rng.choice(list(_BYTE_DAMAGE)))
            data = _BYTE_DAMAGE[kinds[-1]](rng, data)
    return Spoilt(what, ", ".join(kinds), data)


@cache
def _written(what: What, which: int, form: str) -> str:
    return FORMS[form]((CHATS if what == "chat" else INDEXES)[which])


# Damage to values


def _somewhere(rng: random.Random, document: Document) -> tuple[Any, Any]:
    """Choose a place in it: a dictionary or a list, and a key or a position of that."""
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return place, None
        key = rng.choice(keys)
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
            return place, key
        place = inner


def _put(place: Any, key: Any, value: Any) -> None:
    if key is None and isinstance(place, list):
        place.append(value)
    else:
        place["empty" if key is None else key] = value


def _change(rng: random.Random, document: Document, raw: dict[str, str]) -> None:
    _put(*_somewhere(rng, document), copy.deepcopy(rng.choice(_ODD_VALUES)))


def _change_raw(rng: random.Random, document: Document, raw: dict[str, str]) -> None:
    """Put there what `json.dumps` would not write."""
    placeholder = f"raw {len(raw)}"
    raw[placeholder] = rng.choice(_RAW_VALUES if rng.random() > 0.002 else _ENORMOUS_VALUES)
    _put(*_somewhere(rng, document), placeholder)


def _remove(rng: random.Random, document: Document, raw: dict[str, str]) -> None:
    place, key = _somewhere(rng, document)
    if key is not None:
        del place[key]


def _add(rng: random.Random, document: Document, raw: dict[str, str]) -> None:
    place, _ = _somewhere(rng, document)
    value = copy.deepcopy(rng.choice([*_ODD_VALUES, document]))
    if isinstance(place, list):
        place.insert(rng.randrange(len(place) + 1), value)
    else:
        place[rng.choice(["new", "title", "messages", "metadata", "file", ""])] = value


def _nest(rng: random.Random, document: Document, raw: dict[str, str]) -> None:
    place, key = _somewhere(rng, document)
    value = place[key] if key is not None else None
    for _ in range(rng.choice([1, 1, 2, 2, 20, 130])):
        value = [value] if rng.random() < 0.5 else {"deep": value}
    _put(place, key, value)


def _key_twice(rng: random.Random, document: Document, raw: dict[str, str]) -> None:
    place, key = _somewhere(rng, document)
    if isinstance(place, dict) and key is not None:
        placeholder = f"raw {len(raw)}"
        raw[placeholder] = f"{json.dumps(rng.choice(_ODD_VALUES))}, {json.dumps(key)}: 5"
        place[key] = placeholder


_ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 2**63, 10**30, 1.5, -0.0, "", " \n", "x" * 300, "NaN", "2025-10-04",
    "\ud83d\ude00", "\ud800", "\x00", "\u2028\u202e", [], {}, [[]], ["x"], [1, 2], {"a": {}},
    {"type": "user_question", "text": "a message"}, {"conversation_id": "c"}, "index", "../b",
]  # fmt: skip
_RAW_VALUES = [
    "NaN", "Infinity", "-Infinity", "1e999", "-1E400", "9" * 5000, "1" + "0" * 4000, "1" * 400,
    "[" * 400 + "]" * 400, '{"a":' * 150 + "1" + "}" * 150, '"\\ud800"', '"\\ude00\\ud83d"',
    '"\\ud83d\\ude00"', '"\\u0000"', '"\x00"', '"\ud800"', "nul", "'x'", "{", "[", "]", "}", "",
    "[" * 30_000, '"', "undefined", "01", "+1", ".5", "1.", "0x10", "/* x */ 1", '"\\x"', '"\\',
    "1, 2", '"a" "b"', '"x\ny"', "\ufeff1",
]  # fmt: skip
_ENORMOUS_VALUES = ['"' + "x" * 200_000 + '"', "[" * 100_000, "1" * 100_000, '{"a":[' * 9000]
_VALUE_DAMAGE: dict[str, Callable[[random.Random, Document, dict[str, str]], None]] = {
    "value changed": _change,
    "raw value": _change_raw,
    "value removed": _remove,
    "value added": _add,
    "nested": _nest,
    "key twice": _key_twice,
}

# Damage to bytes


def _range(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice([1, 1, 2, 5, 40, 600]))


def _flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    if changed:
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(rng: random.Random, data: bytes) -> bytes:
    start, end = _range(rng, data)
    byte = rng.choice([b"\x00", b"\xff", b" ", b"\n", b'"', b"{", b"]", rng.randbytes(1)])
    return data[:start] + byte * (end - start) + data[end:]


def _insert(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.choice([*_TOKENS, rng.randbytes(3)]) + data[start:]


def _cut_out(rng: random.Random, data: bytes) -> bytes:
    start, end = _range(rng, data)
    return data[:start] + data[end:]


def _double(rng: random.Random, data: bytes) -> bytes:
    start, end = _range(rng, data)
    return data[:end] + data[start:]


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _behead(rng: random.Random, data: bytes) -> bytes:
    return data[rng.randrange(len(data) + 1) :]


def _line_damage(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    do = rng.randrange(4)
    if do == 0:
        lines[one], lines[other] = lines[other], lines[one]
    elif do == 1:
        lines.insert(other, lines[one])
    elif do == 2:
        del lines[one]
    else:
        lines[one] = lines[one] + lines[other]
    return b"\n".join(lines)


def _whole(rng: random.Random, data: bytes) -> bytes:
    """Do something to the whole file at once."""
    text = data.decode("utf-8", "replace")
    return rng.choice(
        [
            b"\xef\xbb\xbf" + data,
            data.replace(b"\n", b"\r\n"),
            data.replace(b"\n", b" "),
            text.encode("utf-16"),
            text.encode("latin-1", "replace"),
            b"",
            b" \n\t ",
            bytes(len(data)),
            data + data,
            data + bytes(4096),
            b"[" + data + b"]",
            data[::-1],
        ]
    )


_TOKENS = [
    b'"messages": [', b'"conversations": [', b'"metadata": {', b"]}\n", b"]", b"}", b"{", b"[",
    b'"', b",", b",,", b":", b"\n", b"\x00", b"\\", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b"null",
    b'{"type": "x", "text": "y"}', b"//", b"\r", b"\xe2\x80\xa8", b"[" * 120,
]  # fmt: skip
_BYTE_DAMAGE: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "bit flipped": _flip,
    "overwritten": _overwrite,
    "inserted": _insert,
    "cut out": _cut_out,
    "doubled": _double,
    "truncated": _truncate,
    "beheaded": _behead,
    "lines": _line_damage,
    "whole file": _whole,
}
