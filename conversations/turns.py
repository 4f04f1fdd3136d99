"""Whose turn it is: the calls of one user run one after another, those of different users at once.

A call runs in a thread and goes on there whatever becomes of its caller. One that has not begun
when its caller is cancelled never will; one that has begun holds its caller until it is done. So
an older write never lands on a newer one, and nobody goes on before theirs has landed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .errors import StorageClosedError

_Verb = TypeVar("_Verb")

_MOST = 200  # calls in one batch; more would let the first of them wait too long

AtOnce = Callable[[], Any]  # does a call without a thread; gives None where it cannot


@dataclass(slots=True)
class Outcome:
    """What came of a call: a result, or an error of its own."""

    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Call(Generic[_Verb]):
    verb: _Verb
    joins: bool
    at_once: AtOnce | None
    done: asyncio.Future[Any]
    outcome: Outcome | None = None
    has_begun: bool = False


class Turns(Generic[_Verb]):
    def __init__(
        self, threads: Executor, run: Callable[[int, Sequence[_Verb]], Sequence[Outcome]]
    ) -> None:
        """`run` does a user's verbs in a thread, several only where they join; it never raises."""
        self._threads = threads
        self._run = run
        self._lines: dict[int, deque[_Call[_Verb]]] = {}  # of those at work: who waits
        self._resting: set[int] = set()  # of those: whose callers are about to call again
        self._is_closed = False
        self._all_done: asyncio.Future[None] | None = None

    @property
    def is_working(self) -> bool:
        """Tell whether a call of anybody is under way."""
        return bool(self._lines)

    def is_busy(self, user_id: int) -> bool:
        line = self._lines.get(user_id)
        return line is not None and (bool(line) or user_id not in self._resting)

    def at_once(self, user_id: int, call: AtOnce) -> Any:
        """Run a call now, where nobody is before it; None where it has to be taken in its turn."""
        return None if self._is_closed or self.is_busy(user_id) else call()

    async def take(
        self, user_id: int, verb: _Verb, *, joins: bool = False, at_once: AtOnce | None = None
    ) -> Any:
        """Run a verb when its turn has come; those that join run together with their neighbours.

        :raises StorageClosedError: it had not begun when `close` was called.
        """
        if self._is_closed:
            raise StorageClosedError("the storage is closed")
        line = self._lines.get(user_id)
        call = _Call(verb, joins, at_once, asyncio.get_running_loop().create_future())
        if line is None:
            self._lines[user_id] = deque()
            self._begin(user_id, [call])
        else:
            line.append(call)
        return await self._wait(call)

    async def close(self) -> None:
        """Let what has begun end, and refuse the rest."""
        self._is_closed = True
        if self._lines:
            if self._all_done is None:
                self._all_done = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._all_done)

    async def _wait(self, call: _Call[_Verb]) -> Any:
        try:
            await call.done
        except asyncio.CancelledError:
            while call.has_begun and call.outcome is None:
                call.done = asyncio.get_running_loop().create_future()
                try:
                    await call.done
                except asyncio.CancelledError:  # once more; the first one is raised in the end
                    continue
            raise
        assert call.outcome is not None
        if call.outcome.error is not None:
            raise call.outcome.error
        return call.outcome.result

    def _begin(self, user_id: int, calls: list[_Call[_Verb]]) -> None:
        for call in calls:
            call.has_begun = True
        loop = asyncio.get_running_loop()
        try:
            self._threads.submit(self._work, loop, user_id, calls)
        except RuntimeError as error:  # there can be no more threads
            loop.call_soon(self._end, user_id, calls, [Outcome(error=error)] * len(calls))

    def _work(
        self, loop: asyncio.AbstractEventLoop, user_id: int, calls: list[_Call[_Verb]]
    ) -> None:
        outcomes = self._run(user_id, [call.verb for call in calls])
        loop.call_soon_threadsafe(self._end, user_id, calls, outcomes)

    def _end(self, user_id: int, calls: list[_Call[_Verb]], outcomes: Sequence[Outcome]) -> None:
        for call, outcome in zip(calls, outcomes, strict=True):
            _settle(call, outcome)
        # Not at once: who is called back now may call again, and those calls join.
        self._resting.add(user_id)
        asyncio.get_running_loop().call_soon(self._go_on, user_id)

    def _go_on(self, user_id: int) -> None:
        self._resting.discard(user_id)
        line = self._lines[user_id]
        if self._is_closed:
            for call in line:
                _settle(call, Outcome(error=StorageClosedError("the storage is closed")))
            line.clear()
        if batch := _next_batch(line):
            self._begin(user_id, batch)
            return
        del self._lines[user_id]
        if self._all_done is not None and not self._lines and not self._all_done.done():
            self._all_done.set_result(None)


def _settle(call: _Call[Any], outcome: Outcome) -> None:
    call.outcome = outcome
    if not call.done.done():
        call.done.set_result(None)


def _next_batch(line: deque[_Call[_Verb]]) -> list[_Call[_Verb]]:
    """Take the next call, and what follows and joins; without those whose caller has gone."""
    batch: list[_Call[_Verb]] = []
    while line and len(batch) < _MOST:
        if batch and not (batch[0].joins and line[0].joins):
            break
        call = line.popleft()
        if call.done.cancelled() or (not batch and _do_at_once(call)):
            continue
        batch.append(call)
    return batch


def _do_at_once(call: _Call[Any]) -> bool:
    if call.at_once is None:
        return False
    try:
        result = call.at_once()
    except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
        _settle(call, Outcome(error=error))
        return True
    if result is not None:
        call.has_begun = True
        _settle(call, Outcome(result))
    return result is not None
