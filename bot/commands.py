"""What Telegram shows before the first word: the commands and descriptions, per language."""

from __future__ import annotations

import logging

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import BotCommand, BotCommandScopeChat

from .person import Person
from .texts import Languages, Texts

logger = logging.getLogger(__name__)

# In the order of the command menu. /start is Telegram's own button.
COMMANDS = (
    "new",
    "chats",
    "search",
    "rename",
    "fork",
    "delete",
    "trash",
    "again",
    "stop",
    "mode",
    "instructions",
    "export",
    "import",
    "settings",
    "forget",
    "help",
)


async def register_commands(bot: Bot, languages: Languages) -> None:
    """Tell Telegram what changed; what is as it should be is left alone, for it is rate-limited.

    English is what everybody gets whose language we do not have.
    """
    for texts in languages:
        code = None if texts.locale == "en" else texts.locale
        commands = bot_commands(texts)
        if await bot.get_my_commands(language_code=code) != commands:
            await bot.set_my_commands(commands, language_code=code)
        description = texts("bot-description")
        if (await bot.get_my_description(language_code=code)).description != description:
            await bot.set_my_description(description, language_code=code)
        short = texts("bot-short-description")
        if (await bot.get_my_short_description(language_code=code)).short_description != short:
            await bot.set_my_short_description(short, language_code=code)


async def show_commands_to(bot: Bot, person: Person) -> None:
    """Have the command menu of a person's own dialog follow the language that they have set."""
    scope = BotCommandScopeChat(chat_id=person.user_id)
    try:
        if person.preferences.language is None:
            await bot.delete_my_commands(scope=scope)
        else:
            await bot.set_my_commands(bot_commands(person.texts), scope=scope)
    except TelegramAPIError as error:  # they may never have opened a dialog of their own
        logger.info("a person's commands could not be set: %s", error)


def bot_commands(texts: Texts) -> list[BotCommand]:
    return [
        BotCommand(command=command, description=texts(f"command-{command}"))
        for command in COMMANDS
    ]
