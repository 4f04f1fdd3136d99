"""A few of the moments at which `python -m tests.faults.bot_kills` kills the bot."""

from __future__ import annotations

from pathlib import Path

from tests.faults.bot_kills import kill_everywhere
from tests.faults.program_kills import kill_program


async def test_the_bot_is_killed_before_calls_that_write(tmp_path: Path) -> None:
    assert await kill_everywhere(tmp_path, step=29, first=7) >= 8


async def test_the_program_is_killed_while_people_talk(tmp_path: Path) -> None:
    assert await kill_program(tmp_path, kills=2, seed=1) >= 8
