"""Who acts: the one who wrote or pressed, never the one whose message carries the button."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from aiogram.types import CallbackQuery, InlineQuery, Message

from .callbacks import owner_mark
from .preferences import Preferences
from .texts import Languages, Texts


@dataclass(frozen=True, slots=True)
class Person:
    """A user in one Telegram chat; `mark` is what the buttons of their menus carry there.

    `language_code` is Telegram's; `texts` follow the language that the person has set, else it.
    """

    user_id: int
    username: str
    chat_id: int
    texts: Texts
    language_code: str | None = None
    preferences: Preferences = field(default_factory=Preferences)

    @classmethod
    def of(cls, event: Message | CallbackQuery | InlineQuery, languages: Languages) -> Self | None:
        """None when nobody in particular acts: a channel, an anonymous administrator, a bot.

        What they have set is not known yet; `People` knows it.
        """
        user = event.from_user
        if user is None or user.is_bot:
            return None
        if isinstance(event, InlineQuery):
            chat_id = user.id
        elif isinstance(event, CallbackQuery):
            chat_id = event.message.chat.id if event.message else user.id
        elif event.sender_chat is not None:
            return None
        else:
            chat_id = event.chat.id
        username = user.username or user.full_name
        code = user.language_code
        return cls(user.id, username, chat_id, languages.choose(code), code)

    def preferring(self, preferences: Preferences, languages: Languages) -> Person:
        texts = languages.choose(preferences.language or self.language_code)
        return replace(self, texts=texts, preferences=preferences)

    @property
    def mark(self) -> str:
        return owner_mark(self.user_id, self.chat_id)

    @property
    def dialog_id(self) -> int | None:
        """The Telegram chat as stored messages name it: None for the person's own dialog."""
        return None if self.in_private else self.chat_id

    @property
    def in_private(self) -> bool:
        return self.chat_id == self.user_id
