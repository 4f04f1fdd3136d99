"""What an answerer is: anything that streams text for the turns of one chat."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeGuard, runtime_checkable

Mode = Literal["fast", "deep"]
ErrorKind = Literal[
    "auth",
    "rate",
    "quota",
    "overload",
    "timeout",
    "network",
    "too_long",
    "bad_request",
    "server",
    "protocol",
]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a chat as a model gets it."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them, None where it did not; `input` includes `cached`."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """What an answer came to.

    `state` is "complete"; "length" where the model's limit cut it; "refused" where the provider
    withheld it; "partial" while it runs and when it was stopped or failed. `usage` is None where
    nothing was counted.
    """

    state: Literal["complete", "length", "refused", "partial"]
    text: str
    usage: Usage | None = None
    model: str | None = None


class AnswerError(Exception):
    """An answer failed. `detail` is for the log alone; `retry_after` is in seconds."""

    def __init__(
        self, kind: ErrorKind, detail: str = "", *, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind: ErrorKind = kind
        self.detail = detail
        self.retry_after = retry_after


class AnswerStream(Protocol):
    """Iterates over pieces of text, once."""

    def __aiter__(self) -> AsyncIterator[str]: ...

    @property
    def result(self) -> AnswerResult:
        """What came so far; valid at any time, after a stop or an error too."""


@runtime_checkable
class Namer(Protocol):
    """Finds a chat's name; an answerer that can do it does both."""

    async def name_chat(self, question: str, answer: str) -> str:
        """Give a name of a few words in the language of the question; raises `AnswerError`."""


@runtime_checkable
class Answerer(Protocol):
    """Answers the last of `turns`; they begin and end with a user's turn, oldest first.

    Many answers may run at once. Leaving the context stops an answer. Failures are `AnswerError`.
    """

    name: str

    def answer(
        self, turns: Sequence[Turn], *, mode: Mode
    ) -> AbstractAsyncContextManager[AnswerStream]: ...


class InstructedAnswerer(Answerer, Protocol):
    """An answerer that follows instructions of a chat's own; its signature tells that it does.

    They are what a person asked for in this chat: text of at most 2000 characters, empty where
    there is none. What the operator told the model goes before them.
    """

    def answer(
        self, turns: Sequence[Turn], *, mode: Mode, instructions: str = ""
    ) -> AbstractAsyncContextManager[AnswerStream]: ...


SimpleAnswerer = Callable[[Sequence[Turn]], Awaitable[str] | AsyncIterator[str]]


class TextStream:
    """An `AnswerStream` over any iterator of text."""

    def __init__(self, deltas: AsyncIterator[str], *, model: str | None = None) -> None:
        self._deltas = deltas
        self._model = model
        self._parts: list[str] = []
        self._complete = False

    async def __aiter__(self) -> AsyncIterator[str]:
        async for delta in self._deltas:
            self._parts.append(delta)
            yield delta
        self._complete = True

    @property
    def result(self) -> AnswerResult:
        text = "".join(self._parts)
        return AnswerResult("complete" if self._complete else "partial", text, model=self._model)


class FunctionAnswerer:
    """Makes an answerer of `async def answer(turns) -> str`, or of an async generator of text."""

    def __init__(self, function: SimpleAnswerer) -> None:
        self.name = getattr(function, "__name__", type(function).__name__)
        self._function: Callable[..., Awaitable[str] | AsyncIterator[str]] = function

    @asynccontextmanager
    async def answer(
        self,
        turns: Sequence[Turn],
        *,
        mode: Mode,  # noqa: ARG002 - a function has but one
    ) -> AsyncIterator[AnswerStream]:
        async with aclosing(self._deltas(turns)) as deltas:
            yield TextStream(deltas)

    async def _deltas(self, turns: Sequence[Turn], **options: str) -> AsyncGenerator[str, None]:
        answer = self._function(turns, **options)
        if inspect.isawaitable(answer):
            yield await answer
            return
        async for delta in answer:
            yield delta


class InstructedFunctionAnswerer(FunctionAnswerer):
    """Makes one of a function that has a keyword `instructions` besides."""

    @asynccontextmanager
    async def answer(
        self,
        turns: Sequence[Turn],
        *,
        mode: Mode,  # noqa: ARG002 - a function has but one
        instructions: str = "",
    ) -> AsyncIterator[AnswerStream]:
        async with aclosing(self._deltas(turns, instructions=instructions)) as deltas:
            yield TextStream(deltas)


def as_answerer(answerer: Answerer | SimpleAnswerer) -> Answerer:
    if isinstance(answerer, Answerer):
        return answerer
    instructed = _has_keyword(answerer, "instructions")
    return InstructedFunctionAnswerer(answerer) if instructed else FunctionAnswerer(answerer)


def takes_instructions(answerer: Answerer) -> TypeGuard[InstructedAnswerer]:
    """Tell whether an answerer can be given a chat's own instructions."""
    return _has_keyword(answerer.answer, "instructions")


def _has_keyword(function: Callable[..., object], name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # it is built in, and has no signature to be read
        return False
