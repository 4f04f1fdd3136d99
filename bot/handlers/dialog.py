"""A question: stored first, then handed to the answering; and what is no question."""

from __future__ import annotations

from datetime import timedelta

from aiogram import Bot, Router
from aiogram.enums import ChatType, ContentType
from aiogram.filters import Command, CommandObject
from aiogram.types import Message

from conversations import ConversationManager, ConversationMessage, clean_text, parse_time

from ..answering import Answering
from ..incoming import Receipt
from ..keyboards import regenerate_keyboard
from ..person import Person
from ..questions import Questions, replied_to, with_text

_SEARCHED_MESSAGES = 100  # in which the last question of a chat is looked for
_PASTING = timedelta(minutes=1)  # between the first piece of a paste and its last


def create_dialog_router(*, exclusive: bool) -> Router:
    """`exclusive`: no other handlers come after ours, so that nothing must be left to them."""
    router = Router(name="conversations.dialog")
    if exclusive:
        router.message.register(refuse_command, _is_command, is_for_us)
    router.message.register(take_question, _is_question, is_for_us)
    if exclusive:
        router.message.register(refuse_other_than_text, _is_content, is_for_us)
    router.edited_message.register(change_question, _is_question, is_for_us)
    router.edited_message.register(change_question, Command("new", ignore_case=True))
    return router


async def is_for_us(message: Message, bot: Bot) -> bool:
    """Tell whether the bot is spoken to: always in private, else by a mention or a reply."""
    if message.chat.type == ChatType.PRIVATE:
        return True
    replied = message.reply_to_message
    if replied is not None and replied.from_user is not None and replied.from_user.id == bot.id:
        return True
    return await _mention(message, bot) is not None


async def take_question(
    message: Message,
    bot: Bot,
    person: Person,
    questions: Questions,
    receipt: Receipt | None = None,
) -> None:
    text = await _text_for_us(message, bot)
    await questions.ask(message, text, person, receipt, replied=replied_to(message))


async def change_question(
    message: Message,
    bot: Bot,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    command: CommandObject | None = None,
) -> None:
    """Store the new text of an edited question, and offer to answer it anew if it is the last.

    One that was asked by `/new question` stays where it is.
    """
    text = (command.args or "") if command is not None else await _text_for_us(message, bot)
    if not clean_text(text):
        return
    found = await _find_question(message, person, manager)
    if found is None:
        return
    conversation_id, question, is_last = found
    if question.pieces:  # which part of the text was this message's, nobody knows any more
        await message.reply(person.texts("edited-paste"), parse_mode=None)
        return
    if question.text == text:
        return
    changed = with_text(question, text)
    if not await manager.replace_message(person.user_id, conversation_id, question, changed):
        await message.reply(person.texts("edited-too-late"), parse_mode=None)
        return
    offer = None
    if is_last and answering is not None:
        offer = regenerate_keyboard(person, conversation_id, question.message_id)
    await message.reply(
        person.texts("edited-noted" if offer else "edited-stored"),
        parse_mode=None,
        reply_markup=offer,
    )


async def refuse_command(message: Message, person: Person) -> None:
    await message.answer(person.texts("unknown-command"), parse_mode=None)


async def refuse_other_than_text(message: Message, person: Person) -> None:
    await message.answer(person.texts("text-only"), parse_mode=None)


async def _find_question(
    message: Message, person: Person, manager: ConversationManager
) -> tuple[str, ConversationMessage, bool] | None:
    """Find the question that a message is; tell its chat, and whether it is the last there.

    In an imported chat other messages may have the same ids; hence the time.
    """
    found = await manager.find_message(
        person.user_id, message.message_id, dialog_id=person.dialog_id, sent_at=message.date
    )
    if found is None or found.message is None or found.message.type != "user_question":
        return None
    if abs(parse_time(found.message.timestamp) - message.date) > _PASTING:
        return None
    conversation_id = found.chat.conversation_id
    latest = await manager.get_messages(person.user_id, conversation_id, _SEARCHED_MESSAGES)
    questions = [each for each in latest if each.type == "user_question"]
    return conversation_id, found.message, questions[-1:] == [found.message]


async def _text_for_us(message: Message, bot: Bot) -> str:
    """Give a message's text, without the mention that calls us in a group."""
    text = message.text or ""
    if message.chat.type == ChatType.PRIVATE:
        return text
    mention = await _mention(message, bot)
    return text.replace(mention, "", 1).strip() if mention is not None else text


async def _mention(message: Message, bot: Bot) -> str | None:
    """Find `@our_username` in a message, as it is written there."""
    me = await bot.me()
    for entity in message.entities or ():
        if entity.type == "mention":
            mentioned = entity.extract_from(message.text or "")
            if mentioned.lower() == f"@{me.username}".lower():
                return mentioned
    return None


# Filters are coroutines throughout: aiogram runs any other one, a magic filter too, in a thread,
# and what a person sent first would not always be handled first.


async def _is_command(message: Message) -> bool:
    return message.text is not None and message.text.startswith("/")


async def _is_question(message: Message) -> bool:
    return message.text is not None and not message.text.startswith("/")


async def _is_content(message: Message) -> bool:
    """Tell what a person sent from what Telegram reports, such as that somebody joined."""
    return message.content_type in _CONTENT


_CONTENT = frozenset(
    {
        ContentType.ANIMATION,
        ContentType.AUDIO,
        ContentType.CONTACT,
        ContentType.DICE,
        ContentType.DOCUMENT,
        ContentType.LOCATION,
        ContentType.PAID_MEDIA,
        ContentType.PHOTO,
        ContentType.POLL,
        ContentType.RICH_MESSAGE,
        ContentType.STICKER,
        ContentType.STORY,
        ContentType.UNKNOWN,
        ContentType.VENUE,
        ContentType.VIDEO,
        ContentType.VIDEO_NOTE,
        ContentType.VOICE,
    }
)
