"""The persons over HTTP: actions as JSON; the dialog at once, by long poll, and as events."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import inline, persons
from .dialogs import Dialog, Wire
from .errors import PersonError
from .feed import Event
from .world import World

PAGE_FOLDER: Final = Path(__file__).parent / "page"
_MAX_WAIT: Final = 50.0
_HEARTBEAT_SECONDS: Final = 15.0


class _Action(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)


class _SendText(_Action):
    text: str = Field(max_length=500_000)
    reply_to: int | None = None


class _Press(_Action):
    message_id: int
    data: str


class _SendSticker(_Action):
    emoji: str = Field("👍", min_length=1, max_length=16)
    reply_to: int | None = None


class _SendVoice(_Action):
    duration: int = Field(3, ge=1, le=3600)
    reply_to: int | None = None


class _SendDocument(_Action):
    name: str = Field(min_length=1, max_length=255)
    content: str
    """base64"""
    mime_type: str | None = None
    caption: str = ""
    reply_to: int | None = None


class _EditText(_Action):
    message_id: int
    text: str


class _TypeQuery(_Action):
    query: str = Field(max_length=256)
    offset: str = ""


class _StopDraft(_Action):
    draft_id: int


_ActionType = TypeVar("_ActionType", bound=_Action)


class PersonApi:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        person = "/person/{user_id:[0-9]{1,20}}"
        return [
            web.get("/", self._page),
            web.get("/person", self._persons),
            web.get(f"{person}/dialog", self._dialog_json),
            web.get(f"{person}/events", self._events, allow_head=False),
            web.get(f"{person}/files/{{file_id}}", self._file, allow_head=False),
            web.post(f"{person}/send", self._send),
            web.post(f"{person}/press", self._press),
            web.post(f"{person}/sticker", self._sticker),
            web.post(f"{person}/voice", self._voice),
            web.post(f"{person}/document", self._document),
            web.post(f"{person}/edit", self._edit),
            web.post(f"{person}/stop", self._stop),
            web.post(f"{person}/inline", self._inline),
        ]

    async def _page(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002
        return web.FileResponse(PAGE_FOLDER / "index.html")

    async def _persons(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.json_response([d.person.user() for d in self._world.dialogs.values()])

    async def _dialog_json(self, request: web.Request) -> web.Response:
        dialog = self._dialog(request)
        try:
            wait = min(float(request.query.get("wait", 0)), _MAX_WAIT)
        except ValueError:
            raise PersonError("wait is a number of seconds") from None
        if "since" in request.query:
            await dialog.feed.wait(request.query["since"], wait)
        return web.json_response(self._world.view(dialog))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: the whole dialog first, then what happens in it."""
        dialog = self._dialog(request)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        watcher = dialog.feed.watch()
        try:
            await _write(response, {"type": "dialog", "dialog": self._world.view(dialog)})
            while (event := await _next(watcher)) is not None:
                await _write(response, event)
        except ConnectionResetError:
            pass
        finally:
            dialog.feed.unwatch(watcher)
        return response

    async def _file(self, request: web.Request) -> web.Response:
        dialog = self._dialog(request)
        file_id = request.match_info["file_id"]
        is_shown = any(message.file_id == file_id for message in dialog.messages.values())
        file = self._world.files.find(file_id) if is_shown else None
        content = await self._world.files.read(file) if file else None
        if file is None or content is None:
            raise PersonError("this file is gone", code=404)
        # A download, never a page of ours: what a file says must not run here.
        name = quote(file.name, safe="")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return web.Response(body=content, headers=headers, content_type="application/octet-stream")

    async def _send(self, request: web.Request) -> web.Response:
        dialog, action = await self._action(request, _SendText)
        sent = await persons.send_text(self._world, dialog, action.text, action.reply_to)
        return web.json_response({"messages": [dialog.view(message) for message in sent]})

    async def _press(self, request: web.Request) -> web.Response:
        dialog, action = await self._action(request, _Press)
        query = await persons.press(self._world, dialog, action.message_id, action.data)
        return web.json_response(query.view())

    async def _sticker(self, request: web.Request) -> web.Response:
        dialog, action = await self._action(request, _SendSticker)
        message = await persons.send_sticker(self._world, dialog, action.emoji, action.reply_to)
        return web.json_response({"messages": [dialog.view(message)]})

    async def _voice(self, request: web.Request) -> web.Response:
        dialog, action = await self._action(request, _SendVoice)
        message = await persons.send_voice(self._world, dialog, action.duration, action.reply_to)
        return web.json_response({"messages": [dialog.view(message)]})

    async def _document(self, request: web.Request) -> web.Response:
        dialog, action = await self._action(request, _SendDocument)
        try:
            content = base64.b64decode(action.content, validate=True)
        except ValueError:
            raise PersonError("the content is not base64") from None
        if not content:
            raise PersonError("the file is empty")
        file = await self._world.files.add(action.name, action.mime_type, content)
        message = await persons.send_document(
            self._world, dialog, file, action.caption, action.reply_to
        )
        return web.json_response({"messages": [dialog.view(message)]})

    async def _edit(self, request: web.Request) -> web.Response:
        dialog, action = await self._action(request, _EditText)
        edited = await persons.edit_text(self._world, dialog, action.message_id, action.text)
        return web.json_response({"messages": [dialog.view(edited)]})

    async def _stop(self, request: web.Request) -> web.Response:
        dialog, action = await self._action(request, _StopDraft)
        await persons.stop_draft(self._world, dialog, action.draft_id)
        return web.json_response({})

    async def _inline(self, request: web.Request) -> web.Response:
        dialog, action = await self._action(request, _TypeQuery)
        answer = await inline.type_query(self._world, dialog, action.query, action.offset)
        return web.json_response(answer)

    def _dialog(self, request: web.Request) -> Dialog:
        dialog = self._world.dialogs.get(int(request.match_info["user_id"]))
        if dialog is None:
            raise PersonError("there is no such person", code=404)
        return dialog

    async def _action(
        self, request: web.Request, model: type[_ActionType]
    ) -> tuple[Dialog, _ActionType]:
        try:
            action = model.model_validate_json(await request.read())
        except ValidationError as error:
            problem = error.errors()[0]
            raise PersonError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
        return self._dialog(request), action


async def _next(watcher: asyncio.Queue[Event | None]) -> Event | None:
    try:
        async with asyncio.timeout(_HEARTBEAT_SECONDS):
            return await watcher.get()
    except TimeoutError:
        # Something must be written now and then, or a closed page would never be noticed.
        return {"type": "alive"}


async def _write(response: web.StreamResponse, event: Wire) -> None:
    await response.write(f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())
