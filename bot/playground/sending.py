"""sendMessage, sendRichMessage, sendDocument, sendMessageDraft, sendChatAction."""

from typing import Any, Final

from aiogram.methods import (
    EditMessageText,
    SendChatAction,
    SendDocument,
    SendMessage,
    SendMessageDraft,
    SendRichMessage,
)
from aiogram.types import ReplyParameters

from .calls import Request, Upload, given
from .dialogs import Dialog, Draft, Wire
from .entities import utf16_length
from .errors import BotApiError
from .files import StoredFile
from .formatting import formatted
from .keyboards import checked_markup
from .rich import rich_content
from .world import World

MAX_TEXT: Final = 4096
_MAX_CAPTION: Final = 1024
_MAX_QUOTE: Final = 1024
_MAX_UPLOAD_BYTES: Final = 50 * 1024 * 1024
_ACTIONS: Final = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


async def send_message(world: World, request: Request) -> Wire:
    method: SendMessage = request.method
    if not method.text:
        raise BotApiError("message text is empty")
    text = formatted(method.text, given(method.parse_mode), method.entities)
    dialog = world.dialog(method.chat_id)
    if not text.text:
        raise BotApiError("text must be non-empty")
    if text.length > MAX_TEXT:
        raise BotApiError("message is too long")
    return await _send(world, dialog, request, text.wire() | link_preview(method))


async def send_rich_message(world: World, request: Request) -> Wire:
    method: SendRichMessage = request.method
    dialog = world.dialog(method.chat_id)
    return await _send(world, dialog, request, rich_content(method.rich_message))


async def send_document(world: World, request: Request) -> Wire:
    method: SendDocument = request.method
    mode = given(method.parse_mode)
    caption = formatted(method.caption or "", mode, method.caption_entities)
    if caption.length > _MAX_CAPTION:
        raise BotApiError("message caption is too long")
    dialog = world.dialog(method.chat_id)
    markup = checked_markup(request.reply_markup)
    reply = _reply(dialog, method)
    file = await _document(world, request.upload(str(method.document)), str(method.document))
    content = {"document": file.wire()} | caption.wire("caption", "caption_entities")
    return await _add(world, dialog, content, reply_markup=markup, **reply)


async def send_message_draft(world: World, request: Request) -> bool:
    method: SendMessageDraft = request.method
    if method.draft_id == 0:
        raise BotApiError("RANDOM_ID_INVALID")
    text = formatted(method.text or "", given(method.parse_mode), method.entities)
    if method.chat_id < 0:
        raise BotApiError("TEXTDRAFT_PEER_INVALID")
    dialog = world.dialog(method.chat_id)
    if text.length > MAX_TEXT:
        raise BotApiError("MESSAGE_TOO_LONG")
    can_stop, keep_on_stop = bool(method.can_stop), bool(method.keep_on_stop)
    dialog.show_draft(Draft(method.draft_id, text.text, text.entities, can_stop, keep_on_stop))
    return True


async def send_chat_action(world: World, request: Request) -> bool:
    method: SendChatAction = request.method
    if method.action not in _ACTIONS:
        raise BotApiError("wrong parameter action in request")
    world.dialog(method.chat_id).set_action(method.action)
    return True


async def _send(world: World, dialog: Dialog, request: Request, content: Wire) -> Wire:
    markup = checked_markup(request.reply_markup)
    reply = _reply(dialog, request.method)
    return await _add(world, dialog, content, reply_markup=markup, **reply)


async def _add(world: World, dialog: Dialog, content: Wire, **more: Any) -> Wire:
    message, gone = dialog.add(content, from_bot=True, **more)
    wire = dialog.wire(message)
    await world.keep(gone)
    return wire


def link_preview(method: SendMessage | EditMessageText) -> Wire:
    if options := given(method.link_preview_options):
        return {"link_preview_options": options.model_dump(mode="json", exclude_unset=True)}
    hidden = given(method.disable_web_page_preview)
    return {"link_preview_options": {"is_disabled": True}} if hidden else {}


def _reply(dialog: Dialog, method: SendMessage | SendDocument | SendRichMessage) -> dict[str, Any]:
    """What the message answers to; raises BotApiError when that is gone and must not be."""
    parameters = method.reply_parameters
    if parameters is None:
        if isinstance(method, SendRichMessage):
            return {}
        message_id = method.reply_to_message_id
        may_be_gone = method.allow_sending_without_reply
    else:
        if parameters.chat_id is not None and str(parameters.chat_id) != str(method.chat_id):
            raise BotApiError("the playground has no replies to another chat")
        message_id = parameters.message_id
        may_be_gone = given(parameters.allow_sending_without_reply)
    if not message_id:
        return {}
    if message_id not in dialog.messages:
        if may_be_gone:
            return {}
        raise BotApiError("message to be replied not found")
    return {"reply_to": message_id, "quote": parameters and _quote(dialog, parameters)}


def _quote(dialog: Dialog, parameters: ReplyParameters) -> Wire | None:
    if not parameters.quote or parameters.message_id is None:
        return None
    mode = given(parameters.quote_parse_mode)
    quote = formatted(parameters.quote, mode, parameters.quote_entities)
    content = dialog.messages[parameters.message_id].content
    source = content.get("text") or content.get("caption") or ""
    position = source.find(quote.text)
    if position < 0 or not quote.text or quote.length > _MAX_QUOTE:
        raise BotApiError("QUOTE_TEXT_INVALID")
    offset = utf16_length(source[:position])
    return quote.wire() | {"position": offset, "is_manual": True}


async def _document(world: World, upload: Upload | None, reference: str) -> StoredFile:
    if upload is None:
        if file := world.files.find(reference):
            return file
        if reference.startswith(("http://", "https://")):
            raise BotApiError("failed to get HTTP URL content")
        raise BotApiError("wrong remote file identifier specified: Wrong string length")
    if not upload.content:
        raise BotApiError("file must be non-empty")
    if len(upload.content) > _MAX_UPLOAD_BYTES:
        raise BotApiError("", code=413)
    return await world.files.add(upload.name, upload.mime_type, upload.content)
