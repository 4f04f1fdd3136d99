"""Every way to put a store to the test, by name, and how a job of it is run."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults import damage, errors, kills, owners, turns
from tests.faults.bench import Bench, BrokenError, Tally
from tests.faults.subjects import SUBJECTS

Mode = Callable[[Bench], Awaitable[None]]

MODES: dict[str, Mode] = {
    "kill": kills.killed,
    "torn write": kills.torn,
    "power loss": kills.power_lost,
    "side by side": kills.side_by_side,
    "kill, kill": kills.killed_twice,
    "kill, power loss": kills.killed_then_power_lost,
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
    "damage": damage.damaged,
}


@dataclass(frozen=True)
class Job:
    """One mode with one subject and one seed; every `thin`-th case of it, or the one at `point`."""

    mode: str
    subject: str = "files"
    seed: int = 0
    thin: int = 1
    point: int | None = None
    first_only: bool = False


def run(job: Job) -> Tally:
    """Run a job in an event loop and a folder of its own, in memory where there is such a disk."""
    logging.getLogger("conversations").setLevel(logging.CRITICAL)  # it tells of every fault
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        bench = Bench(
            job.mode,
            SUBJECTS[job.subject],
            job.seed,
            Path(place),
            point=job.point,
            thin=job.thin,
            first_only=job.first_only,
        )
        try:
            asyncio.run(_run(bench))
        except BrokenError:
            pass  # it is noted
        except AssertionError as error:
            bench.tally.broken.append(f"{job}: {error}")
        return bench.tally


async def _run(bench: Bench) -> None:
    await MODES[bench.tally.mode](bench)
