"""Workers that share a bot and a database, in this process, before a faked Telegram."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.types import User

from bot import SimpleAnswerer, create_router
from bot.answerers import Answerer
from bot.inbox_postgres import PostgresInbox
from bot.incoming import Incoming
from bot.lease import PostgresLease
from bot.metering_postgres import PostgresMeter
from bot.postgres_tables import prepare
from conversations import ConversationManager, ConversationMessage, PostgresStorage
from tests.telegram import BOT_ID, BOT_USER, FakeTelegram
from tests.waiting import PATIENCE


@dataclass
class Worker:
    manager: ConversationManager
    dispatcher: Dispatcher
    bot: Bot
    lease: PostgresLease
    inbox: PostgresInbox
    incoming: Incoming

    async def take(self, *updates: dict[str, Any]) -> None:
        """Be brought updates, as a webhook is."""
        for update in updates:
            await self.incoming.take(self.dispatcher, self.bot, update)

    async def kill(self) -> None:
        """End what it does, and its connection, as a kill does; nobody is told."""
        for task in (self.lease._living, self.inbox._attending):
            assert task is not None
            task.cancel()
            await asyncio.wait([task])
        connection = self.lease._connection
        await self.lease._lose()
        assert connection is not None
        assert connection.is_closed()

    async def stored(self, user_id: int = 1001) -> list[ConversationMessage]:
        messages: list[ConversationMessage] = []
        for chat in await self.manager.list_conversations(user_id):
            messages += await self.manager.get_messages(user_id, chat.conversation_id, 1000)
        return messages

    async def until_stored(self, questions: int, user_id: int = 1001) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(await self.texts("user_question", user_id)) < questions:
                await asyncio.sleep(0.005)

    async def texts(self, kind: str, user_id: int = 1001) -> list[str]:
        return [m.text for m in await self.stored(user_id) if m.type == kind]


@asynccontextmanager
async def worker(
    url: str,
    schema: str,
    telegram: FakeTelegram,
    answerer: Answerer | SimpleAnswerer,
    *,
    lease_url: str = "",
    metered: bool = False,
    **options: Any,
) -> AsyncIterator[Worker]:
    """Run a worker until the end of this context, and stop it as by SIGTERM.

    `options` are `create_router`'s.
    """
    async with AsyncExitStack() as opened:
        storage = PostgresStorage(url, schema=schema)
        opened.push_async_callback(storage.close)
        await storage.open()
        await prepare(storage.database)
        lease = PostgresLease(lease_url or url, schema=schema, bot_id=BOT_ID)
        opened.push_async_callback(lease.close)
        await lease.open()
        manager = ConversationManager(storage, raise_errors=True)
        if metered:
            options["meter"] = PostgresMeter(storage.database, bot_id=BOT_ID)
        dispatcher = Dispatcher(disable_fsm=True)
        dispatcher.include_router(
            create_router(manager, answerer=answerer, exclusive=True, lease=lease, **options)
        )
        inbox = PostgresInbox(storage.database, lease, bot_id=BOT_ID)
        opened.push_async_callback(inbox.close)
        await inbox.open()
        bot = Bot("42:TEST", session=telegram)
        bot._me = User.model_validate(BOT_USER)
        incoming = Incoming(inbox)
        dispatcher.update.outer_middleware(incoming)
        await incoming.attend(dispatcher, bot)
        yield Worker(manager, dispatcher, bot, lease, inbox, incoming)
        await incoming.settle(PATIENCE)
        await dispatcher.emit_shutdown(bot=bot)
