"""A chat's own instructions: shown, asked for, taken back."""

from __future__ import annotations

from aiogram.types import InlineKeyboardMarkup
from aiogram.utils.formatting import BlockQuote, Bold, Text

from conversations import INSTRUCTIONS_LIMIT, ConversationMetadata

from ..buttons import back_button, data_button
from ..callbacks import InstructionsAction, InstructionsButton
from ..chat_names import display_name
from ..person import Person
from ..rendering import sendable, split_text
from ..screens import Screen

_SHOWN_UNITS = 3500  # of UTF-16: with the rest they stay under a message's 4096


def instructions_screen(person: Person, chat: ConversationMetadata) -> Screen:
    t = person.texts
    title = Bold(t("instructions-title", name=display_name(chat, t)))
    ask = _button(person, chat, InstructionsAction.ASK)
    if not chat.instructions:
        content = Text(title, "\n", t("instructions-none"))
        rows = [[data_button(t("button-instruct"), ask)]]
    else:
        content = Text(title, "\n", BlockQuote(_shown(chat.instructions)))
        remove = _button(person, chat, InstructionsAction.REMOVE)
        rows = [
            [
                data_button(t("button-instruct-anew"), ask),
                data_button(t("button-instruct-remove"), remove),
            ]
        ]
    rows.append([back_button(person, chat)])
    return Screen.of(content, InlineKeyboardMarkup(inline_keyboard=rows))


def instructions_prompt(person: Person, chat: ConversationMetadata) -> Screen:
    """Ask for a reply. The cancel button names the chat, and the reply brings that button back."""
    t = person.texts
    title = Bold(t("instructions-ask", name=display_name(chat, t)))
    content = Text(title, "\n", t("instructions-hint", limit=INSTRUCTIONS_LIMIT))
    cancel = data_button(t("button-cancel"), _button(person, chat, InstructionsAction.CANCEL))
    keyboard = InlineKeyboardMarkup(inline_keyboard=[[cancel]], force_reply=True)
    return Screen.of(content, keyboard)


def _button(
    person: Person, chat: ConversationMetadata, action: InstructionsAction
) -> InstructionsButton:
    return InstructionsButton(action=action, chat=chat.conversation_id, owner=person.mark)


def _shown(instructions: str) -> str:
    first, *rest = split_text(sendable(instructions[:INSTRUCTIONS_LIMIT]), _SHOWN_UNITS)
    return f"{first}…" if rest else first
