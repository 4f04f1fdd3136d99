"""What becomes of an answer: stored in its chat, sent, noted as sent; and the chat is named."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from aiogram import Bot
from aiogram.types import InlineKeyboardMarkup

from conversations import (
    ConversationManager,
    ConversationMessage,
    ConversationMetadata,
    InvalidNameError,
    StorageError,
)

from .answerers import AnswerError, AnswerResult, Mode, Namer
from .chat_names import display_name
from .context import Context
from .delivery import Delivery, Sent
from .incoming import Over
from .keyboards import again_keyboard, open_keyboard
from .person import Person
from .tasks import cancel_all

logger = logging.getLogger(__name__)

_TOKENS_PER_BYTE = 0.30
_NAMING_SECONDS = 15

Ending = Literal["complete", "stopped", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class Question:
    """A stored question that wants its answer, and where in Telegram that goes.

    `again` asks for another answer in the place of the one that is there; `asked_by` is then the
    message or menu that did, for the question itself may stand in another dialog. `overs` are
    called when there is nothing left to do: after a crash before that, it is asked again.
    """

    bot: Bot
    person: Person
    conversation_id: str
    message_id: int
    thread_id: int | None = None
    mode: Mode = "fast"
    again: bool = False
    asked_by: int | None = None
    overs: tuple[Over, ...] = ()

    async def is_over(self) -> None:
        for over in self.overs:
            await over()

    @property
    def replied(self) -> int:
        """The message that the answer refers to."""
        return self.asked_by or self.message_id


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """An answer that has come to its end; `placeholder` is the message that showed it growing."""

    question: Question
    context: Context
    result: AnswerResult
    ending: Ending
    failure: AnswerError | None = None
    placeholder: int | None = None


class Finisher:
    def __init__(self, manager: ConversationManager, *, namer: Namer | None) -> None:
        self._manager = manager
        self._namer = namer
        self._naming: set[asyncio.Task[None]] = set()

    async def finish(self, answer: FinishedAnswer, delivery: Delivery) -> bool:
        """Store, send and note an answer; where there is none, say why and offer another try.

        False when it is stored, and Telegram did not take it.
        """
        question = answer.question
        if not answer.result.text.strip() or (question.again and answer.ending != "complete"):
            await delivery.say(
                self._why_not(answer),
                offer_again(question),
                placeholder=answer.placeholder,
            )
            return True
        message = _as_message(answer)
        stored = await self._store(question, message)
        sent = await self._send(answer, message, delivery, stored=stored)
        if stored and sent is not None:
            await self._note(question, message, sent)
        if stored and self._wants_name(answer):
            task = asyncio.create_task(self._name(question, message.text, answer.context))
            self._naming.add(task)
            task.add_done_callback(self._naming.discard)
        return sent is not None or not stored

    async def send_stored(self, question: Question, delivery: Delivery) -> bool:
        """Send the answer that was stored before a crash, if nobody can have seen all of it."""
        message = await self._find_answer(question)
        if message is None or message.sent_as is not None:
            return True
        ending: Ending = "complete" if message.state is None else "interrupted"
        result = AnswerResult("complete", message.text)
        answer = FinishedAnswer(question, Context([]), result, ending)
        sent = await self._send(answer, message, delivery, stored=True)
        if sent is not None:
            await self._note(question, message, sent)
        return sent is not None

    async def close(self) -> None:
        """Give up the names that are still to come; they are of no consequence."""
        await cancel_all(self._naming)

    async def _send(
        self,
        answer: FinishedAnswer,
        message: ConversationMessage,
        delivery: Delivery,
        *,
        stored: bool,
    ) -> Sent | None:
        question = answer.question
        header, keyboard = await self._whereabouts(question)
        if answer.ending != "complete":
            keyboard = keyboard or offer_again(question)
        return await delivery.answer(
            message.text,
            header=header,
            footer="\n".join(self._remarks(answer, stored=stored)),
            keyboard=keyboard,
            placeholder=answer.placeholder,
        )

    def _why_not(self, answer: FinishedAnswer) -> str:
        t = answer.question.person.texts
        if answer.failure is not None:
            why = t(f"failed-{answer.failure.kind}")
        elif answer.ending == "complete":
            why = t("failed-refused" if answer.result.state == "refused" else "failed-protocol")
        else:
            why = t(f"answer-{answer.ending}")
        return f"{why} {t('again-kept')}" if answer.question.again else why

    def _remarks(self, answer: FinishedAnswer, *, stored: bool) -> list[str]:
        """List what a person must know of an answer beside its text."""
        t = answer.question.person.texts
        remarks = []
        if answer.failure is not None:
            remarks.append(t(f"failed-{answer.failure.kind}"))
        elif answer.ending != "complete":
            remarks.append(t(f"answer-{answer.ending}"))
        elif answer.result.state == "length":
            remarks.append(t("answer-length"))
        if answer.context.cut_now:
            remarks.append(t("context-cut", count=len(answer.context.turns)))
        if not stored:
            remarks.append(t("answer-not-saved"))
        return remarks

    async def _store(self, question: Question, message: ConversationMessage) -> bool:
        """Store an answer in its chat, be it in the trash by now; False when that failed."""
        user_id, chat = question.person.user_id, question.conversation_id
        try:
            old = await self._find_answer(question) if question.again else None
            if old is not None and await self._manager.replace_message(
                user_id, chat, old, message, include_deleted=True
            ):
                return True
            return await self._manager.add_message(user_id, chat, message, include_deleted=True)
        except StorageError:
            logger.exception("an answer could not be stored")
            return False

    async def _find_answer(self, question: Question) -> ConversationMessage | None:
        """Find the answer to a question in its chat, be that in the trash by now."""
        user_id, chat = question.person.user_id, question.conversation_id
        conversation = await self._manager.load_conversation(user_id, chat, include_deleted=True)
        messages = conversation.messages if conversation else []
        for place in range(len(messages) - 1, -1, -1):
            message = messages[place]
            if message.type == "user_question" and message.message_id == question.message_id:
                return find_answer(messages[place:], question.message_id)
        return None

    async def _note(self, question: Question, message: ConversationMessage, sent: Sent) -> None:
        """Note what an answer was sent as; a long one is kept as a file beside the chats too."""
        user_id, chat = question.person.user_id, question.conversation_id
        try:
            path = None
            if sent.kind == "file":
                name = f"{chat}-{sent.message_id}.md"
                path = await self._manager.keep_file(user_id, name, message.text)
            noted = replace(
                message,
                message_id=sent.message_id,
                sent_as=sent.kind,
                file_path=path,
                pieces=sent.pieces,
            )
            await self._manager.replace_message(
                user_id, chat, message, noted, include_deleted=True
            )
        except StorageError:
            logger.exception("an answer could not be noted as sent")

    async def _whereabouts(self, question: Question) -> tuple[str, InlineKeyboardMarkup | None]:
        """Tell, in a line and a button, whose answer this is when its chat is not the open one."""
        chat = await self._find(question)
        if chat is None or (chat.is_active and chat.deleted_at is None):
            return "", None
        t = question.person.texts
        key = "answer-in-deleted" if chat.deleted_at else "answer-moved-on"
        header = t(key, name=display_name(chat, t))
        return header, open_keyboard(question.person, chat, under_answer=True)

    async def _find(self, question: Question) -> ConversationMetadata | None:
        user_id = question.person.user_id
        try:
            return await self._manager.get_conversation(
                user_id, question.conversation_id
            ) or await self._manager.get_deleted_conversation(user_id, question.conversation_id)
        except StorageError:
            return None

    def _wants_name(self, answer: FinishedAnswer) -> bool:
        first = len(answer.context.turns) == 1 and not answer.question.again
        wanted = self._namer is not None and answer.question.person.preferences.named_by_model
        return wanted and first and answer.ending == "complete"

    async def _name(self, question: Question, answer: str, context: Context) -> None:
        """Have the model name a chat after its first answer; a failure is of no consequence."""
        user_id, chat = question.person.user_id, question.conversation_id
        try:
            if self._namer is not None:
                async with asyncio.timeout(_NAMING_SECONDS):
                    name = await self._namer.name_chat(context.turns[-1].text, answer)
                await self._manager.name_conversation(user_id, chat, name)
        except (AnswerError, InvalidNameError, StorageError, TimeoutError) as error:
            logger.info("a chat keeps its first name: %s", type(error).__name__)
        except Exception:
            logger.exception("naming a chat failed in a way of its own")


def find_answer(
    messages: Sequence[ConversationMessage], question_id: int
) -> ConversationMessage | None:
    """Find the answer to the first of `messages`; in old chats it is the one that follows it."""
    for message in messages[1:]:
        if message.type == "bot_answer" and message.reply_to in {question_id, None}:
            return message
    return None


def estimate_tokens(text: str) -> int:
    """Guess a text's tokens from its bytes, where nobody counted them."""
    return round(len(text.encode("utf-8", "surrogatepass")) * _TOKENS_PER_BYTE)


def tokens_used(context: Context, result: AnswerResult) -> int:
    """Tell what an answer took of its asker's allowance: as counted by the provider, else a guess.

    One that failed before its first word took nothing.
    """
    usage = result.usage
    if usage is not None and (usage.input or usage.output):
        return (usage.input or 0) + (usage.output or 0)
    if not result.text:
        return 0
    asked = sum(estimate_tokens(turn.text) for turn in context.turns)
    return asked + estimate_tokens(context.instructions) + estimate_tokens(result.text)


def offer_again(question: Question) -> InlineKeyboardMarkup:
    chat, message_id = question.conversation_id, question.message_id
    return again_keyboard(question.person, chat, message_id, anew=question.again)


def _as_message(answer: FinishedAnswer) -> ConversationMessage:
    result = answer.result
    counted = result.usage.output if result.usage is not None else None
    return ConversationMessage(
        timestamp=datetime.now(UTC).isoformat(),
        message_id=0,
        type="bot_answer",
        text=result.text,
        tokens=estimate_tokens(result.text) if counted is None else counted,
        search_type=answer.question.mode,
        reply_to=answer.question.message_id,
        state=None if answer.ending == "complete" else "partial",
        tokens_estimated=counted is None,
        model=result.model,
        dialog_id=answer.question.person.dialog_id,
    )
