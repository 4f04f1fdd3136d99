"""Erasing everything that the bot keeps of a person, wherever it is kept."""

from __future__ import annotations

from contextlib import nullcontext

from conversations import ConversationManager

from .answering import Answering
from .pastes import Pastes


class Forgetting:
    """Knows the places: what is stored, and what is held in memory to be stored or sent.

    Not the inbox: only a handler knows when its own update is over.
    """

    def __init__(
        self, manager: ConversationManager, answering: Answering | None, pastes: Pastes
    ) -> None:
        self._manager = manager
        self._answering = answering
        self._pastes = pastes

    async def erase(self, user_id: int) -> None:
        """Give up a person's answers, and erase what is stored; both may be done again.

        What the person asks while this runs is erased with the rest, or begins anew after it.

        :raises StorageError: something could not be erased; calling it again goes on.
        """
        silence = self._answering.silence(user_id) if self._answering else nullcontext()
        async with silence:
            await self._pastes.drop(user_id)
            await self._manager.erase_user(user_id)
