"""Searching one user's chats in their files. Everything here blocks.

One thread at a time may use an instance.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from .chat_file import FileIdentity
from .chat_lines import Lines, read_blocks, read_messages
from .line_filter import LineFilter, is_answer
from .models import newest_first
from .reduced_bytes import line_at, odd_words, reduced
from .search import Found, SearchHit, SoughtMessage, Words

if TYPE_CHECKING:
    from .folder_state import FolderState
    from .index_file import Entry

logger = logging.getLogger(__name__)

_ODD_BLOCKS = 4  # of a file, whose odd words are kept
_TAIL = 16 * 1024  # bytes at the end of every chat in which a message is looked for first
_MOST = 256 * 1024 * 1024  # bytes in all in which it is looked for then


class FileSearch:
    """Searches one folder. What is odd in which file it remembers, to look for that only once."""

    def __init__(self) -> None:
        self._odd: dict[str, tuple[FileIdentity, str | None]] = {}

    def search(self, state: FolderState, words: Words, limit: int) -> list[SearchHit]:
        """Find names, then questions, then answers; of each, those in the latest chats first."""
        if not words:
            return []
        entries = sorted(state.entries.values(), key=lambda entry: newest_first(entry.metadata))
        names = [
            SearchHit(state.hand_out(entry.metadata))
            for entry in entries
            if entry.metadata.name_source != "default" and words.are_in(entry.metadata.name)
        ]
        found, lines = Found(limit - len(names)), LineFilter(words)
        for entry in entries:
            if found.is_enough:
                break
            self._search_chat(state, entry, words, lines, found)
        for gone in self._odd.keys() - state.entries.keys():
            del self._odd[gone]
        return [*names, *found.hits][:limit]

    def _search_chat(
        self, state: FolderState, entry: Entry, words: Words, lines: LineFilter, found: Found
    ) -> None:
        chat = entry.metadata.conversation_id
        messages = read_messages(
            state,
            entry,
            lambda file, size: self._lines(chat, file, size, lines, found),
            lambda message: words.are_in(message.text),
        )
        with closing(messages):
            for message in messages:
                found.add(SearchHit(state.hand_out(entry.metadata), message))
                if found.is_enough:
                    break

    def _lines(
        self, chat: str, file: BinaryIO, size: int, lines: LineFilter, found: Found
    ) -> Lines:
        """Give the lines that may match."""
        identity = FileIdentity.of(os.fstat(file.fileno()))
        known, odd = self._odd.get(chat, (None, None))
        seen: list[str | None] = []
        for data, start in read_blocks(file, size):
            image = reduced(data)
            if known != identity:
                odd = odd_words(data, image)
                seen.append(odd)
            for line in lines.lines(data, image, odd, start):
                if found.wants_answers or not is_answer(data, line):
                    yield data, line
        if known != identity:
            self._odd[chat] = identity, _joined(seen)


def _joined(odd: Sequence[str | None]) -> str | None:
    known = [each for each in odd if each is not None]
    return " ".join(known) if len(known) == len(odd) and len(odd) <= _ODD_BLOCKS else None


def find_message(
    state: FolderState, message_id: int, *, dialog_id: int | None, sent_at: datetime | None
) -> SearchHit | None:
    """Find a message of a dialog in the active chat, or else in the latest one that has it.

    It is looked for at the end of all chats first; then only within those that would come before.
    """
    active = state.index.last_active_conversation_id
    entries = sorted(
        state.entries.values(),
        key=lambda entry: (entry.metadata.conversation_id != active, newest_first(entry.metadata)),
    )
    sought = SoughtMessage(message_id, dialog_id, sent_at)
    late = _first(state, entries, _IdLines(message_id, _TAIL), sought)
    before = entries if late is None else entries[: late[0]]
    found = _first(state, before, _IdLines(message_id, None), sought) or late
    return None if found is None else found[1]


def _first(
    state: FolderState, entries: Sequence[Entry], lines: _IdLines, sought: SoughtMessage
) -> tuple[int, SearchHit] | None:
    """Give the first chat that has it, by its place, and the message."""
    for place, entry in enumerate(entries):
        if lines.read >= _MOST:
            logger.warning("a message was looked for in the latest chats only")
            break
        with closing(read_messages(state, entry, lines, sought.is_it)) as messages:
            for message in messages:
                return place, SearchHit(state.hand_out(entry.metadata), message)
    return None


class _IdLines:
    """Finds the lines that name a message's id; counts the bytes that it has read in all."""

    def __init__(self, message_id: int, most: int | None) -> None:
        self.read = 0
        self._most = most  # bytes at the end of each chat
        self._patterns = [
            re.compile(rb'"message_id":\s*%d\b' % message_id),
            re.compile(rb'"pieces":\s*\[[^]]*\b%d\b' % message_id),
        ]

    def __call__(self, file: BinaryIO, size: int) -> Lines:
        for data, start in read_blocks(file, size, self._most):
            self.read += len(data)
            lines = {
                line_at(data, match.start())
                for pattern in self._patterns
                for match in pattern.finditer(data, start)
            }
            yield from ((data, line) for line in sorted(lines, reverse=True))
