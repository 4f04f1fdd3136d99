"""`@our_bot words` in any chat: the same hits while one types, for the one who types alone.

It works where the owner of the bot has turned inline mode on.
"""

from __future__ import annotations

from aiogram import Bot, Router
from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQuery,
    InlineQueryResultArticle,
    InlineQueryResultsButton,
    InlineQueryResultUnion,
    InputTextMessageContent,
)
from aiogram.utils.deep_linking import create_deep_link
from aiogram.utils.formatting import BlockQuote

from conversations import ConversationManager, SearchHit, Words, clean_text

from ..chat_names import display_name
from ..excerpts import excerpt, excerpt_of
from ..person import Person
from ..search_links import hit_parameter, start_parameter

_AT_ONCE = 20
_MOST = 100
_DESCRIPTION = 100  # characters
_SENT = 500
_KEPT = 5  # seconds for which Telegram may give the same answer again


def create_inline_router() -> Router:
    router = Router(name="conversations.inline")
    router.inline_query.register(search_while_typing)
    return router


async def search_while_typing(
    event: InlineQuery, bot: Bot, person: Person, manager: ConversationManager
) -> None:
    query = clean_text(event.query)
    first = int(event.offset) if event.offset.isdecimal() else 0
    hits = await manager.search_messages(person.user_id, query, min(first + _AT_ONCE, _MOST) + 1)
    shown = hits[first : first + _AT_ONCE][: _MOST - first]
    more = first + len(shown) < min(len(hits), _MOST)
    words, me = Words.of(query), await bot.me()
    await event.answer(
        [
            _result(person, hit, words, number, me.username or "")
            for number, hit in enumerate(shown, first)
        ],
        cache_time=_KEPT,
        is_personal=True,
        next_offset=str(first + len(shown)) if more else "",
        button=InlineQueryResultsButton(
            text=person.texts("inline-open"), start_parameter=start_parameter(query)
        ),
    )


def _result(
    person: Person, hit: SearchHit, words: Words, number: int, username: str
) -> InlineQueryResultUnion:
    """Offer a hit; who chooses it sends what was found, and nothing else of the chat.

    The button below leads to it, for the one whose chat it is.
    """
    name = display_name(hit.chat, person.texts)
    if hit.message is None:
        found, description = excerpt(name, words, _SENT), person.texts("search-in-name")
    else:
        found = excerpt_of(hit.message, words, _SENT)
        description, _ = excerpt_of(hit.message, words, _DESCRIPTION).render()
    text, entities = BlockQuote(found).render()
    content = InputTextMessageContent(message_text=text, entities=entities, parse_mode=None)
    url = create_deep_link(username, "start", hit_parameter(hit))
    button = InlineKeyboardButton(text=person.texts("inline-open-hit"), url=url)
    return InlineQueryResultArticle(
        id=str(number),
        title=name,
        description=description,
        input_message_content=content,
        reply_markup=InlineKeyboardMarkup(inline_keyboard=[[button]]),
    )
