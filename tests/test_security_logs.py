"""Logs: one printable line a record, and nothing in them that is secret or that people said."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fake_providers import Cut, Fail, FakeProviders, Raw, Say
from tests.playground_client import Person
from tests.program import ROOT, Program
from tests.waiting import PATIENCE, until

TOKEN = "123456:AA-canary-token-of-the-bot"
KEY = "sk-canary-key-0123456789"
HEAD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR|CRITICAL) [\w.]+: ")
FORGED = "\n2026-11-22 12:00:00,000 INFO bot: forged\r\x1b[2K\x85\u2028\u202e"


def check(log: str, *said: str) -> None:
    """Every line is ours, printable, without a canary; the log is not empty for another reason."""
    assert "canary" not in log.casefold(), [ln for ln in log.splitlines() if "canary" in ln]
    for line in log.removesuffix("\n").split("\n"):
        assert line.isprintable(), line
        assert HEAD.match(line) or line.startswith("    "), line
        assert not line.endswith("INFO bot: forged")
    for words in said:
        assert words in log, log


def update(number: int, **content: Any) -> dict[str, Any]:
    return {"update_id": number, **content}


def message(number: int, text: str) -> dict[str, Any]:
    person = {"id": 1002, "is_bot": False, "first_name": "canary-first-name"}
    chat = {"id": 1002, "type": "private"}
    return {"message_id": number, "date": 1, "chat": chat, "from": person, "text": text}


class Mischief:
    """A Bot API server that does what may bring secrets and texts into a log."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.batches: list[str] = [
            '{"ok": true, "result": [{"message": "canary-cut',
            '{"ok": true, "result": {"text": "canary-no-list"}}',
        ]
        poison = {"id": "1", "from": {"id": 1}, "data": "canary-undecodable"}
        widget = {"text": f"canary-of-an-unknown-kind{FORGED}"}
        batch = [
            update(1, callback_query=poison),
            update(2, widget_answer=widget),
            update(3, message=message(3, f"canary-question{FORGED}")),
            update(4, message=message(4, "/chats")),
            update(5, message=message(5, "canary-again")),
        ]
        self.batch = {"ok": True, "result": batch}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        number = self.calls.count(method)
        if method == "getMe":
            bot = {"id": 123456, "is_bot": True, "first_name": "Bot", "username": "test_bot"}
            return web.json_response({"ok": True, "result": bot})
        if method == "getUpdates":
            return await self._updates(request, number)
        if "💬" in str((await request.post()).get("text")):
            return web.json_response({"ok": True, "result": {"text": "canary-in-an-answer"}})
        return self._refusal(request)

    async def _updates(self, request: web.Request, number: int) -> web.StreamResponse:
        if number <= 11:  # one more than a client follows
            raise web.HTTPTemporaryRedirect(location=str(request.url))
        if self.batches:
            return web.Response(text=self.batches.pop(0), content_type="application/json")
        if self.batch:
            batch, self.batch = self.batch, {}
            return web.json_response(batch)
        await asyncio.Event().wait()
        raise AssertionError

    def _refusal(self, request: web.Request) -> web.Response:
        """Quote the text and tell the address, the token in it, as a proxy's page may."""
        reason = f"Bad Request: entity URL 'http://canary{FORGED}' is invalid in {request.url}"
        answer = {"ok": False, "error_code": 400, "description": reason}
        return web.json_response(answer, status=400)


@asynccontextmanager
async def mischief() -> AsyncIterator[tuple[Mischief, str]]:
    telegram, application = Mischief(), web.Application()
    application.router.add_route("*", "/{bot}/{method}", telegram.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield telegram, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def again(person: Person, told: str) -> None:
    """Ask anew as soon as the bot has put the answer before away."""
    while "on its way" in (said := await person.ask("/again"))["text"]:
        pass
    assert told in said["text"]


async def test_a_tour_with_a_failing_provider_and_a_failing_disk(tmp_path: Path) -> None:
    (tmp_path / "data" / "conversations").mkdir(parents=True)
    (tmp_path / "data" / "conversations" / "user_1001").write_text("no folder")
    async with FakeProviders() as fake:
        settings = {
            "MODEL": "openai:fake", "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": fake.openai_url,
            "SYSTEM_PROMPT": "canary-prompt", "LOG_LEVEL": "DEBUG",
        }  # fmt: skip
        async with (
            Program(tmp_path, **settings) as program,
            Person(program.url, 1001) as anna,
            Person(program.url, 1002) as ben,
        ):
            await anna.ask("canary-question", "Хранилище")
            fake.answers("**canary-answer**" + FORGED)
            fake.answers("canary-title" + FORGED)
            await ben.ask("canary-question" + FORGED, "canary-answer")
            fake.refuses(400, f"'canary-again' was refused, {KEY}{FORGED} unheard")
            await ben.ask("Canary-Again and again", "did not accept")
            for _ in range(3):
                fake.refuses(503, f"busy with \\u0022canary-again, Bearer {KEY}{FORGED}")
            await again(ben, "overloaded")
            fake.streams(Say("canary-half"), Fail("api_error", "canary-half is too much"))
            await again(ben, "failed")
            fake.streams(Say("canary-half"), Cut())
            await again(ben, "cannot be reached")
            fake.streams(Raw(b'data: {"choices": "canary-junk"}\n\n'))
            await again(ben, "cannot be understood")
            await ben.ask("/rename canary-name" + FORGED, "canary-name")
            await ben.document("canary-file.txt", b"canary-content", caption="canary-caption")
            await ben.ask("/delete", "canary-name")
    check(program.log, "the storage failed", "unheard", "status_code: 400", "stopped; everything")


async def test_a_tour_with_a_telegram_that_errs(tmp_path: Path) -> None:
    async with mischief() as (telegram, url):
        settings = {"BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": url, "PYTHONWARNINGS": "default"}
        program = Program(tmp_path, **settings)
        await program._spawn()
        await until(lambda: telegram.calls.count("sendMessage") >= 4)
        assert await program.stop() == 0
    check(
        program.log,
        "commands could not be registered: TelegramBadRequest: Bad Request: entity URL ...",
        "Failed to fetch updates - TelegramNetworkError: ",
        "update 1 cannot be decoded",
        "has nothing that is known here",
        "a message could not be sent: TelegramBadRequest: Bad Request: entity URL ...",
        "ERROR aiogram.event: Cause exception while process update id=4",
        "    ClientDecodeError\n",
    )
    assert FORGED not in program.log


CRASH = """
import sys
import bot.__main__
async def run(settings):
    token = settings.bot_token.get_secret_value()
    try:
        raise KeyError("no " + token)
    except KeyError as error:
        raise OSError(5, "Input/output error\\n    Traceback", "/dev/" + token) from error
bot.__main__.run = run
sys.exit(bot.__main__.main())
"""


def test_a_crash_at_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASH], cwd=tmp_path, timeout=PATIENCE, check=False,
        env={**os.environ, "BOT_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    check(done.stderr, "the bot failed", "    KeyError\n", "OSError: [Errno 5] Input/output error")
    assert "'/dev/[secret]'" in done.stderr
