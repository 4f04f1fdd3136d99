"""A long paste put together again: Telegram's clients cut it at 4096 and send the pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from conversations import ConversationMessage

from .incoming import Over
from .rendering import MESSAGE_LIMIT, utf16_length
from .tasks import cancel_all

_LONG = 4000  # UTF-16 units; some clients cut at a word
_PATIENCE = 0.8  # seconds; the pieces of a paste come within milliseconds

Key = tuple[int, int, int | None]  # user, Telegram chat, topic


@dataclass(frozen=True, slots=True)
class HeldPiece:
    """A piece that was stored as a question and may go on in the next message.

    `overs` are of the updates that it came in; `hand_on` has it answered when it is whole.
    """

    question: ConversationMessage
    conversation_id: str
    overs: tuple[Over, ...]
    hand_on: Callable[[], Coroutine[Any, Any, None]]


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
        self._handing_on: dict[asyncio.Task[None], tuple[Key, HeldPiece]] = {}
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    def turn(self, key: Key) -> asyncio.Lock:
        """Give the lock that keeps a person's messages in order while they are put together."""
        lock = self._turns.get(key)
        if lock is None:
            lock = self._turns[key] = asyncio.Lock()
        return lock

    def take(self, key: Key) -> HeldPiece | None:
        """Take a piece before it is handed on, if there is one; its next message has come."""
        held = self._held.pop(key, None)
        if held is None:
            return None
        held.timer.cancel()
        return held.piece

    def hold(self, key: Key, piece: HeldPiece) -> None:
        """Keep a piece, and hand it on when nothing follows it.

        What is held there already has not gone on, and is whole.
        """
        self._release(key)
        timer = asyncio.get_running_loop().call_later(self._patience, self._release, key)
        self._held[key] = _Held(piece, timer)

    async def drop(self, user_id: int) -> None:
        """Forget what is held of a person; the updates that it came in are over."""
        dropped = [self.take(key) for key in list(self._held) if key[0] == user_id]
        handed = {
            task: piece for task, (key, piece) in self._handing_on.items() if key[0] == user_id
        }
        await cancel_all(handed)
        for piece in (*dropped, *handed.values()):
            for over in piece.overs if piece is not None else ():
                await over()

    async def close(self) -> None:
        """Forget what is held; the questions are stored."""
        for key in list(self._held):
            self.take(key)
        await cancel_all(self._handing_on)

    def _release(self, key: Key) -> None:
        piece = self.take(key)
        if piece is not None:
            task = asyncio.create_task(piece.hand_on())
            self._handing_on[task] = (key, piece)
            task.add_done_callback(self._handing_on.pop)


def looks_cut(text: str) -> bool:
    return utf16_length(text) >= _LONG


def join_pieces(first: str, second: str) -> str:
    """Join as the client cut: within a word at the limit, else at a space or line that is gone."""
    last_piece = utf16_length(first) % MESSAGE_LIMIT
    return first + second if last_piece == 0 else f"{first}\n{second}"
