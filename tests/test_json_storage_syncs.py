"""What of the default storage is synced when a verb returns, and in which order."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from conversations import StorageError
from tests.storage_verbs import VERBS, adding, successor
from tests.storages import LATER, USER, append, new_chat, opened, texts_in


async def test_what_is_acknowledged_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file before its rename, each folder after it."""
    unsynced: set[str] = set()
    new_chats: set[str] = set()
    fsync, replace = os.fsync, os.replace

    def noting_fsync(descriptor: int) -> None:
        fsync(descriptor)
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        unsynced.difference_update({f"file {path}", f"folder {path}"})
        new_chats.discard(f"folder {path}")

    def noting_replace(source: Any, target: Any) -> None:
        if str(source).endswith(".tmp"):
            assert f"file {source}" not in unsynced
        if Path(target).name == "index.json":
            assert new_chats.isdisjoint(unsynced)  # what it will list has a lasting name
        elif not Path(target).exists():
            new_chats.add(f"folder {Path(target).parent}")
        replace(source, target)
        unsynced.update({f"folder {Path(source).parent}", f"folder {Path(target).parent}"})

    def noting_open(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & os.O_CREAT:
            unsynced.add(f"file {path}")
        return opening(path, flags, *args, **options)

    def noting_mkdir(path: Any, *args: Any, **options: Any) -> None:
        mkdir(path, *args, **options)
        unsynced.add(f"folder {Path(path).parent}")

    def noting_unlink(path: Any, *args: Any, **options: Any) -> None:
        unlink(path, *args, **options)
        unsynced.add(f"folder {Path(path).parent}")

    async with opened(tmp_path) as storage:
        await storage.open()
        opening, mkdir, unlink = os.open, os.mkdir, os.unlink
        monkeypatch.setattr(os, "unlink", noting_unlink)
        monkeypatch.setattr(os, "fsync", noting_fsync)
        monkeypatch.setattr(os, "replace", noting_replace)
        monkeypatch.setattr(os, "open", noting_open)
        monkeypatch.setattr(os, "mkdir", noting_mkdir)
        await storage.create(new_chat("new", user_id=8))
        assert unsynced == set()
        for chat in ("deleted", "b", "a"):
            await storage.create(new_chat(chat))
            await append(storage, chat, "one", 1)
            await append(storage, chat, "two", 2)
            assert unsynced == set()
        await storage.delete(USER, "deleted", deleted_at=LATER, successor=successor())
        assert unsynced == set()
        for user_id, deleted_at in ((USER, None), (11, None), (12, LATER)):
            await adding(user_id, deleted_at)(storage)
            assert unsynced == set()
        for name in (
            "append", "append to the trash", "replace", "rename", "pin", "activate", "instruct",
        ):  # fmt: skip
            assert await VERBS[name](storage)
            assert unsynced == set()
        for name in ("settings", "settings first"):
            await VERBS[name](storage)
            assert unsynced == set()
        for name in ("restore", "delete", "delete another", "purge"):
            assert await VERBS[name](storage)
            assert unsynced == set()


async def test_a_failed_fsync_is_not_tried_again_on_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    broken = True

    def fsync(descriptor: int) -> None:
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        assert name not in synced or Path(name).is_dir()
        synced.append(name)
        if broken:
            raise OSError(errno.EIO, "Input/output error")

    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        monkeypatch.setattr(os, "fsync", fsync)
        for _ in range(3):
            with pytest.raises(StorageError):
                await append(storage, "a", "one")
        broken = False
        assert await append(storage, "a", "one") is True
        assert await texts_in(storage, "a") == ["one"]


async def test_an_erased_folder_has_lost_its_name_for_good_before_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync, rmtree = os.fsync, shutil.rmtree

    def noting_fsync(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def noting_rmtree(path: Any) -> None:
        assert not (tmp_path / f"user_{USER}").exists()
        assert {".erased", tmp_path.name} <= set(synced)
        rmtree(path)
        synced.clear()

    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        monkeypatch.setattr(os, "fsync", noting_fsync)
        monkeypatch.setattr(shutil, "rmtree", noting_rmtree)
        await storage.erase(USER)
    assert synced == [".erased"]
