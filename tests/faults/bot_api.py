"""A Bot API over HTTP that only takes what a bot sends, and remembers who sent it, and when."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from tests.telegram import BOT_USER, chat_of

TOKEN = f"{BOT_USER['id']}:TEST"


@dataclass(frozen=True)
class Sent:
    worker: str
    text: str
    time: float  # seconds of a monotonic clock


class BotApi:
    """Each worker has an address of its own, `url_for(name)`, by which it is known."""

    def __init__(self) -> None:
        self.sent: dict[int, list[Sent]] = defaultdict(list)
        self._ids = itertools.count(1_000_000)
        self._changed = asyncio.Condition()
        application = web.Application()
        application.router.add_post("/{worker}/bot{token}/{method}", self._take)
        self._runner = web.AppRunner(application, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1000).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def url_for(self, worker: str) -> str:
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/{worker}"

    async def wait_for(self, condition: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(condition)

    async def _take(self, request: web.Request) -> web.Response:
        data = dict(await request.post())
        match request.match_info["method"]:
            case "getMe":
                result: Any = BOT_USER
            case "getMyCommands":
                result = []
            case "getMyDescription":
                result = {"description": ""}
            case "getMyShortDescription":
                result = {"short_description": ""}
            case "sendMessage":
                result = await self._send(request.match_info["worker"], data)
            case _:
                result = True
        return web.json_response({"ok": True, "result": result})

    async def _send(self, worker: str, data: dict[str, Any]) -> dict[str, Any]:
        chat_id, text = int(data["chat_id"]), str(data["text"])
        async with self._changed:
            self.sent[chat_id].append(Sent(worker, text, time.monotonic()))
            self._changed.notify_all()
        return {
            "message_id": next(self._ids),
            "date": int(time.time()),
            "chat": chat_of(chat_id),
            "from": BOT_USER,
            "text": text,
            "entities": json.loads(data.get("entities", "[]")),
        }
