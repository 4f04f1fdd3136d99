"""What every handler of ours gets, and what a person is told when one fails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.dispatcher.event.bases import UNHANDLED
from aiogram.exceptions import AiogramError, TelegramAPIError, TelegramForbiddenError
from aiogram.types import CallbackQuery, InlineQuery, Message, TelegramObject
from aiogram.utils.formatting import Text

from conversations import StorageError

from .access import Access
from .callbacks import FAMILY
from .people import People
from .person import Person
from .screens import Screen
from .show import Press, send_fresh

logger = logging.getLogger(__name__)

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]


class HandlerContext(BaseMiddleware):
    """Inner middleware of our own router: gives what handlers ask for by name.

    It runs only for updates that a handler of ours takes, and hands it a copy of the data, so that
    nothing of ours reaches the host's handlers. Who is not let in is told so, and that is all.
    Every callback query is answered in the end, and the person is told when the storage or
    Telegram fails. Other exceptions are told too, and go on to the host's error handlers.
    """

    def __init__(self, people: People, access: Access, **given: object) -> None:
        """`given` is what handlers get beside `person` and `press`, by the names they ask for."""
        self._people = people
        self._access = access
        self._given = given

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        if not isinstance(event, Message | CallbackQuery | InlineQuery):
            return await handler(event, data)
        press = Press(event) if isinstance(event, CallbackQuery) else None
        person = Person.of(event, self._people.languages)
        if person is None:
            return UNHANDLED
        if not self._access.allows(person.user_id):
            await self._turn_away(event, press, person)
            return None
        person = await self._people.know(person)
        ours = {
            **data,
            **self._given,
            "people": self._people,
            "person": person,
            "press": press,
        }
        try:
            return await handler(event, ours)
        except StorageError:
            logger.exception("the storage failed")
            await _tell(event, press, person.texts("storage-unavailable"))
        except TelegramForbiddenError as error:  # there is nobody to tell, as with a blocked bot
            logger.warning("Telegram did not take what we sent: %s", error)
        except TelegramAPIError as error:
            logger.warning("Telegram did not take what we sent: %s", error)
            await _tell(event, press, person.texts("something-wrong"))
        except Exception:
            await _tell(event, press, person.texts("something-wrong"))
            raise
        finally:
            if press is not None:
                await press.answer()
        return None

    async def _turn_away(
        self, event: Message | CallbackQuery | InlineQuery, press: Press | None, person: Person
    ) -> None:
        """Tell somebody who is not let in why nothing happens, and what the operator needs."""
        if isinstance(event, InlineQuery) or (
            isinstance(event, Message) and event.edit_date is not None
        ):
            return
        if self._access.is_to_be_told(person.user_id):
            await _tell(event, press, person.texts("not-allowed", id=str(person.user_id)))
        elif press is not None:
            await press.answer()


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


async def _tell(
    event: Message | CallbackQuery | InlineQuery, press: Press | None, text: str
) -> None:
    """Tell a person, in the answer to their press if that is still open; a failure is logged."""
    try:
        if press is not None and await press.answer(text, alert=True):
            return
        if isinstance(event, CallbackQuery):
            await send_fresh(event, Screen.of(Text(text)))
        elif isinstance(event, Message):
            await event.answer(text, parse_mode=None)
    except AiogramError as error:
        logger.warning("a failure could not be told: %s", error)
