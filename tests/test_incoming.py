"""An update's way in: once, in its person's order, and again after a stop that cut it off."""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import AnswerInlineQuery, SendMessage
from aiogram.types import Message

from bot import Turn
from bot.inbox import Inbox
from bot.incoming import Incoming, Receipt
from bot.turns import Turn as OrderedTurn
from conversations import ConversationMessage
from tests.polled import Polled, polled
from tests.telegram import Client, FakeTelegram, QueueingTelegram
from tests.waiting import PATIENCE


class Model:
    """Answers what `lets` names at once, and everything else when it is opened."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.opened = asyncio.Event()
        self.lets: set[str] = set()

    async def __call__(self, turns: Sequence[Turn]) -> AsyncIterator[str]:
        text = turns[-1].text
        self.asked.append(text)
        yield "first words"
        if text not in self.lets:
            await self.opened.wait()
        yield f" on {text}"


@pytest.fixture
def client() -> Client:
    return Client(None, None, None)  # type: ignore[arg-type]


def says(client: Client, text: str, **content: Any) -> dict[str, Any]:
    return client.update(message=client.message(text, **content))


async def stored(bot: Polled, user_id: int = 1001) -> list[ConversationMessage]:
    messages: list[ConversationMessage] = []
    for chat in await bot.manager.list_conversations(user_id):
        messages += await bot.manager.get_messages(user_id, chat.conversation_id, 100)
    return messages


async def test_told_twice_and_out_of_order(folder: Path, client: Client) -> None:
    one, two, three = (says(client, text) for text in ("one", "two", "three"))
    one["update_id"], two["update_id"], three["update_id"] = 900, 17, 400
    telegram, model = QueueingTelegram([one, two, one, three, two], at_once=2), Model()
    model.opened.set()
    async with polled(folder, telegram, model) as bot:
        await bot.settled()
        questions = [m.text for m in await stored(bot) if m.type == "user_question"]
        assert questions == ["one", "two", "three"]
    again = QueueingTelegram([one, two, three])
    async with polled(folder, again, model) as bot:
        await bot.settled()
        assert len(await stored(bot)) == 6
    assert sorted(model.asked) == ["one", "three", "two"]


async def test_what_cannot_be_read_hinders_nothing(
    folder: Path, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    first, last = says(client, "first"), says(client, "last")
    poison = client.update(callback_query={"id": "1", "data": "secret"})
    newer = client.update(telepathy={"thought": "secret"})
    empty = client.update()
    telegram, model = QueueingTelegram([first, poison, newer, empty, last]), Model()
    model.opened.set()
    with caplog.at_level(logging.INFO):
        async with polled(folder, telegram, model) as bot:
            await bot.settled()
            questions = [m.text for m in await stored(bot) if m.type == "user_question"]
            assert questions == ["first", "last"]
    assert caplog.text.count("cannot be decoded") == 1
    assert "secret" not in caplog.text


async def test_what_is_typed_behind_the_bots_name_is_not_written_down(
    folder: Path, client: Client
) -> None:
    typed = {"id": "1", "from": client.user, "query": "typed", "offset": ""}
    telegram, model = QueueingTelegram([client.update(inline_query=typed)]), Model()
    async with polled(folder, telegram, model):
        await telegram.wait_for(lambda: bool(telegram.of(AnswerInlineQuery)))
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"typed" not in written


async def test_what_waits_at_a_stop_is_answered_after_it(folder: Path, client: Client) -> None:
    model = Model()
    telegram = QueueingTelegram([says(client, text) for text in ("one", "two", "three")])
    async with polled(folder, telegram, model) as bot:
        await telegram.wait_for(lambda: model.asked == ["one"] and not telegram.unconfirmed)
        async with asyncio.timeout(PATIENCE):
            while len(await stored(bot)) < 3:
                await asyncio.sleep(0.001)
    model.opened.set()
    async with polled(folder, QueueingTelegram(), model) as bot:
        await bot.settled()
        answers = {m.reply_to: m for m in await stored(bot) if m.type == "bot_answer"}
    assert [answers[n].text for n in (1, 2, 3)] == [
        "first words",
        "first words on two",
        "first words on three",
    ]
    assert [answers[n].state for n in (1, 2, 3)] == ["partial", None, None]
    assert model.asked == ["one", "two", "three"]


async def test_what_had_no_word_at_a_stop_is_answered_after_it(
    folder: Path, client: Client
) -> None:
    asked, opened = 0, asyncio.Event()

    async def slow(turns: Sequence[Turn]) -> AsyncIterator[str]:
        nonlocal asked
        asked += 1
        await opened.wait()
        yield f"on {turns[-1].text}"

    telegram = QueueingTelegram([says(client, "why?")])
    async with polled(folder, telegram, slow):
        await telegram.wait_for(lambda: asked == 1 and not telegram.unconfirmed)
    assert telegram.texts_in(1001) == []
    opened.set()
    again = QueueingTelegram()
    async with polled(folder, again, slow) as bot:
        await bot.settled()
        assert again.texts_in(1001) == ["on why?"]


async def test_a_question_at_the_last_moment_is_answered_after_the_start(
    folder: Path, client: Client, dispatcher: Dispatcher, bot: Bot, telegram: FakeTelegram
) -> None:
    late = says(client, "late")
    async with opened(folder / "inbox.jsonl") as inbox:
        dispatcher.update.outer_middleware(Incoming(inbox))
        await dispatcher.emit_shutdown(bot=bot)
        await inbox.keep([late])
        await dispatcher.feed_raw_update(bot, late)
        assert "is answered right after" in telegram.texts_in(1001)[-1]
        assert not inbox.is_empty


async def test_an_answer_that_could_not_be_sent_at_the_end_is_sent_after_the_start(
    folder: Path, client: Client
) -> None:
    model = Model()
    model.opened.set()
    telegram = QueueingTelegram([says(client, "why?")])
    telegram.refuse(
        SendMessage, TelegramNetworkError(SendMessage(chat_id=1, text=""), "no"), times=9
    )
    async with polled(folder, telegram, model):
        await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 1)
    assert telegram.texts_in(1001) == []
    again = QueueingTelegram()
    async with polled(folder, again, model) as bot:
        await bot.settled()
        assert again.texts_in(1001) == ["first words on why?"]
        assert [m.sent_as for m in await stored(bot)] == ["message", "message"]
    assert model.asked == ["why?"]


async def test_an_answer_that_could_not_be_sent_is_sent_though_its_chat_is_deleted(
    folder: Path, client: Client
) -> None:
    model = Model()
    telegram = QueueingTelegram([says(client, "why?")])
    telegram.refuse(
        SendMessage, TelegramNetworkError(SendMessage(chat_id=1, text=""), "no"), times=9
    )
    async with polled(folder, telegram, model) as bot:
        await telegram.wait_for(lambda: model.asked == ["why?"])
        [chat] = await bot.manager.list_conversations(1001)
        await bot.manager.delete_conversation(1001, chat.conversation_id)
        model.opened.set()
        await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 1)
    assert telegram.texts_in(1001) == []
    again = QueueingTelegram()
    async with polled(folder, again, model) as bot:
        await bot.settled()
        assert again.texts_in(1001) == [
            "↩️ In “why?”, which is deleted by now:\n\nfirst words on why?"
        ]
        await bot.manager.restore_conversation(1001, chat.conversation_id)
        assert [m.sent_as for m in await stored(bot)] == ["message", "message"]
    assert model.asked == ["why?"]


async def test_the_disk_is_full_while_an_answer_streams(
    folder: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, telegram = Model(), QueueingTelegram([says(client, "why?")])
    async with polled(folder, telegram, model) as bot:
        await telegram.wait_for(lambda: model.asked == ["why?"])
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            model.opened.set()
            await telegram.wait_for(lambda: bool(telegram.of(SendMessage)))
            assert telegram.texts_in(1001)[-1].startswith("first words on why?")
            assert "could not be saved" in telegram.texts_in(1001)[-1]
            await telegram.push(says(client, "and now?"))
            await telegram.wait_for(lambda: len(telegram.texts_in(1001)) == 2)
            assert "unavailable" in telegram.texts_in(1001)[-1]
        await telegram.push(says(client, "and then?"))
        await bot.settled()
        questions = [m.text for m in await stored(bot) if m.type == "user_question"]
        assert questions == ["why?", "and then?"], "of the second the person was told"


def full(*args: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Inbox]:
    inbox = Inbox(path)
    await inbox.open()
    yield inbox
    await inbox.close()


class Desk:
    """A dispatcher with an inbox, whose one handler does as it is told."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.incoming = Incoming(inbox)
        self.bot = Bot("42:TEST")
        self.dispatcher = Dispatcher(disable_fsm=True)
        self.dispatcher.update.outer_middleware(self.incoming)
        self.dispatcher.message.register(self._handle)
        self.gates: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []
        self.done: list[str] = []
        self.receipts: list[Receipt] = []

    async def _handle(self, message: Message, receipt: Receipt | None = None) -> None:
        text = message.text or ""
        self.begun.append(text)
        if receipt is not None:
            self.receipts.append(receipt)
        if text in self.gates:
            await self.gates[text].wait()
        if text == "fails":
            raise ValueError("as told")
        self.done.append(text)

    async def feed(self, *updates: dict[str, Any]) -> list[asyncio.Task[Any]]:
        """Hand updates over as polling does."""
        await self.incoming.keep(updates)
        tasks = [
            asyncio.create_task(self.dispatcher.feed_raw_update(self.bot, update))
            for update in updates
        ]
        for _ in range(10):
            await asyncio.sleep(0)
        return tasks


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(tmp_path / "inbox.jsonl") as inbox:
        yield Desk(inbox)


async def test_one_person_waits_for_themselves_alone(desk: Desk, client: Client) -> None:
    other = Client(None, None, None, 1002)  # type: ignore[arg-type]
    other._updates = itertools.count(50)
    gate = desk.gates["slow"] = asyncio.Event()
    tasks = await desk.feed(says(client, "slow"), says(client, "next"), says(other, "other"))
    assert desk.begun == ["slow", "other"]
    gate.set()
    await asyncio.gather(*tasks)
    assert desk.done == ["other", "slow", "next"]
    assert desk.inbox.is_empty


async def test_a_handler_that_fails_is_not_asked_again(desk: Desk, client: Client) -> None:
    [task] = await desk.feed(says(client, "fails"))
    with pytest.raises(ValueError, match="as told"):
        await task
    assert desk.inbox.is_empty


async def test_a_handler_may_go_on_after_it_returned(desk: Desk, client: Client) -> None:
    gate = desk.gates["question"] = asyncio.Event()
    [task] = await desk.feed(says(client, "question"))
    over = desk.receipts[0].hold()
    gate.set()
    await task
    assert not desk.inbox.is_empty
    await over()
    assert desk.inbox.is_empty
    await over()


async def test_what_hangs_at_the_end_is_cut_off_and_handled_again(
    desk: Desk, client: Client, tmp_path: Path
) -> None:
    desk.gates["hangs"] = asyncio.Event()
    hanging, waiting = await desk.feed(says(client, "hangs"), says(client, "waits"))
    await desk.incoming.settle(0)
    assert hanging.cancelled()
    assert waiting.cancelled()
    await desk.inbox.close()
    async with opened(tmp_path / "inbox.jsonl") as inbox:
        again = Desk(inbox)
        await again.incoming.replay(again.dispatcher, again.bot)
        await again.incoming.settle()
        assert again.done == ["hangs", "waits"]
        assert inbox.is_empty


async def test_what_nobody_kept_is_handled_all_the_same(desk: Desk, client: Client) -> None:
    await desk.dispatcher.feed_raw_update(desk.bot, says(client, "fed by a host"))
    assert desk.done == ["fed by a host"]
    assert desk.receipts == []


async def test_a_failure_while_it_is_handled_again_is_logged(
    desk: Desk, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.incoming.keep([says(client, "fails"), says(client, "fine")])
    await desk.incoming.replay(desk.dispatcher, desk.bot)
    await desk.incoming.settle()
    assert desk.done == ["fine"]
    assert desk.inbox.is_empty
    assert "update 1 failed" in caplog.text


async def test_while_the_disk_is_full_an_update_is_confirmed_when_it_is_handled(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = desk.gates["question"] = asyncio.Event()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        [task] = await desk.feed(says(client, "question"))
        confirming = asyncio.create_task(desk.incoming.confirm())
        await asyncio.sleep(0)
        assert not confirming.done()
        gate.set()
        await asyncio.gather(task, confirming)
        assert desk.done == ["question"]
    await desk.feed(says(client, "later"))
    await desk.incoming.confirm()
    assert desk.inbox.is_empty


async def test_a_turn_goes_to_the_lowest_number_that_waits() -> None:
    turn, done, first = OrderedTurn(), [], asyncio.Event()

    async def take(number: int) -> None:
        async with turn.of(number):
            done.append(number)
            if number == 5:
                await first.wait()

    tasks = [asyncio.create_task(take(number)) for number in (5, 9, 7, 8, 7)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    first.set()
    await asyncio.wait(tasks)
    assert done == [5, 7, 7, 9]


async def test_who_is_cancelled_with_the_turn_at_hand_passes_it_on() -> None:
    turn, done = OrderedTurn(), []

    async def take(number: int) -> None:
        async with turn.of(number):
            done.append(number)

    async with turn.of(1):
        tasks = [asyncio.create_task(take(number)) for number in (2, 3)]
        await asyncio.sleep(0)
    tasks[0].cancel()  # it was woken, and has not run yet
    await asyncio.wait(tasks)
    assert done == [3]
