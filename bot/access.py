"""Who sent an update, and whether they may use the bot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .throttle import Throttle

_TOLD_AGAIN_AFTER = 3600.0  # seconds


class Access:
    """Lets in everybody, or those alone who are named; keeps nothing of others on the disk."""

    def __init__(self, allowed_user_ids: Collection[int] = ()) -> None:
        self._allowed = frozenset(allowed_user_ids)
        self._telling = Throttle(_TOLD_AGAIN_AFTER)

    def allows(self, user_id: int) -> bool:
        return not self._allowed or user_id in self._allowed

    def allows_update(self, raw: Mapping[str, Any]) -> bool:
        """Tell of an update as it came whether it is from somebody who is let in."""
        return not self._allowed or sender_of(raw) in self._allowed

    def is_to_be_told(self, user_id: int) -> bool:
        """Tell whether somebody who is not let in shall hear of it now: once an hour, at most."""
        return self._telling.allows(user_id)


def sender_of(raw: Mapping[str, Any]) -> int | None:
    """Tell who sent an update, as it came; None where that is nobody in particular."""
    for event in raw.values():
        if isinstance(event, Mapping):
            who = event.get("from") or event.get("user")
            chat = event.get("chat")
            if who is None and isinstance(chat, Mapping) and chat.get("type") == "private":
                who = chat
            if isinstance(who, Mapping) and isinstance(who.get("id"), int):
                return int(who["id"])
    return None


def concerns(raw: object, user_id: int) -> bool:
    """Tell whether a person stands anywhere in an update, as it came."""
    level = [raw]
    while level:
        item = level.pop()
        if isinstance(item, Mapping):
            if item.get("id") == user_id:
                return True
            level += item.values()
        elif isinstance(item, list):
            level += item
    return False
