"""Calls of one user take turns; what joins goes together; nobody is left waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversations import StorageClosedError
from conversations.turns import Outcome, Turns
from tests.waiting import PATIENCE


class Bench:
    """Runs batches of numbers one step at a time; a negative one fails."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, list[int]]] = []
        self.may_go_on = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.turns: Turns[int] = Turns(ThreadPoolExecutor(4), self.run)

    def run(self, user_id: int, verbs: Sequence[int]) -> list[Outcome]:
        self.batches.append((user_id, list(verbs)))
        self.begun.release()
        assert self.may_go_on.acquire(timeout=PATIENCE)
        return [
            Outcome(verb) if verb >= 0 else Outcome(error=ValueError(str(verb))) for verb in verbs
        ]

    def call(self, number: int, *, user_id: int = 1, joins: bool = False) -> asyncio.Task[int]:
        return asyncio.create_task(self.turns.take(user_id, number, joins=joins))

    async def has_begun(self, batches: int = 1) -> None:
        for _ in range(batches):
            assert await asyncio.to_thread(self.begun.acquire, timeout=PATIENCE)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    for _ in range(100):
        bench.may_go_on.release()
    await bench.turns.close()


async def test_what_joins_goes_together_and_in_order(bench: Bench) -> None:
    first = bench.call(0)
    await bench.has_begun()
    joined = [bench.call(number, joins=True) for number in (1, 2)]
    alone = bench.call(3)
    again = [bench.call(number, joins=True) for number in (4, 5, -6)]
    await asyncio.sleep(0)
    for _ in range(4):
        bench.may_go_on.release()
    assert [await call for call in (first, *joined, alone, *again[:2])] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="-6"):
        await again[2]
    assert bench.batches == [(1, [0]), (1, [1, 2]), (1, [3]), (1, [4, 5, -6])]
    assert not bench.turns.is_busy(1)


async def test_users_do_not_wait_for_each_other(bench: Bench) -> None:
    calls = [bench.call(user_id, user_id=user_id) for user_id in (1, 2, 3)]
    await bench.has_begun(3)
    assert all(bench.turns.is_busy(user_id) for user_id in (1, 2, 3))
    for _ in calls:
        bench.may_go_on.release()
    assert await asyncio.gather(*calls) == [1, 2, 3]


async def test_what_needs_no_thread_is_done_at_once_in_its_turn(bench: Bench) -> None:
    assert bench.turns.at_once(1, lambda: "at once") == "at once"
    first = bench.call(1)
    await bench.has_begun()
    second = asyncio.create_task(bench.turns.take(1, 2, at_once=lambda: "second"))
    third = bench.call(3)
    await asyncio.sleep(0)
    assert not second.done()
    for _ in range(2):
        bench.may_go_on.release()
    assert [await first, await second, await third] == [1, "second", 3]
    assert bench.batches == [(1, [1]), (1, [3])]


async def test_an_error_at_once_is_of_its_caller(bench: Bench) -> None:
    def fail() -> None:
        raise ValueError("mine")

    first = bench.call(1)
    await bench.has_begun()
    second = asyncio.create_task(bench.turns.take(1, 2, at_once=fail))
    third = bench.call(3)
    await asyncio.sleep(0)
    for _ in range(2):
        bench.may_go_on.release()
    assert [await first, await third] == [1, 3]
    with pytest.raises(ValueError, match="mine"):
        await second


async def test_those_who_call_again_at_once_join(bench: Bench) -> None:
    async def twice(number: int) -> None:
        for _ in range(2):
            await bench.turns.take(1, number, joins=True)

    calls = [asyncio.create_task(twice(number)) for number in range(3)]
    for _ in range(4):
        bench.may_go_on.release()
    await asyncio.gather(*calls)
    assert bench.batches == [(1, [0]), (1, [1, 2, 0]), (1, [1, 2])]


async def test_who_is_cancelled_while_waiting_is_left_out(bench: Bench) -> None:
    first = bench.call(0)
    await bench.has_begun()
    waiting = [bench.call(number, joins=True) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    for _ in range(2):
        bench.may_go_on.release()
    assert await first == 0
    assert await waiting[2] == 3
    assert bench.batches == [(1, [0]), (1, [3])]
    for call in waiting[:2]:
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_who_is_cancelled_while_at_work_returns_when_it_is_done(bench: Bench) -> None:
    call = bench.call(0)
    await bench.has_begun()
    for _ in range(3):
        call.cancel()
        await asyncio.sleep(0)
    assert not call.done()
    bench.may_go_on.release()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not bench.turns.is_busy(1)


async def test_closing_lets_end_what_has_begun(bench: Bench) -> None:
    first = bench.call(0)
    await bench.has_begun()
    waiting = bench.call(1)
    await asyncio.sleep(0)
    closing = [asyncio.create_task(bench.turns.close()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not closing[0].done()
    bench.may_go_on.release()
    await asyncio.gather(*closing)
    assert await first == 0
    for call in (waiting, bench.call(2)):
        with pytest.raises(StorageClosedError):
            await call
    assert bench.batches == [(1, [0])]


async def test_without_a_thread_it_fails_and_goes_on() -> None:
    threads = ThreadPoolExecutor(1)
    threads.shutdown()
    turns: Turns[int] = Turns(threads, lambda user_id, verbs: [])
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shutdown"):
            await turns.take(1, 0)
    assert not turns.is_busy(1)
