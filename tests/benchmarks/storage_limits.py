"""What many users cost in memory, and many chats at the start; ours alone.

`python -m tests.benchmarks.storage_limits [--folder FOLDER] [RESULTS.json]`
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from conversations import ConversationManager, JsonStorage
from tests.benchmarks.storage_speed import machine
from tests.benchmarks.stores import OursStrict, chat_id, message

USERS = 10_000
CACHES = (0, 8, 64)  # MiB
IDLE = 1  # seconds; a minute in life
STARTS = (100, 100_000)  # chats on disk


async def memory(folder: Path, cache: int) -> dict[str, float]:
    """Add a message for each of many users, then let the store be idle; twice; give MB."""
    storage = JsonStorage(folder, cache_bytes=cache * 1024 * 1024, idle_seconds=IDLE)
    manager = ConversationManager(storage, raise_errors=True)
    await manager.add_message(1, chat_id(1), message(100))
    before = _resident()
    found = {}
    for number, again in enumerate(("", " again"), 1):
        for first in range(2, USERS, 100):
            users = range(first, first + 100)
            async with asyncio.TaskGroup() as group:  # `gather` would leave something in memory
                for u in users:
                    group.create_task(manager.add_message(u, chat_id(u), message(100 * number)))
        found[f"touched{again}"] = _resident() - before
        await storage.flush()
        await asyncio.sleep(3 * IDLE)
        gc.collect()
        found[f"idle{again}"] = _resident() - before
    await storage.close()
    return found


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def start(folder: Path) -> dict[str, float]:
    """Time opening the store, and the first list of one user; in milliseconds."""
    begun = time.perf_counter()
    storage = JsonStorage(folder)
    await storage.open()
    opened = time.perf_counter()
    assert len((await storage.read_index(1)).conversations) == 10
    listed = time.perf_counter()
    await storage.close()
    return {"open": (opened - begun) * 1000, "first list": (listed - opened) * 1000}


def _alone(part: str, *values: object) -> Any:
    """Run a part in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.storage_limits", part, *map(str, values)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def _fill(folder: Path, users: int) -> None:
    store = OursStrict(folder)
    for user_id in range(1, users + 1):
        asyncio.run(store.fill(user_id, 10, 2))


def measure(base: Path | None) -> dict[str, Any]:
    results: dict[str, Any] = {"memory": {}, "start": {}}
    with tempfile.TemporaryDirectory(dir=base) as name:
        results["machine"] = machine(Path(name))
        for chats in STARTS:
            folder = Path(name) / f"start{chats}"
            _fill(folder, chats // 10)
            runs = [_alone("start", folder) for _ in range(5)]
            results["start"][chats] = sorted(runs, key=lambda run: run["open"])[2]
        for cache in CACHES:
            results["memory"][cache] = _alone("memory", folder, cache)
    return results


def main() -> None:
    if sys.argv[1:2] == ["memory"]:
        found = asyncio.run(memory(Path(sys.argv[2]), int(sys.argv[3])))
    elif sys.argv[1:2] == ["start"]:
        found = asyncio.run(start(Path(sys.argv[2])))
    else:
        parser = argparse.ArgumentParser()
        parser.add_argument("--folder", type=Path, help="on the disk to measure")
        parser.add_argument("results", nargs="?", type=Path)
        asked = parser.parse_args()
        found = measure(asked.folder)
        if asked.results:
            asked.results.write_text(json.dumps(found, indent=1))
            return
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
