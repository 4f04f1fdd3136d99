"""One random history of chats, compared with a model after each step.

Everything that people, their bot and their machine can do happens: calls of several users, one
after another and at once, cancelled, repeated, restarts, kills in the middle of a write, clocks
that stand, jump and go back.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import tempfile
import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from conversations import ConversationStorage
from tests.faults.drafts import USERS, Draft
from tests.faults.drawn import at_once, drafts, of_the_trash, usual_start, writing
from tests.faults.history_calls import Call, Held, HistoryManager, look, told_apart
from tests.faults.history_states import CANCELLED, between, differ, expect, serial_orders, told
from tests.faults.killed import KilledAt
from tests.faults.model import Model

Opener = Callable[[Path], AbstractAsyncContextManager[ConversationStorage]]

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # years before any file is written
_MEMORY = Path("/dev/shm")  # where there is one, nothing waits for a disk
_LONGEST = 60  # seconds that a step may take; more is a deadlock


@dataclass
class Tally:
    histories: int = 0
    calls: int = 0
    at_once: int = 0
    cancelled: int = 0
    restarts: int = 0
    kills: int = 0

    def add(self, other: Tally) -> None:
        for counted in fields(self):
            name = counted.name
            setattr(self, name, getattr(self, name) + getattr(other, name))


class History(RuleBasedStateMachine):
    """To be run as a subclass that says what is opened and where it is counted."""

    opener: ClassVar[Opener]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self.tally.histories += 1
        self._folder = Path(tempfile.mkdtemp(dir=_MEMORY if _MEMORY.is_dir() else None))
        self._roots = (self._folder / str(number) for number in itertools.count())
        self._root = next(self._roots)
        self._model = Model()
        self._held: list[Held] = []
        self._last: Call | None = None
        self._now, self._tick = _BEGINNING, timedelta(seconds=1)
        self._random = random.Random(0)
        self._failed = False
        self._runner = asyncio.Runner()
        self._run(self._open())

    @initialize(users=st.integers(0, 2))
    def begin(self, users: int) -> None:
        for user_id in USERS[:users]:
            self._run(self._in_turn(usual_start(user_id)))

    @rule(draft=drafts())
    def one(self, draft: Draft) -> None:
        self._run(self._in_turn([draft]))

    @rule(several=st.lists(drafts(), min_size=2, max_size=5))
    def without_a_look_between(self, several: list[Draft]) -> None:
        self._run(self._in_turn(several))

    @rule(later=st.booleans())
    def the_last_again(self, later: bool) -> None:
        if self._last is not None:
            again = self._last if not later else replace(self._last, now=self._time())
            self._run(self._repeat(replace(again, fresh=self._fresh())))

    @rule(draft=writing(), turns=st.integers(0, 12))
    def cancelled(self, draft: Draft, turns: int) -> None:
        self._run(self._at_once([(draft, 0, turns)]))

    @rule(
        several=st.lists(
            st.tuples(at_once(), st.integers(0, 6), st.none() | st.none() | st.integers(0, 12)),
            min_size=2,
            max_size=4,
        ),
        by_one=st.booleans(),
    )
    def at_once(self, several: list[tuple[Draft, int, int | None]], by_one: bool) -> None:
        self.tally.at_once += 1
        if by_one:
            user_id = several[0][0].user_id
            several = [(replace(d, user_id=user_id), wait, end) for d, wait, end in several]
        self._run(self._at_once(several))

    @rule(after=st.lists(drafts(), max_size=2))
    def restarted(self, after: list[Draft]) -> None:
        self._run(self._restart())
        self._run(self._in_turn(after))

    @rule(draft=writing(), change=st.integers(1, 16), again=st.none() | st.integers(1, 8))
    def killed(self, draft: Draft, change: int, again: int | None) -> None:
        self._run(self._kill(draft, change, again))

    @rule(days=st.sampled_from([20, 31]), draft=of_the_trash())
    def days_later(self, days: int, draft: Draft) -> None:
        self._now += timedelta(days=days)
        self._run(self._in_turn([draft]))

    @rule(hours=st.integers(0, 2), tick=st.integers(0, 1))
    def the_clock_is_set_back(self, hours: int, tick: int) -> None:
        self._now -= timedelta(hours=hours)
        self._tick = timedelta(seconds=tick)

    def teardown(self) -> None:
        try:
            if not self._failed:
                self._run(self._end())
        finally:
            self._runner.close()
            shutil.rmtree(self._folder)

    def _run(self, doing: Coroutine[Any, Any, None]) -> None:
        async def in_time() -> None:
            async with asyncio.timeout(_LONGEST):
                await doing

        try:
            self._runner.run(in_time())
        except BaseException:
            self._failed = True
            raise

    async def _open(self) -> None:
        self._context = type(self).opener(self._root)
        self._storage = await self._context.__aenter__()
        self._manager = HistoryManager(self._storage)

    async def _close(self) -> None:
        await self._context.__aexit__(None, None, None)

    async def _restart(self) -> None:
        self.tally.restarts += 1
        await self._close()
        await self._open()

    async def _in_turn(self, several: Iterable[Draft]) -> None:
        users = set()
        for draft in several:
            call = self._call(draft)
            await self._make(call)
            users.add(call.user_id)
        await self._agree([self._model], users)

    async def _repeat(self, call: Call) -> None:
        note(f"  {call!r}")
        await self._make(call)
        await self._agree([self._model], {call.user_id})

    async def _make(self, call: Call) -> None:
        outcome = await call.make(self._manager, self._held)
        del self._held[:-6]
        expect(call, outcome, self._model)

    async def _at_once(self, several: Sequence[tuple[Draft, int, int | None]]) -> None:
        """Begin each call after so many turns of the loop, and cancel it after so many more."""
        calls = [self._call(draft) for draft, _, _ in several]

        async def make(call: Call, wait: int, cancel_after: int | None) -> Any:
            await _turns(wait)
            task = asyncio.create_task(call.make(self._manager))
            if cancel_after is not None:
                await _turns(cancel_after)
                task.cancel()
            await asyncio.wait([task])
            return CANCELLED if task.cancelled() else task.result()

        outcomes = await asyncio.gather(
            *(
                make(call, wait, cancel_after)
                for call, (_, wait, cancel_after) in zip(calls, several, strict=True)
            )
        )
        self.tally.cancelled += outcomes.count(CANCELLED)
        made = list(zip(calls, outcomes, strict=True))
        for call, outcome in made:
            note(f"    of {call.verb}: {outcome!r}")
        orders = serial_orders(self._model, made)
        await self._agree(orders, {call.user_id for call in calls})

    async def _kill(self, draft: Draft, change: int, again: int | None) -> None:
        """Go on from what stood on the disk in the middle of a call; and in that of recovering."""
        call, old, new = self._call(draft), self._model, self._model.copy()
        with KilledAt(change, self._root, next(self._roots)) as killed:
            outcome = await call.make(self._manager)
        expect(call, outcome, new)
        await self._go_on_in(killed.target)
        if again is not None:
            with KilledAt(again, self._root, next(self._roots)) as recovering:
                await look(self._manager, self._storage, call.user_id)
            await self._go_on_in(recovering.target)
        possible = [new]
        if killed.in_time:
            possible += [old, *between(call, old, new)]
        await self._agree(possible, {call.user_id})
        self._model.doubt(call.user_id)

    async def _go_on_in(self, root: Path) -> None:
        self.tally.kills += 1
        await self._close()
        self._root = root
        await self._open()

    async def _end(self) -> None:
        await self._agree([self._model], set(USERS))
        await self._restart()
        await self._agree([self._model], set(USERS))
        await self._close()
        left = [path for path in self._root.rglob("*") if ".tmp" in path.name]
        left += self._root.rglob("*.damaged*")
        assert not left, left

    def _call(self, draft: Draft) -> Call:
        self._last = draft.resolve(self._model, self._held, self._time(), self._fresh())
        self.tally.calls += 1
        note(f"  {self._last!r}")
        return self._last

    def _time(self) -> datetime:
        self._now += self._tick
        return self._now

    def _fresh(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    async def _agree(self, models: Iterable[Model], users: set[int]) -> None:
        """Find out which of the possible states is the true one, and go on with that."""
        seen = {user_id: await self._look(user_id) for user_id in users}
        possible, alike = [], []
        for model in models:
            expected = {user_id: self._expected(model, user_id) for user_id in users}
            possible.append(expected)
            if all(
                told(model, user_id, seen[user_id]) == told(model, user_id, expected[user_id])
                for user_id in users
            ):
                alike.append(model)
                if not any(model.user(user_id)["trash"] for user_id in users):
                    break  # there is nothing that does not show
        if not alike:
            differ("the state", seen, *possible)
        self._model = await told_apart(alike, self._storage, users)

    async def _look(self, user_id: int) -> Any:
        seen = await look(self._manager, self._storage, user_id)
        return seen | {"files": self._files(user_id)}

    def _expected(self, model: Model, user_id: int) -> Any:
        on_disk = self._files(user_id) is not None
        return model.look(user_id) | {"files": model.user(user_id)["files"] if on_disk else None}

    def _files(self, user_id: int) -> dict[str, bytes] | None:
        """Give what stands in the user's files; None where the storage is no folder of files."""
        if not self._root.is_dir():
            return None
        files = self._root.glob(f"user_{user_id}/files/[!.]*")
        return {path.name: path.read_bytes() for path in files}


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
