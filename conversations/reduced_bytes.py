"""UTF-8 in which letters that are the same to a search are the same bytes.

Every byte is *reduced*, one to one and in C, so that letters which differ in case, or in е and ё
alone, become the same (and become the same as a few others). That is sure for Latin-1, Cyrillic
and emoji. What folds into something longer, is composed of several characters, stands there as an
escape or is of another script is *odd*: words with anything odd in them have to be folded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .search import fold

Line = tuple[int, int]  # where in a block of lines it begins, and where it ends

_ODD_LIMIT = 4096  # characters of odd words that are worth being kept
_BEYOND = 0xFF  # in no UTF-8: what begins a character of another script


def _reduced(byte: int) -> int:
    if byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        return byte + 32
    if 0x80 <= byte < 0xC0:  # of what follows in a character the low bits; 5 as 1: "е" is as "ё"
        low = byte & 0x0F
        return 0x80 | (1 if low == 5 else low)
    if byte == 0xD1:
        return 0xD0
    return byte if byte < 0x80 or byte in b"\xc2\xc3\xd0\xe2\xf0" else _BEYOND


_TABLE = bytes(map(_reduced, range(256)))
SURE = re.compile(r"[0-9a-zà-öø-ÿ\u0430-\u045f\U0001f300-\U0001faff+#@%&*_<>~^|$-]+")
BEYOND = re.compile(r"[^\0-\xff\u0400-\u047f\u2000-\u2fff\U00010000-\U0010ffff]")

_ESCAPE = re.compile(rb"\\u")
# What begins with this byte, and is odd then. The first is looked for among the reduced bytes.
# One pattern after the other is ten times as fast as all in one.
_ODD = (
    (b"\xff", re.compile(rb"\xff")),
    (b"\\", _ESCAPE),
    (b"\xc2", re.compile(rb"\xc2[\xa8\xaa\xaf\xb2-\xb5\xb8-\xba\xbc-\xbe]")),  # ª ² ½, accents
    (b"\xc3", re.compile(rb"\xc3\x9f")),  # ß
    (b"\xe2", re.compile(  # ⁴ ₄ ₨, № and the like, Ⅳ, Ⓐ, radicals
        rb"\xe2(?:\x80[\x97\xbe]|\x81[\xb0-\xbf]|\x82[\x80-\x9c\xa8]|\x86[\x80-\x8b]|\x8c[\xa9\xaa]"
        rb"|\xab\x9c|[\x84\x85\x91-\x93\xb1\xba-\xbf])"
    )),
    (b"\xf0", re.compile(rb"\xf0(?!\x9f[\x87\x8c-\xab])")),  # all but emoji
)  # fmt: skip
_GAP = re.compile(rb'[ "\\]')


def reduced(data: bytes) -> bytes:
    return data.translate(_TABLE)


def odd_words(data: bytes, image: bytes) -> str | None:
    """Give what is odd in some lines, folded, between its spaces; None where that is too much.

    `image` is `data` reduced.
    """
    if _ESCAPE.search(data):
        return None
    found: set[bytes] = set()
    for place in _odd_places(data, image):
        begin = max(data.rfind(gap, 0, place) for gap in (b" ", b'"', b"\\")) + 1
        gap = _GAP.search(data, place)
        found.add(data[begin : gap.start() if gap else len(data)])
        if sum(map(len, found)) > _ODD_LIMIT:
            return None
    return fold(b" ".join(found).decode("utf-8", "replace"))


def odd_lines(data: bytes, image: bytes, start: int) -> set[Line]:
    return {line_at(data, place) for place in _odd_places(data, image, start)}


def line_at(data: bytes, place: int) -> Line:
    end = data.find(b"\n", place)
    return data.rfind(b"\n", 0, place) + 1, end if end >= 0 else len(data)


def _odd_places(data: bytes, image: bytes, start: int = 0) -> Iterator[int]:
    for first, pattern in _ODD:
        looked_at = image if first == b"\xff" else data
        if first in looked_at:
            for match in pattern.finditer(looked_at, start):
                yield match.start()
