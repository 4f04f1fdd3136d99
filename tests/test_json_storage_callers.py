"""Many callers of the default storage, and cancelled ones: whose turn it is, what is written."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from conversations import JsonStorage, StorageClosedError, StorageError
from tests.storages import (
    USER,
    append,
    managed,
    new_chat,
    opened,
    question,
    settle,
    texts,
    texts_in,
)
from tests.waiting import PATIENCE


class SlowDisk:
    """An fsync that stands still until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_reached = threading.Event()
        self._may_go_on = threading.Event()
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self._wait)

    def _wait(self, descriptor: int) -> None:
        self.is_reached.set()
        assert self._may_go_on.wait(PATIENCE)
        self._fsync(descriptor)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.is_reached.wait, PATIENCE)

    def go_on(self) -> None:
        self._may_go_on.set()


async def test_forty_messages_and_twenty_chats_at_once(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        chat = await manager.create_conversation(USER, "anna", "start")
        done = await asyncio.gather(
            *(manager.add_message(USER, chat, question(f"m{n}", n, tokens=n)) for n in range(40)),
            *(manager.create_conversation(USER, "anna", f"chat {n}") for n in range(20)),
        )
        assert done[:40] == [True] * 40
    async with managed(tmp_path) as manager:
        chats = {c.conversation_id: c for c in await manager.list_conversations(USER)}
        assert chats.keys() == {chat, *done[40:]}
        assert (chats[chat].message_count, chats[chat].total_tokens) == (40, 780)
        stored = await manager.get_messages(USER, chat, limit=100)
        assert texts(stored) == [f"m{n}" for n in range(40)]
        assert await manager.get_active_conversation_id(USER) == done[-1]


async def test_other_users_do_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        await storage.create(new_chat("b", user_id=2))
        disk = SlowDisk(monkeypatch)
        slow = asyncio.create_task(append(storage, "a", "slow"))
        await disk.reached()
        index = await storage.read_index(2)
        assert index.last_active_conversation_id == "b"
        assert not slow.done()
        disk.go_on()
        assert await slow is True


async def test_who_comes_first_goes_first_also_while_the_folder_is_opened(tmp_path: Path) -> None:
    storage = JsonStorage(tmp_path)
    written = [
        asyncio.create_task(storage.create(new_chat(f"c{user}", user_id=user), unless_active=None))
        for user in range(1, 21)
    ]
    await asyncio.sleep(0)
    read = [asyncio.create_task(storage.read_index(user)) for user in range(1, 21)]
    await asyncio.gather(*written)
    indexes = await asyncio.gather(*read)
    assert [len(index.conversations) for index in indexes] == [1] * 20
    await storage.close()


async def test_a_cancelled_writer_is_not_overtaken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        disk = SlowDisk(monkeypatch)
        older = asyncio.create_task(append(storage, "a", "older", 1))
        await disk.reached()
        waiting = asyncio.create_task(append(storage, "a", "never", 2))
        newer = asyncio.create_task(append(storage, "a", "newer", 3))
        await settle()

        for _ in range(3):
            older.cancel()
            await settle()
        waiting.cancel()
        await settle()
        assert waiting.cancelled()  # it had not begun, and never will
        assert not older.done()  # its thread is writing
        assert not newer.done()

        disk.go_on()
        assert await newer is True
        with pytest.raises(asyncio.CancelledError):
            await older
        assert await texts_in(storage, "a") == ["older", "newer"]
    async with opened(tmp_path) as storage:
        assert await texts_in(storage, "a") == ["older", "newer"]


async def test_a_timeout_ends_after_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        disk, limit = SlowDisk(monkeypatch), asyncio.timeout(None)

        async def run_out() -> None:
            await disk.reached()
            limit.reschedule(asyncio.get_running_loop().time())
            await settle()
            disk.go_on()

        running_out = asyncio.create_task(run_out())
        with pytest.raises(TimeoutError):
            async with limit:
                await append(storage, "a", "slow")
        await running_out
        assert await texts_in(storage, "a") == ["slow"]


async def test_cancelled_at_any_await_is_old_or_new(tmp_path: Path) -> None:
    """Cancel a writer after one, two, … turns of the loop; the next one always gets its turn."""
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        rng = random.Random(7)
        kept = []
        for number in range(40):
            task = asyncio.create_task(append(storage, "a", f"cancelled {number}", 2 * number))
            for _ in range(rng.randrange(12)):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await append(storage, "a", f"kept {number}", 2 * number + 1)
            kept.append(f"kept {number}")
        stored = await texts_in(storage, "a")
    assert [text for text in stored if text.startswith("kept")] == kept
    assert len(set(stored)) == len(stored)
    places = [int(text.split()[1]) for text in stored]
    assert places == sorted(places)


async def test_cancelled_while_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path / "chats") as storage:
        disk = SlowDisk(monkeypatch)
        opening = asyncio.create_task(storage.open())
        await disk.reached()
        opening.cancel()
        disk.go_on()
        with pytest.raises(asyncio.CancelledError) as caught:
            await opening
        # The folder is ours already, however long the cancelled call is remembered.
        await storage.create(new_chat("a"))
        assert caught is not None


def test_a_loop_that_ends_lets_the_write_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leave_in_the_middle() -> None:
        storage = JsonStorage(tmp_path)
        await storage.create(new_chat("a"))
        disk = SlowDisk(monkeypatch)
        task = asyncio.create_task(append(storage, "a", "in flight"))
        await disk.reached()
        task.add_done_callback(lambda task: ended.append(task.cancelled()))
        waiters.append(asyncio.create_task(go_on_when_cancelled(disk)))
        await asyncio.sleep(0)

    async def go_on_when_cancelled(disk: SlowDisk) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            disk.go_on()

    ended: list[bool] = []
    waiters: list[asyncio.Task[None]] = []
    asyncio.run(leave_in_the_middle())
    assert ended == [True]
    chat = json.loads((tmp_path / "user_1001" / "a.json").read_bytes())
    assert [message["text"] for message in chat["messages"]] == ["in flight"]


async def test_closing_waits_for_writes_and_refuses_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = JsonStorage(tmp_path)
    await storage.create(new_chat("a"))
    disk = SlowDisk(monkeypatch)
    running = asyncio.create_task(append(storage, "a", "running", 1))
    await disk.reached()
    queued = asyncio.create_task(append(storage, "a", "queued", 2))
    closing = asyncio.create_task(storage.close())
    await settle()
    assert not closing.done()
    disk.go_on()
    await closing
    assert await running is True
    with pytest.raises(StorageClosedError, match="closed"):
        await queued
    with pytest.raises(StorageClosedError):
        await storage.load(USER, "a")
    async with opened(tmp_path) as storage:
        assert await texts_in(storage, "a") == ["running"]


async def test_a_failure_leaves_nothing_for_asyncio_to_complain_of(tmp_path: Path) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    (tmp_path / "file").write_text("")
    async with opened(tmp_path / "file") as storage:
        with pytest.raises(StorageError):
            await storage.open()
    gc.collect()
    await settle()
    assert complaints == []
