"""What is in a zip, read without ever writing a file or trusting a name or a size.

Names are shown and compared, never used as paths. What an entry unpacks to is bounded by what the
zip's own directory says of it: `zipfile` gives no more, and sums and ratios are checked before
anything is unpacked.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from ..errors import ImportRefusedError
from .report import ImportLimits, Tally, as_detail

_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
_DIRECTORY_BYTES = 256  # of one entry's record, in the mean
_ENCRYPTED = 0x1
_DRIVE = re.compile("[A-Za-z]:")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # others may ask for much memory
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")


def is_zip(file: BinaryIO) -> bool:
    start = file.read(4)
    file.seek(0)
    return start in {b"PK\x03\x04", b"PK\x05\x06"}


def unpacked(file: BinaryIO, limits: ImportLimits, tally: Tally) -> Iterator[tuple[str, BinaryIO]]:
    """Give the JSON files of a zip: the name, for showing, and what is in it, to be read now.

    :raises ImportRefusedError: the zip is broken, encrypted, or not one that a person has made.
    """
    with _opened(file, limits) as archive:
        entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
        wanted = list(_wanted(entries, tally))
        _check_sizes(wanted, limits)
        for entry in wanted:
            name = as_detail(entry.filename)
            try:
                source = archive.open(entry)
            except _BROKEN:
                tally.leave_out("damaged_file", name)
                continue
            with source:
                yield name, cast("BinaryIO", source)


def _opened(file: BinaryIO, limits: ImportLimits) -> zipfile.ZipFile:
    bounded = _Bounded(file, limits.entries * _DIRECTORY_BYTES)
    try:
        archive = zipfile.ZipFile(cast("BinaryIO", bounded))
    except _BROKEN as error:
        raise ImportRefusedError("damaged") from error
    bounded.most = None
    if len(archive.infolist()) > limits.entries:
        raise ImportRefusedError("too_many_entries")
    for entry in archive.infolist():
        _check(entry)
    return archive


def _check(entry: zipfile.ZipInfo) -> None:
    name = as_detail(entry.filename)
    parts = entry.orig_filename.replace("\\", "/").split("/")
    is_absolute = len(parts) > 1 and (parts[0] == "" or _DRIVE.fullmatch(parts[0]))
    if is_absolute or ".." in parts or stat.S_ISLNK(entry.external_attr >> 16):
        raise ImportRefusedError("unsafe_entry", name)
    if entry.flag_bits & _ENCRYPTED:
        raise ImportRefusedError("encrypted", name)


def _wanted(entries: list[zipfile.ZipInfo], tally: Tally) -> Iterator[zipfile.ZipInfo]:
    for entry in entries:
        path = entry.filename.replace("\\", "/").lower()
        is_hidden = path.rpartition("/")[2].startswith(".")
        if path.endswith(_ARCHIVES):
            tally.leave_out("nested_archive", entry.filename)
        elif not path.endswith(".json") or is_hidden or entry.compress_type not in _METHODS:
            tally.leave_out("other_file", entry.filename)
        else:
            yield entry


def _check_sizes(entries: list[zipfile.ZipInfo], limits: ImportLimits) -> None:
    if sum(entry.file_size for entry in entries) > limits.unpacked_bytes:
        raise ImportRefusedError("unpacks_too_big")
    for entry in entries:
        packed = max(entry.compress_size, 1)
        if entry.file_size > max(limits.ratio_from, limits.ratio * packed):
            raise ImportRefusedError("unpacks_too_big", as_detail(entry.filename))


class _Bounded(io.RawIOBase):
    """Refuses to read more than `most` bytes at once: a directory that is read into memory."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self.most: int | None = most
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        if self.most is None:
            return self._file.read(size)
        data = self._file.read(self.most + 1 if size < 0 else min(size, self.most + 1))
        if len(data) > self.most:
            raise ImportRefusedError("too_many_entries")
        return data
