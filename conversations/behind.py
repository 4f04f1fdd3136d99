"""What nobody waits for: files that follow what was acknowledged, a quarter of a second later.

First the chats that have changed in memory; the index when their user adds nothing any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from .errors import StorageClosedError, StorageError
from .folder_work import BEHIND, CHATS, Verb
from .turns import Turns

logger = logging.getLogger(__name__)

_DELAY = 0.25  # seconds
_AFTER_AN_ERROR = 5.0
_AT_ONCE = 4  # users; others want to write meanwhile
_IN_A_HURRY = 16


class Behind:
    def __init__(self, turns: Turns[Verb], tidy: Callable[[], Awaitable[None]]) -> None:
        """`tidy` is called when a number of users were brought up to date."""
        self._turns = turns
        self._tidy = tidy
        self.delay = _DELAY
        self._users: set[int] = set()
        self._indexes: set[int] = set()  # of whom only the index is left to be written
        self._timer: asyncio.TimerHandle | None = None
        self._working: asyncio.Task[None] | None = None
        self._is_closed = False

    def add(self, user_id: int) -> None:
        if self._is_closed:
            return
        self._users.add(user_id)
        if self._timer is None and self._working is None:
            self._wait(self.delay)

    async def catch_up(self) -> None:
        """Do it now for all.

        :raises StorageError: it failed for some; for those it is tried again later.
        """
        while self._working is not None:
            await asyncio.wait([self._working])
        await self._work(self._take(), BEHIND, at_once=_IN_A_HURRY)

    async def close(self) -> set[int]:
        """End; give those for whom it is not done."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._working is not None:
            await asyncio.wait([self._working])
        return self._take()

    def _wait(self, seconds: float) -> None:
        if not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _begin(self) -> None:
        self._timer = None
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work_quietly())

    def _take(self) -> set[int]:
        taken = self._users | self._indexes
        self._users, self._indexes = set(), set()
        return taken

    async def _work_quietly(self) -> None:
        delay = self.delay
        busy, quiet = self._users, self._indexes - self._users
        self._users, self._indexes = set(), set(busy)
        try:
            await self._work(busy, CHATS)
            await self._work(quiet, BEHIND)
        except StorageClosedError:
            self._users |= quiet
        except StorageError as error:
            delay = _AFTER_AN_ERROR
            self._users |= quiet
            logger.warning("cannot bring the files up to date now: %s", error)
        finally:
            self._working = None
        if self._users or self._indexes:
            self._wait(delay)

    async def _work(self, users: set[int], verb: Verb, *, at_once: int = _AT_ONCE) -> None:
        waiting, errors = iter(users), list[StorageError]()

        async def work() -> None:
            for user_id in waiting:
                try:
                    await self._turns.take(user_id, verb)
                except StorageError as error:
                    errors.append(error)
                    self._users.add(user_id)

        try:
            await asyncio.gather(*(work() for _ in range(min(at_once, len(users)))))
        finally:
            self._users.update(waiting)
        with contextlib.suppress(OSError):  # it is done the next time
            await self._tidy()
        if errors:
            raise errors[0]
