"""One chat's file: its form, and how it is read when it is whole, foreign, old or damaged."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

from . import json_lines
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    is_message,
    is_metadata,
    parse_time,
)
from .names import name_from_question
from .recent import Recent, read_messages
from .storage import is_valid_id

_LIST_KEY = "messages"
_TAIL_BLOCK = 32 * 1024  # the first step back from the end; each further one is twice as long
_HASH_BYTES = 100  # about what one takes in a set
_END = b"\n]}\n"


class FileIdentity(NamedTuple):
    """Tells whether a file is still the one that we wrote or read."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(slots=True)
class ChatFile:
    """A chat in memory: metadata apart, messages as the encoded bytes that stand in the file."""

    metadata: ConversationMetadata
    body: bytearray = field(default_factory=bytearray)
    extra: dict[str, Any] = field(default_factory=dict)
    damaged: bool = False  # something of the file could not be read
    has_lost_text: bool = False  # since it was written
    _hashes: set[int] | None = field(default=None, repr=False)  # of the lines, and of former ones
    _recent: Recent | None = field(default=None, repr=False)

    @classmethod
    def parse(
        cls,
        data: bytes,
        *,
        user_id: int,
        conversation_id: str,
        known: ConversationMetadata | None = None,
    ) -> Self | None:
        """Read a chat of any age and layout; None when nothing in it is a chat's.

        `known` is what the index knew of it, for metadata that cannot be read any more.
        """
        read = json_lines.salvage(data, _LIST_KEY, is_message)
        raw = read.head.pop("metadata", None)
        described = is_metadata(raw)
        strange = raw is not None and not isinstance(raw, dict)
        if not described and known is not None:
            unknown = raw if isinstance(raw, dict) and not read.damaged else {}
            raw = unknown | known.to_dict()
        metadata = ConversationMetadata.from_dict(
            raw, user_id=user_id, conversation_id=conversation_id
        )
        chat = cls(metadata, extra=read.head)
        messages = chat._take_items(read.items)
        if not described and (not messages or (read.strays and json_lines.is_json(data))):
            return None
        chat.damaged = read.damaged or strange or len(messages) < len(read.items)
        chat._count(messages)
        describe(metadata, messages)
        return chat

    @classmethod
    def trusted(cls, data: bytes, metadata: ConversationMetadata) -> Self | None:
        """Read a file known to be sound, where it is of our form without parsing its messages.

        None when it is damaged all the same.
        """
        parts = json_lines.split(data, _LIST_KEY)
        if parts is not None:
            head, body = parts
            head.pop("metadata", None)
            return cls(metadata, bytearray(body), head)
        read = json_lines.salvage(data, _LIST_KEY, is_message)
        read.head.pop("metadata", None)
        chat = cls(metadata, extra=read.head)
        chat._take_items(read.items)
        return None if read.damaged else chat

    @classmethod
    def from_conversation(cls, conversation: Conversation) -> Self:
        lines = [json_lines.encode_item(message.to_dict()) for message in conversation.messages]
        body = bytearray(json_lines.join_items(lines))
        chat = cls(conversation.metadata, body, dict(conversation.extra))
        chat._count(conversation.messages)
        return chat

    def is_in_lines(self, data: bytes) -> bool:
        """Tell whether `trusted` would read the same from `data`, from which this was parsed."""
        parts = json_lines.split(data, _LIST_KEY)
        return parts is None or parts[1] == self.body

    def to_conversation(self) -> Conversation:
        """Decode all messages.

        :raises ValueError: some cannot be; the file is not what `trusted` took it for.
        """
        messages, unreadable = read_messages(json_lines.split_items(self.body))
        if unreadable:
            raise ValueError("some lines are no messages")
        return Conversation(self.metadata, messages, copy.deepcopy(self.extra), self.revision())

    def encode(self) -> bytes:
        return b"".join(self.pieces())

    def pieces(self) -> Sequence[bytes | bytearray]:
        """Give what `encode` does in pieces, of which that with the messages is not copied."""
        return json_lines.pieces(_head(self.metadata, self.extra), _LIST_KEY, self.body)

    @property
    def cached_bytes(self) -> int:
        """About how much memory it takes."""
        hashes = 0 if self._hashes is None else _HASH_BYTES * len(self._hashes)
        return len(self.body) + hashes + (self._recent.cached_bytes if self._recent else 0)

    def last(self, limit: int) -> list[ConversationMessage] | None:
        """Give the last messages, oldest first, at a cost that follows `limit`.

        None where some cannot be read, as in `to_conversation`.
        """
        found = self._recent.last(limit) if self._recent else None
        if found is None:
            lines = json_lines.last_items(self.body, limit)
            read, unreadable = read_messages(lines)
            if unreadable:
                return None
            self._recent = Recent(read, is_all=len(lines) < limit)
            found = [message.copy() for message in read]
        return found

    def add(self, message: ConversationMessage, updated_at: str, first_name: str | None) -> bytes:
        """Add a message, and what follows from it to the metadata; give it as it is encoded."""
        line = json_lines.encode_item(message.to_dict())
        self._add(line, message, updated_at, first_name)
        return line

    def add_line(self, line: bytes, updated_at: str, first_name: str | None) -> None:
        """Add a message as `add` gave it."""
        message = ConversationMessage.from_dict(json_lines.decode_item(line))
        self._add(line, message, updated_at, first_name)

    def _add(
        self,
        line: bytes,
        message: ConversationMessage,
        updated_at: str,
        first_name: str | None,
    ) -> None:
        metadata = self.metadata
        if not self._contains(line):
            self._append(line, message.tokens)
            metadata.updated_at = max(metadata.updated_at, updated_at, key=parse_time)
        is_first = message.type == "user_question" and metadata.name_source == "default"
        if is_first and first_name is not None:
            metadata.name, metadata.name_source = first_name, "question"

    def _append(self, line: bytes, tokens: int) -> None:
        json_lines.append_item(self.body, line)
        self._known().add(hash(line))
        if self._recent is not None:
            self._recent.add(line)
        self.metadata.message_count += 1
        self.metadata.total_tokens += tokens

    def replace(self, old: ConversationMessage, new: ConversationMessage) -> bool:
        """Put `new` where the latest `old` stands; False when there is no such message."""
        old_line = json_lines.encode_item(old.to_dict())
        line = json_lines.encode_item(new.to_dict())
        place = json_lines.find_last_item(self.body, old_line)
        if place < 0:
            return False
        self.body[place : place + len(old_line)] = line
        self._known().add(hash(line))
        behind = json_lines.count_items(self.body, place + len(line))
        if self._recent is not None and not self._recent.replace(behind, line):
            self._recent = None
        self.has_lost_text = self.has_lost_text or new.text != old.text
        self.metadata.total_tokens += new.tokens - old.tokens
        return True

    def contains(self, message: ConversationMessage) -> bool:
        return self._contains(json_lines.encode_item(message.to_dict()))

    def contains_all_of(self, other: ChatFile) -> bool:
        """Tell whether every message of `other` is here as well, as often as there."""
        mine = json_lines.split_items(self.body)
        counts: dict[bytes, int] = {}
        for line in mine:
            counts[line] = counts.get(line, 0) + 1
        for line in json_lines.split_items(other.body):
            counts[line] = counts.get(line, 0) - 1
            if counts[line] < 0:
                return False
        return True

    def revision(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def _contains(self, line: bytes) -> bool:
        return hash(line) in self._known() and json_lines.find_last_item(self.body, line) >= 0

    def _known(self) -> set[int]:
        if self._hashes is None:
            self._hashes = set(map(hash, json_lines.split_items(self.body)))
        return self._hashes

    def _take_items(self, items: list[Any]) -> list[ConversationMessage]:
        """Lay the items out as lines, exactly as they are but for those that are no messages."""
        messages, lines = [], []
        for item in items:
            try:
                messages.append(ConversationMessage.from_dict(item))
            except ValueError:
                continue
            lines.append(json_lines.encode_item(item))
        self.body = bytearray(json_lines.join_items(lines))
        return messages

    def _count(self, messages: Iterable[ConversationMessage]) -> None:
        tokens = [message.tokens for message in messages]
        self.metadata.message_count = len(tokens)
        self.metadata.total_tokens = sum(tokens)


def encode_in_pieces(conversation: Conversation) -> Iterator[bytes]:
    """Encode a chat as it stands in its file, a message at a time."""
    head = _head(conversation.metadata, conversation.extra)
    lines = (json_lines.encode_item(message.to_dict()) for message in conversation.messages)
    return json_lines.encode_in_pieces(head, _LIST_KEY, lines)


def describe(metadata: ConversationMetadata, messages: Sequence[ConversationMessage]) -> None:
    """Make up from the messages what the metadata of a foreign or damaged file do not say."""
    times = sorted((message.timestamp for message in messages), key=parse_time)
    if times:
        metadata.created_at = metadata.created_at or times[0]
        metadata.updated_at = metadata.updated_at or times[-1] or metadata.created_at
    if not metadata.name:
        questions = (message.text for message in messages if message.type == "user_question")
        metadata.name = name_from_question(next(questions, ""))


def find_chats(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Go through the files that may be chats, by their names; give their ids."""
    with os.scandir(folder) as found:
        for item in found:
            conversation_id, suffix = os.path.splitext(item.name)  # noqa: PTH122
            if suffix == ".json" and is_valid_id(conversation_id) and item.is_file():
                yield conversation_id, item.stat()


def read_metadata(
    path: Path, *, user_id: int, conversation_id: str
) -> ConversationMetadata | None:
    """Read the first line of a file of our own form; None when the file needs a full reading."""
    with path.open("rb") as file:
        if not _ends_well(file):
            return None
        file.seek(0)
        first = file.readline()
    head = json_lines.decode_head(first.rstrip(b"\n"), _LIST_KEY)
    if head is None or not is_metadata(head.get("metadata")):
        return None
    return ConversationMetadata.from_dict(
        head["metadata"], user_id=user_id, conversation_id=conversation_id
    )


def read_last(path: Path, limit: int) -> list[ConversationMessage] | None:
    """Read the last messages from the end of a file of our own form; None when that cannot be."""
    with path.open("rb") as file:
        if not _ends_well(file):
            return None
        start, tail, step = file.seek(0, os.SEEK_END), b"", _TAIL_BLOCK
        while start and tail.count(b"\n") < limit + 2:
            step = min(step, start)
            start -= step
            file.seek(start)
            tail = file.read(step) + tail
            step *= 2
    lines = tail.removesuffix(b"]}\n").removesuffix(b"\n").split(b"\n")
    first = lines.pop(0)  # the head, or a line that is cut
    if start == 0 and json_lines.decode_head(first, _LIST_KEY) is None:
        return None
    messages, unreadable = read_messages([line.removesuffix(b",") for line in lines[-limit:]])
    return None if unreadable else messages


def _head(metadata: ConversationMetadata, extra: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": metadata.to_dict(), **extra}


def _ends_well(file: BinaryIO) -> bool:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - len(_END), 0))
    return file.read(len(_END)) == _END
