"""What the harness found in the store once, each in a few lines of its own."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conversations import StorageError
from tests.faults.killed import KilledAt
from tests.storages import USER, answer, new_chat, opened, question

LATER = "2026-05-02T00:00:00+00:00"


@contextmanager
def nothing_is_removed() -> Iterator[None]:
    """A disk that is read-only, as far as removing goes."""

    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        yield


async def test_what_a_crash_leaves_of_a_kept_file_is_swept(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await storage.keep_file(USER, "answer.md", b"whole")
    files = tmp_path / "user_1001" / "files"
    (files / ".answer.md.0123456789ab.tmp").write_bytes(b"ha")
    async with opened(tmp_path) as storage:
        await storage.read_index(USER)
    assert [path.name for path in files.iterdir()] == ["answer.md"]


async def test_a_stand_in_is_gone_for_good_before_the_index_forgets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut brings an empty chat back that no index knows, and it is adopted."""
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        await storage.append(USER, "a", question("one"), updated_at=LATER)
        await storage.delete(USER, "a", deleted_at=LATER, successor=new_chat("stand-in"))
        calls = []
        unlink, fsync, replace = os.unlink, os.fsync, os.replace

        def noting_unlink(path: Path) -> None:
            calls.append(f"unlink {path.name}")
            unlink(path)

        def noting_fsync(descriptor: int) -> None:
            calls.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
            fsync(descriptor)

        def noting_replace(source: Path, target: Path) -> None:
            calls.append(f"replace {target.name}")
            replace(source, target)

        monkeypatch.setattr(os, "unlink", noting_unlink)
        monkeypatch.setattr(os, "fsync", noting_fsync)
        monkeypatch.setattr(os, "replace", noting_replace)
        assert await storage.restore(USER, "a", activate=True)
    removed = calls.index("unlink stand-in.json")
    assert "fsync user_1001" in calls[removed : calls.index("replace index.json")]


async def test_nothing_is_acknowledged_that_rests_on_unsynced_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed process did last is seen by the next one, and may not be durable yet."""
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        await storage.create(new_chat("b"))
        await storage.delete(USER, "b", deleted_at=LATER, successor=new_chat("never"))
    synced = []
    fsync = os.fsync

    def noting_fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    async with opened(tmp_path) as storage:
        synced.clear()
        await storage.read_index(USER)
        assert synced == []
        assert await storage.create(new_chat("c"), unless_active="empty") == "a"
        assert set(synced) == {"user_1001", "trash"}
        synced.clear()
        assert not await storage.delete(USER, "b", deleted_at=LATER, successor=new_chat("c"))
        assert synced == []  # once is enough


async def test_a_stand_in_that_cannot_be_removed_is_no_success(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        await storage.append(USER, "a", question("one"), updated_at=LATER)
        await storage.delete(USER, "a", deleted_at=LATER, successor=new_chat("stand-in"))
        with nothing_is_removed(), pytest.raises(StorageError, match="Read-only"):
            await storage.restore(USER, "a", activate=True)
    async with opened(tmp_path) as storage:
        index = await storage.read_index(USER)
        assert [chat.conversation_id for chat in index.conversations] == ["a"]
        assert index.last_active_conversation_id == "a"


async def test_what_cannot_be_tidied_now_is_tidied_when_the_disk_is_whole_again(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        await storage.delete(USER, "a", deleted_at=LATER, successor=new_chat("b"))
        await storage.keep_file(USER, "answer.md", b"whole")
        folder = tmp_path / "user_1001"
        left = [folder / name / ".x.tmp" for name in ("", "trash", "files")]
        for path in left:
            path.write_text("left by a crash")
        for path in left:
            with nothing_is_removed():
                await storage.read_index(USER)
            assert path.exists()
        await storage.read_index(USER)
        assert not any(path.exists() for path in left)


async def test_a_creation_that_cannot_be_undone_now_can_be_done_again(tmp_path: Path) -> None:
    """Once it could not, because the chat was forgotten and its file was still there."""
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        index = (tmp_path / "user_1001" / "index.json").read_bytes()
        await storage.create(new_chat("b"))
    async with opened(tmp_path) as storage:
        (tmp_path / "user_1001" / "index.json").write_bytes(index)
        (tmp_path / "user_1001" / "b.json").touch()  # newer than an index that lacks it
        with nothing_is_removed():
            assert len((await storage.read_index(USER)).conversations) == 1
        assert await storage.create(new_chat("b")) == "b"
        assert len((await storage.read_index(USER)).conversations) == 2


async def test_an_index_that_lists_what_is_gone_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a chat that comes back under that id, half of the way, is not seen to be new.

    What is seen may not be durable yet, so that it is synced before the index follows it.
    """
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        await storage.create(new_chat("b"))
        await storage.append(USER, "a", answer("one"), updated_at=LATER)
    (tmp_path / "user_1001" / "b.json").unlink()
    synced: list[str] = []
    fsync = os.fsync

    def noting_fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    async with opened(tmp_path) as storage:
        await storage.read_index(USER)
    index = json.loads((tmp_path / "user_1001" / "index.json").read_bytes())
    assert [chat["conversation_id"] for chat in index["conversations"]] == ["a"]
    assert synced[-3] == synced[-1] == "user_1001"
    assert synced[-2].startswith(".index.json")


async def test_a_trash_that_may_not_be_read_is_not_shown_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Any:
        if Path(path).name == "trash":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    scandir = os.scandir
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        await storage.delete(USER, "a", deleted_at=LATER, successor=new_chat("b"))
        monkeypatch.setattr(os, "scandir", refuse)
        for asked in (storage.read_trash, storage.purge):
            with pytest.raises(StorageError, match="Permission denied"):
                await asked(USER)
        monkeypatch.undo()
        assert await storage.purge(USER) == 1


async def test_a_folder_of_ours_whose_name_cannot_be_synced_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied")
        fsync(descriptor)

    fsync = os.fsync
    async with opened(tmp_path) as storage:
        await storage.open()
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(StorageError, match="Permission denied"):
            await storage.create(new_chat("a"))
        monkeypatch.undo()
        assert await storage.create(new_chat("a")) == "a"


async def test_a_restored_chat_of_long_metadata_is_activated_however_far_it_came(
    tmp_path: Path,
) -> None:
    """Once it was not: of a first line that was longer than expected no word was believed."""
    before, moved = tmp_path / "before", 0
    async with opened(before) as storage:
        chat = new_chat("a", name="Long")
        chat.extra = {"note": "n" * 100_000}
        await storage.create(chat)
        await storage.create(new_chat("b", name="Other"))
        await storage.delete(USER, "a", deleted_at=LATER, successor=new_chat("c"))
    for change in range(1, 20):
        root = shutil.copytree(before, tmp_path / f"root-{change}")
        async with opened(root) as storage:
            await storage.read_index(USER)
            with KilledAt(change, root, tmp_path / f"killed-{change}") as killed:
                assert await storage.restore(USER, "a", activate=True)
        async with opened(killed.target) as storage:
            index = await storage.read_index(USER)
            is_back = len(index.conversations) == 2
            moved += is_back and killed.in_time
            assert index.last_active_conversation_id == ("a" if is_back else "b"), change
    assert moved > 3


async def test_a_chat_that_cannot_be_read_now_is_not_taken_for_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that follows its chats may know a chat as empty that is not so any more."""
    path = tmp_path / "user_1001" / "a.json"
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        index = path.with_name("index.json").read_bytes()
        await storage.append(USER, "a", question("one"), updated_at=LATER)
    path.with_name("index.json").write_bytes(index)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", _refusing(path))
        async with opened(tmp_path) as storage:
            assert await storage.create(new_chat("b"), unless_active="empty") == "b"
            patch.undo()
            chats = (await storage.read_index(USER)).conversations
            assert {chat.conversation_id: chat.message_count for chat in chats} == {"a": 1, "b": 0}


def _refusing(refused: Path) -> Callable[..., Any]:
    real = Path.open

    def open_(path: Path, *args: Any, **options: Any) -> Any:
        if path == refused:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **options)

    return open_
