"""Renaming a chat without any state: the question carries the chat, the reply brings it back."""

from __future__ import annotations

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from conversations import ConversationManager, ConversationMetadata, InvalidNameError

from ..callbacks import ChatAction, ChatButton
from ..chat_names import display_name
from ..person import Person
from ..prompts import ReplyTo, is_refused, remove_prompt
from ..screens import notice_screen, rename_refusal, rename_screen, rename_text_only
from ..show import Press, send, show
from .chats import find_or_tell


def create_renaming_router() -> Router:
    router = Router(name="conversations.renaming")
    router.message.register(take_name, ReplyTo(ChatButton, ChatAction.CANCEL_RENAME))
    router.message.register(rename_active, Command("rename", ignore_case=True))
    press = router.callback_query.register
    press(ask_name, ChatButton.filter(F.action == ChatAction.RENAME))
    press(cancel, ChatButton.filter(F.action == ChatAction.CANCEL_RENAME))
    return router


async def ask_name(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    chat = await find_or_tell(event, callback_data.chat, person, manager, press)
    if chat is None:
        return
    await press.answer()
    if isinstance(event.message, Message):
        # A new message: an edit cannot open the reply.
        await send(event.message, rename_screen(person, chat))


async def rename_active(
    message: Message, command: CommandObject, person: Person, manager: ConversationManager
) -> None:
    """`/rename name` renames the active chat; without a name it asks for one."""
    chat = await manager.get_active_conversation(person.user_id)
    if chat is None:
        await message.answer(person.texts("no-active-chat"), parse_mode=None)
    elif command.args:
        await _rename(message, command.args, chat, person, manager)
    else:
        await send(message, rename_screen(person, chat))


async def take_name(
    message: Message,
    bot: Bot,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
) -> None:
    if await is_refused(message, callback_data, person):
        return
    chat = await manager.get_conversation(person.user_id, callback_data.chat)
    if chat is None:
        await message.reply(person.texts("chat-gone"), parse_mode=None)
        return
    if message.text is None:
        await message.reply(rename_text_only(person.texts), parse_mode=None)
        await send(message, rename_screen(person, chat))
        return
    renamed = await _rename(message, message.text, chat, person, manager)
    if renamed:
        await remove_prompt(message, bot)


async def cancel(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    chat = await find_or_tell(event, callback_data.chat, person, manager, press)
    if chat is None:
        return
    await press.answer()
    notice = person.texts("rename-cancelled", name=display_name(chat, person.texts))
    await show(event, notice_screen(person, notice, chat))


async def _rename(
    message: Message,
    name: str,
    chat: ConversationMetadata,
    person: Person,
    manager: ConversationManager,
) -> bool:
    """Rename and say so; a name that cannot be is explained and asked for again."""
    try:
        found = await manager.rename_conversation(person.user_id, chat.conversation_id, name)
    except InvalidNameError as error:
        await message.reply(rename_refusal(person.texts, error), parse_mode=None)
        await send(message, rename_screen(person, chat))
        return False
    renamed = await manager.get_conversation(person.user_id, chat.conversation_id)
    if not found or renamed is None:
        await message.reply(person.texts("chat-gone"), parse_mode=None)
        return False
    notice = person.texts("rename-done", name=display_name(renamed, person.texts))
    await send(message, notice_screen(person, notice, renamed))
    return True
