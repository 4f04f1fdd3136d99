"""getUpdates and its neighbours, answerCallbackQuery, getFile, getChat."""

import logging
import re
from typing import Any, Final

from aiogram.methods import (
    AnswerCallbackQuery,
    DeleteWebhook,
    GetChat,
    GetFile,
    GetUpdates,
    SetWebhook,
)

from .calls import QUERY_INVALID, Request
from .dialogs import Wire
from .errors import BotApiError
from .world import World

logger = logging.getLogger(__name__)

_DEFAULT_LIMIT: Final = 100
_MAX_ANSWER: Final = 200
_MAX_DOWNLOAD_BYTES: Final = 20 * 1024 * 1024
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_WEBHOOK_IS_ACTIVE: Final = (
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook"
    " first"
)
_BOT_ABILITIES: Final = (
    "can_join_groups",
    "can_read_all_group_messages",
    "can_connect_to_business",
    "has_main_web_app",
    "has_topics_enabled",
)


async def get_me(world: World, request: Request) -> Wire:  # noqa: ARG001
    abilities = dict.fromkeys(_BOT_ABILITIES, False) | {"supports_inline_queries": True}
    return world.bot_user() | abilities


async def get_updates(world: World, request: Request) -> list[Wire]:
    method: GetUpdates = request.method
    if world.webhooks.url:
        raise BotApiError(_WEBHOOK_IS_ACTIVE, code=409)
    if method.allowed_updates is not None:
        world.updates.allowed = method.allowed_updates
    limit = _DEFAULT_LIMIT if method.limit is None else method.limit
    return await world.updates.get(method.offset or 0, limit, method.timeout or 0)


async def set_webhook(world: World, request: Request) -> bool:
    """As Telegram does, but plain http is good enough here."""
    method: SetWebhook = request.method
    if method.secret_token is not None and not _SECRET.fullmatch(method.secret_token):
        raise BotApiError("secret token contains unallowed characters")
    if method.allowed_updates is not None:
        world.updates.allowed = method.allowed_updates
    if method.drop_pending_updates:
        world.updates.drop()
    if method.url:
        await world.webhooks.start(method.url, method.secret_token, method.max_connections)
    else:
        await world.webhooks.stop()
    return True


async def delete_webhook(world: World, request: Request) -> bool:
    method: DeleteWebhook = request.method
    await world.webhooks.stop()
    if method.drop_pending_updates:
        world.updates.drop()
    return True


async def get_webhook_info(world: World, request: Request) -> Wire:  # noqa: ARG001
    info: dict[str, Any] = {
        "url": world.webhooks.url,
        "has_custom_certificate": False,
        "pending_update_count": len(world.updates),
    }
    allowed = world.updates.allowed
    return info | ({"allowed_updates": allowed} if allowed else {})


async def leave(world: World, request: Request) -> bool:  # noqa: ARG001
    """For logOut and close: there is nothing to leave here."""
    return True


async def answer_callback_query(world: World, request: Request) -> bool:
    method: AnswerCallbackQuery = request.method
    if len(method.text or "") > _MAX_ANSWER:
        raise BotApiError("MESSAGE_TOO_LONG")
    if method.url:
        raise BotApiError("URL_INVALID")
    for dialog in world.dialogs.values():
        if query := dialog.queries.get(method.callback_query_id):
            answer = {"text": method.text or "", "show_alert": bool(method.show_alert)}
            dialog.answer(query, answer)
            return True
    raise BotApiError(QUERY_INVALID)


async def get_file(world: World, request: Request) -> Wire:
    method: GetFile = request.method
    file = world.files.find(method.file_id)
    if file is None:
        raise BotApiError("wrong file_id or the file is temporarily unavailable")
    if file.size > _MAX_DOWNLOAD_BYTES:
        raise BotApiError("file is too big")
    return {
        "file_id": file.file_id,
        "file_unique_id": file.file_unique_id,
        "file_size": file.size,
        "file_path": file.path,
    }


async def get_chat(world: World, request: Request) -> Wire:
    method: GetChat = request.method
    person = world.dialog(method.chat_id).person
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription")
    return person.chat() | {
        "active_usernames": [person.username],
        "accent_color_id": person.user_id % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys((*gifts, "gifts_from_channels"), True),
    }
