"""Writes that survive a crash and a power cut, on file systems that honour fsync.

All of it blocks; call it in a thread. Rename without fsync keeps a file whole through `kill -9`
but may leave it empty, or take the change back, when the power goes; hence every fsync here.
A failed fsync is never tried again on the same file: the system may already have dropped the data.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

Bytes = bytes | bytearray
TEMP_SUFFIX = ".tmp"

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
_ASIDE_SUFFIX = ".damaged-"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class Temporary(NamedTuple):
    """A file that is open to be written from its beginning, and seen by nobody else."""

    name: str
    descriptor: int
    size: int = 0


def replace_file(path: Path | str, *data: Bytes) -> os.stat_result:
    """Put `data`, one piece after another, under `path` in one step.

    The caller syncs the folder with `sync_folder`. On any error the old file stays as it was and
    the temporary one is removed.
    """
    return fill_and_name(create_temporary(path), path, data)


def temporary_name(path: Path | str, ending: str = "") -> str:
    """Give a name that is free, beside `path`, and that `sweep_temporary` finds."""
    folder, name = os.path.split(path)
    return f"{folder or os.curdir}/.{name}.{secrets.token_hex(6)}{ending}{TEMP_SUFFIX}"


def create_temporary(path: Path | str) -> Temporary:
    """Create an empty file beside `path`."""
    name = temporary_name(path)
    try:
        return Temporary(name, os.open(name, _CREATE, _FILE_MODE))
    except OSError:
        remove_temporary(name)  # it may be there all the same
        raise


def fill_and_name(
    temp: Temporary, path: Path | str, data: Sequence[Bytes], former: str | None = None
) -> os.stat_result:
    """Do what `replace_file` does with a temporary file; it is closed.

    With `former` the file that has had the name gets that one, where it can have it.
    """
    try:
        try:
            status = _fill(temp.descriptor, data, temp.size)
        finally:
            os.close(temp.descriptor)
        if former is not None:
            with contextlib.suppress(OSError):
                os.link(path, former)
        os.replace(temp.name, path)  # noqa: PTH105 - a path object costs more than the call
    except BaseException:
        remove_temporary(temp.name, former)
        raise
    return status


def _fill(descriptor: int, data: Sequence[Bytes], size: int) -> os.stat_result:
    """Have a file hold this and nothing else, durably; it has held `size` bytes."""
    for piece in data:
        write_all(descriptor, piece)
    length = sum(map(len, data))
    if length < size:
        os.ftruncate(descriptor, length)
    os.fsync(descriptor)
    return os.fstat(descriptor)


def remove_temporary(*names: str | None) -> None:
    """Remove temporary files, as far as there are any and it can be done now."""
    for name in names:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108


def write_all(descriptor: int, data: Bytes) -> None:
    """Write all bytes, where the system may take fewer at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_data(descriptor: int) -> None:
    """Make what a file holds durable, without the time of its change where the system can."""
    getattr(os, "fdatasync", os.fsync)(descriptor)  # macOS and Windows have no fdatasync


def settle_file(path: Path) -> None:
    """Make durable what another process has written, and maybe not synced before it was killed."""
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        sync_data(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: what was created, renamed into it or removed from it."""
    if os.name == "nt":
        return  # a folder cannot be opened there; the file system's journal orders its names
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder for us alone, with its missing parents, durably.

    The name of an empty folder is synced again: the call that made it may have failed after that.
    """
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        sync_folder(folder.parent)
    elif _is_empty(folder):
        # What we may not open, somebody else has made.
        with contextlib.suppress(PermissionError):
            sync_folder(folder.parent)


@contextlib.contextmanager
def looking_into(folder: str) -> Iterator[tuple[str, int | None]]:
    """Give what names of files in a folder begin with, and the descriptor that they go with."""
    descriptor = None
    if os.stat in os.supports_dir_fd:
        with contextlib.suppress(OSError):  # it only makes many looks cheaper
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    if descriptor is None:
        yield f"{folder}/", None
        return
    try:
        yield "", descriptor
    finally:
        os.close(descriptor)


def _is_empty(folder: Path) -> bool:
    with os.scandir(folder) as found:  # which, unlike a listing, looks at the first name alone
        return next(found, None) is None


def move_file(source: Path, target: Path) -> None:
    """Rename across folders, durably: the new name first, so that no moment has none."""
    source.replace(target)
    sync_folder(target.parent)
    sync_folder(source.parent)


def sweep_temporary(folder: Path, name: str = "") -> bool:
    """Remove what a crash left behind of files whose names begin so. Only their owner may.

    False where something may be left: a disk that is read-only now can still be read.
    """
    try:
        with os.scandir(folder) as found:  # `glob` would find nothing where it may not look
            left = [item for item in found if _is_temporary(item.name, name)]
    except FileNotFoundError:
        return True
    except OSError:
        return False
    is_swept = True
    for item in left:
        try:
            os.unlink(item)  # noqa: PTH108
        except OSError:
            is_swept = False
    return is_swept


def _is_temporary(name: str, of: str) -> bool:
    return name.startswith(f".{of}") and name.endswith(TEMP_SUFFIX)


def keep_aside(path: Path) -> Path | None:
    """Keep what a file holds under a `.damaged-N` name beside it; None if that is done already."""
    for number in itertools.count(1):
        aside = path.with_name(f"{path.name}{_ASIDE_SUFFIX}{number}")
        if not aside.exists():
            break
        if aside.read_bytes() == path.read_bytes():
            return None
    try:
        os.link(path, aside)  # takes no space, so that it works on a full disk too
    except OSError:
        replace_file(aside, path.read_bytes())
    sync_folder(path.parent)
    return aside


def count_aside(folder: Path) -> int:
    """Count the files that `keep_aside` has made in a folder."""
    try:
        return sum(1 for path in folder.iterdir() if _ASIDE_SUFFIX in path.name)
    except FileNotFoundError:
        return 0
