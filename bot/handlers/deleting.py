"""Deleting a chat, undoing it, and the trash."""

from __future__ import annotations

from datetime import UTC, datetime

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from conversations import ConversationManager

from ..answering import Answering
from ..callbacks import ChatAction, ChatButton, MenuAction, MenuButton, stamp_of
from ..person import Person
from ..screens import delete_screen, deleted_screen, empty_trash_screen, trash_screen
from ..show import Press, show
from .chats import show_chat, tell_gone


def create_deleting_router() -> Router:
    router = Router(name="conversations.deleting")
    router.message.register(ask_to_delete, Command("delete", ignore_case=True))
    router.message.register(show_trash, Command("trash", ignore_case=True))
    press = router.callback_query.register
    press(ask_to_delete, ChatButton.filter(F.action == ChatAction.ASK_DELETE))
    press(delete_chat, ChatButton.filter(F.action == ChatAction.DELETE))
    press(undo, ChatButton.filter(F.action.in_({ChatAction.UNDO, ChatAction.UNDO_ACTIVE})))
    restoring = {ChatAction.RESTORE, ChatAction.RESTORE_BELOW}
    press(restore, ChatButton.filter(F.action.in_(restoring)))
    press(show_trash, MenuButton.filter(F.action == MenuAction.TRASH))
    press(ask_to_empty, MenuButton.filter(F.action == MenuAction.ASK_EMPTY_TRASH))
    press(empty_trash, MenuButton.filter(F.action == MenuAction.EMPTY_TRASH))
    return router


async def ask_to_delete(
    event: Message | CallbackQuery,
    person: Person,
    manager: ConversationManager,
    press: Press | None,
    callback_data: ChatButton | None = None,
) -> None:
    """Ask about the chat of the button, or for the command about the active one."""
    if callback_data is None:
        chat = await manager.get_active_conversation(person.user_id)
    else:
        chat = await manager.get_conversation(person.user_id, callback_data.chat)
    if chat is not None:
        if press is not None:
            await press.answer()
        await show(event, delete_screen(person, chat, manager.trash_kept))
    elif isinstance(event, CallbackQuery) and callback_data is not None and press is not None:
        await tell_gone(event, callback_data.chat, person, manager, press)
    elif isinstance(event, Message):
        await event.answer(person.texts("no-active-chat"), parse_mode=None)


async def delete_chat(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    chat = await manager.get_conversation(person.user_id, callback_data.chat)
    if chat is not None and callback_data.stamp != stamp_of(chat.message_count):
        await press.answer()
        await show(event, delete_screen(person, chat, manager.trash_kept, changed=True))
        return
    if chat is not None:
        await manager.delete_conversation(person.user_id, chat.conversation_id)
    else:  # pressed twice: show once more what the first press did
        chat = await manager.get_deleted_conversation(person.user_id, callback_data.chat)
    if chat is None:
        await tell_gone(event, callback_data.chat, person, manager, press)
        return
    active = await manager.get_active_conversation(person.user_id)
    await press.answer(person.texts("deleted-toast"))
    await show(event, deleted_screen(person, chat, active))


async def undo(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    press: Press,
) -> None:
    activate = callback_data.action is ChatAction.UNDO_ACTIVE
    await _bring_back(
        event, callback_data.chat, person, manager, answering, press, activate=activate
    )


async def restore(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    press: Press,
) -> None:
    await _bring_back(event, callback_data.chat, person, manager, answering, press, activate=True)


async def show_trash(
    event: Message | CallbackQuery,
    person: Person,
    manager: ConversationManager,
    press: Press | None,
    callback_data: MenuButton | None = None,
) -> None:
    deleted = await manager.list_deleted(person.user_id)
    if press is not None:
        await press.answer()
    screen = trash_screen(
        person,
        deleted,
        now=datetime.now(UTC),
        kept=manager.trash_kept,
        page=callback_data.page if callback_data else 0,
    )
    await show(event, screen)


async def ask_to_empty(
    event: CallbackQuery, person: Person, manager: ConversationManager, press: Press
) -> None:
    deleted = await manager.list_deleted(person.user_id)
    if not deleted:
        await show_trash(event, person, manager, press)
        return
    await press.answer()
    await show(event, empty_trash_screen(person, len(deleted)))


async def empty_trash(
    event: CallbackQuery, person: Person, manager: ConversationManager, press: Press
) -> None:
    count = await manager.empty_trash(person.user_id)
    await press.answer(person.texts("trash-emptied", count=count) if count else None)
    await show_trash(event, person, manager, None)


async def _bring_back(
    event: CallbackQuery,
    conversation_id: str,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    press: Press,
    *,
    activate: bool,
) -> None:
    """Restore a chat and show it; pressing again shows it again."""
    restored = await manager.restore_conversation(
        person.user_id, conversation_id, activate=activate
    )
    if not restored and await manager.get_conversation(person.user_id, conversation_id) is None:
        await tell_gone(event, conversation_id, person, manager, press)
        return
    toast = "restored-toast" if restored else None
    await show_chat(event, conversation_id, person, manager, answering, press, toast=toast)
