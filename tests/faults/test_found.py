"""What the harness found in the store once, each in a few lines of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.storages import USER, new_chat, opened, question

LATER = "2026-05-02T00:00:00+00:00"


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
