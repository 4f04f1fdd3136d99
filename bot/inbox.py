"""What Telegram has handed over and is not dealt with yet, in one small file.

Telegram forgets an update as soon as the next request confirms it, long before its handler is
done. So it is written down first, and again when it is over; what a crash leaves open is handled
again at the next start. One line a record, in the order of time::

    {"seen": [9, 10], "tries": {"11": 1}}       only first in the file
    {"update_id": 11, "message": {...}}         as it came
    {"noted": 11, "facts": {"chat": "..."}}     what a handler wants to know when it runs again
    {"done": 11}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from conversations import durable

from . import inbox_aside

logger = logging.getLogger(__name__)

_SEEN = 10_000  # ids; Telegram repeats only what it has just sent
_MOST_TRIES = 5  # an update that was there at so many crashes may be what they come from
_COMPACT_BYTES = 256 * 1024
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)

_Result = TypeVar("_Result")


@dataclass(slots=True)
class Entry:
    """An update that is not over. `tries` counts the starts before this one that found it open."""

    raw: dict[str, Any]
    tries: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    begun: bool = False


@dataclass(slots=True)
class _Batch:
    lines: list[bytes] = field(default_factory=list)
    is_anew: bool = False  # the file is to hold nothing but what is known now
    writing: asyncio.Task[None] | None = None


class Inbox:
    """The updates of one bot. One process at a time may have a file; any number of tasks.

    What `keep`, `note` or `finish` returned from has its bytes on the disk; tasks that wait at
    the same time share one `fdatasync`. An update is known by its id, whatever the order: ids
    begin anew at random after a quiet week (Bot API, `Update`).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: dict[int, Entry] = {}
        self._seen: dict[int, None] = {}
        self._descriptor: int | None = None  # None: the file must be written anew
        self._size = 0
        self._compact_at = _COMPACT_BYTES
        self._is_tidy = False  # whether no temporary file is left of a writing that failed
        self._next = _Batch()
        self._turn = asyncio.Lock()
        self._is_open = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")

    async def open(self) -> None:
        """Read the file.

        What was found open too often is put into another one beside it, and logged.

        :raises OSError: the file is there and cannot be read.
        """
        await self._in_thread(self._read)
        self._is_open = True
        given_up = [entry for entry in self._open.values() if entry.tries >= _MOST_TRIES]
        for entry in self._open.values():
            entry.tries += 1
        try:
            if given_up:
                await self._in_thread(self._give_up, given_up)
            await self._write(())
        except OSError as error:
            logger.warning("the inbox cannot be written now: %s", error)

    def left_open(self) -> list[Entry]:
        """Give what nobody has begun yet, oldest first; after `open`, what the last run left."""
        return [entry for entry in self._open.values() if not entry.begun]

    @property
    def open_count(self) -> int:
        """Tell how many updates are not over."""
        return len(self._open)

    @property
    def is_empty(self) -> bool:
        """Tell whether everything is over that has come in."""
        return not self._open

    async def keep(self, updates: Iterable[dict[str, Any]]) -> None:
        """Write down updates as they came, those that are new; then Telegram may forget them.

        One that came before, and is still being written down or could not be, is waited for.

        :raises OSError: that failed; they are known here, and written with whatever comes next.
        """
        new = []
        for raw in updates:
            if not self.knows(raw["update_id"]):
                self._open[raw["update_id"]] = Entry(raw)
                new.append(raw)
        await self._write(new)

    def knows(self, update_id: int) -> bool:
        return update_id in self._open or update_id in self._seen

    def begin(self, update_id: int) -> Entry | None:
        """Give a kept update to the one who handles it; None to everybody after the first."""
        entry = self._open.get(update_id)
        if entry is None or entry.begun:
            return None
        entry.begun = True
        return entry

    async def note(self, update_id: int, facts: dict[str, Any]) -> None:
        """Write down what the handler of an open update has found out.

        :raises OSError: as `keep` does.
        """
        entry = self._open.get(update_id)
        if entry is not None:
            entry.facts |= facts
            await self._write([{"noted": update_id, "facts": facts}])

    async def finish(self, update_id: int) -> None:
        """Note that an update is over; once more if that could not be written down.

        :raises OSError: as `keep` does.
        """
        records = []
        if self._open.pop(update_id, None) is not None:
            self._seen[update_id] = None
            if len(self._seen) > _SEEN:
                del self._seen[next(iter(self._seen))]
            records.append({"done": update_id})
        await self._write(records)

    async def forget_handled(self) -> None:
        """Have the file hold nothing any more of what is over, but for the ids.

        :raises OSError: as `keep` does.
        """
        self._next.is_anew = True
        await self._write(())

    async def forget_person(self, user_id: int) -> None:
        """Keep nothing on the disk any more of what a person sent and what is over.

        Nor what stands of them in files that were put aside, here or by a bot before this one. In
        those, lines that cannot be read go as well: nobody can tell whose they are.

        :raises OSError: that failed; calling it again goes on.
        """
        await self.forget_handled()
        await self._in_thread(inbox_aside.forget_person, self._path, user_id)

    async def close(self) -> None:
        """Leave the file as short as it can be; as it is where it could not be read."""
        if self._is_open:
            self._is_open = False
            try:
                await self.forget_handled()
            except OSError as error:
                logger.warning("the inbox cannot be written now: %s", error)
            await self._in_thread(self._let_go)
        self._thread.shutdown(wait=False)

    async def _write(self, records: Iterable[dict[str, Any]]) -> None:
        """Append records, in one write with those that others bring meanwhile.

        Without any, return when all is on the disk that is known here.
        """
        batch = self._next
        batch.lines += map(_encode, records)
        if batch.writing is None:
            batch.writing = asyncio.create_task(self._write_batch(batch))
        await asyncio.shield(batch.writing)

    async def _write_batch(self, batch: _Batch) -> None:
        async with self._turn:
            self._next = _Batch()
            data = b"".join(batch.lines)
            is_too_long = self._size + len(data) > self._compact_at
            if batch.is_anew or is_too_long or self._descriptor is None:
                await self._write_anew()
                return
            if not data:
                return
            await self._in_thread(self._append, self._descriptor, data)
            self._size += len(data)

    async def _write_anew(self) -> None:
        """Write all that is known into a new file."""
        data = b"".join(map(_encode, self._records()))
        await self._in_thread(self._replace, data)
        self._size, self._compact_at = len(data), len(data) + _COMPACT_BYTES

    def _records(self) -> Iterator[dict[str, Any]]:
        tries = {str(update_id): entry.tries for update_id, entry in self._open.items()}
        yield {"seen": list(self._seen), "tries": tries}
        for update_id, entry in self._open.items():
            yield entry.raw
            if entry.facts:
                yield {"noted": update_id, "facts": entry.facts}

    def _append(self, descriptor: int, data: bytes) -> None:
        try:
            durable.write_all(descriptor, data)
            durable.sync_data(descriptor)
        except OSError:
            self._let_go()  # its end may be torn, and a failed sync is not tried again
            raise

    def _replace(self, data: bytes) -> None:
        self._let_go()
        folder, name = self._path.parent, self._path.name
        is_tidy = self._is_tidy or durable.sweep_temporary(folder, name)
        self._is_tidy = False
        durable.replace_file(self._path, data)
        self._is_tidy = is_tidy
        durable.sync_folder(folder)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # Its number is free whatever it says, and what it was to hold will be written anew.
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _read(self) -> None:
        durable.make_folder(self._path.parent)
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        tries: dict[str, int] = {}
        *lines, torn = data.split(b"\n")  # what is torn was never acknowledged
        unreadable = 0
        for line in lines:
            try:
                tries |= self._take(json.loads(line))
            except _UNREADABLE:
                unreadable += 1
        if unreadable:
            aside = durable.keep_aside(self._path)
            logger.error("the inbox has %d unreadable lines, kept in %s", unreadable, aside)
        if torn:
            logger.warning("the inbox ended in the middle of a line")
        for update_id, entry in self._open.items():
            entry.tries = tries.get(str(update_id), 0)

    def _take(self, record: dict[str, Any]) -> dict[str, int]:
        """Take one line of the file; give the tries that it tells."""
        if "update_id" in record:
            self._open[int(record["update_id"])] = Entry(record)
        elif "done" in record:
            self._open.pop(record["done"], None)
            self._seen[int(record["done"])] = None
        elif "noted" in record:
            entry = self._open.get(record["noted"])
            if entry is not None:
                entry.facts |= record["facts"]
        else:
            self._seen |= dict.fromkeys(map(int, record["seen"]))
            return {str(key): int(tries) for key, tries in record["tries"].items()}
        return {}

    def _give_up(self, entries: Iterable[Entry]) -> None:
        """Put what may be the cause of the crashes out of the way."""
        path = inbox_aside.give_up(self._path, (_encode(entry.raw) for entry in entries))
        for entry in entries:
            update_id = entry.raw["update_id"]
            logger.error("update %d was open at %d crashes, see %s", update_id, _MOST_TRIES, path)
            del self._open[update_id]
            self._seen[update_id] = None

    async def _in_thread(self, function: Callable[..., _Result], *args: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)


def _encode(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"
