"""Inline queries: what a person types behind the bot's name in any dialog, and the answer."""

import asyncio
import re
import secrets
from typing import Any, Final

from aiogram.methods import AnswerInlineQuery

from .calls import QUERY_INVALID, Request
from .dialogs import Dialog, Wire
from .errors import BotApiError, PersonError
from .world import World

_MAX_RESULTS: Final = 50
_MAX_OFFSET: Final = 64
_PATIENCE: Final = 30.0
_START_PARAMETER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def type_query(world: World, dialog: Dialog, query: str, offset: str) -> Wire:
    """The bot's answer, as it gave it; a person may type on before that, and gets this one too."""
    query_id = str(secrets.randbits(62))
    answered: asyncio.Future[Wire] = asyncio.get_running_loop().create_future()
    world.inline_queries[query_id] = answered
    payload = {"id": query_id, "from": dialog.person.user(), "query": query, "offset": offset}
    try:
        world.updates.push("inline_query", payload | {"chat_type": "sender"})
        async with asyncio.timeout(_PATIENCE):
            return await answered
    except TimeoutError:
        raise PersonError("the bot does not answer", code=504) from None
    finally:
        del world.inline_queries[query_id]


async def answer_inline_query(world: World, request: Request) -> bool:
    method: AnswerInlineQuery = request.method
    _check(method)
    answered = world.inline_queries.get(method.inline_query_id)
    if answered is None or answered.done():
        raise BotApiError(QUERY_INVALID)
    answer: dict[str, Any] = method.model_dump(mode="json", exclude_unset=True)
    answered.set_result(answer)
    return True


def _check(method: AnswerInlineQuery) -> None:
    ids = [result.id for result in method.results]
    if len(ids) > _MAX_RESULTS:
        raise BotApiError("RESULTS_TOO_MUCH")
    if len(set(ids)) < len(ids):
        raise BotApiError("RESULT_ID_DUPLICATE")
    if len((method.next_offset or "").encode()) > _MAX_OFFSET:
        raise BotApiError("NEXT_OFFSET_INVALID")
    parameter = method.button.start_parameter if method.button is not None else None
    if parameter is not None and not _START_PARAMETER.fullmatch(parameter):
        raise BotApiError("START_PARAM_INVALID")
