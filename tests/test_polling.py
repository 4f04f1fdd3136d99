"""How updates come in: those that cannot be decoded, and those on their way at the end."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError
from aiogram.methods import GetMe, GetUpdates
from aiogram.types import TelegramObject, Update

from bot.polling import ResilientSession, UpdatesInFlight

GOOD: dict[str, Any] = {
    "update_id": 7,
    "message": {
        "message_id": 1,
        "date": 1,
        "chat": {"id": 1, "type": "private"},
        "from": {"id": 1, "is_bot": False, "first_name": "A"},
        "text": "hello",
    },
}
POISON: dict[str, Any] = {
    "update_id": 8,
    "callback_query": {"id": "1", "data": "secret text", "from": {"id": 1}},
}


def body(*updates: object) -> str:
    return json.dumps({"ok": True, "result": list(updates)})


async def test_an_undecodable_update_is_skipped_with_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session, bot = ResilientSession(), Bot("42:TEST")
    with caplog.at_level(logging.ERROR):
        response = session.check_response(
            bot, GetUpdates(), 200, body(GOOD, POISON, {**GOOD, "update_id": 9})
        )
    first, skipped, last = response.result or []
    assert (first.message and first.message.text, first.bot) == ("hello", bot)
    assert skipped == Update(update_id=8), "the offset goes past it"
    assert last.update_id == 9
    assert "update 8 cannot be decoded and is skipped" in caplog.text
    assert "secret text" not in caplog.text


@pytest.mark.parametrize("answer", ["no json", '{"ok": true, "result": 5}', "[]"])
async def test_what_is_no_list_of_updates_stays_an_error(answer: str) -> None:
    with pytest.raises(ClientDecodeError):
        ResilientSession().check_response(Bot("42:TEST"), GetUpdates(), 200, answer)


async def test_other_methods_are_as_strict_as_before() -> None:
    with pytest.raises(ClientDecodeError):
        ResilientSession().check_response(Bot("42:TEST"), GetMe(), 200, body(POISON))


async def test_shutdown_waits_for_updates_that_are_being_handled() -> None:
    in_flight, go_on = UpdatesInFlight(), asyncio.Event()

    async def handler(event: TelegramObject, data: dict[str, Any]) -> str:
        await go_on.wait()
        return "handled"

    await in_flight.wait()
    handling = asyncio.create_task(in_flight(handler, Update(update_id=1), {}))
    waiting = asyncio.create_task(in_flight.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()
    assert await handling == "handled"
    await waiting
