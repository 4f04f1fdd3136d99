"""Searching all chats: words in, hits out, and from a hit into its chat."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from aiogram import Bot, F, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.types import CallbackQuery, Message, ReplyParameters

from conversations import (
    ConversationManager,
    ConversationMessage,
    Words,
    clean_text,
    parse_time,
)

from ..answering import Answering
from ..callbacks import HitButton, SearchAction, SearchButton, message_mark
from ..chat_names import display_name
from ..menus.searching import (
    MOST_HITS,
    QUERY_LIMIT,
    hit_screen,
    prompt_screen,
    query_of,
    results_screen,
)
from ..person import Person
from ..prompts import ReplyTo, is_refused, remove_prompt
from ..screens import Screen
from ..search_links import hit_of_link, is_link, query_of_link
from ..show import Press, delete_quietly, send, show
from .chats import show_chat, show_list, tell_gone
from .fallback import outdated

logger = logging.getLogger(__name__)

_CLOCKS_DIFFER = timedelta(days=1)


def create_searching_router() -> Router:
    router = Router(name="conversations.searching")
    router.message.register(take_words, ReplyTo(SearchButton, SearchAction.CANCEL))
    router.message.register(search_by_command, Command("search", ignore_case=True))
    by_link = CommandStart(deep_link=True, ignore_case=True)
    router.message.register(search_by_link, by_link, is_search_link)
    router.message.register(open_by_link, by_link, is_hit_link)
    press = router.callback_query.register
    press(ask_words, SearchButton.filter(F.action == SearchAction.ASK))
    press(cancel, SearchButton.filter(F.action == SearchAction.CANCEL))
    press(turn_page, SearchButton.filter(F.action == SearchAction.PAGE))
    press(open_hit, HitButton.filter())
    return router


async def is_search_link(_message: Message, command: CommandObject) -> bool:
    return is_link(command.args or "")


async def is_hit_link(_message: Message, command: CommandObject) -> bool:
    return hit_of_link(command.args or "") is not None


async def search_by_command(
    message: Message, command: CommandObject, person: Person, manager: ConversationManager
) -> None:
    """`/search words` searches; without words it asks for them."""
    if command.args:
        await _search(message, command.args, person, manager)
    else:
        await send(message, prompt_screen(person))


async def search_by_link(
    message: Message, command: CommandObject, person: Person, manager: ConversationManager
) -> None:
    """`/start` with words in it, as the button above inline results brings it."""
    query = query_of_link(command.args or "")
    if query:
        await _search(message, query, person, manager)
    else:
        await send(message, prompt_screen(person))


async def open_by_link(
    message: Message,
    bot: Bot,
    command: CommandObject,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
) -> None:
    """`/start` with a hit, as the button under what was sent by an inline query brings it."""
    chat_id, mark = hit_of_link(command.args or "") or ("", "")
    if not await manager.set_active_conversation(person.user_id, chat_id):
        deleted = await manager.get_deleted_conversation(person.user_id, chat_id)
        await message.answer(
            person.texts("chat-gone" if deleted else "chat-unknown"), parse_mode=None
        )
        return
    chat = await manager.load_conversation(person.user_id, chat_id)
    found = _marked(chat.messages if chat else [], mark)
    if chat is None or found is None:
        await show_chat(message, chat_id, person, manager, answering, None)
    else:
        await _send_hit(bot, message, hit_screen(person, chat.metadata, found, ""), found, person)


async def ask_words(event: CallbackQuery, person: Person, press: Press) -> None:
    await press.answer()
    screen = prompt_screen(person)
    if isinstance(event.message, Message):
        await send(event.message, screen)  # a new message: an edit cannot open the reply
    else:
        await show(event, screen)


async def cancel(
    event: CallbackQuery, person: Person, manager: ConversationManager, press: Press
) -> None:
    await show_list(event, person, manager, press)


async def take_words(
    message: Message,
    bot: Bot,
    callback_data: SearchButton,
    person: Person,
    manager: ConversationManager,
) -> None:
    if await is_refused(message, callback_data, person):
        return
    if message.text is None:
        await message.reply(person.texts("search-text-only"), parse_mode=None)
        await send(message, prompt_screen(person))
        return
    searched = await _search(message, message.text, person, manager)
    if searched:
        await remove_prompt(message, bot)


async def turn_page(
    event: CallbackQuery,
    callback_data: SearchButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    """Search anew for the words that stand in the results, and show another page."""
    query = _query_in(event)
    if query is None:
        await outdated(event, person, manager, press)
        return
    hits = await manager.search_messages(person.user_id, query, MOST_HITS + 1)
    await press.answer()
    await show(event, results_screen(person, query, hits, callback_data.page))


async def open_hit(
    event: CallbackQuery,
    bot: Bot,
    callback_data: HitButton,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    press: Press,
) -> None:
    """Open the chat of a hit, which is to switch to it, and lead to the message."""
    chat_id = callback_data.chat
    if not await manager.set_active_conversation(person.user_id, chat_id):
        await tell_gone(event, chat_id, person, manager, press)
        return
    menu = event.message if isinstance(event.message, Message) else None
    chat = await manager.load_conversation(person.user_id, chat_id)
    message = _marked(chat.messages if chat else [], callback_data.message)
    if chat is None or message is None or menu is None:
        place = menu or event  # below the results, which stay
        await show_chat(place, chat_id, person, manager, answering, press, toast="chat-switched")
        return
    name = display_name(chat.metadata, person.texts)
    await press.answer(person.texts("chat-switched", name=name))
    screen = hit_screen(person, chat.metadata, message, _query_in(event) or "")
    await _send_hit(bot, menu, screen, message, person)


async def _search(
    message: Message, text: str, person: Person, manager: ConversationManager
) -> bool:
    """Search and show what was found; what cannot be looked for is explained, and asked anew."""
    query = clean_text(text)
    if len(query) > QUERY_LIMIT:
        refusal = person.texts("search-too-long", limit=QUERY_LIMIT)
    elif not Words.of(query):
        refusal = person.texts("search-empty")
    else:
        hits = await manager.search_messages(person.user_id, query, MOST_HITS + 1)
        await send(message, results_screen(person, query, hits, page=0))
        return True
    await message.reply(refusal, parse_mode=None)
    await send(message, prompt_screen(person))
    return False


async def _send_hit(
    bot: Bot, menu: Message, screen: Screen, message: ConversationMessage, person: Person
) -> None:
    """Send a hit as a reply to the message that it is, so that a tap on that leads there.

    Of a message of another dialog, or one that is gone, there is what the screen quotes.
    """
    if message.message_id > 0 and message.dialog_id == person.dialog_id:
        reply = ReplyParameters(message_id=message.message_id, allow_sending_without_reply=True)
        try:
            sent = await _send(menu, screen, reply)
        except TelegramBadRequest as error:
            logger.info("a hit cannot be a reply: %s", error.message)
        else:
            if sent.reply_to_message is None or _is_it(sent.reply_to_message, message):
                return
            await delete_quietly(bot, sent.chat.id, sent.message_id)
    await _send(menu, screen, None)


async def _send(menu: Message, screen: Screen, reply: ReplyParameters | None) -> Message:
    return await menu.answer(
        screen.text,
        entities=screen.entities,
        parse_mode=None,
        reply_markup=screen.keyboard,
        reply_parameters=reply,
    )


def _is_it(replied: Message, message: ConversationMessage) -> bool:
    """Tell a message from another one of its number, as chats from elsewhere may have it."""
    time = parse_time(message.timestamp)
    return time.year == 1 or abs(replied.date - time) <= _CLOCKS_DIFFER


def _marked(messages: Sequence[ConversationMessage], mark: str) -> ConversationMessage | None:
    return next((each for each in reversed(messages) if message_mark(each) == mark), None)


def _query_in(event: CallbackQuery) -> str | None:
    menu = event.message
    return query_of(menu.text or "") if isinstance(menu, Message) else None
