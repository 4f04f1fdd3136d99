"""Who waits for whom: a call that stands still, and what is asked for meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.faults.attempts import POINTS, Attempt, attempt, begin, beginnings, guard, hear, reopen
from tests.faults.bench import STORE, Bench
from tests.faults.calls import Mark
from tests.faults.folders import lay_out
from tests.faults.operations import Operation
from tests.faults.recorder import Hold
from tests.faults.shim import Shim

_SOON = 0.02  # seconds; long enough for an operation that wrongly does not wait
_PATIENCE = 1.0
_LONGEST = 60  # seconds; more is a deadlock


async def cancelled(bench: Bench) -> None:
    """The caller is cancelled in every call, and the same user asks for the next operations."""
    await _in_every_call(bench, is_cancelled=True)


async def held(bench: Bench) -> None:
    """One user's operation stands still in every call, and another user is served."""
    await _in_every_call(bench, is_cancelled=False)


async def _in_every_call(bench: Bench, *, is_cancelled: bool) -> None:
    for beginning in await beginnings(bench):
        user = beginning.operation.user
        if not is_cancelled:
            user = next(other for other in bench.subject.users if other != user)
        meanwhile = bench.subject.probes(user, beginning.expected.of(user)[0])[:3]
        whole = await attempt(bench, beginning, None)
        for at, name in enumerate(whole.calls, 1):
            point = POINTS * beginning.number + at
            if name == "stat":
                continue  # made in the event loop too, which would wait with it
            if bench.wants(point):
                made = begin(beginning)
                await _run(bench, made, at, meanwhile, is_cancelled=is_cancelled)
                how = "cancelled" if is_cancelled else "held"
                what = f"{beginning.operation.name} {how} in call {at}, {name}"
                bench.count(point, what, made.wrong)


async def _run(
    bench: Bench, made: Attempt, at: int, meanwhile: list[Operation], *, is_cancelled: bool
) -> None:
    lay_out(made.beginning.tree, bench.disk)
    with Shim(bench.disk, made.disk, calls_per_tick=bench.calls_per_tick) as shim:
        await guard(made, _hold(bench, made, shim, at, meanwhile, is_cancelled=is_cancelled))
    made.wrong += [f"{path} is not what was recorded" for path in shim.bypassed()]
    if not made.wrong:
        await guard(made, reopen(bench, made))


async def _hold(
    bench: Bench,
    made: Attempt,
    shim: Shim,
    at: int,
    meanwhile: list[Operation],
    *,
    is_cancelled: bool,
) -> None:
    root, operation = bench.disk / STORE, made.beginning.operation
    async with bench.subject.opened(root) as store:
        await bench.look(store, root)
        hold = shim.hold(at)
        first = asyncio.create_task(bench.say(store, operation))
        if not await _is_reached(hold, first):
            hear(made, await first)
            return
        if is_cancelled:
            first.cancel()
        others = asyncio.create_task(_in_turn(bench, store, meanwhile))
        await asyncio.wait({others}, timeout=_SOON if is_cancelled else _PATIENCE)
        if is_cancelled and others.done() and operation.holds_others:
            made.wrong.append("the next operation did not wait")
        hold.go_on.set()
        try:
            said = await first
        except asyncio.CancelledError:
            said = Mark("err", operation)
        for mark in (said, *await others):
            hear(made, mark)
            if mark.said == "err" and not (is_cancelled and mark is said):
                made.wrong.append(f"{mark.operation.name} failed on a whole disk")
        made.wrong += await bench.compare(store, root, made.expected)


async def _is_reached(hold: Hold, operation: asyncio.Task[Mark]) -> bool:
    """Wait for a call; False where this time it is not made: what the journal has to write is
    written a quarter of a second later by itself, which may be before the operation.
    """
    waiting = asyncio.create_task(asyncio.to_thread(hold.reached.wait, _LONGEST))
    await asyncio.wait({waiting, operation}, return_when=asyncio.FIRST_COMPLETED)
    is_reached = hold.reached.is_set()
    assert is_reached or operation.done(), "the call takes too long"
    hold.reached.set()  # whose thread ends
    await waiting
    return is_reached


async def _in_turn(bench: Bench, store: Any, operations: list[Operation]) -> list[Mark]:
    return [await bench.say(store, operation) for operation in operations]
