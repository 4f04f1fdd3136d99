"""Blocking work in a thread, that ends before its caller goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


async def in_thread(
    function: Callable[_Arguments, _Result],
    /,
    *args: _Arguments.args,
    **options: _Arguments.kwargs,
) -> _Result:
    """Call a blocking function; even when cancelled, return only after it has ended.

    So nothing of what it works on is closed or used by others meanwhile.
    """
    running = asyncio.ensure_future(asyncio.to_thread(function, *args, **options))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not running.cancelled():
            running.exception()  # seen, so that nobody warns of it
        raise cancelled
    return running.result()


async def drawn(items: Iterator[_Result]) -> AsyncIterator[_Result]:
    """Draw from a blocking iterator that has no None in it, each item in a thread."""
    while (item := await in_thread(next, items, None)) is not None:
        yield item
