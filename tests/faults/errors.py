"""The disk fails: with an error, by halves, for a moment or for good, truthfully or not."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from tests.faults.attempts import POINTS, Attempt, attempt, beginnings
from tests.faults.bench import Bench
from tests.faults.calls import Sync
from tests.faults.losses import all_lost, losses
from tests.faults.recorder import Fault

_ERRORS = (
    errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EACCES, errno.EROFS, errno.EINTR,
)  # fmt: skip
_OF_READING = (errno.EIO, errno.EACCES, errno.EMFILE)
_READS = frozenset({"stat", "scandir", "listdir", "io.open"})
_SYNCS = frozenset({"fsync", "fdatasync"})
_WRITES = frozenset({"write", "pwrite"})
# A full disk can still be read, and gives space back; one that is read-only can be read.
_SPARED = {
    errno.ENOSPC: _READS | {"unlink", "remove", "rmdir", "close"},
    errno.EDQUOT: _READS | {"unlink", "remove", "rmdir", "close"},
    errno.EROFS: _READS | _SYNCS | {"close"},
}

Faults = Callable[[int, str], Iterable[Fault]]


async def error_once(bench: Bench) -> None:
    """Every error at every call, those that read too; with the store's memory full, and empty."""

    def faults(at: int, name: str) -> Iterator[Fault]:
        for error in _OF_READING if name in _READS else _ERRORS:
            yield Fault(at, error)

    await _at_every_call(bench, faults)


async def error_from_there_on(bench: Bench) -> None:
    """Every call from there on fails, until the operation has ended."""

    def faults(at: int, name: str) -> Iterator[Fault]:
        for error in _OF_READING if name in _READS else _ERRORS:
            yield Fault(at, error, sticky=True, spared=_SPARED.get(error, frozenset()))

    await _at_every_call(bench, faults)


async def error_though_done(bench: Bench) -> None:
    """A call is done, and reported as failed all the same."""

    def faults(at: int, name: str) -> Iterator[Fault]:
        if name not in _READS:
            yield Fault(at, errno.EIO, late=True)

    await _at_every_call(bench, faults)


async def short_write(bench: Bench) -> None:
    """A write takes a part of its bytes; the rest goes on well, or finds the disk full."""

    def faults(at: int, name: str) -> Iterator[Fault]:
        for share in (0.0, 0.5, 0.999) if name in _WRITES else ():
            spared = _SPARED[errno.ENOSPC]
            yield Fault(at, share=share)
            yield Fault(at, errno.ENOSPC, sticky=True, share=share, spared=spared)

    await _at_every_call(bench, faults)


async def failed_fsync(bench: Bench) -> None:
    """Every fsync fails, and what it was to save is gone for good."""
    await _at_every_call(bench, _fail_syncs)


async def failed_fsync_then_power_lost(bench: Bench) -> None:
    """After a failed fsync the process goes on, and the power fails at every later call."""
    async for point, what, made in _attempts(bench, _fail_syncs):
        failed = bool(made.wrong)  # which is counted where only the fsync fails
        for stop in made.trace().stops() if not failed else ():
            if failed:
                for left, tree in losses(stop.disk, bench.seed * 100_003 + stop.point, drawn=0):
                    how = f"{what}, power lost {stop}, {left}"
                    await bench.check(point, how, tree, stop.expected, go_on=False)
            changes = stop.call.changes if stop.call else ()
            failed = failed or any(isinstance(c, Sync) and c.failed for c in changes)


def _fail_syncs(at: int, name: str) -> Iterator[Fault]:
    if name in _SYNCS:
        yield Fault(at, errno.EIO)


async def _at_every_call(bench: Bench, faults: Faults) -> None:
    async for point, what, made in _attempts(bench, faults):
        wrong = made.wrong
        if not wrong and bench.subject.is_synced:
            lost = await bench.judge(all_lost(made.disk), made.durable, go_on=False)
            wrong = [f"power lost at the end: {what}" for what in lost]
        bench.count(point, what, wrong)


async def _attempts(bench: Bench, faults: Faults) -> AsyncIterator[tuple[int, str, Attempt]]:
    """Try every operation with every fault at each of its calls; pass over what met none."""
    for beginning in await beginnings(bench):
        for warm in (True, False):
            whole = await attempt(bench, beginning, None, warm=warm)
            assert not whole.wrong, f"{beginning.operation.name} on a whole disk: {whole.wrong}"
            for at, name in enumerate(whole.calls, 1):
                point = POINTS * beginning.number + (0 if warm else 5_000) + at
                for fault in faults(at, name):
                    if not bench.wants(point):
                        continue
                    made = await attempt(bench, beginning, fault, warm=warm)
                    if made.fired:
                        yield point, _words(made, fault, name), made


def _words(made: Attempt, fault: Fault, name: str) -> str:
    operation = made.beginning.operation.name
    error = errno.errorcode.get(fault.error, "no error")
    kind = "from there on " if fault.sticky else "though done " if fault.late else ""
    share = "" if fault.share is None else f"after {fault.share:.1%} "
    return f"{error} {kind}{share}in call {fault.at}, {name}, of {operation}"
