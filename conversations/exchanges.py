"""Parts of a chat: everything up to a message, everything but the last exchange; pure."""

from __future__ import annotations

from collections.abc import Sequence

from .models import ConversationMessage


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
