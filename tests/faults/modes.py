"""Every way to put a store to the test, by name, and how a job of it is run."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults import errors, kills, owners, processes, real_disks, spoilt, turns
from tests.faults.bench import Bench, BrokenError, Job, SkippedError, Tally
from tests.faults.subjects import find_subject

Mode = Callable[[Bench], Awaitable[None]]

MODES: dict[str, Mode] = {
    "kill": kills.killed,
    "torn write": kills.torn,
    "power loss": kills.power_lost,
    "side by side": kills.side_by_side,
    "killed, killed": kills.killed_twice,
    "killed, power loss": kills.killed_then_power_lost,
    "power loss, power loss": kills.power_lost_twice,
    "error": errors.error_once,
    "lasting error": errors.error_from_there_on,
    "error though done": errors.error_though_done,
    "short write": errors.short_write,
    "failed fsync": errors.failed_fsync,
    "failed fsync, power loss": errors.failed_fsync_then_power_lost,
    "cancelled": turns.cancelled,
    "held": turns.held,
    "second owner": owners.owned,
    "damage": spoilt.damaged,
    "process killed at a call": processes.killed_by_strace,
    "process killed at random": processes.killed_at_random,
    "error from the system": processes.error_by_strace,
    **real_disks.MODES,
}


def run(job: Job) -> Tally:
    """Run a job in an event loop and a folder of its own, in memory where there is such a disk."""
    memory = Path("/dev/shm")
    with (
        _quietly(),
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place,
    ):
        bench = Bench(job, find_subject(job.subject), Path(place))
        start = time.monotonic()
        try:
            asyncio.run(_run(bench))
        except BrokenError:
            pass  # it is noted
        except SkippedError as error:
            bench.tally.skipped = str(error)
        except AssertionError as error:
            bench.tally.broken.append(f"{job}: {error}")
        bench.tally.seconds = time.monotonic() - start
        return bench.tally


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the stores silent, which tell of every fault."""
    loggers = {logging.getLogger(name): 0 for name in ("conversations", "bot")}
    for logger in loggers:
        loggers[logger] = logger.level
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)


async def _run(bench: Bench) -> None:
    await MODES[bench.job.mode](bench)
