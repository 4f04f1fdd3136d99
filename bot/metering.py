"""What persons have used lately: the questions of a minute, the tokens of a day (UTC).

Kept in a small file of the bot's own, so that a restart gives nobody a new allowance. One line a
record, appended without waiting for the disk: a kill loses none of them, a power cut may lose the
last. What is over its time goes when the file is written anew: by the first record after an hour,
when it has grown, and at the end::

    {"asked": [1001, 1763812345.5, "1001:17"]}      who, when (seconds since 1970), which question
    {"spent": [1001, "2026-11-22", 512]}            who, on which day, how many tokens in all
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from conversations import durable

logger = logging.getLogger(__name__)

MINUTE = 60.0  # seconds
_HOUR = 3600.0  # seconds
_COMPACT_BYTES = 256 * 1024
_UNREADABLE = (ValueError, TypeError, KeyError, OverflowError, RecursionError)

Record = dict[str, list[Any]]


class Usage(NamedTuple):
    """What a person has used.

    `asked` has the questions of the last minute, and how many seconds ago each was; `spent` are
    the tokens of today, which ends in `day_left` seconds.
    """

    asked: Mapping[str, float]
    spent: int
    day_left: float


class UsageMeter(Protocol):
    """Counts what persons use; `Meter` here, or with other workers in `metering_postgres.py`."""

    async def usage(self, user_id: int) -> Usage: ...

    async def ask(self, user_id: int, key: str) -> None:
        """Count a question, before anything else happens; `key` is its own among a person's."""

    async def spend(self, user_id: int, tokens: int) -> None:
        """Count tokens."""


class Meter:
    """Counts what persons use; without a path only for as long as the program runs.

    A file that cannot be written is logged, and the counting goes on in memory. Whoever opens it
    closes it; one process at a time may have a file.
    """

    def __init__(
        self, path: Path | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._clock = clock
        self._asked: dict[int, dict[str, float]] = {}  # by person: when, by question
        self._spent: dict[int, int] = {}
        self._day = ""
        self._swept = 0.0
        self._descriptor: int | None = None  # None: the file must be written anew
        self._is_behind = False  # whether something could not be written down
        self._size = 0
        self._compact_at = 0
        self._written_at = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="meter")

    async def open(self) -> None:
        """Read the file.

        :raises OSError: it is there and cannot be read.
        """
        if self._path is not None:
            await self._in_thread(self._read, self._path)

    async def close(self) -> None:
        """Leave the file as short as it can be."""
        if self._path is not None and (self._descriptor is not None or self._is_behind):
            try:
                await self._in_thread(self._write_anew, self._path)
            except OSError as error:
                logger.warning("what was used cannot be written down: %s", error)
            self._let_go()
            self._is_behind = False
        self._thread.shutdown(wait=False)

    async def usage(self, user_id: int) -> Usage:
        """Tell what a person has used; no other task runs meanwhile."""
        now = self._clock()
        asked = {key: now - when for key, when in self._asked.get(user_id, {}).items()}
        recent = {key: age for key, age in asked.items() if 0 <= age < MINUTE}
        return Usage(recent, self.spent(user_id), 86_400 - now % 86_400)

    def spent(self, user_id: int) -> int:
        """Tell how many tokens a person has used today."""
        self._turn_the_page()
        return self._spent.get(user_id, 0)

    async def ask(self, user_id: int, key: str) -> None:
        """Count a question, before anything else happens; `key` is its own among a person's."""
        now = self._clock()
        self._take({"asked": [user_id, now, key]})
        if now - self._swept >= MINUTE:
            self._sweep()
        await self._write({"asked": [user_id, now, key]})

    async def spend(self, user_id: int, tokens: int) -> None:
        """Count tokens."""
        spent = self.spent(user_id) + tokens
        record: Record = {"spent": [user_id, self._day, spent]}
        self._take(record)
        await self._write(record)

    def _take(self, record: Record) -> None:
        if "asked" in record:
            user_id, when, key = record["asked"]
            self._asked.setdefault(int(user_id), {})[str(key)] = float(when)
        else:
            user_id, day, tokens = record["spent"]
            if day == self._day:
                self._spent[int(user_id)] = int(tokens)

    def _turn_the_page(self) -> None:
        day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        if day != self._day:
            self._day = day
            self._spent.clear()

    def _sweep(self) -> None:
        """Drop what is older than a minute, so that nothing grows with the number of persons."""
        now = self._swept = self._clock()
        kept = (
            (user_id, {key: when for key, when in asked.items() if 0 <= now - when < MINUTE})
            for user_id, asked in self._asked.items()
        )
        self._asked = {user_id: asked for user_id, asked in kept if asked}

    async def _write(self, record: Record) -> None:
        if self._path is not None:
            try:
                await self._in_thread(self._append, self._path, _encode(record))
                self._is_behind = False
            except OSError as error:
                self._is_behind = True
                logger.warning("what was used cannot be written down: %s", error)

    def _append(self, path: Path, line: bytes) -> None:
        is_old = abs(self._clock() - self._written_at) >= _HOUR
        is_long = self._size + len(line) > self._compact_at
        if self._descriptor is None or is_old or is_long:
            self._write_anew(path)  # with what the line says: it is counted already
            return
        try:
            durable.write_all(self._descriptor, line)
        except OSError:
            self._let_go()  # its end may be torn
            raise
        self._size += len(line)

    def _write_anew(self, path: Path) -> None:
        self._let_go()
        data = b"".join(map(_encode, self._records()))
        durable.replace_file(path, data)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._size, self._compact_at = len(data), len(data) + _COMPACT_BYTES
        self._written_at = self._clock()

    def _records(self) -> Iterator[Record]:
        for user_id, asked in list(self._asked.items()):
            for key, when in list(asked.items()):
                if 0 <= self._clock() - when < MINUTE:
                    yield {"asked": [user_id, when, key]}
        for user_id, tokens in list(self._spent.items()):
            yield {"spent": [user_id, self._day, tokens]}

    def _read(self, path: Path) -> None:
        durable.make_folder(path.parent)
        durable.sweep_temporary(path.parent, path.name)
        self._turn_the_page()
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        unreadable = 0
        for line in lines:
            try:
                self._take(json.loads(line))
            except _UNREADABLE:
                unreadable += 1  # the last may be torn
        if unreadable:
            logger.warning("%d lines of %s cannot be read", unreadable, path.name)
        self._sweep()

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):  # its number is free whatever it says
                os.close(descriptor)

    async def _in_thread(self, function: Callable[..., None], *args: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)


def _encode(record: Record) -> bytes:
    return json.dumps(record).encode() + b"\n"
