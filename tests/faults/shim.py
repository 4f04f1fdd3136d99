"""Stands between a program and one folder: takes the place of the functions of `os` for it.

What it does not know it refuses. What reads is counted too, so that it can fail. What went past
it all the same is found by `Recorder.bypassed`, because then the folder is not what was recorded.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults.calls import Change, Create, Link, Remove, Rename, Resize, Sync, Write
from tests.faults.disk import Disk
from tests.faults.recorder import Recorder, Wanted

_READS = ("stat", "scandir", "listdir")
_UNKNOWN = (
    "chown", "copy_file_range", "mkfifo", "mknod", "removexattr", "sendfile", "setxattr",
    "symlink", "truncate", "utime",
)  # fmt: skip


class Shim(Recorder):
    def __init__(self, root: Path, disk: Disk, *, calls_per_tick: int = 1) -> None:
        super().__init__(root, disk, calls_per_tick=calls_per_tick)
        self._open: dict[int, tuple[int, str]] = {}  # node and path, by descriptor
        self._real: dict[str, Any] = {}
        self._io_open = io.open

    def __enter__(self) -> Self:
        ours = [name.removeprefix("_os_") for name in dir(self) if name.startswith("_os_")]
        for name in (*ours, *_READS, *_UNKNOWN):
            self._real[name] = getattr(os, name)
        for name in ours:
            setattr(os, name, getattr(self, f"_os_{name}"))
        for name in _READS:
            setattr(os, name, partial(self._read, name))
        for name in _UNKNOWN:
            setattr(os, name, partial(self._refuse, name))
        io.open = self._open_to_read
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        io.open = self._io_open
        for name, real in self._real.items():
            setattr(os, name, real)

    # Files

    def _os_open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
        ours = self._ours(path, dir_fd)
        real = partial(self._real["open"], path, flags, mode, dir_fd=dir_fd)
        if ours is None:
            return int(real())

        def changes(_: int) -> Iterable[Change]:
            node = self.disk.find(ours)
            if node is None:
                yield Create(ours)
            elif flags & os.O_TRUNC and self.disk.size(node):
                yield Resize(node, 0)

        descriptor = self.call(Wanted("open", ours, lambda _: int(real()), changes))
        node = self.disk.find(ours)
        assert node is not None, f"{ours} was there before, or came past the record"
        self._open[descriptor] = node, ours
        return descriptor

    def _os_close(self, descriptor: int) -> None:
        real = self._real["close"]
        if descriptor not in self._open:
            real(descriptor)
            return
        _, path = self._open.pop(descriptor)
        self.call(Wanted("close", path, lambda _: real(descriptor), is_always_done=True))

    def _os_write(self, descriptor: int, data: Any) -> int:
        real = self._real["write"]
        if descriptor not in self._open:
            return int(real(descriptor, data))
        # The end of a file that is appended to is where it is when the call is done.
        is_append = _flags(descriptor) & os.O_APPEND
        offset = None if is_append else os.lseek(descriptor, 0, os.SEEK_CUR)
        return self._put("write", descriptor, offset, data, partial(real, descriptor))

    def _os_pwrite(self, descriptor: int, data: Any, offset: int) -> int:
        real = self._real["pwrite"]
        if descriptor not in self._open:
            return int(real(descriptor, data, offset))
        return self._put("pwrite", descriptor, offset, data, lambda d: real(descriptor, d, offset))

    def _os_writev(self, descriptor: int, buffers: Any) -> int:
        if descriptor not in self._open:
            return int(self._real["writev"](descriptor, buffers))
        return self._os_write(descriptor, b"".join(buffers))

    def _os_pwritev(self, descriptor: int, buffers: Any, offset: int, flags: int = 0) -> int:
        if descriptor not in self._open:
            return int(self._real["pwritev"](descriptor, buffers, offset, flags))
        return self._os_pwrite(descriptor, b"".join(buffers), offset)

    def _os_fsync(self, descriptor: int) -> None:
        self._sync("fsync", descriptor, data_only=False)

    def _os_fdatasync(self, descriptor: int) -> None:
        self._sync("fdatasync", descriptor, data_only=True)

    def _os_ftruncate(self, descriptor: int, length: int) -> None:
        self._resize("ftruncate", descriptor, (length,), lambda _: length)

    def _os_posix_fallocate(self, descriptor: int, offset: int, length: int) -> None:
        end = offset + length
        self._resize("posix_fallocate", descriptor, (offset, length), lambda n: max(n, end))

    def _os_fchmod(self, descriptor: int, mode: int) -> None:
        real = partial(self._real["fchmod"], descriptor, mode)
        if descriptor not in self._open:
            real()
            return
        self.call(Wanted("fchmod", self._open[descriptor][1], lambda _: real()))

    # Names

    def _os_replace(self, source: Any, target: Any, **options: Any) -> None:
        self._two_names("replace", source, target, options, Rename)

    def _os_rename(self, source: Any, target: Any, **options: Any) -> None:
        self._two_names("rename", source, target, options, Rename)

    def _os_link(self, source: Any, target: Any, **options: Any) -> None:
        self._two_names("link", source, target, options, Link)

    def _os_unlink(self, path: Any, *, dir_fd: Any = None) -> None:
        self._name("unlink", path, dir_fd, (), Remove)

    def _os_remove(self, path: Any, *, dir_fd: Any = None) -> None:
        self._name("remove", path, dir_fd, (), Remove)

    def _os_rmdir(self, path: Any, *, dir_fd: Any = None) -> None:
        self._name("rmdir", path, dir_fd, (), Remove)

    def _os_mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: Any = None) -> None:
        self._name("mkdir", path, dir_fd, (mode,), lambda ours: Create(ours, is_folder=True))

    # What they have in common

    def _ours(self, path: Any, dir_fd: int | None = None) -> str | None:
        """Give a path relative to the folder; None when it is not in there."""
        if not isinstance(path, str | bytes | os.PathLike):
            return self._open[path][1] if path in self._open else None
        name = os.fsdecode(path)
        if dir_fd is not None:
            name = f"{_path_of(dir_fd)}/{name}"
        name = os.path.normpath(os.path.join(os.getcwd(), name))  # noqa: PTH109, PTH118
        if name == self.root:
            return ""
        return name.removeprefix(f"{self.root}/") if name.startswith(f"{self.root}/") else None

    def _put(
        self,
        name: str,
        descriptor: int,
        offset: int | None,
        data: Any,
        real: Callable[[bytes], int],
    ) -> int:
        node, path = self._open[descriptor]
        whole = bytes(data)

        def write(share: float) -> int:
            return int(real(whole[: max(1, int(len(whole) * share))]))

        def changes(count: int) -> Iterable[Change]:
            start = self.disk.size(node) if offset is None else offset
            yield Write(node, start, whole[:count])

        return self.call(Wanted(name, path, write, changes, descriptor, can_be_short=True))

    def _sync(self, name: str, descriptor: int, *, data_only: bool) -> None:
        real = partial(self._real[name], descriptor)
        if descriptor not in self._open:
            real()
            return
        node, path = self._open[descriptor]
        failed = (Sync(node, data_only, failed=True),)
        changes = (Sync(node, data_only),)
        self.call(Wanted(name, path, lambda _: real(), lambda _: changes, if_failed=failed))

    def _resize(
        self, name: str, descriptor: int, rest: tuple[int, ...], to: Callable[[int], int]
    ) -> None:
        real = partial(self._real[name], descriptor, *rest)
        if descriptor not in self._open:
            real()
            return
        node, path = self._open[descriptor]
        size = to(self.disk.size(node))
        changes = (Resize(node, size),)
        self.call(Wanted(name, path, lambda _: real(), lambda _: changes, descriptor))

    def _two_names(
        self,
        name: str,
        source: Any,
        target: Any,
        options: dict[str, Any],
        change: Callable[[str, str], Change],
    ) -> None:
        real = partial(self._real[name], source, target, **options)
        first = self._ours(source, options.get("src_dir_fd"))
        second = self._ours(target, options.get("dst_dir_fd"))
        if first is None and second is None:
            real()
            return
        if first is None or second is None:
            raise NotImplementedError(f"{name} into the folder or out of it")
        changes = (change(first, second),)
        self.call(Wanted(name, second, lambda _: real(), lambda _: changes))

    def _name(
        self,
        name: str,
        path: Any,
        dir_fd: int | None,
        rest: tuple[Any, ...],
        change: Callable[[str], Change],
    ) -> None:
        real = partial(self._real[name], path, *rest, dir_fd=dir_fd)
        ours = self._ours(path, dir_fd)
        if ours is None:
            real()
            return
        self.call(Wanted(name, ours, lambda _: real(), lambda _: (change(ours),)))

    # What reads, and what is not known

    def _read(self, name: str, path: Any = ".", *args: Any, **options: Any) -> Any:
        real = partial(self._real[name], path, *args, **options)
        ours = self._ours(path, options.get("dir_fd"))
        return real() if ours is None else self.call(Wanted(name, ours, lambda _: real()))

    def _open_to_read(self, file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        real = partial(self._io_open, file, mode, *args, **options)
        ours = self._ours(file)
        if ours is None:
            return real()
        if set(mode) & set("wax+"):
            raise NotImplementedError(f"{ours} is written past the functions of os")
        return self.call(Wanted("io.open", ours, lambda _: real()))

    def _refuse(self, name: str, *args: Any, **options: Any) -> Any:
        if any(self._ours(path) is not None for path in args[:2]):
            raise NotImplementedError(f"the disk in memory does not know os.{name}")
        return self._real[name](*args, **options)


def _path_of(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115


def _flags(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_GETFL)
