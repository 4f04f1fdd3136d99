"""One file in which all users' new messages are durable before they are in the files of chats.

One thread writes whatever waits in one go and syncs it once. What was recorded waits in memory
until its user's files are written; after a crash it is read from the journal, and waits again.
Doing a record twice does no harm while only messages were added since. So whatever else is done
to a user's chats has to wait for a mark that what was recorded of this user before is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from .journal_files import JournalFiles
from .journal_records import Added, Record, encode

logger = logging.getLogger(__name__)

_FILE_BYTES = 4 * 1024 * 1024
_MOST = 1000  # records in one go


@dataclass(slots=True, eq=False)
class Entry:
    """A record on its way; `added` is None in a mark."""

    user_id: int
    added: Added | None
    data: bytes = b""
    number: int = 0  # until it is written
    written: Future[None] | None = None  # for a thread that waits
    done: asyncio.Future[None] | None = None  # for a task that waits, until it is over
    watching: tuple[asyncio.Future[None], ...] = ()
    is_over: bool = False
    error: OSError | None = None


class Journal:
    """`load`, `mark`, `turn`, `tidy`, `finish` and `close` block.

    The others are of the event loop, or of any thread.
    """

    def __init__(self, root: Path, *, file_bytes: int = _FILE_BYTES) -> None:
        self._files = JournalFiles(root, file_bytes)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: deque[Entry] = deque()
        self._calls: queue.SimpleQueue[bool] = (
            queue.SimpleQueue()
        )  # to write; False: for the last time
        self._is_called = False
        self._thread: threading.Thread | None = None
        self._next = 1  # the number of the next record; the writing thread alone counts
        self._waiting: dict[int, list[Entry]] = {}  # recorded, and not in the files yet
        self._recorded: dict[int, int] = {}  # the last number of a user since the last mark
        self._undone: set[int] = set()  # users in whose memory is what could not be recorded
        self._unsynced: dict[int, Entry] = {}
        self.failures = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no file of it."""
        return self._files.is_empty

    def load(self) -> None:
        """Read what a process before has left, once. The folder must be ours."""
        for record in self._files.load():
            self._take_in(record)
            self._next = record.number + 1

    def _take_in(self, record: Record) -> None:
        user_id = record.user_id
        if record.added is None:
            self._waiting.pop(user_id, None)
            self._recorded.pop(user_id, None)
            return
        entry = Entry(user_id, record.added, number=record.number, is_over=True)
        self._waiting.setdefault(user_id, []).append(entry)
        self._recorded[user_id] = record.number

    def put(self, user_id: int, added: Added) -> Entry:
        """Record a message, from the event loop; `recorded` waits for it."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        entry = Entry(user_id, added, encode(user_id, added), done=self._loop.create_future())
        self._waiting.setdefault(user_id, []).append(entry)
        self._unsynced[user_id] = entry
        self._pending.append(entry)
        if not self._is_called:  # once for all that the event loop has to do now
            self._is_called = True
            self._loop.call_soon(self._call)
        return entry

    async def recorded(self, entry: Entry) -> None:
        """Wait until a record is durable, even when cancelled.

        :raises OSError: it is not, and what it says was not done.
        """
        try:
            if entry.done is not None:
                await entry.done
        except asyncio.CancelledError:
            while not entry.is_over:
                entry.done = asyncio.get_running_loop().create_future()
                with contextlib.suppress(asyncio.CancelledError):  # the first is raised in the end
                    await entry.done
            raise
        if entry.error is not None:
            raise OSError(*entry.error.args) from entry.error

    async def shown(self, user_id: int) -> bool:
        """Wait until what a user's memory shows is durable; False where some of it was undone."""
        entry = self._unsynced.get(user_id)
        if entry is None:
            return True
        seen = asyncio.get_running_loop().create_future()
        entry.watching += (seen,)
        await seen
        return entry.error is None

    def waiting(self, user_id: int) -> list[Added]:
        """Give the messages that are not in a user's files yet."""
        entries = list(self._waiting.get(user_id, ()))  # at once: the writing thread takes out
        return [entry.added for entry in entries if entry.added]

    def is_waiting(self, user_id: int) -> bool:
        """Tell whether something is not in a user's files yet."""
        return user_id in self._waiting

    def users(self) -> list[int]:
        """Give those of whom something waits."""
        return list(self._waiting)

    def is_undone(self, user_id: int) -> bool:
        return user_id in self._undone

    def forget(self, user_id: int) -> None:
        """Note that what waited is in the files, durably."""
        self._waiting.pop(user_id, None)

    def mark(self, user_id: int) -> None:
        """See to it, in a thread, that nothing recorded of a user until now is done again.

        :raises OSError: it may be.
        """
        if self._may_be_done_again(user_id):
            entry = Entry(user_id, None, encode(user_id, None), written=Future())
            self._pending.append(entry)
            self._call()
            assert entry.written is not None
            try:
                entry.written.result()
            except OSError:
                self.tidy()  # where nothing waits, nothing of it is left
                if self._may_be_done_again(user_id):
                    raise
        self._recorded.pop(user_id, None)
        self._undone.discard(user_id)

    def turn(self) -> None:
        """Begin a new file, so that `tidy` may remove all that is recorded until now."""
        self._files.turn()

    def tidy(self) -> None:
        """Let go of the files all of which is in the files of the chats.

        :raises OSError: one is still there, or may come back.
        """
        end = self._next  # before what waits is looked at: later ones are not among it
        first = [entries[0].number for entries in list(self._waiting.values()) if entries]
        oldest = min((number for number in first if number), default=end)
        self._files.tidy(oldest)
        for user_id, number in list(self._recorded.items()):
            if number < oldest and not self._files.may_hold(number):
                self._recorded.pop(user_id, None)

    def finish(self) -> None:
        """Write what was put, and let the thread end."""
        if self._thread is not None:
            self._calls.put(False)
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        """Remove all that is done with; what waits is taken up by who opens the folder next."""
        self.finish()
        self._files.turn()
        try:
            self.tidy()
        except OSError as error:
            logger.warning("a part of the journal cannot be removed: %s", error)

    def _may_be_done_again(self, user_id: int) -> bool:
        return user_id in self._unsynced or self._files.may_hold(self._recorded.get(user_id, -1))

    def _call(self) -> None:
        self._is_called = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
            self._thread.start()
        self._calls.put(True)

    def _work(self) -> None:
        goes_on = True
        while goes_on:
            goes_on = self._calls.get()
            while self._pending:
                count = min(len(self._pending), _MOST)
                entries = [self._pending.popleft() for _ in range(count)]
                self._tell(entries, self._write(entries))

    def _write(self, entries: Sequence[Entry]) -> OSError | None:
        first = self._next
        for entry in entries:
            entry.number, self._next = self._next, self._next + 1
            if entry.added is not None:
                self._recorded[entry.user_id] = entry.number
        try:
            self._files.append(first, [entry.data for entry in entries])
        except OSError as error:
            logger.error("the journal cannot be written: %s", error)  # noqa: TRY400
            self._undo(entries)
            return error
        return None

    def _undo(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            waiting = self._waiting.get(entry.user_id, [])
            if entry in waiting:
                waiting.remove(entry)
        self._undone.update(entry.user_id for entry in entries if entry.added is not None)
        self.failures += 1  # who has looked before may have seen what is undone now

    def _tell(self, entries: Sequence[Entry], error: OSError | None) -> None:
        for entry in entries:
            if entry.written is not None and error is None:
                entry.written.set_result(None)
            elif entry.written is not None and error is not None:
                entry.written.set_exception(OSError(*error.args))
        of_tasks = [entry for entry in entries if entry.added is not None]
        if of_tasks and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
                self._loop.call_soon_threadsafe(self._resolve, of_tasks, error)

    def _resolve(self, entries: Sequence[Entry], error: OSError | None) -> None:
        for entry in entries:
            entry.error, entry.is_over = error, True
            if self._unsynced.get(entry.user_id) is entry:
                del self._unsynced[entry.user_id]
            for waiter in (entry.done, *entry.watching):
                if waiter is not None and not waiter.done():
                    waiter.set_result(None)
            # It is kept until the files are written, and so many objects cost the collector time.
            entry.done, entry.watching = None, ()
