"""What a person sets for all of their chats."""

from __future__ import annotations

from typing import Any

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from conversations import ConversationManager

from ..answering import Answering
from ..callbacks import SettingButton, SettingName
from ..commands import show_commands_to
from ..menus.settings import AUTO, OFF, ON, settings_screen
from ..people import People
from ..person import Person
from ..preferences import FORMATTING_KEY, FORMATTINGS, LANGUAGE_KEY, NAMING_KEY
from ..show import Press, show
from .fallback import outdated


def create_settings_router() -> Router:
    router = Router(name="conversations.settings")
    router.message.register(show_settings, Command("settings", ignore_case=True))
    press = router.callback_query.register
    press(show_settings, SettingButton.filter(F.name == SettingName.NONE))
    press(change_setting, SettingButton.filter())
    return router


async def show_settings(
    event: Message | CallbackQuery,
    person: Person,
    people: People,
    answering: Answering | None,
    press: Press | None,
) -> None:
    if press is not None:
        await press.answer()
    formats, names = answering is not None, answering is not None and answering.can_name
    await show(event, settings_screen(person, people.languages, formats=formats, names=names))


async def change_setting(
    event: CallbackQuery,
    bot: Bot,
    callback_data: SettingButton,
    person: Person,
    people: People,
    manager: ConversationManager,
    answering: Answering | None,
    exclusive: bool,
    press: Press,
) -> None:
    change = _change(callback_data, people)
    if change is None:
        await outdated(event, person, manager, press)
        return
    await manager.update_settings(person.user_id, change)
    person = await people.know(person)
    await press.answer(person.texts("settings-saved"))
    await show_settings(event, person, people, answering, None)
    if exclusive and callback_data.name is SettingName.LANGUAGE:
        await show_commands_to(bot, person)


def _change(button: SettingButton, people: People) -> dict[str, Any] | None:
    """Give what a button sets, None for a default; None where it is no choice (any more)."""
    value, is_auto = button.value, button.value == AUTO
    if button.name is SettingName.LANGUAGE:
        known = is_auto or value in {texts.locale for texts in people.languages}
        return {LANGUAGE_KEY: None if is_auto else value} if known else None
    if button.name is SettingName.FORMATTING:
        return {FORMATTING_KEY: None if is_auto else value} if value in FORMATTINGS else None
    return {NAMING_KEY: None if value == ON else False} if value in {ON, OFF} else None
