"""A long paste put together again: Telegram's clients cut it at 4096 and send the pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakValueDictionary

from conversations import ConversationMessage

from .incoming import Over
from .rendering import MESSAGE_LIMIT, utf16_length

_LONG = 4000  # UTF-16 units; some clients cut at a word
_PATIENCE = 0.8  # seconds; the pieces of a paste come within milliseconds

Key = tuple[int, int, int | None]  # user, Telegram chat, topic


@dataclass(frozen=True, slots=True)
class HeldPiece:
    """A piece that was stored as a question and may go on in the next message."""

    question: ConversationMessage
    conversation_id: str
    overs: tuple[Over, ...] = ()  # of the updates that it came in


class _Held(NamedTuple):
    piece: HeldPiece
    timer: asyncio.TimerHandle


class Pastes:
    """Holds the answering of a message that looks cut off until it is known to be whole.

    Every piece is stored at once; only the answer waits.
    """

    def __init__(self, *, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._held: dict[Key, _Held] = {}
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    def turn(self, key: Key) -> asyncio.Lock:
        """Give the lock that keeps a person's messages in order while they are put together."""
        lock = self._turns.get(key)
        if lock is None:
            lock = self._turns[key] = asyncio.Lock()
        return lock

    def take(self, key: Key) -> HeldPiece | None:
        """Take the piece that the message at hand goes on with, if there is one."""
        held = self._held.pop(key, None)
        if held is None:
            return None
        held.timer.cancel()
        return held.piece

    def hold(self, key: Key, piece: HeldPiece, whole: Callable[[], object]) -> None:
        """Keep a piece, and call `whole` when nothing follows it."""

        def release() -> None:
            self._held.pop(key, None)
            whole()

        timer = asyncio.get_running_loop().call_later(self._patience, release)
        self._held[key] = _Held(piece, timer)

    def drop(self, user_id: int) -> list[Over]:
        """Forget what is held of a person; give what says that its updates are over."""
        dropped = [held for key, held in self._held.items() if key[0] == user_id]
        self._held = {key: held for key, held in self._held.items() if key[0] != user_id}
        for held in dropped:
            held.timer.cancel()
        return [over for held in dropped for over in held.piece.overs]

    async def abandon(self) -> None:
        """Do as `close` does; for whoever has to wait for what is given up."""
        self.close()

    def close(self) -> None:
        """Forget what is held; the questions are stored."""
        for held in self._held.values():
            held.timer.cancel()
        self._held.clear()


def looks_cut(text: str) -> bool:
    return utf16_length(text) >= _LONG


def join_pieces(first: str, second: str) -> str:
    """Join as the client cut: within a word at the limit, else at a space or line that is gone."""
    last_piece = utf16_length(first) % MESSAGE_LIMIT
    return first + second if last_piece == 0 else f"{first}\n{second}"
