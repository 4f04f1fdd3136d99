"""Instructions of one chat: shown, given by a reply or a command, taken back."""

from __future__ import annotations

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from conversations import (
    INSTRUCTIONS_LIMIT,
    ConversationManager,
    ConversationMetadata,
    InstructionsTooLongError,
)

from ..callbacks import InstructionsAction, InstructionsButton
from ..chat_names import display_name
from ..menus.instructions import instructions_prompt, instructions_screen
from ..person import Person
from ..prompts import ReplyTo, is_refused, remove_prompt
from ..screens import notice_screen
from ..show import Press, send, show
from .chats import find_or_tell


def create_instructing_router() -> Router:
    """For answerers that follow instructions; for others there is nothing to be shown."""
    router = Router(name="conversations.instructing")
    is_answer = ReplyTo(InstructionsButton, InstructionsAction.CANCEL)
    router.message.register(take_instructions, is_answer)
    router.message.register(instruct_active, Command("instructions", ignore_case=True))
    press = router.callback_query.register
    press(show_instructions, InstructionsButton.filter(F.action == InstructionsAction.SHOW))
    press(ask_instructions, InstructionsButton.filter(F.action == InstructionsAction.ASK))
    press(cancel, InstructionsButton.filter(F.action == InstructionsAction.CANCEL))
    press(remove, InstructionsButton.filter(F.action == InstructionsAction.REMOVE))
    return router


async def show_instructions(
    event: CallbackQuery,
    callback_data: InstructionsButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    chat = await find_or_tell(event, callback_data.chat, person, manager, press)
    if chat is not None:
        await press.answer()
        await show(event, instructions_screen(person, chat))


async def instruct_active(
    message: Message, command: CommandObject, person: Person, manager: ConversationManager
) -> None:
    """`/instructions text` gives them to the active chat; without a text it shows them."""
    chat = await manager.get_active_conversation(person.user_id)
    if chat is None:
        await message.answer(person.texts("no-active-chat"), parse_mode=None)
    elif command.args:
        await _instruct(message, command.args, chat, person, manager)
    else:
        await send(message, instructions_screen(person, chat))


async def ask_instructions(
    event: CallbackQuery,
    callback_data: InstructionsButton,
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
        await send(event.message, instructions_prompt(person, chat))


async def take_instructions(
    message: Message,
    bot: Bot,
    callback_data: InstructionsButton,
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
        refusal = person.texts("instructions-text-only", limit=INSTRUCTIONS_LIMIT)
        await message.reply(refusal, parse_mode=None)
        await send(message, instructions_prompt(person, chat))
        return
    taken = await _instruct(message, message.text, chat, person, manager)
    if taken:
        await remove_prompt(message, bot)


async def cancel(
    event: CallbackQuery,
    callback_data: InstructionsButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    chat = await find_or_tell(event, callback_data.chat, person, manager, press)
    if chat is not None:
        await press.answer()
        notice = person.texts("instructions-kept", name=display_name(chat, person.texts))
        await show(event, notice_screen(person, notice, chat))


async def remove(
    event: CallbackQuery,
    callback_data: InstructionsButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    chat = await find_or_tell(event, callback_data.chat, person, manager, press)
    if chat is None:
        return
    await manager.set_instructions(person.user_id, chat.conversation_id, "")
    await press.answer(person.texts("instructions-removed"))
    await show_instructions(event, callback_data, person, manager, press)


async def _instruct(
    message: Message,
    instructions: str,
    chat: ConversationMetadata,
    person: Person,
    manager: ConversationManager,
) -> bool:
    """Store them and say so; what is too long is refused and asked for again."""
    t = person.texts
    try:
        found = await manager.set_instructions(person.user_id, chat.conversation_id, instructions)
    except InstructionsTooLongError as error:
        refusal = t("instructions-too-long", count=len(instructions), limit=error.limit)
        await message.reply(refusal, parse_mode=None)
        await send(message, instructions_prompt(person, chat))
        return False
    instructed = await manager.get_conversation(person.user_id, chat.conversation_id)
    if not found or instructed is None:
        await message.reply(t("chat-gone"), parse_mode=None)
        return False
    key = "instructions-done" if instructed.instructions else "instructions-none-left"
    notice = t(key, name=display_name(instructed, t))
    await send(message, notice_screen(person, notice, instructed))
    return True
