"""How updates come in by long polling, and how that ends without losing one."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware, Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.exceptions import ClientDecodeError
from aiogram.methods import GetUpdates, Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import TelegramObject, Update
from pydantic import ValidationError

logger = logging.getLogger(__name__)


class ResilientSession(AiohttpSession):
    """Skips an update that aiogram cannot decode.

    Otherwise one such update rejects its whole batch and is fetched again until Telegram forgets
    it a day later: aiogram issues 1587 and 1840.
    """

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        try:
            return super().check_response(bot, method, status_code, content)
        except ClientDecodeError:
            if not isinstance(method, GetUpdates):
                raise
            updates = self._decode_one_by_one(bot, content)
            if updates is None:
                raise
            return Response[Any].model_construct(ok=True, result=updates)

    def _decode_one_by_one(self, bot: Bot, content: str) -> list[Update] | None:
        """Decode what can be decoded; None when this is no list of updates at all."""
        try:
            data = self.json_loads(content)
        except ValueError:
            return None
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            return None
        return [_decode(bot, raw) for raw in data["result"]]


def _decode(bot: Bot, raw: dict[str, Any]) -> Update:
    """Decode one update, or give one without content that moves the offset past it."""
    try:
        return Update.model_validate(raw, context={"bot": bot})
    except ValidationError as error:
        fields = {".".join(map(str, problem["loc"][:3])) for problem in error.errors()}
        logger.error(  # noqa: TRY400 - a traceback would show what people wrote
            "update %s cannot be decoded and is skipped (%s)",
            raw["update_id"],
            ", ".join(sorted(fields)),
        )
        return Update(update_id=raw["update_id"])


class UpdatesInFlight(BaseMiddleware):
    """Knows the updates that are being handled; Telegram holds them for received already."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        self._count += 1
        self._idle.clear()
        try:
            return await handler(event, data)
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def wait(self) -> None:
        await self._idle.wait()


async def poll(dispatcher: Dispatcher, bot: Bot, stopping: asyncio.Event) -> None:
    """Poll until `stopping` is set; return when what came in is handled and answers are stored."""
    in_flight = UpdatesInFlight()
    dispatcher.update.outer_middleware(in_flight)
    dispatcher.shutdown.register(in_flight.wait)
    polling = asyncio.create_task(dispatcher.start_polling(bot, handle_signals=False))
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((polling, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not polling.done():
            await dispatcher.stop_polling()
        await polling
    finally:
        waiting.cancel()


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Have SIGINT and SIGTERM end the program in good order."""
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stopping.set)
