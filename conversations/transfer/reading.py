"""What is in a file that somebody sends us: found out by what it holds, never by its name."""

from __future__ import annotations

import io
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import ImportRefusedError
from ..models import Conversation
from . import chatgpt, claude
from .json_stream import JsonStream
from .our_format import LIST_KEY, OurChat, is_index
from .report import ImportLimits, Tally
from .unpacking import is_zip, unpacked

_MOST_KEYS = 500  # of one object; a chat has some thirty at most
_LOOKED_AT = 100  # items of an array, to tell whether it holds chats


def read_chats(
    file: bytes | os.PathLike[str], limits: ImportLimits, tally: Tally, *, now: str
) -> Generator[Conversation, None, None]:
    """Read the chats of a file one after another, each with a new id and without an owner.

    What does not come in is counted in `tally`. It blocks; nothing is opened before the first.

    :raises ImportRefusedError: before the first chat, when there is none to be had.
    :raises OSError: a path that cannot be opened.
    """
    with _opened(file) as opened:
        _check_size(opened, limits)
        if is_zip(opened):
            documents: Iterator[tuple[str, BinaryIO]] = unpacked(opened, limits, tally)
        else:
            documents = iter([("", opened)])
        yield from _Reader(limits, tally, now).read(documents)
    if not tally.sources:
        raise ImportRefusedError("damaged" if tally.has("damaged_file") else "unknown_format")


class _Reader:
    def __init__(self, limits: ImportLimits, tally: Tally, now: str) -> None:
        self._limits = limits
        self._tally = tally
        self._now = now
        self._seen = 0  # chats, whether they come in or not

    def read(self, documents: Iterator[tuple[str, BinaryIO]]) -> Iterator[Conversation]:
        for name, file in documents:
            stream = JsonStream(file, self._limits)
            opening = stream.opening()
            if opening == "[":
                yield from self._read_array(stream, name)
            elif opening == "{":
                yield from self._read_object(stream, name)
            elif opening or not stream.damaged:
                self._tally.leave_out("other_file", name)
                continue
            if stream.damaged:
                self._tally.leave_out("damaged_file", name)
            if self._seen > self._limits.chats:
                return

    def _read_array(self, stream: JsonStream, name: str) -> Iterator[Conversation]:
        unreadable = 0
        is_known = False
        for item in stream.items():
            is_chat = isinstance(item, dict) and self._is_chat(item)
            is_known = is_known or is_chat
            unreadable += not is_chat
            if not is_known and unreadable == _LOOKED_AT:
                break
            if is_known and self._is_full(name):
                return
            if is_chat:
                yield from self._read_chat(item)
        if is_known:
            self._tally.leave_out("unreadable_chat", name, unreadable + stream.skipped)
        elif not stream.damaged:
            self._tally.leave_out("other_file", name)

    def _is_full(self, name: str) -> bool:
        """Count a chat that is about to be read; tell whether it is one too many."""
        self._seen += 1
        if self._seen <= self._limits.chats:
            return False
        self._tally.leave_out("too_many_chats", name)
        return True

    def _read_object(self, stream: JsonStream, name: str) -> Iterator[Conversation]:
        ours = OurChat(self._limits, self._tally, now=self._now)
        kept = 0  # characters
        before = stream.position
        for key, value in stream.members(LIST_KEY):
            if key == LIST_KEY and isinstance(value, Iterator):
                ours.take(value)
            elif kept <= self._limits.value_chars and len(ours.head) < _MOST_KEYS:
                kept += stream.position - before
                ours.head[key] = value
            before = stream.position
        is_foreign = chatgpt.is_chat(ours.head) or claude.is_chat(ours.head)
        if not is_foreign and not ours.is_one():
            if not is_index(ours.head) and not stream.damaged:
                self._tally.leave_out("other_file", name)
        elif self._is_full(name):
            return
        elif is_foreign:
            yield from self._read_chat(ours.head)
        else:
            self._tally.sources.add("ours")
            yield from _one(ours.build(stream.skipped))

    def _is_chat(self, raw: Mapping[str, Any]) -> bool:
        return chatgpt.is_chat(raw) or claude.is_chat(raw) or isinstance(raw.get(LIST_KEY), list)

    def _read_chat(self, raw: dict[str, Any]) -> Iterator[Conversation]:
        if chatgpt.is_chat(raw):
            self._tally.sources.add("chatgpt")
            yield from _one(chatgpt.read_chat(raw, self._limits, self._tally, now=self._now))
        elif claude.is_chat(raw):
            self._tally.sources.add("claude")
            yield from _one(claude.read_chat(raw, self._limits, self._tally, now=self._now))
        else:
            ours = OurChat(self._limits, self._tally, now=self._now)
            ours.take(raw.pop(LIST_KEY))
            ours.head = raw
            if ours.is_one():
                self._tally.sources.add("ours")
                yield from _one(ours.build())
            else:
                self._tally.leave_out("unreadable_chat")


def _one(chat: Conversation | None) -> Iterator[Conversation]:
    if chat is not None:
        yield chat


@contextmanager
def _opened(file: bytes | os.PathLike[str]) -> Iterator[BinaryIO]:
    with io.BytesIO(file) if isinstance(file, bytes) else Path(file).open("rb") as opened:
        yield opened


def _check_size(file: BinaryIO, limits: ImportLimits) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if not size:
        raise ImportRefusedError("empty")
    if size > limits.file_bytes:
        raise ImportRefusedError("too_big")
