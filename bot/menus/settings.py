"""What a person can set, and what is set."""

from __future__ import annotations

from collections.abc import Iterable

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from aiogram.utils.formatting import Bold, Text

from ..buttons import chats_button, data_button
from ..callbacks import ForgetAction, ForgetButton, SettingButton, SettingName
from ..person import Person
from ..preferences import Formatting
from ..screens import Screen
from ..texts import Texts

AUTO = "auto"
ON, OFF = "on", "off"

_FORMATTING: dict[Formatting, tuple[str, str]] = {
    "auto": ("button-formatting-auto", "settings-formatting-auto"),
    "plain": ("button-plain", "settings-formatting-plain"),
    "rich": ("button-rich", "settings-formatting-rich"),
}


def settings_screen(
    person: Person, languages: Iterable[Texts], *, formats: bool, names: bool
) -> Screen:
    """`formats`: answers are ours to give; `names`: and who gives them can name chats."""
    t, wanted = person.texts, person.preferences
    language = t("language-name") if wanted.language else t("settings-language-auto")
    lines = [t("settings-language", language=language)]
    rows = [_language_row(person, languages)]
    if formats:
        lines.append(t(_FORMATTING[wanted.formatting][1]))
        rows.append(_formatting_row(person))
    if names:
        lines.append(t("settings-naming-on" if wanted.named_by_model else "settings-naming-off"))
        rows.append([_naming_button(person)])
    forget = ForgetButton(action=ForgetAction.SHOW, owner=person.mark)
    rows.append([data_button(t("button-forget"), forget)])
    rows.append([chats_button(person)])
    content = Text(Bold(t("settings-title")), "\n\n", "\n".join(lines))
    return Screen.of(content, InlineKeyboardMarkup(inline_keyboard=rows))


def _language_row(person: Person, languages: Iterable[Texts]) -> list[InlineKeyboardButton]:
    chosen, name = person.preferences.language, SettingName.LANGUAGE
    row = [_choice(person, person.texts("button-language-auto"), name, AUTO, chosen=not chosen)]
    for texts in languages:
        label, locale = texts("language-name"), texts.locale
        row.append(_choice(person, label, name, locale, chosen=chosen == locale))
    return row


def _formatting_row(person: Person) -> list[InlineKeyboardButton]:
    chosen = person.preferences.formatting
    return [
        _choice(person, person.texts(key), SettingName.FORMATTING, value, chosen=value == chosen)
        for value, (key, _) in _FORMATTING.items()
    ]


def _naming_button(person: Person) -> InlineKeyboardButton:
    named = person.preferences.named_by_model
    label = person.texts("button-naming")
    return _choice(person, label, SettingName.NAMING, OFF if named else ON, chosen=named)


def _choice(
    person: Person, label: str, name: SettingName, value: str, *, chosen: bool
) -> InlineKeyboardButton:
    shown = person.texts("button-chosen", label=label) if chosen else label
    return data_button(shown, SettingButton(name=name, value=value, owner=person.mark))
