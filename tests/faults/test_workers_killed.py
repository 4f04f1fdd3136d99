"""A little of `python -m tests.faults.workers`."""

from __future__ import annotations

from tests.faults.workers import disturb
from tests.postgres_server import PostgresServer


async def test_workers_are_killed_and_restarted_and_nothing_is_lost(
    own_server: PostgresServer,
) -> None:
    told = await disturb(own_server.url, count=2, users=10, questions=4)
    assert "40 questions stored and answered once" in told
