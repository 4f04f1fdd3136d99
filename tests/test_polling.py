"""How updates come in from the wire, be they what they may."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError
from aiogram.methods import GetMe, GetUpdates
from aiogram.types import Update

from bot.polling import Batch, ResilientSession, stop_on_signals
from tests.waiting import PATIENCE

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
    assert isinstance(response.result, Batch)
    first, skipped, last = response.result
    assert (first.message and first.message.text, first.bot) == ("hello", bot)
    assert skipped == Update(update_id=8), "the offset goes past it"
    assert last.update_id == 9
    assert [raw["update_id"] for raw in response.result.raw] == [7, 9]
    assert "update 8 cannot be decoded and is skipped" in caplog.text
    assert "secret text" not in caplog.text


@pytest.mark.parametrize(
    "answer", ["no json", '{"ok": true, "result": 5}', '{"ok": true, "result": [{"id": 5}]}', "[]"]
)
async def test_what_is_no_list_of_updates_stays_an_error(answer: str) -> None:
    with pytest.raises(ClientDecodeError):
        ResilientSession().check_response(Bot("42:TEST"), GetUpdates(), 200, answer)


async def test_other_methods_are_as_strict_as_before() -> None:
    with pytest.raises(ClientDecodeError):
        ResilientSession().check_response(Bot("42:TEST"), GetMe(), 200, body(POISON))


async def test_a_system_whose_loop_knows_no_signals_is_stopped_by_them_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise NotImplementedError

    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", refuse)
    try:
        for signum in before:
            stopping = asyncio.Event()
            stop_on_signals(stopping)
            os.kill(os.getpid(), signum)
            async with asyncio.timeout(PATIENCE):
                await stopping.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
