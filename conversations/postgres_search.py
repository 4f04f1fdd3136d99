"""Searching one user's rows: the database sorts out nearly all of them, Python has the last word.

It takes some thousand messages at a time, so that what is found early ends it early, and so that
its memory follows neither the chats nor the number of those that match.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence

from .models import ConversationMetadata
from .postgres_messages import MessageRows
from .postgres_rows import to_column, to_messages
from .search import Found, SearchHit, SoughtMessage, Words

Chat = tuple[int, ConversationMetadata]  # the row's number, and what it says

_AT_ONCE = 5000  # messages


async def search(
    messages: MessageRows, chats: Sequence[Chat], words: Words, limit: int
) -> list[SearchHit]:
    """Find names, then questions, then answers, in chats that come as the hits shall."""
    names = [
        SearchHit(metadata)
        for _, metadata in chats
        if metadata.name_source != "default" and words.are_in(metadata.name)
    ]
    found = Found(limit - len(names))
    for group in _groups(chats):
        if found.is_enough:
            break
        await _search_chats(messages, group, words, found)
    return [*names, *found.hits][:limit]


async def find_message(
    messages: MessageRows, chats: Iterable[Chat], sought: SoughtMessage
) -> SearchHit | None:
    """Find a message in the active one of these chats, or else in the first one that has it."""
    metadata = dict(sorted(chats, key=lambda chat: not chat[1].is_active))
    async for row in messages.with_id([*metadata], sought.message_id):
        for message in to_messages([row]):
            if sought.is_it(message):
                return SearchHit(metadata[row["chat"]], message)
    return None


async def _search_chats(
    messages: MessageRows, chats: Sequence[Chat], words: Words, found: Found
) -> None:
    metadata = dict(chats)
    rarest_first = sorted(map(to_column, words.folded), key=len, reverse=True)
    async for row in messages.with_words(
        [*metadata], rarest_first, questions_only=not found.wants_answers
    ):
        if row["is_question"] is False and not found.wants_answers:
            continue
        for message in to_messages([row]):
            if words.are_in(message.text):
                found.add(SearchHit(copy.deepcopy(metadata[row["chat"]]), message))
        if found.is_enough:
            break


def _groups(chats: Iterable[Chat]) -> Iterator[list[Chat]]:
    group: list[Chat] = []
    size = 0
    for chat in chats:
        if group and size + chat[1].message_count > _AT_ONCE:
            yield group
            group, size = [], 0
        group.append(chat)
        size += chat[1].message_count
    if group:
        yield group
