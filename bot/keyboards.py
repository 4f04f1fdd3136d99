"""Rows of buttons; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from aiogram.enums import ButtonStyle
from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from conversations import ConversationMetadata, clean_text, shorten

from .callbacks import (
    ChatAction,
    ChatButton,
    InstructionsAction,
    InstructionsButton,
    MenuAction,
    MenuButton,
    SearchAction,
    SearchButton,
    SettingButton,
    SettingName,
    SweepAction,
    SweepButton,
    TransferAction,
    TransferButton,
    stamp_of,
)
from .person import Person
from .texts import Texts

PAGE_SIZE = 8
_LABEL_NAME = 30  # characters, as many as an automatic name has; phones cut at 30-40

Rows = list[list[InlineKeyboardButton]]
_Item = TypeVar("_Item")


def display_name(chat: ConversationMetadata, texts: Texts) -> str:
    """Give a chat's name, fit to be shown: one line that does nothing to the text around it."""
    if chat.name_source == "default":
        return texts("default-name")
    return shorten(clean_text(chat.name), 64) or texts("default-name")


def chats_keyboard(
    person: Person, chats: Sequence[ConversationMetadata], page: int, deleted: int
) -> InlineKeyboardMarkup:
    t = person.texts
    page = page_within(page, len(chats))
    rows = [
        [_chat_button(person, _chat_label(chat, t), ChatAction.OPEN, chat)]
        for chat in page_of(chats, page)
    ]
    rows += turning_rows(person, len(chats), page, _menu_page(person, MenuAction.CHATS))
    rows.append([_menu_button(person, t("button-new"), MenuAction.NEW)])
    if chats:
        rows[-1].append(search_button(person))
    if deleted:
        label = t("button-trash", count=deleted)
        rows.append([_menu_button(person, label, MenuAction.TRASH)])
    rows.append(_last_row(person, chats))
    return InlineKeyboardMarkup(inline_keyboard=rows)


def _last_row(person: Person, chats: Sequence[ConversationMetadata]) -> list[InlineKeyboardButton]:
    t = person.texts
    show_settings = SettingButton(name=SettingName.NONE, owner=person.mark)
    row = [data_button(t("button-settings"), show_settings)]
    unpinned = sum(not chat.pinned for chat in chats)
    if unpinned > 1:  # a single one has a button of its own
        key = "button-sweep" if unpinned == len(chats) else "button-sweep-unpinned"
        sweep = SweepButton(action=SweepAction.ASK, owner=person.mark)
        row.insert(0, data_button(t(key, count=unpinned), sweep))
    return row


def chat_keyboard(
    person: Person,
    chat: ConversationMetadata,
    *,
    answered: bool,
    instructed: bool = False,
    origin: ConversationMetadata | None = None,
) -> InlineKeyboardMarkup:
    """`answered`: answers are ours to give, so that one can ask for another or a deeper one.

    `instructed`: and who gives them follows instructions of a chat's own. `origin` is the chat
    that this one was forked from.
    """
    t = person.texts
    pin = ChatAction.UNPIN if chat.pinned else ChatAction.PIN
    pin_label = t("button-unpin") if chat.pinned else t("button-pin")
    rows = [
        [
            _chat_button(person, t("button-rename"), ChatAction.RENAME, chat),
            _chat_button(person, pin_label, pin, chat),
        ],
        [
            _export_button(person, chat),
            _chat_button(person, t("button-delete"), ChatAction.ASK_DELETE, chat, danger=True),
        ],
        [_chat_button(person, t("button-chats"), ChatAction.LIST, chat)],
    ]
    if answered:
        again = _chat_button(person, t("button-regenerate"), ChatAction.REGENERATE, chat)
        rows.insert(1, mode_row(person, chat))
        if chat.message_count:
            rows.insert(1, [again])
    if instructed:
        show = InstructionsAction.SHOW
        button = InstructionsButton(action=show, chat=chat.conversation_id, owner=person.mark)
        rows.insert(-2, [data_button(t("button-instructions"), button)])
    if chat.message_count:
        rows[-2].insert(0, _chat_button(person, t("button-fork"), ChatAction.FORK, chat))
    if origin is not None:
        rows.insert(-1, [_open_button(person, origin)])
    if not chat.is_active:
        rows.insert(0, [_chat_button(person, t("button-open"), ChatAction.OPEN, chat)])
    return InlineKeyboardMarkup(inline_keyboard=rows)


def _export_button(person: Person, chat: ConversationMetadata) -> InlineKeyboardButton:
    show = TransferAction.SHOW
    data = TransferButton(action=show, chat=chat.conversation_id, owner=person.mark)
    return _button(person.texts("button-export"), data.pack(), danger=False)


def mode_row(person: Person, chat: ConversationMetadata) -> list[InlineKeyboardButton]:
    t = person.texts
    row = []
    modes = (("fast", "button-fast", ChatAction.FAST), ("deep", "button-deep", ChatAction.DEEP))
    for mode, key, action in modes:
        label = t(key)
        if chat.mode == mode:
            label = t("button-chosen", label=label)
        row.append(_chat_button(person, label, action, chat))
    return row


def mode_keyboard(person: Person, chat: ConversationMetadata) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[mode_row(person, chat)])


def back_button(person: Person, chat: ConversationMetadata) -> InlineKeyboardButton:
    """Lead back to a chat, or to the list where that would switch to another chat."""
    t = person.texts
    if not chat.is_active:
        return _chat_button(person, t("button-chats"), ChatAction.LIST, chat)
    label = t("button-back-to", name=shorten(display_name(chat, t), _LABEL_NAME))
    return _chat_button(person, label, ChatAction.OPEN, chat)


def new_keyboard(person: Person, previous: ConversationMetadata | None) -> InlineKeyboardMarkup:
    t = person.texts
    if previous is None:
        return InlineKeyboardMarkup(
            inline_keyboard=[[_menu_button(person, t("button-chats"), MenuAction.CHATS)]]
        )
    label = t("button-back-to", name=shorten(display_name(previous, t), _LABEL_NAME))
    button = _chat_button(person, label, ChatAction.OPEN, previous)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def delete_keyboard(person: Person, chat: ConversationMetadata) -> InlineKeyboardMarkup:
    t = person.texts
    back = ChatAction.OPEN if chat.is_active else ChatAction.LIST  # cancelling switches nothing
    rows = [
        [_chat_button(person, t("button-delete-confirm"), ChatAction.DELETE, chat, danger=True)],
        [_chat_button(person, t("button-cancel"), back, chat)],
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)


def deleted_keyboard(person: Person, chat: ConversationMetadata) -> InlineKeyboardMarkup:
    t = person.texts
    undo = ChatAction.UNDO_ACTIVE if chat.is_active else ChatAction.UNDO
    rows = [
        [_chat_button(person, t("button-undo"), undo, chat)],
        [_menu_button(person, t("button-chats"), MenuAction.CHATS)],
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)


def rename_keyboard(person: Person, chat: ConversationMetadata) -> InlineKeyboardMarkup:
    """Ask for a reply. The cancel button names the chat, and the reply brings that button back."""
    button = _chat_button(person, person.texts("button-cancel"), ChatAction.CANCEL_RENAME, chat)
    return InlineKeyboardMarkup(inline_keyboard=[[button]], force_reply=True)


def open_keyboard(person: Person, chat: ConversationMetadata) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[_open_button(person, chat)]])


def again_keyboard(person: Person, conversation_id: str) -> InlineKeyboardMarkup:
    label = person.texts("button-again")
    return _single(person, label, ChatAction.AGAIN, conversation_id)


def regenerate_keyboard(person: Person, conversation_id: str) -> InlineKeyboardMarkup:
    label = person.texts("button-regenerate")
    return _single(person, label, ChatAction.REGENERATE, conversation_id)


def stop_keyboard(person: Person, conversation_id: str) -> InlineKeyboardMarkup:
    return _single(person, person.texts("button-stop"), ChatAction.STOP, conversation_id)


def trash_keyboard(
    person: Person, deleted: Sequence[tuple[ConversationMetadata, int]], page: int
) -> InlineKeyboardMarkup:
    """`deleted` holds the chats with the days that each still has."""
    t = person.texts
    rows = []
    page = page_within(page, len(deleted))
    for chat, days in page_of(deleted, page):
        label = t("trash-row", name=shorten(display_name(chat, t), _LABEL_NAME), days=days)
        rows.append([_chat_button(person, label, ChatAction.RESTORE, chat)])
    rows += turning_rows(person, len(deleted), page, _menu_page(person, MenuAction.TRASH))
    if deleted:
        label = t("button-empty-trash")
        rows.append([_menu_button(person, label, MenuAction.ASK_EMPTY_TRASH, danger=True)])
    rows.append([_menu_button(person, t("button-chats"), MenuAction.CHATS)])
    return InlineKeyboardMarkup(inline_keyboard=rows)


def empty_trash_keyboard(person: Person) -> InlineKeyboardMarkup:
    t = person.texts
    rows = [
        [_menu_button(person, t("button-empty-trash"), MenuAction.EMPTY_TRASH, danger=True)],
        [_menu_button(person, t("button-cancel"), MenuAction.TRASH)],
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)


def pages_of(count: int, size: int = PAGE_SIZE) -> int:
    return max(1, -(-count // size))


def _chat_label(chat: ConversationMetadata, t: Texts) -> str:
    marks = ("✅ " if chat.is_active else "") + ("📌 " if chat.pinned else "")
    return f"{marks}{shorten(display_name(chat, t), _LABEL_NAME)} · {chat.message_count}"


def _open_button(person: Person, chat: ConversationMetadata) -> InlineKeyboardButton:
    t = person.texts
    label = t("button-open-chat", name=shorten(display_name(chat, t), _LABEL_NAME))
    action = ChatAction.RESTORE if chat.deleted_at else ChatAction.OPEN
    return _chat_button(person, label, action, chat)


def page_within(page: int, count: int, size: int = PAGE_SIZE) -> int:
    """Give the page that is there: buttons of old menus may name another one."""
    return min(max(page, 0), pages_of(count, size) - 1)


def page_of(items: Sequence[_Item], page: int, size: int = PAGE_SIZE) -> Sequence[_Item]:
    return items[page * size : (page + 1) * size]


def turning_rows(
    person: Person,
    count: int,
    page: int,
    turn: Callable[[int], CallbackData],
    size: int = PAGE_SIZE,
) -> Rows:
    """Make the row that turns the pages, where there is more than one; `turn` leads to a page."""
    pages = pages_of(count, size)
    if pages == 1:
        return []
    t = person.texts
    number = t("button-page", page=page + 1, pages=pages)
    turning = [_menu_button(person, number, MenuAction.STAY, page=page)]
    if page > 0:
        turning.insert(0, data_button(t("button-previous"), turn(page - 1)))
    if page < pages - 1:
        turning.append(data_button(t("button-next"), turn(page + 1)))
    return [turning]


def _menu_page(person: Person, action: MenuAction) -> Callable[[int], MenuButton]:
    return lambda page: MenuButton(action=action, owner=person.mark, page=page)


def _single(
    person: Person, label: str, action: ChatAction, conversation_id: str
) -> InlineKeyboardMarkup:
    data = ChatButton(action=action, chat=conversation_id, owner=person.mark)
    button = _button(label, data.pack(), danger=False)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def _chat_button(
    person: Person,
    label: str,
    action: ChatAction,
    chat: ConversationMetadata,
    *,
    danger: bool = False,
) -> InlineKeyboardButton:
    stamp = stamp_of(chat.message_count) if action is ChatAction.DELETE else ""
    data = ChatButton(action=action, chat=chat.conversation_id, owner=person.mark, stamp=stamp)
    return _button(label, data.pack(), danger=danger)


def _menu_button(
    person: Person, label: str, action: MenuAction, *, page: int = 0, danger: bool = False
) -> InlineKeyboardButton:
    data = MenuButton(action=action, owner=person.mark, page=page)
    return _button(label, data.pack(), danger=danger)


def chats_button(person: Person, label: str | None = None) -> InlineKeyboardButton:
    return _menu_button(person, label or person.texts("button-chats"), MenuAction.CHATS)


def search_button(person: Person) -> InlineKeyboardButton:
    """Ask for words to look for."""
    ask = SearchButton(action=SearchAction.ASK, owner=person.mark)
    return data_button(person.texts("button-search"), ask)


def data_button(label: str, data: CallbackData, *, danger: bool = False) -> InlineKeyboardButton:
    return _button(label, data.pack(), danger=danger)


def _button(label: str, data: str, *, danger: bool) -> InlineKeyboardButton:
    style = ButtonStyle.DANGER if danger else None
    return InlineKeyboardButton(text=label, callback_data=data, style=style)
