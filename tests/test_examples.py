"""Every example runs, and does what it says."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

from aiogram import Dispatcher

from bot.playground import Playground
from conversations import ConversationManager, JsonStorage
from tests.playground_client import Person, client_of, labels
from tests.polled import polling
from tests.storages import texts

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
BEN = 1002


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def running(example: str, folder: Path) -> AsyncIterator[Person]:
    """The example polls a playground; in it is Ben."""
    storage = JsonStorage(folder)
    dispatcher: Dispatcher = load(example).create_dispatcher(storage)
    async with Playground(port=0) as playground, Person(playground.url, BEN) as ben:
        bot = client_of(playground)
        try:
            async with polling(dispatcher, bot):
                yield ben
        finally:
            await storage.close()


async def test_a_bot_with_its_own_answerer(folder: Path) -> None:
    async with running("own_answerer", folder) as ben:
        await ben.ask("/price", "The first month is free.")
        told = await ben.ask("two words", "two words")
        assert told["text"] == "two words\n\n1. two\n2. words"
        await ben.ask("/start", "Write a text, please.")
        chats = await ben.ask("/chats", "1 chat")
        assert any("two words" in label for label in labels(chats))


async def test_the_menus_alone(folder: Path) -> None:
    async with running("menus_only", folder) as ben:
        for number in (1, 2):
            await ben.ask("hello", f"That was question {number} in this chat.")
        await ben.ask("/new", "What shall we talk about?")
        await ben.ask("Something else", "That was question 1 in this chat.")
    storage = JsonStorage(folder)
    chats = await ConversationManager(storage).list_conversations(BEN)
    await storage.close()
    assert [(chat.name, chat.message_count) for chat in chats] == [
        ("Something else", 2),
        ("hello", 4),
    ]


def test_code_that_was_synchronous(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / "from_synchronous.py", tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 messages in this chat\n")
    assert "'name': 'Индекс'" in done.stdout
    asyncio.run(has_the_question(tmp_path))


async def has_the_question(folder: Path) -> None:
    storage = JsonStorage(folder)
    manager = ConversationManager(storage)
    [chat] = [c for c in await manager.list_conversations(123) if c.name == "Индекс"]
    kept = await manager.get_messages(123, chat.conversation_id)
    assert texts(kept) == ["Как работает индекс чатов?"]
    await storage.close()


def test_every_example_has_a_test() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in EXAMPLES.glob("*.py") if path.stem not in tested] == []
