"""`python -m bot migrate`: a folder into a database and back, whole, once, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.administration import print_migration
from conversations import ConversationManager, StorageError
from conversations.migrating import MigrationRefusedError, Receipt, digest_of, migrate
from conversations.migration_ends import DatabaseEnd, FolderEnd, MigrationEnd
from tests.postgres_server import opened_postgres
from tests.program import Program
from tests.storages import USER, answer, new_chat, opened, question

LATER = "2126-05-02T00:00:00+00:00"
OTHER = -100_200


@pytest.fixture
async def source(tmp_path: Path) -> FolderEnd:
    """Users with something in every place, of which some is foreign."""
    root = tmp_path / "from"
    async with opened(root) as storage:
        for chat in ("a", "b", "gone"):
            await storage.create(new_chat(chat, name=f"chat {chat}"))
            await storage.append(USER, chat, question("Ещё \x00 \ud800", 1, 5), updated_at=LATER)
            await storage.append(USER, chat, answer("\x1a0000", 2, 7), updated_at=LATER)
        await storage.delete(USER, "gone", deleted_at=LATER, successor=new_chat("never"))
        await storage.pin(USER, "a", pinned=True)
        await storage.set_instructions(USER, "a", "be kind")
        await storage.set_mode(USER, "b", "deep")
        await storage.activate(USER, "a")
        await storage.update_settings(USER, {"language": "ru", "of a host": {"x": [1.5, None]}})
        await storage.keep_file(USER, "a-1.md", b"\x00long")
        await storage.create(new_chat("x", user_id=OTHER))
    strange = {
        "metadata": {"name": "strange", "title": "strange", "created_at": "2020-01-01", "x": 1},
        "messages": [{"type": "user_question", "text": "hi", "why": {"b": 1, "a": 2}}],
        "beside": True,
    }
    (root / f"user_{USER}" / "strange.json").write_text(json.dumps(strange))
    index = root / f"user_{USER}" / "index.json"
    text = index.read_text().replace('{"user_id"', '{"unknown": "stays", "user_id"', 1)
    index.write_text(text)
    return FolderEnd(root)


async def run(source: MigrationEnd, target: MigrationEnd) -> Receipt:
    try:
        return await migrate(source, target, progress=lambda *_: None)
    finally:
        await source.storage.close()
        await target.storage.close()


async def everything(end: MigrationEnd) -> Any:
    """Give all that there is, as it can be compared."""
    found: dict[Any, Any] = {}
    for user in await end.users():
        index = await end.storage.read_index(user)
        trash = await end.storage.read_trash(user)
        chats = [chat.conversation_id for chat in (*index.conversations, *trash)]
        loaded = [await end.storage.load(user, chat, include_deleted=True) for chat in chats]
        files = {name: await end.read_file(user, name) for name in await end.files(user)}
        head = index.to_dict()
        del head["conversations"]
        digests = {c.metadata.conversation_id: digest_of(c) for c in loaded if c is not None}
        found[user] = (head, digests, files)
    await end.storage.close()
    return found


async def test_a_round_trip_gives_the_same(
    source: FolderEnd, database_url: str, tmp_path: Path
) -> None:
    root = source._root
    async with opened_postgres(database_url) as storage:
        there = await run(source, DatabaseEnd(storage))
        assert (there.users, there.chats, there.deleted_chats) == (2, 4, 1)
        assert (there.messages, there.files, there.already_there) == (7, 1, 0)
        again = type(storage)(database_url, schema=storage.database.schema)
        back = await run(DatabaseEnd(again), FolderEnd(tmp_path / "to"))
        assert back == there
    before = await everything(FolderEnd(root))
    assert before[USER][0]["unknown"] == "stays"
    assert before[USER][0]["last_active_conversation_id"] == "a"
    assert await everything(FolderEnd(tmp_path / "to")) == before
    async with opened(tmp_path / "to") as storage:
        chat = await storage.load(USER, "a")
        assert chat is not None
        assert (chat.metadata.pinned, chat.metadata.instructions) == (True, "be kind")
        assert chat.messages[0].text == "Ещё \x00 \ud800"
        strange = await storage.load(USER, "strange")
        assert strange is not None
        assert (strange.extra, strange.metadata.extra["x"]) == ({"beside": True}, 1)
        [gone] = await storage.read_trash(USER)
        assert gone.is_active, "as it was when it was deleted"


async def test_what_was_cut_off_goes_on(source: FolderEnd, tmp_path: Path) -> None:
    class Cut(FolderEnd):
        def __init__(self, root: Path, calls: int) -> None:
            super().__init__(root)
            self.left = calls
            add = self.storage.add

            async def failing(*args: Any) -> None:
                self.left -= 1
                if self.left < 0:
                    raise StorageError("as told")
                await add(*args)

            self.storage.add = failing  # type: ignore[method-assign, assignment]

    whole = await run(source, FolderEnd(tmp_path / "whole"))
    for _ in range(4):
        with pytest.raises(StorageError, match="as told"):
            await run(FolderEnd(source._root), Cut(tmp_path / "to", calls=1))
    receipt = await run(FolderEnd(source._root), FolderEnd(tmp_path / "to"))
    assert receipt.already_there == 4
    assert receipt.digest == whole.digest
    assert await everything(FolderEnd(tmp_path / "to")) == await everything(source_again(source))


def source_again(source: FolderEnd) -> FolderEnd:
    return FolderEnd(source._root)


@pytest.mark.parametrize("where", ["another user", "another chat", "another content"])
async def test_chats_of_others_are_not_mixed_with(
    source: FolderEnd, tmp_path: Path, where: str
) -> None:
    async with opened(tmp_path / "to") as storage:
        user = 5 if where == "another user" else USER
        chat = new_chat("other" if where == "another chat" else "a", user_id=user)
        await storage.create(chat)
    before = await everything(FolderEnd(tmp_path / "to"))
    with pytest.raises(MigrationRefusedError, match=f"of user {user}; nothing was written"):
        await run(source, FolderEnd(tmp_path / "to"))
    assert await everything(FolderEnd(tmp_path / "to")) == before


async def test_a_chat_that_only_looks_the_same_is_no_ours(
    source: FolderEnd, tmp_path: Path
) -> None:
    await run(source, FolderEnd(tmp_path / "to"))
    async with opened(tmp_path / "to") as storage:
        manager = ConversationManager(storage, raise_errors=True)
        await manager.rename_conversation(USER, "b", "another name")
    with pytest.raises(MigrationRefusedError, match="is another there"):
        await run(source_again(source), FolderEnd(tmp_path / "to"))


def test_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def fill() -> None:
        async with opened(tmp_path / "from") as storage:
            await storage.create(new_chat("a", name="kanarienvogel"))

    asyncio.run(fill())
    ends = FolderEnd(tmp_path / "from"), FolderEnd(tmp_path / "to")
    assert print_migration(*ends, as_json=False) == 0
    said = capsys.readouterr()
    assert "chats: 1\n" in said.out
    assert "is as it was" in said.out
    assert said.err.endswith("1 of 1 users, 1 chats\n")
    assert "kanarienvogel" not in said.out + said.err
    ends = FolderEnd(tmp_path / "none"), FolderEnd(tmp_path / "to")
    assert print_migration(*ends, as_json=True) == 1
    assert "migrate: " in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    ends = FolderEnd(tmp_path / "from"), FolderEnd(tmp_path / "to")
    assert print_migration(*ends, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["already_there"] == 1


async def test_a_folder_in_use_is_refused(source: FolderEnd, tmp_path: Path) -> None:
    async with opened(source._root) as storage:
        await storage.open()
        with pytest.raises(StorageError, match="in use"):
            await run(source_again(source), FolderEnd(tmp_path / "to"))


async def test_the_command(source: FolderEnd, tmp_path: Path) -> None:
    code, said = await Program(tmp_path).fail("migrate", "--from", "from", "--to", "database")
    assert (code, said) == (1, "`database` is that of DATABASE_URL, which is not set\n")
    code, said = await Program(tmp_path).fail("migrate", "--from", "from", "--to", "to")
    assert code == 0, said
    assert len(await FolderEnd(tmp_path / "to").users()) == 2


def test_both_ends_are_closed_though_one_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = [FolderEnd(tmp_path / name) for name in ("from", "to")]
    (tmp_path / "from").mkdir()
    closed: list[Callable[[], Awaitable[None]]] = []
    for end in ends:
        badly = partial(_close_badly, end.storage.close, closed)
        monkeypatch.setattr(end.storage, "close", badly)
    assert print_migration(*ends, as_json=True) == 1
    assert len(closed) == 2
    assert "migrate: the disk is gone" in capsys.readouterr().err


async def _close_badly(
    close: Callable[[], Awaitable[None]], closed: list[Callable[[], Awaitable[None]]]
) -> None:
    closed.append(close)
    await close()
    raise StorageError("the disk is gone")
