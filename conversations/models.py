"""The seed's records, as dataclasses, and how they are read from JSON that may be old or foreign.

The names of the fields are the file format. Fields behind the seed's own are written only where
they say something, so a plain chat looks in the file as it always did. Keys that we do not know
stay in `extra` and go back into the file at the next write.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from .json_fields import count, number, numbers, text, text_or_none

MessageType = Literal["user_question", "bot_answer"]
SentAs = Literal["message", "file"]
SearchType = Literal["fast", "deep"]
NameSource = Literal["default", "question", "model", "user"]
AnswerState = Literal["partial", "failed"]

_NO_TIME = datetime.min.replace(tzinfo=UTC)


def parse_time(value: str | None) -> datetime:
    """Read an ISO 8601 time; without an offset it is UTC, and what is no time sorts first."""
    try:
        time = datetime.fromisoformat(value or "")
    except ValueError:
        return _NO_TIME
    if time.tzinfo is UTC:
        return time
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        return _NO_TIME


@dataclass(slots=True)
class ConversationMessage:
    """One message of a chat.

    `timestamp` is ISO 8601, stored as given. `message_id` is Telegram's; 0 where there is none yet
    (an answer that was stored but not sent has 0 and `sent_as=None`). `tokens` counts this text.
    `file_path` of a foreign file is data to show, never a path to open.
    """

    timestamp: str
    message_id: int
    type: MessageType
    text: str
    tokens: int = 0
    sent_as: SentAs | None = None
    file_path: str | None = None
    search_type: SearchType | None = None
    reply_to: int | None = None  # the question's message_id, on an answer
    state: AnswerState | None = None  # None: complete
    tokens_estimated: bool = False
    model: str | None = None
    pieces: tuple[int, ...] = ()  # further messages that a long paste, or a long answer, came in
    dialog_id: int | None = None  # Telegram's chat; None: the user's own dialog with the bot
    quote: str | None = None  # what a question quotes of the message that it replies to
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_dict(cls, data: object) -> ConversationMessage:
        """Read one message; missing optional keys get defaults.

        :raises ValueError: it is no object, or `type` or `text` is no string.
        """
        if not isinstance(data, dict):
            raise ValueError("a message is not an object")  # noqa: TRY004 - it is data
        if not is_message(data):
            raise ValueError("a message without type or text")
        message = cls(
            timestamp=text(data.get("timestamp")),
            message_id=number(data.get("message_id")),
            type=text_or_none(data["type"]),
            text=data["text"],
            tokens=count(data.get("tokens")),
            sent_as=text_or_none(data.get("sent_as")),
            file_path=text_or_none(data.get("file_path")),
            search_type=text_or_none(data.get("search_type")),
            reply_to=number(data.get("reply_to")) or None,
            state=text_or_none(data.get("state")),
            tokens_estimated=data.get("tokens_estimated") is True,
            model=text_or_none(data.get("model")),
            pieces=numbers(data.get("pieces")),
            dialog_id=number(data.get("dialog_id")) or None,
            quote=text_or_none(data.get("quote")),
        )
        message.extra = {key: data[key] for key in data if key not in _MESSAGE_KEYS}
        return message

    def copy(self) -> ConversationMessage:
        """Copy it; nothing is shared that can be changed."""
        return ConversationMessage(
            self.timestamp, self.message_id, self.type, self.text, self.tokens, self.sent_as,
            self.file_path, self.search_type, self.reply_to, self.state, self.tokens_estimated,
            self.model, self.pieces, self.dialog_id, self.quote,
            copy.deepcopy(self.extra) if self.extra else {},
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "timestamp": self.timestamp,
            "message_id": self.message_id,
            "type": self.type,
            "text": self.text,
            "tokens": self.tokens,
            "sent_as": self.sent_as,
            "file_path": self.file_path,
            "search_type": self.search_type,
        }
        if self.reply_to is not None:
            data["reply_to"] = self.reply_to
        if self.state is not None:
            data["state"] = self.state
        if self.tokens_estimated:
            data["tokens_estimated"] = True
        if self.model is not None:
            data["model"] = self.model
        if self.pieces:
            data["pieces"] = list(self.pieces)
        if self.dialog_id is not None:
            data["dialog_id"] = self.dialog_id
        if self.quote is not None:
            data["quote"] = self.quote
        return data | self.extra if self.extra else data


@dataclass(slots=True)
class ConversationMetadata:
    """What a list needs to know of a chat: the first line of its file, and its index entry.

    `is_active` is derived from the index's pointer whenever metadata are handed out.
    `total_tokens` is the sum over the messages. `deleted_at` is set on chats in the trash only.
    """

    conversation_id: str
    user_id: int
    username: str
    name: str
    created_at: str
    updated_at: str
    is_active: bool = False
    message_count: int = 0
    total_tokens: int = 0
    pinned: bool = False
    name_source: NameSource = "question"
    mode: SearchType = "fast"  # how the chat's next questions are answered
    instructions: str = ""  # what a model is told beforehand, in this chat alone
    deleted_at: str | None = None
    forked_from: str | None = None  # the id of the chat that this one began as a copy of
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_dict(
        cls, data: object, *, user_id: int, conversation_id: str
    ) -> ConversationMetadata:
        """Read metadata of any age; whose chat it is, and its id, its folder and file name say.

        A missing or blank name stays empty: only the messages can tell a better one.
        """
        raw: dict[str, Any] = data if isinstance(data, dict) else {}
        name = raw.get("name") if isinstance(raw.get("name"), str) else raw.get("title")
        metadata = cls(
            conversation_id=conversation_id,
            user_id=user_id,
            username=text(raw.get("username")),
            name=name if isinstance(name, str) and name.strip() else "",
            created_at=text(raw.get("created_at")),
            updated_at=text(raw.get("updated_at")) or text(raw.get("created_at")),
            is_active=raw.get("is_active") is True,
            message_count=count(raw.get("message_count")),
            total_tokens=count(raw.get("total_tokens")),
            pinned=raw.get("pinned") is True,
            name_source=_name_source(raw.get("name_source")),
            mode="deep" if raw.get("mode") == "deep" else "fast",
            instructions=text(raw.get("instructions")),
            deleted_at=text_or_none(raw.get("deleted_at")),
            forked_from=text_or_none(raw.get("forked_from")),
        )
        metadata.extra = {key: raw[key] for key in raw if key not in _METADATA_KEYS}
        return metadata

    def copy(self) -> ConversationMetadata:
        """Copy them; nothing is shared that can be changed."""
        return ConversationMetadata(
            self.conversation_id, self.user_id, self.username, self.name, self.created_at,
            self.updated_at, self.is_active, self.message_count, self.total_tokens, self.pinned,
            self.name_source, self.mode, self.instructions, self.deleted_at, self.forked_from,
            copy.deepcopy(self.extra) if self.extra else {},
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {key: getattr(self, key) for key in _SEED_METADATA_KEYS}
        if self.pinned:
            data["pinned"] = True
        if self.name_source != "question":
            data["name_source"] = self.name_source
        if self.mode != "fast":
            data["mode"] = self.mode
        if self.instructions:
            data["instructions"] = self.instructions
        if self.deleted_at is not None:
            data["deleted_at"] = self.deleted_at
        if self.forked_from is not None:
            data["forked_from"] = self.forked_from
        # The older spelling of the name follows it, so that older readers see a rename too.
        title = {"title": self.name} if "title" in self.extra else {}
        return data | self.extra | title


@dataclass(slots=True)
class Conversation:
    """A whole chat: its metadata and its messages, oldest first."""

    metadata: ConversationMetadata
    messages: list[ConversationMessage] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)
    # Which stored messages this object has seen; save_conversation() compares. Opaque.
    revision: str | None = field(default=None, repr=False, compare=False)


@dataclass(slots=True)
class UserIndex:
    """One user's chats, in no particular order, and which of them is active.

    `damaged_untold` counts files that had to be put aside and of which the person has not heard.
    `settings` are the person's own, whatever a program keeps there: a JSON object.
    """

    user_id: int
    username: str = ""
    last_active_conversation_id: str | None = None
    conversations: list[ConversationMetadata] = field(default_factory=list)
    damaged_untold: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Build the index format: plain dictionaries, fit for `json.dumps`."""
        return {
            "user_id": self.user_id,
            "username": self.username,
            "last_active_conversation_id": self.last_active_conversation_id,
            **self.extra,
            **({"settings": self.settings} if self.settings else {}),
            "conversations": [metadata.to_dict() for metadata in self.conversations],
        }


@dataclass(frozen=True, slots=True)
class Footprint:
    """How much of one user is stored; `messages` are those of the deleted chats too.

    `files` are long answers that were kept as files, `size` is all of it in bytes.
    """

    chats: int = 0
    deleted_chats: int = 0
    messages: int = 0
    files: int = 0
    size: int = 0


def is_metadata(data: object) -> bool:
    """Tell a chat's metadata from an object of another kind."""
    return isinstance(data, dict) and not _METADATA_KEYS.isdisjoint(data)


def is_message(data: object) -> bool:
    """Tell a message from an object of another kind."""
    return (
        isinstance(data, dict)
        and isinstance(data.get("type"), str)
        and isinstance(data.get("text"), str)
    )


def newest_first(metadata: ConversationMetadata) -> tuple[timedelta, timedelta, str]:
    """Sort key: the latest `updated_at` first, then the latest `created_at`; ids break ties."""
    updated, created = parse_time(metadata.updated_at), parse_time(metadata.created_at)
    return _NO_TIME - updated, _NO_TIME - created, metadata.conversation_id


_MESSAGE_KEYS = frozenset(each.name for each in fields(ConversationMessage)) - {"extra"}
_SEED_METADATA_KEYS = (
    "conversation_id",
    "user_id",
    "username",
    "name",
    "created_at",
    "updated_at",
    "is_active",
    "message_count",
    "total_tokens",
)
_METADATA_KEYS = frozenset(each.name for each in fields(ConversationMetadata)) - {"extra"}
_NAME_SOURCES: Mapping[str, NameSource] = {
    "default": "default",
    "question": "question",
    "model": "model",
    "user": "user",
}


def _name_source(value: object) -> NameSource:
    return _NAME_SOURCES.get(value, "question") if isinstance(value, str) else "question"
