"""Instructions of one chat: given by a reply or a command, obeyed, shown, taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiogram import Bot, Dispatcher

from bot import Turn, create_router
from bot.answerers import Answerer, AnswerStream, Mode, TextStream, as_answerer, takes_instructions
from bot.answerers.echo import EchoAnswerer
from bot.callbacks import InstructionsAction, InstructionsButton
from bot.menus.instructions import instructions_prompt, instructions_screen
from bot.person import Person
from bot.rendering import utf16_length
from bot.texts import Languages
from conversations import ConversationManager, ConversationMetadata
from tests.chats import fill, question
from tests.telegram import Client, FakeTelegram, MakeClient, keyboard_of


async def show(client: Client, name: str = "Chat 1") -> None:
    await client.send("/chats")
    await client.press(name)
    await client.press("📝 Instructions")


async def told(manager: ConversationManager, conversation_id: str, user_id: int = 1001) -> str:
    chat = await manager.get_conversation(user_id, conversation_id)
    assert chat is not None
    return chat.instructions


async def test_given_by_a_reply_changed_and_taken_back(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await show(client)
    assert client.text.startswith("📝 Instructions for “Chat 1”\nThere are none.")
    assert client.labels == ["✏️ Write", "‹ back to “Chat 1”"]
    menu = client.screen
    await client.press("Write")
    prompt = client.screen
    assert prompt.text == (
        "📝 What shall the model know in “Chat 1”?\n"
        "Answer this message with the instructions, at most 2,000 characters."
    )
    assert keyboard_of(prompt).force_reply
    await client.reply(" You are a cook.\nBe brief. ", prompt)
    assert client.text == "✅ “Chat 1” follows your instructions from now on."
    assert await told(manager, chat) == "You are a cook.\nBe brief."
    assert (1001, prompt.message_id) not in telegram.messages, "the prompt has done its work"

    await client.press("Open “Chat 1”")
    assert "\n📝 You are a cook. Be brief.\n" in client.text
    await client.press("📝 Instructions")
    assert client.text == "📝 Instructions for “Chat 1”\nYou are a cook.\nBe brief."
    assert client.labels == ["✏️ Change", "🗑 Remove", "‹ back to “Chat 1”"]
    quote = (client.screen.entities or [])[1]
    assert (quote.type, quote.extract_from(client.text)) == (
        "blockquote", "You are a cook.\nBe brief."
    )  # fmt: skip
    await client.press("🗑 Remove")
    assert client.toasts[-1] == "Removed"
    assert "There are none." in client.text
    assert await told(manager, chat) == ""
    assert menu.message_id < prompt.message_id


async def test_the_echo_shows_them_in_their_chat_alone(
    client: Client, manager: ConversationManager
) -> None:
    await client.ask("What is for dinner?")
    await client.send("/instructions You are\na cook.")
    assert client.text == "✅ “What is for dinner?” follows your instructions from now on."
    answer = await client.ask("And then?")
    assert "This chat has instructions of its own: You are a cook." in answer
    await client.send("/new")
    assert "instructions of its own" not in await client.ask("Elsewhere")


async def test_a_command_without_text_shows_them(
    client: Client, manager: ConversationManager
) -> None:
    await client.send("/instructions")
    assert client.text == "There is no chat yet. Just write something."
    await fill(manager, 1001, 1)
    await client.send("/instructions")
    assert client.text.startswith("📝 Instructions for “Chat 1”\nThere are none.")
    await client.send("/instructions \u200b")
    assert client.text == "“Chat 1” has no instructions any more."


async def test_too_long_is_refused_and_asked_for_again(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await show(client)
    await client.press("Write")
    await client.reply("x" * 2001, client.screen)
    refusal, prompt = client.telegram.texts_in(1001)[-2:]
    assert refusal == "That is 2,001 characters; instructions may have 2,000."
    assert prompt.startswith("📝 What shall the model know")
    await client.reply("x" * 2000, client.screen)
    assert await told(manager, chat) == "x" * 2000


async def test_a_reply_that_is_no_text_is_asked_for_again(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await show(client)
    await client.press("Write")
    voice = {"file_id": "x", "file_unique_id": "x", "duration": 1}
    await client.reply(None, client.screen, voice=voice)
    assert "Instructions are text." in client.telegram.texts_in(1001)[-2]
    await client.reply("/help", client.screen)
    assert client.text.startswith("Write to me"), "a command is no answer"
    assert await told(manager, chat) == ""


async def test_cancel_and_a_restart_in_between(
    client: Client, manager: ConversationManager, bot: Bot
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await show(client)
    await client.press("Write")
    restarted = Dispatcher(disable_fsm=True)
    restarted.include_router(create_router(manager, answerer=EchoAnswerer(), exclusive=True))
    client.dispatcher = restarted
    await client.press("Cancel")
    assert client.text == "Nothing has changed in “Chat 1”."
    await client.reply("too late", client.screen)
    await client.telegram.wait_for(lambda: "too late" in client.text)
    assert await told(manager, chat) == ""


async def test_a_chat_that_is_gone_is_told(client: Client, manager: ConversationManager) -> None:
    chat, _ = await fill(manager, 1001, 2)
    await show(client)
    menu = client.screen
    await client.press("Write")
    prompt = client.screen
    await manager.delete_conversation(1001, chat)
    await client.reply("Be brief.", prompt)
    assert client.text == "That chat is deleted."
    await client.press("Write", menu)
    assert client.toasts[-1] == "That chat is deleted."
    for action in InstructionsAction:
        await client.press_data(InstructionsButton(action=action, chat="../x").pack())
        assert client.toasts[-1] == "There is no such chat."


async def test_nobody_instructs_anothers_chat(
    make_client: MakeClient, manager: ConversationManager
) -> None:
    anna, ben = make_client(1001, chat_id=-100), make_client(1002, chat_id=-100)
    [chat] = await fill(manager, 1001, 1)
    await manager.set_instructions(1001, chat, "canary")
    await show(anna)
    menu = anna.screen
    await ben.press("🗑 Remove", menu)
    assert ben.toasts[-1] == "This is somebody else's menu. /chats shows yours."
    await anna.press("Change", menu)
    await ben.reply("Be rude.", anna.screen)
    assert ben.text == "This is somebody else's menu. /chats shows yours."
    for action in InstructionsAction:  # in the name of Ben himself
        await ben.press_data(InstructionsButton(action=action, chat=chat, owner="ru").pack())
        assert ben.toasts[-1] == "There is no such chat."
    assert await told(manager, chat) == "canary"
    assert "canary" not in "".join(ben.telegram.texts_in(-100)[3:])


@pytest.mark.parametrize(
    "text",
    ["*b* _i_ <b>x</b> [a](http://b) `c`", "\u202etxt.exe", "a\ud800b", "{ $name }", "@anna /x"],
)
async def test_markup_stays_text(client: Client, manager: ConversationManager, text: str) -> None:
    [chat] = await fill(manager, 1001, 1)
    assert await manager.set_instructions(1001, chat, text)
    await show(client)
    shown = text.replace("\ud800", "\ufffd")
    assert client.text == f"📝 Instructions for “Chat 1”\n{shown}"
    assert [entity.type for entity in client.screen.entities or []] == ["bold", "blockquote"]
    await client.ask("Hello")
    assert (await told(manager, chat)) == text


def test_the_longest_fit_into_a_message() -> None:
    person = Person(1001, "anna", 1001, Languages().choose("ru"))
    chat = ConversationMetadata("a" * 36, 1001, "anna", "👪" * 64, "", "", name_source="user")
    for instructions in ("👪" * 2000, "x " * 1000, "y" * 100_000):
        chat.instructions = instructions
        for screen in (instructions_screen(person, chat), instructions_prompt(person, chat)):
            assert utf16_length(screen.text) <= 4096
            for row in screen.keyboard.inline_keyboard if screen.keyboard else []:
                assert all(len((b.callback_data or "").encode()) <= 64 for b in row)


class Old:
    """An answerer of before there were instructions."""

    name = "old"

    @asynccontextmanager
    async def answer(self, turns: Sequence[Turn], *, mode: Mode) -> AsyncIterator[AnswerStream]:
        async def words() -> AsyncIterator[str]:
            yield f"old answer to {turns[-1].text}"

        yield TextStream(words())


async def plain(turns: Sequence[Turn]) -> str:
    return f"old answer to {turns[-1].text}"


@pytest.mark.parametrize("old", [Old(), plain])
async def test_old_answerers_go_on_as_before_and_offer_none(
    old: Any, manager: ConversationManager, bot: Bot, telegram: FakeTelegram
) -> None:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=old))
    client = Client(dispatcher, bot, telegram)
    [chat] = await fill(manager, 1001, 1)
    await manager.set_instructions(1001, chat, "Be brief.")
    assert await client.ask("Hello") == "old answer to Hello"
    await client.send("/chats")
    await client.press("Chat 1")
    assert not [label for label in client.labels if "Instructions" in label]
    assert "📝" not in client.text
    await client.press_data(InstructionsButton(action=InstructionsAction.SHOW, chat=chat).pack())
    assert client.toasts[-1] == "This menu is outdated, here is a fresh one."
    await dispatcher.emit_shutdown(bot=bot)


async def test_functions_get_them_by_name(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram
) -> None:
    async def answer(turns: Sequence[Turn], *, instructions: str = "") -> str:
        return f"{turns[-1].text} /{instructions}/"

    async def grow(turns: Sequence[Turn], instructions: str = "") -> AsyncIterator[str]:
        yield turns[-1].text
        yield f" /{instructions}/"

    for function in (answer, grow):
        dispatcher = Dispatcher(disable_fsm=True)
        dispatcher.include_router(create_router(manager, answerer=function))
        client = Client(dispatcher, bot, telegram)
        assert await client.ask("Hello") == "Hello //"
        active = await manager.get_active_conversation_id(1001)
        assert active is not None
        await manager.set_instructions(1001, active, "Be brief.")
        assert await client.ask("Hello again") == "Hello again /Be brief./"
        await client.send("/new")
        await dispatcher.emit_shutdown(bot=bot)


def test_who_takes_them() -> None:
    assert takes_instructions(EchoAnswerer())
    assert not takes_instructions(Old())
    assert not takes_instructions(as_answerer(plain))
    builtin: Any = print
    assert not takes_instructions(as_answerer(builtin))
    answerer: Answerer = EchoAnswerer()
    assert as_answerer(answerer) is answerer


async def test_an_edited_file_cannot_pass_more_than_is_allowed(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await manager.add_message(1001, chat, question(1))
    conversation = await manager.load_conversation(1001, chat)
    assert conversation is not None
    conversation.metadata.instructions = "x" * 50_000
    assert await manager.save_conversation(conversation)
    seen: list[str] = []

    async def answer(turns: Sequence[Turn], *, instructions: str = "") -> str:
        seen.append(instructions)
        return "ok"

    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=answer))
    client.dispatcher = dispatcher
    await client.ask("Hello")
    assert seen == ["x" * 2000]
    await dispatcher.emit_shutdown(bot=client.bot)
