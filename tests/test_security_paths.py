"""No id, name or file leads out of a user's own folder."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

import pytest

from bot.callbacks import ChatAction, ChatButton
from conversations import Conversation, ConversationManager
from tests.storages import (
    USER,
    answer,
    managed,
    new_chat,
    old_folder,
    old_metadata,
    opened,
    question,
    tree,
    write_json,
)
from tests.telegram import MakeClient

OTHER = 2002
HOSTILE = [
    "../user_2002/b", "..", ".", "../../outside", "..\\..\\outside", "/etc/passwd", "~/x",
    "index", "INDEX", "trash/c", "files/x", "", " ", "\0", "b\0", "b\n", "b.json", "²", "%2e%2e",
    "b/../../user_2002/b", "\u202eb", "\ud800", "x" * 49, "x" * 5000,
]  # fmt: skip


async def names(manager: ConversationManager) -> list[str]:
    return sorted(chat.name for chat in await manager.list_conversations(USER))


def neighbours(root: Path) -> dict[str, bytes | None]:
    """Make two users' folders, the second's chat being called as one of the first, and a file."""
    old_folder(root, "a", "b", "c", active="a")
    old_folder(root, "b").rename(root / f"user_{OTHER}")
    old_folder(root, "a", "b", "c", active="a")
    (root / f"user_{USER}" / "trash").mkdir()
    (root / f"user_{USER}" / "c.json").rename(root / f"user_{USER}" / "trash" / "c.json")
    (root.parent / "outside.json").write_text("outside")
    return tree(root.parent)


ARGUMENTS: dict[str, Any] = {
    "user_id": USER, "username": "x", "limit": 5, "name": "Mine", "mode": "deep",
    "message": question("x"), "old": question("x"), "new": answer("x"), "text": "x",
    "instructions": "Be brief.",
}  # fmt: skip


async def test_no_method_of_the_manager_takes_a_hostile_id(tmp_path: Path) -> None:
    root = tmp_path / "chats"
    neighbours(root)
    async with managed(root) as manager:
        await manager.list_conversations(USER)
        before = tree(tmp_path)
        tried = 0
        for name, method in inspect.getmembers(manager, inspect.iscoroutinefunction):
            parameters = inspect.signature(method).parameters.values()
            if name.startswith("_") or "conversation_id" not in {p.name for p in parameters}:
                continue
            tried += 1
            wanted = [p.name for p in parameters if p.default is p.empty]
            for bad in HOSTILE:
                arguments = {**ARGUMENTS, "conversation_id": bad}
                options = {p.name: True for p in parameters if p.name == "include_deleted"}
                found = await method(**{n: arguments[n] for n in wanted}, **options)
                assert not found, (name, bad)
        for bad in HOSTILE:
            assert not await manager.save_conversation(Conversation(new_chat(bad)))
    assert tried >= 12
    assert tree(tmp_path) == before


@pytest.mark.parametrize("bad", HOSTILE)
async def test_no_storage_writes_under_a_hostile_id_or_name(tmp_path: Path, bad: str) -> None:
    """The manager makes ids of its own and checks names; the storage does not rely on it."""
    async with opened(tmp_path / "chats") as storage:
        await storage.create(new_chat("a"))
        before = tree(tmp_path)
        with pytest.raises(ValueError, match="not an id"):
            await storage.create(new_chat(bad))
        if bad not in {"index", "INDEX", "b.json", "x" * 49}:  # those are good names of files
            with pytest.raises(ValueError, match="not a file name"):
                await storage.keep_file(USER, bad, b"canary")
            with pytest.raises(ValueError, match="not a file name"):
                await ConversationManager(storage).keep_file(USER, bad, "canary")
    assert tree(tmp_path) == before


async def test_hostile_ids_in_buttons(
    make_client: MakeClient, manager: ConversationManager, folder: Path
) -> None:
    (folder.parent / "outside.json").write_text("outside")
    client = make_client(USER)
    await client.ask("Hello")
    await client.send("/chats")
    before, index = tree(folder.parent), await manager.load_index(USER)
    for action in ChatAction:
        for bad in HOSTILE:
            if len(bad) < 50 and "\ud800" not in bad:
                data = ChatButton.__prefix__ + f":{action}:{bad}::0"
                pressed = len(client.toasts)
                await client.press_data(data)
                assert len(client.toasts) == pressed + 1
    changed = {k for k, v in tree(folder.parent).items() if v != before.get(k)}
    assert changed <= {f"{folder.name}/user_{USER}/index.json"}  # which follows the chats
    assert await manager.load_index(USER) == index


async def test_an_index_with_hostile_entries(tmp_path: Path) -> None:
    root = tmp_path / "chats"
    before = neighbours(root)
    index = {
        "user_id": OTHER,
        "last_active_conversation_id": "../user_2002/b",
        "conversations": [old_metadata(bad, name="canary") for bad in HOSTILE if bad != "\ud800"],
    }
    write_json(root / f"user_{USER}" / "index.json", index)
    async with managed(root) as manager:
        assert await names(manager) == ["Chat a", "Chat b"]
        active = await manager.get_active_conversation_id(USER)
        assert active in {"a", "b"}
        for bad in HOSTILE:
            assert not await manager.delete_conversation(USER, bad)
            assert not await manager.rename_conversation(USER, bad, "Mine")
        assert await manager.add_message(USER, "b", question("new"))
        assert await manager.delete_conversation(USER, "a")
        assert await manager.empty_trash(USER) == 2
    after = tree(tmp_path)
    mine = f"chats/user_{USER}"
    assert {k: v for k, v in after.items() if not k.startswith(mine)} == {
        k: v for k, v in before.items() if not k.startswith(mine)
    }
    written = json.loads(after[f"{mine}/index.json"] or b"")
    assert [entry["conversation_id"] for entry in written["conversations"]] == ["b"]
    assert written["user_id"] == USER


# Links: whoever can put one into the folder owns the folder. They are followed for reading, as
# an operator who moves a user's chats to another disk expects; but a chat's file is replaced and
# never written through, so that what a link shows is never changed by us.


async def test_a_users_folder_may_be_a_link(tmp_path: Path) -> None:
    root, moved = tmp_path / "chats", tmp_path / "disk" / "anna"
    old_folder(root, "a")
    moved.parent.mkdir()
    (root / f"user_{USER}").rename(moved)
    (root / f"user_{USER}").symlink_to(moved, target_is_directory=True)
    async with managed(root) as manager:
        assert await names(manager) == ["Chat a"]
        await manager.create_conversation(USER, "anna", "New")
        await manager.delete_conversation(USER, "a")
    assert (root / f"user_{USER}").is_symlink()
    assert (moved / "trash" / "a.json").is_file()
    assert sorted(path.name for path in root.iterdir()) == [".lock", f"user_{USER}"]


@pytest.mark.parametrize("content", ["a chat", "damaged", "no chat"])
async def test_a_chat_that_is_a_link_is_never_written_through(
    tmp_path: Path, content: str
) -> None:
    root, outside = tmp_path / "chats", tmp_path / "outside.json"
    folder = old_folder(root, "a", "b")
    (folder / "a.json").rename(outside)
    if content == "damaged":
        outside.write_bytes(outside.read_bytes()[:-20])
    elif content == "no chat":
        outside.write_text("root:x:0:0:root:/root:/bin/bash\n")
    (folder / "a.json").symlink_to(outside)
    before = outside.read_bytes()
    async with managed(root) as manager:
        shown = await names(manager)
        assert shown == (["Chat b"] if content == "no chat" else ["Chat a", "Chat b"])
        await manager.rename_conversation(USER, "a", "Mine")
        await manager.add_message(USER, "a", question("new"))
        await manager.delete_conversation(USER, "a")
        await manager.restore_conversation(USER, "a")
        await manager.delete_conversation(USER, "a")
        await manager.empty_trash(USER)
    assert outside.read_bytes() == before
    assert outside.stat().st_nlink <= 2


async def test_only_plain_files_are_chats(tmp_path: Path) -> None:
    """A pipe would hold up whoever reads it."""
    folder = old_folder(tmp_path, "a")
    os.mkfifo(folder / "b.json")
    (folder / "c.json").mkdir()
    (folder / "d.json").symlink_to(tmp_path / "nothing")
    (folder / "trash").mkdir()
    os.mkfifo(folder / "trash" / "e.json")
    async with managed(tmp_path) as manager:
        assert await names(manager) == ["Chat a"]
        for bad in "bcde":
            assert await manager.load_conversation(USER, bad) is None
            assert not await manager.restore_conversation(USER, bad)
        assert await manager.list_deleted(USER) == []
