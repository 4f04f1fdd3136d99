"""The whole bot in this process, polling a faked Telegram: for stops, kills and repetitions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.types import User

from bot import SimpleAnswerer, create_router
from bot.access import Access
from bot.answerers import Answerer
from bot.inbox import Inbox
from bot.polling import poll
from conversations import ConversationManager, JsonStorage
from tests.telegram import BOT_USER, QueueingTelegram
from tests.waiting import PATIENCE


@dataclass
class Polled:
    manager: ConversationManager
    inbox: Inbox
    telegram: QueueingTelegram
    stopping: asyncio.Event

    async def settled(self) -> None:
        """Wait until Telegram has nothing more, and all that came is over, answers included."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self.telegram.unconfirmed or not self.inbox.is_empty:
                    await asyncio.sleep(0.001)
        except TimeoutError:
            left = list(self.inbox._open.values()), self.telegram.unconfirmed
            raise AssertionError(f"this does not come to its end: {left}") from None


@asynccontextmanager
async def polled(
    folder: Path,
    telegram: QueueingTelegram,
    answerer: Answerer | SimpleAnswerer,
    allowed_user_ids: Collection[int] = (),
    **options: Any,
) -> AsyncIterator[Polled]:
    """Run the bot on a folder; at the end it is stopped as by SIGTERM.

    `options` are `create_router`'s.
    """
    storage = JsonStorage(folder)
    manager = ConversationManager(storage, raise_errors=True)
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(
        create_router(
            manager,
            answerer=answerer,
            exclusive=True,
            allowed_user_ids=allowed_user_ids,
            **options,
        )
    )
    inbox = Inbox(folder / "inbox.jsonl")
    await inbox.open()
    bot = Bot("42:TEST", session=telegram)
    bot._me = User.model_validate(BOT_USER)
    stopping = asyncio.Event()
    polling = asyncio.create_task(poll(dispatcher, bot, inbox, stopping, Access(allowed_user_ids)))
    try:
        yield Polled(manager, inbox, telegram, stopping)
    finally:
        stopping.set()
        await polling
        await inbox.close()
        await storage.close()


@asynccontextmanager
async def polling(dispatcher: Dispatcher, bot: Bot) -> AsyncIterator[None]:
    """Poll as the program of a host does; at the end no handler is left to open a session anew."""
    task = asyncio.create_task(dispatcher.start_polling(bot, handle_signals=False))
    try:
        yield
    finally:
        await dispatcher.stop_polling()
        await task
        await asyncio.gather(*dispatcher._handle_update_tasks, return_exceptions=True)
        await bot.session.close()
