"""Records the calls of all threads on one folder; lets chosen ones fail, fall short or wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from tests.faults.calls import Call, Change, Create, Event, Link, Mark, Remove, Rename
from tests.faults.disk import Disk
from tests.faults.folders import Content, Folder, read

_Result = TypeVar("_Result")

_TICK = 4_000_000  # ns; what the file times of many a kernel go by
_EPOCH = 1_600_000_000_000_000_000
_utime = os.utime


@dataclass(frozen=True)
class Fault:
    """What goes wrong at the `at`-th call after `arm`, from 1."""

    at: int
    error: int = 0  # raised with this errno; 0: nothing is raised
    sticky: bool = False  # and at every later call
    late: bool = False  # done, and reported as failed all the same
    share: float | None = None  # a write takes this share of its bytes; errors come after that
    spared: frozenset[str] = frozenset()  # calls that a lasting fault does not touch

    def fails(self, number: int, name: str) -> bool:
        if number == self.at:
            return bool(self.error) and self.share is None
        return self.sticky and number > self.at and name not in self.spared


@dataclass
class Hold:
    """A call that waits, before it is done, until it is let go."""

    at: int
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


@dataclass
class Wanted(Generic[_Result]):
    """A call that a program makes; `real` does it, or the share of it that it is told."""

    name: str
    path: str
    real: Callable[[float], _Result]
    changes: Callable[[_Result], Iterable[Change]] = lambda _: ()
    descriptor: int | None = None  # of the file whose bytes change
    if_failed: tuple[Change, ...] = ()
    is_always_done: bool = False  # also when it fails
    can_be_short: bool = False


class Recorder:
    def __init__(self, root: Path, disk: Disk, *, calls_per_tick: int = 1) -> None:
        """Begin with `root` holding what `disk` does, which goes on with it.

        File times go on by 4 ms every so many calls; with 0 they are left to the system.
        """
        self.root = os.path.abspath(root)  # noqa: PTH100 - the paths of calls are plain strings
        self.events: list[Event] = []
        self.disk = disk
        self.armed: list[str] = []  # the names of the calls since `arm`
        self.fired = 0  # how many of them the fault has met
        self._calls_per_tick = calls_per_tick
        self._calls = 0
        self._start = max([_EPOCH, *(node.mtime for node in disk.tree().values())]) + _TICK
        self._fault: Fault | None = None
        self._hold: Hold | None = None
        self._lock = threading.RLock()

    def mark(self, mark: Mark) -> None:
        with self._lock:
            self.events.append(mark)

    def arm(self, fault: Fault | None) -> None:
        """Count the calls afresh, and fail as told; None ends it."""
        with self._lock:
            self._fault, self._hold, self.fired = fault, None, 0
            self.armed.clear()

    def hold(self, at: int) -> Hold:
        """Count the calls afresh, and make one of them wait."""
        with self._lock:
            self.arm(None)
            self._hold = Hold(at)
            return self._hold

    def bypassed(self) -> list[str]:
        """Give the paths that are not as recorded; for when nobody writes."""
        real, recorded = read(Path(self.root)), self.disk.tree()
        return sorted(
            path
            for path in real.keys() | recorded.keys()
            if _look(real.get(path)) != _look(recorded.get(path))
        )

    def call(self, wanted: Wanted[_Result]) -> _Result:
        with self._lock:
            self.armed.append(wanted.name)
            number, hold = len(self.armed), self._hold
            if hold is None or hold.at != number:
                return self._do(wanted, number)
        hold.reached.set()
        assert hold.go_on.wait(60), "a call was held and never let go"
        with self._lock:
            return self._do(wanted, number)

    def _do(self, wanted: Wanted[_Result], number: int) -> _Result:
        fault = self._fault or Fault(0)
        fails = fault.fails(number, wanted.name)
        if fails and not (fault.late or wanted.is_always_done):
            self.fired += 1
            self._record(wanted, wanted.if_failed)
            raise _error(fault.error, wanted.path)
        share = 1.0
        if fault.share is not None and number == fault.at and wanted.can_be_short:
            self.fired, share = self.fired + 1, fault.share
        try:
            result = wanted.real(share)
        except OSError:
            self._record(wanted, ())
            raise
        self._record(wanted, tuple(wanted.changes(result)))
        if fails:
            self.fired += 1
            raise _error(fault.error, wanted.path)
        return result

    def _record(self, wanted: Wanted[_Result], changes: tuple[Change, ...]) -> None:
        self._calls += 1
        ticks = self._calls // self._calls_per_tick if self._calls_per_tick else 0
        time = self._start + ticks * _TICK
        call = Call(wanted.name, wanted.path, time, changes)
        self.disk.apply(call)
        self.events.append(call)
        if not self._calls_per_tick:
            return
        for changed in _changed(changes):
            _utime(f"{self.root}/{changed}", ns=(time, time))
        if changes and wanted.descriptor is not None:
            _utime(wanted.descriptor, ns=(time, time))


def _changed(changes: Iterable[Change]) -> Iterable[str]:
    """Give the paths whose times change with their names."""
    for change in changes:
        if isinstance(change, Rename | Link):
            yield from (_parent(change.source), _parent(change.target))
        elif isinstance(change, Create):
            yield from (change.path, _parent(change.path))
        elif isinstance(change, Remove):
            yield _parent(change.path)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


def _look(node: Content | Folder | None) -> object:
    return (node.data, node.size) if isinstance(node, Content) else type(node)
