"""`/forget`: everything of one person goes, after two questions, and nothing of another."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher, Router
from aiogram.methods import DeleteMyCommands, SendMessage
from aiogram.types import InlineKeyboardButton

from bot import Turn, create_router
from bot.answerers import as_answerer
from bot.answerers.echo import EchoAnswerer
from bot.answering import Answering, AnsweringLimits
from bot.callbacks import ForgetAction, ForgetButton
from bot.finishing import Question
from bot.handlers.forgetting import create_forgetting_router
from bot.inbox import Inbox
from bot.menus.forgetting import forget_screen
from bot.person import Person
from bot.texts import Languages
from conversations import ConversationManager, Footprint
from tests.chats import fill, question
from tests.polled import polled
from tests.storages import opened
from tests.telegram import Client, FakeTelegram, MakeClient, QueueingTelegram
from tests.waiting import PATIENCE

CANARY = "kanarienvogel"


class Model:
    """Says a first word, and the rest when it is opened."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.opened = asyncio.Event()
        self.started = asyncio.Semaphore(0)

    async def __call__(self, turns: Sequence[Turn]) -> AsyncIterator[str]:
        self.asked.append(turns[-1].text)
        yield f"{CANARY} to {turns[-1].text}"
        self.started.release()
        await self.opened.wait()
        yield ", complete"


@pytest.fixture
async def model() -> Model:
    return Model()


def holding(folder: Path, text: str = CANARY) -> list[str]:
    """List the files under a folder whose bytes, or whose names, hold a text."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if text in path.name or (path.is_file() and text.encode() in path.read_bytes())
    ]


async def fill_every_place(manager: ConversationManager, folder: Path, user_id: int) -> None:
    """Put the canary wherever something of a person can be stored."""
    chats = await fill(manager, user_id, 3)
    for chat in chats:
        await manager.add_message(user_id, chat, question(1, CANARY))
    await manager.rename_conversation(user_id, chats[0], CANARY)
    await manager.set_instructions(user_id, chats[1], CANARY)
    await manager.delete_conversation(user_id, chats[2])
    await manager.keep_file(user_id, "answer.md", CANARY)
    await manager.update_settings(user_id, {"later": CANARY, "language": "en"})
    home = folder / f"user_{user_id}"
    (home / f"{chats[1]}.json.damaged-1").write_text(CANARY)
    (home / ".left.json.abc.tmp").write_text(CANARY)
    (home / "trash" / "mine.txt").write_text(CANARY)


async def test_it_tells_what_goes_asks_twice_and_gives_a_receipt(
    client: Client, manager: ConversationManager, folder: Path
) -> None:
    await fill_every_place(manager, folder, 1001)
    await manager.create_conversation(1002, CANARY, CANARY)
    await client.send("/forget")
    assert client.text == (
        "🧨 Erase everything that is stored of you?\n"
        "• 2 chats\n• 1 deleted chat\n• 3 messages\n• 1 file\n\n"
        "Your settings go too, and answers that are on their way are given up. What stands in"
        " this dialog is kept by Telegram: clear its history there."
    )
    assert client.labels == ["📦 All chats as a zip", "Erase everything…", "Cancel"]
    await client.press("Erase everything…")
    assert client.text.startswith("Are you sure? This cannot be undone.\n• 2 chats")
    assert client.labels == ["No, keep everything", "Yes, erase everything"]
    assert [button.style for button in client.buttons()] == [None, "danger"]
    assert holding(folder / "user_1001")
    await client.press("Yes, erase everything")
    assert client.text.startswith(
        "✅ Erased for good:\n• 2 chats\n• 1 deleted chat\n• 3 messages\n• 1 file"
    )
    assert client.labels == []
    assert [Path(path).parts[0] for path in holding(folder)] == ["user_1002", "user_1002"]
    assert (await client.ask("A fresh start")).startswith("You wrote: A fresh start")
    [chat] = await manager.list_conversations(1001)
    assert (chat.name, chat.message_count >= 1) == ("A fresh start", True)


async def test_taken_out_erased_and_brought_back(
    client: Client, manager: ConversationManager, folder: Path, telegram: FakeTelegram
) -> None:
    async def all_of_it() -> list[tuple[str, bool, list[dict[str, Any]]]]:
        chats = []
        for chat in await manager.list_conversations(1001):
            messages = await manager.get_messages(1001, chat.conversation_id, 100)
            chats.append((chat.name, chat.pinned, [message.to_dict() for message in messages]))
        return chats

    await fill(manager, 1001, 2)
    for text in ("Where shall we travel?", "And when?"):
        await client.ask(text)
    other = (await manager.list_conversations(1001))[1]
    await manager.pin_conversation(1001, other.conversation_id)
    await settled(manager)
    before = await all_of_it()
    await client.send("/forget")
    menu = client.screen
    await client.press("All chats as a zip", menu)
    [archive] = telegram.documents
    await client.press("Erase everything…", menu)
    await client.press("Yes, erase everything")
    assert not (folder / "user_1001").exists()
    await client.send_file("chats.zip", archive)
    assert await all_of_it() == [chat for chat in before if chat[2] or chat[1]]


async def settled(manager: ConversationManager) -> None:
    """Wait until every answer is there and noted as sent."""
    async with asyncio.timeout(PATIENCE):
        while True:
            active = await manager.get_active_conversation_id(1001)
            messages = await manager.get_messages(1001, active or "", 100)
            if len(messages) == 4 and all(message.sent_as for message in messages):
                return
            await asyncio.sleep(0.001)


async def test_the_button_of_the_settings_and_two_ways_out(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 1)
    for way_out in ("Cancel", "No, keep everything"):
        await client.send("/settings")
        await client.press("🧨 Erase my data")
        if way_out.startswith("No"):
            await client.press("Erase everything…")
        await client.press(way_out)
        assert client.text == "Nothing is erased."
        await client.press("‹ Chats")
    assert len(await manager.list_conversations(1001)) == 1


async def test_what_came_since_is_asked_about(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await client.send("/forget")
    await client.press("Erase everything…")
    await manager.add_message(1001, chat, question(1))
    await client.press("Yes, erase everything")
    assert client.text.startswith("Something came or went since you were asked.\nAre you sure?")
    assert len(await manager.list_conversations(1001)) == 1
    await client.press("Yes, erase everything")
    assert await manager.list_conversations(1001) == []


async def test_an_old_confirmation_erases_nothing_of_later(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 1)
    await client.send("/forget")
    await client.press("Erase everything…")
    menu = client.screen
    await client.press("Yes, erase everything")
    receipt = client.text
    await client.press("Yes, erase everything", menu)
    assert client.toasts[-1] == "Nothing is stored of you."
    assert client.text == receipt, "the receipt of the first press stays"
    await fill(manager, 1001, 1)
    await client.press("Yes, erase everything", menu)
    assert len(await manager.list_conversations(1001)) == 1
    assert client.text.startswith("Something came or went")


async def test_two_presses_at_once(client: Client, manager: ConversationManager) -> None:
    await fill(manager, 1001, 2)
    await client.send("/forget")
    await client.press("Erase everything…")
    menu = client.screen
    await asyncio.gather(*(client.press("Yes, erase everything", menu) for _ in range(2)))
    assert client.text.startswith("✅ Erased for good:\n• 2 chats")


async def test_nothing_is_stored_of_somebody_new(client: Client, folder: Path) -> None:
    await client.send("/forget")
    assert client.text == "Nothing is stored of you."
    assert client.labels == []
    assert not (folder / "user_1001").exists()


@pytest.mark.parametrize("action", ForgetAction)
@pytest.mark.parametrize("owner", ["", "rt", "ru"])
async def test_nobody_erases_another(
    make_client: MakeClient, manager: ConversationManager, action: ForgetAction, owner: str
) -> None:
    anna, ben = make_client(1001, chat_id=-100), make_client(1002, chat_id=-100)
    await fill(manager, 1001, 2)
    await anna.send("/forget")
    await anna.press("Erase everything…")
    stamp = ForgetButton.unpack(anna.buttons()[1].callback_data or "").stamp
    await ben.press_data(ForgetButton(action=action, stamp=stamp, owner=owner).pack(), anna.screen)
    assert len(await manager.list_conversations(1001)) == 2
    assert "Erased" not in anna.text


async def test_a_running_answer_is_given_up_and_stored_nowhere(
    manager: ConversationManager, folder: Path, bot: Bot, telegram: FakeTelegram, model: Model
) -> None:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=model, exclusive=True))
    anna, ben = (Client(dispatcher, bot, telegram, user_id) for user_id in (1001, 1002))
    await ben.send("Ben's")
    await model.started.acquire()
    for number in range(3):  # in chats of their own, and one that waits for a slot
        await anna.send(f"/new {CANARY} {number}")
        await model.started.acquire()
    await anna.send(f"/new {CANARY} without a slot")
    await anna.send(f"{CANARY} in the queue of its chat")
    await anna.send(CANARY + "x" * 4090)  # held: it may go on
    await anna.send("/forget")
    await anna.press("Erase everything…")
    async with asyncio.timeout(PATIENCE):
        await anna.press("Yes, erase everything")
    assert anna.text.startswith("✅ Erased for good:\n• 4 chats\n• 6 messages")
    assert holding(folder / "user_1001") == []
    model.opened.set()
    sent = len(telegram.of(SendMessage))
    await telegram.wait_for(lambda: "complete" in ben.text)
    await dispatcher.emit_shutdown(bot=bot)
    assert len(telegram.of(SendMessage)) == sent + 1, "Ben's answer alone"
    assert not (folder / "user_1001").exists()
    assert len(model.asked) == 4


async def test_one_who_waits_for_others_is_not_waited_for(
    manager: ConversationManager, bot: Bot, model: Model
) -> None:
    """All answers that may run are other people's."""
    answering = Answering(manager, as_answerer(model.__call__), limits=AnsweringLimits(in_all=1))
    over: list[int] = []
    for user_id in (1, 2):
        chat = await manager.add_question(user_id, "x", question(1))
        person = Person(user_id, "x", user_id, Languages().choose("en"))

        async def note(user_id: int = user_id) -> None:
            over.append(user_id)

        answering.submit(Question(bot, person, chat.conversation_id, 1, overs=(note,)))
    await model.started.acquire()
    async with asyncio.timeout(PATIENCE), answering.silence(2):
        assert over == [2]
        assert not answering.is_busy(2, chat.conversation_id)
        late = Question(bot, person, chat.conversation_id, 1)
        assert answering.submit(late) == "silenced"
    assert len(model.asked) == 1
    model.opened.set()
    await answering.close()
    assert sorted(over) == [1, 2]


async def test_in_a_group_the_growing_message_goes_as_well(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram, model: Model
) -> None:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=model, exclusive=True))
    anna = Client(dispatcher, bot, telegram, chat_id=-100)
    mention = {"type": "mention", "offset": 0, "length": 9}
    await anna.send("@test_bot hello", entities=[mention])
    await telegram.wait_for(lambda: CANARY in anna.text)
    await anna.send("/forget")
    await anna.press("Erase everything…")
    await anna.press("Yes, erase everything")
    assert not [text for text in telegram.texts_in(-100) if CANARY in text]
    await dispatcher.emit_shutdown(bot=bot)


async def test_what_is_asked_meanwhile_goes_with_the_rest_or_begins_anew(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    """Without an inbox nothing keeps a person's updates apart."""
    for number in range(10):
        [chat] = await fill(manager, 1001, 1)
        await client.send("/forget")
        menu = client.screen
        await client.press("Erase everything…")
        erasing = client.press("Yes, erase everything")
        await asyncio.gather(erasing, client.send(f"Meanwhile {number}"))
        left = await manager.list_conversations(1001)
        if "Something came or went" in telegram.messages[1001, menu.message_id]["text"]:
            # The question was quicker, and it is asked about.
            assert [chat.conversation_id for chat in left] == [chat]
        else:
            assert [chat.name for chat in left] in ([], [f"Meanwhile {number}"])
        if left:
            await telegram.wait_for(partial(_has_come, telegram, f"wrote: Meanwhile {number}"))
        await manager.erase_user(1001)


def _has_come(telegram: FakeTelegram, answer: str) -> bool:
    return any(answer in text for text in telegram.texts_in(1001))


async def test_a_storage_that_fails_is_told_and_asked_again(
    client: Client, manager: ConversationManager, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_every_place(manager, folder, 1001)
    await client.send("/forget")
    await client.press("Erase everything…")
    menu = client.screen

    def fail(path: Any) -> None:
        raise OSError(5, "broken")

    with monkeypatch.context() as broken:
        broken.setattr("conversations.erasing.shutil.rmtree", fail)
        await client.press("Yes, erase everything", menu)
        assert client.text.startswith("The storage is unavailable right now.")
        assert holding(folder), "it is out of sight, and still on the disk"
    await client.press("Yes, erase everything", menu)
    assert holding(folder) == []


async def test_the_command_menu_is_taken_back(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 1)
    await manager.update_settings(1001, {"language": "ru"})
    await client.send("/forget")
    await client.press("Стереть всё…")
    await client.press("Да, стереть всё")
    assert client.text.startswith("✅ Стёрто навсегда:\n• 1 чат\n• 0 сообщений")
    assert client.telegram.of(DeleteMyCommands)[-1].scope.chat_id == 1001
    await client.send("/help")
    assert client.text.startswith("Write to me"), "the language was a setting"


def test_an_export_is_offered_where_there_is_one() -> None:
    person = Person(1001, "anna", 1001, Languages().choose("en"))
    export = InlineKeyboardButton(text="📦 Export first", callback_data="x")
    keyboard = forget_screen(person, Footprint(1, 0, 2, 0, 3), export=export).keyboard
    assert keyboard is not None
    assert keyboard.inline_keyboard[0] == [export]
    router = create_forgetting_router(export_button=lambda person: export)
    assert isinstance(router, Router)


def press_of(client: Client, label: str, message: dict[str, Any]) -> dict[str, Any]:
    """Press a button of a stored message, as an update."""
    rows = message["reply_markup"]["inline_keyboard"]
    [data] = [b["callback_data"] for row in rows for b in row if label in b["text"]]
    return client.update(callback_query=client.callback(data, message))


async def press(bot: Any, client: Client, label: str) -> None:
    telegram: QueueingTelegram = bot.telegram
    menu = telegram.messages[max(key for key in telegram.messages if key[0] == client.chat_id)]
    await telegram.push(press_of(client, label, menu))
    await bot.settled()


@pytest.fixture
def someone() -> Client:
    return Client(None, None, None)  # type: ignore[arg-type]


async def test_no_file_holds_the_canary_afterwards(
    folder: Path, someone: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The inbox too: what is over, what was given up, and damaged copies of it."""
    caplog.set_level(logging.INFO)
    other = Client(None, None, None, 1002)  # type: ignore[arg-type]
    folder.mkdir()
    quoting = other.message("see above") | {"reply_to_message": someone.message(CANARY)}
    lines = [
        someone.update(message=someone.message(CANARY)),
        other.update(message=quoting),
        other.update(message=other.message("Ben's own")),
    ]
    given_up = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "inbox.jsonl.given-up").write_text(given_up)
    (folder / "inbox.jsonl.damaged-1").write_text(given_up + f'{{"torn": "{CANARY}')
    telegram = QueueingTelegram([
        someone.update(message=someone.message(f"{CANARY} one")),
        someone.update(message=someone.message(f"/rename {CANARY}")),
        someone.update(edited_message=someone.message(f"{CANARY} edited") | {"edit_date": 1}),
        someone.update(message=someone.message(None, voice={"file_id": CANARY,
                       "file_unique_id": "x", "duration": 1})),
    ])  # fmt: skip
    async with polled(folder, telegram, EchoAnswerer()) as bot:
        await bot.settled()
        await fill_every_place(bot.manager, folder, 1001)
        await telegram.push(someone.update(message=someone.message(f"/forget {CANARY}")))
        await bot.settled()
        assert {"inbox.jsonl", "inbox.jsonl.given-up"} < set(holding(folder))
        await press(bot, someone, "Erase everything…")
        await press(bot, someone, "Yes, erase everything")
        assert holding(folder) == []
        async with asyncio.timeout(PATIENCE):  # the press itself is over only then
            while holding(folder, "person1001"):
                await asyncio.sleep(0.001)
        assert "Ben's own" in (folder / "inbox.jsonl.given-up").read_text()
        assert "Ben's own" in (folder / "inbox.jsonl.damaged-1").read_text()
    assert holding(folder) == []
    assert CANARY not in caplog.text


async def test_what_waits_and_what_is_held_is_over_in_the_inbox_as_well(
    folder: Path, someone: Client, model: Model
) -> None:
    asked = [f"{CANARY} running", f"{CANARY} waiting", CANARY + "x" * 4000]
    telegram = QueueingTelegram([
        someone.update(message=someone.message(text)) for text in asked
    ])  # fmt: skip
    async with polled(folder, telegram, model) as bot:
        await model.started.acquire()
        await telegram.wait_for(lambda: not telegram.unconfirmed)
        await telegram.push(someone.update(message=someone.message("/forget")))
        for label in ("Erase everything…", "Yes, erase everything"):
            await telegram.wait_for(lambda: label in str(telegram.messages.values()))  # noqa: B023
            menu = telegram.messages[max(telegram.messages)]
            await telegram.push(press_of(someone, label, menu))
        await bot.settled()
        assert "✅ Erased for good:" in str(telegram.messages.values())
        assert holding(folder) == []
        assert model.asked == asked[:1]


async def test_killed_while_it_erases_it_goes_on_after_the_start(
    folder: Path, someone: Client, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before, within and after each step; the receipt tells what there was."""
    telegram = QueueingTelegram([someone.update(message=someone.message(f"{CANARY} one"))])
    async with polled(folder, telegram, model) as bot:
        await model.started.acquire()
        model.opened.set()
        await bot.settled()
        await telegram.push(someone.update(message=someone.message("/forget")))
        await bot.settled()
        await press(bot, someone, "Erase everything…")
    menu = telegram.messages[max(telegram.messages)]
    update = press_of(someone, "Yes, erase everything", menu)
    later = someone.update(message=someone.message("A fresh start"))
    for step in ("before", "erased", "told"):
        home = folder.with_name(step)
        shutil.copytree(folder, home, ignore=shutil.ignore_patterns("*.tmp"))
        inbox = Inbox(home / "inbox.jsonl")
        await inbox.open()
        await inbox.keep([update, later])
        if step != "before":  # what it had done when it was killed
            begun = inbox.begin(update["update_id"])
            assert begun is not None
            facts = {"chats": 1, "deleted_chats": 0, "messages": 2, "files": 0, "size": 9}
            await inbox.note(update["update_id"], facts)
        if step == "told":
            async with opened(home) as storage:
                await storage.erase(1001)
        inbox._let_go()
        again = QueueingTelegram()
        again.messages = {(1001, menu["message_id"]): json.loads(json.dumps(menu))}
        async with polled(home, again, EchoAnswerer()) as bot:
            await bot.settled()
            assert holding(home) == []
            receipt = again.messages[1001, menu["message_id"]]["text"]
            assert receipt.startswith("✅ Erased for good:\n• 1 chat\n• 2 messages"), step
            [chat] = await bot.manager.list_conversations(1001)
            assert chat.name == "A fresh start"


async def test_an_inbox_that_cannot_be_written_is_told(
    folder: Path, someone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram = QueueingTelegram([someone.update(message=someone.message(f"{CANARY} one"))])
    async with polled(folder, telegram, EchoAnswerer()) as bot:
        await bot.settled()
        await telegram.push(someone.update(message=someone.message("/forget")))
        await bot.settled()
        await press(bot, someone, "Erase everything…")

        async def fail(*args: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as broken:
            broken.setattr(Inbox, "forget_person", fail)
            menu = telegram.messages[max(telegram.messages)]
            await press(bot, someone, "Yes, erase everything")
            assert "Erased" not in str(telegram.messages.values())
        await telegram.push(press_of(someone, "Yes, erase everything", menu))
        await bot.settled()
        assert holding(folder) == []
