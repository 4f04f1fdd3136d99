"""How tests wait for what must come: as long as only a hang lasts, however slow the machine is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 120  # seconds until a test that waits gives up; costs nothing when all is well


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that no call tells of."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


def time_passes(seconds: float) -> None:
    """Let so many seconds be over at once, for all that waits in the loop of this test."""
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds  # type: ignore[method-assign]
