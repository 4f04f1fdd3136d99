"""What becomes of messages when the network, or the server, fails in the middle."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import asyncpg
import pytest

from conversations import ConversationStorage, PostgresStorage, StorageError
from tests.postgres_server import PostgresServer, impatient, new_schema, opened_postgres
from tests.storages import USER, new_chat, question, texts
from tests.tcp_proxy import Fault, TcpProxy
from tests.waiting import PATIENCE, until

LATER = "2026-05-02T00:00:00+00:00"
_Result = TypeVar("_Result")


async def append(storage: ConversationStorage, chat: str, number: int) -> bool:
    return await storage.append(USER, chat, question(f"m{number}", number), updated_at=LATER)


async def repeated(call: Callable[[], Awaitable[_Result]], attempts: int = 5) -> _Result:
    """Do as a caller does who repeats what failed."""
    for _ in range(attempts - 1):
        try:
            return await call()
        except StorageError:
            continue
    return await call()


async def stored(storage: ConversationStorage, chat: str) -> list[str]:
    conversation = await storage.load(USER, chat)
    assert conversation is not None
    assert conversation.metadata.message_count == len(conversation.messages)
    return texts(conversation.messages)


class Setting:
    """A database, a way to it that fails, and storages that go that way."""

    def __init__(self, proxy: TcpProxy, url: str, schema: str, stack: AsyncExitStack) -> None:
        self.proxy = proxy
        self.url = url
        self.schema = schema
        self._stack = stack

    async def storage(
        self, *, direct: bool = False, connections: int = 1, **options: Any
    ) -> PostgresStorage:
        storage = PostgresStorage(
            self.url if direct else f"{self.proxy.url}?sslmode=disable",
            schema=self.schema,
            max_connections=connections,
            **options,
        )
        self._stack.push_async_callback(storage.close)
        await storage.open()
        return storage


@asynccontextmanager
async def set_up(url: str) -> AsyncIterator[Setting]:
    async with (
        new_schema(url) as schema,
        TcpProxy(url) as proxy,
        AsyncExitStack() as stack,
    ):
        yield Setting(proxy, url, schema, stack)


@pytest.fixture
async def setting(database_url: str) -> AsyncIterator[Setting]:
    async with set_up(database_url) as setting:
        yield setting


async def three_adds(storage: ConversationStorage, chat: str) -> None:
    for number in range(3):
        assert await repeated(partial(append, storage, chat, number)) is True


# The network


@pytest.mark.parametrize(("fault", "step"), [("close", 7), ("reset", 61)])
async def test_a_cut_at_every_nth_byte_of_a_conversation_of_adds(
    setting: Setting, fault: Fault, step: int
) -> None:
    storage, witness = await setting.storage(), await setting.storage(direct=True)
    proxy = setting.proxy
    await storage.create(new_chat("a"))
    await three_adds(storage, "a")
    await storage.create(new_chat("b"))
    before = proxy.forwarded
    await three_adds(storage, "b")
    places = range(0, proxy.forwarded - before, step)

    for place in places:
        await witness.create(new_chat(f"cut-{place}"))
        proxy.fail_after(place, fault)
        await three_adds(storage, f"cut-{place}")
        assert proxy.has_failed
        await append(storage, "a", 0)  # so that the next conversation is of the same bytes
    for place in places:
        assert await stored(witness, f"cut-{place}") == ["m0", "m1", "m2"], place


async def test_a_cut_while_connecting(setting: Setting) -> None:
    witness = await setting.storage(direct=True)
    before = setting.proxy.forwarded
    measured = await setting.storage()
    await measured.create(new_chat("measured"))
    await append(measured, "measured", 0)
    places = range(0, setting.proxy.forwarded - before, 97)

    for place in places:
        await witness.create(new_chat(f"cut-{place}"))
        setting.proxy.fail_after(place, "close")
        storage = await repeated(setting.storage)
        assert await repeated(partial(append, storage, f"cut-{place}", 0)) is True
        assert await stored(witness, f"cut-{place}") == ["m0"], place
        await storage.close()
    assert len(places) > 20


async def test_silence_is_an_error_in_time_and_passes(setting: Setting) -> None:
    storage = await setting.storage(connections=4)
    await asyncio.gather(
        *(storage.create(new_chat("a", user_id=user)) for user in range(USER, USER + 4))
    )
    setting.proxy.silence()
    async with asyncio.timeout(PATIENCE):
        with impatient(storage, 0.5):
            with pytest.raises(StorageError, match=r"did not answer within 0\.5 s"):
                await append(storage, "a", 0)
            with pytest.raises(StorageError, match="did not answer"):
                await storage.read_index(USER)

    setting.proxy.restore()
    # At once, although three connections of the pool lead nowhere.
    assert await append(storage, "a", 0) is True
    for user in range(USER, USER + 4):
        assert len((await storage.read_index(user)).conversations) == 1
    assert await stored(storage, "a") == ["m0"]
    with impatient(storage, 0.5):  # those three hear nothing of the end either
        await storage.close()


async def test_those_who_wait_behind_a_silent_call_wait_no_longer_than_it(
    setting: Setting,
) -> None:
    storage = await setting.storage()
    await storage.create(new_chat("a"))
    setting.proxy.silence()
    calls = 4 * PATIENCE  # one after the other they would take twice as long as we wait
    async with asyncio.timeout(PATIENCE):
        with impatient(storage, 0.5):
            outcomes = await asyncio.gather(
                *(append(storage, "a", number) for number in range(calls)), return_exceptions=True
            )
    assert {type(outcome) for outcome in outcomes} == {StorageError}


async def test_silence_in_the_middle_leaves_no_lock_behind(setting: Setting) -> None:
    """The server still holds the user's row when the caller repeats the call."""
    storage = await setting.storage()
    witness = await setting.storage(direct=True)
    await storage.create(new_chat("a"))
    for number in range(3):
        await append(storage, "a", number)
    before = setting.proxy.forwarded
    await append(storage, "a", 3)
    length = setting.proxy.forwarded - before
    for number, part in enumerate(range(1, 6), 4):
        setting.proxy.fail_after(length * part // 6, "silence")
        with impatient(storage, 0.6), pytest.raises(StorageError):
            await append(storage, "a", number)
        assert await repeated(partial(append, storage, "a", number)) is True
        await append(storage, "a", 0)
    assert await stored(witness, "a") == [f"m{n}" for n in range(number + 1)]


async def test_an_unconfirmed_commit_says_so_and_is_not_repeated_by_itself(
    setting: Setting,
) -> None:
    storage, witness = await setting.storage(), await setting.storage(direct=True)
    await storage.create(new_chat("a"))
    await append(storage, "a", 0)
    setting.proxy.hold_at(b"COMMIT")  # the server's answer to it
    adding = asyncio.create_task(append(storage, "a", 1))
    await setting.proxy.held()
    setting.proxy.fail_after(0, "close")
    setting.proxy.let_go()
    with pytest.raises(StorageError, match="may or may not have been stored"):
        await adding
    assert await stored(witness, "a") == ["m0", "m1"]
    assert await append(storage, "a", 1) is True
    assert await stored(witness, "a") == ["m0", "m1"]


async def test_an_unconfirmed_save_can_be_saved_again(setting: Setting) -> None:
    storage = await setting.storage()
    await storage.create(new_chat("a"))
    for number in range(3):
        await append(storage, "a", number)
    conversation = await storage.load(USER, "a")
    assert conversation is not None
    del conversation.messages[0]
    setting.proxy.hold_at(b"COMMIT")
    saving = asyncio.create_task(storage.save(conversation))
    await setting.proxy.held()
    setting.proxy.fail_after(0, "close")
    setting.proxy.let_go()
    with pytest.raises(StorageError):
        await saving
    assert await storage.save(conversation) is True
    assert await stored(storage, "a") == ["m1", "m2"]


async def test_a_connection_lost_after_the_commit_is_no_failure(setting: Setting) -> None:
    """A pool of somebody else's may have a round trip more before it takes a connection back."""
    pool = await asyncpg.create_pool(f"{setting.proxy.url}?sslmode=disable", min_size=0)
    storage = PostgresStorage(pool, schema=setting.schema)
    await storage.create(new_chat("a"))
    await storage.create(new_chat("b"))
    setting.proxy.hold_at(b"RESET ALL")
    deleting = asyncio.create_task(
        storage.delete(USER, "a", deleted_at=LATER, successor=new_chat("c"))
    )
    await setting.proxy.held()
    setting.proxy.fail_after(0, "close")
    setting.proxy.let_go()
    assert await deleting is True
    assert len(await storage.read_trash(USER)) == 1
    await storage.close()
    await pool.close()


async def test_another_worker_is_first_between_two_looks(setting: Setting) -> None:
    late = PostgresStorage(f"{setting.proxy.url}?sslmode=disable", schema=setting.schema)
    setting.proxy.hold_at(b"to_regclass")
    opening = asyncio.create_task(late.open())
    await setting.proxy.held()
    first = await setting.storage(direct=True)
    await first.create(new_chat("a"))
    setting.proxy.let_go()
    await opening
    assert len((await late.read_index(USER)).conversations) == 1
    await late.close()


async def test_a_lost_end_of_reading_is_read_again(setting: Setting) -> None:
    storage = await setting.storage()
    await storage.create(new_chat("a"))
    setting.proxy.hold_at(b"COMMIT")
    reading = asyncio.create_task(storage.read_index(USER))
    await setting.proxy.held()
    setting.proxy.fail_after(0, "close")
    setting.proxy.let_go()
    assert len((await reading).conversations) == 1


# Cancelled callers


async def test_cancelled_while_it_commits_it_waits_for_the_outcome(setting: Setting) -> None:
    storage = await setting.storage()
    await storage.create(new_chat("a"))
    setting.proxy.hold_at(b"commit\0")
    adding = asyncio.create_task(append(storage, "a", 0))
    await setting.proxy.held()
    following = asyncio.create_task(append(storage, "a", 1))
    for _ in range(3):
        adding.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
    assert not adding.done()
    assert not following.done()
    setting.proxy.let_go()
    assert await following is True
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert await stored(storage, "a") == ["m0", "m1"]


async def test_cancelled_at_any_await_is_old_or_new(setting: Setting) -> None:
    storage = await setting.storage(direct=True, connections=2)
    await storage.create(new_chat("a"))
    expected: list[str] = []
    outcomes: set[type] = set()
    for number in range(60):
        adding = asyncio.create_task(append(storage, "a", 1000 + number))
        for _ in range(number):
            await asyncio.sleep(0)
        adding.cancel()
        outcome = (await asyncio.gather(adding, return_exceptions=True))[0]
        now = await stored(storage, "a")
        if now != expected:
            expected.append(f"m{1000 + number}")
        assert now == expected
        if outcome is True:
            assert now[-1:] == [f"m{1000 + number}"]
        outcomes.add(type(outcome))
        assert await append(storage, "a", number) is True
        expected.append(f"m{number}")
    assert asyncio.CancelledError in outcomes
    assert await stored(storage, "a") == expected


# The server


async def test_connections_that_are_terminated_in_the_middle(setting: Setting) -> None:
    storages = [await setting.storage(direct=True, connections=2) for _ in range(3)]
    await storages[0].create(new_chat("a"))
    killer = await asyncpg.connect(setting.url)
    killed, numbers, added = 0, itertools.count(), set[str]()

    async def add(storage: PostgresStorage) -> None:
        while killed < 10 or len(added) < 30:  # whichever is slower
            number = next(numbers)
            assert await repeated(partial(append, storage, "a", number), attempts=100)
            added.add(f"m{number}")

    adds = asyncio.gather(*(add(storage) for storage in storages))
    async with asyncio.timeout(PATIENCE):
        while killed < 10:
            killed += await killer.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_locks"
                " where relation = to_regclass($1)",
                f"{setting.schema}.messages",
            )
    await adds
    await killer.close()
    there = await stored(storages[0], "a")
    assert len(there) == len(added)
    assert set(there) == added


async def test_a_server_that_crashes_and_comes_back(own_server: PostgresServer) -> None:
    async with set_up(own_server.url) as setting:
        storages = [await setting.storage(direct=True) for _ in range(2)]
        await storages[0].create(new_chat("a"))
        acknowledged: list[str] = []

        async def add(storage: PostgresStorage, number: int) -> None:
            await repeated(partial(append, storage, "a", number), attempts=100)
            acknowledged.append(f"m{number}")

        adds = asyncio.gather(
            *(
                add(storage, 100 * which + number)
                for which, storage in enumerate(storages)
                for number in range(60)
            )
        )
        for _ in range(3):
            await asyncio.to_thread(own_server.crash)
            with pytest.raises(StorageError, match="cannot be reached"):
                await storages[0].read_index(2)
            seen = list(acknowledged)
            await asyncio.to_thread(own_server.start)
            there = await repeated(partial(stored, storages[0], "a"))
            assert set(seen) <= set(there)
        await adds
        there = await stored(storages[0], "a")
        assert len(there) == 120
        assert set(there) == set(acknowledged)


async def test_more_to_do_than_in_time_costs_no_connection(database_url: str) -> None:
    async with opened_postgres(database_url, max_connections=2) as storage:
        await storage.open()
        database, let_go = storage.database, asyncio.Event()
        pids: set[int] = set()

        async def hold(connection: Any) -> None:
            pids.add(await connection.fetchval("select pg_backend_pid()"))
            await let_go.wait()

        holding = [
            asyncio.create_task(database.transact(hold, deadline=database.deadline(PATIENCE)))
            for _ in range(2)
        ]
        await until(lambda: len(pids) == 2)
        before = set(pids)
        with impatient(storage, 0.5), pytest.raises(StorageError, match="did not answer"):
            await storage.read_index(1)
        let_go.set()
        await asyncio.gather(*holding)
        await database.transact(hold, deadline=database.deadline(PATIENCE))
        assert pids == before
