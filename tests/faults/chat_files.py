"""The default storage as a subject, on a folder that is empty at first or one that is spoilt."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from conversations import ConversationStorage, JsonStorage, StorageError
from conversations.user_folder import UserFolder
from tests.faults import chat_model
from tests.faults.chat_operations import (
    append,
    flush,
    listed,
    pin,
    purge,
    replace,
    restore,
    take_damage,
)
from tests.faults.chat_workloads import ANNA, BORIS, USERS, VERA, Script, drawn, every_verb, tour
from tests.faults.folders import Content, Folder, Tree
from tests.faults.operations import Operation, State
from tests.storages import opened

_LONG_AGO = 1_500_000_000_000_000_000  # ns


@dataclass(frozen=True)
class ChatFiles:
    """The default storage."""

    name: str = "files"
    users: tuple[int, ...] = USERS
    failure: type[Exception] = StorageError
    is_synced: bool = True

    def opened(self, root: Path) -> AbstractAsyncContextManager[JsonStorage]:
        return opened(root)

    def before(self) -> Tree:
        return {}

    def initial(self, user: int) -> State:
        return chat_model.empty()

    def workload(self, seed: int) -> list[Operation]:
        return tour() if seed < 2 else drawn(seed, 60)

    def drawn(self, seed: int, count: int, states: dict[int, State]) -> list[Operation]:
        return drawn(seed, count, states)

    def probes(self, user: int, state: State) -> list[Operation]:
        return every_verb(Script("probe"), user, state)

    async def observe(self, store: ConversationStorage, root: Path, user: int) -> State:
        index = await store.read_index(user)
        active = index.last_active_conversation_id
        last = await store.read_last(user, active, 1000) if active else []
        chats = {}
        for metadata in index.conversations:
            chat_id = metadata.conversation_id
            conversation = await store.load(user, chat_id)
            assert conversation is not None, f"{chat_id} is listed and cannot be loaded"
            assert conversation.metadata == metadata, f"index and file of {chat_id} differ"
            assert metadata.is_active == (chat_id == active)
            if metadata.is_active:
                assert conversation.messages == last, f"{chat_id} has other last messages"
            messages = [message.to_dict() for message in conversation.messages]
            chats[chat_id] = {**listed(metadata), "messages": messages}
        trash = await store.read_trash(user)
        assert all(chat.deleted_at for chat in trash), "deleted, and it is not known when"
        kept = root / f"user_{user}" / "files"
        return {
            "username": index.username,
            "active": active,
            "damage": index.damaged_untold,
            "chats": chats,
            "trash": {chat.conversation_id: listed(chat) for chat in trash},
            "files": {path.name: path.read_bytes() for path in kept.glob("[!.]*")},
        }

    def shown(self, state: State) -> State:
        def whole(chat: chat_model.Chat) -> chat_model.Chat:
            return {**chat_model.counted(chat), "messages": chat["messages"]}

        return {
            **state,
            "chats": {chat_id: whole(chat) for chat_id, chat in state["chats"].items()},
            "trash": {key: chat_model.counted(chat) for key, chat in state["trash"].items()},
        }

    def complaints(self, root: Path, observed: Mapping[int, State]) -> list[str]:
        """Every file has to be one that the user sees, or the spare, and every JSON file sound."""
        known = {".lock"}
        for user, state in observed.items():
            folder = f"user_{user}"
            known |= {folder, f"{folder}/index.json", f"{folder}/trash", f"{folder}/files"}
            known |= {f"{folder}/{chat_id}.json" for chat_id in state["chats"]}
            known |= {f"{folder}/trash/{chat_id}.json" for chat_id in state["trash"]}
            known |= {f"{folder}/files/{name}" for name in state["files"]}
        found = {str(path.relative_to(root)): path for path in root.rglob("*")}
        for home in root.glob("user_*"):
            known |= {str(path.relative_to(root)) for path in [*home.glob(".*.spare.tmp")][:1]}
        wrong = [f"{name} should not be there" for name in sorted(found.keys() - known)]
        for name, path in found.items():
            if name.endswith(".json"):
                try:
                    json.loads(path.read_bytes())
                except ValueError as error:
                    wrong.append(f"{name} is no JSON: {error}")
        return wrong


@dataclass(frozen=True)
class JournalledChatFiles(ChatFiles):
    """The same with a journal of small files; now and then all is brought up to date."""

    name: str = "journal"

    @asynccontextmanager
    async def opened(self, root: Path) -> AsyncIterator[JsonStorage]:
        async with opened(root, journal=True) as storage:
            storage._folders._journal._files.file_bytes = 3_000
            yield storage

    def workload(self, seed: int) -> list[Operation]:
        operations = [*super().workload(seed), *(_what_is_not_added_twice() if seed < 2 else ())]
        for place in range(len(operations) - 1, 0, -9):
            operations.insert(place, flush(operations[place - 1].user))
        return operations

    def complaints(self, root: Path, observed: Mapping[int, State]) -> list[str]:
        wrong = super().complaints(root, observed)
        return [line for line in wrong if not line.startswith(".journal")]


@dataclass(frozen=True)
class WarmJournal(JournalledChatFiles):
    """The same, where each user has used the store before, so that all is added to the journal."""

    name: str = "warm journal"

    @asynccontextmanager
    async def opened(self, root: Path) -> AsyncIterator[JsonStorage]:
        async with super().opened(root) as storage:
            for user in self.users:
                with suppress(StorageError, OSError):
                    await storage._folders._do(user, UserFolder.settle)
            yield storage


def _what_is_not_added_twice() -> Iterator[Operation]:
    """Add to the journal what is gone, or another, in the file that is written soon after."""
    script = Script("journal")
    one, other = script.said(), script.said()
    yield script.ask(BORIS)
    yield append(ANNA, "a", one, script.time())
    yield script.ask(BORIS)
    yield script.ask(VERA)
    yield flush(BORIS)
    yield replace(ANNA, "a", one, other)
    yield append(ANNA, "a", one, script.time())
    yield script.delete(ANNA, "a")
    yield purge(ANNA)


@dataclass(frozen=True)
class SpoiltChatFiles(ChatFiles):
    """The same, where the indexes and some chats cannot be read, and are mended by and by."""

    name: str = "spoilt files"

    def before(self) -> Tree:
        tree: Tree = {f"store/{name}": _file(data) for name, data in self._spoilt().items()}
        for user in (ANNA, BORIS):
            tree[f"store/user_{user}"] = Folder(_LONG_AGO)
            tree[f"store/user_{user}/sound.json"] = _file(_text(self._sound(user)).encode())
        return {"store": Folder(_LONG_AGO), **tree}

    def initial(self, user: int) -> State:
        if user not in (ANNA, BORIS):
            return chat_model.empty()
        chats = {"sound": self._sound(user)}
        if user == ANNA:
            cut = self._cut()
            chats["cut"] = {**cut, "messages": cut["messages"][:1]}
        return {
            **chat_model.empty(),
            "username": f"user {user}",
            "active": "sound",
            "damage": 2,
            "chats": chats,
        }

    def workload(self, seed: int) -> list[Operation]:
        script = Script("s")
        return [
            take_damage(ANNA),
            script.append(ANNA, "cut"),
            pin(BORIS, "sound", pinned=True),
            script.delete(ANNA, "sound"),
            take_damage(BORIS),
            restore(ANNA, "sound", activate=True),
            script.ask(BORIS),
            take_damage(ANNA),
        ]

    def complaints(self, root: Path, observed: Mapping[int, State]) -> list[str]:
        """What could not be read is kept, and nothing else is put aside."""
        wrong = super().complaints(root, observed)
        wrong = [line for line in wrong if ".damaged-" not in line]
        held = [path.read_bytes() for path in root.rglob("*.json*")]
        wrong += [
            f"{name} is not kept" for name, data in self._spoilt().items() if data not in held
        ]
        aside = list(root.rglob("*.damaged-*"))
        if len(aside) != len(self._spoilt()):
            wrong.append(f"{len(aside)} files are put aside")
        return wrong

    def _spoilt(self) -> dict[str, bytes]:
        return {
            f"user_{ANNA}/index.json": b"{",
            f"user_{ANNA}/cut.json": _text(self._cut()).encode()[:-40],
            f"user_{BORIS}/index.json": bytes(100),
            f"user_{BORIS}/garbage.json": b"\0garbage\0",
        }

    def _cut(self) -> chat_model.Chat:
        return _chat(Script("cut"), ANNA, 2)

    def _sound(self, user: int) -> chat_model.Chat:
        script = Script("sound")
        script.time()
        return _chat(script, user, 3)


def _chat(script: Script, user: int, count: int) -> chat_model.Chat:
    chat = chat_model.new_chat(script.chat(user, "Old"))
    chat["messages"] = [script.said().to_dict() for _ in range(count)]
    return chat


def _text(chat: chat_model.Chat) -> str:
    """Write a chat as somebody else would."""
    metadata = {key: value for key, value in chat.items() if key != "messages"}
    return json.dumps({"metadata": metadata, "messages": chat["messages"]}, indent=1)


def _file(data: bytes) -> Content:
    return Content(data.rstrip(b"\0"), len(data), _LONG_AGO)
