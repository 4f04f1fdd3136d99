"""The bot killed at any moment: every question is stored once, in its chat, and answered there."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiogram.methods import SendMessage
from aiogram.types import InlineKeyboardMarkup

from bot import Turn
from bot.callbacks import ChatAction, ChatButton
from conversations import Conversation, ConversationManager, ConversationMessage, JsonStorage
from tests.chats import question
from tests.polled import polled
from tests.telegram import BOT_USER, Client, QueueingTelegram, chat_of, stamp

PASTE = "слово " * 682 + "abcd"  # 4096 characters
USERS = (1001, 1002)


async def answer(turns: Sequence[Turn]) -> str:
    return f"answer to {turns[-1].text[:30]}"


@dataclass
class Story:
    """What two people send while the bot runs, and what must stand in their chats at its end."""

    chats: dict[int, list[str]] = field(default_factory=dict)

    async def prepare(self, folder: Path) -> None:
        """Give each two chats, the second one active."""
        storage = JsonStorage(folder)
        manager = ConversationManager(storage, raise_errors=True)
        for user in USERS:
            self.chats[user] = [
                await manager.create_conversation(user, "person", name) for name in ("A", "B")
            ]
            await manager.add_message(user, self.chats[user][0], question(1, "old"))
        await storage.close()

    def updates(self) -> list[dict[str, Any]]:
        first, second = (self._of(user) for user in USERS)
        mixed = [update for pair in zip(first, second, strict=True) for update in pair]
        for number, update in enumerate(mixed):
            update["update_id"] = 500 + number
        return mixed

    def _of(self, user: int) -> list[dict[str, Any]]:
        client = Client(None, None, None, user)  # type: ignore[arg-type]
        client._ids = iter(range(100, 200))  # type: ignore[assignment]
        first, _ = self.chats[user]

        def says(text: str) -> dict[str, Any]:
            return client.update(message=client.message(text))

        def presses(action: ChatAction, chat: str) -> dict[str, Any]:
            menu = {"message_id": 5, "date": stamp(), "chat": chat_of(user),
                    "from": BOT_USER, "text": "menu"}  # fmt: skip
            data = ChatButton(action=action, chat=chat).pack()
            return client.update(callback_query=client.callback(data, menu))

        return [
            says("one in B"),
            presses(ChatAction.OPEN, first),
            says("two in A"),
            says("/new three in a new chat"),
            says("/rename Third"),
            says(PASTE),
            says("end of the paste"),
            presses(ChatAction.PIN, first),
            presses(ChatAction.OPEN, first),
            says("four in A"),
        ]

    QUESTIONS = {  # noqa: RUF012
        "A": ["old", "two in A", "four in A"],
        "B": ["one in B"],
        "Third": ["three in a new chat", PASTE + "end of the paste"],
    }


async def seen(folder: Path, user: int) -> dict[str, Conversation]:
    storage = JsonStorage(folder)
    manager = ConversationManager(storage, raise_errors=True)
    found = {}
    for chat in await manager.list_conversations(user):
        conversation = await manager.load_conversation(user, chat.conversation_id)
        assert conversation is not None
        name = {"one in B": "B"}.get(chat.name, chat.name)
        assert name not in found
        found[name] = conversation
    await storage.close()
    return found


async def check(folder: Path) -> None:
    for user in USERS:
        chats = await seen(folder, user)
        asked = {name: of_type(chat, "user_question") for name, chat in chats.items()}
        assert {name: [q.text for q in qs] for name, qs in asked.items()} == Story.QUESTIONS
        assert [name for name, chat in chats.items() if chat.metadata.is_active] == ["A"]
        assert chats["A"].metadata.pinned
        for name, chat in chats.items():
            answered = Counter(a.reply_to for a in of_type(chat, "bot_answer"))
            expected = {q.message_id for q in asked[name] if q.text != "old"}
            assert answered == Counter(expected)
            for message in of_type(chat, "bot_answer"):
                [asks] = [q for q in asked[name] if q.message_id == message.reply_to]
                assert message.text == f"answer to {asks.text[:30]}"
                assert message.sent_as == "message"


def of_type(chat: Conversation, kind: str) -> list[ConversationMessage]:
    return [message for message in chat.messages if message.type == kind]


@dataclass
class Killed:
    """What stands on the disk and at Telegram when the process is killed before a call."""

    folder: Path
    unconfirmed: list[dict[str, Any]]
    sent: list[str]


class Kills:
    """Keeps, before every call that changes the folder, what a kill there would leave."""

    CALLS = (
        "open", "write", "ftruncate", "fsync", "fdatasync", "replace", "link", "unlink", "mkdir",
    )  # fmt: skip

    def __init__(
        self, folder: Path, telegram: QueueingTelegram, target: Path, step: int, first: int
    ) -> None:
        self._folder, self._telegram, self._target = folder, telegram, target
        self._step = step
        self.count = first
        self._copier = 0  # the thread that copies now
        self._one_at_a_time = threading.RLock()
        self.kept: list[Killed] = []

    @contextmanager
    def watch(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in self.CALLS:
                patch.setattr(os, name, self._before(getattr(os, name)))
            yield

    def _before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def keeping(*args: Any, **options: Any) -> Any:
            if self._copier == threading.get_ident():
                return call(*args, **options)
            with self._one_at_a_time:  # a copy is of one moment
                self.count += 1
                if self.count % self._step == 0:
                    self._keep()
                return call(*args, **options)

        return keeping

    def _keep(self) -> None:
        folder = self._target / str(self.count)
        self._copier = threading.get_ident()
        shutil.copytree(self._folder, folder)
        self._copier = 0
        unconfirmed = list(self._telegram.unconfirmed)
        self.kept.append(Killed(folder, unconfirmed, sent_answers(self._telegram)))


def sent_answers(telegram: QueueingTelegram) -> list[str]:
    """Find the answers among what was sent; a chat's screen quotes them too, with a whole menu."""
    sent = [call for call in telegram.of(SendMessage) if not is_menu(call)]
    lines = [f"{call.chat_id} {call.text.splitlines()[-1]}" for call in sent]
    return [line for line in lines if " answer to" in line]


def is_menu(call: SendMessage) -> bool:
    markup = call.reply_markup
    return isinstance(markup, InlineKeyboardMarkup) and len(markup.inline_keyboard) > 1


async def kill_everywhere(folder: Path, *, step: int, first: int = 0) -> int:
    """Kill before every `step`-th call that writes, start again, and check; tell how often."""
    story, living = Story(), folder / "chats"
    await story.prepare(living)
    telegram = QueueingTelegram(story.updates(), at_once=4)
    (folder / "killed").mkdir()
    kills = Kills(living, telegram, folder / "killed", step, first)
    async with polled(living, telegram, answer) as bot:
        with kills.watch():
            await bot.settled()
    await check(living)
    for killed in kills.kept:
        again = QueueingTelegram(killed.unconfirmed)
        async with polled(killed.folder, again, answer) as bot:
            await bot.settled()
        await check(killed.folder)
        sent = Counter(killed.sent + sent_answers(again))
        assert len(sent) == 10, "every answer was sent"
        assert sum(sent.values()) <= 10 + len(USERS), "twice only what was under way"
        shutil.rmtree(killed.folder)
    return len(kills.kept)


def main() -> None:
    with TemporaryDirectory() as folder:
        count = asyncio.run(kill_everywhere(Path(folder), step=1))
    sys.stdout.write(f"the bot, killed before each of {count} calls: nothing lost\n")


if __name__ == "__main__":
    main()
