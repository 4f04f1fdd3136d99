"""`python -m bot` with `DATABASE_URL`: all stands in the database; what cannot be is told."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from bot.playground import Playground
from tests.playground_client import Person
from tests.postgres_server import PostgresServer
from tests.program import ROOT, Program
from tests.waiting import PATIENCE


@pytest.fixture
async def own_url(own_server: PostgresServer) -> AsyncIterator[str]:
    """Give the address of a whole database of one's own: the program's schema has a fixed name."""
    connection = await asyncpg.connect(own_server.url)
    await connection.execute("create database program")
    yield own_server.url.rpartition("/")[0] + "/program"
    await connection.execute("drop database program with (force)")
    await connection.close()


async def test_the_tour_in_a_database(tmp_path: Path, own_url: str) -> None:
    first = Program(tmp_path, DATABASE_URL=own_url, LIMIT_TOKENS_PER_DAY="100000")
    async with first, Person(first.url, 1002) as ben:
        await ben.ask("Where shall we travel?", "You wrote: Where")
        await ben.ask("/chats", "1 chat")
    assert not (tmp_path / "data" / "conversations").exists()
    connection = await asyncpg.connect(own_url)
    texts = await connection.fetch("select text from conversations.messages order by position")
    await connection.close()
    assert [row["text"].partition("\n")[0] for row in texts] == [
        "Where shall we travel?",
        "You wrote: Where shall we travel?",
    ]
    again = Program(tmp_path, DATABASE_URL=own_url)
    async with again, Person(again.url, 1002) as ben:
        answer = await ben.ask("And then?", "You wrote: And then?")
        assert "3 messages" in answer["text"]
    assert "Traceback" not in first.log + again.log


async def test_one_polls_another_waits_and_goes_on(tmp_path: Path, own_url: str) -> None:
    async with Playground(port=0) as telegram, Person(telegram.url, 1002) as ben:
        settings = {"BOT_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url}
        first, second = (Program(tmp_path, DATABASE_URL=own_url, **settings) for _ in range(2))
        await first.launch()
        await telegram.wait_for_call("getUpdates")
        before = await those_who_tried(own_url)
        await second.launch()
        async with asyncio.timeout(PATIENCE):
            while not await those_who_tried(own_url) - before:
                await asyncio.sleep(0.05)
        await ben.ask("one", "You wrote: one")
        assert await first.stop(signal.SIGKILL) == -signal.SIGKILL
        await ben.ask("two", "You wrote: two")
        assert await second.stop() == 0, second.log
    assert "another worker polls for this bot" in second.log
    assert "takes over from" in second.log


async def those_who_tried(url: str) -> set[int]:
    """Give the sessions that have just asked whether they may poll."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "select pid from pg_stat_activity where query like 'select pg_try_advisory_lock(%'"
    )
    await connection.close()
    return {row["pid"] for row in rows}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://bot:canary-word@127.0.0.1:9/x", "PostgreSQL cannot be reached: "),
        ("postgresql://bot:canary-word@no-such-host.invalid/x", "PostgreSQL cannot be reached: "),
        ("postgresql://bot:canary-word@127.0.0.1/x?sslmode=canary-word", "the address of the"),
    ],
)
async def test_a_database_that_cannot_be_is_refused(tmp_path: Path, url: str, why: str) -> None:
    code, said = await Program(tmp_path, DATABASE_URL=url).fail()
    assert code == 1
    assert said.startswith(f"DATABASE_URL: {why}")
    assert said.count("\n") == 1
    assert "canary" not in said


async def test_without_the_driver_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "asyncpg.py").write_text("raise ImportError('no driver')")
    program = Program(tmp_path, DATABASE_URL="postgresql://h/d", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert await program.fail() == (
        1,
        "DATABASE_URL needs a driver: pip install -r requirements-postgres.txt\n",
    )


def test_without_a_database_no_driver_is_imported() -> None:
    program = "import sys, bot.__main__; assert 'asyncpg' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
