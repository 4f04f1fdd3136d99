"""Many people at once, over real HTTP; `python -m tests.benchmarks.many_users` prints figures.

The bot and its playground are one process, the people another, as they are in life.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot import Turn
from bot.playground import Person as Somebody
from tests.playground_client import Person
from tests.program import ROOT
from tests.wired import wired

FIRST_ID = 5000
PIECES = 10


@dataclass
class Figures:
    """What it took, in seconds."""

    answers: list[float] = field(default_factory=list)
    presses: list[float] = field(default_factory=list)


async def slowly(turns: Sequence[Turn]) -> AsyncIterator[str]:
    """Answer like a model: in pieces, with time between them."""
    for number in range(PIECES):
        yield f"piece {number} for {turns[-1].text}\n"
        await asyncio.sleep(0.05)


def people(users: int) -> list[Somebody]:
    return [
        Somebody(FIRST_ID + number, f"U{number}", f"u{number}", "en") for number in range(users)
    ]


async def crowd(url: str, users: int) -> Figures:
    """Let everybody ask at once, and open their chats meanwhile."""
    figures = Figures()
    async with asyncio.TaskGroup() as group:
        for person in people(users):
            group.create_task(_one(url, person.user_id, figures))
    return figures


async def _one(url: str, user_id: int, figures: Figures) -> None:
    async with Person(url, user_id) as person:
        begun = time.perf_counter()
        asked = await person.send(f"question of {user_id}")
        menu = await person.ask("/chats", "1 chat", within=60)
        pressed = time.perf_counter()
        await person.tap(menu, "question of", within=60)
        figures.presses.append(time.perf_counter() - pressed)
        await person.wait_message(f"piece {PIECES - 1}", after=asked, within=60)
        figures.answers.append(time.perf_counter() - begun)


def check(folder: Path, users: int) -> None:
    """See in the files that everybody has their question and their whole answer, and no more."""
    for person in people(users):
        [path] = (folder / f"user_{person.user_id}").glob("*-*.json")
        question, answer = json.loads(path.read_text())["messages"]
        assert question["text"] == f"question of {person.user_id}"
        assert answer["text"].splitlines() == [
            f"piece {number} for {question['text']}" for number in range(PIECES)
        ]
        assert "state" not in answer


async def serve(folder: Path, users: int) -> None:
    """Run the bot until stdin ends; print its address, and at the end its memory."""
    async with wired(folder, slowly, people(users)) as bot:
        before = _memory()
        sys.stdout.write(f"{bot.playground.url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        sys.stdout.write(f"{_memory() - before:.0f}\n")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(folder: Path, users: int) -> None:
    module = "tests.benchmarks.many_users"
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "serve", str(users), str(folder),
        cwd=ROOT, stdin=PIPE, stdout=PIPE,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        url = (await server.stdout.readline()).decode().strip()
        figures = await crowd(url, users)
    finally:
        server.stdin.close()
        memory, _ = await server.communicate()
    check(folder, users)
    for name, seconds in (("answers", figures.answers), ("presses", figures.presses)):
        ordered = sorted(seconds)
        middle, last = ordered[len(ordered) // 2], ordered[-1]
        sys.stdout.write(f"{name}: {len(ordered)}, median {middle:.2f} s, longest {last:.2f} s\n")
    sys.stdout.write(f"memory: +{memory.decode().strip()} MiB, the playground's included\n")


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(Path(sys.argv[3]), int(sys.argv[2])))
        return
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder) / "chats", users))


if __name__ == "__main__":
    main()
