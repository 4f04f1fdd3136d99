"""One question to a model: asked, read as it is answered, asked again where that may help."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal, TypeVar, cast

import httpx2
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import StreamedResponse
from pydantic_ai.settings import ModelSettings, ThinkingLevel

from .base import AnswerError, AnswerResult, ErrorKind, Usage
from .providers import Providers, Target
from .wording import Words

logger = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[object]]
State = Literal["complete", "length", "refused"]
T = TypeVar("T")

_RETRIES = 2
_CONNECT = 10.0  # seconds
_RETRIED: frozenset[ErrorKind] = frozenset({"rate", "overload", "server", "network"})
_LONGEST_WAIT = 10.0  # seconds; who is to wait longer is told so instead
_PATIENCE = 4  # times the limits on silence, where long silence is normal
_STATES: dict[str | None, State] = {"length": "length", "content_filter": "refused"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long a model may answer.

    `max_tokens` bounds an answer together with its thoughts; the deep mode of a provider's own
    service gets `thought_tokens` more. `first_event`, `gap` and `whole` are seconds: until the
    first event of an attempt, of any silence of the server, and for all attempts together, the
    reader's own time included. The first two count fourfold in the deep mode and for a server
    that may be a home computer, which loads its model first.
    """

    max_tokens: int = 8192
    thought_tokens: int = 24_576
    first_event: float = 45.0
    gap: float = 60.0
    whole: float = 600.0

    def patient(self) -> Limits:
        return replace(self, first_event=self.first_event * _PATIENCE, gap=self.gap * _PATIENCE)


@dataclass(frozen=True, slots=True)
class Request:
    target: Target
    messages: Sequence[ModelMessage]
    max_tokens: int
    thinking: ThinkingLevel
    limits: Limits
    retries: int = _RETRIES

    @property
    def settings(self) -> ModelSettings:
        """What the library is told. Never a temperature: newer models refuse it."""
        # The library's type knows the older httpx alone; it hands the value to the SDKs as it is.
        timeout = cast("float", httpx2.Timeout(self.limits.gap, connect=_CONNECT))
        ours = ModelSettings(
            max_retries=0,  # the Anthropic SDK sleeps for as long as a Retry-After says
            max_tokens=self.max_tokens,
            thinking=self.thinking,
            timeout=timeout,
        )
        return {**self.target.settings, **ours}


class ModelStream:
    """An answer on its way. The provider is asked when it is first read."""

    def __init__(self, request: Request, providers: Providers, sleep: Sleep) -> None:
        self._request = request
        self._providers = providers
        self._sleep = sleep
        self._parts: list[str] = []
        self._state: State | None = None
        self._usage: Usage | None = None
        self._deltas = self._read()

    def __aiter__(self) -> AsyncIterator[str]:
        return self._deltas

    @property
    def result(self) -> AnswerResult:
        return AnswerResult(
            self._state or "partial", "".join(self._parts), self._usage, self._request.target.id
        )

    async def close(self) -> None:
        """Close the connection, by which the server learns that it may stop."""
        with suppress(AnswerError):  # nobody waits for more
            await self._deltas.aclose()

    async def _read(self) -> AsyncGenerator[str, None]:
        deadline = _now() + self._request.limits.whole
        for attempt in count(1):
            try:
                async with aclosing(self._attempt(deadline)) as deltas:
                    async for delta in deltas:
                        self._parts.append(delta)
                        yield delta
            except AnswerError as error:
                failure = error
            else:
                return
            wait = float(attempt) if failure.retry_after is None else failure.retry_after
            last = attempt > self._request.retries
            if self._parts or last or not _worth(failure, wait, deadline):
                raise failure
            logger.info("asking %s again in %.1f s: %s", self._request.target.id, wait, failure)
            await self._sleep(wait)

    async def _attempt(self, deadline: float) -> AsyncGenerator[str, None]:
        """Ask once; whatever goes wrong becomes an `AnswerError`, without its cause.

        A cause would take what the server said, keys included, into tracebacks.
        """
        response: StreamedResponse | None = None
        try:
            async with AsyncExitStack() as opened:
                response = await self._open(opened, deadline)
                deltas = self._texts(response, deadline)
                await opened.enter_async_context(aclosing(deltas))
                async for delta in deltas:
                    yield delta
        except Exception as error:  # noqa: BLE001 - libraries let through what a server's garbage does to them
            exchanged = [*_texts_of(self._request.messages), *self._parts]
            failure = self._providers.failure(error, "".join(exchanged))
        else:
            failure = AnswerError("protocol", "the stream ended without a finish reason")
        # Once a model said why it ended, what happens to the rest of the stream does not matter.
        if response is None or not self._finish(response):
            raise failure

    async def _open(self, opened: AsyncExitStack, deadline: float) -> StreamedResponse:
        """Send the request and wait for the first event."""
        request = self._request
        opening = model_request_stream(
            request.target.model,
            request.messages,
            model_settings=request.settings,
            instrument=False,
        )
        limit = min(deadline, _now() + request.limits.first_event)
        return await _before(limit, opened.enter_async_context(opening), "begin")

    async def _texts(
        self, response: StreamedResponse, deadline: float
    ) -> AsyncGenerator[str, None]:
        words = Words(tagged=self._request.target.tagged)
        events = cast("AsyncGenerator[ModelResponseStreamEvent, None]", aiter(response))
        async with aclosing(events):
            while (event := await _before(deadline, anext(events, None), "end")) is not None:
                if text := words.feed(_text_of(event)):
                    yield text
        if text := words.end():
            yield text

    def _finish(self, response: StreamedResponse) -> bool:
        """Note why the model ended; False when it did not say."""
        raw = (response.provider_details or {}).get("finish_reason")
        reason = response.finish_reason
        if (reason is None and not raw) or reason == "error":
            return False
        self._state = _STATES.get(reason, "complete")  # servers have reasons of their own: "eos"
        self._usage = _usage(response)
        return True


def _texts_of(messages: Sequence[ModelMessage]) -> Iterator[str]:
    """Give all that people, models and the operator said in a request, a line each."""
    for message in messages:
        contents = [getattr(part, "content", None) for part in message.parts]
        if isinstance(message, ModelRequest):
            contents.append(message.instructions)
        yield from (f"{content}\n" for content in contents if content)


def _text_of(event: ModelResponseStreamEvent) -> str:
    text: object = ""
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        text = event.part.content
    elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        text = event.delta.content_delta
    if not isinstance(text, str):  # the SDKs check nothing of what they read
        raise TypeError(f"a text is of type {type(text).__name__}")
    return text


def _usage(response: StreamedResponse) -> Usage | None:
    counted = response.usage
    usage = Usage(
        _count(counted.input_tokens),
        _count(counted.output_tokens),
        _count(counted.cache_read_tokens),
    )
    return None if usage == Usage() else usage


def _count(tokens: object) -> int | None:
    return tokens if isinstance(tokens, int) and tokens > 0 else None


def _worth(failure: AnswerError, wait: float, deadline: float) -> bool:
    return failure.kind in _RETRIED and wait <= _LONGEST_WAIT and _now() + wait < deadline


async def _before(deadline: float, awaitable: Awaitable[T], what: str) -> T:
    """Await something until a moment on the loop's clock."""
    try:
        async with asyncio.timeout_at(deadline):
            return await awaitable
    except TimeoutError as error:
        raise TimeoutError(f"the answer did not {what} in time {error}".rstrip()) from None


def _now() -> float:
    return asyncio.get_running_loop().time()
