"""Tasks brought to their end, in time or before it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


async def end_all(tasks: Iterable[asyncio.Task[Any]], within: float | None) -> None:
    """Wait for tasks, and cancel those that take longer than `within` seconds."""
    waited = set(tasks)
    if waited:
        _, late = await asyncio.wait(waited, timeout=within)
        await cancel_all(late)


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return when they have ended, however that was."""
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
