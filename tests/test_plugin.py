"""The router inside a host's bot: it takes what is its own and leaves the rest alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiogram import BaseMiddleware, Bot, Dispatcher, F, Router
from aiogram.dispatcher.event.bases import UNHANDLED
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.methods import SendMessage
from aiogram.types import CallbackQuery, ErrorEvent, Message, TelegramObject

from bot import Turn, create_router
from conversations import ConversationManager, JsonStorage
from tests.chats import fill
from tests.telegram import Client, FakeTelegram


class Host:
    """A bot that was there before: its own commands, buttons, catch-all and error handler."""

    def __init__(self, bot: Bot, telegram: FakeTelegram) -> None:
        self.seen: list[str] = []
        self.errors: list[Exception] = []
        self.data: list[set[str]] = []
        self.dispatcher = Dispatcher()
        self.client = Client(self.dispatcher, bot, telegram)
        self._own = Router()
        self._own.message.register(self._text)
        self._own.callback_query.register(self._button, F.data == "host")
        self.dispatcher.errors.register(self._error)

    def include(self, *routers: Router) -> None:
        self.dispatcher.include_routers(*routers, self._own)

    async def _text(self, message: Message, **data: Any) -> None:
        self.seen.append(message.text or message.content_type)
        self.data.append(set(data))
        if message.text == "fail":
            raise ValueError("the host's own")

    async def _button(self, callback: CallbackQuery) -> None:
        self.seen.append(f"button {callback.data}")

    async def _error(self, event: ErrorEvent) -> None:
        self.errors.append(event.exception)


@pytest.fixture
def host(bot: Bot, telegram: FakeTelegram) -> Host:
    return Host(bot, telegram)


async def test_menus_alone_leave_text_to_the_host(
    host: Host, manager: ConversationManager
) -> None:
    host.include(create_router(manager))
    await fill(manager, 1001, 1)
    for text in ("/chats", "/new", "hello", "/start", "/help", "/unknown"):
        await host.client.send(text)
    await host.client.send(None, voice={"file_id": "x", "file_unique_id": "x", "duration": 1})
    assert host.seen == ["hello", "/start", "/help", "/unknown", "voice"]
    await host.client.press_data("host")
    assert host.seen[-1] == "button host"
    assert host.client.toasts == []


async def test_with_an_answerer_text_is_ours_and_the_rest_the_hosts(
    host: Host, manager: ConversationManager, telegram: FakeTelegram, bot: Bot
) -> None:
    async def answer(turns: Sequence[Turn]) -> str:
        return f"host's answer to {turns[-1].text}"

    host.include(create_router(manager, answerer=answer))
    assert await host.client.ask("hello") == "host's answer to hello"
    for text in ("/start", "/unknown"):
        await host.client.send(text)
    assert host.seen == ["/start", "/unknown"]
    await host.dispatcher.emit_shutdown(bot=bot)


async def test_nothing_of_ours_reaches_the_hosts_handlers(
    host: Host, manager: ConversationManager
) -> None:
    host.include(create_router(manager))
    await host.client.send("hello")
    plain = Dispatcher()
    seen: list[set[str]] = []

    async def note(message: Message, **data: Any) -> None:
        seen.append(set(data))

    plain.message.register(note)
    await Client(plain, host.client.bot, host.client.telegram).send("hello")
    assert host.data == seen


async def test_the_hosts_errors_are_the_hosts(host: Host, manager: ConversationManager) -> None:
    host.include(create_router(manager))
    await host.client.send("fail")
    assert [str(error) for error in host.errors] == ["the host's own"]


async def test_a_mistake_of_ours_is_told_and_goes_to_the_hosts_error_handler(
    host: Host, manager: ConversationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.include(create_router(manager))

    async def fail(*args: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(manager, "list_conversations", fail)
    await host.client.send("/chats")
    assert host.client.text.startswith("Something went wrong.")
    await host.client.press_data("cvm1:c::0")
    assert [str(toast) for toast in host.client.toasts] == [host.client.text]
    assert [str(error) for error in host.errors] == ["a mistake", "a mistake"]
    error = TelegramBadRequest(SendMessage(chat_id=1, text="x"), "no")
    host.client.telegram.refuse(SendMessage, error)
    await host.client.send("/chats")
    assert len(host.errors) == 3


async def test_our_middleware_runs_for_our_handlers_alone(
    host: Host, manager: ConversationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host's message costs no I/O of ours."""
    host.include(create_router(manager))

    async def fail(*args: object) -> None:  # pragma: no cover
        raise AssertionError("the storage was asked")

    monkeypatch.setattr(manager._storage, "read_index", fail)
    await host.client.send("hello")
    assert host.seen == ["hello"]


class _OneLanguage(BaseMiddleware):
    async def __call__(self, handler: Any, event: TelegramObject, data: dict[str, Any]) -> Any:
        return await handler(event, {**data, "texts": "the host's", "manager": "the host's"})


async def test_a_question_is_not_offered_to_every_menu_first(
    host: Host, manager: ConversationManager, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(turns: Sequence[Turn]) -> str:
        return "an answer"

    async def note(_: Command, message: Message, bot: Bot) -> object:
        offered.append(message.text)
        return await is_command(Command("chats"), message, bot)

    offered, is_command = list[str | None](), Command.__call__
    monkeypatch.setattr(Command, "__call__", note)
    host.include(create_router(manager, answerer=answer, exclusive=True))
    assert await host.client.ask("a question") == "an answer"
    assert offered == []
    await host.client.send("  /chats")  # the blanks of which Telegram would have taken away
    assert set(offered) == {"  /chats"}
    await host.dispatcher.emit_shutdown(bot=bot)


async def test_names_of_the_hosts_data_do_not_disturb_us(
    host: Host, manager: ConversationManager
) -> None:
    host.dispatcher.update.outer_middleware(_OneLanguage())
    host.include(create_router(manager))
    await fill(manager, 1001, 1)
    await host.client.send("/chats")
    assert host.client.text.startswith("💬 1 chat")
    await host.client.send("hello")
    assert {"texts", "manager"} <= host.data[0]


@pytest.fixture
async def second_manager(folder: Any) -> AsyncIterator[ConversationManager]:
    storage = JsonStorage(folder.with_name("second"))
    yield ConversationManager(storage, raise_errors=True)
    await storage.close()


async def test_two_plugins_with_two_managers_in_one_process(
    bot: Bot,
    telegram: FakeTelegram,
    manager: ConversationManager,
    second_manager: ConversationManager,
) -> None:
    clients = []
    for chats in (manager, second_manager):
        dispatcher = Dispatcher(disable_fsm=True)
        dispatcher.include_router(create_router(chats))
        clients.append(Client(dispatcher, bot, telegram))
    await fill(manager, 1001, 1)
    await fill(second_manager, 1001, 2)
    await clients[0].send("/chats")
    assert clients[0].text.startswith("💬 1 chat\n")
    await clients[1].send("/chats")
    assert clients[1].text.startswith("💬 2 chats\n")


def test_a_manager_that_hides_failures_is_warned_of(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    create_router(ConversationManager(JsonStorage(folder), raise_errors=True))
    assert not caplog.records
    create_router(ConversationManager(JsonStorage(folder)))
    assert "without raise_errors=True" in caplog.text


def test_no_filter_of_ours_runs_in_a_thread(manager: ConversationManager) -> None:
    """aiogram runs a filter that is no coroutine in a thread, and the order is lost."""

    async def answer(turns: Sequence[Turn]) -> str:
        return "x"

    routers = [create_router(manager, answerer=answer, exclusive=True)]
    for router in routers:
        routers += router.sub_routers
        for observer in router.observers.values():
            for handler in observer.handlers:
                assert handler.awaitable, handler.callback
                assert all(each.awaitable for each in handler.filters or []), handler.callback
            assert all(each.awaitable for each in observer._handler.filters or [])
    assert len(routers) > 5


async def test_what_nobody_wants_stays_unhandled(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram
) -> None:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager))
    client = Client(dispatcher, bot, telegram)
    assert await client.send("hello") is UNHANDLED
    assert await client.send("/chats", sender_chat={"id": -1, "type": "channel"}) is UNHANDLED


async def test_a_host_may_put_its_own_command_before_ours(
    host: Host, manager: ConversationManager
) -> None:
    early = Router()
    seen = []

    async def own_new(message: Message) -> None:
        seen.append(message.text)

    early.message.register(own_new, Command("new"))
    host.include(early, create_router(manager))
    await host.client.send("/new")
    assert seen == ["/new"]
    assert await manager.list_conversations(1001) == []
