"""The manager as it was first described: the same names, arguments and results, awaited."""

from __future__ import annotations

import uuid
from pathlib import Path

from conversations import ConversationManager, ConversationMessage, JsonStorage
from tests.storages import managed, texts


async def test_every_call_of_the_description(tmp_path: Path) -> None:
    manager = ConversationManager(JsonStorage(tmp_path / "conversations"))

    conversation_id = await manager.create_conversation(
        user_id=12345, username="test_user", first_question="Как работает индекс чатов?"
    )
    assert str(uuid.UUID(conversation_id)) == conversation_id

    message = ConversationMessage(
        timestamp="2025-10-04T12:00:00",
        message_id=1,
        type="user_question",
        text="Как работает индекс чатов?",
        tokens=50,
        sent_as="message",
        file_path=None,
        search_type="fast",
    )
    assert await manager.add_message(12345, conversation_id, message) is True
    assert await manager.get_messages(12345, conversation_id, limit=20) == [message]

    conversation = await manager.load_conversation(12345, conversation_id)
    assert conversation is not None
    assert conversation.messages == [message]
    assert conversation.metadata.name == "Как работает индекс чатов?"
    conversation.metadata.name = "Индекс"
    assert await manager.save_conversation(conversation) is True

    assert await manager.get_active_conversation_id(12345) == conversation_id
    other_id = await manager.create_conversation(12345, "test_user", "Другой вопрос")
    assert await manager.set_active_conversation(12345, conversation_id) is True

    index = await manager.load_index(12345)
    assert index["user_id"] == 12345
    assert index["username"] == "test_user"
    assert index["last_active_conversation_id"] == conversation_id
    by_id = {entry["conversation_id"]: entry for entry in index["conversations"]}
    assert by_id.keys() == {conversation_id, other_id}
    assert by_id[conversation_id]["message_count"] == 1
    assert by_id[conversation_id]["total_tokens"] == 50
    assert by_id[conversation_id]["is_active"] is True
    assert by_id[other_id]["is_active"] is False

    chats = await manager.list_conversations(12345)
    assert {chat.conversation_id: chat.name for chat in chats} == {
        conversation_id: "Индекс",
        other_id: "Другой вопрос",
    }

    assert await manager.delete_conversation(12345, conversation_id) is True
    assert await manager.load_conversation(12345, conversation_id) is None
    assert await manager.get_active_conversation_id(12345) == other_id


def user_says(text: str, message_id: int) -> ConversationMessage:
    return ConversationMessage(
        timestamp=f"2025-10-04T12:00:{message_id:02}",
        message_id=message_id,
        type="user_question",
        text=text,
        tokens=0,
        sent_as=None,
        file_path=None,
        search_type="fast",
    )


def bot_says(text: str, message_id: int) -> ConversationMessage:
    return ConversationMessage(
        timestamp=f"2025-10-04T12:00:{message_id:02}",
        message_id=message_id,
        type="bot_answer",
        text=text,
        tokens=7,
        sent_as="message",
        file_path=None,
        search_type="fast",
    )


async def test_first_message_makes_the_first_chat(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        assert await manager.get_active_conversation_id(7) is None

        chat = await manager.create_conversation(7, "anna", "Что такое идемпотентность?")
        await manager.add_message(7, chat, user_says("Что такое идемпотентность?", 1))
        await manager.add_message(7, chat, bot_says("Повтор ничего не меняет.", 2))

        assert await manager.get_active_conversation_id(7) == chat
        [listed] = await manager.list_conversations(7)
        assert (listed.name, listed.message_count, listed.total_tokens) == (
            "Что такое идемпотентность?",
            2,
            7,
        )


async def test_continuing_the_active_chat_after_a_restart(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        chat = await manager.create_conversation(7, "anna", "Первый")
        await manager.add_message(7, chat, user_says("Первый", 1))

    async with managed(tmp_path) as manager:
        active = await manager.get_active_conversation_id(7)
        assert active == chat
        await manager.add_message(7, active, user_says("Второй", 2))
        assert texts(await manager.get_messages(7, active)) == ["Первый", "Второй"]


async def test_switching_between_chats(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        hotels = await manager.create_conversation(7, "anna", "Отели")
        trains = await manager.create_conversation(7, "anna", "Поезда")
        await manager.add_message(7, trains, user_says("Поезда", 1))

        assert await manager.set_active_conversation(7, hotels) is True
        await manager.add_message(7, hotels, user_says("Отели", 2))
        # A late answer goes where its question was asked, and moves nobody.
        await manager.add_message(7, trains, bot_says("Расписание", 3))

        assert await manager.get_active_conversation_id(7) == hotels
        assert texts(await manager.get_messages(7, hotels)) == ["Отели"]
        assert texts(await manager.get_messages(7, trains)) == ["Поезда", "Расписание"]


async def test_context_for_a_model_is_the_last_messages_in_order(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        chat = await manager.create_conversation(7, "anna", "Первый")
        for number in range(1, 5):
            await manager.add_message(7, chat, user_says(f"вопрос {number}", 2 * number))
            await manager.add_message(7, chat, bot_says(f"ответ {number}", 2 * number + 1))

        context = [
            {
                "role": "user" if message.type == "user_question" else "assistant",
                "content": message.text,
            }
            for message in await manager.get_messages(7, chat, limit=3)
        ]
        assert context == [
            {"role": "assistant", "content": "ответ 3"},
            {"role": "user", "content": "вопрос 4"},
            {"role": "assistant", "content": "ответ 4"},
        ]
