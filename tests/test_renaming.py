"""Renaming: by the button and a reply, or by one command."""

from __future__ import annotations

import pytest
from aiogram import Bot, Dispatcher

from bot import create_router
from bot.answerers.echo import EchoAnswerer
from conversations import ConversationManager
from tests.chats import fill
from tests.telegram import Client, FakeTelegram, MakeClient, keyboard_of


async def ask_for_name(client: Client, name: str = "Chat 1") -> None:
    await client.send("/chats")
    await client.press(name)
    await client.press("✏️ Rename")


async def name_of(manager: ConversationManager, conversation_id: str) -> str:
    chat = await manager.get_conversation(1001, conversation_id)
    assert chat is not None
    return chat.name


async def test_rename_by_reply(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await ask_for_name(client)
    prompt = client.screen
    assert prompt.text == (
        "✏️ How shall “Chat 1” be called?\nAnswer this message with the new name."
    )
    assert keyboard_of(prompt).force_reply
    await client.reply("  Trip to\n Rome ", prompt)
    assert client.text == "✅ Now it is called “Trip to Rome”."
    assert client.labels == ["Open “Trip to Rome”"]
    assert await name_of(manager, chat) == "Trip to Rome"
    assert (1001, prompt.message_id) not in telegram.messages, "the prompt has done its work"
    await client.ask("A question that would make another name")
    assert await name_of(manager, chat) == "Trip to Rome"


async def test_a_question_is_never_eaten_as_a_name(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await ask_for_name(client)
    answer = await client.ask("What is the time?")
    assert answer.startswith("You wrote: What is the time?")
    assert await name_of(manager, chat) == "Chat 1"


async def test_a_restart_between_question_and_reply_loses_nothing(
    client: Client, manager: ConversationManager, bot: Bot
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await ask_for_name(client)
    restarted = Dispatcher(disable_fsm=True)
    restarted.include_router(create_router(manager, answerer=EchoAnswerer(), exclusive=True))
    client.dispatcher = restarted
    await client.reply("Rome", client.screen)
    assert await name_of(manager, chat) == "Rome"


async def test_cancel_leaves_the_name(client: Client, manager: ConversationManager) -> None:
    [chat] = await fill(manager, 1001, 1)
    await ask_for_name(client)
    await client.press("Cancel")
    assert client.text == "The name stays: “Chat 1”."
    assert client.labels == ["Open “Chat 1”"]
    await client.reply("too late", client.screen)
    await client.telegram.wait_for(lambda: "too late" in client.text)
    assert await name_of(manager, chat) == "Chat 1"


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("\u202e\u200f\u0000\n", "There is nothing to see in that name."),
        ("   ", "There is nothing to see in that name."),
        ("x" * 500, "That name is too long. Please send at most 64 characters."),
    ],
)
async def test_a_name_that_cannot_be_is_explained_and_asked_for_again(
    client: Client, manager: ConversationManager, name: str, refusal: str
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await ask_for_name(client)
    await client.reply(name, client.screen)
    assert client.telegram.texts_in(1001)[-2].startswith(refusal)
    assert await name_of(manager, chat) == "Chat 1"
    await client.reply("Rome", client.screen)
    assert await name_of(manager, chat) == "Rome"


async def test_marks_that_turn_the_text_around_are_taken_out(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await client.send("/rename \u202eRome\u2066 2027")
    assert await name_of(manager, chat) == "Rome 2027"


async def test_a_sticker_is_no_name(client: Client, manager: ConversationManager) -> None:
    [chat] = await fill(manager, 1001, 1)
    await ask_for_name(client)
    sticker = {
        "file_id": "x", "file_unique_id": "x", "type": "regular", "width": 1, "height": 1,
        "is_animated": False, "is_video": False,
    }  # fmt: skip
    await client.reply(None, client.screen, sticker=sticker)
    assert client.telegram.texts_in(1001)[-2].startswith("A name is text.")
    assert await name_of(manager, chat) == "Chat 1"


async def test_rename_by_command(client: Client, manager: ConversationManager) -> None:
    await client.send("/rename Rome")
    assert client.text == "There is no chat yet. Just write something."
    first, second = await fill(manager, 1001, 2)
    await client.send("/rename Rome")
    assert await name_of(manager, second) == "Rome"
    assert await name_of(manager, first) == "Chat 1"
    await client.send("/rename")
    assert client.text.startswith("✏️ How shall “Rome” be called?")
    await client.send("/rename " + "x" * 65)
    assert await name_of(manager, second) == "Rome"


async def test_a_command_as_reply_is_a_command(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await ask_for_name(client)
    await client.reply("/chats", client.screen)
    assert client.text.startswith("💬 1 chat")
    assert await name_of(manager, chat) == "Chat 1"


async def test_the_chat_is_deleted_before_the_name_comes(
    client: Client, manager: ConversationManager
) -> None:
    first, _ = await fill(manager, 1001, 2)
    await ask_for_name(client)
    prompt = client.screen
    await manager.delete_conversation(1001, first)
    await client.reply("Rome", prompt)
    assert client.text == "That chat is deleted."
    await client.press("Cancel", prompt)
    assert client.toasts[-1] == "That chat is deleted."


async def test_another_person_cannot_name_a_chat_in_a_group(
    make_client: MakeClient, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    owner = make_client(1001, chat_id=-100)
    other = make_client(2002, chat_id=-100)
    await owner.send("/rename")
    await other.reply("Mine", owner.screen)
    assert other.text == "This is somebody else's menu. /chats shows yours."
    assert await name_of(manager, chat) == "Chat 1"
