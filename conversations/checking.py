"""What callers give, checked before a storage is asked."""

from __future__ import annotations

from .models import ConversationMessage
from .storage import is_valid_id


def check_type(value: object, expected: type, name: str) -> None:
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise TypeError(f"{name} must be {expected.__name__}, not {type(value).__name__}")


def check_message(message: ConversationMessage) -> None:
    check_type(message, ConversationMessage, "message")
    for name in ("timestamp", "type", "text"):
        check_type(getattr(message, name), str, f"message.{name}")
    for name in ("message_id", "tokens"):
        check_type(getattr(message, name), int, f"message.{name}")


def is_found(user_id: int, conversation_id: str) -> bool:
    """Check the types, and tell whether a chat may have this id at all."""
    check_type(user_id, int, "user_id")
    check_type(conversation_id, str, "conversation_id")
    return is_valid_id(conversation_id)
