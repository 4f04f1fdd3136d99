"""How many answers run at once, of one person and in all; the others wait for theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Slots:
    def __init__(self, *, per_user: int, in_all: int) -> None:
        self._per_user = per_user
        self._in_all = asyncio.Semaphore(in_all)
        # One is kept for as long as somebody has it or waits for it.
        self._of_users: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, user_id: int) -> AsyncIterator[None]:
        """Wait for a slot of this person's, then for one of all, and hold both."""
        slots = self._of_users.get(user_id)
        if slots is None:
            slots = self._of_users[user_id] = asyncio.Semaphore(self._per_user)
        async with slots, self._in_all:
            yield
