"""A little of every mode on every store; `make faults` does all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.bench import Bench, Job
from tests.faults.modes import run
from tests.faults.mutants import Edit, Mutant, caught, mutants
from tests.faults.plan import brief
from tests.faults.subjects import find_subject


@pytest.mark.parametrize("job", brief(), ids=lambda job: f"{job.subject}, {job.mode}")
def test_nothing_acknowledged_is_lost(job: Job) -> None:
    tally = run(job)
    assert tally.broken == []
    assert tally.cases > 5


@pytest.mark.parametrize("mode", ["process killed at a call", "error from the system"])
def test_a_process_of_its_own(mode: str) -> None:
    tally = run(Job(mode, thin=60))
    if tally.skipped:
        pytest.skip(tally.skipped)
    assert tally.broken == []
    assert tally.cases > 0


def test_a_process_killed_again_and_again() -> None:
    tally = run(Job("process killed at random", thin=25))
    assert (tally.cases, tally.broken) == (4, [])


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_is_noticed(mutant: Mutant) -> None:
    assert mutant.mode in caught(mutant, mutant.mode, during=mutant.during)


def test_the_store_as_it_is_passes_for_no_mutant() -> None:
    assert caught(Mutant("none"), "kill", during="purge") == {}


def test_a_mutant_that_applies_no_more_says_so(tmp_path: Path) -> None:
    mutant = Mutant("gone", edits=[Edit("conversations/durable.py", "not there\n", "")])
    with pytest.raises(ValueError, match="'gone' applies no more: not in conversations/durable"):
        mutant.write(tmp_path)


def test_a_case_is_tried_by_its_point_or_by_its_turn(tmp_path: Path) -> None:
    def tried(job: Job) -> list[int]:
        bench = Bench(job, find_subject("files"), tmp_path)
        return [point for point in range(10, 20) if bench.wants(point)]

    assert tried(Job("kill", point=17)) == [17]
    assert tried(Job("kill", thin=4)) == [13, 17]
    assert tried(Job("kill")) == list(range(10, 20))
