"""Updates by webhook: only Telegram's, each once, and none lost."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiogram import Bot, Dispatcher
from aiogram.types import Message

from bot.inbox import Inbox
from bot.metrics import Metrics
from bot.playground import Playground
from bot.webhook import Webhook
from tests.playground_client import Person
from tests.program import Program
from tests.telegram import Client
from tests.test_program import stored_chats
from tests.waiting import PATIENCE

SECRET = "correct-horse-battery-staple-0123456789"
HEADER = "X-Telegram-Bot-Api-Secret-Token"


@dataclass
class Served:
    """A bot that remembers what it was told, behind a webhook."""

    url: str
    inbox: Inbox
    http: aiohttp.ClientSession
    heard: list[str] = field(default_factory=list)
    well: bool = True

    async def post(self, data: Any, secret: str | None = SECRET) -> int:
        headers = {HEADER: secret} if secret is not None else {}
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        async with self.http.post(
            f"{self.url}/telegram", data=io.BytesIO(body), headers=headers
        ) as response:
            return response.status

    async def until_heard(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.heard) < count or not self.inbox.is_empty:
                await asyncio.sleep(0.001)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    dispatcher, bot = Dispatcher(disable_fsm=True), Bot("42:TEST")
    inbox, stopping, port = Inbox(folder / "inbox.jsonl"), asyncio.Event(), free_port()
    await inbox.open()

    async def check() -> None:
        if not bot_side.well:
            raise OSError("as told")

    webhook = Webhook(
        dispatcher,
        bot,
        inbox,
        path="/telegram",
        secret=SECRET,
        checks={"storage": check},
        metrics=Metrics(),
    )
    async with aiohttp.ClientSession() as http:
        bot_side = Served(f"http://127.0.0.1:{port}", inbox, http)

        async def hear(message: Message) -> None:
            bot_side.heard.append(message.text or "")

        dispatcher.message.register(hear)
        running = asyncio.create_task(webhook.serve("127.0.0.1", port, stopping))
        try:
            async with asyncio.timeout(PATIENCE):
                while not await listens(port):
                    await asyncio.sleep(0.001)
            yield bot_side
        finally:
            stopping.set()
            await running
            await inbox.close()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as served:
        yield served


@pytest.fixture
def client() -> Client:
    return Client(None, None, None)  # type: ignore[arg-type]


def says(client: Client, text: str) -> dict[str, Any]:
    return client.update(message=client.message(text))


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "x", "\udcff"])
async def test_without_the_secret_nothing_is_taken(
    served: Served, client: Client, secret: str | None
) -> None:
    assert await served.post(says(client, "forged"), secret) == 401
    assert await served.post(b"\xff no json", secret) == 401, "it is not even read"
    assert await served.post(says(client, "true")) == 200
    await served.until_heard(1)
    assert served.heard == ["true"]


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"5", b"{}", b'{"update_id": "5"}',
                                  b"\xff", b"[" * 100_000])  # fmt: skip
async def test_what_is_no_update_is_refused(served: Served, body: bytes) -> None:
    assert await served.post(body) == 400
    assert served.inbox.is_empty


async def test_a_body_without_end_is_refused(served: Served) -> None:
    assert await served.post(b'{"update_id": 1, "x": "' + b"x" * 2_000_000) == 413


async def test_what_cannot_be_decoded_is_taken_and_never_comes_again(served: Served) -> None:
    assert await served.post({"update_id": 1, "message": {"text": 5}}) == 200
    assert served.inbox.is_empty


async def test_an_update_that_is_brought_twice_is_handled_once(
    served: Served, client: Client
) -> None:
    update = says(client, "hello")
    codes = await asyncio.gather(*(served.post(update) for _ in range(5)))
    assert codes == [200] * 5
    await served.until_heard(1)
    assert await served.post(update) == 200
    assert await served.post(says(client, "next")) == 200
    await served.until_heard(2)
    assert served.heard == ["hello", "next"]


async def test_what_is_left_open_is_handled_at_the_start(tmp_path: Path, client: Client) -> None:
    inbox = Inbox(tmp_path / "inbox.jsonl")
    await inbox.open()
    await inbox.keep([says(client, "before the kill")])
    async with serving(tmp_path) as served:
        await served.until_heard(1)
        assert served.heard == ["before the kill"]
    await inbox.close()


async def test_health_tells_what_is_wrong(served: Served) -> None:
    async def health() -> tuple[int, Any]:
        async with served.http.get(f"{served.url}/healthz") as response:
            return response.status, await response.json()

    assert await health() == (200, {"storage": True})
    served.well = False
    assert await health() == (503, {"storage": False})


async def test_numbers_are_there_for_prometheus(served: Served) -> None:
    async with served.http.get(f"{served.url}/metrics") as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        assert "# TYPE bot_first_word_seconds histogram" in await response.text()


async def test_nothing_else_is_served(served: Served) -> None:
    for method, path in (("GET", "/telegram"), ("POST", "/"), ("POST", "/healthz"), ("GET", "/")):
        async with served.http.request(method, served.url + path) as response:
            assert response.status in {404, 405}


async def test_the_program_behind_a_webhook_is_killed_and_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    async with Playground(port=0) as telegram, Person(telegram.url, 1002) as ben:
        settings = {
            "BOT_TOKEN": telegram.token,
            "TELEGRAM_API_URL": telegram.url,
            "WEBHOOK_URL": f"http://127.0.0.1:{port}/telegram",
            "WEBHOOK_SECRET": SECRET,
            "WEBHOOK_PORT": str(port),
        }
        first = Program(tmp_path, **settings)
        await first.launch()
        await telegram.wait_for_call("setWebhook")
        await ben.ask("one", "You wrote: one")
        await ben.send("two")
        assert await first.stop(signal.SIGKILL) == -signal.SIGKILL
        await ben.send("three")
        second = Program(tmp_path, **settings)
        await second.launch()
        await ben.wait_message("You wrote: two")
        await ben.wait_message("You wrote: three")
        assert await second.stop() == 0, second.log
        assert SECRET not in first.log + second.log
        polling = Program(tmp_path, BOT_TOKEN=telegram.token, TELEGRAM_API_URL=telegram.url)
        await polling.launch()
        await telegram.wait_for_call("getUpdates")
        await ben.ask("four", "You wrote: four")
        assert await polling.stop() == 0, polling.log
    [chat] = stored_chats(tmp_path, 1002)
    questions = [m["text"] for m in chat["messages"] if m["type"] == "user_question"]
    assert questions == ["one", "two", "three", "four"]
    assert len(chat["messages"]) == 8


async def test_an_address_that_telegram_does_not_take_is_one_line(tmp_path: Path) -> None:
    async with Playground(port=0) as telegram:
        telegram.faults.add(method="setWebhook", error=400, description="bad webhook: no host")
        program = Program(
            tmp_path,
            BOT_TOKEN=telegram.token,
            TELEGRAM_API_URL=telegram.url,
            WEBHOOK_URL="https://bot.example.org/telegram",
            WEBHOOK_SECRET=SECRET,
        )
        code, said = await program.fail()
    assert code == 1
    assert said.splitlines()[-1] == "WEBHOOK_URL: Bad Request: bad webhook: no host"
    assert "Traceback" not in said
    assert "Unclosed" not in said
