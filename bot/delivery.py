"""How an answer reaches the person: whole, once, and whatever Telegram says on the way.

Telegram has no key that would make a repeated `sendMessage` harmless. What it refused or could not
be handed is sent again; what may have arrived although the connection broke is sent again too, for
an answer that comes twice is the smaller harm than one that never comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from aiogram import Bot
from aiogram.exceptions import AiogramError, TelegramBadRequest, TelegramNotFound
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardMarkup,
    InputRichMessage,
    LinkPreviewOptions,
    Message,
    ReactionTypeEmoji,
    ReactionTypeUnion,
)

from .person import Person
from .rendering import (
    Part,
    enclose,
    inert,
    needs_rich,
    preview,
    render,
    render_rich,
    sendable,
    split_text,
)
from .retrying import PAUSES, REFUSALS, wait_after
from .show import delete_quietly, reply_in_group

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_LONG = 30_000  # characters; they take some tens of milliseconds to render
_MOST_PARTS = 4  # messages; more of them become a preview and a file
_WAITING = "👀"
# A model's links are many, and a preview of one of them would stand under the whole answer.
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


@dataclass(frozen=True, slots=True)
class Sent:
    """What an answer was sent as, the id of its first message, and those of the further ones.

    Of a file, which comes last, the id is its own.
    """

    message_id: int
    kind: Literal["message", "file"] = "message"
    pieces: tuple[int, ...] = ()


class RichSupport:
    """Remembers whether the server knows rich messages."""

    def __init__(self) -> None:
        self.known = True


class Delivery:
    """Sends into one Telegram chat; none of its methods raises because of Telegram.

    Once `hurry` is set it waits for nothing any more.
    """

    def __init__(
        self,
        bot: Bot,
        person: Person,
        thread_id: int | None,
        *,
        reply_to: int,
        rich: RichSupport,
        hurry: asyncio.Event,
    ) -> None:
        self._bot = bot
        self._person = person
        self._thread_id = thread_id
        self._reply = reply_in_group(reply_to, in_private=person.in_private)
        self._rich = rich
        self._hurry = hurry

    async def answer(
        self,
        text: str,
        *,
        header: str = "",
        footer: str = "",
        keyboard: InlineKeyboardMarkup | None = None,
        placeholder: int | None = None,
        file_name: str = "answer.md",
    ) -> Sent | None:
        """Send a whole answer in Markdown, between two lines of ours; None when it did not arrive.

        `placeholder` is a message of ours that the answer takes the place of.
        """
        if self._rich.known and self._wants_rich(text, placeholder):
            sent = await self._send_rich(text, header, footer, keyboard)
            if sent is not None:
                if placeholder is not None:
                    await delete_quietly(self._bot, self._person.chat_id, placeholder)
                return sent
        parts = await _rendered(text, plain=self._is_plain)
        if len(parts) > _MOST_PARTS:
            return await self._send_as_file(text, header, footer, keyboard, placeholder, file_name)
        return await self._send_parts(enclose(parts, header, footer), keyboard, placeholder)

    async def say(
        self,
        text: str,
        keyboard: InlineKeyboardMarkup | None = None,
        *,
        placeholder: int | None = None,
    ) -> Sent | None:
        """Send a plain sentence, or turn a message of ours into it."""
        return await self._send_parts([Part(text, [])], keyboard, placeholder)

    async def mark_waiting(self, message_id: int, *, waiting: bool) -> None:
        """Show at a question that it waits for its turn, or take that back."""
        reaction: list[ReactionTypeUnion] = [ReactionTypeEmoji(emoji=_WAITING)] if waiting else []
        with contextlib.suppress(AiogramError):  # an ornament: chats may forbid reactions
            await self._bot.set_message_reaction(self._person.chat_id, message_id, reaction)

    @property
    def _is_plain(self) -> bool:
        return self._person.preferences.formatting == "plain"

    def _wants_rich(self, text: str, placeholder: int | None) -> bool:
        """An edit cannot make a message a rich one, so that the placeholder has to be given up."""
        wanted = self._person.preferences.formatting
        return wanted == "rich" or (wanted == "auto" and placeholder is None and needs_rich(text))

    async def _send_rich(
        self, text: str, header: str, footer: str, keyboard: InlineKeyboardMarkup | None
    ) -> Sent | None:
        around = (inert(header), text, inert(footer))  # a chat's name is in there
        markdown = render_rich("\n\n".join(line for line in around if line))
        if markdown is None:
            return None

        async def send() -> Message:
            return await self._bot.send_rich_message(
                self._person.chat_id,
                InputRichMessage(markdown=markdown, skip_entity_detection=True),
                message_thread_id=self._thread_id,
                reply_markup=keyboard,
                reply_parameters=self._reply,
            )

        try:
            message = await self._insist(send)
        except TelegramBadRequest as error:
            logger.info("a rich message was refused, it is sent as text: %s", error)
            return None
        except TelegramNotFound:
            logger.warning("this Bot API server knows no rich messages; they are sent as text")
            self._rich.known = False
            return None
        return Sent(message.message_id) if message is not None else None

    async def _send_as_file(
        self,
        text: str,
        header: str,
        footer: str,
        keyboard: InlineKeyboardMarkup | None,
        placeholder: int | None,
        file_name: str,
    ) -> Sent | None:
        """Send the beginning as a message and the whole as a document, whose id is given."""
        opening = enclose([preview(text, plain=self._is_plain)], header, footer)
        opened = await self._send_parts(opening, None, placeholder)
        if opened is None:
            return None

        async def send() -> Message:
            return await self._bot.send_document(
                self._person.chat_id,
                BufferedInputFile(text.encode("utf-8", "replace"), file_name),
                message_thread_id=self._thread_id,
                reply_markup=keyboard,
            )

        try:
            message = await self._insist(send)
        except REFUSALS as error:
            logger.warning("a document could not be sent: %s", error)
            return None
        if message is None:
            return None
        return Sent(message.message_id, "file", (opened.message_id, *opened.pieces))

    async def _send_parts(
        self, parts: Sequence[Part], keyboard: InlineKeyboardMarkup | None, placeholder: int | None
    ) -> Sent | None:
        sent: list[int] = []
        for number, part in enumerate(parts, 1):
            buttons = keyboard if number == len(parts) else None
            message_id = None
            if number == 1 and placeholder is not None:
                message_id = await self._edit_part(part, buttons, placeholder)
                if message_id is None:  # it must not stay there, growing for ever
                    await delete_quietly(self._bot, self._person.chat_id, placeholder)
            if message_id is None:
                message_id = await self._send_part(part, buttons, is_first=number == 1)
            if message_id is None:
                return None
            sent.append(message_id)
        return Sent(sent[0], pieces=tuple(sent[1:])) if sent else None

    async def _edit_part(
        self, part: Part, keyboard: InlineKeyboardMarkup | None, message_id: int
    ) -> int | None:
        async def edit(shown: Part) -> Message | bool:
            return await self._bot.edit_message_text(
                shown.text,
                chat_id=self._person.chat_id,
                message_id=message_id,
                entities=shown.entities,
                parse_mode=None,
                link_preview_options=NO_PREVIEW,
                reply_markup=keyboard,
            )

        try:
            edited = await self._formatted_or_plain(edit, part)
        except REFUSALS as error:
            if "message is not modified" in error.message:
                return message_id
            logger.info("the growing message cannot become the answer: %s", error)
            return None
        return message_id if edited is not None else None

    async def _send_part(
        self, part: Part, keyboard: InlineKeyboardMarkup | None, *, is_first: bool
    ) -> int | None:
        async def send(shown: Part) -> Message:
            return await self._bot.send_message(
                self._person.chat_id,
                shown.text,
                entities=shown.entities,
                parse_mode=None,
                link_preview_options=NO_PREVIEW,
                reply_markup=keyboard,
                reply_parameters=self._reply if is_first else None,
                message_thread_id=self._thread_id,
            )

        try:
            message = await self._formatted_or_plain(send, part)
        except REFUSALS as error:
            logger.warning("a message could not be sent: %s", error)
            return None
        return message.message_id if message is not None else None

    async def _formatted_or_plain(
        self, send: Callable[[Part], Awaitable[_Result]], part: Part
    ) -> _Result | None:
        """Send with entities and, where those are refused, without."""
        try:
            return await self._insist(lambda: send(part))
        except TelegramBadRequest as error:
            if not part.entities or "message is not modified" in error.message:
                raise
            logger.info("formatting was refused, it is sent plain: %s", error)
        return await self._insist(lambda: send(Part(part.text, [])))

    async def _insist(self, call: Callable[[], Awaitable[_Result]]) -> _Result | None:
        """Call until Telegram takes it; None when it does not, `TelegramBadRequest` is raised."""
        for pause in (*PAUSES, None):
            try:
                return await call()
            except REFUSALS:
                raise
            except AiogramError as error:
                wait = wait_after(error, pause)
                if wait is None or self._hurry.is_set():
                    logger.warning("Telegram did not take a message: %s", type(error).__name__)
                    return None
            await self._wait(wait)
        return None

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()


async def _rendered(text: str, *, plain: bool) -> list[Part]:
    """Render an answer, a long one off the event loop; what shows nothing goes out as it is."""
    if len(text) > _LONG:
        parts = await asyncio.to_thread(render, text, plain=plain)
    else:
        parts = render(text, plain=plain)
    return parts or [Part(part, []) for part in split_text(sendable(text)) if part.strip()]
