"""Workers that share a bot: once, in order, never two at a chat; and when one dies."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import asyncpg
import pytest
from aiogram.methods import SendMessage

from bot import Limits, Turn
from bot.callbacks import ChatAction, ChatButton
from bot.inbox_postgres import PostgresInbox
from bot.lease import PostgresLease
from bot.metering_postgres import PostgresMeter
from bot.postgres_tables import VERSION, prepare
from conversations import PostgresStorage, StorageError
from tests.postgres_server import PostgresServer, new_schema
from tests.tcp_proxy import TcpProxy
from tests.telegram import BOT_ID, Client, FakeTelegram
from tests.waiting import PATIENCE, until
from tests.workers import Worker, worker


class Model:
    """Answers what `lets` names at once, and everything else when it is opened."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.opened = asyncio.Event()
        self.running = 0
        self.most = 0

    async def __call__(self, turns: Sequence[Turn]) -> AsyncIterator[str]:
        text = turns[-1].text
        self.asked.append(text)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            yield "first words"
            await self.opened.wait()
            yield f" on {text}"
        finally:
            self.running -= 1


Hire = Callable[..., Any]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live faster than in life, and die of nothing but a kill, however slow the machine is."""
    monkeypatch.setattr("bot.inbox_postgres._LOOK_ROUND", 0.2)
    monkeypatch.setattr("bot.lease._BEAT", 0.2)
    monkeypatch.setattr("bot.lease._PATIENCE", PATIENCE / 2)
    monkeypatch.setattr("bot.lease._PAUSE", 0.1)
    monkeypatch.setattr("bot.lease.LIMIT", PATIENCE)


@pytest.fixture
def _mortal(_quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die of silence sooner than in life; in the same proportions."""
    monkeypatch.setattr("bot.lease._PATIENCE", 2.0)
    monkeypatch.setattr("bot.lease.LIMIT", 6)


@pytest.fixture
async def model() -> Model:
    return Model()


@pytest.fixture
def client() -> Client:
    return Client(None, None, None)  # type: ignore[arg-type]


@pytest.fixture
async def hire(database_url: str, telegram: FakeTelegram, model: Model) -> AsyncIterator[Hire]:
    """Run as many workers as a test asks for, all before one Telegram and on one database."""
    async with new_schema(database_url) as schema, AsyncExitStack() as opened:

        def open_one(url: str = database_url, **options: Any) -> Any:
            one: AbstractAsyncContextManager[Worker] = worker(
                url, schema, telegram, model, **options
            )
            return opened.enter_async_context(one)

        yield open_one


def says(client: Client, text: str, **content: Any) -> dict[str, Any]:
    return client.update(message=client.message(text, **content))


async def over(*workers: Worker) -> None:
    await until(lambda: all(one.inbox.is_empty for one in workers))


async def test_an_update_that_comes_to_both_is_handled_once(
    hire: Hire, client: Client, model: Model
) -> None:
    model.opened.set()
    one, two = await hire(), await hire()
    for number in range(5):
        update = says(client, f"question {number}")
        await asyncio.gather(one.take(update), two.take(update), two.take(update))
    await over(one, two)
    assert sorted(await one.texts("user_question")) == [f"question {n}" for n in range(5)]
    assert len(await one.texts("bot_answer")) == 5
    assert len(model.asked) == 5


async def test_what_is_brought_to_different_workers_is_handled_in_order(
    hire: Hire, client: Client, model: Model, telegram: FakeTelegram
) -> None:
    model.opened.set()
    workers = [await hire() for _ in range(3)]
    expected = [f"question {number}" for number in range(6)]
    for text, one in zip(expected, itertools.cycle(workers), strict=False):
        await one.take(says(client, text))
    await until(lambda: len(telegram.texts_in(1001)) >= 6)
    await over(*workers)
    assert await workers[0].texts("user_question") == expected
    assert [text.rpartition(" on ")[2] for text in telegram.texts_in(1001)] == expected
    assert model.most == 1, "one answer at a time in a chat"


async def test_persons_are_handled_side_by_side(hire: Hire, model: Model) -> None:
    one, two = await hire(), await hire()
    for number, by in enumerate((one, two, one, two)):
        person = Client(None, None, None, 1001 + number)  # type: ignore[arg-type]
        person._updates = itertools.count(100 * number + 1)
        await by.take(says(person, f"of {number}"))
    await until(lambda: model.running == 4)
    model.opened.set()
    await over(one, two)


async def test_when_all_is_over_a_person_is_anybody_s_again(
    hire: Hire, client: Client, model: Model
) -> None:
    model.opened.set()
    one, two = await hire(), await hire()
    await one.take(says(client, "to one"))
    await over(one, two)
    await one.inbox._look_round()
    await two.take(says(client, "to two"))
    assert not two.inbox.is_empty or "to two" in model.asked
    assert one.inbox.is_empty
    await over(one, two)
    assert await two.texts("user_question") == ["to one", "to two"]


@pytest.mark.parametrize("how", ["command", "button", "draft"])
async def test_a_stop_reaches_the_worker_that_answers(
    hire: Hire, client: Client, model: Model, telegram: FakeTelegram, how: str
) -> None:
    one, two = await hire(), await hire()
    await one.take(says(client, "why?"))
    await until(lambda: model.running == 1)
    if how == "command":
        stop = says(client, "/stop")
    elif how == "draft":
        chat = {"id": 1001, "type": "private", "first_name": "Person"}
        stop = client.update(stopped_message_generation={"chat": chat, "draft_id": 1})
    else:
        [chat] = await one.manager.list_conversations(1001)
        data = ChatButton(
            action=ChatAction.STOP, chat=chat.conversation_id, owner=owner_of(client)
        )
        message = client.message("shown") | {"message_id": 5}
        stop = client.update(callback_query=client.callback(data.pack(), message))
    await two.take(stop)
    await until(lambda: model.running == 0)
    await over(one, two)
    [answer] = [m for m in await one.stored() if m.type == "bot_answer"]
    assert (answer.text, answer.state) == ("first words", "partial")


def owner_of(client: Client) -> str:
    from bot.callbacks import owner_mark

    return owner_mark(client.user_id, client.chat_id)


async def test_a_queue_is_one_queue_over_all_workers(
    hire: Hire, client: Client, model: Model, telegram: FakeTelegram
) -> None:
    one, two = await hire(), await hire()
    for number, by in zip(range(7), itertools.cycle((one, two)), strict=False):
        await by.take(says(client, f"question {number}"))
    await until(lambda: any("5" in text for text in telegram.texts_in(1001)))
    model.opened.set()
    await over(one, two)
    assert model.asked == [f"question {number}" for number in range(6)], "one had no place"
    assert len(await one.texts("user_question")) == 7, "and is stored all the same"


async def test_a_killed_worker_s_questions_are_answered_by_another(
    hire: Hire, client: Client, model: Model, telegram: FakeTelegram
) -> None:
    one, two = await hire(), await hire()
    await one.take(says(client, "one"), says(client, "two"))
    await two.take(says(client, "three"))
    await until(lambda: model.asked == ["one"])
    await one.until_stored(3)
    await one.kill()
    model.opened.set()
    await until(lambda: len(telegram.texts_in(1001)) == 3)
    await over(two)
    answers = [m for m in await two.stored() if m.type == "bot_answer"]
    assert [m.text for m in answers] == [f"first words on {n}" for n in ("one", "two", "three")]
    assert [m.state for m in answers] == [None] * 3
    assert telegram.texts_in(1001) == [m.text for m in answers]
    assert await two.texts("user_question") == ["one", "two", "three"]


async def test_what_was_stored_and_not_sent_is_sent_by_another(
    hire: Hire, client: Client, model: Model, telegram: FakeTelegram
) -> None:
    sending = asyncio.Event()

    async def hang(call: Any, bot: Any, method: Any) -> Any:
        if isinstance(method, SendMessage):
            sending.set()
            await asyncio.Event().wait()
        return await call(bot, method)

    model.opened.set()
    one = await hire()
    one.bot.session = FakeTelegram()
    one.bot.session.middleware(hang)
    await one.take(says(client, "why?"))
    await until(sending.is_set)
    await one.kill()
    two = await hire()
    await until(lambda: telegram.texts_in(1001) == ["first words on why?"])
    await over(two)
    assert [m.sent_as for m in await two.stored()] == ["message", "message"]
    assert model.asked == ["why?"]


async def test_what_waits_at_a_stop_goes_on_elsewhere(
    hire: Hire, database_url: str, client: Client, model: Model, telegram: FakeTelegram
) -> None:
    two = await hire()
    async with worker(database_url, two.lease._schema, telegram, model) as one:
        await one.take(says(client, "one"), says(client, "two"))
        await one.until_stored(2)
        await until(lambda: model.running == 1)
    model.opened.set()
    await until(lambda: model.asked == ["one", "two"])
    await over(two)
    answers = [m for m in await two.stored() if m.type == "bot_answer"]
    assert [(m.text, m.state) for m in answers] == [
        ("first words", "partial"),
        ("first words on two", None),
    ]


async def test_another_answer_is_made_after_a_kill(
    hire: Hire, client: Client, model: Model, telegram: FakeTelegram
) -> None:
    one = await hire()
    model.opened.set()
    await one.take(says(client, "why?"))
    await over(one)
    model.opened.clear()
    await one.take(says(client, "/again"))
    await until(lambda: model.running == 1)
    await one.kill()
    model.opened.set()
    two = await hire()
    await until(lambda: len(telegram.texts_in(1001)) == 2)
    await over(two)
    assert await two.texts("bot_answer") == ["first words on why?"]
    assert model.asked == ["why?"] * 3


async def test_what_kills_every_worker_is_given_up(
    hire: Hire, client: Client, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    update = says(client, "poison")
    one = await hire()
    await one.take(update)
    for _ in range(5):
        await until(lambda: model.running == 1)
        await one.kill()
        one = await hire()
    assert "update 1 was open at 5 deaths" in caplog.text
    assert one.inbox.is_empty
    await one.take(update)
    assert one.inbox.is_empty
    assert len(model.asked) == 5
    await one.inbox.forget_person(1001)
    raw = "select raw from inbox_updates"
    assert await fetch(one, raw) == [None]


async def fetch(one: Worker, query: str) -> list[Any]:
    """Read a column of the bot's tables."""

    async def read(connection: Any) -> list[Any]:
        return [row[0] for row in await connection.fetch(query)]

    database = one.inbox._database
    return await database.transact(read, deadline=database.deadline(), read_only=True)


async def test_nothing_is_kept_of_what_is_over(hire: Hire, client: Client, model: Model) -> None:
    model.opened.set()
    one = await hire()
    await one.take(says(client, "a secret"))
    await over(one)
    await one.inbox._look_round()
    assert await fetch(one, "select coalesce(raw, facts) from inbox_updates") == [None]
    assert await fetch(one, "select person from inbox_turns") == []


@pytest.mark.usefixtures("_mortal")
async def test_a_cut_network_heals_by_itself(
    hire: Hire, database_url: str, client: Client, model: Model, telegram: FakeTelegram
) -> None:
    async with TcpProxy(database_url) as proxy:
        one = await hire(proxy.url)
        await one.take(says(client, "before"))
        await until(lambda: model.asked == ["before"])
        first = one.lease.worker
        proxy.silence()
        await until(lambda: one.lease.worker is None)
        with pytest.raises(StorageError):
            await one.take(says(client, "not taken"))
        with pytest.raises(StorageError):
            await one.lease.check()
        model.opened.set()
        proxy.restore()
        await until(lambda: one.lease.worker is not None)
        assert one.lease.worker != first
        await until(lambda: telegram.texts_in(1001) == ["first words on before"])
        await one.take(says(client, "after"))
        await over(one)
        assert await one.texts("user_question") == ["before", "after"]
        assert telegram.texts_in(1001) == ["first words on before", "first words on after"]


@pytest.mark.usefixtures("_mortal")
async def test_who_is_cut_off_has_given_up_before_another_takes_over(
    hire: Hire, database_url: str, client: Client, model: Model, telegram: FakeTelegram
) -> None:
    async with TcpProxy(database_url) as proxy:
        one, two = await hire(lease_url=proxy.url), await hire()
        await one.take(says(client, "why?"))
        await until(lambda: model.running == 1)
        proxy.silence()
        await until(lambda: len(model.asked) == 2)
        assert one.lease.worker is None
        assert (model.running, model.most) == (1, 1)
        model.opened.set()
        await over(two)
        proxy.restore()
        await until(lambda: one.lease.worker is not None)
        assert telegram.texts_in(1001) == ["first words on why?"]
        assert len(await one.texts("bot_answer")) == 1


async def test_a_server_that_starts_again(
    own_server: PostgresServer, telegram: FakeTelegram, client: Client, model: Model
) -> None:
    model.opened.set()
    async with (
        new_schema(own_server.url) as schema,
        worker(own_server.url, schema, telegram, model) as one,
        worker(own_server.url, schema, telegram, model) as two,
    ):
        await one.take(says(client, "before"))
        await over(one, two)
        await asyncio.to_thread(own_server.crash)
        await until(lambda: one.lease.worker is None and two.lease.worker is None)
        await asyncio.to_thread(own_server.start)
        await until(lambda: one.lease.worker is not None and two.lease.worker is not None)
        await two.take(says(client, "after"))
        await until(lambda: len(telegram.texts_in(1001)) == 2)
        await over(one, two)
        assert await one.texts("user_question") == ["before", "after"]


async def test_limits_hold_over_all_workers(
    hire: Hire, client: Client, model: Model, telegram: FakeTelegram
) -> None:
    model.opened.set()
    limits = Limits(messages_per_minute=2, tokens_per_day=1000)
    one, two = [await hire(limits=limits, metered=True) for _ in range(2)]
    for number, by in enumerate((one, two, one, two)):
        await by.take(says(client, f"question {number}"))
        await over(one, two)
        await one.inbox._look_round()
        await two.inbox._look_round()
    assert await one.texts("user_question") == ["question 0", "question 1"]
    assert any("2 questions a minute" in text for text in telegram.texts_in(1001))
    meter = PostgresMeter(one.inbox._database, bot_id=BOT_ID)
    usage = await meter.usage(1001)
    assert len(usage.asked) == 2
    assert 0 < usage.spent < 1000
    assert 0 < usage.day_left <= 86_400
    await meter.ask(1001, next(iter(usage.asked)))
    await meter.spend(1001, 1000 - usage.spent)
    assert (len((await meter.usage(1001)).asked), (await meter.usage(1001)).spent) == (2, 1000)
    nobody = await meter.usage(1002)
    assert (nobody.asked, nobody.spent) == ({}, 0)
    other = PostgresMeter(one.inbox._database, bot_id=BOT_ID + 1)
    assert (await other.usage(1001)).spent == 0


async def test_one_worker_polls_and_another_waits(
    hire: Hire, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = await hire(), await hire()
    await one.inbox.may_fetch()
    waiting = asyncio.create_task(two.inbox.may_fetch())
    await until(lambda: "another worker polls for this bot" in caplog.text)
    assert not waiting.done()
    await one.kill()
    async with asyncio.timeout(PATIENCE):
        await waiting


async def test_another_bot_s_updates_are_not_taken_over(
    hire: Hire, client: Client, model: Model, database_url: str
) -> None:
    one = await hire()
    await one.take(says(client, "why?"))
    await until(lambda: model.running == 1)
    await one.kill()
    lease = PostgresLease(database_url, schema=one.lease._schema, bot_id=BOT_ID + 1)
    await lease.open()
    inbox = PostgresInbox(one.inbox._database, lease, bot_id=BOT_ID + 1)
    await inbox.open()
    assert inbox.is_empty
    await inbox.close()
    await lease.close()


async def test_many_workers_make_the_tables_at_once(database_url: str) -> None:
    async with AsyncExitStack() as opened:
        schema = await opened.enter_async_context(new_schema(database_url))
        storages = [PostgresStorage(database_url, schema=schema) for _ in range(8)]
        for storage in storages:
            opened.push_async_callback(storage.close)
            await storage.open()
        await asyncio.gather(*(prepare(storage.database) for storage in storages))
        operator = await asyncpg.connect(database_url, server_settings={"search_path": schema})
        opened.push_async_callback(operator.close)
        rows = await operator.fetch("table bot_schema_version")
        assert [row["version"] for row in rows] == [VERSION]


@pytest.mark.usefixtures("_mortal")
async def test_the_lock_of_a_worker_that_is_silent_is_free_in_time(database_url: str) -> None:
    """The server ends a session that asks nothing, whatever the network knows."""
    async with new_schema(database_url) as schema, TcpProxy(database_url) as proxy:
        storage = PostgresStorage(database_url, schema=schema)
        await storage.open()
        await prepare(storage.database)
        lease = PostgresLease(proxy.url, schema=schema, bot_id=BOT_ID)
        await lease.open()
        proxy.silence()
        other = await asyncpg.connect(database_url)
        count = (
            "select count(*) from pg_locks where locktype = 'advisory'"
            " and pid in (select pid from pg_stat_activity where state = 'idle'"
            " and query <> '' and pid <> pg_backend_pid())"
        )
        async with asyncio.timeout(PATIENCE):
            while await other.fetchval(count):
                await asyncio.sleep(0.05)
        await other.close()
        await lease.close()
        await storage.close()
