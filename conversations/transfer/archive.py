"""All chats of a user as one zip: a file a chat in our own form, and an index of them."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, BinaryIO

from .. import json_lines
from ..chat_file import encode_in_pieces
from ..models import Conversation, ConversationMetadata, UserIndex, parse_time
from ..storage import ConversationStorage
from .file_names import UniqueNames
from .threads import in_thread

_INDEX = "index.json"
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # what a zip can say
_LATEST = datetime(2107, 12, 31, tzinfo=UTC)
_UNIX = 3  # the system that a zip says it was made on
_OWNER_ONLY = 0o100600 << 16


async def write_archive(
    storage: ConversationStorage,
    index: UserIndex,
    deleted: Iterable[ConversationMetadata],
    file: BinaryIO,
) -> int:
    """Write the chats of `index` and the `deleted` ones into `file`; tell how many there were.

    One chat is in memory at a time. The same chats give the same bytes.

    :raises OSError: `file` cannot be written.
    """
    chats = sorted([*index.conversations, *deleted], key=_oldest_first)
    writer = _ArchiveWriter(file)  # which only asks where it is
    try:
        for metadata in chats:
            conversation = await storage.load(
                index.user_id, metadata.conversation_id, include_deleted=True
            )
            if conversation is not None:  # else it is gone for good since
                await in_thread(writer.add, conversation)
        await in_thread(writer.finish, index)
    finally:
        with contextlib.suppress(OSError, ValueError):  # what failed has been raised
            writer.close()
    return writer.count


class _ArchiveWriter:
    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._names = UniqueNames()
        self._lines: list[bytes] = []
        self._latest = _EARLIEST

    @property
    def count(self) -> int:
        return len(self._lines)

    def add(self, conversation: Conversation) -> None:
        metadata = conversation.metadata
        folder = "chats" if metadata.deleted_at is None else "trash"
        name = self._names.unique(metadata.name, metadata.conversation_id, ".json")
        path, time = f"{folder}/{name}", parse_time(metadata.updated_at)
        self._latest = max(self._latest, time)
        self._write(path, time, encode_in_pieces(conversation))
        self._lines.append(json_lines.encode_item(metadata.to_dict() | {"file_name": path}))

    def finish(self, index: UserIndex) -> None:
        head: dict[str, Any] = index.to_dict()
        del head["conversations"]
        pieces = json_lines.encode_in_pieces(head, "conversations", self._lines)
        self._write(_INDEX, self._latest, pieces)
        self._zip.close()

    def close(self) -> None:
        self._zip.close()

    def _write(self, path: str, time: datetime, pieces: Iterable[bytes]) -> None:
        entry = zipfile.ZipInfo(path, min(max(time, _EARLIEST), _LATEST).timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system, entry.external_attr = _UNIX, _OWNER_ONLY
        with self._zip.open(entry, "w") as target:
            for piece in pieces:
                target.write(piece)


def _oldest_first(metadata: ConversationMetadata) -> tuple[datetime, str]:
    return parse_time(metadata.created_at), metadata.conversation_id
