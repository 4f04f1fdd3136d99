"""Each verb that writes, a folder of chats for all of them, and what the user sees of one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from conversations import Conversation, ConversationStorage
from tests.storages import LATER, USER, answer, append, new_chat, opened, question, texts

Verb = Callable[[ConversationStorage], Awaitable[object]]


def successor() -> Any:
    return new_chat("successor", minute=50)


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


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on which every verb has something to do; to be copied."""
    root = tmp_path_factory.mktemp("prepared") / "chats"
    asyncio.run(prepare(root))
    return root


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
