"""Saying the same to the same person seldom, however often they give cause."""

from __future__ import annotations

import time
from collections.abc import Callable

_REMEMBERED = 10_000  # persons


class Throttle:
    """Lets something through for each person once in so many seconds, by a clock of its own."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last: dict[int, float] = {}  # oldest first

    def allows(self, user_id: int) -> bool:
        now = self._clock()
        last = self._last.get(user_id)
        if last is not None and now - last < self._seconds:
            return False
        self._last.pop(user_id, None)
        if len(self._last) >= _REMEMBERED:
            del self._last[next(iter(self._last))]
        self._last[user_id] = now
        return True
