"""The whole bot in this process, over real HTTP against a playground: for faults on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiogram import Bot, Dispatcher

from bot import SimpleAnswerer, create_router
from bot.answerers import Answerer
from bot.inbox import Inbox
from bot.playground import Playground
from bot.playground.dialogs import PERSONS
from bot.playground.dialogs import Person as Somebody
from bot.polling import ResilientSession, poll
from conversations import ConversationManager, JsonStorage


@dataclass
class Wired:
    playground: Playground
    manager: ConversationManager


@asynccontextmanager
async def wired(
    folder: Path, answerer: Answerer | SimpleAnswerer, persons: Sequence[Somebody] = PERSONS
) -> AsyncIterator[Wired]:
    storage = JsonStorage(folder)
    manager = ConversationManager(storage, raise_errors=True)
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=answerer, exclusive=True))
    stopping = asyncio.Event()
    inbox = Inbox(folder / "inbox.jsonl")
    await inbox.open()
    async with Playground(port=0, persons=persons) as playground:
        bot = Bot(playground.token, session=ResilientSession(api=playground.api))
        polling = asyncio.create_task(poll(dispatcher, bot, inbox, stopping))
        try:
            await playground.wait_for_call("getUpdates")
            yield Wired(playground, manager)
        finally:
            stopping.set()
            await polling
            await inbox.close()
            await storage.close()
