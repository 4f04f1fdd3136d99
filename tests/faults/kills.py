"""The process is killed, and what it wrote is all there; or the power fails, and some is not."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.bench import Bench
from tests.faults.calls import Write
from tests.faults.disk import Disk, FileNode
from tests.faults.folders import Content, Tree, digest
from tests.faults.losses import all_lost, losses
from tests.faults.traces import Stop, record, record_again


async def killed(bench: Bench) -> None:
    """Killed before every call."""
    trace = await record(bench, bench.subject.workload(bench.seed))
    for stop in trace.stops():
        if _wants(bench, stop):
            await bench.check(stop.point, f"killed {stop}", stop.disk.tree(), stop.expected)


async def torn(bench: Bench) -> None:
    """Killed in every write, after a part of its bytes."""
    trace = await record(bench, bench.subject.workload(bench.seed))
    for stop in trace.stops():
        if not _wants(bench, stop):
            continue
        for change in stop.call.changes if stop.call else ():
            if isinstance(change, Write):
                for size in _parts(len(change.data)):
                    what = f"killed after {size} bytes of {len(change.data)}, {stop}"
                    tree = _with_part(stop.disk, change, size)
                    await bench.check(stop.point, what, tree, stop.expected)


async def power_lost(bench: Bench) -> None:
    """The power fails before every call, and what was not synced is lost in many ways."""
    trace = await record(bench, bench.subject.workload(bench.seed))
    for stop in trace.stops():
        if _wants(bench, stop):
            await check_losses(bench, stop)


async def side_by_side(bench: Bench) -> None:
    """Killed, and out of power, while many users are served at the same time.

    The order of their calls is the scheduler's, so a point is another one in another run.
    """
    trace = await record(bench, bench.subject.workload(bench.seed), at_once=True)
    for stop in trace.stops():
        if _wants(bench, stop):
            await bench.check(stop.point, f"killed {stop}", stop.disk.tree(), stop.expected)
            await check_losses(bench, stop)


async def killed_twice(bench: Bench) -> None:
    """Killed; and again at every call of the recovery and of the operation tried again."""
    await _twice(bench, Disk.orphaned, Disk.tree, is_durable=True)


async def killed_then_power_lost(bench: Bench) -> None:
    """Killed; and out of power in the recovery: what was not synced before is not synced yet."""
    await _twice(bench, Disk.orphaned, all_lost, is_durable=False)


async def power_lost_twice(bench: Bench) -> None:
    await _twice(bench, lambda disk: Disk(all_lost(disk)), all_lost, is_durable=True)


async def check_losses(bench: Bench, stop: Stop) -> None:
    for what, tree in losses(stop.disk, bench.seed * 100_003 + stop.point):
        await bench.check(stop.point, f"power lost {stop}, {what}", tree, stop.expected)


async def _twice(
    bench: Bench,
    first: Callable[[Disk], Disk],
    second: Callable[[Disk], Tree],
    *,
    is_durable: bool,
) -> None:
    trace = await record(bench, bench.subject.workload(bench.seed))
    tried = set()
    for stop in trace.stops():
        if not _wants(bench, stop):
            continue
        disk = first(stop.disk)
        key = digest(disk.tree()), digest(all_lost(disk))
        if key in tried:
            continue
        tried.add(key)
        again = await record_again(bench, stop, disk, is_durable=is_durable)
        if again is None:
            bench.count(stop.point, f"stopped {stop}", ["the first recovery finds too little"])
            continue
        for inner in again.stops():
            what = f"stopped {stop}, and in the recovery {inner}"
            tree = second(inner.disk)
            await bench.check(stop.point, what, tree, inner.expected, go_on=False)


def _wants(bench: Bench, stop: Stop) -> bool:
    during = bench.job.during
    names = {operation.name for operation in stop.expected.under_way()}
    return (not during or during in names) and bench.wants(stop.point)


def _parts(size: int) -> list[int]:
    """Where a write is torn: after a byte, in the middle, at a block's end, before the last."""
    return sorted({1, size // 2, min(512, size), min(4096, size), size - 1} - {0, size})


def _with_part(disk: Disk, write: Write, size: int) -> Tree:
    """What the program would see if this write had put only so many bytes."""
    torn_node = disk.node(write.node)

    def look(file: FileNode) -> Content:
        image = file.seen
        if file is torn_node:
            image = image.copy()
            image.put(Write(write.node, write.offset, write.data[:size]))
        return image.content(file.mtime)

    return disk.after_loss(disk.steps, look)
