"""Which lines of a chat's file may have the words that are looked for: told from their bytes.

No line that has them is missed; nearly all others are passed over without being parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from .reduced_bytes import BEYOND, SURE, Line, line_at, odd_lines, reduced
from .search import Words, fold, may_begin_inside

_KEYS = re.compile(  # in front of the text, in a line as we write it
    rb'\{"timestamp": ?"[^"]*", ?"message_id": ?-?\d+, ?"type": ?"([^"]*)", ?"text": ?"'
)
_MORE_KEYS = re.compile(rb'", ?"tokens": ?')
_ESCAPED = re.compile(r'["\\/\0-\x1f]')
# A letter before the needle, unless it is that of an escape.
_LETTER_BEFORE = rb"(?:(?<![0-9a-z]%b)|(?<=\\[bfnrt]%b))(?<!\xd0[\x80-\x8f]%b)"


def is_answer(data: bytes, line: Line) -> bool:
    """Tell a line that is an answer for sure."""
    keys = _KEYS.match(data, *line)
    return keys is not None and keys[1] != b"user_question"


@dataclass(frozen=True, slots=True)
class _Word:
    """`needle` is the longest run of sure letters, reduced; empty where there is none.

    `is_odd`: wherever the word is found, something odd is in it. `is_escaped`: something in it may
    be an escape in JSON.
    """

    folded: str
    needle: bytes
    pattern: re.Pattern[bytes]
    is_odd: bool
    is_escaped: bool

    @classmethod
    def of(cls, folded: str) -> Self:
        run = max(SURE.findall(folded), key=len, default="")
        needle = reduced(run.encode())
        pattern = re.escape(needle)
        if folded.startswith(run) and not may_begin_inside(folded):
            pattern += _LETTER_BEFORE.replace(b"%b", pattern)
        is_odd = BEYOND.search(folded) is not None
        is_escaped = _ESCAPED.search(folded) is not None
        return cls(folded, needle, re.compile(pattern), is_odd, is_escaped)

    def may_be_in(self, image: bytes, start: int, end: int) -> bool:
        return not self.is_odd and image.find(self.needle, start, end) >= 0

    def may_be_among(self, odd: str | None) -> bool:
        return odd is None or self.is_escaped or self.folded in odd

    def may_be_read_in(self, folded_line: str) -> bool:
        return self.is_escaped or self.folded in folded_line


class LineFilter:
    """Finds lines that may have all of the words."""

    def __init__(self, words: Words) -> None:
        self._words = sorted(map(_Word.of, words.folded), key=lambda word: -len(word.needle))

    def lines(self, data: bytes, image: bytes, odd: str | None, start: int) -> list[Line]:
        """Give the lines from `start` on, the last one first.

        `image` is `data` reduced, `odd` what `odd_words` says of it, or of more than it.
        """
        found: set[Line] = set()
        sure = [word.may_be_in(image, start, len(data)) for word in self._words]
        among = [word.may_be_among(odd) for word in self._words]
        if all(sure):
            found.update(self._sure_lines(data, image, start))
        if any(among) and all(map(max, sure, among)):
            lines = odd_lines(data, image, start)
            found.update(line for line in lines if self._reads_so(data, line))
        return sorted(found, reverse=True)

    def _sure_lines(self, data: bytes, image: bytes, start: int) -> Iterator[Line]:
        at, longest = start, self._words[0]
        if not longest.needle:  # signs alone
            yield from (line for line in _all(data, start) if self._reads_so(data, line))
            return
        while match := longest.pattern.search(image, at):
            begin, end = line = line_at(data, match.start())
            at = end
            if keys := _KEYS.match(data, begin, end):
                if match.start() < keys.end():  # "text", "user", "2026": in every line
                    at = keys.end()
                    continue
                more = _MORE_KEYS.search(data, keys.end(), end)
                if more and match.start() > more.start():
                    continue
            if all(word.may_be_in(image, begin, end) for word in self._words):
                yield line

    def _reads_so(self, data: bytes, line: Line) -> bool:
        """Fold a line, keys and all, to spare the parsing of most that do not have the words."""
        raw = data[slice(*line)]
        if b"\\u" in raw:
            return True
        folded = fold(raw.decode("utf-8", "replace"))
        return all(word.may_be_read_in(folded) for word in self._words)


def _all(data: bytes, start: int) -> Iterable[Line]:
    while start < len(data):
        line = line_at(data, start)
        yield line
        start = line[1] + 1
