"""What the default storage promises: its format, and that nothing acknowledged is ever lost."""

from __future__ import annotations

import asyncio
import errno
import gc
import io
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conversations import (
    Conversation,
    ConversationManager,
    ConversationStorage,
    FolderInUseError,
    JsonStorage,
    StorageClosedError,
    StorageError,
)
from tests.storages import USER, answer, managed, new_chat, opened, question, texts, tree

LATER = "2026-05-02T00:00:00+00:00"
HERE = Path(__file__).resolve().parent.parent


async def texts_in(storage: ConversationStorage, conversation_id: str) -> list[str]:
    conversation = await storage.load(USER, conversation_id)
    assert conversation is not None
    return texts(conversation.messages)


async def append(storage: ConversationStorage, chat: str, text: str, message_id: int = 1) -> bool:
    message = question(text, message_id, tokens=5)
    return await storage.append(USER, chat, message, updated_at=LATER)


# The format


async def test_the_bytes_of_a_chat_and_of_an_index(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a", name="Отель", username="anna"))
        await append(storage, "a", 'Где "отель"?\nИ море?')
        await storage.append(USER, "a", answer("Здесь", 2, tokens=3), updated_at=LATER)
        await storage.create(new_chat("b"))
    folder = tmp_path / "user_1001"
    assert (folder / "a.json").read_text() == (
        '{"metadata": {"conversation_id": "a", "user_id": 1001, "username": "anna",'
        ' "name": "Отель", "created_at": "2026-05-01T10:00:00+00:00",'
        ' "updated_at": "2026-05-02T00:00:00+00:00", "is_active": true, "message_count": 2,'
        ' "total_tokens": 8}, "messages": [\n'
        '{"timestamp": "2026-05-01T12:00:00+00:00", "message_id": 1, "type": "user_question",'
        ' "text": "Где \\"отель\\"?\\nИ море?", "tokens": 5, "sent_as": null, "file_path": null,'
        ' "search_type": null},\n'
        '{"timestamp": "2026-05-01T12:00:01+00:00", "message_id": 2, "type": "bot_answer",'
        ' "text": "Здесь", "tokens": 3, "sent_as": "message", "file_path": null,'
        ' "search_type": null}\n'
        "]}\n"
    )
    assert (folder / "b.json").read_text() == (
        '{"metadata": {"conversation_id": "b", "user_id": 1001, "username": "",'
        ' "name": "New chat", "created_at": "2026-05-01T10:00:00+00:00",'
        ' "updated_at": "2026-05-01T10:00:00+00:00", "is_active": true, "message_count": 0,'
        ' "total_tokens": 0, "name_source": "default"}, "messages": [\n'
        "]}\n"
    )

    def state_of(name: str) -> str:
        status = (folder / name).stat()
        return f"[{status.st_size}, {status.st_mtime_ns}]"

    assert (folder / "index.json").read_text() == (
        '{"user_id": 1001, "username": "anna", "last_active_conversation_id": "b",'
        ' "conversations": [\n'
        '{"conversation_id": "a", "user_id": 1001, "username": "anna", "name": "Отель",'
        ' "created_at": "2026-05-01T10:00:00+00:00", "updated_at": "2026-05-02T00:00:00+00:00",'
        ' "is_active": false, "message_count": 2, "total_tokens": 8,'
        f' "file": {state_of("a.json")}}},\n'
        '{"conversation_id": "b", "user_id": 1001, "username": "", "name": "New chat",'
        ' "created_at": "2026-05-01T10:00:00+00:00", "updated_at": "2026-05-01T10:00:00+00:00",'
        ' "is_active": true, "message_count": 0, "total_tokens": 0, "name_source": "default",'
        f' "file": {state_of("b.json")}}}\n'
        "]}\n"
    )


async def test_the_last_messages_are_read_from_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        conversation = await storage.load(USER, "a")
        assert conversation is not None
        conversation.messages += [question(f"{n} " + "x" * 1000, n) for n in range(5000)]
        assert await storage.save(conversation)
    size = (tmp_path / "user_1001" / "a.json").stat().st_size
    assert size > 5_000_000

    read = 0

    class Counting(io.FileIO):
        def readinto(self, buffer: Any) -> int | None:
            nonlocal read
            count = super().readinto(buffer)
            read += count or 0
            return count

    def counting_open(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        if path.name == "a.json":
            assert mode == "rb"
            return io.BufferedReader(Counting(path))
        return original(path, mode, *args, **options)

    original = Path.open
    monkeypatch.setattr(Path, "open", counting_open)
    async with opened(tmp_path) as storage:
        last = await storage.read_last(USER, "a", 20)
        assert [message.message_id for message in last] == list(range(4980, 5000))
        assert 0 < read < 150_000
        assert len(await storage.read_last(USER, "a", 6000)) == 5000


@pytest.mark.parametrize("umask", [0o000, 0o022])
async def test_files_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        async with opened(tmp_path / "data" / "chats") as storage:
            await storage.create(new_chat("a"))
            await storage.create(new_chat("b"))
            await storage.delete(USER, "a", deleted_at=LATER, successor=new_chat("c"))
            path = tmp_path / "data/chats/user_1001/b.json"
            path.write_bytes(path.read_bytes()[:-5])
            await storage.load(USER, "b")
    finally:
        os.umask(before)
    modes = {
        (stat.S_IMODE(path.stat().st_mode), path.is_dir())
        for path in (tmp_path / "data").rglob("*")
        if ".damaged" not in path.name
    }
    assert modes == {(0o700, True), (0o600, False)}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


# Many callers, cancelled callers


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


class SlowDisk:
    """An fsync that stands still until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_reached = threading.Event()
        self._may_go_on = threading.Event()
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self._wait)

    def _wait(self, descriptor: int) -> None:
        self.is_reached.set()
        assert self._may_go_on.wait(20)
        self._fsync(descriptor)

    async def reached(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.is_reached.wait, 20)

    def go_on(self) -> None:
        self._may_go_on.set()


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


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
        disk = SlowDisk(monkeypatch)
        asyncio.get_running_loop().call_later(0.05, disk.go_on)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await append(storage, "a", "slow")
        assert await texts_in(storage, "a") == ["slow"]


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


async def test_a_storage_that_was_never_used_closes(tmp_path: Path) -> None:
    storage = JsonStorage(tmp_path / "chats")
    await storage.close()
    with pytest.raises(StorageClosedError):
        await storage.open()
    assert list(tmp_path.iterdir()) == []


async def test_nothing_grows_with_the_number_of_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    async with opened(tmp_path, cache_bytes=50_000) as storage:
        for user_id in range(200):
            await storage.create(new_chat("a", user_id=user_id))
            assert storage._folders._cache.bytes <= 50_000
        await asyncio.sleep(0)
        assert len(storage._folders._turns._lines) == 0
        kept = storage._folders._cache._folders
        assert 0 < len(kept) < 30
        assert storage._folders._cache.bytes == sum(each.size for each in kept.values())
        assert (await storage.read_index(0)).last_active_conversation_id == "a"


async def test_without_any_cache(tmp_path: Path) -> None:
    async with opened(tmp_path, cache_bytes=0) as storage:
        await storage.create(new_chat("a"))
        for number in range(3):
            await append(storage, "a", str(number), number)
        assert await texts_in(storage, "a") == ["0", "1", "2"]
        assert storage._folders._cache.bytes == 0


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


# Disks that fail


class Faults:
    """Fails the N-th call of those that change files: once, or from then on."""

    names = ("open", "write", "fsync", "replace", "link")

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


def successor() -> Any:
    return new_chat("successor", minute=50)


Verb = Callable[[ConversationStorage], Awaitable[object]]


async def save(storage: ConversationStorage) -> bool:
    conversation = await storage.load(USER, "a")
    assert conversation is not None
    conversation.metadata.name = "Saved"
    if "saved" not in texts(conversation.messages):
        conversation.messages.append(answer("saved", 9))
    return await storage.save(conversation)


def deleting(chat: str, user_id: int = USER) -> Verb:
    return lambda s: s.delete(user_id, chat, deleted_at=LATER, successor=successor())


def adding(user_id: int = USER, deleted_at: str | None = None) -> Verb:
    metadata = new_chat("new", minute=40, user_id=user_id)
    metadata.deleted_at = deleted_at
    return lambda s: s.add(user_id, [Conversation(metadata, [question("one", 1)])])


VERBS: dict[str, Verb] = {
    "add": adding(),
    "add first": adding(7),
    "add to the trash": adding(deleted_at=LATER),
    "create": lambda s: s.create(new_chat("new", minute=40, username="anna_k")),
    "create first": lambda s: s.create(new_chat("new", user_id=7)),
    "append": lambda s: append(s, "a", "appended", 9),
    "append to the active": lambda s: s.append_to_active(
        new_chat("never"), question("asked", 9), updated_at=LATER, first_name="Asked"
    ),
    "append to the first": lambda s: s.append_to_active(
        new_chat("new", user_id=7), question("asked", 9), updated_at=LATER, first_name="Asked"
    ),
    "append to the trash": lambda s: s.append(
        USER, "deleted", answer("late", 9), updated_at=LATER, include_deleted=True
    ),
    "replace": lambda s: s.replace(USER, "a", question("two", 2, 5), answer("replaced", 9)),
    "save": save,
    "rename": lambda s: s.rename(USER, "a", "Renamed", "user"),
    "pin": lambda s: s.pin(USER, "b", pinned=True),
    "activate": lambda s: s.activate(USER, "b"),
    "delete": deleting("a"),
    "delete another": deleting("b"),
    "delete the last": lambda s: s.delete(
        8, "only", deleted_at=LATER, successor=new_chat("successor", user_id=8)
    ),
    "restore": lambda s: s.restore(USER, "deleted", activate=True),
    "restore aside": lambda s: s.restore(USER, "deleted", activate=False),
    "restore for a stand-in": lambda s: s.restore(9, "gone", activate=True),
    "restore an empty one": lambda s: s.restore(11, "empty", activate=True),
    "purge": lambda s: s.purge(USER),
    "damage told": lambda s: s.take_damage(10),
    "instruct": lambda s: s.set_instructions(USER, "b", "Be brief."),
    "settings": lambda s: s.update_settings(USER, {"language": "ru"}),
    "settings first": lambda s: s.update_settings(7, {"language": "ru"}),
    "erase": lambda s: s.erase(11),
}


async def prepare(root: Path) -> None:
    """Five users with chats, one of them with something in every place."""
    async with opened(root) as storage:
        for number, chat in enumerate(("deleted", "b", "a")):
            await storage.create(new_chat(chat, minute=number, username="anna"))
            await append(storage, chat, "one", 1)
            await append(storage, chat, "two", 2)
        await storage.create(new_chat("empty", minute=30))
        await storage.activate(USER, "a")
        await storage.delete(USER, "deleted", deleted_at=LATER, successor=successor())
        await storage.create(new_chat("only", user_id=8))
        await storage.create(new_chat("gone", user_id=9))
        await storage.append(9, "gone", question("one"), updated_at=LATER)
        stand_in = new_chat("stand-in", user_id=9)
        await storage.delete(9, "gone", deleted_at=LATER, successor=stand_in)
        await storage.create(new_chat("empty", user_id=11, name="Plans"))
        stand_in = new_chat("stand-in", user_id=11)
        await storage.delete(11, "empty", deleted_at=LATER, successor=stand_in)
        await storage.create(new_chat("a", user_id=10))
        (root / "user_10" / "index.json").write_bytes(b"{")
        await storage.read_index(10)
        await storage.create(new_chat("a", user_id=11))
        await storage.append(11, "a", question("canary"), updated_at=LATER)
        await storage.create(new_chat("b", user_id=11))
        await storage.delete(11, "a", deleted_at=LATER, successor=successor())
        await storage.keep_file(11, "answer.md", b"canary")


OTHER_USERS = {
    "add first": 7,
    "create first": 7,
    "append to the first": 7,
    "delete the last": 8,
    "restore for a stand-in": 9,
    "restore an empty one": 11,
    "damage told": 10,
    "settings first": 7,
    "erase": 11,
}


async def state(storage: ConversationStorage, name: str) -> Any:
    """Everything that the user of this verb can see."""
    user_id = OTHER_USERS.get(name, USER)
    index = await storage.read_index(user_id)
    chats = sorted(index.conversations, key=lambda chat: chat.conversation_id)
    contents = [await storage.load(user_id, chat.conversation_id) for chat in chats]
    index.conversations = []
    trash = sorted(await storage.read_trash(user_id), key=lambda chat: chat.conversation_id)
    for deleted in trash:
        # Noted where the disk allows it; the time of the rename stands in for it.
        deleted.deleted_at, deleted.is_active = "noted", False
    return index, chats, contents, trash


async def seen_after_restart(root: Path, name: str) -> Any:
    async with opened(root) as storage:
        seen = await state(storage, name)
    assert list(root.rglob("*.tmp")) == []
    assert list(root.glob(".erased/*")) == []
    return seen


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared") / "chats"
    asyncio.run(prepare(root))
    return root


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


class Snapshots:
    """Copies a folder before every call that changes it: what a kill -9 there would leave."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
        self._target = target
        self._source: Path | None = None
        self.taken: list[Path] = []
        for name in ("open", "write", "fsync", "replace", "link", "unlink", "mkdir"):
            monkeypatch.setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def copying(*args: Any, **options: Any) -> Any:
            source, self._source = self._source, None  # copying is no change
            if source is not None:
                self.taken.append(self._target / str(len(self.taken)))
                shutil.copytree(source, self.taken[-1])
            self._source = source
            return call(*args, **options)

        return copying

    @contextmanager
    def of(self, source: Path) -> Iterator[None]:
        self._source = source
        try:
            yield
        finally:
            self._source = None


@pytest.mark.parametrize("name", VERBS)
async def test_killed_before_any_call_is_the_old_or_the_new_state(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    root = tmp_path / "chats"
    shutil.copytree(prepared, root)
    old = await seen_after_restart(root, name)
    (tmp_path / "killed").mkdir()
    snapshots = Snapshots(monkeypatch, tmp_path / "killed")
    async with opened(root) as storage:
        await state(storage, name)
        with snapshots.of(root):
            await VERBS[name](storage)
        new = await state(storage, name)
    during_verb = list(snapshots.taken)
    assert len(during_verb) >= 2
    for killed in during_verb:
        with snapshots.of(killed):  # and killed again while it recovers from that
            seen = await seen_after_restart(killed, name)
        assert seen in (old, new)
        assert await seen_after_restart(killed, name) == seen
    for killed in snapshots.taken[len(during_verb) :]:
        assert await seen_after_restart(killed, name) in (old, new)


def deleting_as(chat: str, successor: str) -> Verb:
    later = new_chat(successor, minute=58)
    return lambda s: s.delete(USER, chat, deleted_at=LATER, successor=later)


async def asking_first(storage: ConversationStorage) -> object:
    return await storage.append_to_active(new_chat("a"), question("one"), updated_at=LATER)


@pytest.mark.parametrize(
    ("chats", "first", "then"),
    [
        ("", asking_first, deleting_as("a", "b")),
        ("a", deleting_as("a", "b"), deleting_as("b", "c")),
        ("ab", deleting_as("a", "c"), lambda s: s.restore(USER, "a", activate=True)),
    ],
    ids=["the first and its successor", "the last and its successor", "deleted and restored"],
)
async def test_killed_in_two_calls_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chats: str, first: Verb, then: Verb
) -> None:
    """What one recovery found out, the next one must not take for something else."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    (tmp_path / "killed").mkdir()
    snapshots = Snapshots(monkeypatch, tmp_path / "killed")

    async def make(storage: ConversationStorage, verb: Verb, root: Path) -> list[Path]:
        before = len(snapshots.taken)
        with snapshots.of(root):
            await verb(storage)
        return snapshots.taken[before:]

    async with opened(tmp_path / "chats") as storage:
        await storage.open()
        for chat in chats:
            await storage.create(new_chat(chat, name=chat))
        killed_first = await make(storage, first, tmp_path / "chats")
    for killed in killed_first:
        async with opened(killed) as storage:
            old = await state(storage, "")
            killed_then = await make(storage, then, killed)
            new = await state(storage, "")
        for killed_again in killed_then[::3]:
            assert await seen_after_restart(killed_again, "") in (old, new)


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


async def test_reading_settings_reads_no_file_of_a_folder_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        await storage.update_settings(USER, {"language": "ru"})

        def refuse(*args: object, **options: object) -> None:
            raise AssertionError("nothing is read")

        monkeypatch.setattr(Path, "open", refuse)
        monkeypatch.setattr(Path, "read_bytes", refuse)
        monkeypatch.setattr(os, "scandir", refuse)
        assert await storage.read_settings(USER) == {"language": "ru"}


async def test_settings_of_an_edited_index(tmp_path: Path) -> None:
    path = tmp_path / f"user_{USER}" / "index.json"
    path.parent.mkdir(parents=True)
    async with opened(tmp_path) as storage:
        for wrong in ('"ru"', "[1]", "null", "7"):
            path.write_text(f'{{"settings": {wrong}, "mine": 1, "conversations": []}}')
            assert await storage.read_settings(USER) == {}
            await storage.create(new_chat(f"c{len(wrong)}"))
            assert json.loads(path.read_text())["settings"] == json.loads(wrong), (
                "not ours to drop"
            )
        path.write_text('{"settings": {"language": 5, "x": [1]}, "conversations": []}')
        await storage.update_settings(USER, {"formatting": "plain"})
        assert json.loads(path.read_text())["settings"] == {
            "language": 5,
            "x": [1],
            "formatting": "plain",
        }


# One owner


async def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    async with opened(tmp_path / "chats") as first:
        await first.create(new_chat("a"))
        async with opened(tmp_path / "chats") as second:
            for _ in range(2):
                with pytest.raises(FolderInUseError, match="chats is in use") as caught:
                    await second.read_index(USER)
                assert caught.value.folder == tmp_path / "chats"
            await first.close()
            assert (await second.read_index(USER)).last_active_conversation_id == "a"


WRITER = """
import asyncio, sys
from conversations import ConversationManager, JsonStorage
from tests.storages import question

async def main():
    manager = ConversationManager(JsonStorage(sys.argv[1]), raise_errors=True)
    number = int(sys.argv[2])
    while True:
        chat = await manager.create_conversation(1001, "anna", f"chat {number}")
        print("chat", chat, number, flush=True)
        for _ in range(3):
            number += 1
            await manager.add_message(1001, chat, question(f"m{number}", number))
            print("message", chat, number, flush=True)
        if number % 2:
            await manager.delete_conversation(1001, chat)
            print("deleted", chat, number, flush=True)
        number += 1

asyncio.run(main())
"""


@contextmanager
def writing(root: Path, first: int = 0) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WRITER, str(root), str(first)]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> tuple[str, str, str]:
    assert process.stdout is not None
    what, chat, number = process.stdout.readline().split()
    return what, chat, number


async def test_another_process_is_refused_until_the_owner_is_killed(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        next_line(process)
        async with opened(tmp_path) as storage:
            with pytest.raises(FolderInUseError, match="another process"):
                await storage.open()
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            await storage.open()


async def test_killed_at_any_time_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    rng = random.Random(3)
    living: dict[str, list[str]] = {}
    deleted: set[str] = set()
    number = 0
    for _ in range(8):
        with writing(tmp_path, first=number) as process:
            lines = [next_line(process) for _ in range(rng.randrange(1, 14))]
            process.kill()
            assert process.stdout is not None
            rest = process.stdout.read().splitlines(keepends=True)
        lines += [tuple(line.split()) for line in rest if line.endswith("\n")]  # type: ignore[misc]
        for what, chat, said in lines:
            number = int(said) + 10
            if what == "chat":
                living[chat] = []
            elif what == "message":
                living[chat].append(f"m{said}")
            else:
                deleted.add(chat)

        async with managed(tmp_path) as manager:
            for path in tmp_path.rglob("*.json"):
                json.loads(path.read_bytes())
            listed = {c.conversation_id for c in await manager.list_conversations(USER)}
            in_trash = {c.conversation_id for c in await manager.list_deleted(USER)}
            assert deleted <= in_trash
            assert living.keys() <= listed | in_trash
            assert not listed & in_trash
            for chat in living.keys() & listed:
                stored = texts(await manager.get_messages(USER, chat, limit=100))
                assert stored[: len(living[chat])] == living[chat]
                assert len(stored) <= len(living[chat]) + 1  # the one that was in flight
            assert await manager.get_active_conversation_id(USER) in listed
            assert await manager.take_damage_report(USER) == 0
        assert list(tmp_path.rglob("*.tmp")) == []


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
