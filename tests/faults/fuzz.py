"""Spoilt files of chats, read in any number: `python -m tests.faults.fuzz --inputs 1000000`.

Each input is read by the functions that read; each 20th also stands in a folder of chats under a
real storage. All cores share the work; a failure names the seed and the number that make the input
again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

from conversations.models import ConversationMetadata
from tests.faults.damage import Spoilt, spoilt
from tests.faults.reading import USER, check_chat, check_index
from tests.faults.stored import failures_in
from tests.faults.whole import metadata

STORED_EACH = 20
_BATCH = 5000  # inputs that a process takes at a time
_AT_ONCE = 50  # folders under one storage
_ENOUGH = 20  # failures; more would say the same


@dataclass
class Report:
    kinds: Counter[str] = field(default_factory=Counter)
    inputs: int = 0
    stored: int = 0
    failures: list[tuple[int, Spoilt, str]] = field(default_factory=list)

    def fail(self, number: int, made: Spoilt, error: Exception) -> None:
        self.failures.append((number, made, "".join(traceback.format_exception(error))))


def fuzz(seed: int, numbers: range, *, stored_each: int = STORED_EACH) -> Report:
    """Read the inputs of these numbers; give what was counted and what failed."""
    report = Report()
    to_store: dict[int, Spoilt] = {}
    with asyncio.Runner() as runner:
        for number in numbers:
            made = spoilt(seed, number)
            _read(made, number, report)
            if number % stored_each == 0:
                to_store[number] = made
            if len(to_store) == _AT_ONCE or number == numbers[-1]:
                report.stored += len(to_store)
                for failed, error in runner.run(failures_in(to_store.items())):
                    report.fail(failed, to_store[failed], error)
                to_store.clear()
            if len(report.failures) >= _ENOUGH:
                break
    return report


def _read(made: Spoilt, number: int, report: Report) -> None:
    report.inputs += 1
    report.kinds.update({made.what, *made.kinds.split(", ")})
    try:
        if made.what == "index":
            check_index(made.data)
        else:
            check_chat(made.data, _KNOWN if number % 2 else None)
    except Exception as error:  # noqa: BLE001 - whatever escapes is a failure
        report.fail(number, made, error)


_KNOWN = ConversationMetadata.from_dict(metadata("a"), user_id=USER, conversation_id="a")


def fuzz_on_all_cores(seed: int, inputs: int) -> Report:
    batches = [range(n, min(n + _BATCH, inputs)) for n in range(0, inputs, _BATCH)]
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), initializer=logging.disable
    ) as pool:
        return merged(pool.map(partial(fuzz, seed), batches))


def merged(reports: Iterable[Report]) -> Report:
    whole = Report()
    for report in reports:
        whole.kinds += report.kinds
        whole.inputs += report.inputs
        whole.stored += report.stored
        whole.failures += report.failures
    return whole


def described(seed: int, report: Report) -> Iterator[str]:
    """Say what failed, and how it is made again."""
    for number, made, error in report.failures[:_ENOUGH]:
        yield error
        yield f"{made.what} ({made.kinds}): {made.data[:3000]!r}"
        yield f"replay: python -m tests.faults.fuzz --seed {seed} --only {number}\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one input")
    given = parser.parse_args()
    begun = time.monotonic()
    if given.only is None:
        report = fuzz_on_all_cores(given.seed, given.inputs)
    else:
        logging.disable()  # each damaged file is logged, as it has to be
        report = fuzz(given.seed, range(given.only, given.only + 1), stored_each=1)
    seconds = time.monotonic() - begun
    for line in described(given.seed, report):
        sys.stdout.write(f"{line}\n")
    for kind, count in report.kinds.most_common():
        sys.stdout.write(f"{count:10} {kind}\n")
    sys.stdout.write(
        f"{report.inputs} inputs, {report.stored} of them under a storage,"
        f" {len(report.failures)} failures in {seconds:.0f} s"
        f" ({report.inputs / seconds:.0f} inputs/s, seed {given.seed})\n"
    )
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
