"""One running answer per chat: the queue, the stop, the shutdown, and where an answer ends up.

An answer belongs to the chat in which it was asked, whatever the person does meanwhile. It is
stored before it is sent, and noted as sent afterwards: what a person has seen is always in the
file, and `sent_as=None` marks an answer of which that is not sure.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from aiogram import Bot

from conversations import ConversationManager, ConversationMessage, StorageError

from .answerers import Answerer, AnswerError, AnswerResult, Turn
from .delivery import Delivery
from .person import Person

logger = logging.getLogger(__name__)

_TOKENS_PER_BYTE = 0.30

Ending = Literal["complete", "stopped", "interrupted"]


@dataclass(frozen=True, slots=True)
class Question:
    """A stored question that wants its answer, and where in Telegram that goes."""

    bot: Bot
    person: Person
    conversation_id: str
    message_id: int
    thread_id: int | None = None


@dataclass(slots=True)
class _Lane:
    """One chat's questions, answered one after another by one task."""

    waiting: deque[Question] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    reading: asyncio.Task[None] | None = None
    ending: Ending = "complete"

    def stop(self, ending: Ending) -> None:
        self.ending = ending
        if self.reading is not None:
            self.reading.cancel()


class Answering:
    """Runs answers in tasks of its own, so that no handler waits for a model.

    Questions of one chat wait for each other, at most `waiting_limit` of them; chats run side by
    side. `close` must be awaited before the manager's storage is closed.
    """

    def __init__(
        self,
        manager: ConversationManager,
        answerer: Answerer,
        *,
        context_messages: int = 20,
        waiting_limit: int = 5,
    ) -> None:
        self.waiting_limit = waiting_limit
        self._manager = manager
        self._answerer = answerer
        self._context_messages = context_messages
        self._lanes: dict[tuple[int, str], _Lane] = {}
        self._closed = False

    def submit(self, question: Question) -> bool:
        """Have a stored question answered; False if too many wait in its chat or we shut down."""
        if self._closed:
            return False
        key = (question.person.user_id, question.conversation_id)
        lane = self._lanes.setdefault(key, _Lane())
        if len(lane.waiting) >= self.waiting_limit:
            return False
        lane.waiting.append(question)
        if lane.task is None:
            lane.task = asyncio.create_task(self._run(key, lane))
        return True

    def stop(self, user_id: int, conversation_id: str) -> bool:
        """Stop the answer that runs in a chat, and keep what came; False when none does."""
        lane = self._lanes.get((user_id, conversation_id))
        if lane is None:
            return False
        lane.stop("stopped")
        return True

    def is_busy(self, user_id: int, conversation_id: str) -> bool:
        return (user_id, conversation_id) in self._lanes

    async def close(self) -> None:
        """Stop all answers, keep what came of them, and return when all of it is stored."""
        self._closed = True
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        for lane in self._lanes.values():
            lane.waiting.clear()
            lane.stop("interrupted")
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, key: tuple[int, str], lane: _Lane) -> None:
        try:
            while lane.waiting:
                question = lane.waiting.popleft()
                lane.ending = "interrupted" if self._closed else "complete"
                try:
                    await self._answer(question, lane)
                except Exception:
                    logger.exception("an answer could not be brought to its end")
        finally:
            del self._lanes[key]

    async def _answer(self, question: Question, lane: _Lane) -> None:
        delivery = Delivery(question.bot, question.person, question.thread_id, self._manager)
        try:
            turns = await self._context(question)
        except StorageError:
            logger.exception("the context of a question could not be read")
            await delivery.say(question.person.texts("storage-unavailable"))
            return
        if not turns:
            return  # deleted, or answered already
        await delivery.typing()
        try:
            result = await self._read(turns, lane)
        except AnswerError as error:
            logger.warning("the answerer failed: %s", error)
            await delivery.fail(question.conversation_id, error.kind)
            return
        await self._finish(question, lane.ending, result, delivery)

    async def _context(self, question: Question) -> list[Turn]:
        """Give the last turns up to the question; others may have been asked after it."""
        user_id, conversation_id = question.person.user_id, question.conversation_id
        limit = 2 * (self._context_messages + self.waiting_limit)
        messages = await self._manager.get_messages(user_id, conversation_id, limit)
        if not any(message.message_id == question.message_id for message in messages):
            conversation = await self._manager.load_conversation(user_id, conversation_id)
            messages = conversation.messages if conversation else []
        return make_turns(messages, question.message_id, limit=self._context_messages)

    async def _read(self, turns: Sequence[Turn], lane: _Lane) -> AnswerResult:
        """Read an answer to its end, or until the lane is stopped."""
        async with self._answerer.answer(turns, mode="fast") as stream:

            async def read() -> None:
                async for _ in stream:
                    pass

            lane.reading = asyncio.create_task(read())
            if lane.ending != "complete":
                lane.reading.cancel()
            try:
                await asyncio.wait([lane.reading])
                if not lane.reading.cancelled():
                    _raise_as_answer_error(lane.reading.exception())
                    lane.ending = "complete"
            finally:
                lane.reading.cancel()
                lane.reading = None
            return stream.result

    async def _finish(
        self, question: Question, ending: Ending, result: AnswerResult, delivery: Delivery
    ) -> None:
        if not result.text.strip():
            if ending == "complete":
                await delivery.fail(question.conversation_id, "protocol")
            else:
                await delivery.end_without_answer(question.conversation_id, ending)
            return
        answer = _as_message(question, ending, result)
        stored = await self._store(question, answer)
        sent = await delivery.answer(question.conversation_id, answer.text, ending, stored=stored)
        if stored and sent is not None:
            noted = replace(answer, message_id=sent, sent_as="message")
            await self._manager.replace_message(
                question.person.user_id,
                question.conversation_id,
                answer,
                noted,
                include_deleted=True,
            )

    async def _store(self, question: Question, answer: ConversationMessage) -> bool:
        """Store an answer in its chat, be it in the trash by now; False when that failed."""
        try:
            return await self._manager.add_message(
                question.person.user_id, question.conversation_id, answer, include_deleted=True
            )
        except StorageError:
            logger.exception("an answer could not be stored")
            return False


def make_turns(
    messages: Sequence[ConversationMessage], question_id: int, *, limit: int
) -> list[Turn]:
    """Turn a chat's messages into a model's context: the last `limit` turns up to the question.

    Each answer stands behind its question, also where other questions were asked in between. The
    turns begin with a user's. Empty when the question is not there, or has its answer already.
    """
    places = [
        place
        for place, message in enumerate(messages)
        if message.type == "user_question" and message.message_id == question_id
    ]
    if not places:
        return []
    before, after = messages[: places[-1]], messages[places[-1] :]
    if any(message.reply_to == question_id for message in after):
        return []
    turns: list[Turn] = []
    for message in before:
        turns.append(_as_turn(message))
        if message.type == "user_question":
            turns += [_as_turn(late) for late in after if late.reply_to == message.message_id]
    turns = [*turns, _as_turn(after[0])][-limit:]
    while turns[0].role != "user":
        del turns[0]
    return turns


def _as_turn(message: ConversationMessage) -> Turn:
    return Turn("user" if message.type == "user_question" else "assistant", message.text)


def estimate_tokens(text: str) -> int:
    """Guess a text's tokens from its bytes, where nobody counted them."""
    return round(len(text.encode("utf-8", "surrogatepass")) * _TOKENS_PER_BYTE)


def _as_message(question: Question, ending: Ending, result: AnswerResult) -> ConversationMessage:
    counted = result.usage.output if result.usage is not None else None
    return ConversationMessage(
        timestamp=datetime.now(UTC).isoformat(),
        message_id=0,
        type="bot_answer",
        text=result.text,
        tokens=estimate_tokens(result.text) if counted is None else counted,
        search_type="fast",
        reply_to=question.message_id,
        state=None if ending == "complete" else "partial",
        tokens_estimated=counted is None,
        model=result.model,
    )


def _raise_as_answer_error(error: BaseException | None) -> None:
    if error is None:
        return
    if isinstance(error, AnswerError):
        raise error
    logger.error("the answerer raised something of its own", exc_info=error)
    raise AnswerError("server", type(error).__name__) from error
