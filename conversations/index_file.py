"""The index: what it says of a user's chats, and how it is read and written.

It is a cache of the chat files' first lines. Beside a chat's metadata stands, under `file`, which
state of that file they are from; only the active chat and the unknown keys stand here alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from . import json_lines
from .chat_file import FileIdentity
from .models import ConversationMetadata, UserIndex

_LIST_KEY = "conversations"
_TOLD_KEY = "damaged_told"
_SETTINGS_KEY = "settings"


@dataclass(slots=True)
class Entry:
    """A chat as the index knows it; `identity` is None until its whole file has been read once."""

    metadata: ConversationMetadata
    identity: FileIdentity | None
    was_deleted: bool = False  # its file says that it has been in the trash
    is_unread: bool = False  # its file could not be read, and may say something else by now
    is_in_lines: bool = True  # or else its file looks as if it were of our form, and is not

    @property
    def is_untouched(self) -> bool:
        """Tell a chat that is empty, and that nobody named, pinned or gave instructions."""
        chat = self.metadata
        touched = chat.message_count or chat.pinned or chat.instructions or self.is_unread
        return not touched and chat.name_source == "default"

    @property
    def is_just_created(self) -> bool:
        """Tell a chat exactly as we create it: in our own form, active, empty, never touched."""
        chat = self.metadata
        touched = chat.message_count or chat.pinned or chat.instructions
        touched = touched or chat.name_source == "user"
        is_new = chat.is_active and chat.created_at == chat.updated_at and not self.was_deleted
        return self.identity is None and is_new and not touched


@dataclass(slots=True)
class ReadIndex:
    index: UserIndex  # without its conversations
    listed: dict[str, Entry]
    damaged_told: int = 0  # how many damaged files the person has heard of
    is_whole: bool = False  # neither missing nor damaged


def read_index(data: bytes, user_id: int) -> ReadIndex:
    """Read an index of any age, as far as it can be read."""
    read = json_lines.salvage(data, _LIST_KEY, _is_entry)
    head = read.head
    head.pop("user_id", None)
    username = head.pop("username", "")
    active = head.pop("last_active_conversation_id", None)
    told = head.pop(_TOLD_KEY, 0)
    settings = head.pop(_SETTINGS_KEY) if isinstance(head.get(_SETTINGS_KEY), dict) else {}
    index = UserIndex(
        user_id,
        username=username if isinstance(username, str) else "",
        last_active_conversation_id=active if isinstance(active, str) else None,
        settings=settings,
        extra=head,
    )
    listed = dict(_entries(read.items, user_id))
    return ReadIndex(index, listed, told if isinstance(told, int) else 0, not read.damaged)


def encode_index(index: UserIndex, entries: Iterable[Entry], *, damaged_told: int) -> bytes:
    head = index.to_dict()
    del head[_LIST_KEY]
    if damaged_told:
        head[_TOLD_KEY] = damaged_told
    lines = [_encode(entry, index.last_active_conversation_id) for entry in entries]
    return json_lines.encode(head, _LIST_KEY, json_lines.join_items(lines))


def hand_out(metadata: ConversationMetadata, active_id: str | None) -> ConversationMetadata:
    """Copy metadata for the caller, with the flag that only the index can tell."""
    given = metadata.copy()
    given.is_active = metadata.conversation_id == active_id
    return given


def _entries(items: list[Any], user_id: int) -> Iterator[tuple[str, Entry]]:
    for item in items:
        if not _is_entry(item):
            continue
        conversation_id, raw = item["conversation_id"], item.pop("file", None)
        known = isinstance(raw, list) and len(raw) == len(FileIdentity._fields)
        metadata = ConversationMetadata.from_dict(
            item, user_id=user_id, conversation_id=conversation_id
        )
        yield conversation_id, Entry(metadata, FileIdentity(*raw) if known else None)


def _is_entry(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("conversation_id"), str)


def _encode(entry: Entry, active_id: str | None) -> bytes:
    item = hand_out(entry.metadata, active_id).to_dict()
    if entry.identity is not None and entry.is_in_lines:
        item["file"] = list(entry.identity)
    return json_lines.encode_item(item)
