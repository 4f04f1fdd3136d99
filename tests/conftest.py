"""What most tests stand on: a folder of chats, the whole bot on it, a person; a playground."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiogram import Bot, Dispatcher
from aiogram.types import User

from bot import create_router
from bot.answerers.echo import EchoAnswerer
from bot.playground import Playground
from conversations import ConversationManager, JsonStorage
from tests.file_format import assert_format
from tests.playground_client import Person, client_of
from tests.postgres_server import database_url, own_server, started_server
from tests.storage_verbs import prepared
from tests.telegram import BOT_USER, Client, FakeTelegram, MakeClient

__all__ = ["database_url", "own_server", "prepared", "started_server"]  # fixtures, for every test


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "conversations"


@pytest.fixture
async def manager(folder: Path) -> AsyncIterator[ConversationManager]:
    storage = JsonStorage(folder)
    yield ConversationManager(storage, raise_errors=True)
    await storage.close()
    assert_format(folder)


@pytest.fixture
async def telegram() -> FakeTelegram:
    return FakeTelegram()


@pytest.fixture
def bot(telegram: FakeTelegram) -> Bot:
    bot = Bot("42:TEST", session=telegram)
    bot._me = User.model_validate(BOT_USER)
    return bot


@pytest.fixture
async def dispatcher(manager: ConversationManager, bot: Bot) -> AsyncIterator[Dispatcher]:
    """The whole bot as `python -m bot` puts it together, with the offline answerer."""
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=EchoAnswerer(), exclusive=True))
    yield dispatcher
    await dispatcher.emit_shutdown(bot=bot)


@pytest.fixture
def make_client(dispatcher: Dispatcher, bot: Bot, telegram: FakeTelegram) -> MakeClient:
    def make(user_id: int = 1001, language_code: str = "en", **rest: Any) -> Client:
        return Client(dispatcher, bot, telegram, user_id, language_code, **rest)

    return make


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    return make_client()


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    async with Playground(port=0) as playground:
        yield playground


@pytest.fixture
async def anna(playground: Playground) -> AsyncIterator[Person]:
    async with Person(playground.url, user_id=1001) as anna:
        yield anna


@pytest.fixture
async def api(playground: Playground) -> AsyncIterator[Bot]:
    """aiogram's own client of the playground."""
    bot = client_of(playground)
    yield bot
    await bot.session.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http
