"""One process owns a folder, from its first use until it lets go or dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from .durable import make_folder
from .errors import FolderInUseError, StorageClosedError

_LOCK_NAME = ".lock"


class Ownership:
    """Blocks, and may be called by any thread; the first one takes the lock for all."""

    def __init__(self, root: Path, begin: Callable[[], None]) -> None:
        """`begin` is done with the lock, before anybody else goes on."""
        self._root = root
        self._begin = begin
        self._taking = threading.Lock()
        self._lock: FileLock | None = None
        self._is_begun = False
        self._is_over = False

    def take(self) -> None:
        """Create the folder where it is missing, and take its lock, unless that is done.

        :raises FolderInUseError: another process, or another instance, owns it.
        :raises StorageClosedError: it was let go of.
        """
        if self._is_begun:
            return
        with self._taking:
            if self._is_over:
                raise StorageClosedError("the storage is closed")
            if self._lock is None:
                make_folder(self._root)
                self._lock = self._locked()
            if not self._is_begun:
                self._begin()
                self._is_begun = True

    def let_go(self) -> None:
        with self._taking:
            self._is_over, self._is_begun = True, False
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def _locked(self) -> FileLock:
        lock = FileLock(self._root / _LOCK_NAME, mode=0o600, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise FolderInUseError(self._root) from error
        return lock
