"""Everything a person may do, at every phase of an answer: it is in its chat, once, and alone."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage, TelegramMethod

from bot import Turn, create_router
from bot.answerers import AnswerStream, Mode, TextStream
from conversations import ConversationManager, ConversationMessage, JsonStorage
from tests.telegram import Client, FakeTelegram
from tests.waiting import PATIENCE

QUESTION, BEFORE = "the question", "asked before"
FIRST, REST = "first words", " and the rest"


class GatedModel:
    """Answers in two pieces, and stands still where the phase wants it."""

    name = "gated"

    def __init__(self) -> None:
        self.arrived: dict[str, asyncio.Event] = {}
        self.open = asyncio.Event()

    def reached(self, place: str) -> asyncio.Event:
        return self.arrived.setdefault(place, asyncio.Event())

    @asynccontextmanager
    async def answer(self, turns: Sequence[Turn], *, mode: Mode) -> AsyncIterator[AnswerStream]:
        yield TextStream(self._pieces(turns[-1].text), model="gated")

    async def _pieces(self, question: str) -> AsyncIterator[str]:
        await self._stand(f"start of {question}")
        yield f"{FIRST} on {question}"
        await self._stand(f"middle of {question}")
        yield REST

    async def _stand(self, place: str) -> None:
        if place in self.arrived:
            self.arrived[place].set()
            await self.open.wait()


class HeldTelegram(FakeTelegram):
    """Holds back the final message of an answer where the phase wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.held = False
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[Any],
        timeout: int | None = None,  # noqa: ASYNC109
    ) -> Any:
        if self.held and isinstance(method, SendMessage) and FIRST in method.text:
            self.reached.set()
            await self.open.wait()
        return await super().make_request(bot, method, timeout)


@pytest.fixture
async def telegram() -> HeldTelegram:
    return HeldTelegram()


@pytest.fixture
def model() -> GatedModel:
    return GatedModel()


@pytest.fixture
async def dispatcher(
    manager: ConversationManager, bot: Bot, model: GatedModel
) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=model, exclusive=True))
    yield dispatcher
    await dispatcher.emit_shutdown(bot=bot)


# Phases: each brings the answer to a point, and returns while it stands there.


async def waiting(client: Client, model: GatedModel, telegram: HeldTelegram) -> None:
    reached = model.reached(f"middle of {BEFORE}")
    await client.send(BEFORE)
    await reached.wait()
    await client.send(QUESTION)


async def before_the_first_word(client: Client, model: GatedModel, _: HeldTelegram) -> None:
    reached = model.reached(f"start of {QUESTION}")
    await client.send(QUESTION)
    await reached.wait()


async def in_the_middle(client: Client, model: GatedModel, _: HeldTelegram) -> None:
    reached = model.reached(f"middle of {QUESTION}")
    await client.send(QUESTION)
    await reached.wait()


async def before_it_is_sent(client: Client, _: GatedModel, telegram: HeldTelegram) -> None:
    telegram.held = True
    await client.send(QUESTION)
    await telegram.reached.wait()


async def when_it_is_there(client: Client, _: GatedModel, telegram: HeldTelegram) -> None:
    await client.send(QUESTION)
    await telegram.wait_for(lambda: any(REST in text for text in telegram.texts_in(1001)))


# Actions: each gives the chat that is active afterwards, None for one made by it.


async def switch(client: Client, manager: ConversationManager, asked: str, other: str) -> str:
    await client.send("/chats")
    await client.press("Other")
    return other


async def rename(client: Client, manager: ConversationManager, asked: str, other: str) -> str:
    await client.send("/rename Renamed")
    return asked


async def delete(client: Client, manager: ConversationManager, asked: str, other: str) -> str:
    await client.send("/delete")
    await client.press("Delete")
    return other


async def delete_and_undo(
    client: Client, manager: ConversationManager, asked: str, other: str
) -> str:
    await delete(client, manager, asked, other)
    await client.press("Undo")
    return asked


async def new(client: Client, manager: ConversationManager, asked: str, other: str) -> None:
    await client.send("/new")


async def stop(client: Client, manager: ConversationManager, asked: str, other: str) -> str:
    await client.send("/stop")
    return asked


async def ask_more(client: Client, manager: ConversationManager, asked: str, other: str) -> str:
    await client.send("another question")
    return asked


async def ask_again(client: Client, manager: ConversationManager, asked: str, other: str) -> str:
    await client.send("/again")
    return asked


Phase = Callable[[Client, GatedModel, HeldTelegram], Awaitable[None]]
Action = Callable[[Client, ConversationManager, str, str], Awaitable[str | None]]
PHASES: list[Phase] = [
    waiting, before_the_first_word, in_the_middle, before_it_is_sent, when_it_is_there,
]  # fmt: skip
ACTIONS: list[Action] = [
    switch, rename, delete, delete_and_undo, new, stop, ask_more, ask_again,
]  # fmt: skip


async def contents(manager: ConversationManager, chat: str) -> list[ConversationMessage]:
    """Read a chat, be it in the trash."""
    conversation = await manager.load_conversation(1001, chat)
    if conversation is None:
        assert await manager.restore_conversation(1001, chat)
        conversation = await manager.load_conversation(1001, chat)
        assert conversation is not None
    return conversation.messages


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
async def test_an_answer_is_in_its_chat_once_and_alone(
    client: Client,
    manager: ConversationManager,
    model: GatedModel,
    telegram: HeldTelegram,
    bot: Bot,
    phase: Phase,
    action: Action,
) -> None:
    other = await manager.create_conversation(1001, "anna", "Other")
    asked = await manager.create_conversation(1001, "anna", "Asked")
    async with asyncio.timeout(PATIENCE):
        await phase(client, model, telegram)
        active = await action(client, manager, asked, other)
        now_active = await manager.get_active_conversation_id(1001)
        if active is not None:
            assert now_active == active
        model.open.set()
        telegram.open.set()
        await answered(client, manager, asked, action, phase)
    await client.dispatcher.emit_shutdown(bot=bot)

    assert await manager.get_active_conversation_id(1001) == now_active, "no answer moves it"
    for chat in await manager.list_conversations(1001):
        if chat.conversation_id != asked:
            assert await contents(manager, chat.conversation_id) == [], "nothing of it elsewhere"
    messages = await contents(manager, asked)
    questions = [message.text for message in messages if message.type == "user_question"]
    assert questions.count(QUESTION) == 1
    answers = [
        message for message in messages if message.text.startswith(f"{FIRST} on {QUESTION}")
    ]
    stopped = action is stop and phase in {before_the_first_word, in_the_middle}
    not_begun = action is delete and phase is waiting  # of a deleted chat nothing more is begun
    if not_begun or (stopped and phase is before_the_first_word):
        assert answers == []
        return
    [answer] = answers
    whole = f"{FIRST} on {QUESTION}{REST}"
    assert (answer.text == whole) == (answer.state is None)
    assert (answer.state == "partial") == stopped
    shown = [text for text in telegram.texts_in(1001) if answer.text in text and "💬" not in text]
    regenerated = action is ask_again and phase is when_it_is_there
    assert len(shown) == (2 if regenerated else 1), "it came once"


async def answered(
    client: Client, manager: ConversationManager, asked: str, action: Action, phase: Phase
) -> None:
    """Wait until every question that was asked has come to its end in Telegram."""
    expected = 1
    if phase is waiting and action is not delete:
        expected += 1
    if action is ask_more or (action is ask_again and phase is when_it_is_there):
        expected += 1

    def ends() -> int:
        texts = client.telegram.texts_in(1001)
        return sum(FIRST in text and "💬" not in text for text in texts) + sum(
            text.startswith("⏹") for text in texts
        )

    await client.telegram.wait_for(lambda: ends() >= expected)


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
async def test_killed_at_any_phase_nothing_is_lost_or_doubled(
    client: Client,
    manager: ConversationManager,
    model: GatedModel,
    telegram: HeldTelegram,
    bot: Bot,
    folder: Path,
    tmp_path: Path,
    phase: Phase,
) -> None:
    """What a killed process leaves is its folder at that moment; another one goes on from it."""
    other = await manager.create_conversation(1001, "anna", "Other")
    asked = await manager.create_conversation(1001, "anna", "Asked")
    async with asyncio.timeout(PATIENCE):
        await phase(client, model, telegram)
    left = tmp_path / "left"
    # A temporary file may have its name before it is copied; what a kill leaves of it is swept.
    shutil.copytree(folder, left, ignore=shutil.ignore_patterns(".lock", "*.tmp"))
    model.open.set()
    telegram.open.set()

    storage = JsonStorage(left)
    survivor = ConversationManager(storage, raise_errors=True)
    assert await survivor.get_active_conversation_id(1001) == asked
    assert await contents(survivor, other) == []
    before = [message.text for message in await contents(survivor, asked)]
    assert before.count(QUESTION) == 1
    whole = f"{FIRST} on {QUESTION}{REST}"
    assert before.count(whole) == (phase in {before_it_is_sent, when_it_is_there})

    restarted = Dispatcher(disable_fsm=True)
    restarted.include_router(create_router(survivor, answerer=GatedModel(), exclusive=True))
    client.dispatcher, client.telegram = restarted, FakeTelegram()
    client.bot = Bot("42:TEST", session=client.telegram)
    client.bot._me = bot._me
    await client.send("/again")
    await client.telegram.wait_for(lambda: whole in client.text)
    await restarted.emit_shutdown(bot=client.bot)
    after = [message.text for message in await contents(survivor, asked)]
    assert after.count(QUESTION) == after.count(whole) == 1
    await storage.close()
