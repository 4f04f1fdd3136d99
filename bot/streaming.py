"""How a growing answer is shown: drafts where Telegram takes them, else edits of one message.

Showing must never hold up or fail an answer: at most one frame is on its way, it always carries
the newest text, and whatever Telegram says to it only changes the pace or the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import (
    AiogramError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNotFound,
    TelegramRetryAfter,
)
from aiogram.types import InlineKeyboardMarkup

from .delivery import NO_PREVIEW
from .person import Person
from .rendering import Part, render_draft
from .show import reply_in_group

logger = logging.getLogger(__name__)

_NO_DRAFTS_HERE = "TEXTDRAFT_PEER_INVALID"
_UNCHANGED = "message is not modified"


@dataclass(frozen=True, slots=True)
class Pacing:
    """How often frames go out, all in seconds; Telegram tells no limits but by refusing."""

    grace: float = 0.1  # an answer that is there at once needs no frames
    draft: float = 1.0
    edit: float = 1.5
    edit_in_group: float = 3.0
    slowest: float = 5.0
    keep_alive: float = 20.0  # a draft vanishes after 30
    typing: float = 4.5  # a chat action lasts 5
    frame_timeout: int = 10


class DraftSupport:
    """Remembers where drafts were refused: everywhere, by an old server, or in single chats."""

    _REMEMBERED = 10_000  # chats

    def __init__(self) -> None:
        self._everywhere = True
        self._refused_in: set[int] = set()

    def allow(self, person: Person) -> bool:
        return self._everywhere and person.in_private and person.chat_id not in self._refused_in

    def refuse_everywhere(self) -> None:
        logger.warning("this Bot API server knows no drafts; growing answers are shown by edits")
        self._everywhere = False

    def refuse_in(self, chat_id: int) -> None:
        if len(self._refused_in) >= self._REMEMBERED:
            self._refused_in.clear()
        self._refused_in.add(chat_id)


class LiveAnswer:
    """Shows one answer while it grows; an asynchronous context, left when the answer has ended.

    `draft_id` is the question's message id, which is unique in its dialog; `reply_to` is the
    message that a group sees answered.

    `placeholder` is the id of the message that was edited, to be turned into the answer; None
    where drafts were shown, which vanish by themselves.
    """

    def __init__(
        self,
        bot: Bot,
        person: Person,
        *,
        draft_id: int,
        reply_to: int,
        thread_id: int | None,
        stop_keyboard: InlineKeyboardMarkup,
        drafts: DraftSupport,
        pacing: Pacing,
        on_blocked: Callable[[], None],
    ) -> None:
        self.placeholder: int | None = None
        self._bot = bot
        self._person = person
        self._draft_id = draft_id
        self._reply = reply_in_group(reply_to, in_private=person.in_private)
        self._thread_id = thread_id
        self._stop_keyboard = stop_keyboard
        self._drafts = drafts
        self._pacing = pacing
        self._on_blocked = on_blocked
        self._text = ""
        self._shown: str | None = None
        self._by_edits = False
        self._slowness = 1.0
        self._pause = 0.0  # seconds that Telegram asked for
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def show(self, text: str) -> None:
        """Take the whole text so far; it is shown when the pace allows."""
        self._text = text
        self._changed.set()

    async def __aenter__(self) -> LiveAnswer:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Return when the last frame has arrived, so that none comes after the answer itself."""
        self._ended.set()
        self._changed.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            await self._wait(self._ended, self._pacing.grace)
            if not self._text and not self._ended.is_set():
                await self._think()
            while not self._ended.is_set():
                self._changed.clear()
                await self._frame()
                await self._wait(self._ended, self._interval())
                await self._wait(self._changed, self._pacing.keep_alive)
        except Exception:
            logger.exception("a growing answer cannot be shown any more; it goes on unseen")

    async def _think(self) -> None:
        """Show that something is going on until there is a first word."""
        await self._try(self._send_typing)
        await self._wait(self._changed, max(self._pause, self._pacing.draft))
        while not self._changed.is_set():
            if self._drafts_allowed and await self._try(self._send_draft):
                pause = self._pacing.keep_alive
            else:
                await self._try(self._send_typing)
                pause = self._pacing.typing
            await self._wait(self._changed, max(self._pause, pause))

    async def _frame(self) -> None:
        if self._drafts_allowed and await self._try(self._send_draft):
            return
        if not self._drafts_allowed and self._text != self._shown:
            await self._try(self._send_edit)

    @property
    def _drafts_allowed(self) -> bool:
        return not self._by_edits and self._drafts.allow(self._person)

    async def _try(self, send: Callable[[], Awaitable[None]]) -> bool:
        """Send one thing, and learn from a refusal: wait, slow down, go another way, give up."""
        self._pause = 0.0
        try:
            await send()
        except TelegramRetryAfter as error:
            self._pause = error.retry_after
            self._slowness *= 2
        except TelegramForbiddenError:
            self._on_blocked()
        except TelegramNotFound:
            if send == self._send_draft:
                self._drafts.refuse_everywhere()
        except TelegramBadRequest as error:
            self._learn(send, error)
        except AiogramError as error:  # slow or garbled: the next frame carries it all anyway
            logger.info("a frame of a growing answer was lost: %s", type(error).__name__)
        else:
            return True
        return False

    def _learn(self, send: Callable[[], Awaitable[None]], error: TelegramBadRequest) -> None:
        if send == self._send_draft:
            if _NO_DRAFTS_HERE in error.message:
                self._drafts.refuse_in(self._person.chat_id)
            self._by_edits = True
        elif send == self._send_edit and _UNCHANGED not in error.message:
            self.placeholder = None  # deleted by the person; a new one follows
        logger.info("a frame of a growing answer was refused: %s", error)

    def _render(self, text: str) -> Part:
        return render_draft(text, plain=self._person.preferences.formatting == "plain")

    async def _send_typing(self) -> None:
        await self._bot.send_chat_action(
            self._person.chat_id,
            ChatAction.TYPING,
            message_thread_id=self._thread_id,
            request_timeout=self._pacing.frame_timeout,
        )

    async def _send_draft(self) -> None:
        """Send the newest text as a draft; without any Telegram shows that one is thinking."""
        part = self._render(self._text)
        await self._bot.send_message_draft(
            self._person.chat_id,
            self._draft_id,
            text=part.text or None,
            entities=part.entities or None,
            parse_mode=None,
            message_thread_id=self._thread_id,
            can_stop=True,
            request_timeout=self._pacing.frame_timeout,
        )

    async def _send_edit(self) -> None:
        text = self._text
        part = self._render(text)
        if not part.text:
            return
        if self.placeholder is None:
            message = await self._bot.send_message(
                self._person.chat_id,
                part.text,
                entities=part.entities,
                parse_mode=None,
                link_preview_options=NO_PREVIEW,
                message_thread_id=self._thread_id,
                reply_markup=self._stop_keyboard,
                reply_parameters=self._reply,
            )
            self.placeholder, self._shown = message.message_id, text
            return
        await self._bot.edit_message_text(
            part.text,
            chat_id=self._person.chat_id,
            message_id=self.placeholder,
            entities=part.entities,
            parse_mode=None,
            link_preview_options=NO_PREVIEW,
            reply_markup=self._stop_keyboard,
            request_timeout=self._pacing.frame_timeout,
        )
        self._shown = text

    def _interval(self) -> float:
        if self._drafts_allowed:
            interval = self._pacing.draft
        else:
            in_private = self._person.in_private
            interval = self._pacing.edit if in_private else self._pacing.edit_in_group
        return max(
            self._pause, min(interval * self._slowness, max(self._pacing.slowest, interval))
        )

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
