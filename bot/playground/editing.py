"""editMessageText, editMessageReplyMarkup, deleteMessage, deleteMessages, setMessageReaction."""

import time
from typing import Any, Final

from aiogram.methods import (
    DeleteMessage,
    DeleteMessages,
    EditMessageReplyMarkup,
    EditMessageText,
    SetMessageReaction,
)

from .calls import Request, given
from .dialogs import Dialog, Message, Wire
from .errors import BotApiError
from .formatting import formatted
from .keyboards import Markup, checked_markup
from .sending import MAX_TEXT, link_preview
from .world import World

_NOT_MODIFIED: Final = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)
_MAX_DELETED: Final = 100
_DELETABLE_SECONDS: Final = 48 * 60 * 60
# The reactions that Telegram lets a bot set (Bot API, ReactionTypeEmoji).
_REACTIONS: Final = (
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣"
    " ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅"
    " 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡"
)


async def edit_message_text(world: World, request: Request) -> Wire:
    method: EditMessageText = request.method
    if not method.text:
        raise BotApiError("message text is empty")
    text = formatted(method.text, given(method.parse_mode), method.entities)
    markup = checked_markup(request.reply_markup, inline_only=True)
    dialog, message = _own_message(world, method.chat_id, method.message_id)
    if "text" not in message.content:
        raise BotApiError("there is no text in the message to edit")
    if not text.text:
        raise BotApiError("text must be non-empty")
    if text.length > MAX_TEXT:
        raise BotApiError("MESSAGE_TOO_LONG")
    content = text.wire() | link_preview(method)
    return await _change(world, dialog, message, content, markup)


async def edit_message_reply_markup(world: World, request: Request) -> Wire:
    method: EditMessageReplyMarkup = request.method
    markup = checked_markup(request.reply_markup, inline_only=True)
    dialog, message = _own_message(world, method.chat_id, method.message_id)
    return await _change(world, dialog, message, message.content, markup)


async def delete_message(world: World, request: Request) -> bool:
    method: DeleteMessage = request.method
    dialog = world.dialog(method.chat_id)
    message = dialog.messages.get(method.message_id)
    if message is None:
        raise BotApiError("message to delete not found")
    if time.time() - message.date > _DELETABLE_SECONDS:
        raise BotApiError("message can't be deleted")
    await world.keep(dialog.remove([method.message_id]))
    return True


async def delete_messages(world: World, request: Request) -> bool:
    """Ids that are not there are skipped, as on Telegram."""
    method: DeleteMessages = request.method
    dialog = world.dialog(method.chat_id)
    if not method.message_ids:
        raise BotApiError("message identifiers are not specified")
    if len(method.message_ids) > _MAX_DELETED:
        raise BotApiError("too many message identifiers specified")
    found = [dialog.messages[i] for i in method.message_ids if i in dialog.messages]
    if any(time.time() - message.date > _DELETABLE_SECONDS for message in found):
        raise BotApiError("message can't be deleted")
    await world.keep(dialog.remove(method.message_ids))
    return True


async def set_message_reaction(world: World, request: Request) -> bool:
    method: SetMessageReaction = request.method
    dialog = world.dialog(method.chat_id)
    message = dialog.messages.get(method.message_id)
    if message is None:
        raise BotApiError("message to react not found")
    reactions = [r.model_dump(mode="json", exclude_none=True) for r in method.reaction or []]
    if len(reactions) > 1:
        raise BotApiError("REACTIONS_TOO_MANY")
    allowed = _REACTIONS.split()
    if any(r.get("emoji", "").removesuffix("\ufe0f") not in allowed for r in reactions):
        raise BotApiError("REACTION_INVALID")
    message.reactions = reactions
    dialog.show(message)
    await world.keep([])
    return True


def _own_message(world: World, chat_id: Any, message_id: int | None) -> tuple[Dialog, Message]:
    if chat_id is None:
        raise BotApiError("message identifier is not specified")
    dialog = world.dialog(chat_id)
    message = dialog.messages.get(message_id or 0)
    if message is None:
        raise BotApiError("message to edit not found")
    if not message.from_bot or _has_forced_reply_only(message.reply_markup):
        raise BotApiError("message can't be edited")
    return dialog, message


def _has_forced_reply_only(markup: Markup | None) -> bool:
    """Telegram edits messages without markup and those with inline keyboards, no others."""
    return markup is not None and "inline_keyboard" not in markup


async def _change(
    world: World, dialog: Dialog, message: Message, content: Wire, markup: Markup | None
) -> Wire:
    if markup is not None:
        # Set once, when the message is sent; an edit neither adds nor removes it.
        was_forced = bool((message.reply_markup or {}).get("force_reply"))
        markup = {"inline_keyboard": markup["inline_keyboard"]}
        markup |= {"force_reply": True} if was_forced else {}
    if content == message.content and markup == message.reply_markup:
        raise BotApiError(_NOT_MODIFIED)
    message.content, message.reply_markup = content, markup
    message.edit_date = int(time.time())
    dialog.show(message)
    wire = dialog.wire(message)
    await world.keep([])
    return wire
