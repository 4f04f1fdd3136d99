"""Questions and answers: stored, bound to their chat, never lost on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import AnswerCallbackQuery, SendMessage, SendRichMessage

from bot import AnswerError, SimpleAnswerer, Turn, create_router
from bot.delivery import Delivery
from conversations import ConversationManager, ConversationMessage, StorageError
from tests.chats import fill
from tests.telegram import Client, FakeTelegram, MakeClient
from tests.waiting import PATIENCE

MakeBot = Callable[[SimpleAnswerer], Client]
METHOD = SendMessage(chat_id=1, text="x")


@pytest.fixture
async def answered_by(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram
) -> AsyncIterator[MakeBot]:
    """Build a bot around an answerer of the test's own."""
    dispatchers = []

    def make(answerer: SimpleAnswerer) -> Client:
        dispatcher = Dispatcher(disable_fsm=True)
        dispatcher.include_router(create_router(manager, answerer=answerer, exclusive=True))
        dispatchers.append(dispatcher)
        return Client(dispatcher, bot, telegram)

    yield make
    for dispatcher in dispatchers:
        await dispatcher.emit_shutdown(bot=bot)


class Gate:
    """An answerer that says a first word, waits to be let go on, and ends."""

    def __init__(self) -> None:
        self.started = asyncio.Semaphore(0)
        self.go_on = asyncio.Semaphore(0)
        self.seen: list[Sequence[Turn]] = []

    async def __call__(self, turns: Sequence[Turn]) -> AsyncIterator[str]:
        self.seen.append(turns)
        yield f"answer to {turns[-1].text}"
        self.started.release()
        await self.go_on.acquire()
        yield ", complete"


def gated(gate: Gate) -> SimpleAnswerer:
    def answer(turns: Sequence[Turn]) -> AsyncIterator[str]:
        return gate(turns)

    return answer


async def messages_of(manager: ConversationManager, chat: str) -> list[ConversationMessage]:
    return await manager.get_messages(1001, chat, 1000)


async def settled(
    manager: ConversationManager, chat: str, count: int
) -> list[ConversationMessage]:
    """Wait until a chat has `count` messages and every answer is noted as sent."""
    async with asyncio.timeout(PATIENCE):
        while True:
            messages = await messages_of(manager, chat)
            if len(messages) >= count and all(message.sent_as for message in messages):
                return messages
            await asyncio.sleep(0)


async def test_a_question_and_its_answer_are_in_the_file(
    client: Client, manager: ConversationManager, folder: Path
) -> None:
    asked_at = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
    answer = await client.ask("Hello, is it me?", date=int(asked_at))
    chat = await manager.get_active_conversation_id(1001)
    assert chat is not None
    question, stored = await settled(manager, chat, 2)
    assert question == ConversationMessage(
        timestamp="2026-11-22T12:00:00+00:00", message_id=1, type="user_question",
        text="Hello, is it me?", tokens=5, sent_as="message", search_type="fast",
        tokens_estimated=True,
    )  # fmt: skip
    assert (stored.type, stored.text, stored.message_id) == ("bot_answer", answer, 1000)
    assert (stored.sent_as, stored.search_type, stored.reply_to) == ("message", "fast", 1)
    assert (stored.model, stored.state) == ("echo", None)
    written = json.loads((folder / "user_1001" / f"{chat}.json").read_text())
    assert [message["text"] for message in written["messages"]] == ["Hello, is it me?", answer]
    assert written["metadata"]["message_count"] == 2
    assert written["metadata"]["total_tokens"] == question.tokens + stored.tokens


async def test_echo_is_honest_and_knows_its_chat_only(client: Client) -> None:
    first = await client.ask("I like tea")
    assert first == (
        "You wrote: I like tea\n\nThis is the first message that I see in this chat.\n\n"
        "I am not a language model, I only repeat. Everything around me is real: your chats,"
        " their files, their buttons."
    )
    second = await client.ask("And coffee")
    assert "From this chat I was given 3 messages. It began with: I like tea" in second
    await client.send("/new")
    third = await client.ask("Совсем другое")
    assert third.startswith(
        "Вы написали: Совсем другое\n\nЭто первое сообщение, которое я вижу в этом чате."
    )


async def test_an_answer_that_is_there_at_once_comes_in_one_message(
    client: Client, telegram: FakeTelegram
) -> None:
    await client.ask("Hello")
    assert [type(call) for call in telegram.calls] == [SendMessage]


async def test_forty_questions_at_once_are_all_stored_in_order(
    client: Client, manager: ConversationManager
) -> None:
    await asyncio.gather(*(client.send(f"question {number}") for number in range(40)))
    [chat] = await manager.list_conversations(1001)
    messages = await messages_of(manager, chat.conversation_id)
    questions = [message.text for message in messages if message.type == "user_question"]
    assert questions == [f"question {number}" for number in range(40)]


async def test_a_person_is_told_when_too_many_questions_wait(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    gate = Gate()
    client = answered_by(gated(gate))
    await client.send("first")
    await gate.started.acquire()
    for number in range(6):
        await client.send(f"more {number}")
    assert telegram.texts_in(1001) == [
        "5 questions are waiting for answers here already. This one is saved; after those, /again"
        " has it answered."
    ]
    for _ in range(6):
        gate.go_on.release()
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 7)
    [chat] = await manager.list_conversations(1001)
    messages = await settled(manager, chat.conversation_id, 13)
    answers = [message.reply_to for message in messages if message.type == "bot_answer"]
    assert answers == [1, 2, 3, 4, 5, 6]
    assert [turn.text for turn in gate.seen[2]] == [
        "first", "answer to first, complete", "more 0", "answer to more 0, complete", "more 1",
    ]  # fmt: skip


async def test_an_answer_stays_in_its_chat_when_the_person_has_gone_on(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    gate = Gate()
    client = answered_by(gated(gate))
    await client.send("In the first chat")
    await gate.started.acquire()
    asked_in = await manager.get_active_conversation_id(1001)
    await client.send("/new")
    opened = await manager.get_active_conversation_id(1001)
    gate.go_on.release()
    await telegram.wait_for(lambda: "complete" in client.text)
    assert client.text == ("↩️ In “In the first chat”:\n\nanswer to In the first chat, complete")
    assert client.labels == ["Open “In the first chat”"]
    assert asked_in is not None
    assert await manager.get_active_conversation_id(1001) == opened
    assert [message.text for message in await settled(manager, asked_in, 2)] == [
        "In the first chat", "answer to In the first chat, complete",
    ]  # fmt: skip
    await client.press("Open")
    assert await manager.get_active_conversation_id(1001) == asked_in


async def test_an_answer_goes_to_the_trash_with_its_chat(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    gate = Gate()
    client = answered_by(gated(gate))
    await client.send("Delete me")
    await gate.started.acquire()
    chat = await manager.get_active_conversation_id(1001)
    assert chat is not None
    await manager.delete_conversation(1001, chat)
    gate.go_on.release()
    await telegram.wait_for(lambda: "complete" in client.text)
    assert client.text.startswith("↩️ In “Delete me”, which is deleted by now:\n\n")
    assert await manager.load_conversation(1001, chat) is None
    await client.press("Open")
    assert client.text.startswith("💬 Delete me")
    assert [message.text for message in await settled(manager, chat, 2)] == [
        "Delete me", "answer to Delete me, complete",
    ]  # fmt: skip


async def test_chats_are_answered_side_by_side(
    answered_by: MakeBot, telegram: FakeTelegram
) -> None:
    gate = Gate()
    client = answered_by(gated(gate))
    await client.send("one")
    await client.send("/new two")
    await gate.started.acquire()
    await gate.started.acquire()  # both run, though none has ended
    gate.go_on.release()
    gate.go_on.release()
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 2)


async def test_stop_keeps_what_came(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    gate = Gate()
    client = answered_by(gated(gate))
    await client.send("/stop")
    assert client.text == "Nothing is being answered"
    await client.send("A question")
    await gate.started.acquire()
    await client.send("/stop")
    await telegram.wait_for(lambda: "Stopped" in client.text)
    assert client.text == "answer to A question\n\n⏹ Stopped."
    [chat] = await manager.list_conversations(1001)
    _, answer = await settled(manager, chat.conversation_id, 2)
    assert (answer.text, answer.state) == ("answer to A question", "partial")
    await client.send("/chats")
    await client.press("A question")
    assert "Bot (stopped):\nanswer to A question" in client.text


async def test_shutdown_saves_what_came_and_marks_it(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram, bot: Bot
) -> None:
    gate = Gate()
    client = answered_by(gated(gate))
    await client.send("one")
    await client.send("waiting")
    await gate.started.acquire()
    await client.dispatcher.emit_shutdown(bot=bot)
    assert client.text == "answer to one\n\n⏹ The bot was restarted; the answer ends here."
    [chat] = await manager.list_conversations(1001)
    _, waiting, answer = await messages_of(manager, chat.conversation_id)
    assert (answer.text, answer.state, answer.sent_as) == ("answer to one", "partial", "message")
    assert waiting.text == "waiting", "the question that had no answer yet stays"
    await client.send("afterwards")
    assert client.text.startswith("The bot is being restarted. Your question is saved;")


async def test_a_failed_answer_can_be_tried_again(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    failures: list[Exception] = [AnswerError("overload", "529 key=secret"), RuntimeError("bug")]

    async def answer(turns: Sequence[Turn]) -> str:
        if failures:
            raise failures.pop(0)
        return f"at last: {turns[-1].text}"

    client = answered_by(answer)
    assert await client.ask("Hello") == (
        "The model is overloaded right now. Your question is saved."
    )
    failed = client.screen
    await client.press("Try again")
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 2)
    assert client.text == "The model failed. Your question is saved."
    await client.press("Try again")
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 3)
    assert client.text == "at last: Hello"
    [chat] = await manager.list_conversations(1001)
    await settled(manager, chat.conversation_id, 2)
    await client.press("Try again", failed)
    assert client.toasts[-1] == "This is answered already"
    assert "secret" not in "".join(telegram.texts_in(1001))


async def test_an_empty_answer_is_a_failure(
    answered_by: MakeBot, manager: ConversationManager
) -> None:
    async def answer(turns: Sequence[Turn]) -> str:
        return " \n"

    client = answered_by(answer)
    assert await client.ask("Hello") == (
        "The model gave an answer that cannot be understood. Your question is saved."
    )
    [chat] = await manager.list_conversations(1001)
    assert chat.message_count == 1


async def test_an_answer_of_a_few_messages_arrives_whole(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    text = "".join(f"{number} 👍 words\n\n" for number in range(900)).strip()

    async def answer(turns: Sequence[Turn]) -> str:
        return text

    client = answered_by(answer)
    await client.ask("Hello")
    [chat] = await manager.list_conversations(1001)
    _, stored = await settled(manager, chat.conversation_id, 2)
    assert stored.text == text
    assert "\n\n".join(telegram.texts_in(1001)) == text
    assert 1 < len(telegram.texts_in(1001)) <= 4
    assert stored.message_id == 1000


async def test_a_long_answer_arrives_whole_as_a_file(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram, folder: Path
) -> None:
    text = "# Report\n\n" + "".join(f"Line {number} of **many**.\n\n" for number in range(3000))

    async def answer(turns: Sequence[Turn]) -> str:
        return text

    client = answered_by(answer)
    await client.ask("Hello")
    [chat] = await manager.list_conversations(1001)
    _, stored = await settled(manager, chat.conversation_id, 2)
    assert stored.text == text
    assert telegram.documents == [text.encode()]
    [preview] = telegram.texts_in(1001)
    assert preview.startswith("Report\n\nLine 0 of many.")
    assert len(preview) < 1100
    assert (stored.sent_as, stored.message_id) == ("file", 1001)
    assert stored.file_path == f"files/{chat.conversation_id}-1001.md"
    assert (folder / "user_1001" / stored.file_path).read_text() == text


async def test_the_same_update_twice_is_stored_and_answered_once(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    message = client.message("Only once")
    await client.feed(message=message)
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 1)
    [chat] = await manager.list_conversations(1001)
    await settled(manager, chat.conversation_id, 2)
    await client.feed(message=message)
    await client.ask("Another")
    messages = await settled(manager, chat.conversation_id, 4)
    assert [message.message_id for message in messages if message.type == "user_question"] == [
        1,
        2,
    ]
    assert len(telegram.of(SendMessage)) == 2


async def test_what_is_no_question(client: Client, manager: ConversationManager) -> None:
    await client.send("  \n\u200b ")
    assert client.text == "There is nothing to read in that. Please write a few words."
    sticker = {
        "file_id": "x", "file_unique_id": "x", "type": "regular", "width": 1, "height": 1,
        "is_animated": False, "is_video": False,
    }  # fmt: skip
    await client.send(None, sticker=sticker)
    assert client.text == "I can read text only so far. Please write it."
    await client.send(None, voice={"file_id": "x", "file_unique_id": "x", "duration": 1})
    assert (
        client.telegram.texts_in(1001).count("I can read text only so far. Please write it.") == 2
    )
    await client.send("/nonsense")
    assert client.text == "I do not know this command. /help shows what I can do."
    shown = len(client.telegram.calls)
    await client.send(None, pinned_message=client.message("x"))
    assert len(client.telegram.calls) == shown, "Telegram's own reports are not answered"
    assert await manager.list_conversations(1001) == []


async def test_a_question_of_4096_characters(client: Client, manager: ConversationManager) -> None:
    question = "ы" * 4096
    answer = await client.ask(question)
    [chat] = await manager.list_conversations(1001)
    first, second = await settled(manager, chat.conversation_id, 2)
    assert first.text == question
    assert second.text.startswith("Вы написали: ыыы")
    assert chat.name == "ы" * 27 + "..."
    assert answer in second.text, "it came in more than one message"


async def test_strange_characters_are_kept(client: Client, manager: ConversationManager) -> None:
    question = "a\u2028b\u202ec\ud800d\x00e"
    assert "abc\ufffdd e" in await client.ask(question), "shown without what turns text around"
    [chat] = await manager.list_conversations(1001)
    assert (await messages_of(manager, chat.conversation_id))[0].text == question


async def test_a_failing_storage_is_told_and_not_taken_for_no_chats(
    client: Client, manager: ConversationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(manager, 1001, 1)
    await client.send("/chats")
    menu = client.screen

    async def fail(*args: object, **kwargs: object) -> None:
        raise StorageError("disk full")

    monkeypatch.setattr(manager._storage, "read_index", fail)
    monkeypatch.setattr(manager._storage, "create", fail)
    monkeypatch.setattr(manager._storage, "activate", fail)
    told = (
        "The storage is unavailable right now. What is saved is safe;"
        " please try again a little later."
    )
    for text in ("/chats", "/new", "A question"):
        await client.send(text)
        assert client.text == told
    await client.press("Chat 1", menu)
    assert client.toasts == [told]
    assert client.telegram.of(AnswerCallbackQuery)[-1].show_alert


async def test_an_answer_that_cannot_be_stored_is_shown_all_the_same(
    answered_by: MakeBot,
    manager: ConversationManager,
    telegram: FakeTelegram,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate()
    client = answered_by(gated(gate))
    await client.send("Hello")
    await gate.started.acquire()

    async def fail(*args: object, **kwargs: object) -> bool:
        raise StorageError("disk full")

    monkeypatch.setattr(manager._storage, "append", fail)
    gate.go_on.release()
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 1)
    assert client.text == (
        "answer to Hello, complete\n\n⚠️ This answer could not be saved: storage is unavailable."
    )


TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n\nand **more**"


async def test_a_table_goes_out_as_a_rich_message(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    async def answer(turns: Sequence[Turn]) -> str:
        return TABLE

    telegram.knows_rich_messages = True
    client = answered_by(answer)
    await client.send("Hello")
    await telegram.wait_for(lambda: bool(telegram.of(SendRichMessage)))
    [rich] = telegram.of(SendRichMessage)
    assert "| 1 | 2 |" in rich.rich_message.markdown
    [chat] = await manager.list_conversations(1001)
    _, stored = await settled(manager, chat.conversation_id, 2)
    assert (stored.message_id, stored.sent_as) == (1000, "message")
    assert telegram.of(SendMessage) == []


@pytest.mark.parametrize("known", [True, False], ids=["refused", "unknown"])
async def test_a_table_that_is_not_taken_goes_out_as_text(
    answered_by: MakeBot, telegram: FakeTelegram, known: bool
) -> None:
    async def answer(turns: Sequence[Turn]) -> str:
        return TABLE

    telegram.knows_rich_messages = known
    if known:
        refusal = TelegramBadRequest(METHOD, "RICH_MESSAGE_TOO_LARGE")
        telegram.refuse(SendRichMessage, refusal, times=2)
    client = answered_by(answer)
    text = await client.ask("Hello")
    assert "1 | 2" in text
    assert text.endswith("and more")
    await client.ask("Hello again")
    assert len(telegram.of(SendRichMessage)) == (2 if known else 1), "a refusal is for one answer"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note what would be waited for, and wait for none of it."""
    waited: list[float] = []

    async def wait(self: Delivery, seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(Delivery, "_wait", wait)
    return waited


async def test_flood_limits_are_waited_for(
    client: Client, telegram: FakeTelegram, waits: list[float]
) -> None:
    telegram.refuse(SendMessage, TelegramRetryAfter(METHOD, "Too Many Requests", 35))
    telegram.refuse(SendMessage, TelegramRetryAfter(METHOD, "Too Many Requests", 60))
    await client.send("Hello")
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 3)
    assert waits == [35, 60]
    assert client.text.startswith("You wrote: Hello")


@pytest.mark.parametrize(
    "error",
    [
        TelegramNetworkError(METHOD, "down"),
        TelegramServerError(METHOD, "Bad Gateway"),
        ClientDecodeError("no JSON", json.JSONDecodeError("no", "<html>", 0), "<html>"),
    ],
)
async def test_a_broken_wire_is_tried_again(
    client: Client, telegram: FakeTelegram, waits: list[float], error: Exception
) -> None:
    telegram.refuse(SendMessage, error, times=5)
    await client.send("Hello")
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 6)
    assert waits == [1, 2, 4, 8, 16]
    assert client.text.startswith("You wrote: Hello")


async def test_after_the_last_try_nothing_is_waited_for(
    client: Client, telegram: FakeTelegram, waits: list[float]
) -> None:
    telegram.refuse(SendMessage, TelegramRetryAfter(METHOD, "Too Many Requests", 60), times=8)
    await client.send("Hello")
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 8)
    await client.ask("Still there?")
    assert waits == [60] * 7


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (TelegramForbiddenError(METHOD, "bot was blocked by the user"), 1),
        (TelegramNetworkError(METHOD, "down"), 8),
        (TelegramRetryAfter(METHOD, "Too Many Requests", 3600), 1),
        (TelegramBadRequest(METHOD, "chat not found"), 1),
        (TelegramNotFound(METHOD, "Not Found"), 1),
        (ClientDecodeError("sent, but not understood", ValueError(), {}), 1),
    ],
)
async def test_an_answer_that_telegram_does_not_take_is_stored(
    client: Client,
    manager: ConversationManager,
    telegram: FakeTelegram,
    waits: list[float],
    error: Exception,
    times: int,
) -> None:
    telegram.refuse(SendMessage, error, times=times)
    await client.send("Hello")
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == times)
    await client.ask("Still there?")
    [chat] = await manager.list_conversations(1001)
    messages = await messages_of(manager, chat.conversation_id)
    assert [(message.type, message.sent_as) for message in messages][:3] == [
        ("user_question", "message"), ("bot_answer", None), ("user_question", "message"),
    ]  # fmt: skip


async def test_damage_is_reported_once(
    client: Client, manager: ConversationManager, folder: Path
) -> None:
    user = folder / "user_1001"
    user.mkdir(parents=True)
    (user / "broken.json").write_text('{"metadata": {"name": "Old"}, "messages": [{"ty')
    await client.send("/chats")
    assert client.text.startswith("⚠️ 1 file was damaged. What could be read is here;")
    assert client.labels[0] == "✅ Old · 0"
    await client.send("/chats")
    assert client.text.startswith("💬 1 chat")


async def test_two_people_do_not_mix(
    make_client: MakeClient, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    people = [make_client(user_id) for user_id in range(1, 21)]
    await asyncio.gather(*(person.ask(f"I am {person.user_id}") for person in people))
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 20)
    for person in people:
        [chat] = await manager.list_conversations(person.user_id)
        assert chat.name == f"I am {person.user_id}"
        assert person.text.startswith(f"You wrote: I am {person.user_id}\n")


@pytest.mark.parametrize("fate", ["left", "deleted", "purged"])
async def test_an_answer_stays_where_its_chat_is_opened_from_it(
    answered_by: MakeBot, manager: ConversationManager, telegram: FakeTelegram, fate: str
) -> None:
    gate = Gate()
    client = answered_by(gated(gate))
    await client.send("In the first chat")
    await gate.started.acquire()
    chat = await manager.get_active_conversation_id(1001)
    assert chat is not None
    await client.send("/new")
    if fate != "left":
        await manager.delete_conversation(1001, chat)
    gate.go_on.release()
    await telegram.wait_for(lambda: "complete" in client.text)
    answer = client.screen
    if fate == "purged":
        await manager.empty_trash(1001)
    await client.press("Open", answer)
    assert telegram.messages[1001, answer.message_id]["text"] == answer.text, "it can be read on"
    assert client.screen.message_id > answer.message_id
    assert client.text.startswith("💬 1 chat" if fate == "purged" else "💬 In the first chat")
    assert (await manager.get_active_conversation_id(1001) == chat) is (fate != "purged")
