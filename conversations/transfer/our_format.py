"""A chat in the form of our own files, of any age."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterable
from typing import Any

from .. import json_lines
from ..chat_file import describe
from ..models import Conversation, ConversationMessage, ConversationMetadata, is_metadata
from ..names import DEFAULT_NAME
from .building import cleaned_name, time_of
from .report import ImportLimits, LeftOutReason, Tally

LIST_KEY = "messages"

_MOST_TOKENS = 2**31 - 1
_HIGHEST_ID = 2**63 - 1  # what databases keep in a column for integers


class OurChat:
    """Takes the parts of a chat as they come, in any order."""

    def __init__(self, limits: ImportLimits, tally: Tally, *, now: str) -> None:
        self.head: dict[str, Any] = {}
        self._limits = limits
        self._tally = tally
        self._now = now
        self._messages: deque[ConversationMessage] = deque(maxlen=limits.messages)
        self._count = 0
        self._cut = 0
        self._unreadable = 0

    def take(self, items: Iterable[Any]) -> None:
        """Take messages; those that are none are counted, and too many of them end it."""
        for item in items:
            try:
                message = ConversationMessage.from_dict(item)
            except ValueError:
                self._unreadable += 1
                if self._unreadable > self._limits.messages:
                    return
                continue
            self._count += 1
            self._messages.append(self._sane(message))

    def is_one(self) -> bool:
        """Tell whether what was taken is a chat of ours at all."""
        return bool(self._messages) or is_metadata(self.head.get("metadata"))

    def build(self, unreadable: int = 0) -> Conversation | None:
        """Give the chat with a new id, all else as it was; None where there is nothing in it.

        `unreadable` messages besides those that were taken could not even be decoded.
        """
        raw = self.head.pop("metadata", None)
        self.head.pop(LIST_KEY, None)  # under this key stood something that is no list
        metadata = ConversationMetadata.from_dict(raw, user_id=0, conversation_id=_new_id())
        messages = list(self._messages)
        self._complete(metadata, messages)
        if not messages and metadata.name_source == "default" and not metadata.pinned:
            self._tally.leave_out("empty_chat", metadata.name)
            return None
        left_out: dict[LeftOutReason, int] = {
            "unreadable_message": self._unreadable + unreadable,
            "too_many_messages": self._count - len(messages),
            "text_cut": self._cut,
        }
        for reason, count in left_out.items():
            self._tally.leave_out(reason, metadata.name, count)
        metadata.extra = self._bounded(metadata.extra, metadata.name)
        return Conversation(metadata, messages, self._bounded(self.head, metadata.name))

    def _complete(
        self, metadata: ConversationMetadata, messages: list[ConversationMessage]
    ) -> None:
        metadata.created_at = time_of(metadata.created_at)
        metadata.updated_at = time_of(metadata.updated_at)
        metadata.name = cleaned_name(metadata.name)
        is_named = bool(metadata.name)
        describe(metadata, messages)
        if not is_named:
            metadata.name_source = "default" if metadata.name == DEFAULT_NAME else "question"
        metadata.created_at = metadata.created_at or self._now
        metadata.updated_at = metadata.updated_at or metadata.created_at
        if metadata.deleted_at is not None:
            metadata.deleted_at = self._now  # its time in the trash begins again

    def _sane(self, message: ConversationMessage) -> ConversationMessage:
        """Leave out what no message of ours has, and what could not be stored."""
        if len(message.text) > self._limits.text:
            self._cut += 1
            message.text = message.text[: self._limits.text]
        message.timestamp = time_of(message.timestamp)
        message.tokens = min(message.tokens, _MOST_TOKENS)
        if abs(message.message_id) > _HIGHEST_ID:
            message.message_id = 0
        if message.reply_to is not None and abs(message.reply_to) > _HIGHEST_ID:
            message.reply_to = None
        return message

    def _bounded(self, extra: dict[str, Any], name: str) -> dict[str, Any]:
        """Keep unknown keys, unless they would weigh on every later write."""
        if len(json_lines.encode_item(extra)) <= self._limits.unknown_bytes:
            return extra
        self._tally.leave_out("facts_dropped", name)
        return {}


def is_index(head: dict[str, Any]) -> bool:
    """Tell an index of ours, which says nothing that the chats do not."""
    return isinstance(head.get("conversations"), list) and "last_active_conversation_id" in head


def _new_id() -> str:
    return str(uuid.uuid4())
