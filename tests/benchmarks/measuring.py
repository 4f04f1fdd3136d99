"""Fair timing: all contenders in one run, in turns, in an order that changes every round."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.stores import Store

Action = Callable[[Store], Awaitable[object]]
Times = dict[str, list[float]]


@asynccontextmanager
async def opened(classes: Iterable[type[Store]], folder: Path) -> AsyncIterator[list[Store]]:
    """Open a store of each class in a folder of its own; what is not installed is left out."""
    stores: list[Store] = []
    try:
        for number, each in enumerate(classes):
            store = each(folder / str(number))
            try:
                await store.open()
            except ImportError:
                continue
            stores.append(store)
        yield stores
    finally:
        for store in stores:
            await store.close()
            store.stop()


async def in_turns(
    stores: list[Store], action: Action, *, rounds: int, burst: int, budget: float
) -> Times:
    """Time an action, `burst` times in a row a turn; who has used up `budget` seconds stops."""
    times: Times = {store.name: [] for store in stores}
    rng = random.Random(1)
    for number in range(rounds):
        for store in rng.sample(stores, len(stores)):
            mine = times[store.name]
            if number > 2 and sum(mine) > budget:
                continue
            for _ in range(burst):
                if mine and sum(mine) > 4 * budget:
                    break
                begun = time.perf_counter()
                await action(store)
                mine.append(time.perf_counter() - begun)
    return times


_numbers = itertools.count(1_000_000)  # no message is ever added twice


class Rates(NamedTuple):
    """Adds a second: until the last was acknowledged, and until its files are up to date."""

    adds: float
    settled: float


async def at_once(store: Store, users: range, *, tasks: int, each: int, seconds: float) -> Rates:
    """Let `tasks` of each user add one message after another: `each`, or as many as time allows.

    The number is the limit for all but the slowest. Who is faster must not get longer chats.
    """
    ends = time.perf_counter() + seconds
    added = 0

    async def work(user_id: int) -> None:
        nonlocal added
        for _ in range(each):
            await store.add(user_id, next(_numbers))
            added += 1
            if time.perf_counter() > ends:
                return

    begun = time.perf_counter()
    await asyncio.gather(*(work(user_id) for user_id in users for _ in range(tasks)))
    acknowledged = time.perf_counter()
    await store.settle()
    settled = time.perf_counter()
    return Rates(added / (acknowledged - begun), added / (settled - begun))


def middle(times: list[float]) -> float:
    """Give the median in milliseconds."""
    return statistics.median(times) * 1000


def medians(times: Times) -> dict[str, float]:
    return {name: middle(mine) for name, mine in times.items() if mine}
