"""The journal of the default storage; the contract, which it keeps too, is in test_storage.py."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conversations import JsonStorage, StorageError
from conversations.journal_records import Added, encode, framed, read_records
from tests.storages import USER, answer, new_chat, opened, question, settle, texts, tree
from tests.waiting import PATIENCE

LATER = "2026-05-02T00:00:00+00:00"


async def append(storage: JsonStorage, text: str, number: int = 1, *, user: int = USER) -> bool:
    return await storage.append(user, "a", question(text, number), updated_at=LATER)


async def texts_in(storage: JsonStorage, *, user: int = USER) -> list[str]:
    return texts(await storage.read_last(user, "a", 100))


async def begun(storage: JsonStorage, *, user: int = USER) -> None:
    """Make a chat, and add to it, so that it is in memory."""
    storage._folders._behind.delay = 3600
    await storage.create(new_chat("a", user_id=user, name="A"))
    await append(storage, "first", 0, user=user)


def journal(root: Path) -> list[Path]:
    return sorted(root.glob(".journal/*"))


def file_of(root: Path, user: int = USER) -> bytes:
    return (root / f"user_{user}" / "a.json").read_bytes()


def copied(root: Path, target: Path) -> Path:
    """Take what a process that is killed now leaves."""
    for path, data in tree(root).items():
        if data is not None:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(data)
    return target


class TestFiles:
    async def test_they_follow_and_the_journal_goes(self, tmp_path: Path) -> None:
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            await append(storage, "second", 1)
            assert b"second" not in file_of(tmp_path)
            assert len(journal(tmp_path)) == 1
            await storage.flush()
            assert b"second" in file_of(tmp_path)
            await append(storage, "third", 2)
        assert b"third" in file_of(tmp_path)
        assert journal(tmp_path) == []

    async def test_they_follow_by_themselves(self, tmp_path: Path) -> None:
        async with opened(tmp_path, journal=True) as storage:
            await storage.create(new_chat("a", name="A"))
            storage._folders._behind.delay = 0
            await append(storage, "second", 1)
            async with asyncio.timeout(PATIENCE):
                while b"second" not in file_of(tmp_path):
                    await asyncio.sleep(0.001)

    async def test_a_journal_that_cannot_be_looked_for_is_not_taken_for_absent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with opened(tmp_path / "before", journal=True) as storage:
            await begun(storage)
            await append(storage, "second", 1)
            root = copied(tmp_path / "before", tmp_path / "after")
        look = os.scandir

        def refuse(path: Any = ".") -> Any:
            if Path(path) == root / ".journal":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return look(path)

        async with opened(root) as storage:
            with monkeypatch.context() as broken:
                broken.setattr(os, "scandir", refuse)
                with pytest.raises(StorageError, match="Permission denied"):
                    await texts_in(storage)
            assert await texts_in(storage) == ["first", "second"]

    async def test_it_is_found_without_a_look_at_all_users(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for user_id in range(1, 100):
            (tmp_path / f"user_{user_id}").mkdir()
        look, seen = os.scandir, list[str]()

        def noted(item: os.DirEntry[str]) -> os.DirEntry[str]:
            seen.append(item.name)
            return item

        @contextmanager
        def noting(path: Any = ".") -> Iterator[Iterator[os.DirEntry[str]]]:
            with look(path) as found:
                yield map(noted, found)

        monkeypatch.setattr(os, "scandir", noting)
        async with opened(tmp_path, journal=True) as storage:
            await storage.open()
            assert await storage.read_trash(USER) == []
        assert len([name for name in seen if name.startswith("user_")]) <= 1

    @pytest.mark.parametrize("with_it", [True, False])
    async def test_a_journal_that_was_left_is_taken_up(
        self, tmp_path: Path, *, with_it: bool
    ) -> None:
        async with opened(tmp_path / "1", journal=True) as storage:
            await begun(storage)
            for number in range(1, 4):
                await append(storage, str(number), number)
            left = copied(tmp_path / "1", tmp_path / "2")
        assert b'"3"' not in file_of(left)
        async with opened(left, journal=with_it) as storage:
            await storage.open()
            assert b'"3"' in file_of(left)
            assert journal(left) == []
            assert await texts_in(storage) == ["first", "1", "2", "3"]

    async def test_what_was_left_names_its_chat_and_tells_when(self, tmp_path: Path) -> None:
        async with opened(tmp_path / "1", journal=True) as storage:
            storage._folders._behind.delay = 3600
            await storage.create(new_chat("a"))
            await storage.append_to_active(
                new_chat("b"), answer("Hello", 1), updated_at="2026-05-01T11:00:00+00:00"
            )
            await storage.append_to_active(
                new_chat("b"), question("Hotel?", 2), updated_at=LATER, first_name="Hotel?"
            )
            told = await storage.read_index(USER)
            left = copied(tmp_path / "1", tmp_path / "2")
        assert b"Hotel?" not in file_of(left)
        async with opened(left) as storage:
            assert await storage.read_index(USER) == told
        [chat] = told.conversations
        assert (chat.name, chat.updated_at, chat.message_count) == ("Hotel?", LATER, 2)

    async def test_the_active_chat_is_the_one_that_was_chosen_by_hand(
        self, tmp_path: Path
    ) -> None:
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            await storage.create(new_chat("b", name="B"))
            await storage.append_to_active(new_chat("c"), question("to b", 1), updated_at=LATER)
            await storage.flush()
            path = tmp_path / "user_1001" / "index.json"
            path.write_bytes(
                path.read_bytes().replace(b'_id": "b", "conv', b'_id": "a", "conv', 1)
            )
            chat = await storage.append_to_active(
                new_chat("c"), question("to a", 2), updated_at=LATER
            )
            assert chat.conversation_id == "a"
            assert await texts_in(storage) == ["first", "to a"]

    async def test_what_is_taken_away_later_does_not_come_back(self, tmp_path: Path) -> None:
        async with opened(tmp_path / "1", journal=True) as storage:
            await begun(storage)
            await append(storage, "second", 1)
            await storage.replace(USER, "a", question("second", 1), question("changed", 1))
            await append(storage, "third", 2)
            left = copied(tmp_path / "1", tmp_path / "2")
        async with opened(left) as storage:
            assert await texts_in(storage) == ["first", "changed", "third"]

    async def test_a_new_one_is_begun_and_the_old_one_is_used_again(self, tmp_path: Path) -> None:
        async with opened(tmp_path, journal=True) as storage:
            storage._folders._journal._files.file_bytes = 2_000
            await begun(storage)
            for number in range(1, 60):
                await append(storage, str(number), number)
                if number % 7 == 0:
                    await storage.flush()
            names = {path.name for path in journal(tmp_path)}
            assert len(names) == 2
            for number in range(60, 99):
                await append(storage, str(number), number)
                if number % 7 == 0:
                    await storage.flush()
            assert {path.name for path in journal(tmp_path)} == names
            await storage.flush()
            assert [] in [list(read_records(path)) for path in journal(tmp_path)]
            assert len(await texts_in(storage)) == 99

    async def test_erasing_a_user_leaves_no_text(self, tmp_path: Path) -> None:
        async with opened(tmp_path, journal=True) as storage:
            storage._folders._journal._files.file_bytes = 2_000
            await begun(storage)
            await begun(storage, user=7)
            for number in range(1, 30):
                await append(storage, f"secret {number}", number)
                await append(storage, f"other {number}", number, user=7)
            await storage.erase(USER)
            held = [data for data in tree(tmp_path).values() if data is not None]
            assert not any(b"secret" in data for data in held)
            assert len(await texts_in(storage, user=7)) == 30

    async def test_an_edit_by_hand_and_what_waits_are_both_kept(self, tmp_path: Path) -> None:
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            await storage.flush()
            await append(storage, "second", 1)
            path = tmp_path / f"user_{USER}" / "a.json"
            path.write_bytes(path.read_bytes().replace(b'"first"', b'"edited by hand"'))
            assert await texts_in(storage) == ["edited by hand", "second"]
            await append(storage, "third", 2)
        assert [b"edited by hand" in file_of(tmp_path), b"third" in file_of(tmp_path)] == [
            True
        ] * 2

    async def test_a_chat_that_is_removed_by_hand_takes_what_waits_along(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            await append(storage, "second", 1)
            (tmp_path / f"user_{USER}" / "a.json").unlink()
            assert (await storage.read_index(USER)).conversations == []
            await storage.flush()
        assert "gone" in caplog.text
        assert journal(tmp_path) == []


class Disk:
    """Lets the journal's syncs fail, or wait."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.error = 0
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self._real = os.fdatasync
        patch.setattr(os, "fdatasync", self._sync)

    async def is_reached(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, PATIENCE)

    def _sync(self, descriptor: int) -> None:
        self.reached.set()
        assert self.go_on.wait(PATIENCE)
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        self._real(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(monkeypatch)
    yield disk
    disk.go_on.set()


async def test_a_system_without_fdatasync_has_fsync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fdatasync")
    async with opened(tmp_path, journal=True) as storage:
        await begun(storage)
        await append(storage, "second", 1)
        left = copied(tmp_path, tmp_path.with_name("left"))
    async with opened(left) as storage:
        assert await texts_in(storage) == ["first", "second"]


async def test_a_system_without_pwrite_has_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(os, "pwrite")
    async with opened(tmp_path, journal=True) as storage:
        assert "no journal" in caplog.text
        await begun(storage)
        await append(storage, "second", 1)
        assert b"second" in file_of(tmp_path)
        assert journal(tmp_path) == []


class TestFailures:
    async def test_what_could_not_be_recorded_was_not_added(
        self, tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.CRITICAL, "conversations")
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            await append(storage, "second", 1)
            disk.error = errno.EIO
            with pytest.raises(StorageError, match="journal"):
                await append(storage, "lost", 2)
            assert await texts_in(storage) == ["first", "second"]
            disk.error = 0
            assert await append(storage, "lost", 2)
            assert await append(storage, "third", 3)
            left = copied(tmp_path, tmp_path.with_name("left"))
            assert await texts_in(storage) == ["first", "second", "lost", "third"]
        async with opened(left) as storage:
            assert await texts_in(storage) == ["first", "second", "lost", "third"]

    async def test_a_journal_that_failed_is_never_synced_again(
        self, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[int] = []
        real = os.fdatasync
        async with opened(tmp_path, journal=True) as storage:
            for user in (USER, 7):
                await begun(storage, user=user)
                await append(storage, "second", 1, user=user)
            disk.error = errno.EIO
            with pytest.raises(StorageError):
                await append(storage, "lost", 2)
            disk.error = 0
            failed = {path.stat().st_ino for path in journal(tmp_path)}

            def sync(descriptor: int) -> None:
                synced.append(os.fstat(descriptor).st_ino)
                real(descriptor)

            monkeypatch.setattr(os, "fdatasync", sync)
            await append(storage, "third", 3, user=7)
            await append(storage, "third", 3)
            await storage.flush()
            assert synced
            assert failed.isdisjoint(synced)
            assert failed.isdisjoint(path.stat().st_ino for path in journal(tmp_path))

    @pytest.mark.parametrize("error", [0, errno.EIO])
    async def test_nothing_rests_on_what_a_killed_process_has_not_synced(
        self, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, error: int
    ) -> None:
        """What is read may stand in memory alone; it is synced, or else written once more."""
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            await append(storage, "second", 1)
            left = copied(tmp_path, tmp_path.with_name("left"))
        calls: list[str] = []

        def noting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                target = args[-1] if name == "replace" else f"/proc/self/fd/{args[0]}"
                calls.append(f"{name} {os.path.realpath(target).removeprefix(f'{left}/')}")
                return real(*args)

            return call

        name = str(journal(left)[0].relative_to(left))
        disk.error = error
        for function in ("fdatasync", "replace", "fsync"):
            monkeypatch.setattr(os, function, noting(function, getattr(os, function)))
        async with opened(left) as storage:
            assert await texts_in(storage) == ["first", "second"]
        settled = [f"fdatasync {name}", f"replace {name}", "fsync .journal"]
        wanted = settled if error else settled[:1]
        found = [call for call in calls if call in settled]
        assert found[: len(wanted)] == wanted
        assert calls.index(wanted[-1]) < calls.index("replace user_1001/a.json")

    async def test_files_that_cannot_be_written_now_are_written_later(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            await append(storage, "second", 1)
            with monkeypatch.context() as patch:
                patch.setattr("conversations.folder_state.replace_file", _full)
                with pytest.raises(StorageError, match="No space"):
                    await storage.flush()
                assert await texts_in(storage) == ["first", "second"]
            await storage.flush()
            assert b"second" in file_of(tmp_path)

    async def test_without_room_for_it_a_journal_works(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.pwrite

        def pwrite(descriptor: int, data: Any, at: int) -> int:
            if len(data) > 1_000_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(descriptor, data, at)

        monkeypatch.setattr(os, "pwrite", pwrite)
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            assert await append(storage, "second", 1)
            assert len(journal(tmp_path)) == 1


class TestReading:
    async def test_nothing_is_shown_before_it_is_durable(self, tmp_path: Path, disk: Disk) -> None:
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage, user=7)
            await begun(storage)
            await append(storage, "second", 1)
            disk.reached.clear()
            disk.go_on.clear()
            adding = asyncio.create_task(append(storage, "third", 2))
            await disk.is_reached()
            reading = asyncio.create_task(texts_in(storage))
            listing = asyncio.create_task(storage.read_index(USER))
            await settle()
            assert await texts_in(storage, user=7) == ["first"]  # who waits for nothing is through
            done = [task.done() for task in (adding, reading, listing)]
            disk.go_on.set()
            assert done == [False] * 3
            assert await adding
            assert await reading == ["first", "second", "third"]
            assert (await listing).conversations[0].message_count == 3

    async def test_what_was_undone_meanwhile_is_not_shown(
        self, tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.CRITICAL, "conversations")
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            await append(storage, "second", 1)
            disk.reached.clear()
            disk.go_on.clear()
            adding = asyncio.create_task(append(storage, "third", 2))
            await disk.is_reached()
            reading = asyncio.create_task(texts_in(storage))
            await asyncio.sleep(0)
            disk.error = errno.EIO
            disk.go_on.set()
            with pytest.raises(StorageError):
                await adding
            assert await reading == ["first", "second"]
            disk.error = 0

    async def test_a_cancelled_caller_waits_for_the_record(
        self, tmp_path: Path, disk: Disk
    ) -> None:
        async with opened(tmp_path, journal=True) as storage:
            await begun(storage)
            disk.reached.clear()
            disk.go_on.clear()
            adding = asyncio.create_task(append(storage, "second", 1))
            await disk.is_reached()
            adding.cancel()
            await settle()
            has_waited = not adding.done()
            disk.go_on.set()
            assert has_waited
            with pytest.raises(asyncio.CancelledError):
                await adding
            assert await texts_in(storage) == ["first", "second"]


LINE = b'{"text": "x"}'
RECORDS: list[Added | None] = [
    Added("a", LINE, LATER, None),
    Added("a", LINE * 9, LATER, "a lone \ud800"),
    None,
]


class TestRecords:
    @pytest.mark.parametrize("user", [1, -(10**30)])
    def test_they_are_read_as_they_were_written(self, tmp_path: Path, user: int) -> None:
        path = written(tmp_path, user)
        read = list(read_records(path))
        assert [record.added for record in read] == RECORDS
        assert [record.number for record in read] == [5, 6, 7]
        assert {record.user_id for record in read} == {user}

    def test_a_torn_one_is_not_read_nor_what_is_behind_it(self, tmp_path: Path) -> None:
        path = written(tmp_path, 1)
        data = path.read_bytes()
        ends = [len(b"".join(frames(1)[:count])) for count in range(4)]
        for cut in range(len(data)):
            path.write_bytes(data[:cut] + bytes(50))
            assert len(list(read_records(path))) == sum(end <= cut for end in ends[1:])
            path.write_bytes(data[:cut] + bytes([data[cut] ^ 1]) + data[cut + 1 :])
            assert len(list(read_records(path))) == sum(end <= cut for end in ends[1:])

    def test_older_ones_behind_are_not_read(self, tmp_path: Path) -> None:
        path = written(tmp_path, 1)
        path.write_bytes(framed(9, encode(2, None)) + path.read_bytes())
        assert [record.number for record in read_records(path)] == [9]


def frames(user: int) -> list[bytes]:
    return [framed(5 + place, encode(user, added)) for place, added in enumerate(RECORDS)]


def written(folder: Path, user: int) -> Path:
    path = folder / "records"
    path.write_bytes(b"".join(frames(user)))
    return path


def _full(path: Path, data: bytes) -> os.stat_result:
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


async def test_what_was_recorded_is_kept_where_erasing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async with opened(tmp_path, journal=True) as storage:
        await begun(storage)
        assert await append(storage, "recorded", 2)
        before = await texts_in(storage)
        with monkeypatch.context() as broken:
            for name in ("rename", "replace"):
                broken.setattr(Path, name, refuse)
                broken.setattr(os, name, refuse)
            with pytest.raises(StorageError):
                await storage.erase(USER)
        assert await texts_in(storage) == before
    async with opened(tmp_path, journal=True) as storage:
        assert await texts_in(storage) == before
