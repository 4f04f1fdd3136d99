"""Many people at once: everybody gets their whole answer, and every press is answered."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.many_users import crowd


async def test_forty_people_ask_at_once(tmp_path: Path) -> None:
    figures = await crowd(tmp_path / "chats", 40)
    assert len(figures.answers) == len(figures.presses) == 40
