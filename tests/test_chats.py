"""The list, one chat, a new one: by command and by button."""

from __future__ import annotations

import asyncio

import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramNetworkError
from aiogram.methods import AnswerCallbackQuery, EditMessageText, SendMessage

from bot.callbacks import ChatAction, ChatButton, MenuAction, MenuButton, owner_mark, stamp_of
from conversations import ConversationManager, ConversationMessage, UserIndex
from tests.chats import fill, question
from tests.telegram import Client, FakeTelegram, MakeClient


async def test_a_new_person_is_welcomed_and_has_no_chats(client: Client) -> None:
    await client.send("/start")
    assert client.text.startswith("👋 Hello! Just write to me")
    await client.send("/chats")
    assert client.text == "💬 No chats yet. Write something, and the first one begins."
    assert client.labels == ["➕ New chat", "⚙️ Settings"]


async def test_the_list_of_all_chats_is_read_once_and_only_to_be_shown(
    client: Client, manager: ConversationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(manager, 1001, 3)
    reads: list[int] = []
    read = manager._storage.read_index

    async def count(user_id: int) -> UserIndex:
        reads.append(user_id)
        return await read(user_id)

    monkeypatch.setattr(manager._storage, "read_index", count)
    await client.send("/chats")
    assert reads == [1001]
    await client.press("Chat 1")
    assert client.text.startswith("💬 Chat 1")
    await client.ask("a question")
    assert reads == [1001]


async def test_the_first_question_starts_a_chat_named_after_it(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("What is the capital of France and why?")
    await client.send("/chats")
    assert client.text == "💬 1 chat\nThe open chat has a ✅. Tap one to open it."
    assert client.labels == [
        "✅ What is the capital of... · 2",
        "➕ New chat",
        "🔎 Search",
        "⚙️ Settings",
    ]
    [chat] = await manager.list_conversations(1001)
    assert chat.name == "What is the capital of..."
    assert chat.username == "person1001"


async def test_opening_a_chat_switches_to_it(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    first, second = await fill(manager, 1001, 2)
    await client.send("/chats")
    menu = client.screen
    await client.press("Chat 1")
    assert await manager.get_active_conversation_id(1001) == first
    assert client.screen.message_id == menu.message_id, "the menu is edited in place"
    assert client.text.splitlines()[0] == "💬 Chat 1"
    assert "This chat is open" in client.text
    assert client.toasts == ["“Chat 1” is open"]
    await client.press("‹ Chats")
    assert client.labels[0] == "Chat 2 · 0"
    assert client.labels[1] == "✅ Chat 1 · 0"
    assert second != first


async def test_a_chat_shows_its_facts_and_last_six_messages(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    for number in range(1, 9):
        await manager.add_message(1001, chat, question(number, f"question {number}"))
    await manager.add_message(1001, chat, question(9, "long " * 200))
    await client.send("/chats")
    await client.press("Chat 1")
    assert "9 messages" in client.text
    assert "The last 6 messages:" in client.text
    assert "question 3" not in client.text
    assert "question 4" in client.text
    quotes = [e for e in client.screen.entities or [] if e.type == "blockquote"]
    assert len(quotes) == 6
    assert max(quote.length for quote in quotes) <= 420


async def test_answers_are_quoted_as_they_looked(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    answer = ConversationMessage("2026-01-01", 1, "bot_answer", "**Bold** and `code`\n\n> quote")
    await manager.add_message(1001, chat, answer)
    await client.send("/chats")
    await client.press("Chat 1")
    assert "Bot:\nBold and code\n\nquote" in client.text


async def test_six_messages_of_emoji_fit_into_one_message(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    for number in range(1, 7):
        await manager.add_message(1001, chat, question(number, "👨‍👩‍👧‍👦" * 500))
    await client.send("/chats")
    await client.press("Chat 1")  # the wire refuses more than 4096 UTF-16 units
    assert "6 messages" in client.text


async def test_thirty_chats_have_four_pages(client: Client, manager: ConversationManager) -> None:
    await fill(manager, 1001, 30)
    await client.send("/chats")
    assert client.text.startswith("💬 30 chats")
    assert client.labels[:2] == ["✅ Chat 30 · 0", "Chat 29 · 0"]
    assert client.labels[8:] == [
        "1/4",
        "›",
        "➕ New chat",
        "🔎 Search",
        "🧹 Delete all (30)",
        "⚙️ Settings",
    ]
    await client.press("›")
    assert client.labels[0] == "Chat 22 · 0"
    assert client.labels[8:11] == ["‹", "2/4", "›"]
    await client.press("2/4")
    assert client.labels[8:11] == ["‹", "2/4", "›"]
    await client.press("›")
    await client.press("›")
    assert client.labels == ["Chat 6 · 0", "Chat 5 · 0", "Chat 4 · 0", "Chat 3 · 0", "Chat 2 · 0",
                             "Chat 1 · 0", "‹", "4/4", "➕ New chat", "🔎 Search",
                             "🧹 Delete all (30)", "⚙️ Settings"]  # fmt: skip
    await client.press("Chat 3")
    await client.press("‹ Chats")
    assert "✅ Chat 3 · 0" in client.labels, "back on the page where it stands"


async def test_a_page_that_is_gone_becomes_the_last_one(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 3)
    await client.send("/chats")
    await client.press_data(MenuButton(action=MenuAction.CHATS, page=7).pack())
    await client.press_data(MenuButton(action=MenuAction.CHATS, page=-7).pack())
    assert client.labels[0] == "✅ Chat 3 · 0"


async def test_pinned_chats_come_first(client: Client, manager: ConversationManager) -> None:
    await fill(manager, 1001, 3)
    await client.send("/chats")
    await client.press("Chat 1")
    await client.press("📌 Pin")
    assert client.text.startswith("💬 📌 Chat 1")
    await client.press("‹ Chats")
    assert client.labels[:3] == ["✅ 📌 Chat 1 · 0", "Chat 3 · 0", "Chat 2 · 0"]
    await client.press("Chat 1")
    await client.press("📌 Unpin")
    await client.press("‹ Chats")
    assert client.labels[:3] == ["Chat 3 · 0", "Chat 2 · 0", "✅ Chat 1 · 0"]
    assert client.toasts[-5:] == ["Pinned", None, "“Chat 1” is open", "Unpinned", None]


async def test_new_opens_an_empty_chat_and_leads_back(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("First subject")
    await client.send("/new")
    assert client.text.startswith("✨ What shall we talk about?")
    assert client.labels == ["‹ back to “First subject”"]
    await client.ask("Second subject")
    await client.send("/new")
    await client.press("‹ back to “Second subject”")
    assert client.text.startswith("💬 Second subject")


async def test_new_on_an_empty_chat_reuses_it(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("First subject")
    for _ in range(3):
        await client.send("/new")
    assert client.labels == ["‹ back to “First subject”"]
    assert len(await manager.list_conversations(1001)) == 2
    await client.send("/chats")
    assert client.labels[0] == "✅ New chat · 0"


async def test_new_with_a_question_asks_it_in_a_new_chat(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("First subject")
    answer = await client.ask("/new What about\nsomething else?")
    assert answer.startswith("You wrote: What about\nsomething else?")
    chats = await manager.list_conversations(1001)
    assert [chat.name for chat in chats] == ["What about something else?", "First subject"]


async def test_twenty_new_at_once_make_one_empty_chat(
    client: Client, manager: ConversationManager
) -> None:
    await asyncio.gather(*(client.send("/new") for _ in range(20)))
    assert len(await manager.list_conversations(1001)) == 1


async def test_a_menu_that_shows_the_same_already_is_no_error(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    await fill(manager, 1001, 1)
    await client.send("/chats")
    messages = len(telegram.messages)
    await client.press_data(MenuButton(action=MenuAction.CHATS).pack())
    assert len(telegram.messages) == messages


@pytest.mark.parametrize("date", [0, 1])
async def test_a_menu_that_cannot_be_edited_gets_a_fresh_one_below(
    client: Client, manager: ConversationManager, telegram: FakeTelegram, date: int
) -> None:
    await fill(manager, 1001, 1)
    # date 0 is how Telegram sends a message that is too old to be sent whole
    old = {"message_id": 5, "date": date, "chat": {"id": 1001, "type": "private"}}
    await client.press_data(MenuButton(action=MenuAction.CHATS).pack(), old)
    assert client.labels == ["✅ Chat 1 · 0", "➕ New chat", "🔎 Search", "⚙️ Settings"]
    assert len(telegram.of(AnswerCallbackQuery)) == 1


async def test_a_deleted_chats_button_is_answered(
    client: Client, manager: ConversationManager
) -> None:
    first, _ = await fill(manager, 1001, 2)
    await client.send("/chats")
    await manager.delete_conversation(1001, first)
    await client.press("Chat 1")
    assert client.toasts == ["That chat is deleted."]
    assert client.labels == [
        "✅ Chat 2 · 0",
        "➕ New chat",
        "🔎 Search",
        "🗑 Deleted (1)",
        "⚙️ Settings",
    ]


@pytest.mark.parametrize(
    "conversation_id",
    ["index", "..", "a" * 48, "", "00000000-0000-4000-8000-000000000000", "x/../y"],
)
@pytest.mark.parametrize("action", list(ChatAction))
async def test_a_forged_id_is_not_found(
    client: Client, manager: ConversationManager, action: ChatAction, conversation_id: str
) -> None:
    await fill(manager, 1001, 1)
    await client.send("/chats")
    before = await manager.load_index(1001)
    await client.press_data(ChatButton(action=action, chat=conversation_id).pack())
    assert len(client.toasts) == 1
    assert await manager.load_index(1001) == before


async def test_another_users_chat_is_not_found(
    client: Client, make_client: MakeClient, manager: ConversationManager
) -> None:
    [foreign] = await fill(manager, 2002, 1)
    await client.send("/chats")
    for action in ChatAction:
        data = ChatButton(action=action, chat=foreign, stamp=stamp_of(0))
        await client.press_data(data.pack())
    [chat] = await manager.list_conversations(2002)
    assert (chat.name, chat.pinned, chat.is_active) == ("Chat 1", False, True)
    assert await manager.list_conversations(1001) == []
    assert "Chat 1" not in "".join(client.telegram.texts_in(1001))


@pytest.mark.parametrize(
    "data", ["cv0:o:x", "cv1:o", "cv1:zz:x::", "cv99:whatever", "cvm7:c", "foreign", "x" * 64]
)
async def test_a_button_of_another_version_is_answered_and_refreshed(
    client: Client, manager: ConversationManager, data: str
) -> None:
    await fill(manager, 1001, 1)
    await client.send("/help")
    await client.press_data(data)
    assert client.toasts == ["This menu is outdated, here is a fresh one."]
    assert client.labels == ["✅ Chat 1 · 0", "➕ New chat", "🔎 Search", "⚙️ Settings"]


async def test_names_are_shown_inert(client: Client, manager: ConversationManager) -> None:
    await manager.create_conversation(1001, "x", "<b>bold</b> *star* [x](tg://user?id=1)")
    [chat] = await manager.list_conversations(1001)
    await client.send("/chats")
    await client.press(chat.name)
    assert client.text.startswith(f"💬 {chat.name}")
    assert {entity.type for entity in client.screen.entities or []} == {"bold", "italic"}


async def test_a_failing_telegram_is_no_exception(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    await fill(manager, 1001, 1)
    await client.send("/chats")
    menu = client.screen
    method = SendMessage(chat_id=1001, text="x")
    telegram.refuse(EditMessageText, TelegramNetworkError(method, "down"))
    await client.press("Chat 1", menu)
    assert client.text.startswith("Something went wrong.")
    telegram.refuse(AnswerCallbackQuery, TelegramBadRequest(method, "query is too old"))
    await client.press("Chat 1", menu)
    assert telegram.texts_in(1001)[0].startswith("💬 Chat 1")


async def test_russian_people_read_russian(make_client: MakeClient) -> None:
    anna = make_client(2002, "ru-RU")
    await anna.ask("Проанализируй интервью с клиентом из отеля")
    await anna.send("/chats")
    assert anna.text == "💬 1 чат\nОткрытый чат отмечен ✅. Нажмите на чат, чтобы открыть его."
    assert anna.labels == [
        "✅ Проанализируй интервью с... · 2",
        "➕ Новый чат",
        "🔎 Поиск",
        "⚙️ Настройки",
    ]
    await anna.press("Проанализируй")
    assert "2 сообщения" in anna.text


def test_the_longest_button_fits_into_64_bytes() -> None:
    owner = owner_mark(78_364_164_095, -1)  # seven digits to the base of 36
    for action in ChatAction:
        data = ChatButton(action=action, chat="x" * 48, owner=owner, stamp=stamp_of(35)).pack()
        assert len(data) <= 64
