"""A little of `python -m tests.faults.workers`."""

from __future__ import annotations

import pytest

from tests.faults.workers import disturb
from tests.postgres_server import PostgresServer


@pytest.mark.parametrize("killed_after", [0.25, 1])
async def test_a_worker_is_killed_and_nothing_is_lost(
    own_server: PostgresServer, killed_after: float
) -> None:
    told = await disturb(
        own_server.url, count=2, users=10, questions=4, restarts=False, killed_after=killed_after
    )
    assert "40 questions stored and answered once" in told
