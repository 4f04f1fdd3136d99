"""A flood by one person is bounded, and another person is served while it is under way."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage

from bot import Turn, create_router, router
from bot.answering import Answering, AnsweringLimits
from bot.pastes import Pastes
from conversations import ConversationManager
from tests.telegram import Client, FakeTelegram
from tests.waiting import PATIENCE

FLOODER, OTHER = 1001, 2002
LIMITS = AnsweringLimits()


class Model:
    """Answers at once, but lets questions that begin with "flood" wait until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.asked: list[str] = []
        self.running: Counter[str] = Counter()
        self.most = 0

    async def answer(self, turns: Sequence[Turn]) -> str:
        question = turns[-1].text
        kind = question.split()[0]
        self.asked.append(question)
        self.running[kind] += 1
        self.most = max(self.most, self.running["flood"])
        if kind == "flood":
            await self.opened.wait()
        self.running[kind] -= 1
        return f"answer to {question}"


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[type, Any]:
    """The inner parts of a bot, to be looked into."""
    made: dict[type, Any] = {}

    def keep(kind: type) -> Any:
        def make(*args: Any, **options: Any) -> Any:
            made[kind] = kind(*args, **options)
            return made[kind]

        return make

    for kind in (Answering, Pastes):
        monkeypatch.setattr(router, kind.__name__, keep(kind))
    return made


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def bot_of_model(
    manager: ConversationManager, bot: Bot, model: Model, parts: dict[type, Any]
) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=model.answer, exclusive=True))
    yield dispatcher
    model.opened.set()
    await dispatcher.emit_shutdown(bot=bot)


@pytest.fixture
def flooder(bot_of_model: Dispatcher, bot: Bot, telegram: FakeTelegram) -> Client:
    return Client(bot_of_model, bot, telegram, FLOODER)


@pytest.fixture
def other(bot_of_model: Dispatcher, bot: Bot, telegram: FakeTelegram) -> Client:
    return Client(bot_of_model, bot, telegram, OTHER)


async def test_three_hundred_questions_in_one_chat(
    flooder: Client, other: Client, model: Model, telegram: FakeTelegram
) -> None:
    flood = [asyncio.create_task(flooder.send(f"flood {number}")) for number in range(300)]
    await telegram.wait_for(lambda: len(model.asked) == 1)
    assert await other.ask("hello") == "answer to hello"
    await asyncio.gather(*flood)
    assert await other.ask("and again") == "answer to and again"
    assert model.running["flood"] == 1, "the flood is still under way"
    refused = [text for text in telegram.texts_in(FLOODER) if "waiting for answers" in text]
    assert len(refused) == 300 - 1 - LIMITS.waiting
    model.opened.set()
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 300 + 2)
    assert len(model.asked) == 1 + LIMITS.waiting + 2
    assert model.most == 1


async def test_a_question_in_each_of_a_hundred_chats(
    flooder: Client, other: Client, model: Model, telegram: FakeTelegram, parts: dict[type, Any]
) -> None:
    for number in range(100):
        await flooder.send(f"/new flood {number}")
    await telegram.wait_for(lambda: model.running["flood"] == LIMITS.per_user)
    assert await other.ask("hello") == "answer to hello"
    lanes = [user_id for user_id, _ in parts[Answering]._lanes if user_id == FLOODER]
    assert len(lanes) == LIMITS.pending_per_user
    refused = [text for text in telegram.texts_in(FLOODER) if "waiting for answers" in text]
    assert len(refused) == 100 - LIMITS.pending_per_user
    assert refused[0].startswith(f"{LIMITS.pending_per_user} questions are waiting")
    await flooder.send("/again")
    assert flooder.text == refused[0]
    model.opened.set()
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 100 + 2)
    assert len(model.asked) == LIMITS.pending_per_user + 1
    assert model.most == LIMITS.per_user


async def test_three_hundred_commands_and_presses(
    flooder: Client, other: Client, manager: ConversationManager
) -> None:
    await flooder.send("/chats")
    menu, done = flooder.screen, 0

    async def flood(number: int) -> None:
        nonlocal done
        if number % 2:
            await flooder.send("/chats")
        else:
            await flooder.press("New chat", menu)
        done += 1

    tasks = [asyncio.create_task(flood(number)) for number in range(300)]
    await asyncio.sleep(0)
    await other.send("/chats")
    assert other.text.startswith("💬 No chats yet.")
    assert done < 150, "the flood is still under way"
    await asyncio.gather(*tasks)
    assert len(await manager.list_conversations(FLOODER)) == 1


async def test_nothing_is_kept_of_people_who_have_gone(
    bot_of_model: Dispatcher, bot: Bot, telegram: FakeTelegram, parts: dict[type, Any]
) -> None:
    async def come(user_id: int) -> None:
        await Client(bot_of_model, bot, telegram, user_id).send("hello")

    await asyncio.gather(*map(come, range(1, 201)))
    pastes, answering = parts[Pastes], parts[Answering]
    async with asyncio.timeout(PATIENCE):
        await telegram.wait_for(lambda: len(telegram.of(SendMessage)) >= 200)
        while answering._lanes:
            await asyncio.sleep(0)
    gc.collect()
    kept = [pastes._held, pastes._turns, answering._lanes, answering._slots._of_users,
            answering._marks._tasks, answering._finisher._naming]  # fmt: skip
    assert [len(part) for part in kept] == [0] * 6
