"""What every handler of ours gets, and what a person is told when one fails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.dispatcher.event.bases import UNHANDLED
from aiogram.exceptions import TelegramAPIError
from aiogram.types import CallbackQuery, Message, TelegramObject

from conversations import ConversationManager, StorageError

from .answering import Answering
from .callbacks import FAMILY
from .people import People
from .person import Person
from .questions import Questions
from .show import Press

logger = logging.getLogger(__name__)

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]


class HandlerContext(BaseMiddleware):
    """Inner middleware of our own router: gives what handlers ask for by name.

    It runs only for updates that a handler of ours takes, and hands it a copy of the data, so that
    nothing of ours reaches the host's handlers. Every callback query is answered in the end, and a
    failing storage is told to the person. Other exceptions go on to the host's error handlers.
    """

    def __init__(
        self,
        manager: ConversationManager,
        answering: Answering | None,
        questions: Questions,
        people: People,
        *,
        exclusive: bool,
    ) -> None:
        self._manager = manager
        self._questions = questions
        self._answering = answering
        self._people = people
        self._exclusive = exclusive

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        if not isinstance(event, Message | CallbackQuery):
            return await handler(event, data)
        press = Press(event) if isinstance(event, CallbackQuery) else None
        person = Person.of(event, self._people.languages)
        if person is None:
            return UNHANDLED
        person = await self._people.know(person)
        ours = {
            **data,
            "person": person,
            "manager": self._manager,
            "answering": self._answering,
            "questions": self._questions,
            "people": self._people,
            "exclusive": self._exclusive,
            "press": press,
        }
        try:
            return await handler(event, ours)
        except StorageError:
            logger.exception("the storage failed")
            await _tell(event, press, person.texts("storage-unavailable"))
        except TelegramAPIError as error:
            logger.warning("Telegram did not take what we sent: %s", error)
        except Exception:
            await _tell(event, press, person.texts("something-wrong"))
            raise
        finally:
            if press is not None:
                await press.answer()
        return None


class OwnerGuard(BaseMiddleware):
    """Lets a menu in a group be used only by the one whose menu it is."""

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        button = data.get("callback_data")
        person: Person = data["person"]
        if button is not None and button.owner != person.mark:
            await data["press"].answer(person.texts("not-yours"), alert=True)
            return None
        return await handler(event, data)


async def is_ours(callback: CallbackQuery) -> bool:
    """Tell a button of this plugin, of whatever version, from a host's own."""
    return bool(FAMILY.match(callback.data or ""))


async def _tell(event: Message | CallbackQuery, press: Press | None, text: str) -> None:
    if press is not None:
        await press.answer(text, alert=True)
    elif isinstance(event, Message):
        try:
            await event.answer(text, parse_mode=None)
        except TelegramAPIError as error:
            logger.warning("a failure could not be told: %s", error)
