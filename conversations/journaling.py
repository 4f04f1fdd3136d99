"""Adding messages to the journal, in the event loop: where all that it takes is in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .errors import StorageError
from .folder_cache import FolderCache
from .journal import Entry, Journal
from .journal_records import Added
from .user_folder import UserFolder

# Adds in memory; gives what to record and what the caller gets, or None where it cannot.
InMemory = Callable[[UserFolder], tuple[Added, Any] | None]


class _Recorded(NamedTuple):
    entry: Entry
    result: Any


class Journaling:
    def __init__(self, journal: Journal, cache: FolderCache) -> None:
        self._journal = journal
        self._cache = cache

    def add(self, user_id: int, in_memory: InMemory) -> _Recorded | None:
        """Add, alone with the user's folder; None where that has to be done in a thread."""
        folder = self._cache.look_at(user_id)
        if folder is None or self._journal.is_undone(user_id):
            return None
        try:
            added = in_memory(folder)
        except OSError:
            return None  # it is told by who reads the disk then
        if added is None:
            return None
        return _Recorded(self._journal.put(user_id, added[0]), added[1])

    async def result_of(self, result: Any) -> Any:
        """Wait until it is durable, where it was recorded.

        :raises StorageError: it is not.
        """
        if not isinstance(result, _Recorded):
            return result
        try:
            await self._journal.recorded(result.entry)
        except OSError as error:
            raise StorageError(f"the journal cannot be written: {error}") from error
        return result.result
