"""Does verbs on the folders of users, in a thread: together where they join, or one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from .errors import StorageError
from .folder_cache import FolderCache
from .journal import Journal
from .ownership import Ownership
from .turns import Outcome
from .user_folder import UserFolder


class Kind(Enum):
    LOOK = auto()  # what is in memory is good enough
    FILES = auto()  # it reads the files of chats
    ADD = auto()  # it adds to a chat in memory, and others may join before that is written
    CHANGE = auto()  # it changes files, and what was added before must not be done again after it
    ERASE = auto()  # after it, and not before, what was added does not matter any more


@dataclass(frozen=True, slots=True)
class Verb:
    do: Callable[[UserFolder], Any]
    kind: Kind = Kind.LOOK


# What others need not wait for. The index is written when there is nothing new to say any more.
CHATS = Verb(lambda _: None, Kind.FILES)
BEHIND = Verb(UserFolder.write_late_index, Kind.FILES)


class FolderWork:
    def __init__(
        self, root: Path, ownership: Ownership, cache: FolderCache, journal: Journal
    ) -> None:
        self._root = root
        self._ownership = ownership
        self._cache = cache
        self._journal = journal

    def run(self, user_id: int, verbs: Sequence[Verb]) -> list[Outcome]:
        """Do a user's verbs, several of them only where each one adds."""
        outcomes = self._together(user_id, verbs) if len(verbs) > 1 else None
        return outcomes or [self._alone(user_id, verb) for verb in verbs]

    def _together(self, user_id: int, verbs: Sequence[Verb]) -> list[Outcome] | None:
        """Do several verbs with one write; None where one of them cannot be done."""
        try:
            folder = self._open(user_id)
            self._prepare(user_id, folder, Kind.ADD)
            outcomes = [Outcome(verb.do(folder)) for verb in verbs]
        except Exception:  # noqa: BLE001 - it is raised when that one is done alone
            return None
        try:
            self._write(user_id, folder)
        except BaseException as error:  # noqa: BLE001 - it is raised where they are awaited
            return [_failed(error) for _ in verbs]
        self._cache.keep(user_id, folder)
        return outcomes

    def _alone(self, user_id: int, verb: Verb) -> Outcome:
        try:
            folder = self._open(user_id)
            self._prepare(user_id, folder, verb.kind)
            result = verb.do(folder)
            if verb.kind in {Kind.ADD, Kind.CHANGE}:
                self._write(user_id, folder)
            elif verb.kind is Kind.ERASE:
                self._journal.forget(user_id)
                self._journal.mark(user_id)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
            return _failed(error)
        self._cache.keep(user_id, folder)
        return Outcome(result)

    def _open(self, user_id: int) -> UserFolder:
        """Take a folder out of the memory, so that the disk is read afresh if anything fails."""
        self._ownership.take()
        folder = self._cache.take(user_id)
        if folder and folder.is_current() and not self._journal.is_undone(user_id):
            return folder
        folder = UserFolder(self._root, user_id)
        for added in self._journal.waiting(user_id):
            folder.adding.add_again(added)
        return folder

    def _prepare(self, user_id: int, folder: UserFolder, kind: Kind) -> None:
        """Bring the files up to date as far as a verb needs it."""
        if kind in {Kind.LOOK, Kind.ERASE}:
            return
        is_undone = self._journal.is_undone(user_id)
        if kind is not Kind.FILES or is_undone or self._journal.is_waiting(user_id):
            folder.settle()
            if kind is not Kind.ADD or is_undone:
                self._write(user_id, folder)
        if is_undone or kind is Kind.CHANGE:
            self._journal.mark(user_id)

    def _write(self, user_id: int, folder: UserFolder) -> None:
        folder.flush()
        self._journal.forget(user_id)


def in_words(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror


def _failed(error: BaseException) -> Outcome:
    """Give each caller an error of its own."""
    if not isinstance(error, OSError):
        return Outcome(error=error)
    told = StorageError(in_words(error))
    told.__cause__ = error
    return Outcome(error=told)
