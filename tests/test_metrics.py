"""The numbers for Prometheus: they count what happens, and tell nothing of anybody."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiogram import Bot, Dispatcher

from bot import Turn, create_router
from bot.metrics import Metrics
from conversations import ConversationManager, JsonStorage, StorageError
from tests.telegram import Client, FakeTelegram
from tests.waiting import until


class Model:
    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, turns: Sequence[Turn]) -> AsyncIterator[str]:
        if turns[-1].text == "fail":
            raise ValueError("as told")
        yield "secret"
        await self.opened.wait()


def read(metrics: Metrics) -> dict[str, float]:
    """Read the numbers as Prometheus does."""
    lines = metrics.render().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


async def test_answers_are_counted_by_their_end(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram, metrics: Metrics
) -> None:
    model = Model()
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(
        create_router(manager, answerer=model, exclusive=True, observer=metrics)
    )
    dispatcher.update.middleware(metrics.count_update)
    anna = Client(dispatcher, bot, telegram)
    assert read(metrics)['bot_answers_total{ending="complete"}'] == 0
    await anna.ask("fail")
    await anna.send("a secret")
    await until(lambda: read(metrics)["bot_first_word_seconds_count"])
    assert read(metrics)["bot_answers_running"] == 1
    model.opened.set()
    await telegram.wait_for(lambda: len(telegram.texts_in(1001)) == 2)
    await dispatcher.emit_shutdown(bot=bot)
    numbers = read(metrics)
    assert numbers['bot_answers_total{ending="complete"}'] == 1
    assert numbers['bot_answers_total{ending="failed"}'] == 1
    assert numbers["bot_answers_running"] == 0
    assert numbers['bot_updates_total{kind="message"}'] == 2
    assert numbers["bot_first_word_seconds_count"] == 1
    assert not re.search(r"secret|\b1001\b|erson", metrics.render().decode())


async def test_a_failing_storage_is_counted(
    folder: Any, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = metrics.counting(JsonStorage(folder))
    await storage.read_index(1)
    assert read(metrics)["bot_storage_errors_total"] == 0
    await storage.close()
    with pytest.raises(StorageError):
        await storage.read_index(1)
    assert read(metrics)["bot_storage_errors_total"] == 1


def test_a_number_may_be_asked_for(metrics: Metrics) -> None:
    metrics.watch("inbox_open", "Updates that are not over", lambda: 7)
    assert read(metrics)["bot_inbox_open"] == 7
