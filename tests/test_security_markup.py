"""Names and texts do nothing to what is around them, on every screen, button and toast."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage, SendRichMessage
from aiogram.types import MessageEntity

from bot import SimpleAnswerer, create_router
from bot.rendering import utf16_length
from bot.rendering.markdown.reading import read
from conversations import ConversationManager, clean_text
from tests.telegram import Client, FakeTelegram, MakeClient

NAMES = [
    "<b>bold</b> & <a href='tg://user?id=1'>x</a> &lt;",
    "**b** __u__ [x](https://evil.example) `c` ||s||",
    "\\*\\_[x](tg://user?id=1)~x~ > # - ```",
    "{ $count } { button-delete } { -term } %s {0} $x",
    "\u202eright\u202c to \u2067left\u2069 \u200e\u200f",
    "zero\u200bwidth\u2060\ufeff\u00ad joined",
    "two\nlines\r\x00 \x1b[31m\x85\u2028\u2029red\x07",
    "tag\U000e0001s and \ue000 private \ufff9 use",
]
ALLOWED = {"\n", "\u200c", "\u200d"}  # the joiners: Persian and family emoji need them


def is_inert(text: str) -> bool:
    return all(
        char in ALLOWED or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        for char in text
    )


def shown(telegram: FakeTelegram) -> Iterator[str]:
    """Give every word that went out: texts, toasts, labels."""
    for call in telegram.calls:
        assert getattr(call, "parse_mode", None) is None
        yield getattr(call, "text", None) or ""
        markup = getattr(call, "reply_markup", None)
        yield from (
            (button.text for row in markup.inline_keyboard for button in row) if markup else ()
        )


def entities(telegram: FakeTelegram) -> list[list[MessageEntity]]:
    return [getattr(call, "entities", None) or [] for call in telegram.calls]


async def walk(client: Client, manager: ConversationManager, folder: Path, name: str) -> None:
    """Go through every screen with a chat of this name, as it may stand in a file by hand."""
    chat = await manager.create_conversation(client.user_id, "anna", "x")
    path = folder / f"user_{client.user_id}" / f"{chat}.json"
    stored = json.loads(path.read_text())
    stored["metadata"]["name"] = name
    path.write_text(json.dumps(stored, indent=1))
    await client.send("/chats")
    client.telegram.calls.clear()
    await client.send("/chats")
    for label in ("· 0", "Pin", "Unpin", "Deep", "Fast", "Rename"):
        await client.press(label)
    await client.press("Cancel")
    await client.press("Open “")
    for label in ("🗑 Delete", "Cancel", "🗑 Delete", "Delete", "Undo", "🗑 Delete", "Delete",
                  "Chats", "Deleted (1)", "↩️"):  # fmt: skip
        await client.press(label)
    await client.send("/mode")
    await client.send("/delete")
    await client.send("/new")
    await client.press("back to")
    await client.send(f"/rename {name}")
    await client.press("Open “")


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_inert_on_every_screen(
    name: str, make_client: MakeClient, manager: ConversationManager, folder: Path,
    telegram: FakeTelegram,
) -> None:  # fmt: skip
    """Entities are where they are with a name of plain letters, and of our three kinds."""
    await walk(make_client(2002), manager, folder, "x" * utf16_length(clean_text(name)))
    expected = entities(telegram)
    telegram.calls.clear()
    await walk(make_client(1001), manager, folder, name)
    words = list(shown(telegram))
    assert [word for word in words if not is_inert(word)] == []
    assert sum(clean_text(name) in word for word in words) >= 15, "as it was written"
    assert entities(telegram) == expected
    assert {e.type for found in expected for e in found} == {"bold", "italic"}


async def test_a_message_is_quoted_as_it_was_written(
    client: Client, telegram: FakeTelegram
) -> None:
    text = "\n".join(name for name in NAMES if is_inert(name))
    await client.ask(text)
    await client.send("/chats")
    telegram.calls.clear()
    await client.press("· 2")
    quote = next(e for e in client.screen.entities or [] if e.type == "blockquote")
    assert quote.extract_from(client.text) == text
    kinds = [entity.type for entity in client.screen.entities or []]
    assert kinds == ["bold", "italic", "blockquote", "blockquote"]


@pytest.fixture
async def answered(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram
) -> AsyncIterator[Any]:
    dispatchers = []

    def make(answerer: SimpleAnswerer) -> Client:
        dispatcher = Dispatcher(disable_fsm=True)
        dispatcher.include_router(create_router(manager, answerer=answerer, exclusive=True))
        dispatchers.append(dispatcher)
        return Client(dispatcher, bot, telegram)

    yield make
    for dispatcher in dispatchers:
        await dispatcher.emit_shutdown(bot=bot)


TABLE = "| a | b |\n|---|---|\n| 1 | 2 |"


@pytest.mark.parametrize("rich", [True, False])
@pytest.mark.parametrize("name", NAMES[:4])
async def test_a_name_above_an_answer_is_inert(
    name: str, rich: bool, answered: Any, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    """The line that says in which chat an answer stands, once the person has gone on."""

    async def answer(_turns: object) -> str:
        await manager.rename_conversation(1001, str(asked_in), name)
        await manager.create_conversation(1001, "anna", "Another chat")
        return TABLE if rich else "Hello"

    telegram.knows_rich_messages = rich
    asked_in = await manager.create_conversation(1001, "anna", "x")
    client = answered(answer)
    await client.send("question")
    if not rich:
        await telegram.wait_for(lambda: bool(telegram.of(SendMessage)))
        assert client.text == f"↩️ In “{name}”:\n\nHello"
        assert not client.screen.entities
        return
    await telegram.wait_for(lambda: bool(telegram.of(SendRichMessage)))
    [sent] = telegram.of(SendRichMessage)
    header, _, _ = sent.rich_message.markdown.partition("\n\n")
    assert plain(header) == f"↩️ In “{name}”:"


def plain(markdown: str) -> str:
    """Read Markdown, and fail where anything in it is more than plain text."""
    events = read(markdown)
    assert {event.name for event in events} <= {"Paragraph", "Text"}, markdown
    return "".join(event.value for event in events if event.name == "Text")
