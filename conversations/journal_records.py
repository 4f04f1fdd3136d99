"""What stands in a journal: how a record is written, and how a file of them is read.

A record is an added message, or a mark that everything before it of one user is in the files.
Records bear numbers that follow each other; what is behind the last whole one was not finished.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_HEADER = struct.Struct("<IIQ")  # bytes that follow, their checksum with the number, the number
HEADER_BYTES = _HEADER.size
_NUMBER = struct.Struct("<Q")


class Added(NamedTuple):
    """A message as it was added to a living chat."""

    conversation_id: str
    line: bytes  # as it is encoded in the file
    updated_at: str
    first_name: str | None


@dataclass(frozen=True, slots=True)
class Record:
    number: int
    user_id: int
    added: Added | None  # None: what was recorded of this user before is done


def encode(user_id: int, added: Added | None) -> bytes:
    """Encode all of a record but its number."""
    if added is None:
        return _encode([user_id])
    head = [user_id, added.conversation_id, added.updated_at, added.first_name]
    return _encode(head) + b"\n" + added.line


def framed(number: int, data: bytes) -> bytes:
    return _HEADER.pack(len(data), _checksum(number, data), number) + data


def read_records(path: Path) -> Iterator[Record]:
    """Read the records of a file, up to the first that is not whole."""
    data, at, expected = path.read_bytes(), 0, None
    while at + _HEADER.size <= len(data):
        length, checksum, number = _HEADER.unpack_from(data, at)
        start, end = at + _HEADER.size, at + _HEADER.size + length
        content = data[start:end]
        is_whole = 0 < length == len(content) and checksum == _checksum(number, content)
        if not is_whole or expected not in {None, number}:
            return
        yield _record(number, content)
        at, expected = end, number + 1


def _record(number: int, content: bytes) -> Record:
    head, _, line = content.partition(b"\n")
    user_id, *rest = json.loads(head)
    return Record(number, user_id, Added(rest[0], line, rest[1], rest[2]) if rest else None)


def _encode(head: list[Any]) -> bytes:
    try:
        return orjson.dumps(head)
    except TypeError:  # a lone surrogate, a number of more than 64 bits
        return json.dumps(head).encode()


def _checksum(number: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(_NUMBER.pack(number)))
