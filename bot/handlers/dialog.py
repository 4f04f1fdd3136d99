"""A question: stored first, then handed to the answering; and what is no question."""

from __future__ import annotations

from aiogram import Bot, F, Router
from aiogram.enums import ChatType, ContentType
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from conversations import ConversationManager, ConversationMessage, clean_text

from ..answering import Answering, Question, estimate_tokens
from ..callbacks import ChatAction, ChatButton
from ..person import Person
from ..show import Press


def create_dialog_router(*, exclusive: bool) -> Router:
    """`exclusive`: no other handlers come after ours, so that nothing must be left to them."""
    router = Router(name="conversations.dialog")
    router.message.register(stop, Command("stop", ignore_case=True))
    press = router.callback_query.register
    press(stop_by_button, ChatButton.filter(F.action == ChatAction.STOP))
    press(answer_again, ChatButton.filter(F.action == ChatAction.AGAIN))
    if exclusive:
        router.message.register(refuse_command, F.text.startswith("/"), is_for_us)
    router.message.register(take_question, F.text, ~F.text.startswith("/"), is_for_us)
    if exclusive:
        router.message.register(refuse_other_than_text, _is_content, is_for_us)
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
    manager: ConversationManager,
    answering: Answering | None,
) -> None:
    text = message.text or ""
    mention = await _mention(message, bot) if message.chat.type != ChatType.PRIVATE else None
    if mention is not None:
        text = text.replace(mention, "", 1).strip()
    await ask(message, text, person, manager, answering)


async def ask(
    message: Message,
    text: str,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
) -> None:
    """Store a question in the active chat, and have it answered there."""
    if not clean_text(text):
        await message.answer(person.texts("empty-text"), parse_mode=None)
        return
    question = ConversationMessage(
        timestamp=message.date.isoformat(),
        message_id=message.message_id,
        type="user_question",
        text=text,
        tokens=estimate_tokens(text),
        sent_as="message",
        search_type="fast",
        tokens_estimated=True,
    )
    conversation_id = await _store(question, person, manager)
    if answering is None:
        return
    accepted = answering.submit(
        Question(
            bot=_bot_of(message),
            person=person,
            conversation_id=conversation_id,
            message_id=message.message_id,
            thread_id=message.message_thread_id if message.is_topic_message else None,
        )
    )
    if not accepted:
        refusal = person.texts("queue-full", limit=answering.waiting_limit)
        await message.answer(refusal, parse_mode=None)


async def stop(
    message: Message, person: Person, manager: ConversationManager, answering: Answering | None
) -> None:
    active = await manager.get_active_conversation_id(person.user_id)
    if answering is None or active is None or not answering.stop(person.user_id, active):
        await message.answer(person.texts("nothing-to-stop"), parse_mode=None)


async def stop_by_button(
    _event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    answering: Answering | None,
    press: Press,
) -> None:
    stopped = answering is not None and answering.stop(person.user_id, callback_data.chat)
    await press.answer(person.texts("stopping" if stopped else "nothing-to-stop"))


async def answer_again(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    press: Press,
) -> None:
    """Answer the last question of a chat, if it has no answer yet."""
    last = await manager.get_messages(person.user_id, callback_data.chat, 1)
    if not last:
        await press.answer(person.texts("chat-gone"), alert=True)
        return
    busy = answering is None or answering.is_busy(person.user_id, callback_data.chat)
    if busy or last[0].type != "user_question":
        await press.answer(person.texts("already-answered"))
        return
    await press.answer()
    menu = event.message if isinstance(event.message, Message) else None
    if answering is not None and event.bot is not None:
        answering.submit(
            Question(
                bot=event.bot,
                person=person,
                conversation_id=callback_data.chat,
                message_id=last[0].message_id,
                thread_id=menu.message_thread_id if menu and menu.is_topic_message else None,
            )
        )


async def refuse_command(message: Message, person: Person) -> None:
    await message.answer(person.texts("unknown-command"), parse_mode=None)


async def refuse_other_than_text(message: Message, person: Person) -> None:
    await message.answer(person.texts("text-only"), parse_mode=None)


async def _store(
    question: ConversationMessage, person: Person, manager: ConversationManager
) -> str:
    while True:
        conversation_id = await manager.ensure_conversation(person.user_id, person.username)
        if await manager.add_message(person.user_id, conversation_id, question):
            return conversation_id
        # Deleted in between; the next round finds another active chat, or makes one.


async def _mention(message: Message, bot: Bot) -> str | None:
    """Find `@our_username` in a message, as it is written there."""
    me = await bot.me()
    for entity in message.entities or ():
        if entity.type == "mention":
            mentioned = entity.extract_from(message.text or "")
            if mentioned.lower() == f"@{me.username}".lower():
                return mentioned
    return None


def _is_content(message: Message) -> bool:
    """Tell what a person sent from what Telegram reports, such as that somebody joined."""
    return message.content_type in _CONTENT


def _bot_of(message: Message) -> Bot:
    if message.bot is None:
        raise RuntimeError("the message came without its bot")
    return message.bot


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
