"""The last messages of a chat, decoded once and handed out as copies."""

from __future__ import annotations

from collections.abc import Iterable

from .json_values import decode_sound
from .models import ConversationMessage

_KEPT = 50  # what is asked for at a time, to answer a question
_MESSAGE_BYTES = 2500  # about what a decoded message takes in memory


class Recent:
    def __init__(self, messages: list[ConversationMessage], *, is_all: bool) -> None:
        """`is_all` tells that there are no earlier ones. What is given belongs to this object."""
        self._messages = messages[-_KEPT:]
        self._added: list[bytes] = []  # behind them, and not decoded yet
        self._is_all = is_all and len(messages) <= _KEPT

    @property
    def cached_bytes(self) -> int:
        return _MESSAGE_BYTES * (len(self._messages) + len(self._added))

    def add(self, line: bytes) -> None:
        self._added.append(line)
        if len(self._added) > _KEPT:
            del self._added[0]
            self._messages.clear()
            self._is_all = False

    def replace(self, behind: int, line: bytes) -> bool:
        """Put a line in the place of the one that `behind` others follow; False where that is old.

        It was added a moment ago where an answer is stored, sent, and noted as sent.
        """
        if behind >= len(self._added):
            return False
        self._added[-1 - behind] = line
        return True

    def last(self, limit: int) -> list[ConversationMessage] | None:
        """Give the last `limit` messages, oldest first; None where so many are not here."""
        if self._added:
            self._messages += read_messages(self._added)[0]
            self._added.clear()
            self._is_all = self._is_all and len(self._messages) <= _KEPT
            del self._messages[:-_KEPT]
        if limit > len(self._messages) and not self._is_all:
            return None
        return [message.copy() for message in self._messages[-limit:]]


def read_messages(lines: Iterable[bytes]) -> tuple[list[ConversationMessage], int]:
    """Decode lines that were checked or written by us; tell how many are no messages."""
    messages, unreadable = [], 0
    for line in lines:
        try:
            messages.append(ConversationMessage.from_dict(decode_sound(line)))
        except ValueError:
            unreadable += 1
    return messages, unreadable
