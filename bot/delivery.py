"""How what the bot has to say about a question reaches the person, whatever Telegram answers."""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import TelegramAPIError, TelegramRetryAfter
from aiogram.types import InlineKeyboardMarkup

from conversations import ConversationManager, ConversationMetadata, StorageError

from .keyboards import again_keyboard, display_name, open_keyboard
from .person import Person
from .rendering import sendable, split_text

logger = logging.getLogger(__name__)

_LONGEST_WAIT = 60  # seconds that a flood limit may make us wait before a message is given up
_TRIES = 3


class Delivery:
    """Sends into one Telegram chat; none of its methods raises because of Telegram."""

    def __init__(
        self, bot: Bot, person: Person, thread_id: int | None, manager: ConversationManager
    ) -> None:
        self._bot = bot
        self._person = person
        self._thread_id = thread_id
        self._manager = manager

    async def typing(self) -> None:
        try:
            await self._bot.send_chat_action(
                self._person.chat_id, ChatAction.TYPING, message_thread_id=self._thread_id
            )
        except TelegramAPIError as error:
            logger.info("typing could not be shown: %s", error)

    async def answer(
        self,
        conversation_id: str,
        text: str,
        ending: Literal["complete", "stopped", "interrupted"],
        *,
        stored: bool,
    ) -> int | None:
        """Send a whole answer; give the id of its first message, None when it did not all arrive.

        Where the person has gone on to another chat, it says which one it belongs to.
        """
        t = self._person.texts
        header, keyboard = await self._whereabouts(conversation_id)
        footers = [] if ending == "complete" else [t(f"answer-{ending}")]
        if not stored:
            footers.append(t("answer-not-saved"))
        whole = "\n\n".join([*header, text, *footers])
        parts = [part for part in split_text(sendable(whole)) if part.strip()]
        first: int | None = None
        for number, part in enumerate(parts, 1):
            sent = await self.say(part, keyboard if number == len(parts) else None)
            if sent is None:
                return None
            first = first or sent
        return first

    async def fail(self, conversation_id: str, kind: str) -> None:
        """Say why there is no answer, and offer to try again."""
        keyboard = again_keyboard(self._person, conversation_id)
        await self.say(self._person.texts(f"failed-{kind}"), keyboard)

    async def end_without_answer(
        self, conversation_id: str, ending: Literal["stopped", "interrupted"]
    ) -> None:
        keyboard = again_keyboard(self._person, conversation_id)
        await self.say(self._person.texts(f"answer-{ending}"), keyboard)

    async def say(self, text: str, keyboard: InlineKeyboardMarkup | None = None) -> int | None:
        """Send plain text; give its message id, None when Telegram did not take it."""
        for _ in range(_TRIES):
            try:
                message = await self._bot.send_message(
                    self._person.chat_id,
                    text,
                    parse_mode=None,
                    reply_markup=keyboard,
                    message_thread_id=self._thread_id,
                )
            except TelegramRetryAfter as error:
                if error.retry_after > _LONGEST_WAIT:
                    break
                await asyncio.sleep(error.retry_after)
            except TelegramAPIError as error:
                logger.warning("a message could not be sent: %s", error)
                return None
            else:
                return message.message_id
        logger.warning("a message could not be sent: too many requests")
        return None

    async def _whereabouts(
        self, conversation_id: str
    ) -> tuple[list[str], InlineKeyboardMarkup | None]:
        """Tell, in a line and a button, whose answer this is when its chat is not the open one."""
        chat = await self._find(conversation_id)
        if chat is None or (chat.is_active and chat.deleted_at is None):
            return [], None
        t = self._person.texts
        key = "answer-in-deleted" if chat.deleted_at else "answer-moved-on"
        return [t(key, name=display_name(chat, t))], open_keyboard(self._person, chat)

    async def _find(self, conversation_id: str) -> ConversationMetadata | None:
        try:
            chat = await self._manager.get_conversation(self._person.user_id, conversation_id)
            if chat is not None:
                return chat
            deleted = await self._manager.list_deleted(self._person.user_id)
        except StorageError:
            return None
        return next((chat for chat in deleted if chat.conversation_id == conversation_id), None)
