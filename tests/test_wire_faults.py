"""Telegram refuses, waits, breaks off: the answer is in the file and reaches the person once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiogram.utils.backoff import Backoff

from bot import Turn
from bot.delivery import Delivery
from tests.playground_client import Person
from tests.waiting import PATIENCE
from tests.wired import wired

ANSWER = "This answer has **bold** words and `code`, and it ends here."


class Typist:
    """Streams an answer word by word, each as soon as the test lets it."""

    def __init__(self) -> None:
        self.go_on = asyncio.Semaphore(0)

    def __call__(self, turns: Sequence[Turn]) -> AsyncIterator[str]:
        return self._words()

    async def _words(self) -> AsyncIterator[str]:
        for word in ANSWER.split(" "):
            yield word if word == "This" else f" {word}"
            await self.go_on.acquire()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no flood limit and no repaired wire."""

    async def wait(self: Delivery, seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(Delivery, "_wait", wait)


FAULTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "no drafts": [{"method": "sendMessageDraft", "error": 404}],
    "no drafts here": [
        {"method": "sendMessageDraft", "error": 400, "description": "TEXTDRAFT_PEER_INVALID"}
    ],
    "drafts flooded": [{"method": "sendMessageDraft", "error": 429, "retry_after": 1}],
    "drafts broken": [{"method": "sendMessageDraft", "drop": True, "times": 50}],
    "drafts slow": [{"method": "sendMessageDraft", "delay": 0.2, "times": 50}],
    "drafts failing": [{"method": "sendMessageDraft", "error": 500, "times": 50}],
    "no drafts and no edits": [
        {"method": "sendMessageDraft", "error": 404},
        {"method": "editMessageText", "error": 400, "times": 50},
    ],
    "no drafts, edits flooded": [
        {"method": "sendMessageDraft", "error": 404},
        {"method": "editMessageText", "error": 429, "retry_after": 1},
    ],
    "no entities": [
        {"method": "sendMessage", "error": 400, "description": "can't parse entities: no"}
    ],
    "flooded": [
        {"method": "sendMessage", "error": 429, "retry_after": seconds}
        for seconds in (1, 5, 35, 60)
    ],
    "down": [{"method": "sendMessage", "drop": True, "times": 6}],
    "failing": [{"method": "sendMessage", "error": 500, "times": 6}],
    "a proxy's page": [{"method": "sendMessage", "garbage": True, "times": 6}],
}
A_BAD_MINUTE: list[dict[str, Any]] = [
    {"error": 500},
    {"garbage": True},
    {"error": 429, "retry_after": 30},
    {"drop": True},
    {"error": 502, "garbage": True},
    {"error": 429, "retry_after": 30},
]


@pytest.mark.parametrize("name", FAULTS)
async def test_the_answer_is_in_the_file_and_comes_once(tmp_path: Path, name: str) -> None:
    typist = Typist()
    async with wired(tmp_path, typist) as bot, Person(bot.playground.url, 1002) as ben:
        for fault in FAULTS[name]:
            bot.playground.faults.add(**fault)
        question = await ben.send("Say something")
        if name == "none":
            await ben.wait_for(lambda dialog: dialog["drafts"])
        elif name.startswith("no drafts"):
            await ben.wait_message("This", after=question)
        for _ in ANSWER.split():
            typist.go_on.release()
        answer = await ben.wait_message("and it ends here.", after=question)
        async with asyncio.timeout(PATIENCE):
            while True:
                [chat] = await bot.manager.list_conversations(1002)
                messages = await bot.manager.get_messages(1002, chat.conversation_id)
                if len(messages) == 2 and messages[1].sent_as:
                    break
        assert messages[1].text == ANSWER
        assert messages[1].state is None
        assert messages[1].message_id == answer["message_id"]
        dialog = await ben.dialog()
        from_bot = [m for m in dialog["messages"] if m["from"]["is_bot"]]
        whole = [m for m in from_bot if "and it ends here." in m["text"]]
        assert len(whole) == 1
        assert len(from_bot) == 1, "nothing of its growing stays"
        assert answer.get("reply_markup") is None, "no stop button stays"
        kinds = {entity["type"] for entity in answer.get("entities", [])}
        assert kinds == (set() if name == "no entities" else {"bold", "code"})


async def test_a_blocked_bot_stops_the_answer_and_keeps_it(tmp_path: Path) -> None:
    typist = Typist()
    async with wired(tmp_path, typist) as bot, Person(bot.playground.url, 1002) as ben:
        bot.playground.faults.add(method="sendMessageDraft", error=403)
        bot.playground.faults.add(method="sendMessage", error=403)
        await ben.send("Say something")
        await bot.playground.wait_for_call("sendMessage")
        [chat] = await bot.manager.list_conversations(1002)
        _, answer = await bot.manager.get_messages(1002, chat.conversation_id)
        assert (answer.text, answer.state, answer.sent_as) == ("This", "partial", None)
        assert await ben.ask("/chats", "1 chat")


async def test_the_stop_of_the_draft_keeps_what_came(tmp_path: Path) -> None:
    typist = Typist()
    async with wired(tmp_path, typist) as bot, Person(bot.playground.url, 1002) as ben:
        await ben.send("Say something")
        drafts = await ben.wait_for(lambda dialog: dialog["drafts"])
        assert drafts[0]["can_stop"]
        await ben.stop(drafts[0])
        stopped = await ben.wait_message("⏹ Stopped.")
        assert stopped["text"] == "This\n\n⏹ Stopped."


async def test_a_minute_in_which_telegram_does_nothing_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def without_waiting(self: Backoff) -> None:
        next(self)

    async def echo(turns: Sequence[Turn]) -> str:
        return f"answer to {turns[-1].text}"

    monkeypatch.setattr(Backoff, "asleep", without_waiting)
    async with wired(tmp_path, echo) as bot, Person(bot.playground.url, 1002) as ben:
        for fault in A_BAD_MINUTE:
            for method in ("getUpdates", "sendMessage", "sendMessageDraft"):
                bot.playground.faults.add(method=method, **fault)
        for number in range(5):
            await ben.send(f"question {number}")
        for number in range(5):
            await ben.wait_message(f"answer to question {number}")
        assert len(await ben.ask("/chats", "1 chat")) > 0
        [chat] = await bot.manager.list_conversations(1002)
        messages = await bot.manager.get_messages(1002, chat.conversation_id)
    assert [m.text for m in messages if m.type == "user_question"] == [
        f"question {number}" for number in range(5)
    ]
    assert all(m.sent_as == "message" for m in messages)
    assert len(messages) == 10
