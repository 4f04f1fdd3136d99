"""The files of a journal: a row of them, of which the last one is written to. All of it blocks.

When all that the first one holds is done, it is emptied and kept for the next records: its blocks
are there already, so that a sync has nothing but those records to write. One whose write or sync
failed is never written to again; it goes when it is done.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from .durable import (
    make_folder,
    replace_file,
    settle_file,
    sweep_temporary,
    sync_data,
    sync_folder,
)
from .journal_records import HEADER_BYTES, Record, framed, read_records

_FOLDER = ".journal"  # of their own, for among those of all users it takes long to find them
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@dataclass(slots=True, eq=False)
class _File:
    path: Path
    descriptor: int | None = None  # None: it is not written to any more
    first: int = 0
    last: int = 0
    size: int = 0

    def close(self) -> None:
        if self.descriptor is not None:
            with contextlib.suppress(OSError):  # what it holds is durable, or told to be lost
                os.close(self.descriptor)
            self.descriptor = None


class JournalFiles:
    def __init__(self, root: Path, file_bytes: int) -> None:
        """After about `file_bytes` the next file is begun."""
        self._folder = root / _FOLDER
        self.file_bytes = file_bytes
        self._lock = threading.Lock()
        self._full: list[_File] = []  # oldest first
        self._last: _File | None = None
        self._spare: _File | None = None
        self._unsynced: set[Path] = set()  # whose sync has failed, so that none may be trusted

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no file."""
        return not (self._full or self._last or self._spare)

    def may_hold(self, number: int) -> bool:
        """Tell whether a record of this number, or a later one, may be read again."""
        first = self._full[0] if self._full else self._last
        return first is not None and number >= first.first

    def load(self) -> list[Record]:
        """Take over what a process before has left; give its records in their order.

        :raises OSError: it cannot be read, or is not sure to be durable.
        """
        sweep_temporary(self._folder)
        files, found = [], []
        for path in self._found():
            self._settle(path)
            records = list(read_records(path))
            first, last = (records[0].number, records[-1].number) if records else (0, 0)
            files.append(_File(path, None, first, last))
            found += records
        self._full = sorted(files, key=lambda file: file.first)
        return sorted(found, key=lambda record: record.number)

    def _found(self) -> list[Path]:
        """List the journals; `glob` would give none where the folder may not be read now."""
        try:
            with os.scandir(self._folder) as found:
                return [self._folder / item.name for item in found if item.name[0] != "."]
        except FileNotFoundError:
            return []

    def _settle(self, path: Path) -> None:
        """Have nothing rest on what a power cut may take back, such as a mark that was read."""
        if path not in self._unsynced:
            try:
                settle_file(path)
            except OSError:
                self._unsynced.add(path)
            else:
                return
        replace_file(path, path.read_bytes())
        sync_folder(self._folder)
        self._unsynced.discard(path)

    def append(self, number: int, records: list[bytes]) -> None:
        """Write records durably; `number` is that of the first."""
        with self._lock:
            file = self._file_for(number)
            file.last = number + len(records) - 1
            frames = [framed(number + place, data) for place, data in enumerate(records)]
            try:
                file.size += _write(file, b"".join(frames))
            except BaseException:
                file.close()
                self._full.append(file)
                self._last = None
                raise

    def tidy(self, done_before: int) -> None:
        """Empty or remove the files all of whose records have lower numbers than that.

        :raises OSError: one is still there, or may come back.
        """
        with self._lock:
            while self._full and self._full[0].last < done_before:
                self._empty(self._full[0])  # in their order: a mark outlives what it is about
                self._full.pop(0)

    def turn(self) -> None:
        """Write to none of these files any more, so that `tidy` may remove them all."""
        with self._lock:
            if self._spare is not None:
                self._full.insert(0, self._spare)
            if self._last is not None:
                self._full.append(self._last)
            self._spare = self._last = None
            for file in self._full:
                file.close()

    def _file_for(self, number: int) -> _File:
        if self._last is not None and self._last.size > self.file_bytes:
            self._full.append(self._last)
            self._last = None
        if self._last is None:
            self._last, self._spare = self._spare or self._create(number), None
            self._last.first, self._last.size = number, 0
        return self._last

    def _create(self, number: int) -> _File:
        make_folder(self._folder)
        path = self._folder / f"{number:020}-{secrets.token_hex(3)}"
        file = _File(path, os.open(path, _CREATE, 0o600))
        assert file.descriptor is not None
        try:
            with contextlib.suppress(OSError):  # it only makes the syncs cheaper
                os.pwrite(file.descriptor, bytes(self.file_bytes), 0)
            os.fsync(file.descriptor)
            sync_folder(self._folder)
        except BaseException:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return file

    def _empty(self, file: _File) -> None:
        if file.descriptor is not None and self._spare is None:
            try:
                os.pwrite(file.descriptor, bytes(HEADER_BYTES), 0)
                sync_data(file.descriptor)
            except OSError:
                file.close()
                raise
            file.first = file.last = 0
            self._spare = file
            return
        file.path.unlink(missing_ok=True)
        sync_folder(self._folder)
        file.close()


def _write(file: _File, data: bytes) -> int:
    assert file.descriptor is not None
    rest, at = memoryview(data), file.size
    while rest:
        count = os.pwrite(file.descriptor, rest, at)
        rest, at = rest[count:], at + count
    sync_data(file.descriptor)
    return len(data)
