"""A question that replies to an earlier message: asked in that one's chat, with what it quotes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage

from bot import SimpleAnswerer, Turn, create_router
from conversations import ConversationManager, ConversationMessage
from tests.chats import fill, question
from tests.telegram import BOT_USER, Client, FakeTelegram, MakeClient, stamp
from tests.waiting import PATIENCE

GROUP = -1001234
MENTION = [{"type": "mention", "offset": 0, "length": 9}]


class Model:
    """Says which turns it got."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def __call__(self, turns: Sequence[Turn]) -> str:
        self.asked.append([turn.text for turn in turns])
        return f"answer to {turns[-1].text}"


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def start(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram, model: Model
) -> AsyncIterator[Callable[..., Client]]:
    """Make a person of a bot that this model answers."""
    dispatchers: list[Dispatcher] = []

    def make(user_id: int = 1001, answerer: SimpleAnswerer = model, **rest: Any) -> Client:
        dispatcher = Dispatcher(disable_fsm=True)
        dispatcher.include_router(create_router(manager, answerer=answerer, exclusive=True))
        dispatchers.append(dispatcher)
        return Client(dispatcher, bot, telegram, user_id, **rest)

    yield make
    for dispatcher in dispatchers:
        await dispatcher.emit_shutdown(bot=bot)


async def noted(manager: ConversationManager, chat: str, count: int) -> list[ConversationMessage]:
    """Wait until a chat has so many messages, and each answer has its number."""
    async with asyncio.timeout(PATIENCE):
        while True:
            messages = await manager.get_messages(1001, chat, 100)
            if len(messages) >= count and all(message.sent_as for message in messages):
                return messages
            await asyncio.sleep(0)


async def active(manager: ConversationManager) -> str:
    chat = await manager.get_active_conversation_id(1001)
    assert chat is not None
    return chat


async def answered(client: Client, count: int) -> None:
    telegram = client.telegram
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) >= count)


async def two_chats(client: Client, manager: ConversationManager) -> tuple[str, str]:
    """Ask something in one chat, and then something in another."""
    chats = []
    for number, text in enumerate(("/new about Rome", "/new about dinner"), 1):
        await client.send(text)
        chats.append(await active(manager))
        await noted(manager, chats[-1], 2)
        await answered(client, number)
    return chats[0], chats[1]


def shown(client: Client, text: str) -> dict[str, Any]:
    """The message of the bot that stands in the dialog."""
    [found] = [
        message
        for (chat, _), message in client.telegram.messages.items()
        if chat == client.chat_id and message["text"] == text
    ]
    return found


async def test_a_reply_to_an_answer_is_asked_in_its_chat_and_says_so(
    start: Callable[..., Client], manager: ConversationManager, model: Model
) -> None:
    client = start()
    rome, dinner = await two_chats(client, manager)
    await client.send("and where?", reply_to_message=shown(client, "answer to about Rome"))
    await answered(client, 3)
    assert model.asked[-1] == ["about Rome", "answer to about Rome", "and where?"]
    assert client.text == "↩️ In “about Rome”:\n\nanswer to and where?"
    assert client.labels == ["Open “about Rome”"]
    assert await active(manager) == dinner, "the open chat stays what it is"
    assert len(await noted(manager, rome, 4)) == 4
    assert len(await manager.get_messages(1001, dinner)) == 2
    await client.press("Open")
    assert await active(manager) == rome


async def test_a_reply_to_ones_own_question_too(
    start: Callable[..., Client], manager: ConversationManager, model: Model
) -> None:
    client = start()
    rome, _ = await two_chats(client, manager)
    asked = client.message("/new about Rome") | {"message_id": 1}
    await client.send("I mean Rome, Georgia", reply_to_message=asked)
    await noted(manager, rome, 4)
    assert model.asked[-1][-1] == "I mean Rome, Georgia"


async def test_a_reply_in_the_open_chat_needs_no_remark(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    client = start()
    _, dinner = await two_chats(client, manager)
    await client.send("why?", reply_to_message=shown(client, "answer to about dinner"))
    await answered(client, 3)
    assert client.text == "answer to why?"
    assert len(await noted(manager, dinner, 4)) == 4


async def test_a_reply_to_anything_else_is_asked_in_the_open_chat(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    client = start()
    rome, dinner = await two_chats(client, manager)
    await client.send("/help")
    await client.reply("thank you", client.screen)
    await noted(manager, dinner, 4)
    unknown = client.message("never seen") | {"message_id": 777}
    await client.send("hm", reply_to_message=unknown)
    await noted(manager, dinner, 6)
    assert len(await manager.get_messages(1001, rome)) == 2


async def test_every_message_of_a_long_answer_leads_to_its_chat(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    async def long(turns: Sequence[Turn]) -> str:
        return "\n\n".join(f"paragraph {number} " + "word " * 150 for number in range(12))

    client = start(answerer=long)
    await client.send("a long story")
    rome = await active(manager)
    _, answer = await noted(manager, rome, 2)
    sent = [number for chat, number in sorted(client.telegram.messages) if chat == 1001]
    assert len(sent) >= 3
    assert [answer.message_id, *answer.pieces] == sent
    await client.send("/new")
    for count, number in enumerate(sent, 2):
        replied = client.telegram.messages[1001, number]
        await client.send(f"about {number}", reply_to_message=replied)
        assert len(await noted(manager, rome, 2 * count)) == 2 * count


async def test_an_answer_sent_as_a_file_leads_to_its_chat(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    async def book(turns: Sequence[Turn]) -> str:
        return "word " * 5000 if "book" in turns[-1].text else "short"

    client = start(answerer=book)
    await client.send("a book")
    chat = await active(manager)
    _, answer = await noted(manager, chat, 2)
    assert answer.sent_as == "file"
    await client.send("/new")
    for count, number in enumerate((answer.message_id, *answer.pieces), 2):
        replied = {"message_id": number, "date": stamp(), "from": BOT_USER,
                   "chat": {"id": 1001, "type": "private"}, "text": "x"}  # fmt: skip
        await client.send(f"about {number}", reply_to_message=replied)
        assert len(await noted(manager, chat, 2 * count)) == 2 * count
    assert count == 3


async def test_what_is_quoted_the_model_sees_as_a_quote(
    start: Callable[..., Client], manager: ConversationManager, model: Model
) -> None:
    client = start()
    rome, _ = await two_chats(client, manager)
    quote = {"text": "about Rome\nanswer", "position": 0, "is_manual": True}
    replied = shown(client, "answer to about Rome")
    await client.send("what is that?", reply_to_message=replied, quote=quote)
    *_, asked, answer = await noted(manager, rome, 4)
    assert model.asked[-1][-1] == "> about Rome\n> answer\n\nwhat is that?"
    assert (asked.text, asked.quote) == ("what is that?", "about Rome\nanswer")
    assert answer.text.endswith("what is that?")
    await client.send("and then?", reply_to_message=replied)
    await noted(manager, rome, 6)
    assert "> about Rome\n> answer\n\nwhat is that?" in model.asked[-1]
    edited = client.message("what was that?") | {"message_id": asked.message_id}
    await client.feed(edited_message=edited)
    *_, changed, _, _, _ = await manager.get_messages(1001, rome)
    assert (changed.text, changed.quote) == ("what was that?", "about Rome\nanswer")
    assert changed.tokens == round(0.3 * len("> about Rome\n> answer\n\nwhat was that?"))


async def test_a_reply_in_a_deleted_chat_is_asked_in_the_open_one(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    client = start()
    rome, dinner = await two_chats(client, manager)
    await manager.delete_conversation(1001, rome)
    await client.send("still there?", reply_to_message=shown(client, "answer to about Rome"))
    assert len(await noted(manager, dinner, 4)) == 4


async def test_the_mode_is_that_of_the_chat(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    client = start()
    rome, _ = await two_chats(client, manager)
    await manager.set_mode(1001, rome, "deep")
    await client.send("and where?", reply_to_message=shown(client, "answer to about Rome"))
    *_, asked, answer = await noted(manager, rome, 4)
    assert (asked.search_type, answer.search_type) == ("deep", "deep")


async def test_a_long_paste_as_a_reply_stays_together(
    start: Callable[..., Client], manager: ConversationManager, model: Model
) -> None:
    client = start()
    rome, dinner = await two_chats(client, manager)
    piece = "word " * 818 + "endin"
    await client.send(piece, reply_to_message=shown(client, "answer to about Rome"))
    await client.send("g of it")
    *_, asked, _ = await noted(manager, rome, 4)
    assert asked.text.endswith("word ending of it") or asked.text.endswith("endin\ng of it")
    assert len(asked.pieces) == 1
    assert len(await manager.get_messages(1001, dinner)) == 2
    assert model.asked[-1][-1] == asked.text


async def test_a_reply_is_not_the_rest_of_a_paste(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    client = start()
    rome, dinner = await two_chats(client, manager)
    await client.send("word " * 818)
    await client.send("and where?", reply_to_message=shown(client, "answer to about Rome"))
    assert (await noted(manager, rome, 4))[2].text == "and where?"
    assert (await noted(manager, dinner, 4))[2].pieces == ()


async def test_new_as_a_reply_starts_a_new_chat(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    client = start()
    rome, dinner = await two_chats(client, manager)
    replied = shown(client, "answer to about Rome")
    await client.send("/new something else", reply_to_message=replied)
    assert await active(manager) not in {rome, dinner}


async def test_of_two_chats_with_the_message_the_open_one_is_meant(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    client = start()
    rome, dinner = await two_chats(client, manager)
    replied = shown(client, "answer to about Rome")
    fork = await manager.fork_conversation(1001, rome)
    assert fork is not None
    await client.send("in the fork", reply_to_message=replied)
    assert (await noted(manager, fork, 4))[2].text == "in the fork"
    await manager.set_active_conversation(1001, rome)
    await client.send("in the origin", reply_to_message=replied)
    assert (await noted(manager, rome, 4))[2].text == "in the origin"
    await manager.set_active_conversation(1001, dinner)
    await client.send("in the latest", reply_to_message=replied)
    assert (await noted(manager, rome, 6))[4].text == "in the latest"


async def test_an_edit_changes_the_question_of_the_same_dialog(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    private, group = start(), start(chat_id=GROUP)
    await private.send("in private")
    chat = await active(manager)
    await noted(manager, chat, 2)
    await group.send("@test_bot in the group", entities=MENTION)
    await noted(manager, chat, 4)
    asked = [m for m in await manager.get_messages(1001, chat) if m.type == "user_question"]
    assert [(m.message_id, m.dialog_id) for m in asked] == [(1, None), (1, GROUP)]
    edited = private.message("in private, edited") | {"message_id": 1}
    await private.feed(edited_message=edited)
    asked = [m for m in await manager.get_messages(1001, chat) if m.type == "user_question"]
    assert [m.text for m in asked] == ["in private, edited", "in the group"]


async def test_an_old_question_is_edited_whichever_chat_it_is_in(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    client = start()
    await client.send("the first of all")
    chat = await active(manager)
    await noted(manager, chat, 2)
    for _ in range(8):
        await client.send("/new one more")
        await noted(manager, await active(manager), 2)
    edited = client.message("the very first") | {"message_id": 1}
    await client.feed(edited_message=edited)
    [first, _] = await manager.get_messages(1001, chat)
    assert first.text == "the very first"


class TestGroups:
    async def test_a_reply_to_the_bots_answer_is_asked_in_its_chat(
        self, start: Callable[..., Client], manager: ConversationManager
    ) -> None:
        client = start(chat_id=GROUP)
        await client.send("@test_bot about Rome", entities=MENTION)
        rome = await active(manager)
        await noted(manager, rome, 2)
        await client.send("/new")
        await client.send("and where?", reply_to_message=shown(client, "answer to about Rome"))
        assert [m.dialog_id for m in await noted(manager, rome, 4)] == [GROUP] * 4

    async def test_a_reply_to_anothers_answer_stays_in_ones_own_chat(
        self, start: Callable[..., Client], manager: ConversationManager, model: Model
    ) -> None:
        anna, ben = start(chat_id=GROUP), start(2002, chat_id=GROUP)
        await anna.send("@test_bot a secret of Anna's", entities=MENTION)
        chat = await active(manager)
        await noted(manager, chat, 2)
        replied = shown(anna, "answer to a secret of Anna's")
        await ben.send("what?", reply_to_message=replied)
        await answered(ben, 2)
        assert model.asked[-1] == ["what?"]
        assert len(await manager.get_messages(1001, chat)) == 2
        [mine] = await manager.list_conversations(2002)
        assert mine.name == "what?"

    async def test_a_number_of_the_private_dialog_is_another_message(
        self, start: Callable[..., Client], manager: ConversationManager
    ) -> None:
        private, group = start(), start(chat_id=GROUP)
        await private.send("in private")
        chat = await active(manager)
        _, answer = await noted(manager, chat, 2)
        await private.send("/new")
        there = {"message_id": answer.message_id, "date": stamp(), "from": BOT_USER,
                 "chat": {"id": GROUP, "type": "supergroup"}, "text": "menu"}  # fmt: skip
        await group.send("hello", reply_to_message=there)
        await noted(manager, await active(manager), 2)
        assert len(await manager.get_messages(1001, chat)) == 2

    async def test_in_a_topic_everything_replies_to_its_beginning(
        self, start: Callable[..., Client], manager: ConversationManager
    ) -> None:
        chats = await fill(manager, 1001, 2)
        root = question(7, "the message with which the topic began")
        root.timestamp = datetime.now(UTC).isoformat()
        await manager.add_message(1001, chats[0], root)
        client = start(thread_id=7)
        beginning = client.message("x") | {"message_id": 7}
        await client.send("in the topic", reply_to_message=beginning)
        assert len(await noted(manager, chats[1], 2)) == 2


async def test_replies_of_other_people_are_theirs(
    make_client: MakeClient, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    """Numbers of private dialogs are known to everybody; chats are not."""
    [chat] = await fill(manager, 1001, 1)
    mine = ConversationMessage(
        datetime.now(UTC).isoformat(), 50, "bot_answer", "secret", sent_as="message"
    )
    await manager.add_message(1001, chat, mine)
    other = make_client(2002)
    forged = other.message("x") | {"message_id": 50}
    await other.send("what did you say?", reply_to_message=forged)
    await telegram.wait_for(lambda: bool(telegram.of(SendMessage)))
    assert "secret" not in other.text
    assert len(await manager.get_messages(1001, chat)) == 1


@pytest.mark.parametrize("chat_id", [1001, GROUP], ids=["private", "group"])
async def test_a_reply_to_a_chats_card_is_asked_in_that_chat(
    start: Callable[..., Client], manager: ConversationManager, chat_id: int
) -> None:
    rome, dinner = await fill(manager, 1001, 2)
    client = start(chat_id=chat_id)
    await client.send("/chats")
    listed = client.screen
    await client.press("Chat 1")
    await client.send("/chats")
    await client.press("Chat 2")
    await client.reply("and where?", listed)
    question, _ = await noted(manager, rome, 2)
    assert question.text == "and where?"
    assert await active(manager) == dinner
    await client.send("/chats")
    await client.reply("a list is of no chat", client.screen)
    await noted(manager, dinner, 2)
    await manager.delete_conversation(1001, rome)
    await client.reply("it is deleted", listed)
    await noted(manager, dinner, 4)


async def test_a_reply_to_a_failure_is_asked_in_its_chat(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    async def failing(turns: Sequence[Turn]) -> str:
        if len(turns) == 1 and turns[0].text == "first":
            raise RuntimeError("it fails")
        return "fine"

    client = start(answerer=failing)
    await client.send("first")
    await answered(client, 1)
    failure, chat = client.screen, await active(manager)
    assert client.labels == ["🔄 Try again"]
    await client.send("/new")
    await client.reply("once more", failure)
    texts = [message.text for message in await noted(manager, chat, 3)]
    assert texts == ["first", "once more", "fine"]


async def test_a_reply_to_somebody_elses_card_is_asked_in_ones_own_chat(
    start: Callable[..., Client], manager: ConversationManager
) -> None:
    [foreign] = await fill(manager, 1001, 1)
    anna, ben = start(chat_id=GROUP), start(2002, chat_id=GROUP)
    await anna.send("/chats")
    await anna.press("Chat 1")
    card = anna.screen
    await ben.reply("whose is it?", card)
    async with asyncio.timeout(10):
        while not await manager.list_conversations(2002):
            await asyncio.sleep(0)
    assert await manager.get_messages(1001, foreign) == []
