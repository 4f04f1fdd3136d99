"""The inbox's file: nothing kept is lost, nothing finished comes back, and it stays small."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.inbox import Inbox


def update(number: int, text: str = "hello") -> dict[str, Any]:
    return {"update_id": number, "message": {"text": text}}


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Inbox]:
    inbox = Inbox(path)
    await inbox.open()
    yield inbox
    await inbox.close()


async def left_open(path: Path) -> list[int]:
    """Tell what is open after a kill, which leaves the file as it is."""
    inbox = Inbox(path)
    await inbox.open()
    return [entry.raw["update_id"] for entry in inbox.left_open()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.jsonl"


async def test_what_was_kept_is_there_after_a_kill(path: Path) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(5, "Ещё \ud800 \x00"), update(3)])
        await inbox.note(3, {"chat": "a", "question": 7})
        again = Inbox(path)
        await again.open()
        first, second = again.left_open()
        assert first.raw == update(5, "Ещё \ud800 \x00")
        assert second.facts == {"chat": "a", "question": 7}


async def test_what_is_over_does_not_come_back(path: Path) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1), update(2), update(3)])
        await inbox.finish(2)
        assert await left_open(path) == [1, 3]
        await inbox.keep([update(2), update(4)])
        assert inbox.begin(2) is None
        assert inbox.knows(2)
    assert await left_open(path) == [1, 3, 4]


async def test_each_update_is_handed_out_once(path: Path) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1)])
        await inbox.keep([update(1)])
        assert inbox.begin(1) is not None
        assert inbox.begin(1) is None
        assert inbox.left_open() == []
        assert not inbox.knows(2)
        assert inbox.begin(2) is None


async def test_an_id_below_the_last_one_is_new_all_the_same(path: Path) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1_000_000)])
        await inbox.finish(1_000_000)
        await inbox.keep([update(17)])
        assert inbox.begin(17) is not None


async def test_a_torn_end_was_never_acknowledged(path: Path) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1), update(2)])
        whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    second_line = whole.index(b"\n", first_line) + 1
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        expected = [1, 2] if length == len(whole) else [1] if length >= second_line else []
        assert await left_open(path) == expected, length
        assert path.read_bytes().endswith(b"\n"), "so that the next line stands by itself"


async def test_an_unreadable_line_hides_no_other_and_is_kept_aside(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for line in (
        b"\x00" * 40, b"{", b"5", b"[]", b'{"done": [1]}', b'{"update_id": null}', b"{}",
        b'{"update_id": 1e999}', b'{"noted": 1, "facts": 5}', b'{"seen": [], "tries": 1}',
    ):  # fmt: skip
        async with opened(path) as inbox:
            await inbox.keep([update(1), update(2)])
            lines = path.read_bytes().splitlines()
        path.write_bytes(b"\n".join([lines[0], lines[1], line, lines[2], b""]))
        damaged = path.read_bytes()
        assert await left_open(path) == [1, 2], line
        [aside] = path.parent.glob("*.damaged-1")
        assert aside.read_bytes() == damaged
        aside.unlink()
        path.unlink()
    assert "unreadable" in caplog.text
    assert "hello" not in caplog.text


async def test_tasks_that_wait_share_one_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = 0
    original = os.fdatasync

    def counting(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        original(descriptor)

    async with opened(path) as inbox:
        monkeypatch.setattr(os, "fdatasync", counting)
        async with asyncio.TaskGroup() as tasks:
            for number in range(100):
                tasks.create_task(inbox.keep([update(number)]))
        assert 1 <= synced <= 2
        assert await left_open(path) == list(range(100))


async def test_the_file_stays_small(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)  # 6 000 of them
    async with opened(path) as inbox:
        largest = 0
        for number in range(1, 3001):
            await inbox.keep([update(number, "x" * 1000)])
            if number > 3:
                await inbox.finish(number)
            largest = max(largest, path.stat().st_size)
        assert largest < 400_000
        assert await left_open(path) == [1, 2, 3]
    assert path.stat().st_size < 100_000
    assert b"xxx" * 1001 not in path.read_bytes()


async def test_what_was_handled_can_be_forgotten(path: Path) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1, "secret"), update(2, "open")])
        await inbox.finish(1)
        assert b"secret" in path.read_bytes()
        await inbox.forget_handled()
        assert b"secret" not in path.read_bytes()
        assert await left_open(path) == [2]
        await inbox.finish(2)
    assert await left_open(path) == []


async def test_only_so_many_ids_are_remembered(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.inbox._SEEN", 10)
    async with opened(path) as inbox:
        for number in range(30):
            await inbox.keep([update(number)])
            await inbox.finish(number)
        assert [number for number in range(30) if inbox.knows(number)] == list(range(20, 30))


async def test_what_was_open_at_many_crashes_is_given_up(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1, "poison"), update(2, "late")])
    for _ in range(5):
        assert await left_open(path) == [1, 2]
    assert await left_open(path) == []
    aside = path.with_name(path.name + ".given-up")
    assert [json.loads(line)["update_id"] for line in aside.read_bytes().splitlines()] == [1, 2]
    assert "update 1 was open at 5 crashes" in caplog.text
    assert "poison" not in caplog.text
    async with opened(path) as inbox:
        assert inbox.knows(1)


async def test_its_files_are_for_their_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(path) as inbox:
            await inbox.keep([update(1)])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


@contextmanager
def failing(name: str, number: int, *, times: int = 1) -> Iterator[list[str]]:
    """Have a call of the system fail; give the names of those that did."""
    original = getattr(os, name)
    failed: list[str] = []

    def call(*args: Any, **options: Any) -> Any:
        if len(failed) < times:
            failed.append(name)
            raise OSError(number, os.strerror(number))
        return original(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, name, call)
        yield failed


@pytest.mark.parametrize("name", ["write", "fdatasync"])
async def test_what_could_not_be_written_comes_with_the_next(path: Path, name: str) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1)])
        with failing(name, errno.ENOSPC) as failed:
            with pytest.raises(OSError, match="No space left"):
                await inbox.keep([update(2)])
            assert failed == [name]
        assert inbox.begin(2) is not None, "it can be handled meanwhile"
        await inbox.keep([update(3)])
        assert await left_open(path) == [1, 2, 3]


async def test_a_failed_sync_is_never_tried_again_on_the_same_file(path: Path) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1)])
        before = path.stat().st_ino
        with failing("fdatasync", errno.EIO), pytest.raises(OSError, match="Input/output"):
            await inbox.finish(1)
        with failing("fdatasync", errno.EIO) as failed:
            await inbox.keep([update(2)])
            assert failed == []
        assert path.stat().st_ino != before
        assert await left_open(path) == [2]


async def test_a_disk_that_fails_at_the_start_hinders_nobody(path: Path) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1)])
    with failing("write", errno.ENOSPC, times=2):
        inbox = Inbox(path)
        await inbox.open()
        assert [entry.raw["update_id"] for entry in inbox.left_open()] == [1]
        with pytest.raises(OSError, match="No space left"):
            await inbox.keep([update(2)])
    await inbox.finish(1)
    assert await left_open(path) == [2]
    assert [file.name for file in path.parent.iterdir()] == [path.name], "no temporary file stays"
    await inbox.close()


async def test_a_cancelled_task_does_not_stop_what_others_wait_for(path: Path) -> None:
    async with opened(path) as inbox:
        first = asyncio.create_task(inbox.keep([update(1)]))
        second = asyncio.create_task(inbox.keep([update(2)]))
        await asyncio.sleep(0)
        first.cancel()
        await second
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await left_open(path) == [1, 2]


async def test_a_known_update_is_not_kept_before_it_is_written(path: Path) -> None:
    """Else Telegram forgets one that stands in memory alone, when it has sent it again."""
    async with opened(path) as inbox:
        with failing("fdatasync", errno.EIO), pytest.raises(OSError, match="Input/output"):
            await inbox.keep([update(1)])
        with failing("fsync", errno.EIO), pytest.raises(OSError, match="Input/output"):
            await inbox.keep([update(1)])
        path.unlink()
        await inbox.keep([update(1)])
        assert await left_open(path) == [1]
        written = path.stat()
        await inbox.keep([update(1)])
        assert path.stat() == written, "what is on the disk is not written again"


async def test_who_brings_an_update_again_waits_until_it_is_written(path: Path) -> None:
    async with opened(path) as inbox:
        before = path.stat().st_ino
        first = asyncio.create_task(inbox.keep([update(1)]))
        await asyncio.sleep(0)
        with failing("fdatasync", errno.EIO):
            again = asyncio.create_task(inbox.keep([update(1)]))
            await asyncio.wait([first])
        assert isinstance(first.exception(), OSError)
        await again
        assert path.stat().st_ino != before, "what was written there is not on the disk"
        assert await left_open(path) == [1]


async def test_what_could_not_be_finished_is_finished_the_second_time(path: Path) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1)])
        with failing("write", errno.ENOSPC), pytest.raises(OSError, match="No space"):
            await inbox.finish(1)
        assert await left_open(path) == [1]
        await inbox.finish(1)
        assert await left_open(path) == []


async def test_a_file_that_cannot_be_closed_is_let_go_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all that comes later would go to that number, whatever file has it then."""
    close = os.close

    def close_badly(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    async with opened(path) as inbox:
        await inbox.keep([update(1)])
        monkeypatch.setattr(os, "close", close_badly)
        with failing("fdatasync", errno.ENOSPC), pytest.raises(OSError, match="No space"):
            await inbox.keep([update(2)])
        monkeypatch.undo()
        await inbox.keep([update(3)])
        assert await left_open(path) == [1, 2, 3]


async def test_what_a_crash_leaves_of_a_file_is_swept(path: Path) -> None:
    """It holds what people wrote, and nobody would ever look for it."""
    ours = path.with_name(f".{path.name}.0123456789ab.tmp")
    others = path.with_name(".other.jsonl.0123456789ab.tmp")
    for left in (ours, others):
        left.write_text("{")
    async with opened(path):
        assert not ours.exists()
        assert others.exists(), "somebody may be writing it"


async def test_a_temporary_file_that_could_not_be_removed_goes_with_the_next_writing(
    path: Path,
) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1, "secret")])
        with (
            failing("unlink", errno.EROFS),
            failing("replace", errno.EIO),
            pytest.raises(OSError, match="Input/output"),
        ):
            await inbox.forget_handled()
        assert len(list(path.parent.iterdir())) == 2
        await inbox.finish(1)
        assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_what_could_not_be_read_is_not_overwritten_at_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(path) as inbox:
        await inbox.keep([update(1)])
    inbox = Inbox(path)
    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", refuse_to_read)
        with pytest.raises(OSError, match="Too many open files"):
            await inbox.open()
    await inbox.close()
    assert await left_open(path) == [1]


def refuse_to_read(path: Path) -> bytes:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


async def test_a_system_without_fdatasync_has_fsync(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fdatasync")
    async with opened(path) as inbox:
        await inbox.keep([update(1)])
        assert await left_open(path) == [1]
