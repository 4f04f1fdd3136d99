"""The bot's queue of updates and its long poll."""

import asyncio
import copy
import logging
import time
from collections import deque
from collections.abc import Callable, Container
from typing import Any, Final

from .errors import BotApiError

logger = logging.getLogger(__name__)

Update = dict[str, Any]

_MAX_PENDING: Final = 1000
_MAX_LIMIT: Final = 100
_MAX_TIMEOUT: Final = 50
# Telegram sends these only to bots that name them in allowed_updates.
_ONLY_ON_DEMAND: Final = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
_CONFLICT: Final = (
    "terminated by other getUpdates request; make sure that only one bot instance is running"
)


class Updates:
    """Updates wait here until the bot confirms them by asking for a later ``offset``."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._pending: deque[Update] = deque()
        self._next_id = int(time.time())  # so that a new playground does not repeat an old one's
        self._poll: asyncio.Future[bool] | None = None
        self._closed = False
        self._pushed = asyncio.Event()
        self.allowed: list[str] = []

    def __len__(self) -> int:
        return len(self._pending)

    def push(self, kind: str, payload: dict[str, Any]) -> None:
        """Queues an update as it is now; kinds that the bot does not want are dropped."""
        if kind not in self.allowed if self.allowed else kind in _ONLY_ON_DEMAND:
            return
        if len(self._pending) >= _MAX_PENDING:
            logger.warning("nobody takes the updates: the oldest of %d is dropped", _MAX_PENDING)
            self._pending.popleft()
        self._pending.append({"update_id": self._next_id, kind: copy.deepcopy(payload)})
        self._next_id += 1
        self._pushed.set()
        self._changed()
        self._end_poll(conflict=False)

    async def get(self, offset: int, limit: int, seconds: int) -> list[Update]:
        """A batch, at once or as soon as there is something, at most ``seconds`` later.

        A later call ends an earlier one that still waits with a Conflict.
        """
        self._end_poll(conflict=True)
        self._confirm(offset)
        if not self._pending and seconds > 0 and not self._closed:
            await self._wait(min(seconds, _MAX_TIMEOUT))
        return list(self._pending)[: min(max(limit, 1), _MAX_LIMIT)]

    async def others_than(self, known: Container[int]) -> list[Update]:
        """Waits until there are updates that are not ``known``, and gives them, oldest first."""
        while True:
            others = [update for update in self._pending if update["update_id"] not in known]
            if others:
                return others
            self._pushed.clear()
            await self._pushed.wait()

    def take_away(self, update_id: int) -> None:
        self._pending = deque(u for u in self._pending if u["update_id"] != update_id)
        self._changed()

    def drop(self) -> None:
        self._pending.clear()
        self._changed()

    def close(self) -> None:
        """Ends the waiting poll, and lets none wait any more."""
        self._closed = True
        self._end_poll(conflict=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "pending": list(self._pending),
            "next_id": self._next_id,
            "allowed": self.allowed,
        }

    def restore(self, data: dict[str, Any]) -> None:
        self._pending = deque(data["pending"])
        self._next_id = int(data["next_id"])
        self.allowed = list(data["allowed"])

    def _confirm(self, offset: int) -> None:
        before = len(self._pending)
        if offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
        else:
            while self._pending and self._pending[0]["update_id"] < offset:
                self._pending.popleft()
        if len(self._pending) != before:
            self._changed()

    async def _wait(self, seconds: float) -> None:
        poll = self._poll = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                conflict = await poll
        except TimeoutError:
            return
        finally:
            if self._poll is poll:
                self._poll = None
        if conflict:
            raise BotApiError(_CONFLICT, code=409)

    def _end_poll(self, *, conflict: bool) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(conflict)
        self._poll = None
