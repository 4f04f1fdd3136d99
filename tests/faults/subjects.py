"""What is put to the test: how a store is opened, used, and looked at.

Another store is another `Subject`, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from conversations import ConversationStorage, JsonStorage, StorageError
from tests.faults import chat_model
from tests.faults.chat_operations import listed
from tests.faults.chat_workloads import USERS, Script, drawn, every_verb, tour
from tests.faults.operations import Operation, State
from tests.storages import opened


class Subject(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def users(self) -> tuple[int, ...]: ...

    @property
    def failure(self) -> type[Exception]:
        """What an operation raises when it cannot be done."""

    def opened(self, root: Path) -> AbstractAsyncContextManager[Any]:
        """Open the store as a newly started process would, and close it again."""

    def empty(self) -> State: ...

    def workload(self, seed: int) -> list[Operation]:
        """Give a history; 0 and 1 are the same one, which does all that can be done."""

    def drawn(self, seed: int, count: int, states: dict[int, State]) -> list[Operation]:
        """Draw a history by lot that goes on from these states; every seed makes other names."""

    def probes(self, user: int, state: State) -> list[Operation]:
        """Give operations that work in this state and show what `observe` cannot."""

    async def observe(self, store: Any, root: Path, user: int) -> State:
        """Look at all that a user can see; raise AssertionError where it contradicts itself."""

    def shown(self, state: State) -> State:
        """Give what `observe` gives for this state of the model."""

    def complaints(self, root: Path, observed: Mapping[int, State]) -> list[str]:
        """Tell what in the folder should not be there, or is not sound."""


@dataclass(frozen=True)
class ChatFiles:
    """The default storage."""

    name: str = "files"
    users: tuple[int, ...] = USERS
    failure: type[Exception] = StorageError

    def opened(self, root: Path) -> AbstractAsyncContextManager[JsonStorage]:
        return opened(root)

    def empty(self) -> State:
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
        """Every file has to be one that the user sees, and every JSON file sound."""
        known = {".lock"}
        for user, state in observed.items():
            folder = f"user_{user}"
            known |= {folder, f"{folder}/index.json", f"{folder}/trash", f"{folder}/files"}
            known |= {f"{folder}/{chat_id}.json" for chat_id in state["chats"]}
            known |= {f"{folder}/trash/{chat_id}.json" for chat_id in state["trash"]}
            known |= {f"{folder}/files/{name}" for name in state["files"]}
        found = {str(path.relative_to(root)): path for path in root.rglob("*")}
        wrong = [f"{name} should not be there" for name in sorted(found.keys() - known)]
        for name, path in found.items():
            if name.endswith(".json"):
                try:
                    json.loads(path.read_bytes())
                except ValueError as error:
                    wrong.append(f"{name} is no JSON: {error}")
        return wrong


SUBJECTS: dict[str, Subject] = {subject.name: subject for subject in (ChatFiles(),)}
