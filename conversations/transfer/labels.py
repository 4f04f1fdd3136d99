"""The words of an exported chat that are not its own, for one language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..models import Conversation, ConversationMessage, parse_time


@dataclass(frozen=True, slots=True)
class ExportLabels:
    """What stands above a message, and what is said of a chat; `language` is a BCP 47 tag."""

    language: str = "en"
    question: str = "You"
    answer: str = "Assistant"
    partial: str = "stopped"
    failed: str = "failed"
    messages: str = "Messages"
    begun: str = "Begun"

    def author(self, message: ConversationMessage) -> str:
        return self.question if message.type == "user_question" else self.answer

    def remarks(self, message: ConversationMessage) -> list[str]:
        """Give what is to be known of a message besides its author: model, state."""
        states = {"partial": self.partial, "failed": self.failed}
        return [text for text in (message.model, states.get(message.state or "")) if text]

    def facts(self, conversation: Conversation) -> list[str]:
        facts = [f"{self.messages}: {len(conversation.messages)}"]
        begun = shown_time(conversation.metadata.created_at)
        return [*facts, f"{self.begun}: {begun}"] if begun else facts


def shown_time(timestamp: str) -> str:
    """Write a time for people; nothing where there is none."""
    time = parse_time(timestamp)
    return "" if time == datetime.min.replace(tzinfo=UTC) else f"{time:%Y-%m-%d %H:%M} UTC"
