"""What the default storage promises: its format, its memory, its one owner."""

from __future__ import annotations

import asyncio
import io
import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conversations import FolderInUseError, JsonStorage, StorageClosedError
from tests.storages import LATER, USER, answer, append, new_chat, opened, question, texts_in
from tests.waiting import PATIENCE, until


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


async def test_all_that_is_known_of_a_chat_is_known_after_a_restart(tmp_path: Path) -> None:
    everything = replace(
        answer("one", 1, tokens=2),
        sent_as="file",
        file_path="a-1.md",
        search_type="deep",
        reply_to=3,
        state="partial",
        tokens_estimated=True,
        model="m",
        pieces=(4, 5),
        dialog_id=-6,
        quote="q",
        extra={"of": ["a host"]},
    )
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a", username="anna"))
        await storage.append(USER, "a", everything, updated_at=LATER)
        await storage.rename(USER, "a", "By hand", "user")
        await storage.set_mode(USER, "a", "deep")
        await storage.set_instructions(USER, "a", "Rhyme.")
        await storage.pin(USER, "a", pinned=True)
        before = await storage.read_index(USER)
    async with opened(tmp_path) as storage:
        assert await storage.read_index(USER) == before
        for _ in range(2):  # from the file, and from memory
            assert await storage.read_last(USER, "a", 5) == [everything]
    (tmp_path / f"user_{USER}" / "index.json").unlink()
    async with opened(tmp_path) as storage:
        assert await storage.read_index(USER) == before


async def test_what_nobody_uses_any_more_is_let_go_of(tmp_path: Path) -> None:
    async with opened(tmp_path, idle_seconds=3600) as storage:
        folders = storage._folders

        def an_hour_passes() -> None:
            assert folders._idle is not None
            folders._idle.cancel()
            folders._let_go_of_unused()

        for user in (USER, 2):
            await storage.create(new_chat("a", user_id=user))
            an_hour_passes()
            an_hour_passes()
            await until(lambda: not folders._cache.bytes and not folders._turns.is_working)
            an_hour_passes()
            assert folders._idle is None
        assert len(folders._cache) == 0
        assert len((await storage.read_index(USER)).conversations) == 1


async def test_what_was_in_use_when_the_time_was_over_is_let_go_of_later(tmp_path: Path) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work(_: object) -> bool:
        begun.set()
        return may_end.wait(PATIENCE)

    async with opened(tmp_path, idle_seconds=3600) as storage:
        folders = storage._folders
        working = asyncio.create_task(folders.change(USER, work))
        await until(begun.is_set)
        folders._let_go_of_unused()
        assert folders._idle is not None
        may_end.set()
        assert await working
        assert len(folders._cache) == 1


async def test_without_any_cache(tmp_path: Path) -> None:
    async with opened(tmp_path, cache_bytes=0) as storage:
        await storage.create(new_chat("a"))
        for number in range(3):
            await append(storage, "a", str(number), number)
        assert await texts_in(storage, "a") == ["0", "1", "2"]
        assert storage._folders._cache.bytes == 0


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


async def test_one_chat_of_many_costs_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as storage:
        for number in range(60):
            await storage.create(new_chat(f"c{number}"))
        looked_at: list[str] = []
        look = os.stat

        def count(path: Any, **options: Any) -> os.stat_result:
            looked_at.append(Path(path).stem)
            return look(path, **options)

        monkeypatch.setattr(os, "stat", count)
        for wanted, chat in (("c7", "c7"), (None, "c59")):
            looked_at.clear()
            found = await storage.read_metadata(USER, wanted)
            assert found is not None
            assert found.conversation_id == chat
            assert sorted(looked_at) == sorted([chat, "index", f"user_{USER}"])


async def test_an_empty_trash_needs_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
        with monkeypatch.context() as without:
            without.delattr(storage._folders._turns, "_threads")
            assert await storage.read_trash(USER) == []
        await storage.delete(USER, "a", deleted_at=LATER, successor=new_chat("b"))
        assert [chat.conversation_id for chat in await storage.read_trash(USER)] == ["a"]
        await storage.restore(USER, "a", activate=True)
        with monkeypatch.context() as without:
            without.delattr(storage._folders._turns, "_threads")
            assert await storage.read_trash(USER) == []


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
