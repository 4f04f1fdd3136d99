"""Telegram for tests: the real dispatcher with only the wire faked, and the people who use it."""

from __future__ import annotations

import asyncio
import copy
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.client.session.base import BaseSession
from aiogram.exceptions import TelegramBadRequest, TelegramNotFound
from aiogram.methods import (
    AnswerCallbackQuery,
    AnswerInlineQuery,
    DeleteMessage,
    DeleteMyCommands,
    EditMessageText,
    GetFile,
    GetMe,
    GetUpdates,
    SendChatAction,
    SendDocument,
    SendMessage,
    SendMessageDraft,
    SendRichMessage,
    SetMessageReaction,
    SetMyCommands,
    TelegramMethod,
)
from aiogram.types import (
    BufferedInputFile,
    File,
    FSInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
)

from bot.polling import Batch
from tests.waiting import PATIENCE

BOT_ID = 42
BOT_USER = {"id": BOT_ID, "is_bot": True, "first_name": "Bot", "username": "test_bot"}


class FakeTelegram(BaseSession):
    """Keeps the dialogs as Telegram would and answers the bot's calls; what is sent is serialised.

    `calls` has every method in the order it came. `refuse` makes calls fail.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[TelegramMethod[Any]] = []
        self.messages: dict[tuple[int, int], dict[str, Any]] = {}
        self.knows_rich_messages = False
        self.documents: list[bytes] = []
        self.files: dict[str, bytes] = {}  # what people sent, by its id
        self._ids = itertools.count(1000)
        self._refusals: list[tuple[type[TelegramMethod[Any]], Exception, int]] = []
        self._changed = asyncio.Condition()

    def refuse(
        self, method: type[TelegramMethod[Any]], error: Exception, *, times: int = 1
    ) -> None:
        self._refusals += [(method, error, times)]

    def of(self, *methods: type[TelegramMethod[Any]]) -> list[Any]:
        return [call for call in self.calls if isinstance(call, methods)]

    def texts_in(self, chat_id: int) -> list[str]:
        """All texts that stand in a chat now, oldest first."""
        return [
            message["text"]
            for (chat, _), message in sorted(self.messages.items())
            if chat == chat_id
        ]

    def last_in(self, chat_id: int) -> Message:
        message_id = max(number for chat, number in self.messages if chat == chat_id)
        return Message.model_validate(self.messages[chat_id, message_id])

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a call of the bot makes `condition` true."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(condition)

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[Any],
        timeout: int | None = None,  # noqa: ASYNC109
    ) -> Any:
        async with self._changed:
            self.calls.append(method)
            self._changed.notify_all()
            self._refuse_if_told(method)
            return self._answer(bot, method)

    async def stream_content(
        self, url: str, *args: object, **kwargs: object
    ) -> AsyncGenerator[bytes, None]:
        yield self.files[url.rpartition("/")[2]]

    async def close(self) -> None:
        pass

    def _refuse_if_told(self, method: TelegramMethod[Any]) -> None:
        for place, (kind, error, times) in enumerate(self._refusals):
            if isinstance(method, kind):
                if times > 1:
                    self._refusals[place] = (kind, error, times - 1)
                else:
                    del self._refusals[place]
                raise error

    def _answer(self, bot: Bot, method: TelegramMethod[Any]) -> Any:
        match method:
            case GetMe():
                return bot._me
            case SendMessage():
                return self._send(bot, method)
            case EditMessageText():
                return self._edit(bot, method)
            case DeleteMessage():
                self.messages.pop((int(method.chat_id), method.message_id), None)
                return True
            case SendDocument():
                return self._send_document(bot, method)
            case GetFile():
                file_id = method.file_id
                return File(file_id=file_id, file_unique_id=file_id, file_path=file_id)
            case (
                AnswerCallbackQuery()
                | DeleteMyCommands()
                | SetMyCommands()
                | AnswerInlineQuery()
                | SendChatAction()
                | SendMessageDraft()
                | SetMessageReaction()
            ):
                return True
            case SendRichMessage():
                if not self.knows_rich_messages:
                    raise TelegramNotFound(method, "Not Found: method not found")
                return self._message(bot, int(method.chat_id), {"text": "(rich)"})
        raise NotImplementedError(type(method).__name__)  # pragma: no cover

    def _send_document(self, bot: Bot, method: SendDocument) -> Message:
        if isinstance(method.document, BufferedInputFile):
            self.documents.append(method.document.data)
        else:
            assert isinstance(method.document, FSInputFile)
            self.documents.append(Path(method.document.path).read_bytes())
        file = {"file_id": "x", "file_unique_id": "x", "file_name": method.document.filename}
        return self._message(bot, int(method.chat_id), {"document": file})

    def _message(self, bot: Bot, chat_id: int, content: dict[str, Any]) -> Message:
        message = {
            "message_id": next(self._ids),
            "date": stamp(),
            "chat": chat_of(chat_id),
            "from": BOT_USER,
            **content,
        }
        return Message.model_validate(message, context={"bot": bot})

    def _send(self, bot: Bot, method: SendMessage) -> Message:
        assert method.text.strip(), "message text is empty"
        assert len(method.text.encode("utf-16-le")) // 2 <= 4096, "message is too long"
        assert method.parse_mode is None
        chat_id, message_id = int(method.chat_id), next(self._ids)
        message = {
            "message_id": message_id,
            "date": stamp(),
            "chat": chat_of(chat_id),
            "from": BOT_USER,
            **_content_of(method),
        }
        if method.message_thread_id is not None:
            message |= {"message_thread_id": method.message_thread_id, "is_topic_message": True}
        self.messages[chat_id, message_id] = message
        reply = method.reply_parameters
        if reply is not None and (replied := self.messages.get((chat_id, reply.message_id or 0))):
            message = message | {"reply_to_message": replied}
        return Message.model_validate(message, context={"bot": bot})

    def _edit(self, bot: Bot, method: EditMessageText) -> Message:
        assert method.parse_mode is None
        assert method.chat_id is not None
        assert method.message_id is not None
        message = self.messages.get((int(method.chat_id), method.message_id))
        if message is None:
            raise TelegramBadRequest(method, "Bad Request: message to edit not found")
        content = _content_of(method)
        if all(message.get(key) == content.get(key) for key in ("text", "reply_markup")):
            raise TelegramBadRequest(
                method,
                "Bad Request: message is not modified: specified new message content and"
                " reply markup are exactly the same as a current content and reply markup"
                " of the message",
            )
        message.pop("reply_markup", None)
        message.update(content)
        return Message.model_validate(message, context={"bot": bot})


class QueueingTelegram(FakeTelegram):
    """Hands out updates until they are confirmed, a few at a time, as `getUpdates` does."""

    def __init__(self, updates: Sequence[dict[str, Any]] = (), *, at_once: int = 100) -> None:
        super().__init__()
        self._at_once = at_once
        self.unconfirmed = list(updates)

    async def push(self, *updates: dict[str, Any]) -> None:
        async with self._changed:
            self.unconfirmed += updates
            self._changed.notify_all()

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[Any],
        timeout: int | None = None,  # noqa: ASYNC109
    ) -> Any:
        if not isinstance(method, GetUpdates):
            return await super().make_request(bot, method, timeout)
        if method.offset is not None:
            self.confirm(method.offset)
        async with self._changed:
            self.calls.append(method)
            self._changed.notify_all()
            self._refuse_if_told(method)
            await self._changed.wait_for(lambda: self.unconfirmed)
            return Batch(bot, copy.deepcopy(self.unconfirmed[: self._at_once]))

    def confirm(self, offset: int) -> None:
        """Forget all updates up to the one before `offset`, wherever it stands in the queue."""
        ids = [update["update_id"] for update in self.unconfirmed]
        if offset - 1 in ids:
            del self.unconfirmed[: ids.index(offset - 1) + 1]


def _content_of(method: SendMessage | EditMessageText) -> dict[str, Any]:
    shown = {"text", "entities", "reply_markup"}
    return method.model_dump(mode="json", exclude_none=True, include=shown)


def stamp() -> int:
    """Give the `date` of what is said now: Telegram's clock and the bot's show the same time."""
    return int(time.time())


def chat_of(chat_id: int) -> dict[str, Any]:
    if chat_id > 0:
        return {"id": chat_id, "type": "private", "first_name": "Person"}
    return {"id": chat_id, "type": "supergroup", "title": "Group"}


@dataclass
class Client:
    """A person with a phone: writes, presses, and sees what the bot shows in one Telegram chat."""

    dispatcher: Dispatcher
    bot: Bot
    telegram: FakeTelegram
    user_id: int = 1001
    language_code: str = "en"
    chat_id: int = 0
    thread_id: int | None = None
    _updates: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.chat_id = self.chat_id or self.user_id

    @property
    def user(self) -> dict[str, Any]:
        return {
            "id": self.user_id,
            "is_bot": False,
            "first_name": f"Person {self.user_id}",
            "username": f"person{self.user_id}",
            "language_code": self.language_code,
        }

    @property
    def screen(self) -> Message:
        """The newest message of the bot."""
        return self.telegram.last_in(self.chat_id)

    @property
    def text(self) -> str:
        shown = self.telegram.texts_in(self.chat_id)
        return shown[-1] if shown else ""

    @property
    def labels(self) -> list[str]:
        return [button.text for button in self.buttons()]

    @property
    def toasts(self) -> list[str | None]:
        return [call.text for call in self.telegram.of(AnswerCallbackQuery)]

    def buttons(self, message: Message | None = None) -> list[InlineKeyboardButton]:
        markup = (message or self.screen).reply_markup
        return [button for row in markup.inline_keyboard for button in row] if markup else []

    def button(self, label: str, message: Message | None = None) -> InlineKeyboardButton:
        """Find the one button whose label contains `label`."""
        found = [button for button in self.buttons(message) if label in button.text]
        assert len(found) == 1, (label, [button.text for button in self.buttons(message)])
        return found[0]

    async def send(self, text: str | None = None, **content: Any) -> Any:
        """Write a message; other content than text goes by Telegram's names."""
        return await self.feed(message=self.message(text, **content))

    async def ask(self, text: str, **content: Any) -> str:
        """Write a question and wait for what the bot says to it."""
        before = len(self.telegram.texts_in(self.chat_id))
        await self.send(text, **content)
        await self.telegram.wait_for(lambda: len(self.telegram.texts_in(self.chat_id)) > before)
        return self.text

    async def press(self, label: str, message: Message | None = None) -> Any:
        pressed = message or self.screen
        data = self.button(label, pressed).callback_data
        assert data is not None
        return await self.press_data(data, pressed)

    async def press_data(self, data: str, message: Message | dict[str, Any] | None = None) -> Any:
        pressed = message if message is not None else self.screen
        if isinstance(pressed, Message):
            pressed = pressed.model_dump(mode="json", exclude_none=True, by_alias=True)
            pressed["date"] = stamp()
        return await self.feed(callback_query=self.callback(data, pressed))

    def callback(self, data: str, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": str(next(self._updates)),
            "from": self.user,
            "chat_instance": "1",
            "data": data,
            "message": message,
        }

    async def send_file(self, name: str, content: bytes, **more: Any) -> Any:
        """Send a file; `mime_type`, `file_size` and the message's own content may be given."""
        file_id = f"file{len(self.telegram.files)}"
        self.telegram.files[file_id] = content
        document = {
            "file_id": file_id,
            "file_unique_id": file_id,
            "file_name": name,
            "file_size": more.pop("file_size", len(content)),
            "mime_type": more.pop("mime_type", "application/octet-stream"),
        }
        return await self.feed(message=self.message(None, document=document, **more))

    async def type(self, query: str, offset: str = "") -> list[AnswerInlineQuery]:
        """Type an inline query; give all answers to inline queries so far."""
        typed = {"id": str(next(self._updates)), "from": self.user, "query": query}
        await self.feed(inline_query=typed | {"offset": offset})
        return self.telegram.of(AnswerInlineQuery)

    async def reply(self, text: str | None, to: Message, **content: Any) -> Any:
        replied = self.telegram.messages[self.chat_id, to.message_id]
        return await self.feed(
            message=self.message(text, **content) | {"reply_to_message": replied}
        )

    async def feed(self, **update: Any) -> Any:
        return await self.dispatcher.feed_raw_update(self.bot, self.update(**update))

    def update(self, **content: Any) -> dict[str, Any]:
        return {"update_id": next(self._updates), **content}

    def message(self, text: str | None, **content: Any) -> dict[str, Any]:
        message = {
            "message_id": next(self._ids),
            "date": stamp(),
            "chat": chat_of(self.chat_id),
            "from": self.user,
            **content,
        }
        if text is not None:
            message["text"] = text
        if text is not None and text.startswith("/"):
            length = len(text.split()[0])
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        if self.thread_id is not None:
            message |= {"message_thread_id": self.thread_id, "is_topic_message": True}
        return message


MakeClient = Callable[..., Client]


def keyboard_of(message: Message) -> InlineKeyboardMarkup:
    assert message.reply_markup is not None
    return message.reply_markup
