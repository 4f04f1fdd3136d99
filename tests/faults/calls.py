"""What a program did to a folder: its calls with what each changed, and its own marks between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.faults.operations import Operation


@dataclass(frozen=True, slots=True)
class Create:
    path: str
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    node: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    node: int
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """An fsync or fdatasync of a file or a folder, done or failed."""

    node: int
    data_only: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Rename:
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Link:
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Remove:
    path: str


Change = Create | Write | Resize | Sync | Rename | Link | Remove


@dataclass(frozen=True, slots=True)
class Call:
    """One call on the disk; `changes` is empty where it only read, or failed.

    `time` is the disk's clock in nanoseconds; `path` is relative to the folder that is watched.
    """

    name: str
    path: str
    time: int
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """What the program said: an operation is tried, acknowledged with a result, or failed."""

    said: Literal["try", "ack", "err"]
    operation: Operation
    result: object = None


Event = Call | Mark
