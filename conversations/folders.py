"""The folders of all users: a verb is done on one of them, in a thread or from memory.

Here it is decided when that is, what has to be durable before and after it, and what is kept in
memory. All of it runs in one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
from .models import Footprint
from .ownership import Ownership
from .turns import Turns
from .user_folder import UserFolder

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_THREADS = 32


class Folders:
    """What the arguments mean, and what `open`, `flush` and `close` do, `JsonStorage` says."""

    def __init__(
        self, root: Path, *, journal: bool, cache_bytes: int, idle_seconds: float
    ) -> None:
        self._root = root
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
        if journal and not hasattr(os, "pwrite"):
            logger.warning("no journal is written on this system; all goes to the files at once")
            journal = False
        self._journaling = Journaling(self._journal, self._cache) if journal else None
        self._was_used = False
        self._is_begun = False
        self._is_closed = False

    async def open(self) -> None:
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
        for user_id in self._journal.users():
            self._behind.add(user_id)
        await self._behind.catch_up()

    async def close(self) -> None:
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

    async def look(
        self,
        user_id: int,
        verb: Callable[[UserFolder], _Result],
        glance: Callable[[UserFolder], _Result | None] = lambda _: None,
    ) -> _Result:
        """Read from memory, and show nothing that may be gone after a power cut."""
        while True:
            failures = self._journal.failures
            result = self.at_a_glance(user_id, glance)
            if result is None:
                result = await self._do(user_id, verb)
            is_durable = self._journaling is None or await self._journal.shown(user_id)
            if is_durable and failures == self._journal.failures:
                return result

    async def add(
        self, user_id: int, verb: Callable[[UserFolder], _Result], in_memory: InMemory
    ) -> Any:
        """Add to a chat: to the journal, where all it takes is in memory, or else to its file."""
        self._behind.add(user_id)
        if self._journaling is None:
            return await self._do(user_id, verb, Kind.ADD)
        at_once = partial(self._journaling.add, user_id, in_memory)
        result = self._turns.at_once(user_id, at_once)
        if result is None:
            result = await self._do(user_id, verb, Kind.ADD, at_once)
        return await self._journaling.result_of(result)

    async def on_files(self, user_id: int, verb: Callable[[UserFolder], _Result]) -> _Result:
        """Run a verb that reads the files of chats, which have to be up to date."""
        return await self._do(user_id, verb, Kind.FILES)

    async def change(
        self,
        user_id: int,
        verb: Callable[[UserFolder], _Result],
        *,
        index_follows: bool = False,
    ) -> _Result:
        """Run a verb whose answer is a promise, also where it finds nothing to do.

        With `index_follows` it is one that leaves the index to be written later.
        """
        if index_follows:
            self._behind.add(user_id)
        return await self._do(user_id, verb, Kind.CHANGE)

    def at_a_glance(
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

    async def erase(self, user_id: int) -> Footprint:
        """Remove a user's folder, and what the journal holds of it."""
        footprint = await self._do(user_id, UserFolder.erase, Kind.ERASE)
        await self._clear_journal()
        return footprint

    async def _do(
        self,
        user_id: int,
        verb: Callable[[UserFolder], _Result],
        kind: Kind = Kind.LOOK,
        at_once: Callable[[], Any] | None = None,
    ) -> _Result:
        """Run one verb on a user's folder, alone with it, in a thread."""
        self._was_used |= not self._is_closed
        try:
            result: _Result = await self._turns.take(
                user_id, Verb(verb, kind), joins=kind is Kind.ADD, at_once=at_once
            )
        finally:  # only now it is kept, and what is in use is not among what can be let go of
            if self._idle is None and not self._is_closed:
                self._let_go_later()
        if not self._is_begun:
            self._is_begun = True
            for left_behind in self._journal.users():
                self._behind.add(left_behind)
        return result

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
        if len(self._cache) or self._turns.is_working:  # what is in use comes back to the cache
            self._threads.submit(self._cache.drop_unused)
            self._let_go_later()

    def _let_go(self) -> None:
        self._journal.close()
        self._cache.clear()
        self._ownership.let_go()
