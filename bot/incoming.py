"""An update's way in: written down, handled in its person's order, and known to be over.

Nothing that Telegram has handed over is lost, and nothing is done twice: see `inbox.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from aiogram import BaseMiddleware, Bot, Dispatcher
from aiogram.methods import TelegramMethod
from aiogram.types import TelegramObject, Update
from aiogram.types.update import UpdateTypeLookupError
from pydantic import ValidationError

from conversations import StorageError

from .access import Access
from .inbox import Entry
from .inboxes import SharedInbox, UpdateInbox
from .tasks import end_all
from .turns import Turn

logger = logging.getLogger(__name__)

_AT_ONCE = 64  # handlers; with more a storage keeps each of them waiting for too long
PATIENCE = 10  # seconds for handlers at the end; what takes longer is handled after the start

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]
Over = Callable[[], Awaitable[None]]


class Receipt:
    """What a handler may say of its update: what it found out, and that it goes on after it.

    Handlers get it as `receipt`, where the bot has an inbox.
    """

    def __init__(self, inbox: UpdateInbox, entry: Entry) -> None:
        self._inbox = inbox
        self._update_id: int = entry.raw["update_id"]
        self.facts = entry.facts
        self.is_held = False

    async def note(self, **facts: str | int) -> None:
        """Write down what this handler has to know if it runs again after a crash.

        It is then found in `facts`. A failure is logged: what the note is about was stored.
        """
        try:
            await self._inbox.note(self._update_id, facts)
        except (OSError, StorageError) as error:
            logger.warning("update %d could not be noted: %s", self._update_id, error)

    def hold(self) -> Over:
        """Keep the update open when the handler returns, until what this gives is called."""
        self.is_held = True
        return self.over

    async def forget_person(self, user_id: int) -> None:
        """Have the inbox keep nothing of what a person sent and what is over.

        :raises OSError: that failed; or `StorageError`.
        """
        await self._inbox.forget_person(user_id)

    async def over(self) -> None:
        """Note that there is nothing left to do for this update."""
        try:
            await self._inbox.finish(self._update_id)
        except (OSError, StorageError) as error:
            logger.warning("update %d could not be noted as over: %s", self._update_id, error)


class Incoming(BaseMiddleware):
    """Middleware of a dispatcher's updates, outside of everything else.

    Updates of one person are handled one after another, the lowest number of those that wait
    first, so that one which has to be handled again never comes after a later one; those of
    different people side by side.
    """

    def __init__(self, inbox: UpdateInbox, access: Access | None = None) -> None:
        self._inbox = inbox
        self._access = access or Access()
        self._is_kept = True
        self._is_ending = False
        self._handling: set[asyncio.Task[Any]] = set()
        self._handed_out: set[int] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._turns: WeakValueDictionary[int, Turn] = WeakValueDictionary()

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        if not isinstance(event, Update):
            raise TypeError("Incoming is a middleware of updates")
        entry = self._inbox.begin(event.update_id)
        if entry is None and self._inbox.knows(event.update_id):
            logger.info("update %d came again, or is another worker's", event.update_id)
            return None
        if not _is_known(event):
            if entry is not None:  # else it could not be decoded, which was logged
                logger.warning("update %d has nothing that is known here", event.update_id)
                await Receipt(self._inbox, entry).over()
            return None
        self._count(asyncio.current_task())
        async with self._turn_of(data).of(event.update_id), self._slots:
            if entry is None:  # it was fed by somebody else
                return await handler(event, data)
            return await self._handle(handler, event, data, entry)

    async def _handle(
        self, handler: Handler, event: Update, data: dict[str, Any], entry: Entry
    ) -> Any:
        receipt = Receipt(self._inbox, entry)
        try:
            result = await handler(event, {**data, "receipt": receipt})
        except Exception:
            await receipt.over()  # it would fail again
            raise
        if not receipt.is_held:
            await receipt.over()
        return result

    async def keep(self, updates: Iterable[dict[str, Any]]) -> None:
        """Write updates down before Telegram is told to forget them.

        Those of persons who are not let in are only handled; they cost nobody's disk. So is what
        somebody types behind the bot's name: a moment later nobody waits for that any more.

        :raises StorageError: they were not taken, and have to be brought again.
        """
        try:
            await self._inbox.keep(filter(self._is_to_be_kept, updates))
            self._is_kept = True
        except OSError as error:
            logger.error("updates cannot be written down: %s", error)  # noqa: TRY400
            self._is_kept = False

    def _is_to_be_kept(self, raw: dict[str, Any]) -> bool:
        return "inline_query" not in raw and self._access.allows_update(raw)

    async def confirm(self) -> None:
        """Return when Telegram may forget what it has sent: it is written down, or handled."""
        if not self._is_kept:
            await self.settle()

    async def take(self, dispatcher: Dispatcher, bot: Bot, raw: dict[str, Any]) -> None:
        """Take an update that came by itself; when this returns, its sender may forget it.

        :raises StorageError: it was not taken, and has to be brought again.
        """
        update = decode(bot, raw)
        if update is None:
            return
        await self.keep([raw])
        if isinstance(self._inbox, SharedInbox) and self._inbox.knows(update.update_id):
            await self.replay(dispatcher, bot)  # with what other workers were brought before it
        else:
            self._count(asyncio.create_task(_feed(dispatcher, bot, update)))
        await self.confirm()

    async def attend(self, dispatcher: Dispatcher, bot: Bot) -> None:
        """Hand out what the last run left open, and from now on what other workers bring in."""
        if isinstance(self._inbox, SharedInbox):

            def replay() -> None:
                if not self._is_ending:
                    self._count(asyncio.create_task(self.replay(dispatcher, bot)))

            self._inbox.watch(arrived=replay, lost=lambda: self._end_all(0))
        await self.replay(dispatcher, bot)

    async def may_fetch(self) -> None:
        """Return when this process is the one that asks Telegram for updates."""
        if isinstance(self._inbox, SharedInbox):
            await self._inbox.may_fetch()

    async def replay(self, dispatcher: Dispatcher, bot: Bot) -> None:
        """Hand out what is open, oldest first; the handling goes on after this."""
        for entry in self._inbox.left_open():
            update_id = entry.raw["update_id"]
            if update_id in self._handed_out:
                continue
            update = decode(bot, entry.raw)
            if update is None:
                await Receipt(self._inbox, entry).over()
                continue
            self._handed_out.add(update_id)
            task = asyncio.create_task(_feed(dispatcher, bot, update))
            task.add_done_callback(partial(_discard, self._handed_out, update_id))
            self._count(task)

    async def settle(self, within: float | None = None) -> None:
        """Wait for the handlers that run; cancel those that take longer than `within` seconds.

        What is cancelled is still open, and handled again after the next start.
        """
        self._is_ending = self._is_ending or within is not None
        await self._end_all(within)

    async def _end_all(self, within: float | None) -> None:
        current = asyncio.current_task()
        await end_all((task for task in self._handling if task is not current), within)

    def _count(self, task: asyncio.Task[Any] | None) -> None:
        if task is not None:
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)

    def _turn_of(self, data: dict[str, Any]) -> Turn:
        """Give the turn of the one who acts; what nobody did has its own."""
        actor = data.get("event_from_user") or data.get("event_chat")
        if actor is None:
            return Turn()
        turn = self._turns.get(actor.id)
        if turn is None:
            turn = self._turns[actor.id] = Turn()
        return turn


def decode(bot: Bot, raw: dict[str, Any]) -> Update | None:
    """Decode one update; None, and a line in the log, where that cannot be."""
    try:
        return Update.model_validate(raw, context={"bot": bot})
    except ValidationError as error:
        fields = {".".join(map(str, problem["loc"][:3])) for problem in error.errors()}
        logger.error(  # noqa: TRY400 - a traceback would show what people wrote
            "update %s cannot be decoded and is skipped (%s)",
            raw["update_id"],
            ", ".join(sorted(fields)),
        )
        return None


def _is_known(update: Update) -> bool:
    """Tell an update from an empty one, and from one that is newer than the library."""
    try:
        return bool(update.event_type)
    except UpdateTypeLookupError:
        return False


def _discard(ids: set[int], update_id: int, _task: asyncio.Task[None]) -> None:
    ids.discard(update_id)


async def _feed(dispatcher: Dispatcher, bot: Bot, update: Update) -> None:
    try:
        response = await dispatcher.feed_update(bot, update)
        if isinstance(response, TelegramMethod):
            await dispatcher.silent_call_request(bot, response)
    except Exception:
        logger.exception("update %d failed", update.update_id)
