"""Deleting all chats but the pinned, and undoing it as a whole."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.callbacks import (
    SweepAction,
    SweepButton,
    decode_moment,
    encode_moment,
    fingerprint,
)
from conversations import ConversationManager, JsonStorage, StorageError
from tests.chats import fill, question
from tests.telegram import Client, MakeClient, keyboard_of


async def names(manager: ConversationManager, user_id: int = 1001) -> list[str]:
    return sorted(chat.name for chat in await manager.list_conversations(user_id))


async def ask(client: Client, label: str = "🧹 Delete") -> None:
    await client.send("/chats")
    await client.press(label)


async def test_it_tells_how_many_asks_and_can_be_undone(
    client: Client, manager: ConversationManager
) -> None:
    chats = await fill(manager, 1001, 4)
    await manager.pin_conversation(1001, chats[0])
    await client.send("/chats")
    await client.press("🧹 Delete unpinned (3)")
    assert client.text == (
        "🧹 Delete 3 chats?\n1 pinned chat stays.\n"
        "What is deleted can be brought back for 30 days."
    )
    assert [(button.text, button.style) for button in client.buttons()] == [
        ("Delete", "danger"), ("Cancel", None),
    ]  # fmt: skip
    await client.press("Delete")
    assert client.text == "🧹 3 chats are deleted.\nNow “Chat 1” is open."
    assert await names(manager) == ["Chat 1"]
    await client.press("Undo")
    assert client.toasts[-1] == "3 chats are back"
    assert client.text.startswith("💬 4 chats")
    assert await manager.get_active_conversation_id(1001) == chats[3]
    assert await manager.list_deleted(1001) == []


async def test_without_pinned_ones_a_new_chat_is_open_and_cancel_deletes_nothing(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 3)
    await ask(client, "🧹 Delete all (3)")
    await client.press("Cancel")
    assert client.text.startswith("💬 3 chats")
    await client.press("🧹 Delete all (3)")
    await client.press("Delete")
    assert client.text == "🧹 3 chats are deleted.\nA new chat is open."
    await client.press("‹ Chats")
    assert client.labels[0] == "✅ New chat · 0"
    assert not [label for label in client.labels if "🧹" in label], "one has a button of its own"


async def test_what_was_deleted_before_stays_deleted(
    client: Client, manager: ConversationManager
) -> None:
    chats = await fill(manager, 1001, 3)
    await manager.delete_conversation(1001, chats[0])
    await ask(client)
    await client.press("Delete")
    await client.press("Undo")
    assert await names(manager) == ["Chat 2", "Chat 3"]


async def test_what_came_since_is_asked_about(
    client: Client, manager: ConversationManager
) -> None:
    chats = await fill(manager, 1001, 2)
    await ask(client)
    await manager.add_message(1001, chats[0], question(1))
    await client.press("Delete")
    assert "Something came or went since you were asked." in client.text
    assert await manager.list_deleted(1001) == []
    await manager.pin_conversation(1001, chats[0])
    await client.press("Delete")
    assert "🧹 Delete 1 chat?" in client.text
    await client.press("Delete")
    assert await names(manager) == ["Chat 1"]


async def test_two_presses_delete_once_and_leave_the_undo(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 3)
    await ask(client)
    menu = client.screen
    await asyncio.gather(client.press("Delete", menu), client.press("Delete", menu))
    assert client.text.startswith("🧹 3 chats are deleted.")
    after = client.screen
    await client.send("/new What now?")
    await client.telegram.wait_for(lambda: "You wrote: What now?" in client.text)
    await client.press("Delete", menu)
    assert "What now?" in await names(manager), "what came after the question is not deleted"
    await asyncio.gather(client.press("Undo", after), client.press("Undo", after))
    assert len(await manager.list_conversations(1001)) == 4
    assert client.toasts.count("3 chats are back, and “What now?” stays open") == 1


async def test_one_that_was_cut_off_goes_on_when_it_is_handled_again(
    folder: Path, client: Client, manager: ConversationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(manager, 1001, 4)
    await ask(client)
    menu = client.screen
    delete, left = JsonStorage.delete, 2

    async def failing(*args: object, **options: object) -> bool:
        nonlocal left
        left -= 1
        if left < 0:
            raise StorageError("the power is gone")
        return await delete(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(JsonStorage, "delete", failing)
    await client.press("Delete", menu)
    assert client.toasts[-1] is not None
    assert client.toasts[-1].startswith("The storage is unavailable")
    assert len(await names(manager)) == 2
    left = 100
    await client.press("Delete", menu)
    assert client.text.startswith("🧹 4 chats are deleted.")
    await client.press("Undo")
    assert await names(manager) == ["Chat 1", "Chat 2", "Chat 3", "Chat 4"]


async def test_an_old_question_is_asked_anew(client: Client, manager: ConversationManager) -> None:
    await fill(manager, 1001, 2)
    stamp = fingerprint(await manager.list_conversations(1001))
    for age in (timedelta(hours=2), timedelta(days=-2)):
        moment = encode_moment(datetime.now(UTC) - age)
        old = SweepButton(action=SweepAction.DELETE, moment=moment, stamp=stamp)
        await client.send("/help")
        await client.press_data(old.pack())
        assert client.text.startswith("🧹 Delete 2 chats?")
    for forged in ("", "zz-zz", "z" * 40, "-1"):
        for action in (SweepAction.DELETE, SweepAction.UNDO):
            button = SweepButton(action=action, moment=forged, stamp=stamp)
            if len(button.pack()) <= 64:
                await client.press_data(button.pack())
    assert len(await names(manager)) == 2


async def test_nothing_to_delete(client: Client, manager: ConversationManager) -> None:
    await client.send("/help")
    await client.press_data(SweepButton(action=SweepAction.ASK).pack())
    assert client.text.startswith("💬 No chats yet.")
    [chat] = await fill(manager, 1001, 1)
    await manager.pin_conversation(1001, chat)
    await client.press_data(SweepButton(action=SweepAction.ASK).pack())
    assert client.text.startswith("💬 1 chat")


async def test_nobody_deletes_or_restores_anothers(
    make_client: MakeClient, manager: ConversationManager
) -> None:
    anna, ben = make_client(1001, chat_id=-100), make_client(1002, chat_id=-100)
    await fill(manager, 1001, 3)
    await ask(anna)
    menu = anna.screen
    await ben.press("Delete", menu)
    assert ben.toasts[-1] == "This is somebody else's menu. /chats shows yours."
    data = anna.button("Delete", menu).callback_data or ""
    await ben.press_data(SweepButton.unpack(data).model_copy(update={"owner": "ru"}).pack(), menu)
    assert len(await names(manager)) == 3
    await anna.send("/chats")
    await anna.press("🧹 Delete")
    await anna.press("Delete")
    await ben.press("Undo", anna.screen)
    assert len(await manager.list_deleted(1001)) == 3


def test_moments_come_back_to_the_microsecond() -> None:
    moment = datetime(2026, 11, 22, 12, 0, 0, 123457, tzinfo=UTC)
    assert decode_moment(encode_moment(moment)) == moment
    assert len(encode_moment(datetime(9999, 1, 1, tzinfo=UTC))) <= 12
    assert decode_moment("no moment") is None
    assert decode_moment("z" * 60) is None


async def test_russian(make_client: MakeClient, manager: ConversationManager) -> None:
    anna = make_client(1001, "ru")
    await fill(manager, 1001, 5)
    await ask(anna, "🧹 Удалить все (5)")
    assert anna.text.startswith("🧹 Удалить 5 чатов?")
    await anna.press("Удалить")
    assert anna.text.startswith("🧹 Удалено 5 чатов.")
    await anna.press("Вернуть")
    assert anna.toasts[-1] == "Вернулось 5 чатов"


async def test_undo_leaves_a_person_in_the_chat_in_which_they_have_gone_on(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 3)
    await ask(client)
    await client.press("Delete")
    swept = client.screen
    assert client.toasts[-1] == "Deleted"
    await client.ask("What now?")
    gone_on = await manager.get_active_conversation_id(1001)
    await client.press("Undo", swept)
    assert await manager.get_active_conversation_id(1001) == gone_on
    assert client.toasts[-1] == "3 chats are back, and “What now?” stays open"
    chats = telegram_labels(client, swept.message_id)
    assert "✅ What now? · 2" in chats
    assert await names(manager) == ["Chat 1", "Chat 2", "Chat 3", "What now?"]


def telegram_labels(client: Client, message_id: int) -> list[str]:
    message = client.telegram.messages[client.chat_id, message_id]
    return [button["text"] for row in message["reply_markup"]["inline_keyboard"] for button in row]


async def test_what_is_deleted_at_once_is_said_of_them_all(
    make_client: MakeClient, manager: ConversationManager
) -> None:
    anna = make_client(1001, "ru")
    await fill(manager, 1001, 2)
    await ask(anna, "🧹 Удалить все (2)")
    await anna.press("Удалить")
    assert anna.toasts[-1] == "Удалено"


@pytest.mark.parametrize(
    ("language", "pinned", "last_rows"),
    [
        ("ru", 1, [["🧹 Удалить незакреплённые (30)"], ["⚙️ Настройки"]]),
        ("ru", 0, [["🧹 Удалить все (31)", "⚙️ Настройки"]]),
        ("en", 1, [["🧹 Delete unpinned (30)"], ["⚙️ Settings"]]),
        ("en", 0, [["🧹 Delete all (31)", "⚙️ Settings"]]),
    ],
)
async def test_how_many_would_go_can_be_read_on_a_phone(
    make_client: MakeClient,
    manager: ConversationManager,
    language: str,
    pinned: int,
    last_rows: list[list[str]],
) -> None:
    anna = make_client(1001, language)
    for chat in (await fill(manager, 1001, 31))[:pinned]:
        await manager.pin_conversation(1001, chat)
    await anna.send("/chats")
    rows = [[button.text for button in row] for row in keyboard_of(anna.screen).inline_keyboard]
    assert rows[-len(last_rows) :] == last_rows
    assert len(rows[-len(last_rows) - 1]) == 2, "what stands above is as it was"
