"""The same bot in a group and in a topic: everybody has chats of their own."""

from __future__ import annotations

from aiogram.methods import AnswerCallbackQuery, SendMessage

from conversations import ConversationManager
from tests.chats import fill
from tests.telegram import BOT_USER, FakeTelegram, MakeClient

GROUP = -1001234


async def test_nobody_uses_anothers_menu(
    make_client: MakeClient, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 2)
    await fill(manager, 2002, 1)
    owner, other = make_client(1001, chat_id=GROUP), make_client(2002, chat_id=GROUP)
    await owner.send("/chats")
    menu = owner.screen
    for label in ("Chat 1", "➕ New chat"):
        await other.press(label, menu)
    assert other.toasts == ["This is somebody else's menu. /chats shows yours."] * 2
    assert owner.screen == menu
    assert len(await manager.list_conversations(2002)) == 1
    await owner.press("Chat 1", menu)
    assert owner.text.startswith("💬 Chat 1")


async def test_an_outdated_menu_in_a_group_is_left_as_it_is(
    make_client: MakeClient, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 1)
    owner, other = make_client(1001, chat_id=GROUP), make_client(2002, chat_id=GROUP)
    await owner.send("/chats")
    menu = owner.screen
    await other.press_data("cv0:old", menu)
    assert other.toasts == ["This menu is outdated, here is a fresh one."]
    assert owner.screen == menu


async def test_the_bot_answers_only_when_it_is_spoken_to(
    make_client: MakeClient, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    person = make_client(1001, chat_id=GROUP)
    await person.send("Hello, all")
    await person.send(None, voice={"file_id": "x", "file_unique_id": "x", "duration": 1})
    await person.send("/unknown")
    assert telegram.calls == []
    mention = [{"type": "mention", "offset": 5, "length": 9}]
    await person.send("@foo @test_bot what is up?", entities=mention)
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 1)
    assert person.text.startswith("You wrote: @foo  what is up?")
    assert telegram.of(SendMessage)[0].reply_parameters.message_id == 4, "its question"
    bots = {"message_id": 9, "date": 1, "chat": {"id": GROUP, "type": "supergroup"}}
    await person.send("And now?", reply_to_message={**bots, "from": BOT_USER, "text": "x"})
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 2)
    assert "I was given 3 messages" in person.text
    [chat] = await manager.list_conversations(1001)
    assert chat.message_count == 4


async def test_everybody_has_chats_of_their_own(
    make_client: MakeClient, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    mention = [{"type": "mention", "offset": 0, "length": 9}]
    for number, user_id in enumerate((1001, 2002), 1):
        person = make_client(user_id, chat_id=GROUP)
        await person.send(f"@Test_bot I am {user_id}", entities=mention)
        await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == number)  # noqa: B023
    for user_id in (1001, 2002):
        [chat] = await manager.list_conversations(user_id)
        assert chat.name == f"I am {user_id}"


async def test_a_menu_in_a_group_replies_to_whose_it_is(
    make_client: MakeClient, telegram: FakeTelegram
) -> None:
    person = make_client(1001, chat_id=GROUP)
    await person.send("/chats")
    [sent] = telegram.of(SendMessage)
    assert sent.reply_parameters.message_id == 1
    assert sent.reply_parameters.allow_sending_without_reply


async def test_topics_are_answered_in_the_topic(
    make_client: MakeClient, telegram: FakeTelegram
) -> None:
    person = make_client(1001, thread_id=7)
    await person.send("/chats")
    await person.ask("Hello")
    await person.send("/chats")
    old = {"message_id": 3, "date": 1, "chat": {"id": 1001, "type": "private"},
           "message_thread_id": 7, "is_topic_message": True}  # fmt: skip
    await person.press_data("cvm1:c::0", old)
    assert {call.message_thread_id for call in telegram.of(SendMessage)} == {7}


async def test_the_help_in_a_group_says_how_to_be_heard(make_client: MakeClient) -> None:
    person = make_client(1001, chat_id=GROUP)
    await person.send("/help")
    assert person.text.endswith("In a group I answer when I am mentioned or replied to.")


async def test_nobody_in_particular_is_not_answered(
    make_client: MakeClient, telegram: FakeTelegram, manager: ConversationManager
) -> None:
    person = make_client(1087968824, chat_id=GROUP)
    channel = {"id": GROUP, "type": "supergroup"}
    await person.send("/chats", sender_chat=channel)
    robot = {"id": 5, "is_bot": True, "first_name": "Robot"}
    await person.feed(message=person.message("/new") | {"from": robot})
    assert telegram.of(SendMessage, AnswerCallbackQuery) == []
    assert await manager.list_conversations(1087968824) == []
