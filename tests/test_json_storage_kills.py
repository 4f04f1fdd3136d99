"""The default storage killed: before each call that writes, and as a process, at any time."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conversations import ConversationStorage, FolderInUseError
from tests.storage_verbs import VERBS, Verb, seen_after_restart, state
from tests.storages import LATER, USER, managed, new_chat, opened, question, texts


class Snapshots:
    """Copies a folder before every call that changes it: what a kill -9 there would leave."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
        self._target = target
        self._source: Path | None = None
        self.taken: list[Path] = []
        for name in ("open", "write", "ftruncate", "fsync", "replace", "link", "unlink", "mkdir"):
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


HERE = Path(__file__).resolve().parent.parent


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


async def test_another_process_is_refused_until_the_owner_is_killed(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        next_line(process)
        async with opened(tmp_path) as storage:
            with pytest.raises(FolderInUseError, match="another process"):
                await storage.open()
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            await storage.open()
