"""Parts of a chat: a copy up to a message, everything but the last exchange; pure."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from .models import Conversation, ConversationMessage, ConversationMetadata
from .names import name_of_fork


def forked(
    origin: Conversation, fork: ConversationMetadata, up_to_message_id: int | None
) -> Conversation | None:
    """Give the chat `fork` as a copy of another, named after it; None without that message.

    Of `fork` itself it keeps the id, the times, the flags and what is unknown.
    """
    messages = up_to(origin.messages, up_to_message_id)
    if messages is None:
        return None
    metadata = replace(
        copy.deepcopy(fork),
        username=origin.metadata.username,
        name=name_of_fork(origin.metadata.name),
        name_source=origin.metadata.name_source,
        mode=origin.metadata.mode,
        instructions=origin.metadata.instructions,
        forked_from=origin.metadata.conversation_id,
    )
    return replace(origin, metadata=metadata, messages=messages)


def up_to(
    messages: Sequence[ConversationMessage], message_id: int | None
) -> list[ConversationMessage] | None:
    """Give the messages up to the last one of this id; all for None, and None if there is none."""
    if message_id is None:
        return list(messages)
    for place in range(len(messages) - 1, -1, -1):
        if message_id in {messages[place].message_id, *messages[place].pieces}:
            return list(messages[: place + 1])
    return None


def without_last_exchange(
    messages: Sequence[ConversationMessage],
) -> tuple[list[ConversationMessage], list[ConversationMessage]]:
    """Part the messages from the last question and what answers it."""
    places = [place for place, each in enumerate(messages) if each.type == "user_question"]
    if not places:
        return list(messages), []
    question = messages[places[-1]]
    kept, removed = list(messages[: places[-1]]), [question]
    for message in messages[places[-1] + 1 :]:
        answers_it = message.reply_to in {question.message_id, None}
        (removed if answers_it else kept).append(message)
    return kept, removed
