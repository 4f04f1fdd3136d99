"""The first words and the help; only where the bot is ours alone."""

from __future__ import annotations

from aiogram import Bot, Router
from aiogram.filters import Command, CommandStart
from aiogram.types import Message

from conversations import ConversationManager

from ..commands import show_commands_to
from ..person import Person


def create_starting_router() -> Router:
    router = Router(name="conversations.starting")
    router.message.register(welcome, CommandStart(ignore_case=True))
    router.message.register(help_, Command("help", ignore_case=True))
    return router


async def welcome(
    message: Message, bot: Bot, person: Person, manager: ConversationManager
) -> None:
    await message.answer(person.texts("welcome", days=manager.trash_kept.days), parse_mode=None)
    if person.preferences.language is not None:  # what it lists may be older than the bot
        await show_commands_to(bot, person)


async def help_(message: Message, person: Person) -> None:
    text = person.texts("help")
    if not person.in_private:
        text = f"{text}\n\n{person.texts('group-hint')}"
    await message.answer(text, parse_mode=None)
