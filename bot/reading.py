"""One answer read from the answerer: shown as it grows, until its end or a stop; and observed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from .answerers import (
    Answerer,
    AnswerError,
    AnswerResult,
    AnswerStream,
    Mode,
    takes_instructions,
)
from .context import Context
from .finishing import Ending
from .lanes import Lane
from .streaming import LiveAnswer

logger = logging.getLogger(__name__)


class AnswerObserver(Protocol):
    """Is told how answers go; its methods are quick and raise nothing."""

    def begun(self) -> None: ...

    def first_word(self, seconds: float) -> None:
        """Tell how long the model took to its first word."""

    def ended(self, ending: Ending) -> None: ...


@dataclass(slots=True)
class _Seen:
    """What is seen of one answer."""

    observer: AnswerObserver | None
    ending: Ending = "interrupted"
    begun: float | None = field(default_factory=time.monotonic)

    def word(self) -> None:
        if self.begun is not None and self.observer is not None:
            self.observer.first_word(time.monotonic() - self.begun)
        self.begun = None


class Reader:
    def __init__(self, answerer: Answerer, observer: AnswerObserver | None) -> None:
        self._answerer = answerer
        self._observer = observer

    async def read(
        self, context: Context, mode: Mode, live: LiveAnswer, lane: Lane
    ) -> tuple[AnswerResult, Ending, AnswerError | None]:
        """Ask, and read the answer to its end, until the lane is stopped, or until it fails."""
        with self._observed() as seen:
            async with live:
                result, failure = await self._read(context, mode, live, lane, seen)
            seen.ending = "failed" if failure else lane.ending
        return result, seen.ending, failure

    @contextmanager
    def _observed(self) -> Iterator[_Seen]:
        """Tell the observer of an answer; one that is cut off is interrupted."""
        seen = _Seen(self._observer)
        if self._observer is not None:
            self._observer.begun()
        try:
            yield seen
        finally:
            if self._observer is not None:
                self._observer.ended(seen.ending)

    async def _read(
        self, context: Context, mode: Mode, live: LiveAnswer, lane: Lane, seen: _Seen
    ) -> tuple[AnswerResult, AnswerError | None]:
        result = AnswerResult("partial", "")
        try:
            async with self._open(context, mode) as stream:
                lane.reading = asyncio.create_task(_show_all(stream, live, seen))
                if lane.ending != "complete":
                    lane.reading.cancel()
                try:
                    await asyncio.wait([lane.reading])
                    if not lane.reading.cancelled():
                        lane.ending = "complete"
                        lane.reading.result()
                finally:
                    lane.reading.cancel()
                    await asyncio.wait([lane.reading])  # a stream that is read cannot be closed
                    lane.reading = None
                    result = stream.result
        except AnswerError as error:
            logger.warning("the answerer failed: %s", error)
            return result, error
        except Exception as error:
            logger.exception("the answerer raised something of its own")
            return result, AnswerError("server", type(error).__name__)
        return result, None

    def _open(self, context: Context, mode: Mode) -> AbstractAsyncContextManager[AnswerStream]:
        answerer = self._answerer
        if context.instructions and takes_instructions(answerer):
            told = context.instructions
            return answerer.answer(context.turns, mode=mode, instructions=told)
        return answerer.answer(context.turns, mode=mode)


async def _show_all(stream: AnswerStream, live: LiveAnswer, seen: _Seen) -> None:
    text = ""
    async for delta in stream:
        seen.word()
        text += delta
        live.show(text)
