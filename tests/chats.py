"""Chats to begin a story with."""

from __future__ import annotations

from conversations import ConversationManager, ConversationMessage


def question(number: int, text: str = "question") -> ConversationMessage:
    return ConversationMessage(
        timestamp=f"2026-01-01T00:00:{number % 60:02}+00:00",
        message_id=number,
        type="user_question",
        text=text,
    )


async def fill(manager: ConversationManager, user_id: int, count: int) -> list[str]:
    """Make chats "Chat 1" to "Chat n", the last one active and newest."""
    return [
        await manager.create_conversation(user_id, "person", f"Chat {number}")
        for number in range(1, count + 1)
    ]
