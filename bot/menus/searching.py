"""What a person sees of a search: the question for words, what was found, one hit; pure.

The words stand on the first line of the results, from where the buttons below take them: no
button has room for them, and nothing has to be remembered.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from aiogram.utils.formatting import BlockQuote, Bold, Text

from conversations import (
    ConversationMessage,
    ConversationMetadata,
    SearchHit,
    Words,
)

from ..buttons import chats_button, data_button, search_button
from ..callbacks import HitButton, SearchAction, SearchButton
from ..chat_names import button_name, display_name
from ..excerpts import excerpt, excerpt_of
from ..keyboards import open_keyboard
from ..paging import page_of, page_within, turning_rows
from ..person import Person
from ..screens import Screen, day_of
from ..texts import Texts

QUERY_LIMIT = 200  # characters
MOST_HITS = 100
_ON_PAGE = 5
_IN_LIST = 160  # characters of an excerpt
_ALONE = 500
_SIGN = "🔎 "


def prompt_screen(person: Person) -> Screen:
    """Ask for words in a reply, which is known by the button that cancels it."""
    t = person.texts
    cancel = SearchButton(action=SearchAction.CANCEL, owner=person.mark)
    rows = [[data_button(t("button-cancel"), cancel)]]
    keyboard = InlineKeyboardMarkup(inline_keyboard=rows, force_reply=True)
    return Screen.of(Text(Bold(t("search-title")), "\n", t("search-hint")), keyboard)


def results_screen(person: Person, query: str, hits: Sequence[SearchHit], page: int) -> Screen:
    """Show a page of what was found, at most `MOST_HITS` in all; `query` is one line."""
    t = person.texts
    found = hits[:MOST_HITS]
    page = page_within(page, len(found), _ON_PAGE)
    first = page * _ON_PAGE + 1
    shown = page_of(found, page, _ON_PAGE)
    parts: list[Text | str] = [Bold(f"{_SIGN}{query}"), "\n", _count(t, len(hits))]
    words = Words.of(query)
    for number, hit in enumerate(shown, first):
        parts += ["\n\n", f"{number}. ", *_described(hit, words, t)]
    rows = [[_hit_button(person, number, hit)] for number, hit in enumerate(shown, first)]
    rows += turning_rows(person, len(found), page, lambda to: _page(person, to), _ON_PAGE)
    rows.append([search_button(person), chats_button(person)])
    return Screen.of(Text(*parts), InlineKeyboardMarkup(inline_keyboard=rows))


def query_of(results: str) -> str | None:
    """Give the words that stand in results; None where these are none."""
    first, _, _ = results.partition("\n")
    return first.removeprefix(_SIGN) if first.startswith(_SIGN) else None


def hit_screen(
    person: Person, chat: ConversationMetadata, message: ConversationMessage, query: str
) -> Screen:
    """Show what was found in one message, with the way into its chat."""
    t = person.texts
    found = excerpt_of(message, Words.of(query), _ALONE)
    title = Bold(f"💬 {display_name(chat, t)}")
    content = Text(title, "\n", _source(message, t), "\n", BlockQuote(found))
    return Screen.of(content, open_keyboard(person, chat))


def _count(t: Texts, count: int) -> str:
    if not count:
        return t("search-none")
    if count > MOST_HITS:
        return t("search-found-many", count=MOST_HITS)
    return t("search-found", count=count)


def _described(hit: SearchHit, words: Words, t: Texts) -> list[Text | str]:
    name = display_name(hit.chat, t)
    if hit.message is None:
        return ["💬 ", excerpt(name, words, len(name)), f" · {t('search-in-name')}"]
    found = excerpt_of(hit.message, words, _IN_LIST)
    return [f"💬 {name} · {_source(hit.message, t)}\n", BlockQuote(found)]


def _source(message: ConversationMessage, t: Texts) -> str:
    who = t("chat-you") if message.type == "user_question" else t("chat-bot")
    return f"{who} · {day_of(message.timestamp)}"


def _page(person: Person, page: int) -> SearchButton:
    return SearchButton(action=SearchAction.PAGE, page=page, owner=person.mark)


def _hit_button(person: Person, number: int, hit: SearchHit) -> InlineKeyboardButton:
    name = button_name(hit.chat, person.texts)
    data = HitButton.to(hit.chat.conversation_id, hit.message, person.mark)
    return data_button(f"{number} · {name}", data)
