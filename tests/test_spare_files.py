"""The file that is kept to be written next: that it is used, and that nobody notices it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conversations import ConversationManager, JsonStorage, StorageError
from conversations.inspection import check
from tests.storages import USER, answer, append, managed, new_chat, opened, question, texts_in
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there are no leases")

CANARY = "canary-2718"


def spares(folder: Path) -> list[Path]:
    return sorted((folder / f"user_{USER}").glob(".*.spare.tmp"))


def path_of(folder: Path, chat: str = "a") -> Path:
    return folder / f"user_{USER}" / f"{chat}.json"


async def fill(storage: JsonStorage, *texts: str, chat: str = "a") -> None:
    await storage.create(new_chat(chat, name=chat))
    for number, text in enumerate(texts):
        await append(storage, chat, text, number)


async def test_two_files_take_turns(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await fill(storage, "one")
        nodes = []
        for text in ("two", "three", "four", "five"):
            [spare] = spares(tmp_path)
            before = spare.stat().st_ino
            await append(storage, "a", text)
            assert path_of(tmp_path).stat().st_ino == before
            nodes.append(before)
        assert len(set(nodes)) == 2
    assert spares(tmp_path) == []


async def test_a_shorter_chat_takes_the_place_of_a_longer_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await fill(storage, chat="b")
        await fill(storage, "long " * 5000, "and more")
        assert spares(tmp_path)[0].stat().st_size > 20_000
        await append(storage, "b", "short")
        assert path_of(tmp_path, "b").stat().st_size < 1000
        json.loads(path_of(tmp_path, "b").read_bytes())
    async with opened(tmp_path) as storage:
        assert await texts_in(storage, "b") == ["short"]


async def test_who_reads_a_chat_meanwhile_sees_it_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await fill(storage, "one", "two")
        before = path_of(tmp_path).read_bytes()
        with path_of(tmp_path).open("rb", buffering=0) as reader:
            first = reader.read(10)
            for text in ("three", "four", "five"):
                await append(storage, "a", text)
            assert first + reader.read() == before
        assert await texts_in(storage, "a") == ["one", "two", "three", "four", "five"]


async def test_another_name_of_a_file_keeps_what_it_held(tmp_path: Path) -> None:
    """Such as one in a backup that links what has not changed."""
    async with opened(tmp_path) as storage:
        await fill(storage, "one", "two")
        before = path_of(tmp_path).read_bytes()
        backup = tmp_path / "backup.json"
        backup.hardlink_to(path_of(tmp_path))
        for text in ("three", "four", "five"):
            await append(storage, "a", text)
        assert backup.read_bytes() == before


async def test_a_spare_that_was_linked_is_not_written_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await fill(storage, "one", "two")
        backup = tmp_path / "backup.json"
        backup.hardlink_to(spares(tmp_path)[0])
        before = backup.read_bytes()
        await append(storage, "a", "three")
        assert backup.read_bytes() == before


async def test_a_spare_somebody_else_has_removed_or_replaced(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await fill(storage, "one", "two")
        spares(tmp_path)[0].unlink()
        await append(storage, "a", "three")
        [spare] = spares(tmp_path)
        outside = tmp_path / "outside.txt"
        outside.write_text("not ours")
        spare.unlink()
        spare.symlink_to(outside)
        await append(storage, "a", "four")
        assert outside.read_text() == "not ours"
        assert not path_of(tmp_path).is_symlink()
        assert await texts_in(storage, "a") == ["one", "two", "three", "four"]


@pytest.mark.parametrize("function", [(fcntl, "fcntl"), (os, "link")], ids=["leases", "links"])
async def test_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: tuple[Any, str]
) -> None:
    """There are file systems that have no such thing."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr(*function, refuse)
    async with opened(tmp_path) as storage:
        await fill(storage, "one", "two", "three")
        assert await texts_in(storage, "a") == ["one", "two", "three"]
    left = {path.name for path in path_of(tmp_path).parent.iterdir()}
    assert left == {"a.json", "index.json"}


async def test_one_of_two_chats_written_at_once_leaves_a_spare(tmp_path: Path) -> None:
    async with opened(tmp_path, journal=True) as storage:
        await fill(storage, "one", "two")
        await fill(storage, "one", "two", chat="b")
        await storage.flush()
        for chat in "abab":
            await append(storage, chat, "more")
        await storage.flush()
        assert len(spares(tmp_path)) == 1
        assert await texts_in(storage, "a") == ["one", "two", "more"]
        assert await texts_in(storage, "b") == ["one", "two", "more"]


async def test_a_write_that_fails_leaves_the_chat_and_no_spare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fail(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            real(descriptor)
            return
        raise OSError(errno.EIO, "broken")

    async with opened(tmp_path) as storage:
        await fill(storage, "one", "two")
        before = path_of(tmp_path).read_bytes()
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", fail)
            with pytest.raises(StorageError, match="broken"):
                await append(storage, "a", "three")
        assert path_of(tmp_path).read_bytes() == before
        await append(storage, "a", "four")
        assert await texts_in(storage, "a") == ["one", "two", "four"]


async def test_it_goes_when_its_user_is_idle(tmp_path: Path) -> None:
    async with opened(tmp_path, idle_seconds=0.01) as storage:
        await fill(storage, "one", "two")
        await until(lambda: not spares(tmp_path))


async def test_it_goes_when_there_is_no_room_for_it_in_memory(tmp_path: Path) -> None:
    async with opened(tmp_path, cache_bytes=0) as storage:
        await fill(storage, "one", "two")
        assert spares(tmp_path) == []


async def test_what_a_kill_has_left_goes_when_the_user_is_served(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await fill(storage, "one", "two")
        left = spares(tmp_path)[0].read_bytes()
    path_of(tmp_path).with_name(".a.json.0123456789ab.spare.tmp").write_bytes(left)
    async with opened(tmp_path) as storage:
        await storage.read_index(USER)
        assert spares(tmp_path) == []


async def test_one_that_cannot_be_swept_now_is_swept_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, refused = os.scandir, list[Path]()

    def refuse_once(path: Any) -> Any:
        if Path(path) == left.parent and not refused:
            refused.append(left)
            raise PermissionError(errno.EACCES, "not now")
        return look(path)

    async with opened(tmp_path) as storage:
        await fill(storage, "one", "two")
    left = path_of(tmp_path).with_name(".a.json.0123456789ab.spare.tmp")
    left.write_bytes(path_of(tmp_path).read_bytes())
    async with opened(tmp_path) as storage:
        monkeypatch.setattr(os, "scandir", refuse_once)
        assert await append(storage, "a", "three")
        assert refused
        assert await append(storage, "a", "four")
        assert len(spares(tmp_path)) == 1
        assert not left.exists()


async def test_a_check_beside_a_running_bot_does_not_mind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    async with opened(tmp_path) as storage:
        await fill(storage, "one", "two")
        await storage.flush()
        [spare] = spares(tmp_path)
        os.utime(spare, (0, 0))  # it may have been written long ago
        assert check(tmp_path, trash_since=now) == []
        monkeypatch.setattr("time.time", lambda: now.timestamp() + 3600)
        [finding] = check(tmp_path, trash_since=now)
        assert (finding.kind, finding.path) == ("temporary", str(spare.relative_to(tmp_path)))


async def _edit(manager: ConversationManager, chat: str) -> None:
    assert await manager.replace_message(USER, chat, question(CANARY, 3), question("edited", 3))


async def _take_back(manager: ConversationManager, chat: str) -> None:
    assert await manager.remove_last_exchange(USER, chat)


async def _delete_for_good(manager: ConversationManager, chat: str) -> None:
    assert await manager.delete_conversation(USER, chat)
    assert await manager.empty_trash(USER) == 1


async def _erase(manager: ConversationManager, _: str) -> None:
    await manager.erase_user(USER)


@pytest.mark.parametrize("remove", [_edit, _take_back, _delete_for_good, _erase])
async def test_what_is_taken_out_of_a_chat_is_nowhere(
    tmp_path: Path, remove: Callable[[ConversationManager, str], Awaitable[None]]
) -> None:
    async with managed(tmp_path) as manager:
        chat = await manager.create_conversation(USER, "anna", "Hotels")
        await manager.add_message(USER, chat, question("one", 1))
        await manager.add_message(USER, chat, question(CANARY, 3))
        await manager.add_message(USER, chat, answer("so it is", 4))
        assert holding(tmp_path) == [*spares(tmp_path), path_of(tmp_path, chat)]
        assert spares(tmp_path)
        await remove(manager, chat)
        await manager.add_message(USER, chat, answer("more", 5))
        assert holding(tmp_path) == []


async def test_an_answer_that_was_sent_leaves_a_spare(tmp_path: Path) -> None:
    """For its text is the same; so each question writes over the file of the one before."""
    async with managed(tmp_path) as manager:
        chat = await manager.create_conversation(USER, "anna", "Hotels")
        await manager.add_message(USER, chat, question("one", 1))
        stored = answer("so it is", 0)
        await manager.add_message(USER, chat, stored)
        assert await manager.replace_message(USER, chat, stored, answer("so it is", 4))
        assert len(spares(tmp_path)) == 1


def holding(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if CANARY.encode() in path.read_bytes()]
