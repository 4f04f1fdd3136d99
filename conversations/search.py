"""Searching by words: when two texts say the same, where a word is found, what a search gives."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

import regex

from .models import ConversationMessage, ConversationMetadata, parse_time

_CLOCKS_DIFFER = timedelta(days=1)
# All punctuation but that which may be a part of the word: "c#", "@anna", "50%", "__init__".
_AROUND = r"[\p{P}\p{C}--[#@%&*/\\_-]]+"
_OUTSIDE = regex.compile(rf"^{_AROUND}|{_AROUND}$", regex.V1)
_SEARCHABLE = regex.compile(r"[\p{L}\p{N}\p{S}]")
# Scripts that put no spaces between words.
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_IN_WORD = rf"[[\p{{L}}\p{{N}}\p{{M}}]--{_UNSPACED}]"
_BEGINS_A_WORD = regex.compile(_IN_WORD, regex.V1)


@dataclass(frozen=True, slots=True)
class SearchHit:
    """What was found: a message and its chat, or with no message the chat, by its name."""

    chat: ConversationMetadata
    message: ConversationMessage | None = None


@dataclass(slots=True)
class Found:
    """The messages found so far; no more than `room` of them are wanted, questions first."""

    room: int
    questions: list[SearchHit] = field(default_factory=list)
    answers: list[SearchHit] = field(default_factory=list)

    @property
    def is_enough(self) -> bool:
        return len(self.questions) >= self.room

    @property
    def wants_answers(self) -> bool:
        return len(self.questions) + len(self.answers) < self.room

    @property
    def hits(self) -> list[SearchHit]:
        return [*self.questions, *self.answers]

    def add(self, hit: SearchHit) -> None:
        if hit.message is not None and hit.message.type == "user_question":
            self.questions.append(hit)
        elif self.wants_answers:
            self.answers.append(hit)


@dataclass(frozen=True, slots=True)
class SoughtMessage:
    """What is known of a message of Telegram that one in a chat may be."""

    message_id: int
    dialog_id: int | None
    sent_at: datetime | None

    def is_it(self, message: ConversationMessage) -> bool:
        is_named = self.message_id in {message.message_id, *message.pieces}
        return is_named and message.dialog_id == self.dialog_id and self._is_of(message)

    def _is_of(self, message: ConversationMessage) -> bool:
        """Tell whether it may have been sent then; ids of another dialog may be the same."""
        time = parse_time(message.timestamp)
        return self.sent_at is None or time.year == 1 or abs(time - self.sent_at) <= _CLOCKS_DIFFER


def fold(text: str) -> str:
    """Make equal what differs in case, in compatibility forms, or in е and ё alone."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).replace("ё", "е")


@dataclass(frozen=True, slots=True)
class Words:
    """Words to look for, folded. A text has them when each is the beginning of one of its words.

    In scripts that put no spaces between words, and for what begins with a sign, any place will
    do. Falsy when there is nothing to look for.
    """

    folded: tuple[str, ...]

    @classmethod
    def of(cls, query: str) -> Self:
        """Take the words of what a person typed, each once, without punctuation around them."""
        words = (_OUTSIDE.sub("", word) for word in fold(query).split())
        return cls(tuple(dict.fromkeys(word for word in words if _SEARCHABLE.search(word))))

    def __bool__(self) -> bool:
        return bool(self.folded)

    def are_in(self, text: str) -> bool:
        """Tell whether a text has all of them, in whatever order."""
        folded = fold(text)
        if not all(word in folded for word in self.folded):
            return False
        return all(_pattern(word).search(folded) for word in self.folded)

    def place_in(self, text: str) -> int:
        """Tell about where in a long text the longest of them is first; 0 if it is nowhere."""
        folded = fold(text)
        found = _pattern(max(self.folded, key=len)).search(folded) if self.folded else None
        return found.start() * len(text) // len(folded) if found else 0

    def places_in(self, text: str) -> list[tuple[int, int]]:
        """Find all places in a text, as ranges of its characters; none of them overlap."""
        folded, places = _fold_with_places(text)
        found = [
            (places[match.start()], places[match.end()])
            for word in self.folded
            for match in _pattern(word).finditer(folded)
        ]
        return list(_united(sorted(found)))


def may_begin_inside(word: str) -> bool:
    """Tell whether a folded word is found anywhere, not only where a word begins."""
    return not _BEGINS_A_WORD.match(word)


def _pattern(word: str) -> regex.Pattern[str]:
    gap = "" if may_begin_inside(word) else rf"(?<!{_IN_WORD})"
    return regex.compile(gap + regex.escape(word), regex.V1)  # `regex` caches it


def _fold_with_places(text: str) -> tuple[str, list[int]]:
    """Fold, and tell for each character, and for the end, at which visible one of `text` it is."""
    folded, places = "", []
    for match in regex.finditer(r"\X", text):
        part = fold(match[0])
        folded += part
        places += [match.start()] * len(part)
    return folded, [*places, len(text)]


def _united(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    begun, ended = -1, -1
    for start, end in ranges:
        if start > ended:
            if begun < ended:
                yield begun, ended
            begun = start
        ended = max(ended, end)
    if begun < ended:
        yield begun, ended
