"""The default storage: one folder per user, one plain JSON file per chat."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from aiofiles.os import wrap

from .behind import Behind
from .erasing import finish_erasing
from .errors import StorageClosedError, StorageError
from .folder_cache import FolderCache
from .folder_work import BEHIND, FolderWork, Kind, Verb, in_words
from .journal import Journal
from .journaling import InMemory, Journaling
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    Footprint,
    NameSource,
    SearchType,
    UserIndex,
)
from .ownership import Ownership
from .search import SearchHit, Words
from .storage import UnlessActive
from .turns import Turns
from .user_folder import UserFolder

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_THREADS = 32
_AT_A_GLANCE = 50  # chats whose files are looked at, or messages that are copied, in the loop


class JsonStorage:
    """Keeps chats under `root`, which one process at a time may own.

    A verb that returned has its bytes on the disk: `fsync` for the file and for the folder. Each
    verb is one synchronous function in one thread; see `turns` for what becomes of it when its
    caller is cancelled. Messages of one user that wait at the same time are written together. The
    index, which repeats what the chats say, follows them within a quarter of a second.

    With `journal` an added message is on the disk in a file that all users share, and in its
    chat's file within a quarter of a second, or after `flush` or `close`. Reading shows it at
    once. A folder with a journal that was left behind may be opened with it or without.

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
        self._root = Path(root)
        self._cache = FolderCache(cache_bytes)
        self._idle_seconds = idle_seconds
        self._idle: asyncio.TimerHandle | None = None
        self._journal = Journal(self._root)
        self._ownership = Ownership(self._root, self._begin)
        # Of our own: a thread waits for the disk most of its time, so that there may be many, and
        # nobody else's work waits behind ours. None is started before there is something to do.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="conversations")
        self._work = FolderWork(self._root, self._ownership, self._cache, self._journal)
        self._turns: Turns[Verb] = Turns(self._threads, self._work.run)
        self._behind = Behind(self._turns, self._tidy)
        self._journaling = Journaling(self._journal, self._cache) if journal else None
        self._was_used = False
        self._is_begun = False
        self._is_closed = False

    async def open(self) -> None:
        """Create `root` where it is missing, and take its lock, which dies with the process.

        :raises FolderInUseError: another process, or another instance, owns it.
        :raises StorageError: it cannot be created or written.
        """
        if self._is_closed:
            raise StorageClosedError("the storage is closed")
        self._was_used = True
        try:
            await wrap(self._ownership.take)(executor=self._threads)
        except OSError as error:
            raise StorageError(in_words(error)) from error
        self._is_begun = True
        if not self._journal.is_empty:
            try:
                await self.flush()
            except StorageError as error:
                logger.warning("what the journal holds cannot be written now: %s", error)

    async def flush(self) -> None:
        """Bring all files up to date with what was acknowledged.

        :raises StorageError: some could not be written; it is tried again by and by.
        """
        for user_id in self._journal.users():
            self._behind.add(user_id)
        await self._behind.catch_up()

    async def close(self) -> None:
        """Wait for the writes that are under way, bring all up to date, and release the folder."""
        self._is_closed = True
        await self._turns.close()
        left = await self._behind.close()
        if self._idle is not None:
            self._idle.cancel()
        if self._was_used:
            self._was_used = False
            await wrap(self._journal.finish)(executor=self._threads)
            run = wrap(self._work.run)
            users = left.union(self._journal.users())
            await asyncio.gather(*(run(u, [BEHIND], executor=self._threads) for u in users))
            await wrap(self._let_go)(executor=self._threads)
            self._threads.shutdown(wait=False)

    async def read_index(self, user_id: int) -> UserIndex:
        return await self._look(
            user_id, UserFolder.read_index, lambda folder: folder.glance_at_index(_AT_A_GLANCE)
        )

    async def load(
        self, user_id: int, conversation_id: str, *, include_deleted: bool = False
    ) -> Conversation | None:
        return await self._look(
            user_id, lambda folder: folder.load(conversation_id, include_deleted=include_deleted)
        )

    async def read_last(
        self, user_id: int, conversation_id: str, limit: int
    ) -> list[ConversationMessage]:
        return await self._look(
            user_id,
            lambda folder: folder.read_last(conversation_id, limit),
            lambda folder: (
                folder.glance_at_last(conversation_id, limit) if limit <= _AT_A_GLANCE else None
            ),
        )

    async def search(self, user_id: int, words: Words, limit: int) -> list[SearchHit]:
        return await self._on_files(user_id, lambda folder: folder.search(words, limit))

    async def find_message(
        self,
        user_id: int,
        message_id: int,
        *,
        dialog_id: int | None = None,
        sent_at: datetime | None = None,
    ) -> SearchHit | None:
        return await self._on_files(
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
        return await self._change(
            user_id,
            lambda folder: folder.creating.fork(
                conversation_id, fork, up_to_message_id=up_to_message_id
            ),
        )

    async def remove_last_exchange(
        self, user_id: int, conversation_id: str
    ) -> list[ConversationMessage]:
        return await self._change(
            user_id, lambda folder: folder.adding.remove_last_exchange(conversation_id)
        )

    async def create(
        self, metadata: ConversationMetadata, *, unless_active: UnlessActive | None = None
    ) -> str:
        return await self._change(
            metadata.user_id,
            lambda folder: folder.creating.create(metadata, unless_active=unless_active),
        )

    async def save(self, conversation: Conversation) -> bool:
        user_id = conversation.metadata.user_id
        return await self._change(user_id, lambda folder: folder.creating.save(conversation))

    async def add(self, user_id: int, conversations: Sequence[Conversation]) -> None:
        await self._change(user_id, lambda folder: folder.creating.add(conversations))

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
        result: bool = await self._add(
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
        result: ConversationMetadata = await self._add(
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
        self._behind.add(user_id)
        return await self._change(
            user_id,
            lambda folder: folder.adding.replace(
                conversation_id, old, new, include_deleted=include_deleted
            ),
        )

    async def rename(
        self, user_id: int, conversation_id: str, name: str, source: NameSource
    ) -> bool:
        return await self._change(
            user_id, lambda folder: folder.rename(conversation_id, name, source)
        )

    async def set_mode(self, user_id: int, conversation_id: str, mode: SearchType) -> bool:
        return await self._change(user_id, lambda folder: folder.set_mode(conversation_id, mode))

    async def pin(self, user_id: int, conversation_id: str, *, pinned: bool) -> bool:
        return await self._change(
            user_id, lambda folder: folder.pin(conversation_id, pinned=pinned)
        )

    async def activate(self, user_id: int, conversation_id: str) -> bool:
        return await self._change(user_id, lambda folder: folder.activate(conversation_id))

    async def delete(
        self,
        user_id: int,
        conversation_id: str,
        *,
        deleted_at: str,
        successor: ConversationMetadata,
    ) -> bool:
        return await self._change(
            user_id,
            lambda folder: folder.delete(
                conversation_id, deleted_at=deleted_at, successor=successor
            ),
        )

    async def restore(self, user_id: int, conversation_id: str, *, activate: bool) -> bool:
        return await self._change(
            user_id, lambda folder: folder.restore(conversation_id, activate=activate)
        )

    async def read_trash(self, user_id: int) -> list[ConversationMetadata]:
        return await self._look(user_id, UserFolder.read_trash)

    async def purge(self, user_id: int, *, deleted_before: str | None = None) -> int:
        return await self._change(
            user_id, lambda folder: folder.purge(deleted_before=deleted_before)
        )

    async def keep_file(self, user_id: int, name: str, data: bytes) -> str:
        return await self._change(user_id, lambda folder: folder.keep_file(name, data))

    async def take_damage(self, user_id: int) -> int:
        if self._at_a_glance(user_id, UserFolder.has_no_damage):
            return 0
        return await self._change(user_id, UserFolder.take_damage)

    async def set_instructions(
        self, user_id: int, conversation_id: str, instructions: str
    ) -> bool:
        return await self._change(
            user_id, lambda folder: folder.set_instructions(conversation_id, instructions)
        )

    async def read_settings(self, user_id: int) -> dict[str, Any]:
        return await self._look(user_id, UserFolder.read_settings, UserFolder.read_settings)

    async def update_settings(self, user_id: int, changes: Mapping[str, Any]) -> None:
        await self._change(user_id, lambda folder: folder.update_settings(changes))

    async def measure(self, user_id: int) -> Footprint:
        return await self._on_files(user_id, UserFolder.measure)

    async def erase(self, user_id: int) -> Footprint:
        footprint = await self._do(user_id, UserFolder.erase, Kind.ERASE)
        await self._clear_journal()
        return footprint

    async def _look(
        self,
        user_id: int,
        verb: Callable[[UserFolder], _Result],
        glance: Callable[[UserFolder], _Result | None] = lambda _: None,
    ) -> _Result:
        """Read from memory, and show nothing that may be gone after a power cut."""
        while True:
            failures = self._journal.failures
            result = self._at_a_glance(user_id, glance)
            if result is None:
                result = await self._do(user_id, verb)
            is_durable = self._journaling is None or await self._journal.shown(user_id)
            if is_durable and failures == self._journal.failures:
                return result

    async def _add(
        self, user_id: int, verb: Callable[[UserFolder], _Result], in_memory: InMemory
    ) -> Any:
        """Add to a chat: to the journal, where all it takes is in memory, or else to its file."""
        self._behind.add(user_id)
        if self._journaling is None:
            return await self._do(user_id, verb, Kind.ADD)
        at_once = partial(self._journaling.add, user_id, in_memory)
        result = await self._do(user_id, verb, Kind.ADD, at_once)
        return await self._journaling.result_of(result)

    async def _on_files(self, user_id: int, verb: Callable[[UserFolder], _Result]) -> _Result:
        """Run a verb that reads the files of chats, which have to be up to date."""
        return await self._do(user_id, verb, Kind.FILES)

    async def _change(self, user_id: int, verb: Callable[[UserFolder], _Result]) -> _Result:
        """Run a verb whose answer is a promise, also where it finds nothing to do."""
        return await self._do(user_id, verb, Kind.CHANGE)

    async def _do(
        self,
        user_id: int,
        verb: Callable[[UserFolder], _Result],
        kind: Kind = Kind.LOOK,
        at_once: Callable[[], Any] | None = None,
    ) -> _Result:
        """Run one verb on a user's folder, alone with it, in a thread."""
        if self._idle is None and not self._is_closed:
            self._was_used = True
            self._let_go_later()
        result: _Result = await self._turns.take(
            user_id, Verb(verb, kind), joins=kind is Kind.ADD, at_once=at_once
        )
        if not self._is_begun:
            self._is_begun = True
            for left_behind in self._journal.users():
                self._behind.add(left_behind)
        return result

    def _at_a_glance(
        self, user_id: int, look: Callable[[UserFolder], _Result | None]
    ) -> _Result | None:
        """Answer in the loop, from memory; None where nothing current is in it or at hand."""
        if self._is_closed or self._turns.is_busy(user_id) or self._journal.is_undone(user_id):
            return None
        folder = self._cache.look_at(user_id)
        try:
            return look(folder) if folder is not None and folder.is_current() else None
        except OSError:
            return None  # it is told by who reads the disk then

    async def _clear_journal(self) -> None:
        """Remove what stands in the journal, once all of it is in the files."""
        if self._journal.is_empty:
            return
        await wrap(self._journal.turn)(executor=self._threads)
        await self.flush()

    def _begin(self) -> None:
        """Go on where a process before was stopped."""
        finish_erasing(self._root)
        self._journal.load()

    async def _tidy(self) -> None:
        if not self._journal.is_empty:
            await wrap(self._journal.tidy)(executor=self._threads)

    def _let_go_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self._idle_seconds, self._let_go_of_unused)

    def _let_go_of_unused(self) -> None:
        self._idle = None
        if len(self._cache):
            self._threads.submit(self._cache.drop_unused)
            self._let_go_later()

    def _let_go(self) -> None:
        self._journal.close()
        self._cache.clear()
        self._ownership.let_go()
