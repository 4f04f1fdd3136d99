"""A chat of ours, built from what another service tells of one."""

from __future__ import annotations

import re
import uuid
from collections import deque
from datetime import UTC, datetime

from ..errors import InvalidNameError
from ..models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    MessageType,
    NameSource,
    parse_time,
)
from ..names import (
    DEFAULT_NAME,
    USER_NAME_LIMIT,
    clean_name,
    clean_text,
    name_from_question,
    shorten,
)
from .report import ImportLimits, Tally

_TOKENS_PER_BYTE = 0.3  # a guess that is high for most languages, so that a context is not too big
_LONGEST_TIME = 64  # characters
_LONGEST_MODEL = 100  # characters
_LOOKED_AT = 1000  # characters of a name
_MILLISECONDS = 1e11  # as seconds this is the year 5138
_NO_TIME = datetime.min.replace(tzinfo=UTC)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class ChatBuilder:
    """Takes a foreign chat's messages in their order.

    They get running negative ids: an answer knows its question by them, and Telegram's own ids,
    which are positive, never meet them, so that an edited message is not taken for one of these.
    """

    def __init__(self, name: str, limits: ImportLimits, tally: Tally, *, now: str) -> None:
        self._name = name
        self._limits = limits
        self._tally = tally
        self._now = now
        self._messages: deque[ConversationMessage] = deque(maxlen=limits.messages)
        self._count = 0
        self._question: int | None = None

    def add(
        self,
        message_type: MessageType,
        text: str,
        *,
        time: str = "",
        model: object = None,
        is_partial: bool = False,
    ) -> None:
        """Add a message; one with nothing in it is left out, one without a time has the last."""
        text = _UNSTORABLE.sub("\ufffd", text).strip("\r\n")
        if not text.strip():
            self._tally.leave_out("empty_message", self._name)
            return
        if len(text) > self._limits.text:
            self._tally.leave_out("text_cut", self._name)
            text = text[: self._limits.text]
        if len(self._messages) == self._limits.messages:
            self._tally.leave_out("too_many_messages", self._name)
        self._count += 1
        is_question = message_type == "user_question"
        message = ConversationMessage(
            timestamp=time or (self._messages[-1].timestamp if self._messages else ""),
            message_id=-self._count,
            type=message_type,
            text=text,
            tokens=round(len(text.encode()) * _TOKENS_PER_BYTE),
            sent_as="message",
            reply_to=None if is_question else self._question,
            state="partial" if is_partial else None,
            tokens_estimated=True,
            model=clean_text(model[:_LONGEST_MODEL]) if isinstance(model, str) and model else None,
        )
        if is_question:
            self._question = message.message_id
        self._messages.append(message)

    def build(self, created_at: str, updated_at: str) -> Conversation | None:
        """Give the chat, or None for an empty one; times that are not known are made up."""
        messages = list(self._messages)
        if not messages:
            self._tally.leave_out("empty_chat", self._name)
            return None
        first = next((message.timestamp for message in messages if message.timestamp), "")
        created_at = created_at or first or updated_at or self._now
        for message in messages:
            if message.timestamp:
                break
            message.timestamp = created_at
        questions = (message.text for message in messages if message.type == "user_question")
        name, source = name_of(self._name, next(questions, ""))
        metadata = ConversationMetadata(
            conversation_id=str(uuid.uuid4()),
            user_id=0,
            username="",
            name=name,
            created_at=created_at,
            updated_at=updated_at or messages[-1].timestamp,
            name_source=source,
        )
        return Conversation(metadata, messages)


def name_of(name: object, first_question: str) -> tuple[str, NameSource]:
    """Clean the name that a chat had; one that says nothing gives way to the first question."""
    cleaned = cleaned_name(name)
    if cleaned and cleaned != DEFAULT_NAME:
        return cleaned, "user"
    asked = name_from_question(first_question, default="")
    return (asked, "question") if asked else (DEFAULT_NAME, "default")


def cleaned_name(name: object) -> str:
    """Make a name as people may give of one that stands in a file; nothing where there is none."""
    text = clean_text(name[:_LOOKED_AT]) if isinstance(name, str) else ""
    try:
        return clean_name(shorten(text, USER_NAME_LIMIT))
    except InvalidNameError:
        return ""


def time_of(value: object) -> str:
    """Give a time as ISO 8601: Unix seconds or milliseconds, or ISO already; else nothing."""
    if isinstance(value, str):
        known = len(value) <= _LONGEST_TIME and parse_time(value) != _NO_TIME
        return value if known else ""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return ""
    try:
        seconds = value / 1000 if value > _MILLISECONDS else value
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        return ""
