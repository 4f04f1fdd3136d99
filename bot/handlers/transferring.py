"""Export and import: chats as files, in private dialogs alone."""

from __future__ import annotations

from dataclasses import replace

from aiogram import Bot, F, Router
from aiogram.enums import ChatAction as Doing
from aiogram.exceptions import TelegramEntityTooLarge
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Document, FSInputFile, Message
from aiogram.utils.chat_action import ChatActionSender

from conversations import ConversationManager, ImportLimits, ImportRefusedError

from ..callbacks import TransferAction, TransferButton
from ..incoming import Receipt
from ..limits import Quotas
from ..person import Person
from ..prompts import ReplyTo, remove_prompt
from ..show import Press, send, show
from ..transferring import (
    FORMATS,
    NoChatsError,
    TooBigError,
    archive,
    caption_of,
    chat_file,
    downloaded,
    export_screen,
    import_screen,
    labels_of,
    refusal_text,
    report_text,
)
from .chats import find_or_tell, show_list

_TYPES = ("application/json", "application/zip", "application/x-zip-compressed")
_SUFFIXES = (".json", ".zip")


def create_transferring_router(*, exclusive: bool) -> Router:
    """`exclusive`: every file of a fitting kind is for us; else only where we asked for one."""
    router = Router(name="conversations.transferring")
    router.message.register(show_exports, Command("export", ignore_case=True))
    asked_for = ReplyTo(TransferButton, TransferAction.CANCEL_IMPORT)
    router.message.register(take_file, _is_document, asked_for)
    router.message.register(take_file, _is_document, _is_called_import)
    router.message.register(ask_file, Command("import", ignore_case=True))
    if exclusive:
        router.message.register(take_file, _is_fitting)
    press = router.callback_query.register
    press(show_exports, TransferButton.filter(F.action == TransferAction.SHOW))
    press(send_all, TransferButton.filter(F.action == TransferAction.ALL))
    press(send_chat, TransferButton.filter(F.action.in_(set(FORMATS))))
    press(cancel, TransferButton.filter(F.action == TransferAction.CANCEL_IMPORT))
    return router


async def _is_document(message: Message) -> bool:
    return message.document is not None


async def _is_called_import(message: Message) -> bool:
    return (message.caption or "").split("@")[0].strip().lower() == "/import"


async def _is_fitting(message: Message) -> bool:
    document = message.document
    if document is None:
        return False
    name = (document.file_name or "").lower()
    return document.mime_type in _TYPES or name.endswith(_SUFFIXES)


async def show_exports(
    event: Message | CallbackQuery,
    person: Person,
    manager: ConversationManager,
    press: Press | None,
    callback_data: TransferButton | None = None,
) -> None:
    """Offer the forms in which a chat can be had: that of the button, or else the active one."""
    if callback_data is not None and isinstance(event, CallbackQuery) and press is not None:
        chat = await find_or_tell(event, callback_data.chat, person, manager, press)
        if chat is None:
            return
        await press.answer()
    else:
        chat = await manager.get_active_conversation(person.user_id)
    if chat is not None:
        await show(event, export_screen(person, chat))
    elif isinstance(event, Message):
        await event.answer(person.texts("no-active-chat"), parse_mode=None)


async def send_chat(
    event: CallbackQuery,
    bot: Bot,
    callback_data: TransferButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    if await _is_public(person, press):
        return
    chat = await find_or_tell(event, callback_data.chat, person, manager, press)
    if chat is None:
        return
    t = person.texts
    exported = await manager.export_conversation(
        person.user_id, chat.conversation_id, FORMATS[callback_data.action], labels=labels_of(t)
    )
    if exported is None:
        return
    await press.answer(t("export-toast"))
    try:
        async with _uploading(bot, person), chat_file(exported) as file:
            await _send_file(bot, event, person, file, caption_of(person, chat))
    except TooBigError:
        await bot.send_message(person.chat_id, t("export-too-big"), parse_mode=None)


async def send_all(
    event: CallbackQuery, bot: Bot, person: Person, manager: ConversationManager, press: Press
) -> None:
    if await _is_public(person, press):
        return
    await press.answer(person.texts("export-toast"))
    try:
        async with _uploading(bot, person), archive(manager, person.user_id) as file:
            await _send_file(bot, event, person, file, person.texts("export-all-caption"))
    except TooBigError:
        await bot.send_message(person.chat_id, person.texts("export-too-big"), parse_mode=None)
    except NoChatsError:
        await bot.send_message(person.chat_id, person.texts("no-active-chat"), parse_mode=None)


async def ask_file(message: Message, person: Person) -> None:
    if person.in_private:
        await send(message, import_screen(person))
    else:
        await message.reply(person.texts("transfer-private"), parse_mode=None)


async def take_file(
    message: Message,
    bot: Bot,
    person: Person,
    manager: ConversationManager,
    quotas: Quotas,
    receipt: Receipt | None = None,
    callback_data: TransferButton | None = None,
) -> None:
    """Take the chats of a file in, once: what a crash breaks off is not begun anew.

    No more of them than the person may have; one who has so many already is told so.
    """
    t, document = person.texts, message.document
    if document is None or (callback_data is not None and callback_data.owner != person.mark):
        return
    if not person.in_private:
        await message.reply(t("transfer-private"), parse_mode=None)
        return
    if receipt is not None and receipt.facts:
        await message.reply(t("import-interrupted"), parse_mode=None)
        return
    over = await quotas.admit_copy(person.user_id)
    if over is not None:
        await message.reply(over.text(t), parse_mode=None)
        return
    if receipt is not None:
        await receipt.note(importing=message.message_id)
    limits = _limits(await quotas.chats_left(person.user_id))
    await message.reply(await _import(bot, document, person, manager, limits), parse_mode=None)
    if callback_data is not None:
        await remove_prompt(message, bot)
    await show_list(message, person, manager)


async def cancel(
    event: CallbackQuery, person: Person, manager: ConversationManager, press: Press
) -> None:
    await press.answer(person.texts("import-cancelled"))
    await show_list(event, person, manager)


def _limits(chats_left: int | None) -> ImportLimits:
    limits = ImportLimits()
    if chats_left is None:
        return limits
    return replace(limits, chats=min(limits.chats, chats_left))


async def _import(
    bot: Bot,
    document: Document,
    person: Person,
    manager: ConversationManager,
    limits: ImportLimits,
) -> str:
    """Import a file, and say what became of it."""
    t = person.texts
    try:
        async with (
            ChatActionSender(bot=bot, chat_id=person.chat_id, action=Doing.TYPING),
            downloaded(bot, document) as path,
        ):
            report = await manager.import_conversations(
                person.user_id, person.username, path, limits=limits
            )
    except TooBigError:
        return t("import-refused-too-big")
    except ImportRefusedError as error:
        return refusal_text(t, error)
    return report_text(t, report) if report is not None else t("storage-unavailable")


async def _is_public(person: Person, press: Press) -> bool:
    """Keep chats out of groups, and say so."""
    if not person.in_private:
        await press.answer(person.texts("transfer-private"), alert=True)
    return not person.in_private


def _uploading(bot: Bot, person: Person) -> ChatActionSender:
    return ChatActionSender(bot=bot, chat_id=person.chat_id, action=Doing.UPLOAD_DOCUMENT)


async def _send_file(
    bot: Bot, event: CallbackQuery, person: Person, file: FSInputFile, caption: str
) -> None:
    menu = event.message if isinstance(event.message, Message) else None
    try:
        await bot.send_document(
            person.chat_id,
            file,
            caption=caption,
            parse_mode=None,
            message_thread_id=menu.message_thread_id if menu and menu.is_topic_message else None,
        )
    except TelegramEntityTooLarge as error:  # a server of one's own may take less, or more
        raise TooBigError from error
