"""A lock whose waiters have numbers: the lowest goes next."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turn:
    """Lets one task at a time do something, in the order of the numbers that wait."""

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._places = itertools.count()  # of equal numbers, the one that came first

    @asynccontextmanager
    async def of(self, number: int) -> AsyncIterator[None]:
        await self._take(number)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, number: int) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        ready = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (number, next(self._places), ready))
        try:
            await ready
        except asyncio.CancelledError:
            if not ready.cancelled():  # it was given the turn, and does not take it
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, ready = heapq.heappop(self._waiting)
            if not ready.done():
                ready.set_result(None)
                return
        self._is_taken = False
