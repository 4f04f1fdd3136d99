"""The default storage: one folder per user, one plain JSON file per chat."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .folders import Folders
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    Footprint,
    NameSource,
    SearchType,
    UserIndex,
)
from .search import SearchHit, Words
from .storage import UnlessActive
from .user_folder import UserFolder

_AT_A_GLANCE = 50  # chats whose files are looked at, or messages that are copied, in the loop


class JsonStorage:
    """Keeps chats under `root`, which one process at a time may own.

    A verb that returned has its bytes on the disk: `fsync` for the file and for the folder. Each
    verb is one synchronous function in one thread; see `turns` for what becomes of it when its
    caller is cancelled. Messages of one user that wait at the same time are written together. The
    index, which repeats what the chats say, follows them within half a second.

    With `journal` an added message is on the disk in a file that all users share, and in its
    chat's file within a quarter of a second, or after `flush` or `close`. Reading shows it at
    once. A folder with a journal that was left behind may be opened with it or without. Windows
    has not got what it takes; there all goes to the files at once.

    What was read is kept in memory, at most about `cache_bytes` of it, and is let go of when it
    was not used for `idle_seconds`. It is used only while the files are still the ones that were
    read, by their times and sizes; asking that takes a few microseconds, so that what is in
    memory is answered without a thread.

    Nothing is opened before the first call. Instances belong to one event loop.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        journal: bool = False,
        cache_bytes: int = 64 * 1024 * 1024,
        idle_seconds: float = 60,
    ) -> None:
        self._folders = Folders(
            Path(root), journal=journal, cache_bytes=cache_bytes, idle_seconds=idle_seconds
        )

    async def open(self) -> None:
        """Create `root` where it is missing, and take its lock, which dies with the process.

        :raises FolderInUseError: another process, or another instance, owns it.
        :raises StorageError: it cannot be created or written.
        """
        await self._folders.open()

    async def flush(self) -> None:
        """Bring all files up to date with what was acknowledged.

        :raises StorageError: some could not be written; it is tried again by and by.
        """
        await self._folders.flush()

    async def close(self) -> None:
        """Wait for the writes that are under way, bring all up to date, and release the folder."""
        await self._folders.close()

    async def read_index(self, user_id: int) -> UserIndex:
        return await self._folders.look(
            user_id, UserFolder.read_index, lambda folder: folder.glance_at_index(_AT_A_GLANCE)
        )

    async def read_metadata(
        self, user_id: int, conversation_id: str | None
    ) -> ConversationMetadata | None:
        return await self._folders.look(
            user_id,
            lambda folder: folder.read_metadata(conversation_id),
            lambda folder: folder.glance_at_metadata(conversation_id),
        )

    async def load(
        self, user_id: int, conversation_id: str, *, include_deleted: bool = False
    ) -> Conversation | None:
        return await self._folders.look(
            user_id, lambda folder: folder.load(conversation_id, include_deleted=include_deleted)
        )

    async def read_last(
        self, user_id: int, conversation_id: str, limit: int
    ) -> list[ConversationMessage]:
        return await self._folders.look(
            user_id,
            lambda folder: folder.read_last(conversation_id, limit),
            lambda folder: (
                folder.glance_at_last(conversation_id, limit) if limit <= _AT_A_GLANCE else None
            ),
        )

    async def search(self, user_id: int, words: Words, limit: int) -> list[SearchHit]:
        return await self._folders.on_files(user_id, lambda folder: folder.search(words, limit))

    async def find_message(
        self,
        user_id: int,
        message_id: int,
        *,
        dialog_id: int | None = None,
        sent_at: datetime | None = None,
    ) -> SearchHit | None:
        return await self._folders.on_files(
            user_id,
            lambda folder: folder.find_message(message_id, dialog_id=dialog_id, sent_at=sent_at),
        )

    async def fork(
        self,
        user_id: int,
        conversation_id: str,
        fork: ConversationMetadata,
        *,
        up_to_message_id: int | None = None,
    ) -> bool:
        return await self._folders.change(
            user_id,
            lambda folder: folder.creating.fork(
                conversation_id, fork, up_to_message_id=up_to_message_id
            ),
        )

    async def remove_last_exchange(
        self, user_id: int, conversation_id: str
    ) -> list[ConversationMessage]:
        return await self._folders.change(
            user_id, lambda folder: folder.adding.remove_last_exchange(conversation_id)
        )

    async def create(
        self, metadata: ConversationMetadata, *, unless_active: UnlessActive | None = None
    ) -> str:
        return await self._folders.change(
            metadata.user_id,
            lambda folder: folder.creating.create(metadata, unless_active=unless_active),
        )

    async def save(self, conversation: Conversation) -> bool:
        user_id = conversation.metadata.user_id
        return await self._folders.change(
            user_id, lambda folder: folder.creating.save(conversation)
        )

    async def add(self, user_id: int, conversations: Sequence[Conversation]) -> None:
        await self._folders.change(user_id, lambda folder: folder.creating.add(conversations))

    async def append(
        self,
        user_id: int,
        conversation_id: str,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None = None,
        include_deleted: bool = False,
    ) -> bool:
        result: bool = await self._folders.add(
            user_id,
            lambda folder: folder.adding.append(
                conversation_id,
                message,
                updated_at=updated_at,
                first_name=first_name,
                include_deleted=include_deleted,
            ),
            lambda folder: folder.adding.append_in_memory(
                conversation_id, message, updated_at=updated_at, first_name=first_name
            ),
        )
        return result

    async def append_to_active(
        self,
        fallback: ConversationMetadata,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None = None,
    ) -> ConversationMetadata:
        result: ConversationMetadata = await self._folders.add(
            fallback.user_id,
            lambda folder: folder.adding.append_to_active(
                fallback, message, updated_at=updated_at, first_name=first_name
            ),
            lambda folder: folder.adding.append_to_active_in_memory(
                message, updated_at=updated_at, first_name=first_name
            ),
        )
        return result

    async def replace(
        self,
        user_id: int,
        conversation_id: str,
        old: ConversationMessage,
        new: ConversationMessage,
        *,
        include_deleted: bool = False,
    ) -> bool:
        return await self._folders.change(
            user_id,
            lambda folder: folder.adding.replace(
                conversation_id, old, new, include_deleted=include_deleted
            ),
            index_follows=True,
        )

    async def rename(
        self, user_id: int, conversation_id: str, name: str, source: NameSource
    ) -> bool:
        return await self._folders.change(
            user_id, lambda folder: folder.rename(conversation_id, name, source)
        )

    async def set_mode(self, user_id: int, conversation_id: str, mode: SearchType) -> bool:
        return await self._folders.change(
            user_id, lambda folder: folder.set_mode(conversation_id, mode)
        )

    async def pin(self, user_id: int, conversation_id: str, *, pinned: bool) -> bool:
        return await self._folders.change(
            user_id, lambda folder: folder.pin(conversation_id, pinned=pinned)
        )

    async def activate(self, user_id: int, conversation_id: str) -> bool:
        return await self._folders.change(user_id, lambda folder: folder.activate(conversation_id))

    async def delete(
        self,
        user_id: int,
        conversation_id: str,
        *,
        deleted_at: str,
        successor: ConversationMetadata,
    ) -> bool:
        return await self._folders.change(
            user_id,
            lambda folder: folder.delete(
                conversation_id, deleted_at=deleted_at, successor=successor
            ),
        )

    async def restore(self, user_id: int, conversation_id: str, *, activate: bool) -> bool:
        return await self._folders.change(
            user_id, lambda folder: folder.restore(conversation_id, activate=activate)
        )

    async def read_trash(self, user_id: int) -> list[ConversationMetadata]:
        return await self._folders.look(user_id, UserFolder.read_trash, UserFolder.glance_at_trash)

    async def purge(self, user_id: int, *, deleted_before: str | None = None) -> int:
        return await self._folders.change(
            user_id, lambda folder: folder.purge(deleted_before=deleted_before)
        )

    async def keep_file(self, user_id: int, name: str, data: bytes) -> str:
        return await self._folders.change(user_id, lambda folder: folder.keep_file(name, data))

    async def take_damage(self, user_id: int) -> int:
        count = UserFolder.count_damage
        if not await self._folders.look(user_id, count, count):
            return 0  # as nearly always; and a disk that cannot be written can still be read
        return await self._folders.change(user_id, UserFolder.take_damage)

    async def set_instructions(
        self, user_id: int, conversation_id: str, instructions: str
    ) -> bool:
        return await self._folders.change(
            user_id, lambda folder: folder.set_instructions(conversation_id, instructions)
        )

    async def read_settings(self, user_id: int) -> dict[str, Any]:
        return await self._folders.look(
            user_id, UserFolder.read_settings, UserFolder.read_settings
        )

    async def update_settings(self, user_id: int, changes: Mapping[str, Any]) -> None:
        await self._folders.change(user_id, lambda folder: folder.update_settings(changes))

    async def measure(self, user_id: int) -> Footprint:
        return await self._folders.on_files(user_id, UserFolder.measure)

    async def erase(self, user_id: int) -> Footprint:
        return await self._folders.erase(user_id)
