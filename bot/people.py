"""What the persons who act have set, as it is stored now."""

from __future__ import annotations

import logging

from conversations import ConversationManager, StorageError

from .person import Person
from .preferences import Preferences
from .texts import Languages

logger = logging.getLogger(__name__)


class People:
    def __init__(self, manager: ConversationManager, languages: Languages) -> None:
        self.languages = languages
        self._manager = manager

    async def know(self, person: Person) -> Person:
        """Give a person as they want to be served now.

        A storage that fails changes nothing: the handler that needs it says so.
        """
        try:
            settings = await self._manager.get_settings(person.user_id)
        except StorageError as error:
            logger.info("settings cannot be read: %s", error)
            return person
        return person.preferring(Preferences.of(settings), self.languages)
