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
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from conversations import durable

from .access import concerns

logger = logging.getLogger(__name__)

_SEEN = 10_000  # ids; Telegram repeats only what it has just sent
_MOST_TRIES = 5  # an update that was there at so many crashes may be what they come from
_COMPACT_BYTES = 256 * 1024
_GIVEN_UP_SUFFIX = ".given-up"

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
        self._next = _Batch()
        self._turn = asyncio.Lock()
        self._is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")

    async def open(self) -> None:
        """Read the file.

        What was found open too often is put into another one beside it, and logged.

        :raises OSError: the file is there and cannot be read.
        """
        await self._in_thread(self._read)
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

        :raises OSError: that failed; they are known here, and written with whatever comes next.
        """
        new = []
        for raw in updates:
            if not self.knows(raw["update_id"]):
                self._open[raw["update_id"]] = Entry(raw)
                new.append(raw)
        if new:
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
        """Note that an update is over.

        :raises OSError: as `keep` does.
        """
        if self._open.pop(update_id, None) is not None:
            self._seen[update_id] = None
            if len(self._seen) > _SEEN:
                del self._seen[next(iter(self._seen))]
            await self._write([{"done": update_id}])

    async def forget_handled(self) -> None:
        """Have the file hold nothing any more of what is over, but for the ids.

        :raises OSError: as `keep` does.
        """
        async with self._turn:
            await self._write_anew()

    async def forget_person(self, user_id: int) -> None:
        """Keep nothing on the disk any more of what a person sent and what is over.

        Nor what stands of them in files that were put aside, here or by a bot before this one. In
        those, lines that cannot be read go as well: nobody can tell whose they are.

        :raises OSError: that failed; calling it again goes on.
        """
        await self.forget_handled()
        await self._in_thread(self._forget_aside, user_id)

    async def close(self) -> None:
        """Wait for what is being written, and leave the file as short as it can be."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self.forget_handled()
        except OSError as error:
            logger.warning("the inbox cannot be written now: %s", error)
        self._let_go()
        self._thread.shutdown(wait=False)

    async def _write(self, records: Iterable[dict[str, Any]]) -> None:
        """Append records, in one write with those that others bring meanwhile."""
        batch = self._next
        batch.lines += map(_encode, records)
        if batch.writing is None:
            batch.writing = asyncio.create_task(self._write_batch(batch))
        await asyncio.shield(batch.writing)

    async def _write_batch(self, batch: _Batch) -> None:
        async with self._turn:
            self._next = _Batch()
            data = b"".join(batch.lines)
            if self._descriptor is None or self._size + len(data) > self._compact_at:
                await self._write_anew()
                return
            try:
                await self._in_thread(_append, self._descriptor, data)
            except OSError:
                self._let_go()  # its end may be torn, and a failed sync is not tried again
                raise
            self._size += len(data)

    async def _write_anew(self) -> None:
        """Write all that is known into a new file."""
        self._let_go()
        data = b"".join(map(_encode, self._records()))
        self._descriptor = await self._in_thread(_replace, self._path, data)
        self._size, self._compact_at = len(data), len(data) + _COMPACT_BYTES

    def _records(self) -> Iterator[dict[str, Any]]:
        tries = {str(update_id): entry.tries for update_id, entry in self._open.items()}
        yield {"seen": list(self._seen), "tries": tries}
        for update_id, entry in self._open.items():
            yield entry.raw
            if entry.facts:
                yield {"noted": update_id, "facts": entry.facts}

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

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
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
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
        """Put what may be the cause of the crashes out of the way, where it can be looked at."""
        path = self._path.with_name(self._path.name + _GIVEN_UP_SUFFIX)
        before = path.read_bytes() if path.exists() else b""
        durable.replace_file(path, before + b"".join(_encode(entry.raw) for entry in entries))
        durable.sync_folder(path.parent)
        for entry in entries:
            update_id = entry.raw["update_id"]
            logger.error("update %d was open at %d crashes, see %s", update_id, _MOST_TRIES, path)
            del self._open[update_id]
            self._seen[update_id] = None

    def _forget_aside(self, user_id: int) -> None:
        family = self._path.name.partition("-")[0]
        for path in self._path.parent.glob(f"{family}*"):
            if path != self._path and path.is_file():
                lines = path.read_bytes().splitlines(keepends=True)
                kept = [line for line in lines if _is_of_others(line, user_id)]
                if len(kept) < len(lines):
                    durable.replace_file(path, b"".join(kept))
                    durable.sync_folder(path.parent)

    async def _in_thread(self, function: Callable[..., _Result], *args: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)


def _is_of_others(line: bytes, user_id: int) -> bool:
    try:
        return not concerns(json.loads(line), user_id)
    except (ValueError, RecursionError):
        return False


def _encode(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _replace(path: Path, data: bytes) -> int:
    durable.replace_file(path, data)
    durable.sync_folder(path.parent)
    return os.open(path, os.O_WRONLY | os.O_APPEND)


def _append(descriptor: int, data: bytes) -> None:
    durable.write_all(descriptor, data)
    os.fdatasync(descriptor)
