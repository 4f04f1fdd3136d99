"""The power fails on real file systems, each in a file that is mounted as a disk.

ext4 and XFS can be told to stop at once and to write nothing more, not even their journal. Btrfs
cannot; there the file is copied as it is at that moment, and mounted as the disk that was left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.bench import STORE, Bench, SkippedError
from tests.faults.calls import Call, Mark
from tests.faults.disk import Disk
from tests.faults.expected import Expected
from tests.faults.folders import read
from tests.faults.recorder import Fault
from tests.faults.shim import Shim

_HISTORY = 24  # operations
_SHUTDOWN, _WITHOUT_LOG = 0x8004587D, 2
_MEGABYTES = 320  # what mkfs.xfs asks for at least; hardly any of it is ever written


@dataclass(frozen=True)
class FileSystem:
    make: tuple[str, ...]
    kind: str
    options: str = "loop"
    can_stop: bool = True


FILE_SYSTEMS = {
    "ext4": FileSystem(("mkfs.ext4", "-q", "-F"), "ext4"),
    # Without what it does for programs that rename and do not sync.
    "ext4 plain": FileSystem(("mkfs.ext4", "-q", "-F"), "ext4", "loop,noauto_da_alloc"),
    "xfs": FileSystem(("mkfs.xfs", "-q"), "xfs"),
    "btrfs": FileSystem(("mkfs.btrfs", "-q"), "btrfs", can_stop=False),
}


async def power_cut(system: FileSystem, bench: Bench) -> None:
    """Cut the power before every call, just so, and after the journal was written for others."""
    if os.geteuid() != 0:
        raise SkippedError("only root may mount")
    for point in await _cut(system, bench, 0, is_committed=False):
        for is_committed in (False, True):
            if bench.wants(point):
                await _cut(system, bench, point, is_committed=is_committed)


MODES = {f"power cut, {name}": partial(power_cut, system) for name, system in FILE_SYSTEMS.items()}


async def _cut(system: FileSystem, bench: Bench, point: int, *, is_committed: bool) -> list[int]:
    """Run a history until the disk is dead, and look at what is left; with 0 it never dies.

    Give the numbers of the calls that changed something.
    """
    image, mounted = bench.disk.with_name("image"), bench.disk.with_name("mounted")
    mounted.mkdir(exist_ok=True)
    _make(system, image)
    with _mounted(system, image, mounted):
        calls, expected = await _work(bench, mounted, point)
        if is_committed:
            _write_for_others(mounted)
        left = _stop(system, image, mounted)
    if point:
        with _mounted(system, left, mounted):
            tree = {path: node for path, node in read(mounted).items() if path.startswith(STORE)}
        wrong = await bench.judge(tree, expected, go_on=True)
        bench.count(point, f"power cut{' after a commit' if is_committed else ''}", wrong)
    return [number for number, call in enumerate(calls, 1) if call.changes]


async def _work(bench: Bench, mounted: Path, point: int) -> tuple[list[Call], Expected]:
    expected = bench.expected()
    with Shim(mounted, Disk({}), calls_per_tick=0) as shim:
        shim.arm(Fault(point, errno.EIO, sticky=True) if point else None)
        async with bench.subject.opened(mounted / STORE) as store:
            for operation in bench.subject.workload(bench.seed)[:_HISTORY]:
                said = await bench.say(store, operation)
                assert not expected.hear_all(Mark("try", operation), said)
                if said.said == "err":
                    break
    return [event for event in shim.events if isinstance(event, Call)], expected


def _make(system: FileSystem, image: Path) -> None:
    if shutil.which(system.make[0]) is None:
        raise SkippedError(f"there is no {system.make[0]}")
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(_MEGABYTES << 20)
    _run(*system.make, str(image))


@contextmanager
def _mounted(system: FileSystem, image: Path, mounted: Path) -> Iterator[None]:
    _run("mount", "-t", system.kind, "-o", system.options, str(image), str(mounted))
    try:
        yield
    finally:
        _run("umount", str(mounted))


def _stop(system: FileSystem, image: Path, mounted: Path) -> Path:
    """Give the disk that is left when the power fails now."""
    if system.can_stop:
        descriptor = os.open(mounted, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _WITHOUT_LOG.to_bytes(4, "little"))
        finally:
            os.close(descriptor)
        return image
    left = image.with_name("left")
    _run("cp", "--sparse=always", str(image), str(left))
    return left


def _write_for_others(mounted: Path) -> None:
    """Have the journal written as any other program on that disk might at any time."""
    descriptor = os.open(mounted / "other", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, b"other")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SkippedError(f"{command[0]}: {done.stderr.strip()}")
