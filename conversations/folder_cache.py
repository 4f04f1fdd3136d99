"""The folders of users that are in memory: the last used ones, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from .user_folder import UserFolder


@dataclass(slots=True)
class _Kept:
    folder: UserFolder
    size: int
    period: int  # in which it was used last


class FolderCache:
    """A folder is taken out while it is used; so what fails is not kept, and is read afresh.

    Any thread may call; `look_at` leaves the folder where it is, for who knows that nobody else
    uses it.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._folders: OrderedDict[int, _Kept] = OrderedDict()
        self._period = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._folders)

    def look_at(self, user_id: int) -> UserFolder | None:
        with self._lock:
            kept = self._folders.get(user_id)
            if kept is None:
                return None
            kept.period = self._period
            self._folders.move_to_end(user_id)
            return kept.folder

    def take(self, user_id: int) -> UserFolder | None:
        with self._lock:
            kept = self._folders.pop(user_id, None)
            if kept is None:
                return None
            self.bytes -= kept.size
            return kept.folder

    def keep(self, user_id: int, folder: UserFolder) -> None:
        """Keep a folder that nobody uses any more, and let go of the oldest for it."""
        with self._lock:
            kept = _Kept(folder, folder.cached_bytes, self._period)
            self._folders[user_id] = kept
            self.bytes += kept.size
            dropped = []
            while self.bytes > self._most_bytes:
                dropped.append(self._drop_oldest())
        _let_go(dropped)

    def drop_unused(self) -> None:
        """Let go of what was not used since the last time this was called."""
        with self._lock:
            dropped = []
            while self._folders and next(iter(self._folders.values())).period < self._period:
                dropped.append(self._drop_oldest())
            self._period += 1
        _let_go(dropped)

    def clear(self) -> None:
        with self._lock:
            dropped = [kept.folder for kept in self._folders.values()]
            self._folders.clear()
            self.bytes = 0
        _let_go(dropped)

    def _drop_oldest(self) -> UserFolder:
        _, kept = self._folders.popitem(last=False)
        self.bytes -= kept.size
        return kept.folder


def _let_go(folders: Iterable[UserFolder]) -> None:
    for folder in folders:  # without the lock, for it removes files
        folder.let_go()
