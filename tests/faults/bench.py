"""Runs a subject, and looks at what is left of it: the one place that judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.calls import Mark
from tests.faults.expected import Expected
from tests.faults.folders import Tree, digest, lay_out
from tests.faults.operations import Operation, State
from tests.faults.recorder import Recorder
from tests.faults.subjects import Subject

STORE = "store"  # the store's own folder, below the one that is watched


@dataclass(frozen=True)
class Job:
    """One mode with one subject and one seed."""

    mode: str
    subject: str = "files"
    seed: int = 0
    thin: int = 1  # every so many cases are tried
    every: int = 1  # and, where it goes by operations, in every so many of them
    point: int | None = None  # the one alone that a finding names
    during: str = ""  # only where an operation of this name is under way
    first_only: bool = False  # the first finding is enough

    def __str__(self) -> str:
        return f"--mode '{self.mode}' --subject {self.subject} --seed {self.seed}"


@dataclass
class Tally:
    """What a job found."""

    job: Job
    cases: int = 0
    states: int = 0  # distinct folders that were opened
    broken: list[str] = field(default_factory=list)  # one line each, with the way to replay it
    skipped: str = ""  # why it was not run
    seconds: float = 0.0  # that it took


class BrokenError(Exception):
    """The first thing found where the first one is enough."""


class SkippedError(Exception):
    """This machine has not got what a mode needs."""


@dataclass
class Seen:
    """A folder that was opened: what its users saw, and what was wrong whatever was expected."""

    observed: dict[int, State] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Bench:
    def __init__(self, job: Job, subject: Subject, place: Path) -> None:
        """Work in the empty folder `place`."""
        self.job = job
        self.subject = subject
        self.seed = job.seed
        self.tally = Tally(job)
        self.disk = place / "disk"
        self._checked = place / "checked"
        self._asked = 0
        self._seen: dict[bytes, Seen] = {}

    @property
    def calls_per_tick(self) -> int:
        """Every other seed has a clock so coarse that many calls fall on the same time."""
        return 40 if self.seed % 2 else 1

    def wants(self, point: int) -> bool:
        """Tell whether to try this point, and count that it was asked for."""
        if self.job.point is not None:
            return self.job.point == point
        self._asked += 1
        return self._asked % self.job.thin == 0

    def expected(self) -> Expected:
        states = {user: [self.subject.initial(user)] for user in self.subject.users}
        return Expected(states, self.subject.shown)

    def count(self, point: int, what: str, wrong: Iterable[str]) -> None:
        """Count one case, and note what was wrong with it."""
        self.tally.cases += 1
        found = list(wrong)
        if found:
            self.tally.broken.append(f"{self.job} --point {point}: {what}: {'; '.join(found)}")
            if self.job.first_only:
                raise BrokenError

    async def check(
        self, point: int, what: str, tree: Tree, expected: Expected, *, go_on: bool = True
    ) -> None:
        """Count one case: whether this folder holds what it has to."""
        self.count(point, what, await self.judge(tree, expected, go_on=go_on))

    async def judge(self, tree: Tree, expected: Expected, *, go_on: bool) -> list[str]:
        """Open a folder afresh; tell what it has lost, or why it cannot be gone on with."""
        key = digest(tree)
        if key not in self._seen:
            self._seen[key] = Seen()
            self.tally.states += 1
            lay_out(tree, self._checked)
            await self._open(self._seen[key], expected, go_on=go_on)
        seen = self._seen[key]
        return seen.wrong or self.unexpected(seen.observed, expected)

    async def look(self, store: Any, root: Path) -> dict[int, State]:
        subject = self.subject
        return {user: await subject.observe(store, root, user) for user in subject.users}

    async def say(self, store: Any, operation: Operation, log: Recorder | None = None) -> Mark:
        """Try an operation; give what the program says of it in the end."""
        if log is not None:
            log.mark(Mark("try", operation))
        try:
            said = Mark("ack", operation, await operation.act(store))
        except self.subject.failure:
            said = Mark("err", operation)
        if log is not None:
            log.mark(said)
        return said

    async def say_all(self, store: Any, operations: Iterable[Operation], log: Recorder) -> None:
        """Do operations on a disk that is whole; there each has to be acknowledged."""
        for operation in operations:
            said = await self.say(store, operation, log)
            assert said.said == "ack", f"{operation.name} failed on a whole disk"

    async def compare(self, store: Any, root: Path, expected: Expected) -> list[str]:
        """Tell where what the users see now is not what they may see."""
        observed = await self.look(store, root)
        return self.unexpected(observed, expected) + self.subject.complaints(root, observed)

    def unexpected(self, observed: dict[int, State], expected: Expected) -> list[str]:
        found = []
        for user, state in observed.items():
            shown = expected.shown(user)
            if state not in shown:
                found.append(f"user {user}: {difference(state, shown[-1])}")
        return found

    async def _open(self, seen: Seen, expected: Expected, *, go_on: bool) -> None:
        root = self._checked / STORE
        try:
            async with self.subject.opened(root) as store:
                seen.observed = await self.look(store, root)
                seen.wrong = self.subject.complaints(root, seen.observed)
                wrong = seen.wrong or self.unexpected(seen.observed, expected)
                if wrong or not go_on:
                    return
                left = expected.narrowed(seen.observed)
                seen.wrong = await self._go_on(store, left)
            async with self.subject.opened(root) as store:
                seen.wrong += await self.compare(store, root, left)
        except Exception as error:  # noqa: BLE001 - whatever it is, the folder cannot be used
            seen.wrong.append(f"{type(error).__name__}: {error}")

    async def _go_on(self, store: Any, expected: Expected) -> list[str]:
        """Do one operation of each sort; what they give has to fit, and what is seen after."""
        wrong = []
        for user in self.subject.users:
            for operation in self.subject.probes(user, expected.of(user)[0]):
                wrong += expected.hear_all(
                    Mark("try", operation), await self.say(store, operation)
                )
        return wrong


def difference(seen: object, wanted: object, path: str = "") -> str:
    """Tell in a line where two states differ first."""
    if isinstance(seen, dict) and isinstance(wanted, dict):
        for key in sorted(seen.keys() | wanted.keys(), key=str):
            if seen.get(key) != wanted.get(key):
                return difference(seen.get(key), wanted.get(key), f"{path}/{key}")
    if isinstance(seen, list) and isinstance(wanted, list) and len(seen) == len(wanted):
        for place, (one, other) in enumerate(zip(seen, wanted, strict=True)):
            if one != other:
                return difference(one, other, f"{path}/{place}")
    return f"{path} is {seen!r:.120}, not {wanted!r:.120}"
