"""`python -m bot` with a model: streamed over real HTTP, stopped, killed, refused."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fake_providers import FakeProviders, Gate
from tests.playground_client import Person
from tests.program import Program
from tests.test_program import stored_chats
from tests.waiting import PATIENCE

KEY = "sk-canary-0123456789abcdef"


def program(folder: Path, fake: FakeProviders, **more: str) -> Program:
    settings = {
        "MODEL": "openai:fake",
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": fake.openai_url,
        "SYSTEM_PROMPT": "Be brief.",
    }
    return Program(folder, **{**settings, **more})


@asynccontextmanager
async def running(
    folder: Path, **more: str
) -> AsyncIterator[tuple[FakeProviders, Program, Person]]:
    async with (
        FakeProviders() as fake,
        program(folder, fake, **more) as bot,
        Person(bot.url, 1002) as ben,
    ):
        yield fake, bot, ben


async def messages_of(folder: Path, count: int) -> list[dict[str, Any]]:
    """Wait until the one chat has so many messages in its file, all noted as sent."""
    async with asyncio.timeout(PATIENCE):
        while True:
            chats = stored_chats(folder, 1002)
            messages: list[dict[str, Any]] = chats[0]["messages"] if chats else []
            if len(messages) == count and all(message["sent_as"] for message in messages):
                return messages
            await asyncio.sleep(0.01)


async def test_an_answer_grows_is_stored_and_names_its_chat(tmp_path: Path) -> None:
    async with running(tmp_path) as (fake, bot, ben):
        gate = Gate()
        fake.answers("Paris, of **course**.", pieces=3, gate=gate)
        fake.answers("Capital of France")
        await ben.send("What is the capital of France?")
        request = await fake.next_request()
        drafts = await ben.wait_for(lambda d: [x for x in d["drafts"] if x["text"]])
        assert "Paris, of **course**.".startswith(drafts[0]["text"])
        gate.open(10)
        answer = await ben.wait_message("Paris, of course.")
        assert [entity["type"] for entity in answer["entities"]] == ["bold"]
        assert [message["role"] for message in request.body["messages"]] == ["system", "user"]
        question, stored = await messages_of(tmp_path, 2)
        assert (stored["text"], stored["model"]) == ("Paris, of **course**.", "openai:fake")
        assert stored["tokens"] == 7, "as the provider counted"
        assert question["tokens_estimated"]
        async with asyncio.timeout(PATIENCE):
            while stored_chats(tmp_path, 1002)[0]["metadata"]["name"] != "Capital of France":
                await asyncio.sleep(0.01)
    assert KEY not in bot.log


async def test_a_very_long_answer_arrives_and_is_stored_whole(tmp_path: Path) -> None:
    text = "".join(f"{number}. Строка **{number}** с `кодом`.\n\n" for number in range(2200))
    assert len(text) > 60_000
    async with running(tmp_path) as (fake, _, ben):
        fake.answers(text, pieces=200)
        question = await ben.send("Tell me everything")
        file = await ben.wait_for(
            lambda d: next((m for m in d["messages"] if "document" in m), None)
        )
        assert (await ben.download(file)).decode() == text
        _, stored = await messages_of(tmp_path, 2)
        assert stored["text"] == text
        assert stored["sent_as"] == "file"
        kept = tmp_path / "data/conversations/user_1002" / stored["file_path"]
        assert kept.read_text(encoding="utf-8") == text
        assert question["message_id"] == stored["reply_to"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
async def test_a_stop_in_the_middle_of_an_answer(tmp_path: Path, signum: signal.Signals) -> None:
    async with FakeProviders() as fake:
        fake.answers("First words and the rest", pieces=2, gate=Gate())
        bot = program(tmp_path, fake)
        await bot.start()
        async with Person(bot.url, 1002) as ben:
            await ben.send("Why?")
            request = await fake.next_request()
            await ben.wait_for(lambda d: [x for x in d["drafts"] if x["text"]])
        code = await bot.stop(signum)
        await request.disconnected()
        [chat] = stored_chats(tmp_path, 1002)
        if signum is signal.SIGTERM:
            assert code == 0, bot.log
            question, answer = chat["messages"]
            assert (question["text"], answer["state"]) == ("Why?", "partial")
            assert "First words and the rest".startswith(answer["text"])
        else:
            assert [m["text"] for m in chat["messages"]] == ["Why?"]
        fake.answers("A whole answer")
        async with program(tmp_path, fake) as again, Person(again.url, 1002) as ben:
            if signum is signal.SIGTERM:
                await ben.send("/again")
            await ben.wait_message("A whole answer")  # after a kill it comes by itself
            messages = await messages_of(tmp_path, 2)
            assert [m["text"] for m in messages] == ["Why?", "A whole answer"]


REFUSALS = [  # the status, how often it is asked, what is told
    (401, 1, "The model refused the bot's key."),
    (529, 3, "The model is overloaded right now."),
    (400, 1, "The model did not accept this question."),
]


async def test_a_provider_that_refuses_is_told_in_one_sentence(tmp_path: Path) -> None:
    async with FakeProviders() as fake:
        anthropic = {
            "MODEL": "anthropic:fake",
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": fake.anthropic_url,
        }
        async with program(tmp_path, fake, **anthropic) as bot, Person(bot.url, 1002) as ben:
            for number, (status, times, told) in enumerate(REFUSALS, 1):
                for _ in range(times):
                    fake.refuses(status, f"no, {KEY}")
                refusal = await ben.ask(f"/new Why {number}?", told)
                assert refusal["text"].count(".") <= 2
                assert KEY not in refusal["text"]
            fake.answers("Because.")
            await ben.tap(refusal, "Try again")
            await ben.wait_message("Because.", after=refusal)
            questions = [chat["messages"][0]["text"] for chat in stored_chats(tmp_path, 1002)]
            assert sorted(questions) == ["Why 1?", "Why 2?", "Why 3?"]
    assert KEY not in bot.log
    assert "Why" not in bot.log
    assert "Traceback" not in bot.log


async def test_a_model_that_cannot_be_reached(tmp_path: Path) -> None:
    settings = {"MODEL": "openai:fake", "OPENAI_API_KEY": KEY,
                "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}  # fmt: skip
    async with Program(tmp_path, **settings) as bot, Person(bot.url, 1001) as anna:
        refusal = await anna.ask("Почему?", "Модель сейчас недоступна. Ваш вопрос сохранён.")
        assert refusal["reply_markup"]["inline_keyboard"][0][0]["text"] == "🔄 Попробовать ещё раз"
    assert KEY not in bot.log


async def test_echo_turns_are_not_told_to_a_model(tmp_path: Path) -> None:
    async with Program(tmp_path) as bot, Person(bot.url, 1002) as ben:
        await ben.ask("Said to the echo", "You wrote")
        await messages_of(tmp_path, 2)
    async with running(tmp_path) as (fake, _, ben):
        fake.answers("Hello.")
        await ben.ask("Said to the model", "Hello.")
        request = await fake.next_request()
        assert "Said to the echo" not in json.dumps(request.body)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"MODEL": "fake"}, "MODEL takes anthropic:NAME, openai:NAME or ollama:NAME"),
        ({"MODEL": "anthropic:x", "OPENAI_BASE_URL": ""}, "ANTHROPIC_API_KEY"),
    ],
)
async def test_a_wrong_model_stops_the_start_with_one_line(
    tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    code, said = await Program(tmp_path, **settings).fail()
    assert code == 1
    assert told in said.splitlines()[-1]
    assert "Traceback" not in said
