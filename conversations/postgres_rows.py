"""What stands in the rows of PostgreSQL for chats and messages, and how it is read back."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from . import json_lines
from .models import ConversationMessage, ConversationMetadata, parse_time
from .search import fold

if TYPE_CHECKING:
    import asyncpg

logger = logging.getLogger(__name__)

_ESCAPE = "\x1a"
_UNFIT = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


def to_column(text: str) -> str:
    """Escape what a column of text cannot hold, NUL and surrogates: U+001A and four digits."""
    return _UNFIT.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", text)


def from_column(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def to_json(extra: dict[str, Any]) -> str | None:
    """Encode keys that we do not know; the column stays empty where there are none.

    :raises ValueError: as `json_lines.encode_item` does.
    """
    return json_lines.encode_item(extra).decode() if extra else None


def from_json(extra: str | None) -> dict[str, Any]:
    return json.loads(extra) if extra else {}


class MessageRow(NamedTuple):
    """A message without its place: the columns of `messages`, in their order."""

    hash: bytes
    time: datetime
    text: str
    facts: str
    folded: str
    is_question: bool
    message_id: str
    pieces: list[str] | None


def to_row(message: ConversationMessage) -> MessageRow:
    """Lay out a message.

    :raises ValueError: as `json_lines.encode_item` does.
    """
    data = message.to_dict()
    digest = hashlib.blake2b(json_lines.encode_item(data), digest_size=16).digest()
    facts = {
        key: value
        for key, value in data.items()
        if key != "text" and (value is not None or key in message.extra)
    }
    return MessageRow(
        digest,
        parse_time(message.timestamp),
        to_column(message.text),
        json_lines.encode_item(facts).decode(),
        to_column(fold(message.text)),
        message.type == "user_question",
        str(message.message_id),
        [*map(str, message.pieces)] or None,
    )


def to_messages(rows: Iterable[asyncpg.Record]) -> list[ConversationMessage]:
    """Read messages from their `text` and `facts`; one that is none must not hide the others."""
    messages = []
    for row in rows:
        try:
            data = json.loads(row["facts"]) | {"text": from_column(row["text"])}
            messages.append(ConversationMessage.from_dict(data))
        except (ValueError, TypeError):
            logger.exception("a message in the database cannot be read")
    return messages


def to_metadata(row: asyncpg.Record, active_id: str | None) -> ConversationMetadata:
    """Read a row of `conversations`, with the flag that only the user's row can tell."""
    deleted_at, forked_from = row["deleted_at"], row["forked_from"]
    is_active = row["conversation_id"] == active_id
    return ConversationMetadata(
        conversation_id=row["conversation_id"],
        user_id=row["user_id"],
        username=from_column(row["username"]),
        name=from_column(row["name"]),
        created_at=from_column(row["created_at"]),
        updated_at=from_column(row["updated_at"]),
        is_active=row["was_active"] if deleted_at is not None else is_active,
        message_count=row["message_count"],
        total_tokens=row["total_tokens"],
        pinned=row["pinned"],
        name_source=row["name_source"],
        mode=row["mode"],
        instructions=from_column(row["instructions"]),
        deleted_at=None if deleted_at is None else from_column(deleted_at),
        forked_from=None if forked_from is None else from_column(forked_from),
        extra=from_json(row["extra"]),
    )


def is_untouched(chat: asyncpg.Record) -> bool:
    """Tell a chat that is empty, and that nobody named, pinned or instructed."""
    touched = chat["message_count"] or chat["pinned"] or chat["instructions"]
    return not touched and chat["name_source"] == "default"


def revision(hashes: Iterable[bytes]) -> str:
    """Name the messages of a chat by their hashes, the oldest first: the same ones, the same."""
    return hashlib.sha256(b"".join(hashes)).hexdigest()
