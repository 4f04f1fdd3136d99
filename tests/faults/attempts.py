"""One operation on a disk that fails in it; then the disk is whole, and the process goes on."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.bench import STORE, Bench
from tests.faults.calls import Call, Event, Mark
from tests.faults.disk import Disk
from tests.faults.expected import Expected
from tests.faults.folders import Tree, lay_out
from tests.faults.operations import Operation
from tests.faults.recorder import Fault
from tests.faults.shim import Shim
from tests.faults.traces import Trace, record

POINTS = 10_000  # an operation's number times this, and a call's number in it, make a point
_FOLLOWING = 2  # operations that the process does after the one that failed


@dataclass(frozen=True)
class Beginning:
    """What there is when an operation begins."""

    number: int  # of the operation, from 1
    operation: Operation
    following: list[Operation]
    tree: Tree
    expected: Expected


@dataclass
class Attempt:
    """What became of it."""

    beginning: Beginning
    disk: Disk
    expected: Expected  # what may be there when the disk loses nothing
    durable: Expected  # what may be there when it loses all that was not synced
    fired: int = 0  # how many calls the fault has met
    calls: list[str] = field(default_factory=list)  # the names of those in the operation
    events: list[Event] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def trace(self) -> Trace:
        return Trace(Disk(self.beginning.tree), self.beginning.expected, self.events)


async def beginnings(bench: Bench) -> list[Beginning]:
    """Give all those at which something is to be tried."""
    job = bench.job
    if job.point is None and not job.during:
        return (await _all_beginnings(bench))[:: job.every]
    return [
        beginning
        for beginning in await _all_beginnings(bench)
        if job.during in ("", beginning.operation.name)
        and (job.point is None or job.point // POINTS == beginning.number)
    ]


async def _all_beginnings(bench: Bench) -> list[Beginning]:
    operations = bench.subject.workload(bench.seed)
    trace = await record(bench, operations)
    disk, expected = Disk(bench.subject.before()), bench.expected()
    found: list[Beginning] = []
    for event in trace.events:
        if isinstance(event, Call):
            disk.apply(event)
            continue
        if event.said == "try":
            number = len(found) + 1
            following = operations[number : number + _FOLLOWING]
            before = Beginning(number, event.operation, following, disk.tree(), expected.copy())
            found.append(before)
        expected.hear(event)
    return found


async def attempt(
    bench: Bench, beginning: Beginning, fault: Fault | None, *, warm: bool = True
) -> Attempt:
    """Do the operation, every other time again if it failed, those that follow, and open afresh.

    `warm`: the store has all in memory when the operation begins.
    """
    lay_out(beginning.tree, bench.disk)
    made = begin(beginning)
    with Shim(bench.disk, made.disk, calls_per_tick=bench.calls_per_tick) as shim:
        await guard(made, _work(bench, made, shim, fault, warm=warm))
    made.wrong += [f"{path} is not what was recorded" for path in shim.bypassed()]
    if not made.wrong:
        await guard(made, reopen(bench, made))
    return made


def begin(beginning: Beginning) -> Attempt:
    expected = beginning.expected
    return Attempt(beginning, Disk(beginning.tree), expected.copy(), expected.copy())


async def guard(made: Attempt, doing: Awaitable[None]) -> None:
    try:
        await doing
    except Exception as error:  # noqa: BLE001 - a store raises what it is to raise, and no more
        made.wrong.append(f"{type(error).__name__}: {error}")


async def _work(
    bench: Bench, made: Attempt, shim: Shim, fault: Fault | None, *, warm: bool
) -> None:
    root, operation = bench.disk / STORE, made.beginning.operation
    async with bench.subject.opened(root) as store:
        if warm:
            await bench.look(store, root)
        shim.arm(fault)
        said = await bench.say(store, operation, shim)
        made.calls = list(shim.armed)
        hear(made, said)
        if fault is not None and fault.sticky:
            made.wrong += await _look_at_broken(bench, made, store)
        made.fired = shim.fired
        shim.arm(None)
        made.wrong += await bench.compare(store, root, made.expected)
        if made.wrong:
            return
        # What is seen now is still there after a restart, be it acknowledged or not.
        made.expected = made.expected.narrowed(await bench.look(store, root))
        is_retried = said.said == "err" and fault is not None and fault.at % 2
        again = [operation] if is_retried else []
        for following in [*again, *made.beginning.following]:
            is_right = made.expected.may_refuse(following)
            said = await bench.say(store, following, shim)
            hear(made, said)
            if said.said == "err" and not is_right:
                made.wrong.append(f"{following.name} fails though the disk is whole again")
        made.wrong += await bench.compare(store, root, made.expected)
        made.events = list(shim.events)


def hear(made: Attempt, said: Mark) -> None:
    for expected in (made.expected, made.durable):
        made.wrong += expected.hear_all(Mark("try", said.operation), said)


async def _look_at_broken(bench: Bench, made: Attempt, store: Any) -> list[str]:
    """What is shown while the disk is broken is true, or an error."""
    user = made.beginning.operation.user
    try:
        observed = await bench.subject.observe(store, bench.disk / STORE, user)
    except (bench.subject.failure, OSError):
        return []
    return bench.unexpected({user: observed}, made.expected)


async def reopen(bench: Bench, made: Attempt) -> None:
    async with bench.subject.opened(bench.disk / STORE) as store:
        made.wrong += await bench.compare(store, bench.disk / STORE, made.expected)
