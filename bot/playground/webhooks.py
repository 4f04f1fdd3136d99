"""Updates brought to a bot's webhook, as Telegram does it: side by side, until each is taken."""

import asyncio
import contextlib
import logging
from typing import Any, Final

import aiohttp

from .updates import Update, Updates

logger = logging.getLogger(__name__)

_SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - it names the header
_DEFAULT_CONNECTIONS: Final = 40
_PAUSE: Final = 0.2  # seconds until an update that was not taken is brought again
_PATIENCE: Final = aiohttp.ClientTimeout(total=60)


class Webhooks:
    """Brings what waits in ``updates`` to one address, each update until it is taken."""

    def __init__(self, updates: Updates) -> None:
        self._updates = updates
        self._task: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self, url: str, secret: str | None, connections: int | None) -> None:
        await self.stop()
        self.url = url
        headers = {_SECRET_HEADER: secret} if secret else {}
        bringing = self._bring_all(headers, connections or _DEFAULT_CONNECTIONS)
        self._task = asyncio.create_task(bringing, name="playground webhook")

    async def stop(self) -> None:
        self.url = ""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _bring_all(self, headers: dict[str, str], connections: int) -> None:
        slots = asyncio.Semaphore(connections)
        under_way: set[int] = set()
        async with (
            aiohttp.ClientSession(headers=headers, timeout=_PATIENCE) as http,
            asyncio.TaskGroup() as tasks,
        ):

            async def bring(update: Update) -> None:
                try:
                    while not await self._is_taken(http, update):  # noqa: ASYNC110
                        await asyncio.sleep(_PAUSE)
                    self._updates.take_away(update["update_id"])
                finally:
                    under_way.discard(update["update_id"])
                    slots.release()

            while True:
                for update in await self._updates.others_than(under_way):
                    await slots.acquire()
                    under_way.add(update["update_id"])
                    tasks.create_task(bring(update))

    async def _is_taken(self, http: aiohttp.ClientSession, update: dict[str, Any]) -> bool:
        try:
            async with http.post(self.url, json=update) as response:
                if response.ok:
                    return True
                logger.info("the webhook answered %d", response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            logger.info("the webhook cannot be reached: %s", type(error).__name__)
        return False
