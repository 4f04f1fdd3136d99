"""A little of `python -m tests.faults.workers`."""

from __future__ import annotations

from tests.faults.workers import disturb
from tests.postgres_server import PostgresServer


async def test_a_worker_is_killed_and_nothing_is_lost(
    own_server: PostgresServer,
) -> None:
    told = await disturb(own_server.url, count=2, users=10, questions=4, restarts=False)
    assert "40 questions stored and answered once" in told
