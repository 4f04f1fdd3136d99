"""The sign at a question that it waits for its turn: an ornament, for which nobody waits."""

from __future__ import annotations

import asyncio

from .delivery import Delivery
from .tasks import end_all

_AT_THE_END = 3  # seconds for what is still to be shown or taken away

_Place = tuple[int, int]  # a chat of Telegram's, a message in it


class Marks:
    """Shows signs and takes them away, at each message in the order of the calls."""

    def __init__(self) -> None:
        self._tasks: dict[_Place, asyncio.Task[None]] = {}

    def set(self, delivery: Delivery, chat_id: int, message_id: int, *, waiting: bool) -> None:
        place = (chat_id, message_id)
        before = self._tasks.get(place)
        task = asyncio.create_task(_set(delivery, message_id, before, waiting=waiting))
        self._tasks[place] = task

        def forget(done: asyncio.Task[None]) -> None:
            if self._tasks.get(place) is done:
                del self._tasks[place]

        task.add_done_callback(forget)

    async def close(self) -> None:
        """Let what is under way come to its end, but not for long."""
        await end_all(self._tasks.values(), _AT_THE_END)


async def _set(
    delivery: Delivery, message_id: int, before: asyncio.Task[None] | None, *, waiting: bool
) -> None:
    if before is not None:
        await asyncio.wait([before])
    await delivery.mark_waiting(message_id, waiting=waiting)
