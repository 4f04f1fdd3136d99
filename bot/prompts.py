"""Questions that are answered by a reply, without any state: the button on them says what for."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from aiogram import Bot
from aiogram.filters import Filter
from aiogram.types import InlineKeyboardMarkup, Message

from .callbacks import (
    ChatButton,
    InstructionsButton,
    SearchButton,
    TransferButton,
    chat_of_card,
)
from .person import Person
from .show import delete_quietly

_Prompt = ChatButton | InstructionsButton | SearchButton | TransferButton


class ReplyTo(Filter):
    """Recognises an answer to our question by the cancel button on it; commands are no answers."""

    def __init__(self, kind: type[_Prompt], cancel: StrEnum) -> None:
        self._kind = kind
        self._cancel = cancel

    async def __call__(self, message: Message, bot: Bot) -> bool | dict[str, Any]:
        asked = message.reply_to_message
        if asked is None or asked.from_user is None or asked.from_user.id != bot.id:
            return False
        if message.text is not None and message.text.startswith("/"):
            return False
        button = self._button(asked.reply_markup)
        return {"callback_data": button} if button is not None else False

    def _button(self, markup: InlineKeyboardMarkup | None) -> _Prompt | None:
        for row in markup.inline_keyboard if markup else []:
            for button in row:
                try:
                    data = self._kind.unpack(button.callback_data or "")
                except (TypeError, ValueError):
                    continue
                if data.action is self._cancel:
                    return data
        return None


async def is_refused(message: Message, asked: _Prompt, person: Person) -> bool:
    """Tell whether somebody else answers what we have asked in a group, and say so."""
    if asked.owner == person.mark:
        return False
    await message.reply(person.texts("not-yours"), parse_mode=None)
    return True


async def remove_prompt(message: Message, bot: Bot) -> None:
    """Remove the question to which a message is the answer; it has been answered."""
    if message.reply_to_message is not None:
        await delete_quietly(bot, message.chat.id, message.reply_to_message.message_id)


def shown_chat(message: Message, bot: Bot, person: Person) -> str | None:
    """Give the chat that a message of ours is about: its card, a failure, a growing answer."""
    if message.from_user is None or message.from_user.id != bot.id:
        return None
    return chat_of_card(message.reply_markup, person.mark)
