"""What an import may take, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..names import USER_NAME_LIMIT, clean_text, shorten

_MEBIBYTE = 1024 * 1024
_LOOKED_AT = 1000  # characters of what becomes a detail

ImportSource = Literal["ours", "chatgpt", "claude"]

LeftOutReason = Literal[
    "empty_chat",
    "unreadable_chat",
    "too_many_chats",
    "storage_failed",
    "empty_message",
    "hidden_message",
    "tool_message",
    "other_branch",
    "unknown_content",
    "unreadable_message",
    "too_many_messages",
    "text_cut",
    "facts_dropped",
    "other_file",
    "nested_archive",
    "damaged_file",
]


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """How much of one file is taken. The defaults fit what a Telegram bot may download.

    A zip's entry is refused at `ratio` bytes for each packed one only when it is over
    `ratio_from` bytes: short texts that repeat themselves pack as well as any bomb.
    """

    file_bytes: int = 20 * _MEBIBYTE
    unpacked_bytes: int = 128 * _MEBIBYTE  # of all entries that are read
    ratio: int = 500
    ratio_from: int = 4 * _MEBIBYTE
    entries: int = 10_000
    chats: int = 5_000
    messages: int = 50_000  # of one chat; the latest are kept
    text: int = 1_000_000  # characters of one message
    value_chars: int = 20 * _MEBIBYTE  # of one value: a message of ours, a chat of others
    values: int = 1_000_000  # inside one such value, about
    unknown_bytes: int = 16 * 1024  # of a chat's keys that we do not know


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that did not come in, how often, and the first place where that was.

    `detail` is the name of a chat or of a file: one short line, safe to show, perhaps empty.

    ==================  ========================================================================
    empty_chat          chats without a message
    unreadable_chat     chats that are not of the form that theirs have
    too_many_chats      chats over the limit, at least so many
    storage_failed      chats that could not be stored, at least so many; the rest was not tried
    empty_message       messages with nothing in them
    hidden_message      what the other service did not show: instructions, thoughts
    tool_message        calls of tools and what they gave
    other_branch        earlier versions of questions and answers
    unknown_content     messages of a kind that we do not know
    unreadable_message  messages that are not of the form that theirs have
    too_many_messages   the oldest messages of a chat that is over the limit
    text_cut            messages that came in, but not to their end
    facts_dropped       chats that came in without what stood in them besides
    other_file          files in a zip that hold no chats
    nested_archive      archives in a zip; they are never opened
    damaged_file        files that break off or are garbled; what could be read came in
    ==================  ========================================================================
    """

    reason: LeftOutReason
    count: int
    detail: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came in; `deleted` of the chats are in the trash, where they had been."""

    sources: tuple[ImportSource, ...]
    chats: int
    deleted: int
    messages: int
    left_out: tuple[LeftOut, ...]


@dataclass(slots=True)
class Tally:
    """Counts while an import goes on."""

    sources: set[ImportSource] = field(default_factory=set)
    chats: int = 0
    deleted: int = 0
    messages: int = 0
    _left_out: dict[LeftOutReason, tuple[int, str]] = field(default_factory=dict)

    def leave_out(self, reason: LeftOutReason, detail: object = "", count: int = 1) -> None:
        """Count something that does not come in; the detail of the first is kept."""
        if count:
            before, first = self._left_out.get(reason, (0, as_detail(detail)))
            self._left_out[reason] = before + count, first

    def has(self, reason: LeftOutReason) -> bool:
        return reason in self._left_out

    def report(self) -> ImportReport:
        left_out = tuple(
            LeftOut(reason, count, detail) for reason, (count, detail) in self._left_out.items()
        )
        sources = tuple(sorted(self.sources))
        return ImportReport(sources, self.chats, self.deleted, self.messages, left_out)


def as_detail(text: object) -> str:
    """Make a short line of what stands in a file; nothing of what is no text."""
    if not isinstance(text, str):
        return ""
    return shorten(clean_text(text[:_LOOKED_AT]), USER_NAME_LIMIT)
