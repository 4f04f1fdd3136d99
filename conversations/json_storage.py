"""The default storage: one folder per user, one plain JSON file per chat."""

from __future__ import annotations

import asyncio
import os
from asyncio import FIRST_COMPLETED
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from aiofiles.os import wrap
from filelock import FileLock, Timeout

from .durable import make_folder
from .erasing import finish_erasing
from .errors import FolderInUseError, StorageClosedError, StorageError
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

_Result = TypeVar("_Result")

_LOCK_NAME = ".lock"
_THREADS = 32


class JsonStorage:
    """Keeps chats under `root`, which one process at a time may own.

    A verb that returned has its bytes on the disk: `fsync` for the file and for the folder. Each
    verb is one synchronous function in one thread; the user's lock is held until that thread is
    done, also when the caller was cancelled, so that an older write never lands on a newer one.
    Locks live only while somebody waits for them, and what is kept in memory is bounded by
    `cache_bytes`, whatever the number of users.

    Nothing is opened before the first call. Instances belong to one event loop.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, cache_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self._root = Path(root)
        self._cache_bytes = cache_bytes
        self._cached_bytes = 0
        self._folders: OrderedDict[int, tuple[UserFolder, int]] = OrderedDict()
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._opening = asyncio.Lock()
        # Of our own: a thread waits for the disk most of its time, so that there may be many, and
        # nobody else's work waits behind ours. None is started before there is something to do.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="conversations")
        self._owner: FileLock | None = None
        self._running: set[asyncio.Future[Any]] = set()
        self._closed = False

    async def open(self) -> None:
        """Create `root` where it is missing, and take its lock, which dies with the process.

        :raises FolderInUseError: another process, or another instance, owns it.
        :raises StorageError: it cannot be created or written.
        """
        async with self._opening:
            if self._closed:
                raise StorageClosedError("the storage is closed")
            if self._owner is None:
                await self._in_thread(self._take_ownership)

    async def close(self) -> None:
        """Wait for the writes that are under way, and release the folder."""
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)
        async with self._opening:
            if self._owner is not None:
                self._owner.release()
                self._owner = None
        self._folders.clear()
        self._threads.shutdown(wait=False)

    async def read_index(self, user_id: int) -> UserIndex:
        return await self._do(user_id, UserFolder.read_index)

    async def load(
        self, user_id: int, conversation_id: str, *, include_deleted: bool = False
    ) -> Conversation | None:
        return await self._do(
            user_id, lambda folder: folder.load(conversation_id, include_deleted=include_deleted)
        )

    async def read_last(
        self, user_id: int, conversation_id: str, limit: int
    ) -> list[ConversationMessage]:
        return await self._do(user_id, lambda folder: folder.read_last(conversation_id, limit))

    async def search(self, user_id: int, words: Words, limit: int) -> list[SearchHit]:
        return await self._do(user_id, lambda folder: folder.search(words, limit))

    async def find_message(
        self,
        user_id: int,
        message_id: int,
        *,
        dialog_id: int | None = None,
        sent_at: datetime | None = None,
    ) -> SearchHit | None:
        return await self._do(
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
        return await self._do(
            user_id,
            lambda folder: folder.fork(conversation_id, fork, up_to_message_id=up_to_message_id),
        )

    async def remove_last_exchange(
        self, user_id: int, conversation_id: str
    ) -> list[ConversationMessage]:
        return await self._do(user_id, lambda folder: folder.remove_last_exchange(conversation_id))

    async def create(
        self, metadata: ConversationMetadata, *, unless_active: UnlessActive | None = None
    ) -> str:
        return await self._change(
            metadata.user_id, lambda folder: folder.create(metadata, unless_active=unless_active)
        )

    async def save(self, conversation: Conversation) -> bool:
        user_id = conversation.metadata.user_id
        return await self._change(user_id, lambda folder: folder.save(conversation))

    async def add(self, user_id: int, conversations: Sequence[Conversation]) -> None:
        await self._change(user_id, lambda folder: folder.add(conversations))

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
        return await self._change(
            user_id,
            lambda folder: folder.append(
                conversation_id,
                message,
                updated_at=updated_at,
                first_name=first_name,
                include_deleted=include_deleted,
            ),
        )

    async def append_to_active(
        self,
        fallback: ConversationMetadata,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None = None,
    ) -> ConversationMetadata:
        return await self._change(
            fallback.user_id,
            lambda folder: folder.append_to_active(
                fallback, message, updated_at=updated_at, first_name=first_name
            ),
        )

    async def replace(
        self,
        user_id: int,
        conversation_id: str,
        old: ConversationMessage,
        new: ConversationMessage,
        *,
        include_deleted: bool = False,
    ) -> bool:
        return await self._change(
            user_id,
            lambda folder: folder.replace(
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
        return await self._do(user_id, UserFolder.read_trash)

    async def purge(self, user_id: int, *, deleted_before: str | None = None) -> int:
        return await self._change(
            user_id, lambda folder: folder.purge(deleted_before=deleted_before)
        )

    async def keep_file(self, user_id: int, name: str, data: bytes) -> str:
        return await self._change(user_id, lambda folder: folder.keep_file(name, data))

    async def take_damage(self, user_id: int) -> int:
        return await self._change(user_id, UserFolder.take_damage)

    async def _change(self, user_id: int, verb: Callable[[UserFolder], _Result]) -> _Result:
        """Run a verb whose answer is a promise, also where it finds nothing to do."""

        def settled(folder: UserFolder) -> _Result:
            folder.settle()
            return verb(folder)

        return await self._do(user_id, settled)

    async def set_instructions(
        self, user_id: int, conversation_id: str, instructions: str
    ) -> bool:
        return await self._change(
            user_id, lambda folder: folder.set_instructions(conversation_id, instructions)
        )

    async def read_settings(self, user_id: int) -> dict[str, Any]:
        return await self._do(user_id, UserFolder.read_settings)

    async def update_settings(self, user_id: int, changes: Mapping[str, Any]) -> None:
        await self._change(user_id, lambda folder: folder.update_settings(changes))

    async def measure(self, user_id: int) -> Footprint:
        return await self._do(user_id, UserFolder.measure)

    async def erase(self, user_id: int) -> Footprint:
        return await self._do(user_id, UserFolder.erase)

    async def _do(self, user_id: int, verb: Callable[[UserFolder], _Result]) -> _Result:
        """Run one verb on a user's folder, alone with it, in a thread."""
        lock = self._locks.get(user_id)
        if lock is None:
            lock = self._locks[user_id] = asyncio.Lock()
        async with lock:
            if self._owner is None:  # in here, so that who came first goes first
                await self.open()
            if self._closed:
                raise StorageClosedError("the storage is closed")
            # Taken out while it is used: whatever fails, the next verb reads the disk afresh.
            folder, size = self._folders.pop(user_id, (None, 0))
            self._cached_bytes -= size
            opened, result = await self._in_thread(
                partial(_run, folder, self._root, user_id, verb)
            )
            self._keep(user_id, opened)
            return result

    def _take_ownership(self) -> None:
        """Keep the lock in `self` from inside the thread: the caller may be cancelled."""
        make_folder(self._root)
        lock = FileLock(self._root / _LOCK_NAME, mode=0o600, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise FolderInUseError(self._root) from error
        self._owner = lock
        finish_erasing(self._root)

    async def _in_thread(self, function: Callable[[], _Result]) -> _Result:
        """Call a blocking function and, even when cancelled, return only after it has.

        A loop that shuts down cancels the hop as well; the thread then still runs to its end.
        """
        outcome: Future[_Result] = Future()
        done: asyncio.Future[Any] = asyncio.wrap_future(outcome)
        self._running.add(done)
        done.add_done_callback(self._running.discard)
        hop: asyncio.Future[Any] = asyncio.ensure_future(
            _settle_in_thread(outcome, function, executor=self._threads)
        )
        cancelled: asyncio.CancelledError | None = None
        while not done.done():
            try:
                waited = [done] if hop.done() else [done, hop]
                await asyncio.wait(waited, return_when=FIRST_COMPLETED)
            except asyncio.CancelledError as error:
                cancelled = error
            if hop.done():
                outcome.cancel()  # has an effect only where the thread never began
        if not done.cancelled():
            done.exception()  # seen, so that nobody warns of it
        if cancelled is not None:
            raise cancelled
        if outcome.cancelled():
            hop.result()  # raises what kept the thread from beginning
        try:
            return outcome.result()
        except OSError as error:
            raise StorageError(_in_words(error)) from error

    def _keep(self, user_id: int, folder: UserFolder) -> None:
        size = folder.cached_bytes
        self._folders[user_id] = folder, size
        self._cached_bytes += size
        while self._cached_bytes > self._cache_bytes:
            _, (_, size) = self._folders.popitem(last=False)
            self._cached_bytes -= size


def _run(
    folder: UserFolder | None, root: Path, user_id: int, verb: Callable[[UserFolder], _Result]
) -> tuple[UserFolder, _Result]:
    opened = folder if folder and folder.is_current() else UserFolder(root, user_id)
    return opened, verb(opened)


def _in_words(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror


def _settle(outcome: Future[_Result], function: Callable[[], _Result]) -> None:
    if outcome.set_running_or_notify_cancel():
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is raised where the outcome is awaited
            outcome.set_exception(error)


_settle_in_thread = wrap(_settle)
