"""The list of chats, one chat, a new one."""

from __future__ import annotations

from datetime import UTC, datetime

from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from conversations import ConversationManager, ConversationMetadata

from ..answering import Answering
from ..callbacks import ChatAction, ChatButton, MenuAction, MenuButton
from ..chat_names import display_name
from ..incoming import Receipt
from ..limits import Quotas
from ..paging import PAGE_SIZE
from ..person import Person
from ..questions import Questions
from ..screens import SHOWN_MESSAGES, chat_screen, chats_screen, new_screen
from ..show import Press, show


def create_chats_router() -> Router:
    router = Router(name="conversations.chats")
    router.message.register(show_chats, Command("chats", ignore_case=True))
    router.message.register(start_chat, Command("new", ignore_case=True))
    press = router.callback_query.register
    press(show_chats, MenuButton.filter(F.action == MenuAction.CHATS))
    press(start_chat, MenuButton.filter(F.action == MenuAction.NEW))
    press(stay, MenuButton.filter(F.action == MenuAction.STAY))
    press(show_page_of_chat, ChatButton.filter(F.action == ChatAction.LIST))
    opening = {ChatAction.OPEN, ChatAction.OPEN_BELOW}
    press(open_chat, ChatButton.filter(F.action.in_(opening)))
    press(pin_chat, ChatButton.filter(F.action.in_({ChatAction.PIN, ChatAction.UNPIN})))
    return router


async def show_chats(
    event: Message | CallbackQuery,
    person: Person,
    manager: ConversationManager,
    press: Press | None,
    callback_data: MenuButton | None = None,
) -> None:
    await show_list(event, person, manager, press, page=callback_data.page if callback_data else 0)


async def show_page_of_chat(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    chats = await manager.list_conversations(person.user_id)
    places = [
        place for place, chat in enumerate(chats) if chat.conversation_id == callback_data.chat
    ]
    await show_list(event, person, manager, press, page=places[0] // PAGE_SIZE if places else 0)


async def show_list(
    event: Message | CallbackQuery,
    person: Person,
    manager: ConversationManager,
    press: Press | None = None,
    *,
    page: int = 0,
) -> None:
    """Show the list of chats, and report once what had to be put aside as damaged."""
    chats = await manager.list_conversations(person.user_id)
    deleted = await manager.list_deleted(person.user_id)
    damaged = await manager.take_damage_report(person.user_id)
    if press is not None:
        await press.answer()
    screen = chats_screen(person, chats, page=page, deleted=len(deleted), damaged=damaged)
    await show(event, screen)


async def start_chat(
    event: Message | CallbackQuery,
    person: Person,
    manager: ConversationManager,
    questions: Questions,
    quotas: Quotas,
    press: Press | None,
    command: CommandObject | None = None,
    receipt: Receipt | None = None,
) -> None:
    """Open an empty chat; `/new question` asks at once."""
    question = command.args if command is not None else None
    if question and isinstance(event, Message):
        if not await questions.is_stored(event, person, receipt):
            if not await questions.is_admitted(event, person, receipt, new_chat=True):
                return
            await manager.start_conversation(person.user_id, person.username)
        await questions.ask(event, question, person, receipt)
        return
    refusal = await quotas.admit_chat(person.user_id)
    if refusal is not None:
        await _tell(event, press, refusal.text(person.texts))
        return
    previous = await manager.get_active_conversation(person.user_id)
    created = await manager.start_conversation(person.user_id, person.username)
    if previous is not None and previous.conversation_id == created:
        previous = await _latest_other(person, manager, created)
    if press is not None:
        await press.answer()
    await show(event, new_screen(person, previous))


async def open_chat(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    press: Press,
) -> None:
    """Open a chat, which is to switch to it."""
    if not await manager.set_active_conversation(person.user_id, callback_data.chat):
        await tell_gone(event, callback_data.chat, person, manager, press)
        return
    chat_id = callback_data.chat
    await show_chat(event, chat_id, person, manager, answering, press, toast="chat-switched")


async def pin_chat(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    press: Press,
) -> None:
    pinned = callback_data.action is ChatAction.PIN
    if not await manager.pin_conversation(person.user_id, callback_data.chat, pinned=pinned):
        await tell_gone(event, callback_data.chat, person, manager, press)
        return
    toast = "chat-pinned" if pinned else "chat-unpinned"
    await show_chat(event, callback_data.chat, person, manager, answering, press, toast=toast)


async def stay(_event: CallbackQuery, press: Press) -> None:
    await press.answer()


async def show_chat(
    event: Message | CallbackQuery,
    conversation_id: str,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    press: Press | None,
    *,
    toast: str | None = None,
) -> None:
    """Show one chat; `toast` is the phrase that says what has just happened to it."""
    chat = await manager.get_conversation(person.user_id, conversation_id)
    if chat is None:
        return
    if press is not None:
        name = display_name(chat, person.texts)
        await press.answer(person.texts(toast, name=name) if toast else None)
    messages = await manager.get_messages(person.user_id, conversation_id, SHOWN_MESSAGES)
    seen = await answering.count_seen(chat) if answering is not None else None
    instructed = answering is not None and answering.takes_instructions
    origin = None
    if chat.forked_from is not None:
        origin = await manager.get_conversation(person.user_id, chat.forked_from)
    screen = chat_screen(
        person,
        chat,
        messages,
        shown_at=datetime.now(UTC),
        seen=seen,
        instructed=instructed,
        origin=origin,
    )
    await show(event, screen)


async def tell_gone(
    event: CallbackQuery,
    conversation_id: str,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    """Say that a chat is not there (any more), and show those that are."""
    deleted = await manager.get_deleted_conversation(person.user_id, conversation_id)
    await press.answer(person.texts("chat-gone" if deleted else "chat-unknown"), alert=True)
    await show_list(event, person, manager)


async def find_or_tell(
    event: CallbackQuery,
    conversation_id: str,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> ConversationMetadata | None:
    """Give the chat of a button; where it is gone, the person is told."""
    chat = await manager.get_conversation(person.user_id, conversation_id)
    if chat is None:
        await tell_gone(event, conversation_id, person, manager, press)
    return chat


async def _tell(event: Message | CallbackQuery, press: Press | None, text: str) -> None:
    if press is not None:
        await press.answer(text, alert=True)
    elif isinstance(event, Message):
        await event.answer(text, parse_mode=None)


async def _latest_other(
    person: Person, manager: ConversationManager, conversation_id: str
) -> ConversationMetadata | None:
    others = await manager.list_conversations(person.user_id)
    return next((chat for chat in others if chat.conversation_id != conversation_id), None)
