"""The one place that edits or sends a screen, and knows Telegram's refusals by their words."""

from __future__ import annotations

import logging

from aiogram import Bot
from aiogram.enums import ChatType
from aiogram.exceptions import AiogramError, TelegramBadRequest
from aiogram.types import CallbackQuery, Message, ReplyParameters

from .callbacks import belongs_to, owner_mark, stands_under_answer
from .screens import Screen

logger = logging.getLogger(__name__)

_UNCHANGED = "message is not modified"


async def show(event: Message | CallbackQuery, screen: Screen) -> None:
    """Put a screen in the place of the menu that was pressed, or send it as an answer.

    A menu that shows it already is left alone; one that cannot be edited gets a fresh one below.
    So does one of somebody else in a group: what was pressed there, the presser's client claims.
    An answer stays what it is, with its button: the screen comes below it.
    """
    if isinstance(event, Message):
        await send(event, screen)
        return
    menu = event.message
    if isinstance(menu, Message) and _is_own_menu(event, menu):
        try:
            await menu.edit_text(
                screen.text,
                entities=screen.entities,
                parse_mode=None,
                reply_markup=screen.keyboard,
            )
        except TelegramBadRequest as error:
            if _UNCHANGED in error.message:
                return
            logger.info("a menu cannot be edited, a fresh one is sent: %s", error)
        else:
            return
    await send_fresh(event, screen)


def _is_own_menu(event: CallbackQuery, menu: Message) -> bool:
    if stands_under_answer(event.data):
        return False
    if menu.chat.type == ChatType.PRIVATE:
        return True
    return belongs_to(menu.reply_markup, owner_mark(event.from_user.id, menu.chat.id))


async def send(message: Message, screen: Screen) -> None:
    """Answer a message; in a group as a reply, so that it is seen whose menu it is."""
    in_private = message.chat.type == ChatType.PRIVATE
    await message.answer(
        screen.text,
        entities=screen.entities,
        parse_mode=None,
        reply_markup=screen.keyboard,
        reply_parameters=reply_in_group(message.message_id, in_private=in_private),
    )


def reply_in_group(message_id: int, *, in_private: bool) -> ReplyParameters | None:
    """Have what is sent refer to a message where many people talk; where one does, it is noise."""
    if in_private:
        return None
    return ReplyParameters(message_id=message_id, allow_sending_without_reply=True)


async def send_fresh(callback: CallbackQuery, screen: Screen) -> None:
    """Send a screen below the menu that was pressed."""
    menu = callback.message
    bot = callback.bot
    if bot is None:
        raise RuntimeError("the callback came without its bot")
    await bot.send_message(
        menu.chat.id if menu else callback.from_user.id,
        screen.text,
        entities=screen.entities,
        parse_mode=None,
        reply_markup=screen.keyboard,
        message_thread_id=_thread_of(menu) if isinstance(menu, Message) else None,
    )


def _thread_of(message: Message) -> int | None:
    return message.message_thread_id if message.is_topic_message else None


class Press:
    """A pressed button, to be answered exactly once; a late or second answer interests nobody."""

    def __init__(self, callback: CallbackQuery) -> None:
        self._callback = callback
        self._answered = False

    async def answer(self, text: str | None = None, *, alert: bool = False) -> bool:
        """Stop the button's spinner, with a toast or an alert of at most 200 characters.

        False where it was answered before, or Telegram does not take it.
        """
        if self._answered:
            return False
        self._answered = True
        try:
            await self._callback.answer(text[:200] if text else None, show_alert=alert or None)
        except AiogramError as error:
            logger.info("a callback query could not be answered: %s", error)
            return False
        return True


async def delete_quietly(bot: Bot, chat_id: int, message_id: int) -> None:
    """Remove a message of ours that has done its work; if it stays, nothing is wrong."""
    try:
        await bot.delete_message(chat_id, message_id)
    except AiogramError as error:
        logger.info("a message could not be deleted: %s", error)
