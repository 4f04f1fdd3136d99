"""Many people at once, over real HTTP; `python -m tests.benchmarks.many_users` prints figures."""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot import Turn
from bot.playground import Person as Somebody
from tests.playground_client import Person
from tests.wired import Wired, wired

FIRST_ID = 5000


@dataclass
class Figures:
    """What it took, in seconds; `memory` is the growth of the process in MiB."""

    answers: list[float] = field(default_factory=list)
    presses: list[float] = field(default_factory=list)
    memory: float = 0.0


async def slowly(turns: Sequence[Turn]) -> AsyncIterator[str]:
    """Answer like a model: in pieces, with time between them."""
    for number in range(10):
        yield f"piece {number} for {turns[-1].text}\n"
        await asyncio.sleep(0.05)


async def crowd(folder: Path, users: int) -> Figures:
    """Let everybody ask at once and open their chats meanwhile; check every answer and press."""
    persons = [
        Somebody(FIRST_ID + number, f"U{number}", f"u{number}", "en") for number in range(users)
    ]
    figures = Figures()
    async with wired(folder, slowly, persons) as bot:
        before = _memory()
        async with asyncio.TaskGroup() as group:
            for person in persons:
                group.create_task(_one(bot, person.user_id, figures))
        figures.memory = _memory() - before
        for person in persons:
            [chat] = await bot.manager.list_conversations(person.user_id)
            question, answer = await bot.manager.get_messages(person.user_id, chat.conversation_id)
            assert question.text == f"question of {person.user_id}"
            assert answer.text.splitlines() == [
                f"piece {number} for {question.text}" for number in range(10)
            ]
            assert answer.state is None
    return figures


async def _one(bot: Wired, user_id: int, figures: Figures) -> None:
    async with Person(bot.playground.url, user_id) as person:
        asked = await person.send(f"question of {user_id}")
        begun = time.perf_counter()
        menu = await person.ask("/chats", "1 chat", within=60)
        pressed = time.perf_counter()
        await person.tap(menu, "question of", within=60)
        figures.presses.append(time.perf_counter() - pressed)
        await person.wait_message("piece 9", after=asked, within=60)
        figures.answers.append(time.perf_counter() - begun)


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(crowd(Path(folder) / "chats", users))
    for name, seconds in (("answers", figures.answers), ("presses", figures.presses)):
        ordered = sorted(seconds)
        middle, last = ordered[len(ordered) // 2], ordered[-1]
        sys.stdout.write(f"{name}: {len(ordered)}, median {middle:.2f} s, longest {last:.2f} s\n")
    sys.stdout.write(f"memory: +{figures.memory:.0f} MiB at the most, the playground's included\n")


if __name__ == "__main__":
    main()
