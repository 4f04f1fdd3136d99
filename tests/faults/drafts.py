"""Calls of the manager as hypothesis draws them.

A draft says "the third living chat"; only at its turn it becomes a call that names one. So what is
drawn does not depend on what was answered, and a failing history can be made shorter.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from conversations import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
)
from tests.faults.history_calls import Call, Held
from tests.faults.model import Model

_Item = TypeVar("_Item")

USERS = (1001, -100200, 7)

BAD_IDS = ("../user_7/x", "..", "index", "INDEX", "", "\x00", "a\n", "²", "x" * 300, "nothing")


@dataclass(frozen=True)
class ChatRef:
    kind: str
    number: int

    def resolve(self, model: Model, user_id: int) -> str:
        """Name a chat of this kind: a living one where there is none."""
        pool = self._pool(model, user_id, self.kind) or self._pool(model, user_id, "living")
        return _nth(pool or list(BAD_IDS), self.number)

    def owner(self, model: Model, user_id: int) -> int:
        """Give a user who has such a chat, this one if possible."""
        users = sorted(USERS, key=lambda other: other != user_id)
        return next((u for u in users if self._pool(model, u, self.kind)), user_id)

    def _pool(self, model: Model, user_id: int, kind: str) -> list[str]:
        user = model.user(user_id)
        if kind == "living":
            return list(user["chats"])
        if kind == "deleted":
            return list(user["trash"])
        if kind == "gone":
            return sorted(model.gone(user_id))
        if kind == "other's":
            return [chat for u in model.users.values() if u is not user for chat in u["chats"]]
        return list(BAD_IDS)


@dataclass(frozen=True)
class MessageRef:
    """A message that stands in the chat already; another one where there is none."""

    number: int
    otherwise: ConversationMessage

    def resolve(self, model: Model, user_id: int, conversation_id: str) -> ConversationMessage:
        user = model.user(user_id)
        chat = (user["chats"] | user["trash"]).get(conversation_id, {"messages": []})
        stored = [ConversationMessage(**message) for message in chat["messages"]]
        return _nth(stored or [self.otherwise], self.number)


@dataclass(frozen=True)
class DeletionRef:
    """The time at which chats in the trash were deleted; the beginning of all for an empty one.

    Not one at which two that were active went, each by itself, under a clock that stood still:
    which of them is active again is open.
    """

    number: int

    def resolve(self, model: Model, user_id: int) -> datetime:
        trash = [chat["facts"] for chat in model.user(user_id)["trash"].values()]
        active = [facts["deleted_at"] for facts in trash if facts["is_active"]]
        times = [facts["deleted_at"] for facts in trash if active.count(facts["deleted_at"]) < 2]
        return datetime.fromisoformat(_nth(times or ["1970-01-01T00:00:00+00:00"], self.number))


@dataclass(frozen=True)
class SavedDraft:
    """An object that was loaded before, or one built by hand; and what is done with it."""

    loaded: int | None
    chat: ChatRef | None
    metadata: dict[str, Any]
    messages: list[ConversationMessage]
    edit: str

    def resolve(
        self, model: Model, held: list[Held], user_id: int, fresh: str
    ) -> tuple[Conversation, list[dict[str, Any]] | None]:
        """Give the object, and the messages it has seen; None where it was never stored."""
        if self.loaded is not None and held:
            loaded, seen = held[self.loaded % len(held)]
            conversation = copy.deepcopy(loaded)
            self._edit(conversation)
            return conversation, seen
        chat = self.chat.resolve(model, user_id) if self.chat else fresh
        metadata = ConversationMetadata(
            conversation_id=chat, user_id=user_id, username="hand", **self.metadata
        )
        return copy.deepcopy(Conversation(metadata, self.messages, {"theme": "dark"})), None

    def _edit(self, conversation: Conversation) -> None:
        messages, metadata = conversation.messages, conversation.metadata
        if self.edit == "add":
            messages.extend(copy.deepcopy(self.messages))
        elif self.edit == "drop":
            del messages[:1]
        elif self.edit == "change" and messages:
            messages[-1].text += "!"
        elif self.edit == "rename":
            metadata.name, metadata.name_source = self.metadata["name"], "user"
        elif self.edit == "pin":
            metadata.pinned = not metadata.pinned
        elif self.edit == "facts":
            metadata.extra = copy.deepcopy(self.metadata["extra"])


@dataclass(frozen=True)
class Draft:
    verb: str
    user_id: int
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def resolve(self, model: Model, held: list[Held], now: datetime, fresh: str) -> Call:
        if self.verb == "save_conversation":
            conversation, seen = self.arguments[0].resolve(model, held, self.user_id, fresh)
            return Call(self.verb, (conversation,), {}, now, fresh, seen)
        user_id = self.user_id
        resolved: list[Any] = []
        for argument in self.arguments:
            if isinstance(argument, ChatRef):
                user_id = argument.owner(model, user_id)
                resolved.append(argument.resolve(model, user_id))
            elif isinstance(argument, DeletionRef):
                resolved.append(argument.resolve(model, user_id))
            elif isinstance(argument, list):
                resolved.append([chat.resolve(model, user_id) for chat in argument])
            elif isinstance(argument, MessageRef):
                resolved.append(argument.resolve(model, user_id, resolved[0]))
            else:
                resolved.append(argument)
        return Call(self.verb, (user_id, *resolved), self.options, now, fresh)


def _nth(pool: list[_Item], number: int) -> _Item:
    return pool[number % len(pool)]
