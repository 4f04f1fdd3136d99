"""Many random histories of chats; `python -m tests.faults.histories --examples 10000`.

Each history is compared with a model after each of its steps. All cores share the work; a failure
names the seed and the batch that replay it.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.history import History, Opener, Tally
from tests.faults.places import ON_DISK, opener_for

BATCH = 100  # histories that share a seed; a failure is replayed within so many
_STEPS = 30


def run_batch(
    opener: Opener, seed: int, histories: int, tally: Tally, *, shrinks: bool = True
) -> None:
    """Live so many histories.

    :raises AssertionError: one of them differed from the model; the shortest such is in its notes.
    """
    phases = (Phase.generate, Phase.shrink) if shrinks else (Phase.generate,)
    machine = type("History", (History,), {"opener": staticmethod(opener), "tally": tally})
    run_state_machine_as_test(
        hypothesis.seed(seed)(machine),
        settings=hypothesis.settings(
            max_examples=histories,
            stateful_step_count=_STEPS,
            deadline=None,
            database=None,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def live(storage: str, seed: int, batch: int, histories: int) -> tuple[Tally, str]:
    """Live one batch; give what was counted, and what failed with the way to replay it."""
    logging.getLogger("conversations").setLevel(logging.CRITICAL)  # of databases without fsync
    tally = Tally()
    with opener_for(storage) as opener:
        try:
            run_batch(opener, seed * 1_000_000 + batch, histories, tally)
        except Exception:  # noqa: BLE001 - whatever it is, the other batches matter too
            again = f"--storage '{storage}' --seed {seed} --batch {batch} --examples {histories}"
            failure = (
                f"{traceback.format_exc()}\nreplay: python -m tests.faults.histories {again}\n"
            )
            return tally, failure
    return tally, ""


def run(histories: int, storage: str, seed: int = 0, first_batch: int = 0) -> tuple[Tally, int]:
    """Live so many histories on all cores; give what was counted, and how many batches failed."""
    counts = [min(BATCH, histories - done) for done in range(0, histories, BATCH)]
    batches = range(first_batch, first_batch + len(counts))
    whole, failures = Tally(), 0
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for tally, failure in pool.map(partial(live, storage, seed), batches, counts):
            whole.add(tally)
            if failure:
                failures += 1
                sys.stderr.write(f"{failure}\n")
    return whole, failures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.histories")
    parser.add_argument("--examples", type=int, default=10_000, help="how many histories")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=0, help="the first batch")
    parser.add_argument("--storage", choices=[*ON_DISK, "postgres"], default="json")
    given = parser.parse_args()
    begun = time.monotonic()
    tally, failures = run(given.examples, given.storage, given.seed, given.batch)
    sys.stdout.write(
        f"{given.storage}: {tally.histories} histories, {tally.calls} calls,"
        f" {tally.at_once} times some at once, {tally.cancelled} cancelled,"
        f" {tally.restarts} restarts, {tally.kills} kills,"
        f" {failures} failures in {time.monotonic() - begun:.0f} s (seed {given.seed})\n"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
