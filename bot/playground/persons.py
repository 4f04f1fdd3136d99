"""What a person does in a Telegram client, and the updates that the bot gets from it."""

import secrets
import time
from typing import Any, Final

from .dialogs import Dialog, Message, Query, Wire
from .entities import utf16_length, utf16_slice
from .errors import PersonError
from .files import StoredFile
from .formatting import FormattedText, tidy
from .sending import MAX_TEXT
from .world import World

_MAX_CAPTION: Final = 1024
_MAX_PARTS: Final = 50
_MAX_QUERIES: Final = 200
# How far from the end of a part a client looks for a line or word to break at.
_BREAK_WITHIN: Final = 1024


async def send_text(
    world: World, dialog: Dialog, text: str, reply_to: int | None = None
) -> list[Message]:
    """A text of more than 4096 UTF-16 units goes out as several messages, as clients send it."""
    parts = split_text(text)
    if not parts:
        raise PersonError("there is nothing to send")
    if len(parts) > _MAX_PARTS:
        raise PersonError(f"this would be {len(parts)} messages")
    sent = []
    for part in parts:
        sent.append(await _send(world, dialog, part.wire(), reply_to))
        reply_to = None
    return sent


def split_text(text: str) -> list[FormattedText]:
    parts = []
    while rest := tidy(text, []).text:
        part = _first_part(rest)
        parts.append(tidy(part, []))
        text = rest[len(part) :]
    return parts


def _first_part(text: str) -> str:
    if utf16_length(text) <= MAX_TEXT:
        return text
    part = utf16_slice(text, 0, MAX_TEXT).removesuffix("\ufffd")
    for separator in ("\n", " "):
        end = part.rfind(separator, len(part) - _BREAK_WITHIN)
        if end > 0:
            return part[: end + 1]
    return part


async def send_sticker(
    world: World, dialog: Dialog, emoji: str, reply_to: int | None = None
) -> Message:
    """Only its emoji is real: there are no bytes behind a sticker here."""
    sticker = _fake_file("CAAC") | {
        "type": "regular",
        "width": 512,
        "height": 512,
        "is_animated": False,
        "is_video": False,
        "emoji": emoji,
        "set_name": "playground",
    }
    return await _send(world, dialog, {"sticker": sticker}, reply_to)


async def send_voice(
    world: World, dialog: Dialog, duration: int, reply_to: int | None = None
) -> Message:
    """Only its length is real: there are no bytes behind a voice message here."""
    voice = {"duration": duration, "mime_type": "audio/ogg"} | _fake_file("AwAC")
    return await _send(world, dialog, {"voice": voice}, reply_to)


async def send_document(
    world: World, dialog: Dialog, file: StoredFile, caption: str, reply_to: int | None = None
) -> Message:
    text = tidy(caption, [])
    if text.length > _MAX_CAPTION:
        raise PersonError("the caption is too long")
    content = {"document": file.wire()} | text.wire("caption", "caption_entities")
    return await _send(world, dialog, content, reply_to)


async def edit_text(world: World, dialog: Dialog, message_id: int, text: str) -> Message:
    message = dialog.messages.get(message_id)
    if message is None or message.from_bot or "text" not in message.content:
        raise PersonError("only one's own text can be edited", code=404)
    new = tidy(text, [])
    if not 0 < new.length <= MAX_TEXT:
        raise PersonError("a text has 1 to 4096 characters")
    message.content = new.wire()
    message.edit_date = int(time.time())
    dialog.show(message)
    world.updates.push("edited_message", dialog.wire(message))
    await world.keep([])
    return message


async def press(world: World, dialog: Dialog, message_id: int, data: str) -> Query:
    message = dialog.messages.get(message_id)
    if message is None or data not in _callback_data(message):
        raise PersonError("this button is gone", code=404)
    if len(dialog.queries) >= _MAX_QUERIES:
        del dialog.queries[next(iter(dialog.queries))]
    query = Query(str(secrets.randbits(62)), message_id, data)
    dialog.ask(query)
    payload = {
        "id": query.query_id,
        "from": dialog.person.user(),
        "message": dialog.wire(message),
        "chat_instance": dialog.chat_instance,
        "data": data,
    }
    world.updates.push("callback_query", payload)
    return query


async def stop_draft(world: World, dialog: Dialog, draft_id: int) -> None:
    draft = dialog.drafts.get(draft_id)
    if draft is None or not draft.can_stop:
        raise PersonError("there is nothing to stop", code=404)
    dialog.stopped_drafts.append(draft_id)
    if not draft.keep_on_stop:
        dialog.end_draft(draft_id)
    payload = {"chat": dialog.person.chat(), "draft_id": draft_id}
    world.updates.push("stopped_message_generation", payload)


async def _send(
    world: World, dialog: Dialog, content: Wire, reply_to: int | None = None
) -> Message:
    if reply_to is not None and reply_to not in dialog.messages:
        raise PersonError("the message to reply to is gone", code=404)
    message, gone = dialog.add(content, from_bot=False, reply_to=reply_to)
    world.updates.push("message", dialog.wire(message))
    await world.keep(gone)
    return message


def _callback_data(message: Message) -> list[str]:
    rows: list[list[dict[str, Any]]] = (message.reply_markup or {}).get("inline_keyboard", [])
    return [button["callback_data"] for row in rows for button in row if "callback_data" in button]


def _fake_file(prefix: str) -> Wire:
    return {
        "file_id": f"{prefix}{secrets.token_urlsafe(32)}",
        "file_unique_id": f"AgAD{secrets.token_urlsafe(8)}",
        "file_size": 4096,
    }
