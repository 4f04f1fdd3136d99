"""Deleting a chat, undoing it, and the trash."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiogram.methods import AnswerCallbackQuery

from bot.callbacks import MenuAction, MenuButton
from conversations import ConversationManager, JsonStorage
from tests.chats import fill, question
from tests.telegram import Client, MakeClient


async def open_first(client: Client, name: str) -> None:
    await client.send("/chats")
    await client.press(name)


async def test_delete_asks_first_and_can_be_undone(
    client: Client, manager: ConversationManager, folder: Path
) -> None:
    first, second = await fill(manager, 1001, 2)
    await manager.add_message(1001, first, question(1))
    await open_first(client, "Chat 1")
    await client.press("🗑 Delete")
    assert client.text == ("🗑 Delete “Chat 1”?\n1 message. It can be brought back for 30 days.")
    assert client.labels == ["Delete", "Cancel"]
    assert [button.style for button in client.buttons()] == ["danger", None]
    await client.press("Delete")
    assert client.text == "🗑 “Chat 1” is deleted.\nNow “Chat 2” is open."
    assert await manager.get_active_conversation_id(1001) == second
    assert (folder / "user_1001" / "trash" / f"{first}.json").is_file()
    await client.press("Undo")
    assert client.text.startswith("💬 Chat 1")
    assert await manager.get_active_conversation_id(1001) == first
    assert len(await manager.get_messages(1001, first)) == 1
    assert await manager.list_deleted(1001) == []


async def test_cancel_deletes_nothing_and_switches_nothing(
    client: Client, manager: ConversationManager
) -> None:
    first, second = await fill(manager, 1001, 2)
    await open_first(client, "Chat 1")
    await client.press("🗑 Delete")
    await client.press("Cancel")
    assert client.text.startswith("💬 Chat 1")
    await client.press("🗑 Delete")
    menu = client.screen
    await manager.set_active_conversation(1001, second)
    await client.press("Delete", menu)
    await client.press("Undo")
    assert await manager.get_active_conversation_id(1001) == second, "it was not active before"
    assert first in {chat.conversation_id for chat in await manager.list_conversations(1001)}


async def test_an_old_menu_of_a_chat_that_is_not_open_does_not_switch(
    client: Client, manager: ConversationManager
) -> None:
    _, second = await fill(manager, 1001, 2)
    await open_first(client, "Chat 1")
    await manager.set_active_conversation(1001, second)
    await client.press("Pin")
    assert "Another chat is open now." in client.text
    await client.press("🗑 Delete")
    await client.press("Cancel")
    assert client.text.startswith("💬 2 chats")
    assert await manager.get_active_conversation_id(1001) == second
    await client.press("Chat 1")
    assert "This chat is open" in client.text


async def test_messages_that_came_since_are_asked_about(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await open_first(client, "Chat 1")
    await client.press("🗑 Delete")
    await manager.add_message(1001, chat, question(1))
    await client.press("Delete")
    assert "Messages came since you were asked. Delete it all the same?" in client.text
    assert await manager.list_deleted(1001) == []
    await client.press("Delete")
    assert client.text.startswith("🗑 “Chat 1” is deleted.")


async def test_deleting_the_last_chat_opens_an_empty_one_and_undo_takes_it_back(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await client.send("/delete")
    await client.press("Delete")
    assert client.text == "🗑 “Chat 1” is deleted.\nA new chat is open."
    [empty] = await manager.list_conversations(1001)
    assert (empty.message_count, empty.is_active) == (0, True)
    await client.press("Undo")
    assert [chat.conversation_id for chat in await manager.list_conversations(1001)] == [chat]


async def test_two_presses_on_the_same_delete(
    client: Client, manager: ConversationManager
) -> None:
    first, _ = await fill(manager, 1001, 2)
    await open_first(client, "Chat 1")
    await client.press("🗑 Delete")
    menu = client.screen
    await asyncio.gather(client.press("Delete", menu), client.press("Delete", menu))
    assert client.text.startswith("🗑 “Chat 1” is deleted.")
    assert len(client.telegram.of(AnswerCallbackQuery)) == 4
    assert [chat.conversation_id for chat in await manager.list_deleted(1001)] == [first]
    await client.press("Undo")
    assert await manager.get_active_conversation_id(1001) == first


async def test_two_presses_on_the_same_undo(client: Client, manager: ConversationManager) -> None:
    await fill(manager, 1001, 2)
    await client.send("/delete")
    await client.press("Delete")
    menu = client.screen
    await asyncio.gather(client.press("Undo", menu), client.press("Undo", menu))
    assert client.text.startswith("💬 Chat 2")
    assert len(await manager.list_conversations(1001)) == 2


async def test_the_trash_shows_what_is_deleted_and_brings_it_back(
    client: Client, manager: ConversationManager
) -> None:
    chats = await fill(manager, 1001, 12)
    for chat in chats[:10]:
        await manager.delete_conversation(1001, chat)
    await client.send("/chats")
    await client.press("🗑 Deleted (10)")
    assert client.text == "🗑 Deleted chats: 10\nTap one to bring it back."
    assert client.labels[0] == "↩️ Chat 10 · 30 days", "the last deleted first"
    assert client.labels[8:] == ["1/2", "›", "Delete all for good", "‹ Chats"]
    await client.press("›")
    assert client.labels[:2] == ["↩️ Chat 2 · 30 days", "↩️ Chat 1 · 30 days"]
    await client.press("Chat 1")
    assert client.text.startswith("💬 Chat 1")
    assert "This chat is open" in client.text
    await client.send("/trash")
    assert client.text.startswith("🗑 Deleted chats: 9")


async def test_emptying_the_trash_asks_first(client: Client, manager: ConversationManager) -> None:
    await fill(manager, 1001, 3)
    await client.send("/delete")
    await client.press("Delete")
    await client.send("/trash")
    await client.press("Delete all for good")
    assert client.text == "Delete 1 chat for good?\nThis cannot be undone."
    await client.press("Cancel")
    assert client.text.startswith("🗑 Deleted chats: 1")
    await client.press("Delete all for good")
    await client.press("Delete all for good")
    assert client.toasts[-1] == "1 chat is gone for good"
    assert client.text == "🗑 Nothing is deleted."
    await client.press_data(MenuButton(action=MenuAction.ASK_EMPTY_TRASH).pack())
    assert client.text == "🗑 Nothing is deleted."
    assert len(await manager.list_conversations(1001)) == 2


async def test_undo_after_the_trash_was_emptied(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 2)
    await client.send("/delete")
    await client.press("Delete")
    await manager.empty_trash(1001)
    await client.press("Undo")
    assert client.toasts[-1] == "There is no such chat."
    assert client.labels[0] == "✅ Chat 1 · 0"


async def test_what_is_over_its_time_goes_for_good(folder: Path) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    storage = JsonStorage(folder)
    manager = ConversationManager(storage, clock=lambda: now)
    first, second, _ = await fill(manager, 1001, 3)
    await manager.delete_conversation(1001, first)
    now += timedelta(days=20)
    await manager.delete_conversation(1001, second)
    now += timedelta(days=10)
    assert len(await manager.list_deleted(1001)) == 2
    now += timedelta(seconds=1)
    assert [chat.conversation_id for chat in await manager.list_deleted(1001)] == [second]
    assert not await manager.restore_conversation(1001, first)
    await storage.close()


async def test_delete_without_any_chat(client: Client) -> None:
    await client.send("/delete")
    assert client.text == "There is no chat yet. Just write something."


async def test_plurals_of_days(make_client: MakeClient, manager: ConversationManager) -> None:
    anna = make_client(1001, "ru")
    manager._rules.trash_kept = timedelta(days=21)
    await fill(manager, 1001, 1)
    await anna.send("/delete")
    assert "Вернуть можно в течение 21 дня." in anna.text
    manager._rules.trash_kept = timedelta(days=3)
    await anna.send("/delete")
    assert "Вернуть можно в течение 3 дней." in anna.text
