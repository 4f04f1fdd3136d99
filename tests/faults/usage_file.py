"""The bot's meter as a subject: a kill gives nobody a new allowance, a power cut may.

A user's state is `{"asked": [question, ...], "spent": tokens}`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from bot import metering
from bot.metering import Meter
from tests.faults.folders import Tree
from tests.faults.operations import Operation, State

ANNA, BORIS = USERS = (1001, 1002)
_FILE = "usage-7.jsonl"
_COMPACT_BYTES = 300  # so few that a short history gets there
_NOW = 1_795_348_800.0


@dataclass(frozen=True)
class UsageFile:
    name: str = "usage"
    users: tuple[int, ...] = USERS
    failure: type[Exception] = OSError
    is_synced: bool = False

    @asynccontextmanager
    async def opened(self, root: Path) -> AsyncIterator[Meter]:
        with mock.patch.object(metering, "_COMPACT_BYTES", _COMPACT_BYTES):
            meter = Meter(root / _FILE, clock=lambda: _NOW)
            await meter.open()
            try:
                yield meter
            finally:
                await meter.close()

    def before(self) -> Tree:
        return {}

    def initial(self, user: int) -> State:
        return {"asked": [], "spent": 0}

    def workload(self, seed: int) -> list[Operation]:
        return list(_tour())

    def drawn(self, seed: int, count: int, states: dict[int, State]) -> list[Operation]:
        return [ask(USERS[n % 2], f"{seed}-{n}") for n in range(count)]

    def probes(self, user: int, state: State) -> list[Operation]:
        return [ask(user, "probe"), spend(user, 9)]

    async def observe(self, store: Meter, root: Path, user: int) -> State:
        used = await store.usage(user)
        return {"asked": list(used.asked), "spent": used.spent}

    def shown(self, state: State) -> State:
        return state

    def complaints(self, root: Path, observed: Mapping[int, State]) -> list[str]:
        """A temporary file stays until the next opening where it could not be removed."""
        found = (path.name for path in root.iterdir())
        known = (_FILE, f".{_FILE}.")
        return [f"{name} should not be there" for name in found if not name.startswith(known)]


def ask(user: int, key: str) -> Operation:
    async def act(store: Meter) -> None:
        await store.ask(user, key)

    def change(state: State) -> None:
        if key not in state["asked"]:
            state["asked"].append(key)

    return Operation("ask", user, act, change)


def spend(user: int, tokens: int) -> Operation:
    """Done twice it is counted twice, so that it must not be tried again."""

    async def act(store: Meter) -> None:
        await store.spend(user, tokens)

    def change(state: State) -> None:
        state["spent"] += tokens

    return Operation("spend", user, act, change)


def _tour() -> Iterator[Operation]:
    for number in range(8):
        yield ask(ANNA, f"{ANNA}:{number}")
        yield spend(ANNA, 100 + number)
        yield ask(BORIS, f"{BORIS}:{number}")
    yield spend(BORIS, 5)
