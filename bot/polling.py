"""How updates come in by long polling, and how that ends without losing one."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.session.middlewares.base import (
    BaseRequestMiddleware,
    NextRequestMiddlewareType,
)
from aiogram.exceptions import AiogramError
from aiogram.methods import GetUpdates, Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Update

from .access import Access
from .inboxes import UpdateInbox
from .incoming import PATIENCE, Incoming, decode

logger = logging.getLogger(__name__)


class Batch(list[Update]):
    """Decoded updates, and as they came those that could be decoded.

    One that cannot is an empty one here, which moves the offset past it. Otherwise it would reject
    its whole batch, and be fetched again until it is a day old: aiogram issues 1587 and 1840.
    """

    def __init__(self, bot: Bot, raw: list[dict[str, Any]]) -> None:
        super().__init__()
        self.raw: list[dict[str, Any]] = []
        for item in raw:
            update = decode(bot, item)
            if update is not None:
                self.raw.append(item)
            self.append(update or Update(update_id=item["update_id"]))


class ResilientSession(AiohttpSession):
    """Gives updates as a `Batch`."""

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        if isinstance(method, GetUpdates):
            raw = self._read_updates(content)
            if raw is not None:
                return Response[Any].model_construct(ok=True, result=Batch(bot, raw))
        return super().check_response(bot, method, status_code, content)

    def _read_updates(self, content: str) -> list[dict[str, Any]] | None:
        """Read a list of updates; None where it is something else."""
        try:
            data = self.json_loads(content)
            if data["ok"] and all(isinstance(item["update_id"], int) for item in data["result"]):
                return list(data["result"])
        except (ValueError, TypeError, KeyError):
            pass
        return None


class Fetching(BaseRequestMiddleware):
    """Has every batch written down before the next request confirms it."""

    def __init__(self, dispatcher: Dispatcher, incoming: Incoming) -> None:
        self._dispatcher = dispatcher
        self._incoming = incoming
        self._has_begun = False

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Any:
        if not isinstance(method, GetUpdates):
            return await make_request(bot, method)
        request: Any = method
        if not self._has_begun:
            self._has_begun = True
            await self._incoming.attend(self._dispatcher, bot)
        await self._incoming.confirm()
        await self._incoming.may_fetch()
        updates = await make_request(bot, request)
        if isinstance(updates, Batch):
            await self._incoming.keep(updates.raw)
        return updates


async def poll(
    dispatcher: Dispatcher,
    bot: Bot,
    inbox: UpdateInbox,
    stopping: asyncio.Event,
    access: Access | None = None,
) -> None:
    """Poll until `stopping` is set; return when handlers are done and answers are stored.

    First what the last run left open is handled. The inbox is the caller's to open and close.
    """
    incoming = Incoming(inbox, access)
    dispatcher.update.outer_middleware(incoming)
    bot.session.middleware(Fetching(dispatcher, incoming))

    async def settle() -> None:
        await incoming.settle(PATIENCE)

    dispatcher.shutdown.register(settle)
    polling = asyncio.create_task(dispatcher.start_polling(bot, handle_signals=False))
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((polling, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not polling.done():
            await dispatcher.stop_polling()
        await polling
    finally:
        waiting.cancel()


async def leave_webhook(bot: Bot) -> None:
    """Have Telegram hold its updates for polling, where they were sent to a webhook before.

    A failure is logged: polling meets it again, and knows what to do.
    """
    try:
        if (await bot.get_webhook_info()).url:
            await bot.delete_webhook(drop_pending_updates=False)
    except AiogramError as error:
        logger.warning("whether there is a webhook is not known: %s", type(error).__name__)


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Have SIGINT and SIGTERM end the program in good order."""
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(signum, stopping.set)
        except NotImplementedError:  # Windows
            signal.signal(signum, lambda *_: loop.call_soon_threadsafe(stopping.set))
