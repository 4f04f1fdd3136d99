"""Everything that the playground knows, in one place: the bot, its dialogs, files and updates."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from .dialogs import Dialog, Message, Person, Wire
from .errors import BotApiError
from .files import Files
from .profile import BotProfile
from .updates import Updates
from .webhooks import Webhooks

BOT_ID: Final = 7_000_000_001
_BOT_USERNAME: Final = "playground_bot"
_STATE_VERSION: Final = 1


class World:
    def __init__(
        self, persons: Iterable[Person], *, folder: Path | None, changed: Callable[[], None]
    ) -> None:
        self._changed = changed
        self._persons = tuple(persons)
        self.profile = BotProfile()
        self.files = Files(folder, changed)
        self.updates = Updates(changed)
        self.webhooks = Webhooks(self.updates)
        self.inline_queries: dict[str, asyncio.Future[Wire]] = {}  # those that wait, by their id
        self.dialogs = {p.user_id: Dialog(p, self.bot_user()) for p in self._persons}

    def bot_user(self) -> Wire:
        return {
            "id": BOT_ID,
            "is_bot": True,
            "first_name": self.profile.name(""),
            "username": _BOT_USERNAME,
        }

    def dialog(self, chat_id: int | str) -> Dialog:
        """The dialog of a chat, as a bot may name it. Raises BotApiError."""
        try:
            return self.dialogs[int(chat_id)]
        except (KeyError, ValueError):
            raise BotApiError("chat not found") from None

    async def keep(self, gone: list[Message]) -> None:
        """After a change of a dialog: its state is to be saved, the files of ``gone`` may go."""
        self._changed()
        used = {m.file_id for d in self.dialogs.values() for m in d.messages.values()}
        await self.files.discard({m.file_id for m in gone if m.file_id} - used)

    def profile_changed(self) -> None:
        """Shows the bot's new name, commands and descriptions to everybody."""
        self._changed()
        for dialog in self.dialogs.values():
            dialog.bot_user = self.bot_user()
            dialog.feed.publish({"type": "bot", "bot": self.bot_view(dialog)})

    def bot_view(self, dialog: Dialog) -> Wire:
        """The bot as this person's client shows it."""
        language = dialog.person.language_code
        return self.bot_user() | {
            "first_name": self.profile.name(language),
            "description": self.profile.text("description", language),
            "short_description": self.profile.text("short_description", language),
            "commands": self.profile.commands_for(dialog.person.user_id, language),
            "menu_button": self.profile.menu_button(dialog.person.user_id),
        }

    def view(self, dialog: Dialog) -> Wire:
        """The whole dialog, as the page draws it."""
        return {
            "version": dialog.feed.version,
            "person": dialog.person.user(),
            "bot": self.bot_view(dialog),
            "messages": [dialog.view(message) for message in dialog.messages.values()],
            "drafts": [draft.view() for draft in dialog.drafts.values()],
            "chat_action": dialog.chat_action,
            "pending": [query.view() for query in dialog.queries.values()],
            "answers": list(dialog.answers),
        }

    def close(self) -> None:
        """Wakes everybody who waits, and sends them away."""
        self.updates.close()
        for answered in self.inline_queries.values():
            answered.cancel()
        for dialog in self.dialogs.values():
            dialog.close()

    def to_json(self) -> dict[str, Any]:
        return {
            "version": _STATE_VERSION,
            "profile": self.profile.to_json(),
            "files": self.files.to_json(),
            "updates": self.updates.to_json(),
            "dialogs": {str(user_id): d.to_json() for user_id, d in self.dialogs.items()},
        }

    def restore(self, data: dict[str, Any]) -> None:
        """All or nothing: raises ValueError, TypeError, KeyError or AttributeError."""
        trial = World(self._persons, folder=None, changed=lambda: None)
        trial._take(data)
        for dialog in trial.dialogs.values():
            trial.view(dialog)
        self._take(data)

    def _take(self, data: dict[str, Any]) -> None:
        if data["version"] != _STATE_VERSION:
            raise ValueError(f"version {data['version']} of the state is not known here")
        self.profile.restore(data["profile"])
        self.files.restore(data["files"])
        self.updates.restore(data["updates"])
        for user_id, dialog in self.dialogs.items():
            dialog.restore(data["dialogs"][str(user_id)])
            dialog.bot_user = self.bot_user()
