"""Which messages of a chat an answerer gets: pure.

The window is cut in blocks. It grows until it is full and then loses its oldest two fifths at
once, so that for many questions in a row it begins at the same message, which is what a provider's
prompt cache needs; a window that slides by one with every message never hits it. Where a block
begins follows from the chat alone, so that nothing about it has to be stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conversations import ConversationMessage

from .answerers import Turn

_DROPPED = 0.4  # of a full window, when it is cut
_OFFLINE = "echo"  # the model's name on answers that no model gave
_STOPPED = "\n[stopped]"


@dataclass(frozen=True, slots=True)
class ContextLimits:
    """How much of a chat an answerer gets; `tokens` follow the counts stored with the messages."""

    messages: int = 20
    tokens: int = 16_000


@dataclass(frozen=True, slots=True)
class Tail:
    """The last messages of a chat, oldest first, and how much of it precedes them."""

    messages: Sequence[ConversationMessage]
    messages_before: int = 0
    tokens_before: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What an answerer gets for a question. `turns` are empty when there is nothing to answer.

    `instructions` are the chat's own, empty where it has none.

    `cut_now` tells that this is the first question for which something had to be left out.
    """

    turns: list[Turn]
    cut_now: bool = False
    instructions: str = ""


def window_start(tail: Tail, limits: ContextLimits) -> int:
    """Tell from which message of `tail` on the window goes; the last one is always within."""
    tokens = [message.tokens for message in tail.messages]
    count, spent = tail.messages_before, tail.tokens_before
    first = _block(count + len(tokens), limits.messages)
    enough = _block(spent + sum(tokens), limits.tokens)
    for place, more in enumerate(tokens):
        if count + place >= first and spent >= enough:
            return place
        spent += more
    return max(0, len(tokens) - 1)


def count_seen(tail: Tail, limits: ContextLimits) -> int:
    """Tell how many of a chat's last messages an answerer would get now."""
    return len(tail.messages) - window_start(tail, limits)


def make_context(
    tail: Tail, question_id: int, limits: ContextLimits, *, model: str, again: bool = False
) -> Context:
    """Build the context of a question: the window up to it, from a user's turn on.

    Each answer stands behind its question, also where others were asked in between. There are no
    turns when the question is not there, or has its answer already and is not asked `again`. What
    the offline answerer said, and was asked, is nothing to a real `model`.
    """
    place = _last_place(tail.messages, question_id)
    if place is None:
        return Context([])
    answered = any(late.reply_to == question_id for late in tail.messages[place:])
    if answered and not again:
        return Context([])
    start = _start_at(tail, place, limits)
    window = list(tail.messages[start : place + 1])
    if model != _OFFLINE:
        offline = {late.reply_to for late in tail.messages if late.model == _OFFLINE}
        window = [m for m in window[:-1] if not _is_offline(m, offline)] + window[-1:]
    turns = _turns(window, tail.messages[place + 1 :], question_id)
    return Context(turns, cut_now=_is_first_cut(tail, place, start, limits))


def _turns(
    window: Sequence[ConversationMessage], after: Sequence[ConversationMessage], question_id: int
) -> list[Turn]:
    turns: list[Turn] = []
    for message in window:
        turns.append(_turn(message))
        if message.type == "user_question" and message.message_id != question_id:
            turns += [_turn(late) for late in after if late.reply_to == message.message_id]
    while turns and turns[0].role != "user":
        del turns[0]
    return turns


def as_asked(question: ConversationMessage) -> str:
    """Give a question as an answerer gets it: behind what the person quotes, if they do."""
    if not question.quote:
        return question.text
    quoted = "\n".join(f"> {line}" for line in question.quote.splitlines())
    return f"{quoted}\n\n{question.text}"


def _turn(message: ConversationMessage) -> Turn:
    if message.type == "user_question":
        return Turn("user", as_asked(message))
    return Turn("assistant", message.text + (_STOPPED if message.state == "partial" else ""))


def _is_offline(message: ConversationMessage, asked: set[int | None]) -> bool:
    """Tell whether a message is an answer of the offline answerer, or a question `asked` of it."""
    if message.type == "user_question":
        return message.message_id in asked
    return message.model == _OFFLINE


def _start_at(tail: Tail, place: int, limits: ContextLimits) -> int:
    until = Tail(tail.messages[: place + 1], tail.messages_before, tail.tokens_before)
    return window_start(until, limits)


def _is_first_cut(tail: Tail, place: int, start: int, limits: ContextLimits) -> bool:
    if not tail.messages_before + start:
        return False
    earlier = [
        other
        for other, message in enumerate(tail.messages[:place])
        if message.type == "user_question"
    ]
    if not earlier:
        return not tail.messages_before
    return not tail.messages_before + _start_at(tail, earlier[-1], limits)


def _last_place(messages: Sequence[ConversationMessage], question_id: int) -> int | None:
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if message.type == "user_question" and message.message_id == question_id:
            return place
    return None


def _block(total: int, limit: int) -> int:
    """Tell where the window begins: within `limit` of the end, and at a whole block."""
    step = max(1, round(limit * _DROPPED))
    return 0 if total <= limit else -(-(total - limit) // step) * step
