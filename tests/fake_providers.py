"""Language model providers for tests: a local server that speaks as Anthropic and OpenAI do.

    async with FakeProviders() as fake:
        gate = Gate()
        fake.answers("Hello, world", pieces=3, gate=gate)   # for the next request, whoever asks
        ...  # the program under test asks `fake.openai_url` or `fake.anthropic_url`
        request = await fake.next_request()                 # what it sent
        gate.open()                                         # lets the second piece out
        await request.disconnected()                        # it hung up; or: request.finished()

Requests to `/v1/messages` are answered as Anthropic, to `/v1/chat/completions` as OpenAI, so one
script serves both. Replies are used up in the order they were set; after the last one every
request gets "ok". Nothing sleeps: what waits does so for a `Gate`, until it is opened.

Besides `answers` there are `refuses` (an HTTP error as the provider words it), `sends` (any bytes
as the whole body) and `streams`, which takes the steps of a stream one by one: `Say`, `Think`,
`Stop`, `Fail`, `Raw`, `Cut` and any `Gate`. A stream without `Stop` ends cleanly, without an end
marker. `before` holds back even the headers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from tests.waiting import PATIENCE


class Gate:
    """Lets one waiting step through for each `open`; a gate that is never opened hangs."""

    def __init__(self) -> None:
        self.is_reached = False
        self._permits = asyncio.Semaphore(0)

    def open(self, times: int = 1) -> None:
        for _ in range(times):
            self._permits.release()

    async def passed(self) -> None:
        self.is_reached = True
        await self._permits.acquire()


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Think:
    text: str


@dataclass(frozen=True)
class Stop:
    """The regular end. A `reason` that is not ours is sent as it is.

    One that is not `marked` has a reason, but no end marker after it.
    """

    reason: str = "stop"
    usage: bool = True
    marked: bool = True


@dataclass(frozen=True)
class Fail:
    """An error event inside a stream."""

    type: str = "overloaded_error"
    message: str = "Overloaded"


@dataclass(frozen=True)
class Raw:
    data: bytes


@dataclass(frozen=True)
class Cut:
    """The connection breaks."""


Step = Say | Think | Stop | Fail | Raw | Cut | Gate

# What every answer "costs": 15 tokens went in, 4 of them from the cache, and 7 came out.
INPUT, CACHED, OUTPUT = 15, 4, 7


class Request:
    """A request as it came in, and what became of it."""

    def __init__(self, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> None:
        self.path = path
        self.headers = headers
        self.body = body
        self._finished = asyncio.Event()
        self._disconnected = asyncio.Event()

    async def finished(self) -> None:
        """Wait until the whole reply is out."""
        async with asyncio.timeout(PATIENCE):
            await self._finished.wait()

    async def disconnected(self) -> None:
        """Wait until the client has hung up in the middle of the reply."""
        async with asyncio.timeout(PATIENCE):
            await self._disconnected.wait()

    @property
    def is_open(self) -> bool:
        return not (self._finished.is_set() or self._disconnected.is_set())


Reply = Callable[[web.Request, Request], Awaitable[web.StreamResponse]]


class FakeProviders:
    """See the module. `requests` has every request in the order it came."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self._arrived: asyncio.Queue[Request] = asyncio.Queue()
        self._replies: list[Reply] = []
        app = web.Application()
        app.router.add_post("/v1/messages", self._handle)
        app.router.add_post("/v1/chat/completions", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        return self.url

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def next_request(self) -> Request:
        """Wait for the next request that was not given yet."""
        async with asyncio.timeout(PATIENCE):
            return await self._arrived.get()

    def answers(
        self, text: str, *, pieces: int = 1, gate: Gate | None = None, reason: str = "stop"
    ) -> None:
        """Stream a text in that many pieces; each but the first waits for the gate."""
        size = max(1, -(-len(text) // pieces))
        steps: list[Step] = []
        for start in range(0, len(text), size):
            if steps and gate is not None:
                steps.append(gate)
            steps.append(Say(text[start : start + size]))
        self.streams(*steps, Stop(reason))

    def streams(self, *steps: Step, before: Gate | None = None) -> None:
        async def reply(http: web.Request, request: Request) -> web.StreamResponse:
            if before is not None:
                await before.passed()
            return await _stream(http, steps)

        self._replies.append(reply)

    def refuses(
        self,
        status: int,
        message: str = "No",
        *,
        type: str = "api_error",  # noqa: A002 - as the providers call it
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        async def reply(http: web.Request, request: Request) -> web.StreamResponse:
            error = {"type": type, "message": message}
            body: dict[str, Any] = {"type": "error", "error": error}
            if not _is_anthropic(http):
                body = {"error": {**error, "code": code, "param": None}}
            return web.json_response(body, status=status, headers=headers)

        self._replies.append(reply)

    def sends(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = "text/html",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        async def reply(http: web.Request, request: Request) -> web.StreamResponse:
            return web.Response(
                body=body, status=status, content_type=content_type, headers=headers
            )

        self._replies.append(reply)

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        request = Request(http.path, dict(http.headers), await http.json())
        self.requests.append(request)
        self._arrived.put_nowait(request)
        if not self._replies:
            self.answers("ok")
        reply = self._replies.pop(0)
        try:
            response = await reply(http, request)
        except (asyncio.CancelledError, ConnectionError):
            request._disconnected.set()
            raise
        request._finished.set()
        return response


async def _stream(http: web.Request, steps: tuple[Step, ...]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(http)
    events = _AnthropicEvents() if _is_anthropic(http) else _OpenAIEvents()
    await response.write(events.begin())
    for step in steps:
        if isinstance(step, Gate):
            await step.passed()
        elif isinstance(step, Cut):
            if http.transport is not None:
                http.transport.abort()
            return response
        elif isinstance(step, Raw):
            await response.write(step.data)
        else:
            await response.write(events.step(step))
    await response.write_eof()
    return response


def _is_anthropic(http: web.Request) -> bool:
    return http.path.endswith("/messages")


@dataclass
class _OpenAIEvents:
    def begin(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def step(self, step: Say | Think | Stop | Fail) -> bytes:
        match step:
            case Say(text):
                return self._chunk({"content": text})
            case Think(text):
                return self._chunk({"reasoning_content": text})
            case Fail(type, message):
                return _event({"error": {"type": type, "message": message, "code": None}})
            case Stop(reason, usage, marked):
                names = {"refused": "content_filter"}
                end = self._chunk({}, names.get(reason, reason))
                end += self._usage() if usage else b""
                return end + (b"data: [DONE]\n\n" if marked else b"")

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        return self._data([{"index": 0, "delta": delta, "finish_reason": reason}])

    def _usage(self) -> bytes:
        usage = {
            "prompt_tokens": INPUT,
            "completion_tokens": OUTPUT,
            "total_tokens": INPUT + OUTPUT,
            "prompt_tokens_details": {"cached_tokens": CACHED},
        }
        return self._data([], usage=usage)

    def _data(self, choices: list[dict[str, Any]], **rest: Any) -> bytes:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return _event({**head, "choices": choices, **rest})


@dataclass
class _AnthropicEvents:
    """Keeps count of content blocks: text and thoughts come in blocks of their own."""

    _indexes: count[int] = field(default_factory=count)
    _block: tuple[Literal["text", "thinking"], int] | None = None

    def begin(self) -> bytes:
        message: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": INPUT - CACHED,
                "cache_read_input_tokens": CACHED,
                "cache_creation_input_tokens": 0,
                "output_tokens": 1,
            },
        }
        return self._named("message_start", message=message)

    def step(self, step: Say | Think | Stop | Fail) -> bytes:
        match step:
            case Say(text):
                return self._delta("text", {"type": "text_delta", "text": text})
            case Think(text):
                return self._delta("thinking", {"type": "thinking_delta", "thinking": text})
            case Fail(type, message):
                return self._named("error", error={"type": type, "message": message})
            case Stop(reason, usage, marked):
                names = {"stop": "end_turn", "length": "max_tokens", "refused": "refusal"}
                delta = {"stop_reason": names.get(reason, reason), "stop_sequence": None}
                counted = {"output_tokens": OUTPUT} if usage else {}
                end = self._close() + self._named("message_delta", delta=delta, usage=counted)
                return end + (self._named("message_stop") if marked else b"")

    def _delta(self, kind: Literal["text", "thinking"], delta: dict[str, Any]) -> bytes:
        opening = b""
        if self._block is None or self._block[0] != kind:
            opening = self._close()
            self._block = (kind, next(self._indexes))
            block = {"type": kind, kind: ""} | ({"signature": ""} if kind == "thinking" else {})
            opening += self._named(
                "content_block_start", index=self._block[1], content_block=block
            )
        return opening + self._named("content_block_delta", index=self._block[1], delta=delta)

    def _close(self) -> bytes:
        if self._block is None:
            return b""
        index, self._block = self._block[1], None
        return self._named("content_block_stop", index=index)

    def _named(self, type: str, **rest: Any) -> bytes:  # noqa: A002 - as Anthropic calls it
        return f"event: {type}\n".encode() + _event({"type": type, **rest})


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
