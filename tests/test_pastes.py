"""Long messages that may go on: whatever becomes of them, the person hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import SendMessage

from bot import Turn, create_router, router
from bot.pastes import Pastes
from conversations import ConversationManager, StorageError
from tests.polled import polled
from tests.telegram import Client, FakeTelegram, QueueingTelegram

LONG = "a" * 4050
FULL = (
    "5 questions are waiting for answers here already. This one is saved; after those, /again has"
    " it answered."
)


class Model:
    """Notes what it is asked, and answers when it is opened."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.opened = asyncio.Event()

    async def __call__(self, turns: Sequence[Turn]) -> AsyncIterator[str]:
        self.asked.append(turns[-1].text)
        await self.opened.wait()
        yield f"answer {len(self.asked)}"


@pytest.fixture
async def model() -> Model:
    return Model()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a long message wait for the next one for ever, so that a test need not hurry."""
    monkeypatch.setattr(router, "Pastes", partial(Pastes, patience=3600))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "Pastes", partial(Pastes, patience=0))


@pytest.fixture
async def dispatcher(
    manager: ConversationManager, bot: Bot, model: Model
) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=model.__call__, exclusive=True))
    yield dispatcher
    await dispatcher.emit_shutdown(bot=bot)


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("is_told", [True, False], ids=["told", "Telegram is away"])
async def test_a_long_question_that_finds_the_queue_full_is_refused_like_a_short_one(
    folder: Path, model: Model, is_told: bool
) -> None:
    person = Client(None, None, None)  # type: ignore[arg-type]
    texts = ["one", "two", "three", "four", "five", "six", LONG]
    updates = [person.update(message=person.message(text)) for text in texts]
    telegram = QueueingTelegram(updates[:-1])
    async with polled(folder, telegram, model.__call__) as bot:
        await until(lambda: bot.inbox.open_count == 6 and model.asked == ["one"])
        if not is_told:
            error = TelegramNetworkError(SendMessage(chat_id=1, text="x"), "down")
            telegram.refuse(SendMessage, error)
        await telegram.push(updates[-1])
        await telegram.wait_for(lambda: bool(telegram.of(SendMessage)))
        assert telegram.texts_in(1001) == [FULL] * is_told
        await until(lambda: bot.inbox.open_count == 6)
        model.opened.set()
        await bot.settled()
    assert LONG not in model.asked


@pytest.mark.usefixtures("patient")
async def test_a_long_reply_is_no_end_of_the_long_question_before_it(
    client: Client, model: Model, telegram: FakeTelegram
) -> None:
    model.opened.set()
    await client.ask("Hello")
    answer = client.screen
    await client.send(LONG)
    await client.reply("b" * 4096, answer)
    await telegram.wait_for(lambda: len(telegram.texts_in(1001)) == 2)
    assert model.asked == ["Hello", LONG], "it is whole, and need not wait any longer"
    await client.send("the end")
    await telegram.wait_for(lambda: len(telegram.texts_in(1001)) == 3)
    assert model.asked[2:] == ["b" * 4096 + "the end"]


@pytest.mark.usefixtures("patient")
async def test_a_long_question_is_answered_though_its_next_piece_cannot_be_stored(
    client: Client,
    manager: ConversationManager,
    model: Model,
    telegram: FakeTelegram,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*args: object, **kwargs: object) -> bool:
        raise StorageError("disk full")

    model.opened.set()
    await client.send(LONG)
    with monkeypatch.context() as failing:
        failing.setattr(manager._storage, "replace", fail)
        await client.send("the end")
    assert client.text.startswith("The storage is unavailable right now.")
    await client.send("the end, once more")
    await telegram.wait_for(lambda: bool(model.asked))
    assert model.asked == [LONG + "\nthe end, once more"]


@pytest.mark.usefixtures("hasty")
async def test_what_is_being_refused_is_over_when_its_person_is_erased(
    folder: Path, model: Model
) -> None:
    """Else its text would stay in the inbox's file."""
    person = Client(None, None, None)  # type: ignore[arg-type]
    texts = ["one", "two", "three", "four", "five", "six", LONG, "/forget"]
    telegram = _Slow([person.update(message=person.message(text)) for text in texts])
    async with polled(folder, telegram, model.__call__) as bot:
        await telegram.wait_for(lambda: FULL in [call.text for call in telegram.of(SendMessage)])
        person.telegram = telegram
        for label in ("Erase everything…", "Yes, erase everything"):
            await telegram.wait_for(lambda: any(label in each for each in person.labels))  # noqa: B023
            data = person.button(label).callback_data
            await telegram.push(_pressed(person, data))
        await telegram.wait_for(lambda: "Erased for good" in person.text)
        await bot.settled()
        assert LONG.encode() not in (folder / "inbox.jsonl").read_bytes()


class _Slow(QueueingTelegram):
    """Takes a refusal, and is long about it."""

    async def make_request(self, bot: Bot, method: Any, timeout: int | None = None) -> Any:  # noqa: ASYNC109
        answer = await super().make_request(bot, method, timeout)
        if isinstance(method, SendMessage) and method.text == FULL:
            await asyncio.Event().wait()
        return answer


def _pressed(person: Client, data: str | None) -> dict[str, Any]:
    message = person.telegram.messages[1001, person.screen.message_id]
    return person.update(callback_query=person.callback(data or "", message))
