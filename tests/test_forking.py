"""A copy of a chat, whole or up to a message: by the manager, by a button, by a reply."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage

from bot import Limits, create_router
from bot.callbacks import ChatAction, ChatButton
from conversations import ConversationManager, ConversationMetadata, StorageError
from tests.chats import fill
from tests.faults.killed import KilledAt
from tests.storages import USER, answer, managed, question, texts
from tests.telegram import Client, FakeTelegram, MakeClient
from tests.waiting import PATIENCE


async def test_a_fork_is_named_after_its_origin(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка в Рим")
        await chats.add_message(USER, origin, question("Где отель?", 1))
        await chats.set_mode(USER, origin, "deep")
        await chats.set_instructions(USER, origin, "Be brief.")
        made = await chats.fork_conversation(USER, origin)
        assert made not in {None, origin}
        assert await chats.get_active_conversation_id(USER) == made
        fork, old = await chats.list_conversations(USER)
        assert (fork.name, fork.forked_from, fork.mode) == ("🔀 Поездка в Рим", origin, "deep")
        assert (fork.username, fork.message_count, fork.instructions) == ("anna", 1, "Be brief.")
        assert fork.created_at > old.updated_at
        again = await chats.fork_conversation(USER, fork.conversation_id)
        assert again is not None
        newest = await chats.get_conversation(USER, again)
        assert newest is not None
        assert (newest.name, newest.forked_from) == ("🔀 Поездка в Рим", made)


async def test_a_long_name_is_cut(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "x")
        await chats.rename_conversation(USER, origin, "слово " * 10 + "два")
        made = await chats.fork_conversation(USER, origin)
        fork = await chats.get_conversation(USER, made or "")
        assert fork is not None
        assert fork.name == "🔀 " + "слово " * 9 + "слово..."
        assert len(fork.name) <= 64
        await chats.rename_conversation(USER, origin, "x" * 64)
        again = await chats.get_conversation(
            USER, await chats.fork_conversation(USER, origin) or ""
        )
        assert again is not None
        assert again.name == "🔀 " + "x" * 59 + "..."
        assert fork.name_source == "user", "a model does not give it another one"


async def test_a_fork_without_a_name_of_its_own_takes_one(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.start_conversation(USER, "anna")
        await chats.add_message(USER, origin, answer("Hello!", 1))
        made = await chats.fork_conversation(USER, origin)
        assert made is not None
        await chats.add_message(USER, made, question("Где отель?", 2))
        fork = await chats.get_conversation(USER, made)
        assert fork is not None
        assert fork.name == "Где отель?"


async def test_one_key_makes_one_fork(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка")
        await chats.add_message(USER, origin, question("one", 1))
        await chats.add_message(USER, origin, question("two", 2))
        first = await chats.fork_conversation(USER, origin, key="press 1")
        assert await chats.fork_conversation(USER, origin, key="press 1") == first
        other = await chats.fork_conversation(USER, origin, key="press 2")
        assert len({origin, first, other}) == 3
        assert first is not None
        # The copy is active now, and has the message too: what comes again may say another chat.
        assert await chats.fork_conversation(USER, first, 1, key="press 1") == first
        assert texts(await chats.get_messages(USER, first)) == ["one", "two"]
        assert await chats.get_active_conversation_id(USER) == first
        await chats.delete_conversation(USER, origin)
        assert await chats.fork_conversation(USER, origin, key="press 1") == first
        assert len(await chats.list_conversations(USER)) == 2


@pytest.mark.parametrize("step", ["replace_file", "sync_folder"])
async def test_an_error_on_the_way_leaves_one_fork_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка")
        await chats.add_message(USER, origin, question("one", 1))
        with monkeypatch.context() as patch:
            patch.setattr(f"conversations.folder_state.{step}", full)
            with pytest.raises(StorageError):
                await chats.fork_conversation(USER, origin, key="press 1")
        left = await chats.list_conversations(USER)
        assert [(c.name, c.message_count) for c in left if c.forked_from] in (
            [],
            [("🔀 Поездка", 1)],
        )
        made = await chats.fork_conversation(USER, origin, key="press 1")
    async with managed(tmp_path) as chats:
        assert await chats.get_active_conversation_id(USER) == made
        assert len(await chats.list_conversations(USER)) == 2


async def test_a_kill_on_the_way_leaves_one_fork_or_none_and_all_else(tmp_path: Path) -> None:
    outcomes = set()
    for change in range(1, 12):
        root, target = tmp_path / f"{change}", tmp_path / f"{change} killed"
        async with managed(root) as chats:
            origin = await chats.create_conversation(USER, "anna", "Поездка")
            await chats.add_message(USER, origin, question("one", 1))
            empty = await chats.create_conversation(USER, "anna", "")
            with KilledAt(change, root, target):
                made = await chats.fork_conversation(USER, origin)
        async with managed(target) as chats:
            left = {chat.conversation_id for chat in await chats.list_conversations(USER)}
            active = await chats.get_active_conversation_id(USER)
        assert (left, active) in [({origin, empty}, empty), ({origin, empty, made}, made)]
        outcomes.add(active == made)
    assert outcomes == {True, False}


async def test_what_is_not_there_is_not_forked(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка")
        await chats.add_message(USER, origin, question("no id", 0))
        assert await chats.fork_conversation(USER, "unknown") is None
        assert await chats.fork_conversation(USER, "../x") is None
        assert await chats.fork_conversation(2, origin) is None
        assert await chats.fork_conversation(USER, origin, 0) is None
        assert await chats.fork_conversation(USER, origin, 9) is None
        with pytest.raises(TypeError):
            await chats.fork_conversation(USER, origin, "1")  # type: ignore[arg-type]
        assert len(await chats.list_conversations(USER)) == 1


async def test_a_fork_and_its_origin_survive_a_restart(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка")
        await chats.add_message(USER, origin, question("one", 1))
        made = await chats.fork_conversation(USER, origin)
    (tmp_path / f"user_{USER}" / "index.json").unlink()
    async with managed(tmp_path) as chats:
        assert made is not None
        fork = await chats.get_conversation(USER, made)
        assert fork is not None
        assert (fork.forked_from, fork.message_count) == (origin, 1)
        hit = await chats.find_message(USER, 1)
        assert hit is not None
        assert hit.chat.conversation_id == made, "the latest of the two"


async def test_the_last_exchange_is_removed(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        chat = await chats.create_conversation(USER, "anna", "Поездка")
        for number in (1, 3):
            await chats.add_message(USER, chat, question(f"q{number}", number))
            await chats.add_message(USER, chat, answer(f"a{number}", number + 1))
        assert texts(await chats.remove_last_exchange(USER, chat)) == ["q3", "a3"]
        assert texts(await chats.get_messages(USER, chat)) == ["q1", "a1"]
        assert await chats.remove_last_exchange(USER, "unknown") == []


# In the bot


async def test_a_fork_of_the_whole_chat_by_a_button(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("Where shall we go?")
    origin = await manager.get_active_conversation_id(1001)
    await client.send("/chats")
    await client.press("Where shall we go?")
    menu = client.screen
    await client.press("🔀 Fork")
    assert client.screen.message_id == menu.message_id
    assert client.text.startswith("💬 🔀 Where shall we go?\n2 messages")
    assert "\n🔀 A copy of “Where shall we go?”\n" in client.text
    assert "This chat is open" in client.text
    assert client.toasts[-1] == "You are in the copy now"
    await client.press("Open “Where shall we go?”")
    assert await manager.get_active_conversation_id(1001) == origin
    assert "🔀 A copy" not in client.text
    assert "Open" not in "".join(client.labels)
    await client.press("‹ Chats")
    assert client.labels[:2] == ["🔀 Where shall we go? · 2", "✅ Where shall we go? · 2"]


async def test_a_fork_by_command_is_of_the_open_chat(
    client: Client, manager: ConversationManager
) -> None:
    await client.send("/fork")
    assert client.text == "There is no chat yet. Just write something."
    await client.send("/new")
    await client.send("/fork")
    assert client.text == "There is nothing in this chat to copy."
    await client.ask("Where shall we go?")
    await client.send("/fork")
    assert client.text.startswith("💬 🔀 Where shall we go?")
    answer = await client.ask("And in the copy?")
    assert "I was given 3 messages" in answer
    fork, origin = await manager.list_conversations(1001)
    assert (fork.message_count, origin.message_count) == (4, 2)


async def test_a_fork_up_to_a_message_by_a_reply(
    client: Client, manager: ConversationManager
) -> None:
    answers = []
    for text in ("one", "two", "three"):
        await client.ask(text)
        answers.append(client.screen)
    chat = await manager.get_active_conversation_id(1001)
    assert chat is not None
    await noted(manager, chat, 6)
    await client.send("/new elsewhere")
    await client.reply("/fork", answers[1])
    fork = await opened(manager)
    assert (fork.name, fork.message_count) == ("🔀 one", 4)
    assert client.text.startswith("💬 🔀 one\n4 messages")
    question = client.message("two") | {"message_id": 2}
    await client.send("/fork", reply_to_message=question)
    fork = await opened(manager)
    assert fork.message_count == 3, "a question, to be answered in another way"
    assert fork.forked_from is not None


async def test_an_unknown_message_is_not_forked(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("one")
    await client.send("/help")
    await client.reply("/fork", client.screen)
    assert client.text == (
        "I do not know that message. Reply with /fork to a question of yours or to an answer."
    )
    assert len(await manager.list_conversations(1001)) == 1


async def test_a_press_or_a_command_that_comes_again_forks_once(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("one")
    await client.send("/chats")
    await client.press("one")
    data = client.button("🔀 Fork").callback_data or ""
    pressed = client.callback(data, client.telegram.messages[1001, client.screen.message_id])
    said = client.message("/fork")
    for _ in range(2):
        await client.feed(callback_query=pressed | {"message": {**pressed["message"]}})
    assert len(await manager.list_conversations(1001)) == 2
    for _ in range(2):
        await client.feed(message=said)
    assert len(await manager.list_conversations(1001)) == 3


async def test_a_fork_of_a_chat_that_is_gone_or_another_persons(
    client: Client, make_client: MakeClient, manager: ConversationManager
) -> None:
    [foreign] = await fill(manager, 2002, 1)
    await manager.add_message(2002, foreign, question("secret", 1))
    first, second = await fill(manager, 1001, 2)
    await manager.add_message(1001, first, question("one", 1))
    await client.send("/chats")
    await client.press("Chat 1")
    await manager.delete_conversation(1001, first)
    await client.press("🔀 Fork")
    await client.press_data(ChatButton(action=ChatAction.FORK, chat=foreign).pack())
    await client.press_data(ChatButton(action=ChatAction.FORK, chat=second).pack())
    assert client.toasts[-3:] == [
        "That chat is deleted.",
        "There is no such chat.",
        "There is nothing in this chat to copy.",
    ]
    assert [chat.name for chat in await manager.list_conversations(1001)] == ["Chat 2"]
    assert len(await manager.list_conversations(2002)) == 1


async def test_an_origin_that_is_gone_is_not_named(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("one")
    [origin] = await manager.list_conversations(1001)
    await client.send("/fork")
    await manager.delete_conversation(1001, origin.conversation_id)
    await client.send("/chats")
    await client.press("🔀 one")
    assert "A copy of" not in client.text
    assert "Open" not in "".join(client.labels)


async def test_an_empty_chat_has_no_fork_button(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 1)
    await client.send("/chats")
    await client.press("Chat 1")
    assert "🔀 Fork" not in client.labels


async def test_a_search_finds_both_the_fork_and_its_origin(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("Where is the station?")
    await client.send("/fork")
    await client.send("/search station")
    assert client.labels[:4] == [
        "1 · 🔀 Where is the station?", "2 · Where is the station?",
        "3 · 🔀 Where is the station?", "4 · Where is the station?",
    ]  # fmt: skip
    origin, fork = sorted(
        await manager.list_conversations(1001), key=lambda chat: chat.forked_from is not None
    )
    results = client.screen
    for place, chat in (("4 · ", origin), ("3 · ", fork)):
        await client.press(place, results)
        assert await manager.get_active_conversation_id(1001) == chat.conversation_id
        reply = client.telegram.of(SendMessage)[-1].reply_parameters
        assert reply.message_id == 1


async def test_the_menus_alone_fork_too(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram
) -> None:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager))
    client = Client(dispatcher, bot, telegram)
    [chat] = await fill(manager, 1001, 1)
    await manager.add_message(1001, chat, question("one", 1))
    await client.send("/fork")
    assert client.text.startswith("💬 🔀 Chat 1")
    assert client.labels == [
        "✏️ Rename", "📌 Pin", "🔀 Fork", "📤 Export", "🗑 Delete", "Open “Chat 1”", "‹ Chats",
    ]  # fmt: skip


async def test_a_double_tap_forks_once_and_a_fork_asked_for_later_anew(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("one")
    await noted(manager, (await opened(manager)).conversation_id, 2)
    await client.send("/chats")
    await client.press("one")
    card = client.screen
    await asyncio.gather(client.press("🔀 Fork", card), client.press("🔀 Fork", card))
    copy = await opened(manager)
    assert copy.forked_from is not None
    assert len(await manager.list_conversations(1001)) == 2
    assert client.toasts[-2:] == ["You are in the copy now", "You are in the copy now"]
    await client.press("Open “one”", client.screen)
    assert client.screen.message_id == card.message_id, "the same menu"
    await manager.add_message(1001, copy.conversation_id, question("gone on in the copy", 99))
    await client.press("🔀 Fork")
    assert (await opened(manager)).conversation_id != copy.conversation_id
    assert len(await manager.list_conversations(1001)) == 3


async def opened(manager: ConversationManager) -> ConversationMetadata:
    chat = await manager.get_active_conversation(1001)
    assert chat is not None
    return chat


async def noted(manager: ConversationManager, chat: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            messages = await manager.get_messages(1001, chat, 100)
            if len(messages) == count and all(message.sent_as for message in messages):
                return
            await asyncio.sleep(0)


class _Noted:
    """The receipt of an update that is handled again."""

    def __init__(self) -> None:
        self.facts: dict[str, str | int] = {}

    async def note(self, **facts: str | int) -> None:
        self.facts |= facts


@pytest.mark.parametrize("by", ["command", "button"])
async def test_a_fork_that_is_handled_again_is_not_refused_for_its_own_copy(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram, by: str
) -> None:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, limits=Limits(chats=2)))
    client = Client(dispatcher, bot, telegram)
    [chat] = await fill(manager, 1001, 1)
    await manager.add_message(1001, chat, question("Где отель?", 1))
    update = client.update(message=client.message("/fork"))
    if by == "button":
        await client.send("/chats")
        await client.press("Chat 1")
        shown = telegram.messages[1001, client.screen.message_id]
        pressed = client.callback(client.button("Fork").callback_data or "", shown)
        update = client.update(callback_query=pressed)
    receipt = _Noted()
    for _ in range(2):
        await dispatcher.feed_raw_update(bot, update, receipt=receipt)
        assert client.text.startswith("💬 🔀 Chat 1")
        assert [alert for alert in client.toasts if alert and "Delete one" in alert] == []
    assert len(await manager.list_conversations(1001)) == 2
    await client.send("/fork")
    assert client.text.startswith("Chats: 2 of 2.")
