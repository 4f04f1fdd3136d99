"""The default storage on disks that fail, and what it asks of those that do not."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conversations import ConversationManager, StorageError
from tests.storage_verbs import VERBS, seen_after_restart, state
from tests.storages import (
    USER,
    append,
    managed,
    new_chat,
    opened,
    question,
    texts,
    texts_in,
    tree,
)


class Faults:
    """Fails the N-th call of those that change files: once, or from then on."""

    names = ("open", "write", "ftruncate", "fsync", "replace", "link")

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        self._sticky = False
        self._number = errno.EIO
        self.fired = 0
        for name in self.names:
            monkeypatch.setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            if self._left is not None:
                self._left -= 1
                if self._left == 0 or (self._sticky and self._left < 0):
                    self.fired += 1
                    raise OSError(self._number, os.strerror(self._number))
            return call(*args, **options)

        return counted

    @contextmanager
    def at(self, call: int, *, sticky: bool, number: int) -> Iterator[None]:
        self._left, self._sticky, self._number, self.fired = call, sticky, number, 0
        try:
            yield
        finally:
            self._left = None


@pytest.mark.parametrize("sticky", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("name", VERBS)
async def test_a_failing_disk_leaves_the_old_or_the_new_state(
    tmp_path: Path,
    prepared: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    sticky: bool,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # counted below all the same
    faults = Faults(monkeypatch)
    verb = VERBS[name]
    old = await seen_after_restart(prepared, name)
    shutil.copytree(prepared, tmp_path / "done")
    async with opened(tmp_path / "done") as storage:
        result = await verb(storage)
        new = await state(storage, name)
    assert new != old
    assert await seen_after_restart(tmp_path / "done", name) == new

    for call in range(1, 100):
        root = tmp_path / "chats"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(prepared, root)
        async with opened(root) as storage:
            await state(storage, name)
            number = errno.ENOSPC if call % 2 else errno.EIO
            with faults.at(call, sticky=sticky, number=number):
                try:
                    outcome = await verb(storage)
                except StorageError:
                    outcome = None
            seen = await state(storage, name)
            assert seen in (old, new)
            if outcome is not None:
                assert (outcome, seen) == (result, new)
        assert await seen_after_restart(root, name) == seen
        if not faults.fired:
            assert call > 1
            return
        # Called again it happens, and happens once.
        async with opened(root) as storage:
            await verb(storage)
            assert await state(storage, name) == new
        assert await seen_after_restart(root, name) == new
    raise AssertionError("it never ran without a fault")


async def test_the_manager_tells_or_gives_false(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(monkeypatch)
    async with opened(tmp_path) as storage:
        quiet = ConversationManager(storage)
        loud = ConversationManager(storage, raise_errors=True)
        chat = await quiet.create_conversation(USER, "anna", "one")
        with faults.at(1, sticky=True, number=errno.ENOSPC):
            assert await quiet.add_message(USER, chat, question("x")) is False
            with pytest.raises(StorageError, match="No space left on device"):
                await loud.add_message(USER, chat, question("x"))
            assert await quiet.get_messages(USER, chat) == []
        assert await quiet.add_message(USER, chat, question("x")) is True


async def test_a_full_disk_still_lists_reads_and_deletes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with managed(tmp_path) as manager:
        kept = await manager.create_conversation(USER, "anna", "kept")
        chat = await manager.create_conversation(USER, "anna", "goes")
        other = await manager.create_conversation(USER, "anna", "goes first")
        await manager.add_message(USER, chat, question("x"))
        await manager.delete_conversation(USER, other)

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        assert texts(await manager.get_messages(USER, chat)) == ["x"]
        assert await manager.delete_conversation(USER, chat) is True
        assert await manager.get_active_conversation_id(USER) == kept
        assert {c.name for c in await manager.list_deleted(USER)} == {"goes", "goes first"}
        assert await manager.empty_trash(USER) == 2
        monkeypatch.undo()
    async with managed(tmp_path) as manager:
        assert [c.name for c in await manager.list_conversations(USER)] == ["kept"]
        assert await manager.list_deleted(USER) == []


async def test_a_disk_that_takes_a_few_bytes_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        await append(storage, "a", "long " * 1000)
    async with opened(tmp_path) as storage:
        assert await texts_in(storage, "a") == ["long " * 1000]
        assert await storage.take_damage(USER) == 0


async def test_what_could_not_be_removed_goes_when_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rmtree = shutil.rmtree

    def fail(path: Any) -> None:
        raise OSError(errno.EIO, "broken")

    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        monkeypatch.setattr(shutil, "rmtree", fail)
        with pytest.raises(StorageError, match="broken"):
            await storage.erase(USER)
        assert (await storage.read_index(USER)).conversations == []
        await storage.create(new_chat("b"))
        with pytest.raises(StorageError, match="broken"):
            await storage.erase(USER)
        assert len(list((tmp_path / ".erased").iterdir())) == 2
        monkeypatch.setattr(shutil, "rmtree", rmtree)
        await storage.erase(USER)
        assert list((tmp_path / ".erased").iterdir()) == []


async def test_a_root_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for root in (tmp_path / "file", tmp_path / "file" / "chats"):
        async with opened(root) as storage:
            with pytest.raises(StorageError, match="file"):
                await storage.open()
    assert tree(tmp_path) == {"file": b"mine"}


async def test_a_root_where_nothing_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Any, mode: int = 0o777) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    async with opened(tmp_path / "chats") as storage:
        with pytest.raises(StorageError, match="Permission denied"):
            await storage.create(new_chat("a"))
        monkeypatch.undo()
        await storage.create(new_chat("a"))
