"""The bot's inbox as a subject: what is kept is handed out again, what is over never.

A user's state is `{"open": [[update_id, text, facts], ...], "over": [update_id, ...]}`.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from bot import inbox as module
from bot.inbox import Inbox
from tests.faults.folders import Tree
from tests.faults.operations import Operation, State

ANNA, BORIS, VERA = USERS = (1001, 1002, 1003)
_FILE = "inbox-7.jsonl"
_COMPACT_BYTES = 6000  # so few that a short history gets there
_NUMBERS = 1000  # of each user's updates
_PROBES = 900  # the first number that no workload has

Update = dict[str, Any]


class LateInbox:
    """An inbox that is opened when it is first used, and afresh after that has failed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.forgotten: set[str] = set()  # texts
        self._inbox: Inbox | None = None
        self._opening = asyncio.Lock()

    async def ready(self) -> Inbox:
        async with self._opening:
            if self._inbox is None:
                inbox = Inbox(self.path)
                try:
                    await inbox.open()
                except OSError:
                    await inbox.close()  # as the bot does, which ends then
                    raise
                self._inbox = inbox
                if inbox._descriptor is not None:  # it was written anew
                    left = list(self.path.parent.glob(".*.tmp"))
                    assert not left, f"not swept: {left}"
        return self._inbox

    async def close(self) -> None:
        if self._inbox is not None:
            await self._inbox.close()

    def check(self) -> None:
        """Make sure that nothing that was forgotten stands in any file."""
        if self.forgotten:
            for path in self.path.parent.iterdir():
                try:
                    data = path.read_bytes().decode("utf-8", "replace")
                except FileNotFoundError:  # a temporary one, which has its name by now
                    continue
                found = [text for text in self.forgotten if text in data]
                assert not found, f"forgotten, and in {path.name}: {found}"


@dataclass(frozen=True)
class InboxFile:
    name: str = "inbox"
    users: tuple[int, ...] = USERS
    failure: type[Exception] = OSError
    is_synced: bool = True

    @asynccontextmanager
    async def opened(self, root: Path) -> AsyncIterator[LateInbox]:
        with mock.patch.object(module, "_COMPACT_BYTES", _COMPACT_BYTES):
            store = LateInbox(root / _FILE)
            try:
                yield store
                store.check()
            finally:
                await store.close()

    def before(self) -> Tree:
        return {}

    def initial(self, user: int) -> State:
        return {"open": [], "over": []}

    def workload(self, seed: int) -> list[Operation]:
        states = {user: self.initial(user) for user in USERS}
        return list(_tour()) if seed < 2 else self.drawn(seed, 60, states)

    def drawn(self, seed: int, count: int, states: dict[int, State]) -> list[Operation]:
        rng = random.Random(seed)
        return [_draw(rng) for _ in range(count)]

    def probes(self, user: int, state: State) -> list[Operation]:
        one, two = _PROBES, _PROBES + 1
        return [
            keep(user, one, two),
            note(user, two, question=two),
            finish(user, one),
            keep(user, one),
            *(finish(user, update_id % _NUMBERS) for update_id, _, _ in state["open"]),
            forget(user),
        ]

    async def observe(self, store: LateInbox, root: Path, user: int) -> State:
        inbox = await store.ready()
        store.check()
        entries = [entry for entry in inbox.left_open() if _sender(entry.raw) == user]
        opened = [
            [entry.raw["update_id"], entry.raw["message"]["text"], copy.deepcopy(entry.facts)]
            for entry in entries
        ]
        return {"open": opened, "over": _over(inbox, user)}

    def shown(self, state: State) -> State:
        return state

    def complaints(self, root: Path, observed: Mapping[int, State]) -> list[str]:
        """A temporary file stays until the file can be written again, one put aside for good."""
        found = (path.name for path in root.iterdir())
        known = (_FILE, f"{_FILE}.damaged-", f".{_FILE}.")
        return [f"{name} should not be there" for name in found if not name.startswith(known)]


# Operations


def keep(user: int, *numbers: int, size: int = 10) -> Operation:
    updates = [_update(user, number, size) for number in numbers]

    async def act(store: LateInbox) -> None:
        await (await store.ready()).keep(copy.deepcopy(updates))

    def change(state: State) -> None:
        _keep(state, updates)

    def partly(state: State) -> Iterator[State]:
        """A line is there or is not, whatever becomes of the others."""
        for count in range(1, len(updates)):
            for some in itertools.combinations(updates, count):
                part = copy.deepcopy(state)
                _keep(part, some)
                yield part

    return Operation("keep", user, act, change, partly)


def note(user: int, number: int, **facts: int | str) -> Operation:
    async def act(store: LateInbox) -> None:
        await (await store.ready()).note(_id(user, number), dict(facts))

    def change(state: State) -> None:
        for update_id, _, known in state["open"]:
            if update_id == _id(user, number):
                known |= facts

    return Operation("note", user, act, change)


def finish(user: int, number: int) -> Operation:
    async def act(store: LateInbox) -> None:
        inbox = await store.ready()
        inbox.begin(_id(user, number))
        await inbox.finish(_id(user, number))

    def change(state: State) -> None:
        left = [entry for entry in state["open"] if entry[0] != _id(user, number)]
        if len(left) < len(state["open"]):
            state["over"] = sorted([*state["over"], _id(user, number)])
        state["open"] = left

    return Operation("finish", user, act, change)


def forget(user: int) -> Operation:
    async def act(store: LateInbox) -> None:
        inbox = await store.ready()
        await inbox.forget_person(user)
        store.forgotten |= {f"<{update_id}>" for update_id in _over(inbox, user)}

    return Operation("forget", user, act, lambda state: None)


def _keep(state: State, updates: tuple[Update, ...] | list[Update]) -> None:
    known = {*state["over"], *(update_id for update_id, _, _ in state["open"])}
    for raw in updates:
        if raw["update_id"] not in known:
            state["open"].append([raw["update_id"], raw["message"]["text"], {}])


def _over(inbox: Inbox, user: int) -> list[int]:
    opened = {entry.raw["update_id"] for entry in inbox.left_open()}
    known = filter(inbox.knows, range(user * _NUMBERS, (user + 1) * _NUMBERS))
    return [update_id for update_id in known if update_id not in opened]


def _update(user: int, number: int, size: int) -> Update:
    text = f"<{_id(user, number)}>".ljust(size, "x")
    return {"update_id": _id(user, number), "message": {"from": {"id": user}, "text": text}}


def _id(user: int, number: int) -> int:
    return user * _NUMBERS + number


def _sender(raw: Update) -> int:
    return int(raw["message"]["from"]["id"])


# Histories


def _tour() -> Iterator[Operation]:
    """Every verb, in every way that takes another path, by three users in turn."""
    yield keep(ANNA, 1)
    yield keep(BORIS, 1, 2)
    yield note(ANNA, 1, chat="a")
    yield keep(ANNA, 2, 3, size=1500)  # longer than a block of the disk
    yield finish(BORIS, 1)
    yield keep(BORIS, 1)  # once more, and over
    yield keep(ANNA, 1)  # once more, and open
    yield note(ANNA, 1, question=7)
    yield keep(BORIS, 1, 3)
    yield finish(ANNA, 1)
    yield finish(ANNA, 1)
    yield note(ANNA, 1, chat="late")
    yield finish(VERA, 1)  # that never came
    yield keep(VERA, 1, 2, 3, size=600)
    yield finish(VERA, 2)
    yield forget(VERA)
    yield keep(BORIS, 4, size=4000)  # the file is written anew
    yield note(BORIS, 4, text="y" * 600)
    yield finish(BORIS, 3)
    yield keep(VERA, 4, size=4000)  # and again
    yield finish(BORIS, 4)
    yield forget(BORIS)
    yield finish(VERA, 4)
    yield keep(ANNA, 4)


def _draw(rng: random.Random) -> Operation:
    user, number = rng.choice(USERS), rng.randrange(30)
    sizes = (10, 10, 400, 2500)
    choices = [
        keep(user, number, size=rng.choice(sizes)),
        keep(user, *rng.sample(range(30), 3), size=rng.choice(sizes)),
        note(user, number, chat=f"chat {rng.randrange(9)}"),
        finish(user, number),
        finish(user, number + 1),
    ]
    return rng.choice(choices) if rng.random() < 0.95 else forget(user)
