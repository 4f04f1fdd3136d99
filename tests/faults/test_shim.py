"""That the shim sees everything, changes nothing, and fails what it is told to."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.calls import Call, Create, Remove, Rename, Sync, Write
from tests.faults.disk import Disk
from tests.faults.losses import all_lost
from tests.faults.recorder import Fault
from tests.faults.shim import Shim


def put(path: Path, data: bytes, *, write: Callable[[int, bytes], int] | None = None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        (write or os.write)(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def names(shim: Shim) -> list[str]:
    return [event.name for event in shim.events if isinstance(event, Call)]


def test_calls_are_recorded_with_what_they_changed(tmp_path: Path) -> None:
    (tmp_path / "beside").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    with Shim(root, Disk({})) as shim:
        put(root / "a", b"data")
        put(tmp_path / "beside" / "a", b"elsewhere")
        (root / "a").replace(root / "b")
        (root / "sub").mkdir()
        (root / "b").unlink()
    calls = [event for event in shim.events if isinstance(event, Call) and event.changes]
    assert [call.changes[0] for call in calls] == [
        Create("a"), Write(1, 0, b"data"), Sync(1), Rename("a", "b"),
        Create("sub", is_folder=True), Remove("b"),
    ]  # fmt: skip
    assert [call.time for call in calls] == sorted({call.time for call in calls})
    assert (tmp_path / "beside" / "a").read_bytes() == b"elsewhere"
    assert os.open is shim._real["open"]
    assert io.open is shim._io_open


def test_every_way_to_write_is_known(tmp_path: Path) -> None:
    with Shim(tmp_path, Disk({})) as shim:
        descriptor = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
        os.write(descriptor, b"0123")
        os.pwrite(descriptor, b"45", 4)
        os.writev(descriptor, [b"x", b"y"])
        os.pwritev(descriptor, [b"!"], 9)
        os.fdatasync(descriptor)
        os.posix_fallocate(descriptor, 0, 20)
        os.ftruncate(descriptor, 12)
        os.close(descriptor)
        folder = os.open(tmp_path, os.O_RDONLY)
        descriptor = os.open("a", os.O_WRONLY | os.O_APPEND, dir_fd=folder)
        os.write(descriptor, b"end")
        os.close(descriptor)
        os.close(folder)
        (tmp_path / "b").hardlink_to(tmp_path / "a")
        (tmp_path / "a").rename(tmp_path / "c")
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub").rmdir()
    assert (tmp_path / "c").read_bytes() == b"0123xy\0\0\0!\0\0end"
    assert shim.bypassed() == []
    shim.disk.apply(Call("fsync", "", 0, (Sync(0),)))
    assert sorted(all_lost(shim.disk)) == ["b", "c"]


def test_what_it_does_not_know_is_refused(tmp_path: Path) -> None:
    with Shim(tmp_path, Disk({})):
        with pytest.raises(NotImplementedError, match="past the functions of os"):
            (tmp_path / "a").write_bytes(b"")
        with pytest.raises(NotImplementedError, match="symlink"):
            (tmp_path / "a").symlink_to("b")
        with pytest.raises(NotImplementedError, match="into the folder or out of it"):
            tmp_path.joinpath("a").rename(tmp_path.parent / "outside")


def test_what_went_past_it_is_found(tmp_path: Path) -> None:
    with Shim(tmp_path, Disk({})) as shim:
        put(tmp_path / "a", b"data")
        io.FileIO(tmp_path / "b", "w").close()
        with io.FileIO(tmp_path / "a", "r+") as file:
            file.write(b"DATA")
    assert shim.bypassed() == ["a", "b"]


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (Fault(2, errno.EIO), b""),
        (Fault(2, errno.EIO, late=True), b"data"),
        (Fault(3, errno.EIO), b"data"),
        (Fault(1, errno.EIO), None),
    ],
)
def test_one_call_fails_or_fails_though_done(
    tmp_path: Path, fault: Fault, left: bytes | None
) -> None:
    with Shim(tmp_path, Disk({})) as shim:
        shim.arm(fault)
        with pytest.raises(OSError, match="Input/output error"):
            put(tmp_path / "a", b"data")
        assert shim.fired == 1
        path = tmp_path / "a"
        assert (path.read_bytes() if path.exists() else None) == left
        put(tmp_path / "b", b"data")  # the next call is fine
    assert shim.bypassed() == []


def test_a_lasting_error_spares_what_it_is_told_to(tmp_path: Path) -> None:
    with Shim(tmp_path, Disk({})) as shim:
        put(tmp_path / "a", b"")
        shim.arm(Fault(1, errno.ENOSPC, sticky=True, spared=frozenset({"unlink"})))
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                put(tmp_path / "b", b"")
        (tmp_path / "a").unlink()
        shim.arm(None)
        put(tmp_path / "b", b"")
    assert sorted(shim.disk.tree()) == ["b"]


def test_a_short_write_and_the_error_after_it(tmp_path: Path) -> None:
    with Shim(tmp_path, Disk({})) as shim:
        shim.arm(Fault(2, errno.ENOSPC, sticky=True, share=0.5))
        with pytest.raises(OSError, match="No space"):
            put(tmp_path / "a", b"12345678")
    assert (tmp_path / "a").read_bytes() == b"1234"
    assert shim.bypassed() == []


def test_a_failed_fsync_loses_what_it_was_to_save(tmp_path: Path) -> None:
    with Shim(tmp_path, Disk({})) as shim:
        shim.arm(Fault(3, errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            put(tmp_path / "a", b"data")
        top = os.open(tmp_path, os.O_RDONLY)
        os.fsync(top)
        os.close(top)
        descriptor = os.open(tmp_path / "a", os.O_WRONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    content = all_lost(shim.disk)["a"]
    assert getattr(content, "data", None) == b""
    assert (tmp_path / "a").read_bytes() == b"data"


def test_a_call_is_held_while_others_go_on(tmp_path: Path) -> None:
    with Shim(tmp_path, Disk({})) as shim:
        hold = shim.hold(2)
        first = threading.Thread(target=put, args=(tmp_path / "a", b"first"))
        first.start()
        assert hold.reached.wait(60)
        put(tmp_path / "b", b"second")
        assert (tmp_path / "a").read_bytes() == b""
        hold.go_on.set()
        first.join()
    assert (tmp_path / "a").read_bytes() == b"first"
    assert shim.bypassed() == []


def test_a_coarse_clock_gives_many_calls_one_time(tmp_path: Path) -> None:
    with Shim(tmp_path, Disk({}), calls_per_tick=1000) as shim:
        put(tmp_path / "a", b"1")
        put(tmp_path / "b", b"2")
    times = {path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.iterdir())}
    assert len(times) == 1
    assert {node.mtime for node in shim.disk.tree().values()} == times
