"""The playground itself: one HTTP server that is Telegram for a bot and for two persons."""

import secrets
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aiogram.client.telegram import TelegramAPIServer
from aiohttp import web

from .bot_api import BotApi, Call
from .dialogs import PERSONS, Person
from .faults import Faults
from .guards import Handler, add_security_headers, guard
from .person_api import PAGE_FOLDER, PersonApi
from .saving import StateFile
from .world import BOT_ID, World

_HOST: Final = "127.0.0.1"
_MAX_REQUEST_BYTES: Final = 51 * 1024 * 1024
_SHUTDOWN_SECONDS: Final = 1.0


class Playground:
    """A local Bot API and a chat page in the browser, for running a bot without Telegram.

    ``async with Playground(port=0) as playground`` serves until the block ends: point a bot at
    ``playground.api`` with ``playground.token``, open ``playground.url``. With a ``state_path``
    the dialogs are there again after a restart. A Playground is started once.
    """

    def __init__(
        self,
        *,
        port: int = 8080,
        state_path: Path | None = None,
        persons: Sequence[Person] = PERSONS,
    ) -> None:
        self._port = port
        folder = state_path.with_name(f"{state_path.stem}_files") if state_path else None
        self._world = World(persons, folder=folder, changed=self._changed)
        self._state = StateFile(state_path, self._world.to_json) if state_path else None
        self._runner: web.AppRunner | None = None
        self.token = f"{BOT_ID}:{secrets.token_urlsafe(24)}"
        self.faults = Faults()
        self._bot_api = BotApi(self._world, self.token, self.faults)

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._port}/"

    @property
    def api(self) -> TelegramAPIServer:
        return TelegramAPIServer.from_base(self.url)

    @property
    def calls(self) -> deque[Call]:
        """The last calls of the bot, oldest first."""
        return self._bot_api.calls

    async def wait_for_call(self, method: str, times: int = 1) -> Call:
        """The call, as soon as the bot has called this method so many times."""
        return await self._bot_api.wait_for_call(method, times)

    async def start(self) -> None:
        """Raises OSError when the port is taken."""
        runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, _HOST, self._port)
            await self._load()
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = int(runner.addresses[0][1])
        if self._state is not None:
            self._state.start()

    async def close(self) -> None:
        await self._world.webhooks.stop()
        self._world.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            if self._state is not None:
                await self._state.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _application(self) -> web.Application:
        application = web.Application(
            middlewares=[guard, self._keep], client_max_size=_MAX_REQUEST_BYTES
        )
        application.on_response_prepare.append(add_security_headers)
        application.add_routes(self._bot_api.routes())
        application.add_routes(PersonApi(self._world).routes())
        application.router.add_static("/page", PAGE_FOLDER)
        return application

    @web.middleware
    async def _keep(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Says that a person's action is done, or hands an update over, only when it is saved.

        So a killed playground never gives the same ids twice.
        """
        response = await handler(request)
        is_action = request.method == "POST" and request.path.startswith("/person/")
        if self._state is not None and (is_action or request.path.endswith("/getUpdates")):
            await self._state.saved()
        return response

    async def _load(self) -> None:
        if self._state is not None:
            await self._state.load(self._world.restore)

    def _changed(self) -> None:
        if self._state is not None:
            self._state.changed()
