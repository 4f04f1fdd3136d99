"""Single buttons that stand on several keyboards; pure."""

from __future__ import annotations

from aiogram.enums import ButtonStyle
from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton

from conversations import ConversationMetadata

from .callbacks import (
    ChatAction,
    ChatButton,
    MenuAction,
    MenuButton,
    SearchAction,
    SearchButton,
    stamp_of,
)
from .chat_names import button_name
from .person import Person


def data_button(label: str, data: CallbackData, *, danger: bool = False) -> InlineKeyboardButton:
    style = ButtonStyle.DANGER if danger else None
    return InlineKeyboardButton(text=label, callback_data=data.pack(), style=style)


def menu_button(
    person: Person, label: str, action: MenuAction, *, page: int = 0, danger: bool = False
) -> InlineKeyboardButton:
    data = MenuButton(action=action, owner=person.mark, page=page)
    return data_button(label, data, danger=danger)


def chats_button(person: Person, label: str | None = None) -> InlineKeyboardButton:
    return menu_button(person, label or person.texts("button-chats"), MenuAction.CHATS)


def search_button(person: Person) -> InlineKeyboardButton:
    """Ask for words to look for."""
    ask = SearchButton(action=SearchAction.ASK, owner=person.mark)
    return data_button(person.texts("button-search"), ask)


def chat_button(
    person: Person,
    label: str,
    action: ChatAction,
    chat: ConversationMetadata,
    *,
    danger: bool = False,
) -> InlineKeyboardButton:
    stamp = stamp_of(chat.message_count) if action is ChatAction.DELETE else ""
    data = ChatButton(action=action, chat=chat.conversation_id, owner=person.mark, stamp=stamp)
    return data_button(label, data, danger=danger)


def open_button(
    person: Person, chat: ConversationMetadata, *, under_answer: bool = False
) -> InlineKeyboardButton:
    """`under_answer`: what it shows comes in a message of its own, and the answer stays."""
    t = person.texts
    label = t("button-open-chat", name=button_name(chat, t))
    action = ChatAction.RESTORE if chat.deleted_at else ChatAction.OPEN
    if under_answer:
        action = ChatAction.RESTORE_BELOW if chat.deleted_at else ChatAction.OPEN_BELOW
    return chat_button(person, label, action, chat)


def back_button(person: Person, chat: ConversationMetadata) -> InlineKeyboardButton:
    """Lead back to a chat, or to the list where that would switch to another chat."""
    t = person.texts
    if not chat.is_active:
        return chat_button(person, t("button-chats"), ChatAction.LIST, chat)
    label = t("button-back-to", name=button_name(chat, t))
    return chat_button(person, label, ChatAction.OPEN, chat)
