"""`python -m tests.faults`: put the stores to the test, print a table, exit 1 on any loss."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.faults.bench import Job, Tally
from tests.faults.modes import MODES, run
from tests.faults.mutants import mutants, noticed_by
from tests.faults.plan import brief, full
from tests.faults.subjects import SUBJECTS

_SHOWN = 20  # findings


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if options.brief:
        found = {
            job.mode: tally.broken[0] for job in _briefly(options) if (tally := run(job)).broken
        }
        _say(json.dumps(found))
        return int(bool(found))
    start = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        jobs = _chosen(options) if options.mode else full()
        running: dict[Future[Tally], Job] = {pool.submit(run, job): job for job in jobs}
        tallies = list(_finished(running))
        is_whole = _show(tallies)
        if options.mutants or not options.mode:
            is_whole &= _show_mutants(pool)
    _say(f"\n{time.monotonic() - start:.0f} s on {os.cpu_count()} cores")
    return 0 if is_whole else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--mode", action="append", choices=list(MODES), help="only this; repeat")
    parser.add_argument("--subject", choices=list(SUBJECTS), default="files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--thin", type=int, default=1, help="try every so many cases")
    parser.add_argument("--point", type=int, help="try this one, as a finding names it")
    parser.add_argument("--during", default="", help="only in operations of this name")
    parser.add_argument("--brief", action="store_true", help="JSON: the first finding of a mode")
    parser.add_argument("--mutants", action="store_true", help="the mutants as well")
    return parser.parse_args(arguments)


def _chosen(options: argparse.Namespace) -> list[Job]:
    return [
        Job(
            mode,
            options.subject,
            options.seed,
            options.thin,
            point=options.point,
            during=options.during,
            first_only=options.brief,
        )
        for mode in options.mode
    ]


def _briefly(options: argparse.Namespace) -> list[Job]:
    return _chosen(options) if options.mode else brief()


def _finished(running: dict[Future[Tally], Job]) -> Iterator[Tally]:
    """Give what is done as it gets done, and tell of it: a whole run takes its time."""
    for number, future in enumerate(as_completed(running), 1):
        tally = future.result()
        _tell(
            f"{number} of {len(running)}: {tally.job}: {tally.cases} cases in"
            f" {tally.seconds:.0f} s, {len(tally.broken)} broken"
        )
        for line in tally.broken[:_SHOWN]:
            _tell(line)
        yield tally


def _show(tallies: Iterable[Tally]) -> bool:
    """Print the table and what was found; tell whether nothing was."""
    rows: dict[tuple[str, str], list[Tally]] = {}
    for tally in tallies:
        rows.setdefault((tally.job.mode, tally.job.subject), []).append(tally)
    _say("| mode | subject | cases tried | distinct states | broken |\n|---|---|--:|--:|--:|")
    for (mode, subject), of_row in sorted(
        rows.items(), key=lambda row: list(MODES).index(row[0][0])
    ):
        skipped = next((tally.skipped for tally in of_row if tally.skipped), "")
        cases, states = sum(t.cases for t in of_row), sum(t.states for t in of_row)
        broken = f"skipped: {skipped}" if skipped else str(sum(len(t.broken) for t in of_row))
        _say(f"| {mode} | {subject} | {cases} | {states} | {broken} |")
    found = [line for of_row in rows.values() for tally in of_row for line in tally.broken]
    for line in found[:_SHOWN]:
        _say(f"\npython -m tests.faults {line}")
    if len(found) > _SHOWN:
        _say(f"\nand {len(found) - _SHOWN} more")
    return not found


def _show_mutants(pool: ProcessPoolExecutor) -> bool:
    """Print which modes see each mutant; tell whether every one is seen."""
    tried = mutants()
    _say("\n| mutant | noticed by |\n|---|---|")
    all_seen = True
    for mutant, found in zip(tried, pool.map(noticed_by, tried), strict=True):
        all_seen &= bool(found)
        _say(f"| {mutant.name} | {', '.join(found) or 'NOTHING'} |")
    return all_seen


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is a program


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
