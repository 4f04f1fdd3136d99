"""`python -m tests.faults`: put the stores to the test, print a table, exit 1 on any loss."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.faults.bench import Tally
from tests.faults.modes import MODES, Job, run
from tests.faults.subjects import SUBJECTS


def _jobs(names: Sequence[str], options: argparse.Namespace) -> list[Job]:
    return [
        Job(
            mode,
            options.subject,
            options.seed,
            options.thin,
            point=options.point,
            first_only=options.json,
        )
        for mode in names
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--mode", action="append", choices=list(MODES), help="only this; repeat")
    parser.add_argument("--subject", choices=list(SUBJECTS), default="files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--thin", type=int, default=1, help="try every so many cases")
    parser.add_argument("--point", type=int, help="try this one, as a finding names it")
    parser.add_argument("--json", action="store_true", help="the first finding of each mode")
    options = parser.parse_args(arguments)
    if options.json:
        found = {}
        for job in _jobs(options.mode, options):
            tally = run(job)
            if tally.broken:
                found[job.mode] = tally.broken[0]
        print(json.dumps(found))
        return int(bool(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
