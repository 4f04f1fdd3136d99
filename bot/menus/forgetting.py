"""Erasing everything: what that is, whether one is sure, and the receipt."""

from __future__ import annotations

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from aiogram.utils.formatting import Bold, Text

from conversations import Footprint

from ..buttons import chats_button, data_button
from ..callbacks import ForgetAction, ForgetButton
from ..person import Person
from ..screens import Screen
from ..texts import Texts


def forget_screen(
    person: Person, footprint: Footprint, *, export: InlineKeyboardButton | None = None
) -> Screen:
    """Say what would be erased; `export` is a button that gives it to the person before."""
    t = person.texts
    rows = [[_button(person, t("button-forget-ask"), ForgetAction.ASK, danger=True)]]
    if export is not None:
        rows.insert(0, [export])
    rows.append([_button(person, t("button-cancel"), ForgetAction.CANCEL)])
    content = Text(Bold(t("forget-title")), "\n", _listed(footprint, t), "\n\n", t("forget-hint"))
    return Screen.of(content, InlineKeyboardMarkup(inline_keyboard=rows))


def sure_screen(
    person: Person, footprint: Footprint, stamp: str, *, changed: bool = False
) -> Screen:
    """Ask once more. Where the finger has just been, there is now the button that keeps all."""
    t = person.texts
    erase = _button(person, t("button-forget-erase"), ForgetAction.ERASE, stamp, danger=True)
    rows = [[_button(person, t("button-forget-keep"), ForgetAction.CANCEL)], [erase]]
    warning = [Bold(t("forget-changed")), "\n"] if changed else []
    content = Text(*warning, Bold(t("forget-sure")), "\n", _listed(footprint, t))
    return Screen.of(content, InlineKeyboardMarkup(inline_keyboard=rows))


def forgotten_screen(person: Person, footprint: Footprint) -> Screen:
    """The receipt."""
    t = person.texts
    content = Text(Bold(t("forget-done")), "\n", _listed(footprint, t), "\n\n", t("forget-after"))
    return Screen.of(content)


def kept_screen(person: Person) -> Screen:
    keyboard = InlineKeyboardMarkup(inline_keyboard=[[chats_button(person)]])
    return Screen.of(Text(person.texts("forget-kept")), keyboard)


def nothing_screen(person: Person) -> Screen:
    return Screen.of(Text(person.texts("forget-nothing")))


def _listed(footprint: Footprint, t: Texts) -> str:
    lines = [t("chats-count", count=footprint.chats)]
    if footprint.deleted_chats:
        lines.append(t("deleted-chats-count", count=footprint.deleted_chats))
    lines.append(t("messages-count", count=footprint.messages))
    if footprint.files:
        lines.append(t("files-count", count=footprint.files))
    return "\n".join(f"• {line}" for line in lines)


def _button(
    person: Person, label: str, action: ForgetAction, stamp: str = "", *, danger: bool = False
) -> InlineKeyboardButton:
    data = ForgetButton(action=action, stamp=stamp, owner=person.mark)
    return data_button(label, data, danger=danger)
