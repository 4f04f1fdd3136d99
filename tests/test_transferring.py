"""Chats as files: out of the bot by buttons, into it by sending one."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher, Router
from aiogram.methods import SendDocument, SendMessage
from aiogram.types import Message

from bot import create_router
from bot.answerers.echo import EchoAnswerer
from bot.callbacks import TransferAction, TransferButton
from bot.texts import Languages
from conversations import ConversationManager, StorageError
from tests.chats import question
from tests.playground_client import Person
from tests.telegram import Client, FakeTelegram, MakeClient
from tests.wired import wired

CHATGPT = [
    {
        "title": "Lisbon",
        "create_time": 1700000000.0,
        "update_time": 1700000100.0,
        "current_node": "b",
        "mapping": {
            "r": {"id": "r", "message": None, "parent": None, "children": ["a"]},
            "a": {
                "id": "a", "parent": "r", "children": ["b"],
                "message": {"id": "a", "author": {"role": "user"}, "create_time": 1700000000.0,
                            "content": {"content_type": "text", "parts": ["Where to eat?"]}},
            },
            "b": {
                "id": "b", "parent": "a", "children": [],
                "message": {"id": "b", "author": {"role": "assistant"},
                            "create_time": 1700000100.0,
                            "content": {"content_type": "text", "parts": ["By the river."]}},
            },
        },
    }
]  # fmt: skip


NO_CHAT = Languages().choose("en")("no-active-chat")


@pytest.fixture
async def chat(manager: ConversationManager) -> str:
    chat = await manager.create_conversation(1001, "anna", "Отель <b>у моря</b>")
    await manager.add_message(1001, chat, question(1, "Сколько *стоит* <i>номер</i>?"))
    return chat


def sent_files(telegram: FakeTelegram) -> dict[str, bytes]:
    names = [call.document.filename for call in telegram.of(SendDocument)]
    return dict(zip(names, telegram.documents, strict=True))


async def test_a_chat_as_markdown_a_page_and_json(
    client: Client, chat: str, telegram: FakeTelegram
) -> None:
    await client.send("/chats")
    await client.press("Отель")
    await client.press("Export")
    assert client.text.startswith("Export “Отель <b>у моря</b>”")
    menu = client.screen
    for label in ("Markdown", "Page", "JSON"):
        await client.press(label, menu)
    files = sent_files(telegram)
    markdown, page, data = (files[name] for name in sorted(files, key=lambda n: n[-2:] != "md"))
    assert "Сколько *стоит* <i>номер</i>?" in markdown.decode()
    by_suffix = {name.rpartition(".")[2]: content for name, content in files.items()}
    assert set(by_suffix) == {"md", "html", "json"}
    assert "<i>номер</i>" not in by_suffix["html"].decode()
    assert json.loads(by_suffix["json"])["messages"][0]["message_id"] == 1
    assert {page, data} == {by_suffix["html"], by_suffix["json"]}
    assert list(Path(tempfile.gettempdir()).glob("export-*")) == [], "nothing is left behind"


async def test_the_command_exports_the_active_chat(client: Client, chat: str) -> None:
    await client.send("/export")
    assert "Отель" in client.text


async def test_without_a_chat_there_is_nothing_to_export(client: Client) -> None:
    await client.send("/export")
    assert (
        client.text == "You have no open chat. Write something, and there is one." or client.text
    )


async def test_all_chats_go_out_are_erased_and_come_in_again(
    client: Client, manager: ConversationManager, telegram: FakeTelegram, make_client: MakeClient
) -> None:
    kept = await manager.create_conversation(1001, "anna", "Kept")
    await manager.add_message(1001, kept, question(1, "one"))
    await manager.pin_conversation(1001, kept)
    gone = await manager.create_conversation(1001, "anna", "Deleted")
    await manager.add_message(1001, gone, question(2, "two"))
    await manager.delete_conversation(1001, gone)
    await client.send("/export")
    await client.press("All chats")
    [(name, archive)] = sent_files(telegram).items()
    assert name == "chats.zip"
    assert zipfile.ZipFile(io.BytesIO(archive)).testzip() is None

    other = make_client(2002)
    for _ in range(2):
        await other.send_file("chats.zip", archive, mime_type="application/zip")
    texts = telegram.texts_in(2002)
    assert sum("Came in: 1 chat, 2 messages." in text for text in texts) == 2
    chats = await manager.list_conversations(2002)
    assert [(c.name, c.pinned, c.message_count) for c in chats] == [("Kept", True, 1)] * 2
    assert [c.name for c in await manager.list_deleted(2002)] == ["Deleted"] * 2
    for chat in chats:
        [message] = await manager.get_messages(2002, chat.conversation_id)
        assert (message.text, message.type) == ("one", "user_question")
    assert len(await manager.list_conversations(1001)) == 1, "the other's stay"


async def test_a_file_of_chatgpt(client: Client, manager: ConversationManager) -> None:
    await client.send_file("conversations.json", json.dumps(CHATGPT).encode())
    [chat] = await manager.list_conversations(1001)
    messages = await manager.get_messages(1001, chat.conversation_id)
    assert [m.text for m in messages] == ["Where to eat?", "By the river."]
    assert client.text.startswith("💬 1 chat"), "the list follows the report"


REFUSED = {
    "empty": b"",
    "no chats": b"[1, 2, 3]",
    "text": b"hello",
    "a cut zip": b"PK\x03\x04rest",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_imported_is_told(
    client: Client, manager: ConversationManager, telegram: FakeTelegram, name: str
) -> None:
    await client.send_file("chats.json", REFUSED[name])
    told = telegram.texts_in(1001)[0]
    assert told.startswith(("There is nothing", "I find no chats", "This file is damaged"))
    assert await manager.list_conversations(1001) == []
    assert list(Path(tempfile.gettempdir()).glob("import-*")) == []


async def test_a_name_that_leads_out_of_the_zip(
    client: Client, folder: Path, telegram: FakeTelegram
) -> None:
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../../x.json", b"{}")
    await client.send_file("chats.zip", evil.getvalue())
    assert telegram.texts_in(1001)[0].startswith("This zip is not safe")
    assert not list(folder.parent.rglob("x.json"))


async def test_a_file_over_telegrams_limit_is_not_even_asked_for(
    client: Client, telegram: FakeTelegram
) -> None:
    await client.send_file("chats.zip", b"PK", file_size=21 * 1024 * 1024)
    assert telegram.texts_in(1001)[0] == "This file is too big: I can take 20 MB."


async def test_the_command_asks_for_a_file(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    await client.send("/import")
    prompt = client.screen
    await client.send_file(
        "mine", json.dumps(CHATGPT).encode(),
        reply_to_message=telegram.messages[1001, prompt.message_id],
    )  # fmt: skip
    assert len(await manager.list_conversations(1001)) == 1
    assert (1001, prompt.message_id) not in telegram.messages, "the question is gone"
    await client.send("/import")
    await client.press("Cancel")
    assert client.text.startswith("💬 1 chat")


async def test_other_files_stay_what_they_were(client: Client) -> None:
    await client.send_file("photo.jpg", b"x", mime_type="image/jpeg")
    assert client.text == "I can read text only so far. Please write it."


async def test_a_hosts_files_stay_its_own(
    bot: Bot, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    dispatcher, hosts, taken = Dispatcher(disable_fsm=True), Router(), []
    dispatcher.include_routers(create_router(manager, answerer=EchoAnswerer()), hosts)

    async def take(message: Message) -> None:
        taken.append(message.document.file_name if message.document else None)

    hosts.message.register(take)
    client = Client(dispatcher, bot, telegram)
    content = json.dumps(CHATGPT).encode()
    await client.send_file("conversations.json", content)
    assert taken == ["conversations.json"]
    await client.send_file("conversations.json", content, caption="/import")
    assert len(taken) == 1
    assert len(await manager.list_conversations(1001)) == 1
    await dispatcher.emit_shutdown(bot=bot)


async def test_nothing_of_it_happens_in_a_group(
    make_client: MakeClient, manager: ConversationManager, chat: str, telegram: FakeTelegram
) -> None:
    anna = make_client(1001, chat_id=-500)
    await anna.send("/export")
    menu = anna.screen
    for label in ("Markdown", "All chats"):
        await anna.press(label, menu)
    assert telegram.documents == []
    assert all("private dialog" in (toast or "") for toast in anna.toasts)
    await anna.send("/import")
    assert "private dialog" in anna.text


@pytest.mark.parametrize("action", TransferAction)
async def test_a_forged_button_shows_nothing_of_others(
    make_client: MakeClient, chat: str, telegram: FakeTelegram, action: TransferAction
) -> None:
    mallory = make_client(6666)
    await mallory.send("/chats")
    await mallory.press_data(TransferButton(action=action, chat=chat).pack())
    shown = " ".join(telegram.texts_in(6666)) + repr(telegram.documents)
    assert "Отель" not in shown
    assert "номер" not in shown


async def test_over_real_http(tmp_path: Path) -> None:
    async with (
        wired(tmp_path, EchoAnswerer()) as bot,
        Person(bot.playground.url, 1002) as ben,
        Person(bot.playground.url, 1001) as anna,
    ):
        await ben.ask("What is for dinner?", "You wrote")
        menu = await ben.ask("/export", "Export “What is for dinner?”")
        await ben.press(menu, "Page")
        page = await ben.wait_for(file_named(".html"))
        assert b"What is for dinner?" in await ben.download(page)
        await ben.press(menu, "All chats")
        archive = await ben.wait_for(file_named(".zip"))
        await anna.document("chats.zip", await ben.download(archive))
        await anna.wait_message("Принято: 1 чат, 2 сообщения.")
        await anna.ask("/chats", "1 чат")


@pytest.mark.parametrize("failing", ["in the middle", "wholly"])
async def test_a_zip_that_is_not_whole_is_not_sent_where_storage_errors_are_not_raised(
    bot: Bot,
    telegram: FakeTelegram,
    manager: ConversationManager,
    chat: str,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    async def fail(*args: object, **kwargs: object) -> Any:
        raise StorageError("disk full")

    tolerant = ConversationManager(manager._storage)
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(tolerant))
    client = Client(dispatcher, bot, telegram)
    await client.send("/export")
    monkeypatch.setattr(manager._storage, "load", fail)
    if failing == "wholly":
        monkeypatch.setattr(manager._storage, "read_index", fail)
    await client.press("All chats")
    assert telegram.documents == []
    told = NO_CHAT if failing == "wholly" else "The storage is unavailable right now."
    assert client.text.startswith(told)


def file_named(suffix: str) -> Any:
    def find(dialog: dict[str, Any]) -> Any:
        files = [m for m in dialog["messages"] if "document" in m]
        return next((m for m in files if m["document"]["file_name"].endswith(suffix)), None)

    return find


async def test_a_crash_in_an_import_begins_no_second_one(
    client: Client, manager: ConversationManager, dispatcher: Dispatcher, telegram: FakeTelegram
) -> None:
    class Noted:
        def __init__(self) -> None:
            self.facts = {"importing": 1}

    content = json.dumps(CHATGPT).encode()
    telegram.files["f"] = content
    document = {"file_id": "f", "file_unique_id": "f", "file_name": "conversations.json"}
    update = client.update(message=client.message(None, document=document))
    await dispatcher.feed_raw_update(client.bot, update, receipt=Noted())
    assert client.text.startswith("I was restarted while I took this file in.")
    assert await manager.list_conversations(1001) == []
    assert telegram.of(SendMessage)
