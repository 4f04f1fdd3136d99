"""The rules by themselves: how a chat is called, how chats are ordered, what a caller is shown."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

Facts = dict[str, Any]
Chat = dict[str, Any]  # "facts", "messages", "extra"; counts and the active flag are derived
# "username", "active", "chats", "trash", "files", "settings", "ever": all ids that there were,
# "is_doubtful": whether the username may be another one
User = dict[str, Any]

_ALWAYS_WRITTEN = (
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


def is_id(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9_-]{1,48}", text)) and text.lower() != "index"


def name_of(question: str) -> str:
    """Give whole words of at most 30 characters with the dots; "" where nothing is visible."""
    text = cleaned(question)
    if not is_visible(text):
        return ""
    if len(text) <= 30:
        return text
    kept = ""
    for word in text.split(" "):
        if len(f"{kept} {word}".strip()) > 27:
            break
        kept = f"{kept} {word}".strip()
    if not kept:  # one long word: an accent stays with its letter
        end = 27
        while unicodedata.category(text[end]).startswith("M"):
            end -= 1
        kept = text[:end]
    return kept + "..."


def cleaned(text: str) -> str:
    """Make one line of it, without what has no place in a line."""
    spaced = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    unseen = {"Cf", "Cs", "Co", "Cn"}
    return " ".join("".join(c for c in spaced if unicodedata.category(c) not in unseen).split())


def is_visible(text: str) -> bool:
    return any(unicodedata.category(c)[0] not in "CMZ" and c not in "\u2800\u3164" for c in text)


def shown(user: User, conversation_id: str) -> Facts:
    """Give a chat's metadata as a caller gets them."""
    deleted = conversation_id in user["trash"]
    chat = user["trash" if deleted else "chats"][conversation_id]
    facts: Facts = chat["facts"] | counts(chat["messages"])
    return facts if deleted else facts | {"is_active": conversation_id == user["active"]}


def counts(messages: list[Facts]) -> Facts:
    tokens = [message["tokens"] for message in messages]
    return {"message_count": len(tokens), "total_tokens": sum(tokens)}


def written(facts: Facts) -> Facts:
    """Give what stands in the index: the seed's keys, and of the others what says something."""
    plain = {
        "pinned": False,
        "name_source": "question",
        "mode": "fast",
        "instructions": "",
        "deleted_at": None,
        "forked_from": None,
    }
    entry: Facts = {key: facts[key] for key in _ALWAYS_WRITTEN}
    entry |= {key: facts[key] for key in plain if facts[key] != plain[key]}
    entry |= facts["extra"]
    return entry


def written_message(message: Facts) -> Facts:
    """Give what stands in the file: the seed's keys, and of the others what says something."""
    more = {
        "reply_to": None,
        "state": None,
        "tokens_estimated": False,
        "model": None,
        "pieces": (),
        "dialog_id": None,
        "quote": None,
    }
    entry = {key: value for key, value in message.items() if key not in {*more, "extra"}}
    entry |= {key: message[key] for key in more if message[key] != more[key]}
    return entry | dict(message["extra"])


def is_untouched(chat: Chat) -> bool:
    facts = chat["facts"]
    touched = chat["messages"] or facts["pinned"] or facts["instructions"]
    return not touched and facts["name_source"] == "default"


def newest_first(chats: list[Facts]) -> list[Facts]:
    by_id = sorted(chats, key=lambda facts: facts["conversation_id"])
    times = ("updated_at", "created_at")
    return sorted(by_id, key=lambda facts: [time_of(facts[key]) for key in times], reverse=True)


def time_of(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
