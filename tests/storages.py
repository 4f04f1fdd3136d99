"""What the tests of `conversations` share: messages, clocks, foreign folders, whole trees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from conversations import (
    ConversationManager,
    ConversationMessage,
    ConversationMetadata,
    ConversationStorage,
    JsonStorage,
)

USER = 1001
LATER = "2026-05-02T00:00:00+00:00"


class Clock:
    """A clock that goes on by a second whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@asynccontextmanager
async def opened(root: Path, **options: Any) -> AsyncIterator[JsonStorage]:
    storage = JsonStorage(root, **options)
    try:
        yield storage
    finally:
        await storage.close()


@asynccontextmanager
async def managed(root: Path, *, raise_errors: bool = True) -> AsyncIterator[ConversationManager]:
    """Open a folder as a newly started process would."""
    async with opened(root) as storage:
        yield ConversationManager(storage, raise_errors=raise_errors, clock=Clock())


def question(text: str, message_id: int = 1, tokens: int = 0) -> ConversationMessage:
    return ConversationMessage(
        timestamp="2026-05-01T12:00:00+00:00",
        message_id=message_id,
        type="user_question",
        text=text,
        tokens=tokens,
    )


def answer(text: str, message_id: int = 2, tokens: int = 0) -> ConversationMessage:
    return ConversationMessage(
        timestamp="2026-05-01T12:00:01+00:00",
        message_id=message_id,
        type="bot_answer",
        text=text,
        tokens=tokens,
        sent_as="message",
    )


def new_chat(
    conversation_id: str,
    *,
    user_id: int = USER,
    minute: int = 0,
    name: str = "",
    username: str = "",
) -> ConversationMetadata:
    """Describe an empty chat; without a name it is one that stands in until it gets its own."""
    time = f"2026-05-01T10:{minute:02}:00+00:00"
    return ConversationMetadata(
        conversation_id=conversation_id,
        user_id=user_id,
        username=username,
        name=name or "New chat",
        created_at=time,
        updated_at=time,
        name_source="question" if name else "default",
    )


def texts(messages: list[ConversationMessage]) -> list[str]:
    return [message.text for message in messages]


async def texts_in(storage: ConversationStorage, conversation_id: str) -> list[str]:
    conversation = await storage.load(USER, conversation_id)
    assert conversation is not None
    return texts(conversation.messages)


async def append(storage: ConversationStorage, chat: str, text: str, message_id: int = 1) -> bool:
    message = question(text, message_id, tokens=5)
    return await storage.append(USER, chat, message, updated_at=LATER)


def tree(root: Path) -> dict[str, bytes | None]:
    """Give every path under a folder with its bytes, None for a folder; but for the lock."""
    paths = (path for path in root.rglob("*") if path.name != ".lock")
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in paths
    }


def write_json(path: Path, data: Any, *, indent: int | None = 2) -> Path:
    """Write a file as the seed did: indented, raw Unicode, no newline at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, ensure_ascii=False, indent=indent), encoding="utf-8")
    return path


def old_metadata(conversation_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "conversation_id": conversation_id,
        "user_id": USER,
        "username": "anna",
        "name": f"Chat {conversation_id}",
        "created_at": "2025-10-04T07:59:00.123456",
        "updated_at": "2025-10-04T08:00:00.123456",
        "is_active": True,
        "message_count": 2,
        "total_tokens": 120,
    } | changes


def old_message(text: str, **changes: Any) -> dict[str, Any]:
    return {
        "timestamp": "2025-10-04T07:59:30.000001",
        "message_id": 0,
        "type": "user_question",
        "text": text,
        "tokens": 0,
        "sent_as": None,
        "file_path": None,
        "search_type": "fast",
    } | changes


def old_messages(conversation_id: str) -> list[dict[str, Any]]:
    return [
        old_message(f"question of {conversation_id}"),
        old_message(
            f"answer of {conversation_id}",
            type="bot_answer",
            message_id=17,
            tokens=120,
            sent_as="message",
        ),
    ]


def old_folder(root: Path, *conversation_ids: str, active: str | None = None) -> Path:
    """Build a folder as the seed left it: an indented index and an indented file a chat."""
    folder = root / f"user_{USER}"
    for conversation_id in conversation_ids:
        chat = {
            "metadata": old_metadata(conversation_id),
            "messages": old_messages(conversation_id),
        }
        write_json(folder / f"{conversation_id}.json", chat)
    index = {
        "user_id": USER,
        "username": "anna",
        "last_active_conversation_id": active or conversation_ids[0],
        "conversations": [old_metadata(chat_id) for chat_id in conversation_ids],
    }
    write_json(folder / "index.json", index)
    return folder


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)
