"""Many people at once: everybody gets their whole answer, and every press is answered."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.many_users import check, crowd, people, slowly
from tests.wired import wired


async def test_forty_people_ask_at_once(tmp_path: Path) -> None:
    async with wired(tmp_path / "chats", slowly, people(40)) as bot:
        figures = await crowd(bot.playground.url, 40)
    assert len(figures.answers) == len(figures.presses) == 40
    check(tmp_path / "chats", 40)
