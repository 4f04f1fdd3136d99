"""The verbs of `ConversationStorage` as operations: done to a storage, and to the model."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

from conversations import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    ConversationStorage,
    JsonStorage,
)
from conversations.storage import UnlessActive
from tests.faults import chat_model
from tests.faults.operations import Operation


def create(metadata: ConversationMetadata, unless_active: UnlessActive | None = None) -> Operation:
    async def act(storage: ConversationStorage) -> str:
        return await storage.create(copy.deepcopy(metadata), unless_active=unless_active)

    change = partial(chat_model.create, metadata=metadata, unless_active=unless_active)
    return Operation("create", metadata.user_id, act, change)


def append(
    user: int,
    chat_id: str,
    message: ConversationMessage,
    updated_at: str,
    *,
    first_name: str | None = None,
    include_deleted: bool = False,
) -> Operation:
    facts: dict[str, Any] = {
        "updated_at": updated_at,
        "first_name": first_name,
        "include_deleted": include_deleted,
    }

    async def act(storage: ConversationStorage) -> bool:
        return await storage.append(user, chat_id, copy.deepcopy(message), **facts)

    change = partial(chat_model.append, chat_id=chat_id, message=message, **facts)
    return Operation("append", user, act, change)


def append_to_active(
    fallback: ConversationMetadata, message: ConversationMessage, updated_at: str, first_name: str
) -> Operation:
    facts: dict[str, Any] = {"updated_at": updated_at, "first_name": first_name}

    async def act(storage: ConversationStorage) -> dict[str, Any]:
        given = copy.deepcopy(fallback), copy.deepcopy(message)
        chat = await storage.append_to_active(*given, **facts)
        return {"id": chat.conversation_id, **listed(chat)}

    change = partial(chat_model.append_to_active, fallback=fallback, message=message, **facts)
    return Operation("append to active", fallback.user_id, act, change)


def replace(
    user: int,
    chat_id: str,
    old: ConversationMessage,
    new: ConversationMessage,
    *,
    include_deleted: bool = False,
) -> Operation:
    facts: dict[str, Any] = {"old": old, "new": new, "include_deleted": include_deleted}

    async def act(storage: ConversationStorage) -> bool:
        return await storage.replace(user, chat_id, **facts)

    return Operation("replace", user, act, partial(chat_model.replace, chat_id=chat_id, **facts))


def rename(user: int, chat_id: str, name: str, source: Any = "user") -> Operation:
    async def act(storage: ConversationStorage) -> bool:
        return await storage.rename(user, chat_id, name, source)

    change = partial(chat_model.rename, chat_id=chat_id, name=name, source=source)
    return Operation("rename", user, act, change)


def set_mode(user: int, chat_id: str, mode: Any) -> Operation:
    async def act(storage: ConversationStorage) -> bool:
        return await storage.set_mode(user, chat_id, mode)

    return Operation("set mode", user, act, partial(chat_model.change, chat_id=chat_id, mode=mode))


def pin(user: int, chat_id: str, *, pinned: bool) -> Operation:
    async def act(storage: ConversationStorage) -> bool:
        return await storage.pin(user, chat_id, pinned=pinned)

    change = partial(chat_model.change, chat_id=chat_id, pinned=pinned)
    return Operation("pin", user, act, change)


def activate(user: int, chat_id: str) -> Operation:
    async def act(storage: ConversationStorage) -> bool:
        return await storage.activate(user, chat_id)

    return Operation("activate", user, act, partial(chat_model.activate, chat_id=chat_id))


def save(user: int, chat_id: str, name: str, message: ConversationMessage) -> Operation:
    async def act(storage: ConversationStorage) -> bool:
        conversation = await storage.load(user, chat_id)
        if conversation is None:
            return False
        conversation.metadata.name = name
        if message not in conversation.messages:
            conversation.messages.append(message)
        return await storage.save(conversation)

    change = partial(chat_model.save, chat_id=chat_id, name=name, message=message)
    return Operation("save", user, act, change)


def save_new(metadata: ConversationMetadata) -> Operation:
    async def act(storage: ConversationStorage) -> bool:
        return await storage.save(Conversation(copy.deepcopy(metadata)))

    change = partial(chat_model.save_new, metadata=metadata)
    return Operation("save new", metadata.user_id, act, change)


def delete(user: int, chat_id: str, deleted_at: str, successor: ConversationMetadata) -> Operation:
    async def act(storage: ConversationStorage) -> bool:
        given = copy.deepcopy(successor)
        return await storage.delete(user, chat_id, deleted_at=deleted_at, successor=given)

    change = partial(chat_model.delete, chat_id=chat_id, successor=successor)
    return Operation("delete", user, act, change)


def restore(user: int, chat_id: str, *, activate: bool) -> Operation:
    async def act(storage: ConversationStorage) -> bool:
        return await storage.restore(user, chat_id, activate=activate)

    change = partial(chat_model.restore, chat_id=chat_id, activated=activate)
    return Operation("restore", user, act, change)


def purge(user: int, *, deleted_before: str | None = None) -> Operation:
    """Empty the trash; `deleted_before` has to be a time before or after all of what is in it."""
    everything = deleted_before is None or deleted_before > "2050"

    async def act(storage: ConversationStorage) -> int:
        return await storage.purge(user, deleted_before=deleted_before)

    change = partial(chat_model.purge, everything=everything)
    return Operation("purge", user, act, change, chat_model.partly_purged)


def keep_file(user: int, name: str, data: bytes) -> Operation:
    async def act(storage: ConversationStorage) -> str:
        return await storage.keep_file(user, name, data)

    change = partial(chat_model.keep_file, name=name, data=data)
    return Operation("keep file", user, act, change)


def take_damage(user: int) -> Operation:
    async def act(storage: ConversationStorage) -> int:
        return await storage.take_damage(user)

    return Operation("take damage", user, act, chat_model.take_damage)


def flush(user: int) -> Operation:
    async def act(storage: JsonStorage) -> None:
        await storage.flush()

    return Operation("flush", user, act, lambda _: None, holds_others=False)


def listed(metadata: ConversationMetadata) -> dict[str, Any]:
    """A chat's metadata as the model has them."""
    counts = metadata.message_count, metadata.total_tokens
    return {
        **chat_model.facts(metadata),
        "message_count": counts[0],
        "total_tokens": counts[1],
    }
