"""What must hold of a user's folder in which a file was spoilt, seen through a real storage."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conversations import ConversationManager, ConversationMessage
from tests.faults.damage import Spoilt
from tests.faults.reading import (
    Object,
    check_contains,
    check_same,
    is_json,
    is_sound_chat,
    is_sound_index,
    readable_messages,
    says_nothing,
    sound,
)
from tests.faults.whole import whole_chat, whole_index
from tests.storages import Clock, opened

NEW = ConversationMessage("2026-05-01T12:00:00+00:00", 99, "user_question", "new", 3)
MEMORY = Path("/dev/shm")  # where there is one, nothing waits for a disk
_OLD = json.loads(whole_chat("b"))["messages"]


@dataclass
class StoredSpoilt:
    """One user with two chats, "a" and "b"; one file of theirs is spoilt, the others are whole."""

    root: Path
    user_id: int
    spoilt: Spoilt
    given: list[Object] = field(default_factory=list)  # the messages of "a" as they were read
    listed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder = self.root / f"user_{self.user_id}"
        self.folder.mkdir()
        whole = {"a.json": whole_chat("a"), "b.json": whole_chat("b")}
        if self.user_id % 2:
            whole["index.json"] = whole_index()
        for name, data in (whole | {self._name: self.spoilt.data}).items():
            (self.folder / name).write_bytes(data)
        self.document = sound(self.spoilt.data)
        chat = self.spoilt.data if self.spoilt.what == "chat" else whole_chat("a")
        self.needed = readable_messages(chat, sound(chat))

    @property
    def _name(self) -> str:
        return "index.json" if self.spoilt.what == "index" else "a.json"

    async def read_and_write(self, manager: ConversationManager) -> None:
        """Look at everything, then write to it: nothing is hidden, nothing is lost."""
        await self._look(manager)
        self._check_put_aside()
        asides = len(self._asides())
        assert await manager.take_damage_report(self.user_id) == asides
        assert (self.folder / "b.json").read_bytes() == whole_chat("b")
        assert await manager.pin_conversation(self.user_id, "b")
        added = await manager.add_message(self.user_id, "a", NEW)
        assert added is ("a" in self.listed)
        if added:
            self._check_written()
        self._check_index()

    async def read_again(self, manager: ConversationManager) -> None:
        """Look at everything after a restart."""
        before, listed = self.given, self.listed
        await self._look(manager)
        assert self.listed == listed
        assert self.given == [*before, NEW.to_dict()] if "a" in listed else not self.given
        assert await manager.take_damage_report(self.user_id) == 0
        self._check_put_aside()

    async def _look(self, manager: ConversationManager) -> None:
        chats = await manager.list_conversations(self.user_id)
        assert "b" in {chat.conversation_id for chat in chats}
        assert await self._messages(manager, "b") == _OLD
        self.given = await self._messages(manager, "a")
        chats = await manager.list_conversations(self.user_id)
        self.listed = {chat.conversation_id for chat in chats}
        assert [chat.conversation_id for chat in chats if chat.is_active] == [
            await manager.get_active_conversation_id(self.user_id)
        ]
        assert self.listed == {"a", "b"} if self.needed else self.listed <= {"a", "b"}
        check_contains(_words(self.given), _words(self.needed))

    async def _messages(self, manager: ConversationManager, chat: str) -> list[Object]:
        messages = await manager.get_messages(self.user_id, chat, limit=10**6)
        return [message.to_dict() for message in messages]

    def _check_put_aside(self) -> None:
        """What is damaged is kept byte for byte; what is sound, or somebody else's, is not."""
        if self.spoilt.what == "index":
            is_damaged = not is_sound_index(self.document)
        elif "a" in self.listed:
            is_damaged = not is_sound_chat(self.document)
        else:
            is_damaged = not is_json(self.spoilt.data)
            left = self.folder / "a.json"
            assert is_damaged or left.read_bytes() == self.spoilt.data
        assert self._asides() == ([self.spoilt.data] if is_damaged else [])

    def _asides(self) -> list[bytes]:
        return [path.read_bytes() for path in self.folder.glob("*.damaged-*")]

    def _check_written(self) -> None:
        written = sound((self.folder / "a.json").read_bytes())
        assert is_sound_chat(written)
        check_contains(written["messages"], [*self.needed, NEW.to_dict()])
        if self.spoilt.what == "chat" and is_sound_chat(self.document):
            check_same(written, self.document, [NEW.to_dict()])

    def _check_index(self) -> None:
        index = sound((self.folder / "index.json").read_bytes())
        assert is_sound_index(index)
        if self.spoilt.what == "index" and is_sound_index(self.document):
            for key in self.document.keys() - index.keys() - says_nothing(self.document):
                assert key == "damaged_told", f"lost: {key}"


async def failures_in(inputs: Iterable[tuple[int, Spoilt]]) -> list[tuple[int, Exception]]:
    """Check folders with these inputs, which bear numbers; give what failed, with its number."""
    root = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    failures: dict[int, Exception] = {}
    try:
        stored = {number: StoredSpoilt(root, number, spoilt) for number, spoilt in inputs}
        for check in (StoredSpoilt.read_and_write, StoredSpoilt.read_again):
            async with opened(root) as storage:
                manager = ConversationManager(storage, raise_errors=True, clock=Clock())
                for number in stored.keys() - failures.keys():
                    try:
                        await check(stored[number], manager)
                    except Exception as error:  # noqa: BLE001 - any that escapes is a failure
                        failures[number] = error
    finally:
        shutil.rmtree(root)
    return list(failures.items())


def _words(messages: list[Object]) -> list[Any]:
    return [(message["type"], message["text"]) for message in messages]
