"""The Bot API over HTTP: token, method, parameters, answer."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from aiogram import methods as m
from aiohttp import web

from . import describing, editing, inline, receiving, sending
from .calls import Request, Upload, checked_request, read_parameters
from .errors import BotApiError
from .faults import Fault, Faults
from .world import World

logger = logging.getLogger(__name__)

_Handler = Callable[[World, Request], Awaitable[Any]]
_MAX_CALLS: Final = 2000

_METHODS: Final[Mapping[type[m.TelegramMethod[Any]], _Handler]] = MappingProxyType(
    {
        m.GetMe: receiving.get_me,
        m.GetUpdates: receiving.get_updates,
        m.SetWebhook: receiving.set_webhook,
        m.DeleteWebhook: receiving.delete_webhook,
        m.GetWebhookInfo: receiving.get_webhook_info,
        m.LogOut: receiving.leave,
        m.Close: receiving.leave,
        m.GetFile: receiving.get_file,
        m.GetChat: receiving.get_chat,
        m.AnswerCallbackQuery: receiving.answer_callback_query,
        m.AnswerInlineQuery: inline.answer_inline_query,
        m.SendMessage: sending.send_message,
        m.SendRichMessage: sending.send_rich_message,
        m.SendDocument: sending.send_document,
        m.SendMessageDraft: sending.send_message_draft,
        m.SendChatAction: sending.send_chat_action,
        m.EditMessageText: editing.edit_message_text,
        m.EditMessageReplyMarkup: editing.edit_message_reply_markup,
        m.DeleteMessage: editing.delete_message,
        m.DeleteMessages: editing.delete_messages,
        m.SetMessageReaction: editing.set_message_reaction,
        m.SetMyCommands: describing.set_my_commands,
        m.GetMyCommands: describing.get_my_commands,
        m.DeleteMyCommands: describing.delete_my_commands,
        m.SetMyName: describing.set_my_name,
        m.GetMyName: describing.get_my_name,
        m.SetMyDescription: describing.set_my_description,
        m.GetMyDescription: describing.get_my_description,
        m.SetMyShortDescription: describing.set_my_short_description,
        m.GetMyShortDescription: describing.get_my_short_description,
        m.SetChatMenuButton: describing.set_chat_menu_button,
        m.GetChatMenuButton: describing.get_chat_menu_button,
    }
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the bot made, for tests to look at."""

    method: str
    parameters: Mapping[str, Any]
    at: float
    """time.monotonic()"""


class BotApi:
    """``calls`` holds the last 2000 calls, in the order in which they came."""

    def __init__(self, world: World, token: str, faults: Faults) -> None:
        self._world = world
        self._token = token
        self._faults = faults
        self._handlers = {
            model.__api_method__.lower(): (model, handler) for model, handler in _METHODS.items()
        }
        self._called = asyncio.Event()
        self.calls: deque[Call] = deque(maxlen=_MAX_CALLS)

    async def wait_for_call(self, method: str, times: int = 1) -> Call:
        """The call, as soon as the bot has called this method so many times."""
        while True:
            called = self._called
            found = [call for call in self.calls if call.method.lower() == method.lower()]
            if len(found) >= times:
                return found[times - 1]
            await called.wait()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/bot{token:[^/]+}/{method}", self._call, allow_head=False),
            web.post("/bot{token:[^/]+}/{method}", self._call),
            web.get("/file/bot{token:[^/]+}/{path:.+}", self._download, allow_head=False),
        ]

    async def _call(self, request: web.Request) -> web.StreamResponse:
        try:
            self._check_token(request)
            name = request.match_info["method"]
            values, uploads = await read_parameters(request)
            self._remember(Call(name, MappingProxyType(values), time.monotonic()))
            fault = self._faults.take(name)
            result = await self._result(name, values, uploads, fault)
        except BotApiError as error:
            return web.json_response(error.answer(), status=error.code)
        except web.HTTPRequestEntityTooLarge:
            return web.json_response(BotApiError("", code=413).answer(), status=413)
        if fault is not None and fault.drop and request.transport is not None:
            request.transport.abort()
        if fault is not None and fault.garbage:
            return web.Response(text="<html>502 Bad Gateway</html>", content_type="text/html")
        return web.json_response({"ok": True, "result": result})

    async def _result(
        self, name: str, values: dict[str, Any], uploads: dict[str, Upload], fault: Fault | None
    ) -> Any:
        if fault is not None and not fault.done:
            await fault.happen()
            if fault.drop or fault.garbage:
                return None
        result = await self._run(name, values, uploads)
        if fault is not None and fault.done:
            await fault.happen()
        return result

    async def _run(self, name: str, values: dict[str, Any], uploads: dict[str, Upload]) -> Any:
        if name.lower() not in self._handlers:
            logger.warning("the playground has no method %s", name)
            raise BotApiError("method not found", code=404)
        model, handler = self._handlers[name.lower()]
        try:
            return await handler(self._world, checked_request(model, values, uploads))
        except BotApiError as error:
            logger.info("%s was refused: %d", name, error.code)  # its words quote people
            raise

    async def _download(self, request: web.Request) -> web.StreamResponse:
        try:
            self._check_token(request)
        except BotApiError as error:
            return web.json_response(error.answer(), status=error.code)
        file = self._world.files.at(request.match_info["path"])
        content = await self._world.files.read(file) if file else None
        if content is None:
            return web.json_response(BotApiError("", code=404).answer(), status=404)
        return web.Response(body=content, content_type="application/octet-stream")

    def _remember(self, call: Call) -> None:
        self.calls.append(call)
        self._called.set()
        self._called = asyncio.Event()

    def _check_token(self, request: web.Request) -> None:
        if not secrets.compare_digest(request.match_info["token"].encode(), self._token.encode()):
            raise BotApiError("", code=401)
