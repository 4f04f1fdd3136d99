"""Rows of buttons; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from conversations import ConversationMetadata

from .buttons import chat_button, data_button, menu_button, open_button, search_button
from .callbacks import (
    ChatAction,
    ChatButton,
    InstructionsAction,
    InstructionsButton,
    MenuAction,
    MenuButton,
    SettingButton,
    SettingName,
    SweepAction,
    SweepButton,
    TransferAction,
    TransferButton,
    encode_moment,
    question_stamp,
)
from .chat_names import button_name
from .paging import page_of, page_within, turning_rows
from .person import Person
from .texts import Texts

_HALF_WIDTH = 20  # characters of a label beside another one


def chats_keyboard(
    person: Person, chats: Sequence[ConversationMetadata], page: int, deleted: int
) -> InlineKeyboardMarkup:
    t = person.texts
    page = page_within(page, len(chats))
    rows = [
        [chat_button(person, _chat_label(chat, t), ChatAction.OPEN, chat)]
        for chat in page_of(chats, page)
    ]
    rows += turning_rows(person, len(chats), page, _menu_page(person, MenuAction.CHATS))
    rows.append([menu_button(person, t("button-new"), MenuAction.NEW)])
    if chats:
        rows[-1].append(search_button(person))
    if deleted:
        label = t("button-trash", count=deleted)
        rows.append([menu_button(person, label, MenuAction.TRASH)])
    rows += _last_rows(person, chats)
    return InlineKeyboardMarkup(inline_keyboard=rows)


def _last_rows(
    person: Person, chats: Sequence[ConversationMetadata]
) -> list[list[InlineKeyboardButton]]:
    t = person.texts
    show_settings = SettingButton(name=SettingName.NONE, owner=person.mark)
    settings = data_button(t("button-settings"), show_settings)
    unpinned = sum(not chat.pinned for chat in chats)
    if unpinned < 2:  # a single one has a button of its own
        return [[settings]]
    key = "button-sweep" if unpinned == len(chats) else "button-sweep-unpinned"
    label = t(key, count=unpinned)
    sweep = data_button(label, SweepButton(action=SweepAction.ASK, owner=person.mark))
    if len(label) > _HALF_WIDTH:  # a phone would cut off how many go
        return [[sweep], [settings]]
    return [[sweep, settings]]


def chat_keyboard(
    person: Person,
    chat: ConversationMetadata,
    *,
    shown_at: datetime,
    answered: bool,
    instructed: bool = False,
    origin: ConversationMetadata | None = None,
) -> InlineKeyboardMarkup:
    """`shown_at` tells two taps on one button from two buttons, shown one after the other.

    `answered`: answers are ours to give, so that one can ask for another or a deeper one.

    `instructed`: and who gives them follows instructions of a chat's own. `origin` is the chat
    that this one was forked from.
    """
    t = person.texts
    rows = [_naming_row(person, chat)]
    if not chat.is_active:
        rows.insert(0, [chat_button(person, t("button-open"), ChatAction.OPEN, chat)])
    if answered and chat.message_count:
        rows.append([chat_button(person, t("button-regenerate"), ChatAction.REGENERATE, chat)])
    if answered:
        rows.append(_mode_row(person, chat))
    if instructed:
        rows.append([_instructions_button(person, chat)])
    rows.append(_whole_row(person, chat, shown_at))
    if origin is not None:
        rows.append([open_button(person, origin)])
    rows.append([chat_button(person, t("button-chats"), ChatAction.LIST, chat)])
    return InlineKeyboardMarkup(inline_keyboard=rows)


def _naming_row(person: Person, chat: ConversationMetadata) -> list[InlineKeyboardButton]:
    t = person.texts
    pin = ChatAction.UNPIN if chat.pinned else ChatAction.PIN
    pin_label = t("button-unpin") if chat.pinned else t("button-pin")
    return [
        chat_button(person, t("button-rename"), ChatAction.RENAME, chat),
        chat_button(person, pin_label, pin, chat),
    ]


def _whole_row(
    person: Person, chat: ConversationMetadata, shown_at: datetime
) -> list[InlineKeyboardButton]:
    """Fork, export or delete the chat with all that is in it."""
    t = person.texts
    row = [
        _export_button(person, chat),
        chat_button(person, t("button-delete"), ChatAction.ASK_DELETE, chat, danger=True),
    ]
    if chat.message_count:
        fork, stamp = ChatAction.FORK, encode_moment(shown_at)
        data = ChatButton.stamped(fork, chat.conversation_id, stamp, person.mark)
        row.insert(0, data_button(t("button-fork"), data))
    return row


def _instructions_button(person: Person, chat: ConversationMetadata) -> InlineKeyboardButton:
    show = InstructionsAction.SHOW
    data = InstructionsButton(action=show, chat=chat.conversation_id, owner=person.mark)
    return data_button(person.texts("button-instructions"), data)


def _export_button(person: Person, chat: ConversationMetadata) -> InlineKeyboardButton:
    show = TransferAction.SHOW
    data = TransferButton(action=show, chat=chat.conversation_id, owner=person.mark)
    return data_button(person.texts("button-export"), data)


def _mode_row(person: Person, chat: ConversationMetadata) -> list[InlineKeyboardButton]:
    t = person.texts
    row = []
    modes = (("fast", "button-fast", ChatAction.FAST), ("deep", "button-deep", ChatAction.DEEP))
    for mode, key, action in modes:
        label = t(key)
        if chat.mode == mode:
            label = t("button-chosen", label=label)
        row.append(chat_button(person, label, action, chat))
    return row


def mode_keyboard(person: Person, chat: ConversationMetadata) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[_mode_row(person, chat)])


def new_keyboard(person: Person, previous: ConversationMetadata | None) -> InlineKeyboardMarkup:
    t = person.texts
    if previous is None:
        return InlineKeyboardMarkup(
            inline_keyboard=[[menu_button(person, t("button-chats"), MenuAction.CHATS)]]
        )
    label = t("button-back-to", name=button_name(previous, t))
    button = chat_button(person, label, ChatAction.OPEN, previous)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def delete_keyboard(person: Person, chat: ConversationMetadata) -> InlineKeyboardMarkup:
    t = person.texts
    back = ChatAction.OPEN if chat.is_active else ChatAction.LIST  # cancelling switches nothing
    rows = [
        [chat_button(person, t("button-delete-confirm"), ChatAction.DELETE, chat, danger=True)],
        [chat_button(person, t("button-cancel"), back, chat)],
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)


def deleted_keyboard(person: Person, chat: ConversationMetadata) -> InlineKeyboardMarkup:
    t = person.texts
    undo = ChatAction.UNDO_ACTIVE if chat.is_active else ChatAction.UNDO
    rows = [
        [chat_button(person, t("button-undo"), undo, chat)],
        [menu_button(person, t("button-chats"), MenuAction.CHATS)],
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)


def rename_keyboard(person: Person, chat: ConversationMetadata) -> InlineKeyboardMarkup:
    """Ask for a reply. The cancel button names the chat, and the reply brings that button back."""
    button = chat_button(person, person.texts("button-cancel"), ChatAction.CANCEL_RENAME, chat)
    return InlineKeyboardMarkup(inline_keyboard=[[button]], force_reply=True)


def open_keyboard(
    person: Person, chat: ConversationMetadata, *, under_answer: bool = False
) -> InlineKeyboardMarkup:
    button = open_button(person, chat, under_answer=under_answer)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def again_keyboard(
    person: Person, conversation_id: str, question_id: int, *, anew: bool
) -> InlineKeyboardMarkup:
    """Offer another try for a question; `anew` where there is a whole answer already."""
    action = ChatAction.REGENERATE if anew else ChatAction.AGAIN
    return _about_question(person, "button-again", action, conversation_id, question_id)


def regenerate_keyboard(
    person: Person, conversation_id: str, question_id: int
) -> InlineKeyboardMarkup:
    action = ChatAction.REGENERATE
    return _about_question(person, "button-regenerate", action, conversation_id, question_id)


def stop_keyboard(person: Person, conversation_id: str) -> InlineKeyboardMarkup:
    data = ChatButton(action=ChatAction.STOP, chat=conversation_id, owner=person.mark)
    return _single(person.texts("button-stop"), data)


def trash_keyboard(
    person: Person, deleted: Sequence[tuple[ConversationMetadata, int]], page: int
) -> InlineKeyboardMarkup:
    """`deleted` holds the chats with the days that each still has."""
    t = person.texts
    rows = []
    page = page_within(page, len(deleted))
    for chat, days in page_of(deleted, page):
        label = t("trash-row", name=button_name(chat, t), days=days)
        rows.append([chat_button(person, label, ChatAction.RESTORE, chat)])
    rows += turning_rows(person, len(deleted), page, _menu_page(person, MenuAction.TRASH))
    if deleted:
        label = t("button-empty-trash")
        rows.append([menu_button(person, label, MenuAction.ASK_EMPTY_TRASH, danger=True)])
    rows.append([menu_button(person, t("button-chats"), MenuAction.CHATS)])
    return InlineKeyboardMarkup(inline_keyboard=rows)


def empty_trash_keyboard(person: Person) -> InlineKeyboardMarkup:
    t = person.texts
    rows = [
        [menu_button(person, t("button-empty-trash"), MenuAction.EMPTY_TRASH, danger=True)],
        [menu_button(person, t("button-cancel"), MenuAction.TRASH)],
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)


def _chat_label(chat: ConversationMetadata, t: Texts) -> str:
    marks = ("✅ " if chat.is_active else "") + ("📌 " if chat.pinned else "")
    return f"{marks}{button_name(chat, t)} · {chat.message_count}"


def _menu_page(person: Person, action: MenuAction) -> Callable[[int], MenuButton]:
    return lambda page: MenuButton(action=action, owner=person.mark, page=page)


def _about_question(
    person: Person, label: str, action: ChatAction, conversation_id: str, question_id: int
) -> InlineKeyboardMarkup:
    data = ChatButton.stamped(action, conversation_id, question_stamp(question_id), person.mark)
    return _single(person.texts(label), data)


def _single(label: str, data: ChatButton) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[data_button(label, data)]])
