"""How fast chats are stored, beside what others use; `make bench` runs it where the peers are.

`python -m tests.benchmarks.storage_speed [--only PART] [--short] [--folder FOLDER] [RESULTS.json]`
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Rates, at_once, in_turns, medians, opened
from tests.benchmarks.stores import Store, contenders

CHATS = 10  # in a user's index
_USERS = {10: 20, 100: 4}  # so many take turns, so that short chats stay short

Classes = list[type[Store]]
Results = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """How much of everything is tried."""

    lengths: tuple[int, ...] = (10, 100, 1_000, 10_000)  # of a chat, in messages
    crowds: tuple[int, ...] = (1, 10, 100, 1_000)  # users at once
    listed: int = 1_000  # chats in a list
    rounds: int = 40
    adds: int = 2_000  # of a crowd at a time
    seconds: float = 2.0  # after which the slowest stop

    @property
    def repeats(self) -> int:
        return max(self.rounds // 10, 1)


SHORT = Scale((10, 1_000), (1, 10), 100, 10, 200, 0.2)


async def lengths(folder: Path, classes: Classes, scale: Scale) -> Results:
    """Time adds, and reading the last 20 warm and cold, in chats of every length."""
    results: Results = {}
    for length in scale.lengths:
        async with opened(classes, folder / f"length{length}") as stores:
            results[str(length)] = await _one_length(stores, length, scale)
    return results


async def _one_length(stores: list[Store], length: int, scale: Scale) -> Results:
    users = range(1, 1 + _USERS.get(length, 1))
    numbers = {store.name: itertools.count(length) for store in stores}
    turns = {store.name: itertools.cycle([u for u in users for _ in range(5)]) for store in stores}

    async def add(store: Store) -> None:
        await store.add(next(turns[store.name]), next(numbers[store.name]))

    async def last(store: Store) -> None:
        assert len(await store.last(1, 20)) >= min(length, 20)

    async def cold(store: Store) -> None:
        await store.open()
        await last(store)

    for store in stores:
        for user_id in users:
            await store.fill(user_id, CHATS, length)
            for number in range(2):
                await store.add(user_id, -1 - number)
    real = [store for store in stores if store.is_a_store]
    added = await in_turns(stores, add, rounds=scale.rounds, burst=5, budget=1.5)
    warm = await in_turns(real, last, rounds=scale.rounds, burst=10, budget=1.0)
    read_cold: dict[str, list[float]] = {store.name: [] for store in real}
    for _ in range(scale.rounds // 2):
        for store in real:
            await store.close()
        once = await in_turns(real, cold, rounds=1, burst=1, budget=1.0)
        for name, times in once.items():
            read_cold[name] += times
    return {
        "add": medians(added),
        "last 20, warm": medians(warm),
        "last 20, cold": medians(read_cold),
        "MB on disk": {store.name: _disk_use(store.folder) for store in real},
    }


async def crowds(folder: Path, classes: Classes, scale: Scale) -> Results:
    """Count adds a second: many users, and many tasks of one user."""
    bearing = [each for each in classes if each.bears_crowds]
    results: Results = {}
    many = sorted(scale.crowds)[-2:][0]
    async with opened(bearing, folder / "crowd") as stores:
        await _fill(stores, many, 100)
        results[f"1 user, {many} tasks"] = await _rates(stores, 1, scale, tasks=many)
        results[f"{many} users"] = await _rates(stores, many, scale)
    durable = [each for each in bearing if each.durable == "yes" and each.is_a_store]
    results["users"] = {}
    for users in scale.crowds:
        async with opened(durable, folder / f"crowd{users}") as stores:
            await _fill(stores, max(users, scale.repeats), 10)
            results["users"][str(users)] = await _rates(stores, users, scale)
    return results


async def _fill(stores: list[Store], users: int, messages: int) -> None:
    for store in stores:
        for user_id in range(1, 1 + users):
            await store.fill(user_id, CHATS, messages)
            await store.add(user_id, -1)
        await store.settle()


async def _rates(
    stores: list[Store], users: int, scale: Scale, *, tasks: int = 1
) -> dict[str, dict[str, float]]:
    """Give the adds a second of each store, and those with the time until its files are whole."""
    rates: dict[str, list[Rates]] = {store.name: [] for store in stores}
    each = max(2, min(50, scale.adds // (users * tasks)))
    for repeat in range(scale.repeats):
        asked = range(1 + repeat, 2 + repeat) if users == 1 else range(1, 1 + users)
        for store in stores:
            rates[store.name].append(
                await at_once(store, asked, tasks=tasks, each=each, seconds=scale.seconds)
            )
    return {
        "adds": {name: statistics.median(r.adds for r in mine) for name, mine in rates.items()},
        "settled": {
            name: statistics.median(r.settled for r in mine) for name, mine in rates.items()
        },
    }


async def lists(folder: Path, classes: Classes, scale: Scale) -> Results:
    """Time the list of a user's thousand chats, and reading it in a store just opened."""
    listing = [each for each in classes if each.is_a_store and each.lists_chats]

    async def chats(store: Store) -> None:
        assert len(await store.chats(1)) == scale.listed

    async def cold(store: Store) -> None:
        await store.open()
        await chats(store)

    async with opened(listing, folder / "lists") as stores:
        for store in stores:
            await store.fill(1, scale.listed, 10)
            await chats(store)
        warm = await in_turns(stores, chats, rounds=scale.rounds, burst=5, budget=1.0)
        read_cold: dict[str, list[float]] = {store.name: [] for store in stores}
        for _ in range(scale.rounds // 4):
            for store in stores:
                await store.close()
            once = await in_turns(stores, cold, rounds=1, burst=1, budget=1.0)
            for name, times in once.items():
                read_cold[name] += times
        return {"warm": medians(warm), "cold": medians(read_cold)}


def _disk_use(folder: Path) -> float:
    files = (path.stat().st_blocks for path in folder.rglob("*") if path.is_file())
    return sum(files) * 512 / 1e6


def machine(folder: Path) -> Results:
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "file system": file_system(folder),
    }


def file_system(folder: Path) -> str:
    """Name the file system that a folder is on."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    real = str(folder.resolve())
    over = [
        (at, kind) for at, kind in mounts if real == at or real.startswith(at.rstrip("/") + "/")
    ]
    return max(over, key=lambda mount: len(mount[0]))[1]


PARTS: dict[str, Callable[[Path, Classes, Scale], Any]] = {
    "lengths": lengths,
    "crowds": crowds,
    "lists": lists,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--short", action="store_true", help="a look in passing")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; else the system's")
    parser.add_argument("--stores", default="", help="words of names, separated by commas")
    parser.add_argument("results", nargs="?", type=Path)
    asked = parser.parse_args()
    wanted = [word.lower() for word in asked.stores.split(",")]
    classes = [each for each in contenders() if any(w in each.name.lower() for w in wanted)]
    scale = SHORT if asked.short else Scale()
    results: Results = {}
    for part in [asked.only] if asked.only else PARTS:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            if file_system(Path(folder)) in {"tmpfs", "ramfs", "overlay"}:
                sys.exit("this is no disk that honours fsync; name one with --folder")
            results |= {"machine": machine(Path(folder))}
            results[part] = asyncio.run(PARTS[part](Path(folder), classes, scale))
    text = json.dumps(results, indent=1, ensure_ascii=False)
    if asked.results:
        asked.results.write_text(text)
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
