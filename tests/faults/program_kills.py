"""`python -m bot` killed with SIGKILL while people talk: each question is stored and answered."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bot.playground import Playground
from tests.playground_client import Person
from tests.program import Program
from tests.test_program import stored_chats

USERS = (1001, 1002)
EACH = 2  # questions of each person in each life of the bot
LIFE = 60  # seconds; one that lasts longer has come to nothing
METHODS = ("getUpdates", "sendMessage", "sendMessageDraft")


async def kill_program(folder: Path, *, kills: int, seed: int) -> int:
    """Kill a bot so often, at calls that `seed` chooses; tell how many questions were asked."""
    chance = random.Random(seed)
    async with Playground(port=0) as telegram:
        settings = {"BOT_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url}
        people = [Person(telegram.url, user) for user in USERS]
        asked: dict[int, list[str]] = {user: [] for user in USERS}
        for life in range(kills + 1):
            bot = Program(folder, **settings)
            async with asyncio.timeout(LIFE):
                telegram.calls.clear()  # so that what is waited for below is sure to come
                await bot.launch()
                await telegram.wait_for_call("getUpdates")
                for number in range(EACH):
                    for person in people:
                        text = f"question {life}.{number}"
                        await person.send(text)
                        asked[person.user_id].append(text)
                if life < kills:
                    called = telegram.wait_for_call(chance.choice(METHODS), chance.randrange(1, 5))
                    await first_of(called, *(everything_answered(p, asked[1001]) for p in people))
                    assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL
        for person in people:
            await everything_answered(person, asked[1001])
            await person.close()
        assert await bot.stop() == 0, bot.log
    for user in USERS:
        check(folder, user, asked[user])
    return sum(map(len, asked.values()))


async def first_of(called: Awaitable[object], *answered: Awaitable[object]) -> None:
    """Wait for a call, or until nothing is left to be called: fast answers have no drafts."""
    call, *rest = map(asyncio.ensure_future, (called, asyncio.gather(*answered)))
    await asyncio.wait([call, *rest], return_when=asyncio.FIRST_COMPLETED)
    for task in (call, *rest):
        task.cancel()
    await asyncio.gather(call, *rest, return_exceptions=True)


async def everything_answered(person: Person, questions: list[str]) -> None:
    await person.wait_for(lambda dialog: all_answered(dialog, questions), within=60)


def all_answered(dialog: dict[str, Any], questions: list[str]) -> bool:
    texts = [message.get("text", "") for message in dialog["messages"]]
    return all(any(f": {question}\n" in text for text in texts) for question in questions)


def check(folder: Path, user: int, questions: list[str]) -> None:
    [chat] = stored_chats(folder, user)
    stored = [m for m in chat["messages"] if m["type"] == "user_question"]
    assert Counter(m["text"] for m in stored) == Counter(questions)
    answered = Counter(m["reply_to"] for m in chat["messages"] if m["type"] == "bot_answer")
    assert answered == Counter(m["message_id"] for m in stored)


def main() -> None:
    lives = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    questions = 0
    for seed in range(lives):
        with TemporaryDirectory() as folder:
            questions += asyncio.run(kill_program(Path(folder), kills=20, seed=seed))
    kills = 20 * lives
    sys.stdout.write(f"the program, killed {kills} times: {questions} questions, none lost\n")


if __name__ == "__main__":
    main()
