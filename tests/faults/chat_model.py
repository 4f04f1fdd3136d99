"""What a storage of chats must do, as plain dictionaries: `ConversationStorage` without a disk.

A user's state is `{"username", "active", "damage", "chats", "trash", "files"}`; chats and trash
hold by id what `new_chat` gives.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from conversations import ConversationMessage, ConversationMetadata
from tests.faults.operations import REFUSED, State

Chat = dict[str, Any]

_FACTS = ("username", "name", "name_source", "created_at", "updated_at", "pinned", "mode")


def empty() -> State:
    return {"username": "", "active": None, "damage": 0, "chats": {}, "trash": {}, "files": {}}


def facts(metadata: ConversationMetadata) -> Chat:
    """What is known of a chat, but for what follows from its messages."""
    return {key: getattr(metadata, key) for key in _FACTS}


def new_chat(metadata: ConversationMetadata) -> Chat:
    return {**facts(metadata), "messages": []}


def create(state: State, metadata: ConversationMetadata, unless_active: str | None) -> str:
    active: str | None = state["active"]
    if active is not None and (
        unless_active == "any" or (unless_active == "empty" and is_untouched(state, active))
    ):
        return active
    stored = state["chats"].get(metadata.conversation_id)
    if stored and (stored["messages"] or stored["created_at"] != metadata.created_at):
        return REFUSED
    state["chats"][metadata.conversation_id] = new_chat(metadata)
    state["active"] = metadata.conversation_id
    state["username"] = metadata.username or state["username"]
    return metadata.conversation_id


def append(
    state: State,
    chat_id: str,
    message: ConversationMessage,
    *,
    updated_at: str,
    first_name: str | None,
    include_deleted: bool = False,
) -> bool:
    chat = _find(state, chat_id, include_deleted=include_deleted)
    if chat is None:
        return False
    _add(chat, message.to_dict(), updated_at, first_name)
    return True


def append_to_active(
    state: State,
    fallback: ConversationMetadata,
    message: ConversationMessage,
    *,
    updated_at: str,
    first_name: str | None,
) -> dict[str, Any]:
    if state["active"] is None:
        create(state, fallback, None)
    chat = state["chats"][state["active"]]
    _add(chat, message.to_dict() | {"search_type": chat["mode"]}, updated_at, first_name)
    return {"id": state["active"], **counted(chat)}


def replace(
    state: State,
    chat_id: str,
    old: ConversationMessage,
    new: ConversationMessage,
    *,
    include_deleted: bool = False,
) -> bool:
    chat = _find(state, chat_id, include_deleted=include_deleted)
    if chat is None:
        return False
    messages, sought, put = chat["messages"], old.to_dict(), new.to_dict()
    for place in reversed(range(len(messages))):
        if messages[place] == sought:
            messages[place] = put
            return True
    return put in messages


def rename(state: State, chat_id: str, name: str, source: str) -> bool:
    chat = _find(state, chat_id)
    if chat is None or (source == "model" and chat["name_source"] == "user"):
        return False
    chat["name"], chat["name_source"] = name, source
    return True


def change(state: State, chat_id: str, **changes: object) -> bool:
    chat = _find(state, chat_id)
    if chat is None:
        return False
    chat.update(changes)
    return True


def save(state: State, chat_id: str, name: str, message: ConversationMessage) -> bool:
    """Save a chat that was loaded, got a name and, where it is not there yet, a message."""
    chat = _find(state, chat_id)
    if chat is None:
        return False
    chat["name"] = name
    if message.to_dict() not in chat["messages"]:
        chat["messages"].append(message.to_dict())
    return True


def save_new(state: State, metadata: ConversationMetadata) -> bool:
    chat_id = metadata.conversation_id
    if chat_id in state["trash"] or state["chats"].get(chat_id, {}).get("messages"):
        return False
    state["chats"][chat_id] = new_chat(metadata)
    if state["active"] is None:
        state["active"] = chat_id
    return True


def activate(state: State, chat_id: str) -> bool:
    if chat_id not in state["chats"]:
        return False
    state["active"] = chat_id
    return True


def delete(state: State, chat_id: str, successor: ConversationMetadata) -> bool:
    chats = state["chats"]
    if chat_id not in chats:
        return False
    state["trash"][chat_id] = chats.pop(chat_id)
    if not chats:
        chats[successor.conversation_id] = new_chat(successor)
    if state["active"] == chat_id:
        state["active"] = max(
            chats, key=lambda c: (chats[c]["updated_at"], chats[c]["created_at"])
        )
    return True


def restore(state: State, chat_id: str, *, activated: bool) -> bool:
    if chat_id not in state["trash"] or chat_id in state["chats"]:
        return False
    stand_in = state["active"]
    state["chats"][chat_id] = state["trash"].pop(chat_id)
    if activated:
        if stand_in is not None and is_untouched(state, stand_in):
            del state["chats"][stand_in]
        state["active"] = chat_id
    return True


def purge(state: State, *, everything: bool) -> int:
    removed = len(state["trash"]) if everything else 0
    if everything:
        state["trash"].clear()
    return removed


def partly_purged(state: State) -> Iterator[State]:
    """Chats are removed one after another, in any order."""
    trash = state["trash"]
    for count in range(1, len(trash)):
        for left in itertools.combinations(trash, count):
            yield {**state, "trash": {chat_id: trash[chat_id] for chat_id in left}}


def keep_file(state: State, name: str, data: bytes) -> str:
    state["files"][name] = data
    return f"files/{name}"


def take_damage(state: State) -> int:
    count: int = state["damage"]
    state["damage"] = 0
    return count


def is_untouched(state: State, chat_id: str) -> bool:
    chat = state["chats"][chat_id]
    return not (chat["messages"] or chat["pinned"]) and chat["name_source"] == "default"


def counted(chat: Chat) -> dict[str, Any]:
    """A chat as a list shows it: its messages only counted."""
    shown = {key: chat[key] for key in _FACTS}
    shown["message_count"] = len(chat["messages"])
    shown["total_tokens"] = sum(message["tokens"] for message in chat["messages"])
    return shown


def _find(state: State, chat_id: str, *, include_deleted: bool = False) -> Chat | None:
    chat: Chat | None = state["chats"].get(chat_id)
    if chat is None and include_deleted:
        chat = state["trash"].get(chat_id)
    return chat


def _add(chat: Chat, message: dict[str, Any], updated_at: str, first_name: str | None) -> None:
    if message not in chat["messages"]:
        chat["messages"].append(message)
        chat["updated_at"] = max(chat["updated_at"], updated_at)
    is_first = message["type"] == "user_question" and chat["name_source"] == "default"
    if is_first and first_name is not None:
        chat["name"], chat["name_source"] = first_name, "question"
