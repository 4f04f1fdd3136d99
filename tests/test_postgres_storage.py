"""What the storage in PostgreSQL promises beyond the contract: many machines, tables, limits."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from conversations import (
    Conversation,
    ConversationManager,
    ConversationStorage,
    PostgresStorage,
    StorageClosedError,
    StorageError,
    Words,
    postgres_schema,
    postgres_search,
)
from conversations.postgres_pool import Database
from conversations.postgres_rows import from_column, to_column
from conversations.postgres_schema import VERSION
from tests.postgres_server import PostgresServer, impatient, new_schema, pgbouncer
from tests.storages import USER, answer, new_chat, question, settle, texts
from tests.waiting import PATIENCE

LATER = "2026-05-02T00:00:00+00:00"
ROOT = Path(__file__).parent.parent


class Workers:
    """Storages on one schema, as processes on several machines have them."""

    def __init__(self, url: str, schema: str, stack: AsyncExitStack) -> None:
        self.url = url
        self.schema = schema
        self._stack = stack

    def start(self, source: Any = None, **options: Any) -> PostgresStorage:
        storage = PostgresStorage(source or self.url, schema=self.schema, **options)
        self._stack.push_async_callback(storage.close)
        return storage

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """Give what an operator has: a connection of their own, in the schema."""
        connection = await asyncpg.connect(self.url, server_settings={"search_path": self.schema})
        self._stack.push_async_callback(connection.close)
        return connection


@pytest.fixture
async def workers(database_url: str) -> AsyncIterator[Workers]:
    async with new_schema(database_url) as schema, AsyncExitStack() as stack:
        yield Workers(database_url, schema, stack)


async def append(storage: ConversationStorage, chat: str, text: str, message_id: int = 1) -> bool:
    return await storage.append(USER, chat, question(text, message_id), updated_at=LATER)


async def texts_in(storage: ConversationStorage, chat: str) -> list[str]:
    conversation = await storage.load(USER, chat)
    assert conversation is not None
    assert conversation.metadata.message_count == len(conversation.messages)
    return texts(conversation.messages)


def test_the_driver_is_imported_by_those_alone_who_use_it() -> None:
    program = (
        "import sys, conversations; from conversations import *;"
        "assert 'asyncpg' not in sys.modules;"
        "from conversations import PostgresStorage; assert 'asyncpg' in sys.modules;"
        "assert not hasattr(conversations, 'OtherStorage')"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


# Values


@pytest.mark.parametrize(
    "text",
    ["", "\x00", "\x1a", "\x1a0000", "a\x1a\x00b", "\ud800\udc00", "\udfff", "\\u0000", "😀"],
)
def test_every_text_fits_a_column(text: str) -> None:
    column = to_column(text)
    assert from_column(column) == text
    assert b"\x00" not in column.encode()


def test_ordinary_text_stands_as_it_is() -> None:
    text = "Где \\n «отель»?\n\t😀 \u202e{}%_"
    assert to_column(text) == text


async def test_every_field_comes_back_as_it_was_given(workers: Workers) -> None:
    odd = "\x00\ud800\x1a0041'\"\\ \u2028😀"
    metadata = new_chat("a", name=odd, username=odd)
    metadata.created_at = metadata.updated_at = odd
    metadata.extra = {odd: [odd, 2**70, 1.5, None, {}], "title": odd}
    message = answer(odd, 2**64 + 1, tokens=2**40)
    message.timestamp = message.type = message.file_path = message.model = odd  # type: ignore[assignment]
    message.reply_to = -(2**70)
    message.extra = {odd: None, "nested": {"list": [odd]}}
    conversation = Conversation(metadata, [message, answer("", 0)], {odd: {"kept": odd}})

    assert await workers.start().save(conversation) is True
    storage = workers.start()
    metadata.is_active = True
    assert await storage.load(USER, "a") == conversation
    assert await storage.read_last(USER, "a", 5) == conversation.messages
    assert await storage.rename(USER, "a", odd + "!", "user") is True
    assert await storage.append(USER, "a", message, updated_at=odd) is True
    index = await storage.read_index(USER)
    assert [chat.name for chat in index.conversations] == [odd + "!"]
    assert await storage.delete(USER, "a", deleted_at=odd, successor=new_chat("b"))
    [deleted] = await storage.read_trash(USER)
    assert deleted.deleted_at == odd


@pytest.mark.parametrize(
    "given",
    ["2026-05-01T12:00:00.123456789+05:30", "2025-10-04T07:59:00", "2026-01-01T00:00:00Z",
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "yesterday", "", "infinity"],
)  # fmt: skip
async def test_times_are_kept_as_given(workers: Workers, given: str) -> None:
    storage = workers.start()
    metadata = new_chat("a")
    metadata.created_at = metadata.updated_at = given
    await storage.create(metadata)
    message = question("one")
    message.timestamp = given
    await storage.append(USER, "a", message, updated_at="0000")
    conversation = await storage.load(USER, "a")
    assert conversation is not None
    assert (conversation.metadata.created_at, conversation.metadata.updated_at) == (given, given)
    assert conversation.messages == [message]


async def test_what_no_json_holds_is_refused_as_the_file_store_does(workers: Workers) -> None:
    storage = workers.start()
    await storage.create(new_chat("a"))
    message = question("one")
    message.extra["score"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        await storage.append(USER, "a", message, updated_at=LATER)
    assert await texts_in(storage, "a") == []


@pytest.mark.parametrize("user_id", [2**63, -(2**63) - 1, 10**30])
async def test_an_id_beyond_the_database_is_told(workers: Workers, user_id: int) -> None:
    storage = workers.start()
    with pytest.raises(StorageError, match="too large"):
        await storage.read_index(user_id)
    with pytest.raises(StorageError, match="too large"):
        await storage.create(new_chat("a", user_id=user_id))
    await storage.create(new_chat("a"))
    with pytest.raises(StorageError, match="DataError"):
        await storage.append(USER, "a", question("x", tokens=10**30), updated_at=LATER)
    for user in (2**63 - 1, -(2**63)):
        await storage.create(new_chat("a", user_id=user))
        assert len((await storage.read_index(user)).conversations) == 1


async def test_a_message_that_cannot_be_read_hides_no_other(workers: Workers) -> None:
    storage = workers.start()
    await storage.create(new_chat("a"))
    for number in range(3):
        await append(storage, "a", f"m{number}", number)
    operator = await workers.connect()
    await operator.execute("update messages set facts = '[]' where text = 'm1'")
    conversation = await storage.load(USER, "a")
    assert conversation is not None
    assert texts(conversation.messages) == ["m0", "m2"]
    assert texts(await storage.read_last(USER, "a", 2)) == ["m2"]


async def test_a_file_is_kept_as_bytes_and_replaced(workers: Workers) -> None:
    storage = workers.start()
    for data in (b"\x00\xff", bytes(range(256)) * 20_000):
        assert await storage.keep_file(USER, "report.md", data) == "files/report.md"
        operator = await workers.connect()
        assert await operator.fetchval("select data from files where user_id = $1", USER) == data
    assert (await storage.read_index(USER)).conversations == []


async def test_a_search_takes_the_chats_in_groups(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_search, "_AT_ONCE", 5)
    storage = workers.start()
    for minute, count in enumerate((0, 2, 3, 9, 0, 1)):
        chat = new_chat(f"c{minute}", minute=minute, name=f"Chat {minute}")
        await storage.create(chat)
        for number in range(count):
            message = (answer if number % 2 else question)(f"100%_\\ {minute}", number + 1)
            await storage.append(USER, f"c{minute}", message, updated_at=chat.updated_at)
    expected = ["c5 1", *(f"c3 {n}" for n in (9, 7, 5, 3, 1)), "c2 3", "c2 1", "c1 1"]
    expected += [*(f"c3 {n}" for n in (8, 6, 4, 2)), "c2 2", "c1 2"]
    for limit in range(1, 16):
        hits = await storage.search(USER, Words.of("100%_\\"), limit)
        found = [f"{h.chat.conversation_id} {h.message.message_id}" for h in hits if h.message]
        assert found == expected[:limit]
    assert await storage.search(USER, Words.of("100_"), 15) == []
    assert await storage.search(USER, Words.of("100%%"), 15) == []


async def test_what_an_older_program_stored_is_found(workers: Workers) -> None:
    storage = workers.start()
    await storage.create(new_chat("a"))
    long = replace(answer("Ёлка № 7", 5), pieces=(6, 7))
    for message in (question("О ёлке", 4), long, question("other", 8)):
        assert await storage.append(USER, "a", message, updated_at=LATER)
    operator = await workers.connect()
    await operator.execute(
        "update messages set folded = null, is_question = null, message_id = null, pieces = null"
    )
    hits = await storage.search(USER, Words.of("елк"), 9)
    assert [hit.message.message_id for hit in hits if hit.message] == [4, 5]
    assert len(await storage.search(USER, Words.of("елк"), 1)) == 1
    found = [await storage.find_message(USER, number) for number in (4, 7, 9)]
    assert [hit and hit.message and hit.message.message_id for hit in found] == [4, 5, None]
    assert await storage.fork(USER, "a", new_chat("b"), up_to_message_id=7) is True
    assert texts(await storage.remove_last_exchange(USER, "b")) == ["О ёлке", "Ёлка № 7"]


async def test_two_workers_make_one_fork(workers: Workers) -> None:
    storages = [workers.start(), workers.start()]
    await storages[0].create(new_chat("a"))
    await append(storages[0], "a", "one")
    fork = new_chat("b", minute=1)
    made = await asyncio.gather(*(s.fork(USER, "a", fork) for s in storages))
    assert made == [True, True]
    assert await texts_in(storages[1], "b") == ["one"]


async def test_two_workers_remove_two_exchanges(workers: Workers) -> None:
    storages = [workers.start(), workers.start()]
    await storages[0].create(new_chat("a"))
    for number in (1, 2, 3):
        await append(storages[0], "a", f"{number}", number)
    removed = await asyncio.gather(*(s.remove_last_exchange(USER, "a") for s in storages))
    assert sorted(map(texts, removed)) == [["2"], ["3"]]
    assert await texts_in(storages[1], "a") == ["1"]


async def test_an_operator_finds_texts_by_sql(workers: Workers) -> None:
    storage = workers.start()
    await storage.create(new_chat("a"))
    await append(storage, "a", "Где отель у МОРЯ? 100%", 1)
    await append(storage, "a", "Здесь", 2)
    operator = await workers.connect()
    found = await operator.fetch(
        "select c.conversation_id, m.text, m.facts ->> 'message_id' as id from messages m"
        " join conversations c using (chat) where c.user_id = $1 and m.text like '%МОРЯ_ 100%'",
        USER,
    )
    assert [tuple(row) for row in found] == [("a", "Где отель у МОРЯ? 100%", "1")]


# Workers on several machines


async def test_adds_of_three_workers_are_all_there_once(workers: Workers) -> None:
    storages = [workers.start(max_connections=3) for _ in range(3)]
    await storages[0].create(new_chat("a"))
    await asyncio.gather(
        *(
            append(storage, "a", f"{which}-{number}", number)
            for which, storage in enumerate(storages)
            for number in range(100)
        )
    )
    there = await texts_in(storages[1], "a")
    assert len(there) == 300
    for which in range(3):  # of each worker in the order of its calls
        own = [text for text in there if text.startswith(f"{which}-")]
        assert own == [f"{which}-{number}" for number in range(100)]


async def test_the_same_message_by_two_workers_at_once_is_stored_once(workers: Workers) -> None:
    storages = [workers.start(), workers.start()]
    await storages[0].create(new_chat("a"))
    for number in range(20):
        done = await asyncio.gather(*(append(s, "a", f"m{number}", number) for s in storages))
        assert done == [True, True]
    assert await texts_in(storages[0], "a") == [f"m{number}" for number in range(20)]


async def test_workers_see_what_the_others_did(workers: Workers) -> None:
    one, two = workers.start(), workers.start()
    await one.create(new_chat("a"))
    await append(two, "a", "by two", 1)
    seen = await one.load(USER, "a")
    assert seen is not None
    await append(two, "a", "meanwhile", 2)
    seen.messages.append(answer("by one", 3))
    assert await one.save(seen) is False
    await two.create(new_chat("b"))
    assert (await one.read_index(USER)).last_active_conversation_id == "b"
    assert await one.delete(USER, "b", deleted_at=LATER, successor=new_chat("c"))
    assert (await two.read_index(USER)).last_active_conversation_id == "a"
    assert await two.restore(USER, "b", activate=True) is True
    assert await texts_in(one, "a") == ["by two", "meanwhile"]


async def test_what_a_worker_replaced_is_not_overwritten_unseen(workers: Workers) -> None:
    one, two = workers.start(), workers.start()
    await one.create(new_chat("a"))
    await append(one, "a", "partial", 1)
    seen = await one.load(USER, "a")
    assert seen is not None
    assert await two.replace(USER, "a", question("partial", 1), question("whole", 1)) is True
    assert await one.save(seen) is False
    assert await texts_in(one, "a") == ["whole"]


async def test_a_chat_is_read_as_of_one_moment(workers: Workers) -> None:
    writer, reader = workers.start(), workers.start()
    await writer.create(new_chat("a"))
    written = seen = 0

    async def write() -> None:
        nonlocal written
        while written < 50 or seen < 20:  # whichever is slower
            assert await append(writer, "a", f"m{written}", written)
            written += 1

    writing = asyncio.create_task(write())
    while not writing.done():
        conversation = await reader.load(USER, "a")
        assert conversation is not None
        assert conversation.metadata.message_count == len(conversation.messages)
        seen += 1
    await writing


async def test_two_workers_make_one_first_chat(workers: Workers) -> None:
    storages = [workers.start() for _ in range(4)]
    await asyncio.gather(*(storage.open() for storage in storages))
    for user in range(1, 11):
        await asyncio.gather(
            *(
                storage.append_to_active(
                    new_chat(f"c{which}", user_id=user), question("q", which), updated_at=LATER
                )
                for which, storage in enumerate(storages)
            )
        )
        index = await storages[0].read_index(user)
        assert [chat.message_count for chat in index.conversations] == [4]


async def test_two_workers_delete_and_write_one_chat(workers: Workers) -> None:
    """Whoever is first: a message is in the chat, or it was refused because the chat was gone."""
    one, two = workers.start(), workers.start()
    for number in range(20):
        chat = f"c{number}"
        await one.create(new_chat(chat))
        deleted, *added = await asyncio.gather(
            one.delete(USER, chat, deleted_at=LATER, successor=new_chat(f"after-{number}")),
            *(append(two, chat, f"m{n}", n) for n in range(3)),
        )
        assert deleted is True
        assert await two.restore(USER, chat, activate=True) is True
        assert await texts_in(one, chat) == [f"m{n}" for n in range(3) if added[n]]


async def test_one_users_wait_holds_up_no_other_user(workers: Workers) -> None:
    storage = workers.start(max_connections=2)
    for user in (USER, 2):
        await storage.create(new_chat("a", user_id=user))
    other = await workers.connect()
    transaction = other.transaction()
    await transaction.start()
    await other.execute("select from users where user_id = $1 for update", USER)

    with impatient(storage, 0.4):
        waiting = [asyncio.create_task(append(storage, "a", f"m{n}", n)) for n in range(10)]
        await settle()
    assert await storage.append(2, "a", question("q"), updated_at=LATER) is True
    assert len((await workers.start().read_index(USER)).conversations) == 1  # readers never wait
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StorageError}
    await transaction.rollback()
    assert await append(storage, "a", "after", 99) is True
    assert await texts_in(storage, "a") == ["after"]


async def test_a_pool_that_is_given_is_left_to_its_owner(workers: Workers) -> None:
    pool = await asyncpg.create_pool(workers.url, min_size=0, max_size=2)
    one, two = workers.start(pool), workers.start(pool)
    await one.create(new_chat("a"))
    await asyncio.gather(*(append(s, "a", f"m{n}", n) for s in (one, two) for n in range(10)))
    await one.close()
    assert len(await texts_in(two, "a")) == 10
    await two.close()
    assert await pool.fetchval("show search_path") != workers.schema
    await pool.close()


async def test_without_prepared_statements(workers: Workers) -> None:
    storage = workers.start(statement_cache_size=0)
    await storage.create(new_chat("a"))
    for number in range(5):
        await append(storage, "a", f"m{number}", number)
    conversation = await storage.load(USER, "a")
    assert conversation is not None
    del conversation.messages[1:3]
    assert await storage.save(conversation) is True
    assert await texts_in(storage, "a") == ["m0", "m3", "m4"]


async def test_behind_a_pool_that_shares_its_connections(
    own_server: PostgresServer,
) -> None:
    async with new_schema(own_server.url) as schema, AsyncExitStack() as stack:
        url = await stack.enter_async_context(pgbouncer(own_server.url))
        workers = Workers(url, schema, stack)
        storages = [workers.start(statement_cache_size=0) for _ in range(3)]
        await asyncio.gather(*(storage.open() for storage in storages))
        await storages[0].create(new_chat("a"))
        await asyncio.gather(
            *(
                append(s, "a", f"{n}-{which}")
                for which, s in enumerate(storages)
                for n in range(20)
            ),
            *(s.create(new_chat("b", user_id=user)) for s in storages for user in range(2, 12)),
        )
        assert len(await texts_in(storages[1], "a")) == 60
        for user in range(2, 12):
            assert len((await storages[2].read_index(user)).conversations) == 1


# The tables


async def test_many_workers_start_at_once_on_nothing(workers: Workers) -> None:
    storages = [workers.start() for _ in range(8)]
    await asyncio.gather(*(storage.open() for storage in storages))
    operator = await workers.connect()
    assert [row["version"] for row in await operator.fetch("table schema_version")] == [VERSION]
    await asyncio.gather(*(s.create(new_chat(f"c{n}")) for n, s in enumerate(storages)))
    assert len((await storages[0].read_index(USER)).conversations) == 8


async def test_tables_of_a_newer_program_are_refused_and_left(workers: Workers) -> None:
    await workers.start().create(new_chat("a"))
    operator = await workers.connect()
    await operator.execute("update schema_version set version = 1000")
    storage = workers.start()
    for _ in range(2):
        with pytest.raises(StorageError, match=r"version 1000.*run a newer one"):
            await storage.open()
    with pytest.raises(StorageError, match="version 1000"):
        await storage.create(new_chat("b"))
    assert await operator.fetchval("select count(*) from conversations") == 1


async def test_a_failed_migration_leaves_nothing(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(postgres_schema._MIGRATIONS, steps=("create table one (x int); wrong",))
    monkeypatch.setattr(postgres_schema, "_MIGRATIONS", wrong)
    with pytest.raises(StorageError, match="syntax error"):
        await workers.start().open()
    monkeypatch.undo()
    await workers.start().create(new_chat("a"))
    operator = await workers.connect()
    assert await operator.fetchval("select to_regclass('one')") is None


def migrate_further(monkeypatch: pytest.MonkeyPatch, *steps: str) -> None:
    """Have tables that are opened from now on be of a later version."""
    known = postgres_schema._MIGRATIONS
    newer = replace(known, steps=(*known.steps, *steps))
    monkeypatch.setattr(postgres_schema, "_MIGRATIONS", newer)


async def test_each_migration_runs_once(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    old = workers.start()
    await old.create(new_chat("a"))
    migrate_further(monkeypatch, "alter table conversations add column more int")
    new = [workers.start(), workers.start()]
    await asyncio.gather(*(storage.open() for storage in new))
    # Whoever was at work before goes on, though the rows have become longer.
    assert await append(old, "a", "by the old one") is True
    assert await texts_in(new[0], "a") == ["by the old one"]


async def test_a_migration_may_take_longer_than_a_call(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody opens it but the calls, each of which gives up long before it is done."""
    await workers.start().open()
    migrate_further(monkeypatch, "select pg_sleep(2)")
    storage = workers.start(timeout=0.5)
    failures = 0
    async with asyncio.timeout(60):
        while True:
            try:
                await storage.read_index(USER)
                break
            except StorageError:
                failures += 1
    assert failures > 0


async def test_closed_during_a_migration(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workers.start().open()
    migrate_further(monkeypatch, "create table more (x int)", "select pg_sleep(60)")
    storage = workers.start()
    operator = await workers.connect()
    opening = asyncio.create_task(storage.open())
    asleep = "select 1 from pg_stat_activity where query = 'select pg_sleep(60)'"
    while not await operator.fetchval(asleep):
        assert not opening.done()
    await storage.close()
    with pytest.raises(StorageClosedError):
        await opening
    assert await operator.fetchval("select to_regclass('more')") is None


async def test_what_is_up_to_date_needs_no_rights_to_create(own_server: PostgresServer) -> None:
    async with new_schema(own_server.url) as schema, AsyncExitStack() as stack:
        workers = Workers(own_server.url, schema, stack)
        await workers.start().open()
        operator = await workers.connect()
        await operator.execute(
            f"create role clerk login; grant usage on schema {schema} to clerk;"
            f" grant select, insert, update, delete on all tables in schema {schema} to clerk"
        )
        url = own_server.url.replace("postgres@", "clerk@")
        clerk, stranger = PostgresStorage(url, schema=schema), PostgresStorage(url, schema="none")
        await clerk.create(new_chat("a"))
        assert await append(clerk, "a", "one") is True
        with pytest.raises(StorageError, match="permission denied"):
            await stranger.open()
        await clerk.close()
        await stranger.close()
        await operator.execute("drop owned by clerk; drop role clerk")


async def test_a_database_of_another_encoding_is_refused(own_server: PostgresServer) -> None:
    operator = await asyncpg.connect(own_server.url)
    await operator.execute("create database latin encoding 'LATIN1' template template0")
    storage = PostgresStorage(own_server.url.removesuffix("/postgres") + "/latin")
    with pytest.raises(StorageError, match="LATIN1; it has to be UTF8"):
        await storage.open()
    await storage.close()
    await operator.execute("drop database latin (force)")
    await operator.close()


async def test_a_server_that_forgets_is_named_in_the_log(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    pool = await asyncpg.create_pool(
        workers.url, min_size=0, server_settings={"synchronous_commit": "off"}
    )
    await workers.start(pool).open()
    await pool.close()
    assert "the database has synchronous_commit off" in caplog.text


@pytest.mark.parametrize("schema", ["", "Chats", 'a"; drop schema x', "1a", "a" * 64, "чаты"])
def test_a_name_that_no_schema_should_have(schema: str) -> None:
    with pytest.raises(ValueError, match="schema takes"):
        PostgresStorage("postgresql://localhost", schema=schema)


async def test_rows_changed_by_hand(workers: Workers) -> None:
    storage = workers.start()
    for number, chat in enumerate(("late", "early")):
        await storage.create(new_chat(chat, minute=9 - number))
    operator = await workers.connect()
    for pointer in ("'gone'", "null"):
        await operator.execute(f"update users set active = {pointer}")
        index = await storage.read_index(USER)
        assert index.last_active_conversation_id == "late"
        assert [c.conversation_id for c in index.conversations if c.is_active] == ["late"]
        for listed in index.conversations:
            assert await storage.read_metadata(USER, listed.conversation_id) == listed
            if listed.is_active:
                assert await storage.read_metadata(USER, None) == listed
        asked = await storage.append_to_active(new_chat("x"), question("q"), updated_at=LATER)
        assert asked.conversation_id == "late"
    await operator.execute("delete from users")
    assert await storage.load(USER, "late") is None
    assert await append(storage, "late", "x") is False
    assert await operator.fetchval("select count(*) from messages") == 0


# What goes wrong


async def test_an_error_tells_no_address_no_password_and_no_text(workers: Workers) -> None:
    secret = "s3cr3t-Wort"
    sources = [
        f"postgresql://bot:{secret}@127.0.0.1:1/chats",
        f"postgresql://bot:{secret}@no-such-host.invalid/chats",
        f"http://bot:{secret}@127.0.0.1/chats",
        f"postgresql://bot:{secret}@127.0.0.1:{secret}/chats",
        f"postgresql://bot:{secret}@127.0.0.1/chats?sslmode={secret}",
    ]
    for source in sources:
        storage = PostgresStorage(source, timeout=2)
        with pytest.raises(StorageError) as raised:
            await storage.create(new_chat("a"))
        told = "".join(traceback.format_exception(raised.value)) + repr(storage)
        assert secret not in told
        assert "127.0.0.1" not in str(raised.value)
        await storage.close()

    storage = workers.start()
    await storage.create(new_chat("a"))
    operator = await workers.connect()
    await operator.execute("alter table messages add check (length(text) < 5)")
    with pytest.raises(StorageError, match="CheckViolation") as raised:
        await append(storage, "a", secret)
    assert secret not in "".join(traceback.format_exception(raised.value))
    assert await append(storage, "a", "ok") is True


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (asyncpg.SerializationError("x"), 3),
        (asyncpg.DeadlockDetectedError("x"), 3),
        (ConnectionResetError(), 3),
        (asyncpg.UniqueViolationError("x"), 1),
        (asyncpg.QueryCanceledError("x"), 1),
        (asyncpg.DataError("x"), 1),
        (TimeoutError(), 1),
        (StorageError("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_what_may_pass_is_tried_again(
    workers: Workers, error: Exception, attempts: int
) -> None:
    database = Database(workers.url, schema=workers.schema, timeout=5)
    made = 0

    async def work(connection: Any) -> None:
        nonlocal made
        made += 1
        await connection.execute("select 1")
        raise error

    with pytest.raises(StorageError):
        await database.transact(work, deadline=database.deadline())
    assert made == attempts
    await database.close()


async def test_a_commit_that_commits_nothing_is_no_success(workers: Workers) -> None:
    database = Database(workers.url, schema=workers.schema, timeout=5)

    async def work(connection: Any) -> None:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.execute("select 1 / 0")

    with pytest.raises(StorageError, match="rolled the transaction back"):
        await database.transact(work, deadline=database.deadline())
    await database.close()


async def test_the_manager_goes_on_as_with_files(workers: Workers) -> None:
    storage = PostgresStorage("postgresql://bot@127.0.0.1:1/chats")
    manager = ConversationManager(storage)
    assert await manager.list_conversations(USER) == []
    assert await manager.add_message(USER, "a", question("q")) is False
    with pytest.raises(StorageError):
        await manager.create_conversation(USER, "anna", "q")
    await storage.close()


async def test_a_slow_statement_ends_in_time(workers: Workers) -> None:
    storage = workers.start()
    await storage.create(new_chat("a"))
    operator = await workers.connect()
    await operator.execute(
        "create function slow() returns trigger language plpgsql as"
        " $$begin perform pg_sleep(240); return new; end$$;"
        "create trigger slow before insert on messages for each row execute function slow()"
    )
    async with asyncio.timeout(PATIENCE):  # half of the sleep
        with impatient(storage, 0.4), pytest.raises(StorageError):
            await append(storage, "a", "never")
        # This waits for the table, until the server has given the statement up as well.
        await operator.execute("drop trigger slow on messages")
    assert await append(storage, "a", "after") is True
    assert await texts_in(storage, "a") == ["after"]


async def test_more_callers_than_connections(workers: Workers) -> None:
    storage = workers.start(max_connections=2)
    users = range(1, 51)
    await asyncio.gather(*(storage.create(new_chat("a", user_id=user)) for user in users))
    done = await asyncio.gather(
        *(
            storage.append(user, "a", question(f"m{n}", n), updated_at=LATER)
            for n in range(5)
            for user in users
        )
    )
    assert all(done)
    for user in users:
        assert texts(await storage.read_last(user, "a", 9)) == [f"m{n}" for n in range(5)]
    assert not storage._locks  # nothing grows with the number of users ever seen
    operator = await workers.connect()
    query = "select count(*) from pg_stat_activity where query like '%' || $1 || '%'"
    assert await operator.fetchval(query, workers.schema) <= 2


# Opening and closing


@pytest.mark.parametrize("owned", [True, False])
async def test_close_waits_for_what_is_under_way(workers: Workers, owned: bool) -> None:
    pool = await asyncpg.create_pool(workers.url, min_size=0)
    storage = workers.start(None if owned else pool)
    await storage.create(new_chat("a"))
    other = await workers.connect()
    async with other.transaction():
        await other.execute("select from users where user_id = $1 for update", USER)
        adds = [asyncio.create_task(append(storage, "a", f"m{n}", n)) for n in range(5)]
        await settle()
        closing = [asyncio.create_task(storage.close()) for _ in range(2)]
        await settle()
    await asyncio.gather(*closing)
    assert all(task.done() for task in adds)
    outcomes = await asyncio.gather(*adds, return_exceptions=True)
    assert outcomes[0] is True
    assert {type(outcome) for outcome in outcomes[1:]} == {StorageClosedError}
    assert await texts_in(workers.start(), "a") == ["m0"]
    with pytest.raises(StorageClosedError):
        await storage.take_damage(USER)
    await pool.close()


async def test_what_was_never_opened_can_be_closed() -> None:
    storage = PostgresStorage("postgresql://bot@127.0.0.1:1/chats")
    await storage.close()
    with pytest.raises(StorageClosedError):
        await storage.open()


async def test_cancelled_while_opening(workers: Workers) -> None:
    storage = workers.start()
    for steps in range(0, 60, 3):
        opening = asyncio.create_task(storage.open())
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
    await storage.create(new_chat("a"))
    assert len((await storage.read_index(USER)).conversations) == 1
