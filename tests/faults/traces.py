"""A history that was recorded once, and every point at which it may be stopped."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.faults.bench import STORE, Bench
from tests.faults.calls import Call, Event
from tests.faults.disk import Disk
from tests.faults.expected import Expected
from tests.faults.folders import lay_out
from tests.faults.operations import Operation
from tests.faults.shim import Shim


@dataclass(frozen=True)
class Stop:
    """A point in a trace: nothing from this call on is done. The last one has no call."""

    point: int
    call: Call | None
    disk: Disk
    expected: Expected

    def __str__(self) -> str:
        return f"before {self.call.name} of {self.call.path}" if self.call else "at the end"


@dataclass(frozen=True)
class Trace:
    disk: Disk  # as it was before
    expected: Expected
    events: Sequence[Event]

    def stops(self) -> Iterator[Stop]:
        """Go through the points before each call that changes something, and the end.

        Disk and expectation are the same objects all the way; copy what is to stay as it is.
        """
        disk, expected = copy.deepcopy(self.disk), self.expected.copy()
        for point, event in enumerate(self.events, 1):
            if not isinstance(event, Call):
                wrong = expected.hear(event)
                assert wrong is None, wrong
                continue
            if event.changes:
                yield Stop(point, event, disk, expected)
            disk.apply(event)
        yield Stop(len(self.events) + 1, None, disk, expected)


async def record(bench: Bench, operations: Iterable[Operation], *, at_once: bool = False) -> Trace:
    """Run a history from nothing on a whole disk; `at_once` lets the users work side by side."""
    disk = Disk(bench.subject.before())
    lay_out(disk.tree(), bench.disk)
    with Shim(bench.disk, disk, calls_per_tick=bench.calls_per_tick) as shim:
        async with bench.subject.opened(bench.disk / STORE) as store:
            queues = _by_user(operations) if at_once else [list(operations)]
            await asyncio.gather(*(bench.say_all(store, queue, shim) for queue in queues))
            events = list(shim.events)
    past = shim.bypassed()
    assert not past, f"written past the functions of os: {past}"
    return Trace(Disk(bench.subject.before()), bench.expected(), events)


async def record_again(bench: Bench, stop: Stop, disk: Disk, *, is_durable: bool) -> Trace | None:
    """After a crash there, open the store, look at it, and do again what was under way.

    Where all is durable that is seen then, it stays. None where that is not what it has to be.
    """
    tree, root = disk.tree(), bench.disk / STORE
    lay_out(tree, bench.disk)
    before = copy.deepcopy(disk)
    with Shim(bench.disk, disk, calls_per_tick=bench.calls_per_tick) as shim:
        async with bench.subject.opened(root) as store:
            observed = await bench.look(store, root)
            expected = stop.expected.narrowed(observed)
            if not expected.is_possible:
                return None
            if not is_durable:
                expected = stop.expected.crashed()
            await bench.say_all(store, stop.expected.under_way(), shim)
            events = list(shim.events)
    return Trace(before, expected, events)


def _by_user(operations: Iterable[Operation]) -> list[list[Operation]]:
    queues: dict[int, list[Operation]] = {}
    for operation in operations:
        queues.setdefault(operation.user, []).append(operation)
    return list(queues.values())
