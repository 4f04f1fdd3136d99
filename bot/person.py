"""Who acts: the one who wrote or pressed, never the one whose message carries the button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from aiogram.types import CallbackQuery, Message

from .callbacks import owner_mark
from .texts import Languages, Texts


@dataclass(frozen=True, slots=True)
class Person:
    """A user in one Telegram chat; `mark` is what the buttons of their menus carry there."""

    user_id: int
    username: str
    chat_id: int
    texts: Texts

    @classmethod
    def of(cls, event: Message | CallbackQuery, languages: Languages) -> Self | None:
        """None when nobody in particular acts: a channel, an anonymous administrator, a bot."""
        user = event.from_user
        if user is None or user.is_bot:
            return None
        if isinstance(event, CallbackQuery):
            chat_id = event.message.chat.id if event.message else user.id
        elif event.sender_chat is not None:
            return None
        else:
            chat_id = event.chat.id
        username = user.username or user.full_name
        return cls(user.id, username, chat_id, languages.choose(user.language_code))

    @property
    def mark(self) -> str:
        return owner_mark(self.user_id, self.chat_id)

    @property
    def in_private(self) -> bool:
        return self.chat_id == self.user_id
