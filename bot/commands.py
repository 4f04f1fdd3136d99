"""What Telegram shows before the first word: the commands and descriptions, per language."""

from __future__ import annotations

from aiogram import Bot
from aiogram.types import BotCommand

from .texts import Languages, Texts

# In the order of the command menu. /start is Telegram's own button.
COMMANDS = (
    "new",
    "chats",
    "rename",
    "delete",
    "trash",
    "again",
    "stop",
    "mode",
    "export",
    "import",
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


def bot_commands(texts: Texts) -> list[BotCommand]:
    return [
        BotCommand(command=command, description=texts(f"command-{command}"))
        for command in COMMANDS
    ]
