"""Chats out of the bot and into it as files: what is asked, what is sent, what is told after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import aiofiles
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    Document,
    FSInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
)
from aiogram.utils.formatting import Bold, Text

from conversations import (
    ConversationManager,
    ConversationMetadata,
    ExportedFile,
    ExportFormat,
    ExportLabels,
    ImportRefusedError,
    ImportReport,
    StorageError,
    shorten,
)

from .callbacks import TransferAction, TransferButton
from .chat_names import display_name
from .person import Person
from .screens import Screen
from .texts import Texts

logger = logging.getLogger(__name__)

DOWNLOAD_LIMIT = 20 * 1024 * 1024  # bytes that a bot may fetch (Bot API, `getFile`)
UPLOAD_LIMIT = 50 * 1024 * 1024  # bytes that a bot may send (Bot API, `sendDocument`)
_TOO_BIG = "file is too big"  # Telegram's words
_ARCHIVE = "chats.zip"
_SHOWN_REASONS = 12

FORMATS: dict[TransferAction, ExportFormat] = {
    TransferAction.MARKDOWN: "markdown",
    TransferAction.PAGE: "html",
    TransferAction.JSON: "json",
}


class TooBigError(Exception):
    """A file has more bytes than Telegram takes."""


class NoChatsError(Exception):
    """There is nothing to be sent."""


def export_screen(person: Person, chat: ConversationMetadata) -> Screen:
    t = person.texts
    content = Text(Bold(t("export-title", name=display_name(chat, t))), "\n", t("export-hint"))
    chat_id = chat.conversation_id
    formats = [
        _button(person, t(f"button-export-{name}"), action, chat_id)
        for action, name in FORMATS.items()
    ]
    rows = [formats, [export_all_button(person)]]
    return Screen.of(content, InlineKeyboardMarkup(inline_keyboard=rows))


def export_all_button(person: Person) -> InlineKeyboardButton:
    return _button(person, person.texts("button-export-all"), TransferAction.ALL)


def import_screen(person: Person) -> Screen:
    """Ask for a file. The cancel button marks the prompt, and the reply brings it back."""
    t = person.texts
    cancel = _button(person, t("button-cancel"), TransferAction.CANCEL_IMPORT)
    keyboard = InlineKeyboardMarkup(inline_keyboard=[[cancel]], force_reply=True)
    return Screen.of(Text(Bold(t("import-title")), "\n", t("import-hint")), keyboard)


def report_text(t: Texts, report: ImportReport) -> str:
    """Tell what came in and, reason by reason, what did not."""
    living = report.chats - report.deleted
    lines = [
        t(
            "import-done",
            chats=t("chats-count", count=living),
            messages=t("messages-count", count=report.messages),
        )
    ]
    if report.deleted:
        lines.append(t("import-deleted", count=report.deleted))
    if report.left_out:
        lines += ["", t("import-left-out")]
    for left_out in report.left_out[:_SHOWN_REASONS]:
        line = t(f"left-out-{left_out.reason.replace('_', '-')}", count=left_out.count)
        lines.append(f"• {line} ({left_out.detail})" if left_out.detail else f"• {line}")
    return "\n".join(lines)


def refusal_text(t: Texts, error: ImportRefusedError) -> str:
    text = t(f"import-refused-{error.reason.replace('_', '-')}")
    return f"{text} ({error.detail})" if error.detail else text


def labels_of(t: Texts) -> ExportLabels:
    return ExportLabels(
        language=t.locale,
        question=t("export-question"),
        answer=t("export-answer"),
        partial=t("export-partial"),
        failed=t("export-failed"),
        messages=t("export-messages"),
        begun=t("export-begun"),
    )


@asynccontextmanager
async def chat_file(exported: ExportedFile) -> AsyncIterator[FSInputFile]:
    """Write an export into a file for the time of sending it.

    :raises TooBigError: Telegram would not take it.
    """
    with TemporaryDirectory(prefix="export-") as folder:
        path = Path(folder, "file")
        size = 0
        async with aiofiles.open(path, "wb") as file:
            async for piece in exported:
                size += len(piece)
                _check(size, UPLOAD_LIMIT)
                await file.write(piece)
        yield FSInputFile(path, exported.name)


@asynccontextmanager
async def archive(manager: ConversationManager, user_id: int) -> AsyncIterator[FSInputFile]:
    """Write all chats of a user into a zip for the time of sending it.

    :raises TooBigError: Telegram would not take it.
    :raises NoChatsError: there are none.
    :raises StorageError: not all could be written.
    """
    with TemporaryDirectory(prefix="export-") as folder:
        path = Path(folder, "file")
        with await asyncio.to_thread(path.open, "wb") as file:
            if not await manager.export_all(user_id, file):
                await _explain_nothing(manager, user_id)
            _check(file.tell(), UPLOAD_LIMIT)
        yield FSInputFile(path, _ARCHIVE)


async def _explain_nothing(manager: ConversationManager, user_id: int) -> NoReturn:
    """Tell a failing storage from an empty one, for a manager that raises nothing."""
    if await manager.list_conversations(user_id) or await manager.list_deleted(user_id):
        raise StorageError("not all chats could be written")
    raise NoChatsError


@asynccontextmanager
async def downloaded(bot: Bot, document: Document) -> AsyncIterator[Path]:
    """Fetch a file that a person has sent, for the time of reading it.

    :raises TooBigError: Telegram would not hand it out.
    """
    _check(document.file_size or 0, DOWNLOAD_LIMIT)
    with TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder, "file")
        try:
            await bot.download(document, destination=path)
        except TelegramBadRequest as error:
            if _TOO_BIG in error.message:
                raise TooBigError from error
            raise
        yield path


def caption_of(person: Person, chat: ConversationMetadata) -> str:
    return shorten(display_name(chat, person.texts), 200)


def _button(
    person: Person, label: str, action: TransferAction, chat: str = ""
) -> InlineKeyboardButton:
    data = TransferButton(action=action, chat=chat, owner=person.mark)
    return InlineKeyboardButton(text=label, callback_data=data.pack())


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise TooBigError
