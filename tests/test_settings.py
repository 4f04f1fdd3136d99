"""Settings: chosen by buttons, kept in the index, and obeyed by everything that comes later."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import (
    AnswerCallbackQuery,
    DeleteMyCommands,
    SendMessage,
    SendMessageDraft,
    SendRichMessage,
    SetMyCommands,
)

from bot import Turn, create_router
from bot.answerers import AnswerStream, Mode, TextStream
from bot.callbacks import SettingButton, SettingName
from bot.preferences import Preferences
from conversations import ConversationManager
from tests.chats import fill
from tests.telegram import Client, FakeTelegram, MakeClient
from tests.waiting import PATIENCE

MARKDOWN = "**bold** and `code`"


class Model:
    """Answers in Markdown and names chats; `go_on` lets a gated answer end."""

    name = "model"

    def __init__(self) -> None:
        self.text = MARKDOWN
        self.named: list[str] = []
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    @asynccontextmanager
    async def answer(self, turns: Sequence[Turn], *, mode: Mode) -> AsyncIterator[AnswerStream]:
        yield TextStream(self._words(), model="model")

    async def _words(self) -> AsyncIterator[str]:
        yield self.text
        self.started.set()
        await self.go_on.wait()

    async def name_chat(self, question: str, answer: str) -> str:
        self.named.append(question)
        return f"Named {len(self.named)}"


@pytest.fixture
async def model() -> Model:
    return Model()


@pytest.fixture
async def person(
    manager: ConversationManager, model: Model, bot: Bot, telegram: FakeTelegram
) -> AsyncIterator[Client]:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=model, exclusive=True))
    yield Client(dispatcher, bot, telegram)
    await dispatcher.emit_shutdown(bot=bot)


async def test_the_command_and_the_button_show_what_is_set(client: Client) -> None:
    await client.send("/settings")
    shown = client.text
    assert shown == (
        "⚙️ Settings\n\n🌐 Language: as in Telegram\n"
        "🎨 Answers are formatted; tables and formulas come as rich messages."
    )
    assert client.labels == [
        "🌐 Auto ✓", "English", "Русский", "🎨 Auto ✓", "Plain", "Rich",
        "🧨 Erase my data", "‹ Chats",
    ]  # fmt: skip
    await client.send("/chats")
    await client.press("⚙️ Settings")
    assert client.text == shown
    await client.press("‹ Chats")
    assert client.text.startswith("💬 No chats yet")


async def test_the_language_is_everywhere_and_outlives_a_restart(
    client: Client, manager: ConversationManager, folder: Path, bot: Bot
) -> None:
    await client.send("/settings")
    await client.press("Русский")
    assert client.text.startswith("⚙️ Настройки\n\n🌐 Язык: Русский")
    assert client.toasts[-1] == "Сохранено"
    await client.send("/chats")
    assert client.text.startswith("💬 Чатов пока нет.")
    await client.press_data("foreign")
    assert client.toasts[-1] == "Это меню устарело, вот новое."
    stored = json.loads((folder / "user_1001" / "index.json").read_text())
    assert stored["settings"] == {"language": "ru"}

    restarted = Dispatcher(disable_fsm=True)
    restarted.include_router(create_router(manager, exclusive=True))
    client.dispatcher = restarted
    await client.send("/help")
    assert client.text.startswith("Пишите мне")
    await client.send("/settings")
    await client.press("🌐 Авто")
    assert client.text.startswith("⚙️ Settings")
    assert "settings" not in json.loads((folder / "user_1001" / "index.json").read_text())


async def test_the_command_menu_follows_the_language(client: Client) -> None:
    await client.send("/settings")
    await client.press("Русский")
    [told] = client.telegram.of(SetMyCommands)
    assert (told.scope.chat_id, told.commands[0].description) == (1001, "Начать новый чат")
    assert told.language_code is None
    await client.send("/start")
    assert len(client.telegram.of(SetMyCommands)) == 2, "the list may be an old one"
    await client.send("/settings")
    await client.press("🌐 Авто")
    [taken_back] = client.telegram.of(DeleteMyCommands)
    assert taken_back.scope.chat_id == 1001
    await client.press("Plain")
    await client.send("/start")
    assert len(client.telegram.of(SetMyCommands, DeleteMyCommands)) == 3


async def test_a_command_menu_that_cannot_be_set_hinders_nothing(client: Client) -> None:
    await client.send("/settings")
    error = TelegramBadRequest(SetMyCommands(commands=[]), "Bad Request: chat not found")
    client.telegram.refuse(SetMyCommands, error)
    await client.press("Русский")
    assert client.text.startswith("⚙️ Настройки")


async def test_the_commands_of_a_hosts_bot_are_the_hosts(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram
) -> None:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager))
    host = Client(dispatcher, bot, telegram)
    await host.send("/settings")
    assert host.labels[3:] == ["🧨 Erase my data", "‹ Chats"], "answers are not ours here"
    await host.press("Русский")
    assert host.text.startswith("⚙️ Настройки")
    assert telegram.of(SetMyCommands, DeleteMyCommands) == []


async def test_an_answer_that_ends_later_speaks_the_language_of_then(
    person: Client, manager: ConversationManager, model: Model
) -> None:
    model.go_on.clear()
    await person.send("Why?")
    await model.started.wait()
    await person.send("/new")
    await person.send("/settings")
    await person.press("Русский")
    model.go_on.set()
    await person.telegram.wait_for(lambda: "bold" in person.text)
    assert person.text.startswith("↩️ В чате «Why?»:")


@pytest.mark.parametrize("text", ["| a | b |\n|---|---|\n| 1 | 2 |", MARKDOWN])
async def test_plain_answers_are_as_the_model_wrote_them(
    person: Client, model: Model, text: str
) -> None:
    model.text = text
    person.telegram.knows_rich_messages = True
    await person.send("/settings")
    await person.press("Plain")
    assert "just as the model writes them" in person.text
    model.go_on.clear()
    await person.send("Why?")
    await person.telegram.wait_for(
        lambda: any(frame.text for frame in person.telegram.of(SendMessageDraft))
    )
    frame = person.telegram.of(SendMessageDraft)[-1]
    assert (frame.text, frame.entities) == (text, None)
    model.go_on.set()
    await person.telegram.wait_for(lambda: person.text == text)
    assert person.telegram.of(SendMessage)[-1].entities == []
    assert person.telegram.of(SendRichMessage) == []


async def test_a_long_plain_answer_comes_as_a_file_with_a_plain_beginning(
    person: Client, model: Model
) -> None:
    model.text = "**bold** words\n" * 2000
    await person.send("/settings")
    await person.press("Plain")
    await person.send("Why?")
    await person.telegram.wait_for(lambda: bool(person.telegram.documents))
    opening = person.telegram.of(SendMessage)[-1]
    assert opening.text.startswith("**bold** words\n**bold**")
    assert opening.entities == []


async def test_rich_answers_where_telegram_takes_them_and_text_where_not(
    person: Client, telegram: FakeTelegram
) -> None:
    await person.send("/settings")
    await person.press("Rich")
    telegram.knows_rich_messages = True
    await person.send("Why?")
    await telegram.wait_for(lambda: bool(telegram.of(SendRichMessage)))
    assert telegram.of(SendRichMessage)[-1].rich_message.markdown == MARKDOWN
    telegram.knows_rich_messages = False
    assert await person.ask("And why not?") == "bold and code"


async def test_in_a_group_a_rich_answer_takes_the_place_of_the_growing_one(
    person: Client, telegram: FakeTelegram, model: Model, manager: ConversationManager
) -> None:
    await manager.update_settings(1001, {"formatting": "rich"})
    telegram.knows_rich_messages = True
    person.chat_id = -100
    model.go_on.clear()
    await person.send("@test_bot Why?", entities=[{"type": "mention", "offset": 0, "length": 9}])
    await telegram.wait_for(lambda: person.text == "bold and code")
    growing = person.screen.message_id
    model.go_on.set()
    await telegram.wait_for(lambda: (-100, growing) not in telegram.messages)
    assert len(telegram.of(SendRichMessage)) == 1


async def test_names_by_the_model_can_be_declined(
    person: Client, manager: ConversationManager, model: Model
) -> None:
    await person.send("/settings")
    assert "✏️ The model names a chat after its first answer." in person.text
    await person.press("Names by the model ✓")
    assert "✏️ A chat keeps the name of its first question." in person.text
    await person.ask("Why?")
    await person.send("/settings")
    await person.press("Names by the model")
    await person.send("/new")
    await person.ask("And why not?")
    async with asyncio.timeout(PATIENCE):
        while len(model.named) < 1:
            await asyncio.sleep(0)
    assert model.named == ["And why not?"]
    names = {chat.name for chat in await manager.list_conversations(1001)}
    assert "Why?" in names


@pytest.mark.parametrize(
    "data",
    [
        SettingButton(name=SettingName.LANGUAGE, value="tlh").pack(),
        SettingButton(name=SettingName.FORMATTING, value="loud").pack(),
        SettingButton(name=SettingName.NAMING, value="").pack(),
        SettingButton(name=SettingName.LANGUAGE, value="../ru").pack(),
        "cvset1:z:x:",
        "cvset1:l",
    ],
)
async def test_choices_that_there_are_not_change_nothing(
    client: Client, manager: ConversationManager, folder: Path, data: str
) -> None:
    await fill(manager, 1001, 1)
    await client.send("/settings")
    await client.press_data(data)
    assert client.toasts == ["This menu is outdated, here is a fresh one."]
    assert await manager.get_settings(1001) == {}


async def test_in_a_group_nobody_sets_anothers(
    make_client: MakeClient, manager: ConversationManager
) -> None:
    anna, ben = make_client(1001, chat_id=-100), make_client(1002, chat_id=-100)
    await anna.send("/settings")
    menu = anna.screen
    await ben.press("Русский", menu)
    assert anna.toasts == ["This is somebody else's menu. /chats shows yours."]
    forged = SettingButton(name=SettingName.LANGUAGE, value="ru", owner="rs").pack()
    await ben.press_data(forged, menu)
    assert await manager.get_settings(1001) == await manager.get_settings(1002) == {}
    await anna.press("Русский", menu)
    assert await manager.get_settings(1001) == {"language": "ru"}
    assert len(anna.telegram.of(AnswerCallbackQuery)) == 3


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({}, Preferences()),
        ({"language": "ru", "formatting": "plain"}, Preferences("ru", "plain")),
        ({"language": "tlh"}, Preferences()),
        ({"language": ["ru"]}, Preferences()),
        ({"language": 7, "formatting": ["plain"], "named_by_model": "no"}, Preferences()),
        ({"language": None, "formatting": "blinking", "named_by_model": 0}, Preferences()),
        ({"named_by_model": False}, Preferences(named_by_model=False)),
    ],
)
def test_settings_of_an_edited_index(settings: dict[str, Any], read: Preferences) -> None:
    assert Preferences.of(settings) == read


async def test_an_unknown_language_is_as_if_never_chosen_and_stays(
    client: Client, manager: ConversationManager
) -> None:
    await manager.update_settings(1001, {"language": "tlh", "later": 1})
    await client.send("/settings")
    assert "🌐 Language: as in Telegram" in client.text
    await client.press("Plain")
    kept = {"language": "tlh", "later": 1, "formatting": "plain"}
    assert await manager.get_settings(1001) == kept
