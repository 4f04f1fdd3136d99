"""How updates come in by webhook: known by its secret, written down, and only then taken."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import Bot, Dispatcher
from aiohttp import web

from conversations import StorageError

from .access import Access
from .inboxes import UpdateInbox
from .incoming import PATIENCE, Incoming
from .metrics import Metrics

logger = logging.getLogger(__name__)

_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - it names the header
_MOST_BYTES = 1024 * 1024
_HEALTH_SECONDS = 5

Check = Callable[[], Awaitable[object]]


class Webhook:
    """An HTTP server for one bot's updates, behind a proxy that speaks TLS.

    `checks` are asked by `GET /healthz`, each under its name; one that raises or takes longer than
    five seconds makes the answer 503. `GET /metrics` gives the `metrics`, to whoever asks: a proxy
    is to let strangers to the webhook's path alone.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        bot: Bot,
        inbox: UpdateInbox,
        *,
        path: str,
        secret: str,
        checks: dict[str, Check],
        access: Access | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._bot = bot
        self._incoming = Incoming(inbox, access)
        self._secret = secret.encode()
        self._checks = checks
        dispatcher.update.outer_middleware(self._incoming)
        self._application = web.Application(client_max_size=_MOST_BYTES)
        self._application.router.add_post(path or "/", self._take)
        self._application.router.add_get("/healthz", self._tell_health)
        if metrics is not None:
            self._metrics = metrics
            self._application.router.add_get("/metrics", self._tell_metrics)

    async def serve(self, host: str, port: int, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set; return when handlers are done and answers are stored.

        First what the last run left open is handled.

        :raises OSError: the port cannot be used.
        """
        data = {"dispatcher": self._dispatcher, "bots": (self._bot,), "bot": self._bot}
        runner = web.AppRunner(self._application, access_log=None)
        await runner.setup()
        try:
            await self._dispatcher.emit_startup(**data)
            await self._incoming.attend(self._dispatcher, self._bot)
            await web.TCPSite(runner, host, port).start()
            logger.info("updates are taken on %s:%d", *runner.addresses[0][:2])
            await stopping.wait()
        finally:
            await runner.cleanup()
            await self._incoming.settle(PATIENCE)
            await self._dispatcher.emit_shutdown(**data)

    async def _take(self, request: web.Request) -> web.Response:
        """Take an update; nothing is read of what comes without the secret."""
        given = request.headers.get(_SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._secret):
            return web.Response(status=401)
        try:
            raw: Any = json.loads(await request.read())
        except (ValueError, RecursionError):
            return web.Response(status=400)
        if not isinstance(raw, dict) or not isinstance(raw.get("update_id"), int):
            return web.Response(status=400)
        try:
            await self._incoming.take(self._dispatcher, self._bot, raw)
        except StorageError as error:
            logger.warning("update %d was not taken: %s", raw["update_id"], error)
            return web.Response(status=503)  # Telegram brings it again
        return web.Response()

    async def _tell_metrics(self, _request: web.Request) -> web.Response:
        headers = {"Content-Type": self._metrics.content_type}
        return web.Response(body=self._metrics.render(), headers=headers)

    async def _tell_health(self, _request: web.Request) -> web.Response:
        names = list(self._checks)
        found = await asyncio.gather(*(_is_well(name, self._checks[name]) for name in names))
        status = 200 if all(found) else 503
        return web.json_response(dict(zip(names, found, strict=True)), status=status)


async def _is_well(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(_HEALTH_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not well
        logger.warning("%s is not well: %s", name, type(error).__name__)
        return False
    return True
