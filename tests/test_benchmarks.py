"""That the benchmarks of the storage run; what they find is of no interest here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.storage_speed import PARTS, SHORT
from tests.benchmarks.stores import OURS, FileLimit, Limit

TINY = replace(SHORT, lengths=(3,), crowds=(1, 2), listed=3, rounds=4, seconds=0.01)


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_measures_ours(tmp_path: Path, part: str) -> None:
    results = await PARTS[part](tmp_path, [*OURS, FileLimit, Limit], TINY)
    for found in results.values():
        figures = found.get("add") or found.get("adds") or found.get("1", {}).get("adds") or found
        assert {each.name for each in OURS} <= figures.keys()
        assert all(value > 0 for value in figures.values())
