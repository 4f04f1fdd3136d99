"""A question's way in: stored in the active chat, put together, handed to the answering."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.types import Message

from conversations import ConversationManager, ConversationMessage, StorageError, clean_text

from .answering import GIVEN_UP, Answering
from .context import as_asked
from .finishing import Question, estimate_tokens
from .incoming import Over, Receipt
from .limits import Quotas, Refusal
from .pastes import HeldPiece, Pastes, join_pieces, looks_cut
from .person import Person
from .prompts import shown_chat

logger = logging.getLogger(__name__)

_SEARCHED_MESSAGES = 100


class Questions:
    """Takes questions; without an `answering` they are only stored."""

    def __init__(
        self,
        manager: ConversationManager,
        answering: Answering | None,
        pastes: Pastes,
        quotas: Quotas,
    ) -> None:
        self._manager = manager
        self._answering = answering
        self._pastes = pastes
        self._quotas = quotas

    async def ask(
        self,
        message: Message,
        text: str,
        person: Person,
        receipt: Receipt | None,
        *,
        replied: Message | None = None,
    ) -> None:
        """Store a question in the active chat, and have it answered there.

        A question that is a reply goes to the chat of the message `replied`, if that is known.
        Where the bot has an inbox, the update is over with its answer: what a crash cuts off is
        answered after the next start, in the chat in which it was asked.
        """
        if not clean_text(text):
            await message.answer(person.texts("empty-text"), parse_mode=None)
            return
        thread_id = message.message_thread_id if message.is_topic_message else None
        key = (person.user_id, person.chat_id, thread_id)
        async with self._pastes.turn(key):
            if not await self.is_admitted(message, person, receipt):
                return
            goes_on = replied is None and _goes_on(message, text, receipt)
            held = self._pastes.take(key) if goes_on else None
            try:
                asked = await self._take(message, text, person, receipt, held, replied)
            except StorageError:
                if held is not None:  # it is stored, and wants its answer all the same
                    self._pastes.hold(key, held)
                raise
            if asked is None or self._answering is None:
                return
            overs = held.overs if held is not None else ()
            if receipt is not None:
                overs += (receipt.hold(),)
            question = _wanted(message, person, asked, thread_id, overs)
            hand_on = partial(_hand_on, self._answering, question, message)
            if looks_cut(text):
                self._pastes.hold(key, HeldPiece(*asked, overs, hand_on))
                return
        await hand_on()

    async def is_admitted(
        self, message: Message, person: Person, receipt: Receipt | None, *, new_chat: bool = False
    ) -> bool:
        """Tell whether a question may be asked, in a `new_chat`; a person who may not is told so.

        One that was stored before a crash has been admitted.
        """
        if receipt is not None and receipt.facts:
            return True
        key = f"{message.chat.id}:{message.message_id}"
        refusal = await self._quotas.admit(person.user_id, key)
        if refusal is None and new_chat:
            refusal = await self._quotas.admit_chat(person.user_id)
        if refusal is not None:
            await self._refuse(message, refusal, person)
        return refusal is None

    async def _refuse(self, message: Message, refusal: Refusal, person: Person) -> None:
        if self._quotas.is_to_be_told(person.user_id):
            why = f"{refusal.text(person.texts)}\n{person.texts('limit-not-saved')}"
            await message.answer(why, parse_mode=None)

    async def is_stored(self, message: Message, person: Person, receipt: Receipt | None) -> bool:
        """Tell whether a crash came after this question was stored, be that noted or not.

        Where it was not, nothing else of this person has been handled since.
        """
        if receipt is not None and receipt.facts:
            return True
        active = await self._manager.get_active_conversation_id(person.user_id)
        if active is None:
            return False
        messages = await self._manager.get_messages(person.user_id, active, _SEARCHED_MESSAGES)
        return _find(message, messages) is not None

    async def _take(
        self,
        message: Message,
        text: str,
        person: Person,
        receipt: Receipt | None,
        held: HeldPiece | None,
        replied: Message | None,
    ) -> tuple[ConversationMessage, str] | None:
        """Give a question as it is stored, and its chat; None if there is nothing left to do."""
        if receipt is not None and receipt.facts:
            if held is not None:
                return held.question, held.conversation_id
            return await self._find_again(message, person, receipt.facts)
        asked = await self._store(message, text, person, held, replied)
        if receipt is not None:
            question, conversation_id = asked
            await receipt.note(chat=conversation_id, question=question.message_id)
        return asked

    async def _find_again(
        self, message: Message, person: Person, facts: Mapping[str, Any]
    ) -> tuple[ConversationMessage, str] | None:
        """Find what was stored before a crash; a piece of a paste is over with its first one.

        In a chat that was deleted since too: it may have an answer that was not sent.
        """
        if facts["question"] != message.message_id:
            return None
        chat = await self._manager.load_conversation(
            person.user_id, facts["chat"], include_deleted=True
        )
        stored = _find(message, chat.messages) if chat is not None else None
        return (stored, facts["chat"]) if stored is not None else None

    async def _store(
        self,
        message: Message,
        text: str,
        person: Person,
        held: HeldPiece | None,
        replied: Message | None,
    ) -> tuple[ConversationMessage, str]:
        """Store a question, or put it behind the piece of a paste that it goes on with."""
        if held is not None:
            joined = _join(held.question, message.message_id, text)
            if await self._manager.replace_message(
                person.user_id, held.conversation_id, held.question, joined
            ):
                return joined, held.conversation_id
        question = ConversationMessage(
            timestamp=message.date.isoformat(),
            message_id=message.message_id,
            type="user_question",
            text=text,
            sent_as="message",
            tokens_estimated=True,
            dialog_id=person.dialog_id,
            quote=message.quote.text if message.quote is not None else None,
        )
        question.tokens = estimate_tokens(as_asked(question))
        if replied is not None:
            conversation_id = await self._store_where_replied(replied, question, person)
            if conversation_id is not None:
                return question, conversation_id
        chat = await self._manager.add_question(person.user_id, person.username, question)
        return question, chat.conversation_id

    async def _store_where_replied(
        self, replied: Message, question: ConversationMessage, person: Person
    ) -> str | None:
        """Store a question in the chat of a message, or of the chat's card that it is.

        None where it is neither.
        """
        found = await self._manager.find_message(
            person.user_id,
            replied.message_id,
            dialog_id=person.dialog_id,
            sent_at=replied.date,
        )
        shown = shown_chat(replied, bot_of(replied), person)
        chat = await self._manager.get_conversation(person.user_id, shown) if shown else None
        if found is not None:
            chat = found.chat
        if chat is None:
            return None
        question.search_type = chat.mode
        conversation_id = chat.conversation_id
        stored = await self._manager.add_message(person.user_id, conversation_id, question)
        return conversation_id if stored else None


def _wanted(
    message: Message,
    person: Person,
    asked: tuple[ConversationMessage, str],
    thread_id: int | None,
    overs: tuple[Over, ...],
) -> Question:
    stored, conversation_id = asked
    return Question(
        bot_of(message),
        person,
        conversation_id,
        stored.message_id,
        thread_id,
        mode=stored.search_type or "fast",
        overs=overs,
    )


async def _hand_on(answering: Answering, question: Question, message: Message) -> None:
    """Have a question answered, or tell at a message of the person's why it is not."""
    admission = answering.submit(question)
    refusal = answering.refusal(admission, question.person.texts, is_kept=bool(question.overs))
    if refusal:
        try:
            await message.answer(refusal, parse_mode=None)
        except AiogramError as error:  # the question is stored, and its update is over
            logger.warning("a refusal could not be told: %s", error)
    if admission in GIVEN_UP:
        await question.is_over()


def replied_to(message: Message) -> Message | None:
    """Give the message that a person replies to; in a topic all reply to its beginning."""
    replied = message.reply_to_message
    if replied is None or (
        message.is_topic_message and replied.message_id == message.message_thread_id
    ):
        return None
    return replied


def _find(message: Message, messages: Sequence[ConversationMessage]) -> ConversationMessage | None:
    key = ("user_question", message.message_id, message.date.isoformat())
    for stored in reversed(messages):
        if (stored.type, stored.message_id, stored.timestamp) == key:
            return stored
    return None


def _goes_on(message: Message, text: str, receipt: Receipt | None) -> bool:
    """Tell whether a message may go on with the one before it.

    A command does not: what is held is answered by itself, in its own chat. Nor does what was a
    question of its own before a crash.
    """
    noted = receipt.facts.get("question") if receipt is not None else None
    return text == message.text and noted != message.message_id


def _join(first: ConversationMessage, message_id: int, text: str) -> ConversationMessage:
    """Put a piece behind those before it, if a crash has not had it put there already."""
    if message_id in first.pieces:
        return first
    return with_text(
        replace(first, pieces=(*first.pieces, message_id)), join_pieces(first.text, text)
    )


def with_text(question: ConversationMessage, text: str) -> ConversationMessage:
    """Give a question another text, and the tokens that it takes then."""
    changed = replace(question, text=text, tokens_estimated=True)
    return replace(changed, tokens=estimate_tokens(as_asked(changed)))


def bot_of(message: Message) -> Bot:
    if message.bot is None:
        raise RuntimeError("the message came without its bot")
    return message.bot
