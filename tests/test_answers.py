"""What a person does to answers: anew, stopped, fast or deep; edits, long pastes, names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import (
    AnswerCallbackQuery,
    SendMessage,
    SendMessageDraft,
    SetMessageReaction,
)

from bot import AnswerError, Turn, create_router, gathering
from bot.answerers import AnswerStream, Mode, TextStream
from bot.answering import Answering, AnsweringLimits
from bot.callbacks import ChatAction, ChatButton, owner_mark
from bot.context import ContextLimits
from bot.delivery import Delivery
from bot.finishing import Question
from bot.person import Person
from bot.texts import Languages
from conversations import ConversationManager, ConversationMessage
from tests.chats import fill
from tests.telegram import Client, FakeTelegram, MakeClient
from tests.waiting import PATIENCE


class Model:
    """An answerer under the test's thumb: it answers, names chats, and waits at a gate if told."""

    name = "model"

    def __init__(self) -> None:
        self.asked: list[tuple[list[Turn], Mode]] = []
        self.titles: list[str | Exception] = []
        self.failure: AnswerError | None = None
        self.gated = False
        self.started = asyncio.Semaphore(0)
        self.gate = asyncio.Semaphore(0)

    @asynccontextmanager
    async def answer(self, turns: Sequence[Turn], *, mode: Mode) -> AsyncIterator[AnswerStream]:
        self.asked.append((list(turns), mode))
        yield TextStream(self._words(turns[-1].text), model="model")

    async def _words(self, question: str) -> AsyncIterator[str]:
        yield f"Answer {len(self.asked)} to {question}"
        self.started.release()
        if self.gated:
            await self.gate.acquire()
        if self.failure is not None:
            raise self.failure
        yield "."

    async def name_chat(self, question: str, answer: str) -> str:
        title = self.titles.pop(0) if self.titles else AnswerError("timeout")
        if isinstance(title, Exception):
            raise title
        return title


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def dispatcher(
    manager: ConversationManager, bot: Bot, model: Model
) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(disable_fsm=True)
    limits = ContextLimits(messages=4)
    dispatcher.include_router(
        create_router(manager, answerer=model, context=limits, exclusive=True)
    )
    yield dispatcher
    await dispatcher.emit_shutdown(bot=bot)


async def messages_of(manager: ConversationManager) -> list[ConversationMessage]:
    chat = await manager.get_active_conversation_id(1001)
    assert chat is not None
    return await manager.get_messages(1001, chat, 100)


async def until(manager: ConversationManager, true: Callable[[list[str]], bool]) -> list[str]:
    """Wait until the texts of the active chat are as they should be, all noted as sent."""
    async with asyncio.timeout(PATIENCE):
        while True:
            messages = await messages_of(manager)
            texts = [message.text for message in messages]
            if true(texts) and all(message.sent_as for message in messages):
                return texts
            await asyncio.sleep(0)


async def test_again_replaces_the_last_answer(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    await client.send("/again")
    assert client.text == "There is nothing here to answer anew."
    await client.ask("Why?")
    await until(manager, lambda texts: len(texts) == 2)
    await client.ask("/again")
    assert client.text == "Answer 2 to Why?."
    assert await until(manager, lambda texts: texts[-1].startswith("Answer 2")) == [
        "Why?", "Answer 2 to Why?.",
    ]  # fmt: skip
    assert model.asked[1][0] == [Turn("user", "Why?")], "its own first answer is no context"
    [chat] = await manager.list_conversations(1001)
    assert chat.message_count == 2


async def test_again_replaces_the_answer_though_the_chat_is_deleted_meanwhile(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    await client.ask("Why?")
    await until(manager, lambda texts: len(texts) == 2)
    model.gated = True
    await client.send("/again")
    for _ in range(2):
        await model.started.acquire()
    [chat] = await manager.list_conversations(1001)
    await manager.delete_conversation(1001, chat.conversation_id)
    model.gate.release()
    await client.telegram.wait_for(lambda: "deleted by now" in client.text)
    await manager.restore_conversation(1001, chat.conversation_id, activate=True)
    assert await until(manager, lambda texts: texts[-1].startswith("Answer 2")) == [
        "Why?", "Answer 2 to Why?.",
    ]  # fmt: skip


async def test_again_by_button_in_the_chat_screen(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    await client.ask("Why?")
    await until(manager, lambda texts: len(texts) == 2)
    await client.send("/chats")
    await client.press("Why?")
    await client.press("🔄 Answer anew")
    await telegram.wait_for(lambda: client.text == "Answer 2 to Why?.")


@pytest.mark.parametrize("failing", [True, False], ids=["failed", "stopped"])
async def test_the_old_answer_stays_when_the_new_one_is_not_whole(
    client: Client, manager: ConversationManager, model: Model, failing: bool
) -> None:
    await client.ask("Why?")
    before = await until(manager, lambda texts: len(texts) == 2)
    model.gated, model.failure = True, AnswerError("overload") if failing else None
    await client.send("/again")
    for _ in range(2):
        await model.started.acquire()
    if failing:
        model.gate.release()
    else:
        await client.send("/stop")
    await client.telegram.wait_for(lambda: "The answer that was there stays." in client.text)
    assert [message.text for message in await messages_of(manager)] == before
    assert client.labels == ["🔄 Try again"]


async def test_a_failure_in_the_middle_keeps_what_came(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    model.failure = AnswerError("network", "reset by peer")
    assert await client.ask("Why?") == (
        "Answer 1 to Why?\n\nThe model cannot be reached right now. Your question is saved."
    )
    question, partial = await messages_of(manager)
    assert (partial.text, partial.state) == ("Answer 1 to Why?", "partial")
    model.failure = None
    await client.press("Try again")
    assert await until(manager, lambda texts: texts[-1].startswith("Answer 2")) == [
        "Why?", "Answer 2 to Why?.",
    ]  # fmt: skip
    assert question.text == "Why?"


async def test_again_while_an_answer_is_on_its_way(
    client: Client, model: Model, telegram: FakeTelegram
) -> None:
    model.gated = True
    await client.send("Why?")
    await model.started.acquire()
    await client.send("/again")
    assert client.text == "An answer is on its way in this chat."
    model.gate.release()
    await telegram.wait_for(lambda: client.text == "Answer 1 to Why?.")


async def test_again_in_a_chat_of_the_old_format(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    old = {"timestamp": "2025-01-01T00:00:00", "message_id": 7, "sent_as": "message"}
    for kind, text in (("user_question", "Old?"), ("bot_answer", "Old.")):
        message = ConversationMessage.from_dict({**old, "type": kind, "text": text})
        await manager.add_message(1001, chat, message)
    await client.ask("/again")
    assert await until(manager, lambda texts: texts[-1].startswith("Answer 1")) == [
        "Old?", "Answer 1 to Old?.",
    ]  # fmt: skip


async def test_fast_and_deep_per_chat(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    await client.ask("Why?")
    await client.send("/mode")
    assert client.text.startswith("⚙️ How shall “Why?” be answered?")
    assert client.labels == ["⚡ Fast ✓", "🔬 Deep"]
    await client.press("🔬 Deep")
    assert client.toasts[-1] == "Deep answers"
    assert "🔬 Deep ✓" in client.labels, "the chat screen shows it"
    await client.ask("And why deeper?")
    await until(manager, lambda texts: len(texts) == 4)
    assert [mode for _, mode in model.asked] == ["fast", "deep"]
    assert [message.search_type for message in await messages_of(manager)] == [
        "fast", "fast", "deep", "deep",
    ]  # fmt: skip
    await client.send("/new Another chat")
    await client.telegram.wait_for(lambda: len(model.asked) == 3)
    assert model.asked[2][1] == "fast"


async def test_what_the_model_sees_is_shown_and_its_first_cut_told_once(
    client: Client, manager: ConversationManager
) -> None:
    told = []
    for number in range(1, 5):
        await client.ask(f"Question {number}")
        await until(manager, lambda texts: len(texts) == 2 * number)  # noqa: B023
        told.append("This chat has grown long" in client.text)
    assert told == [False, False, True, False]
    await client.send("/chats")
    await client.press("Question 1")
    assert "The model sees 4 of 8 messages." in client.text


async def ask_and_edit(
    client: Client, manager: ConversationManager, command: str = ""
) -> dict[str, Any]:
    """Ask, and change what was asked when it is answered; give the message as it was."""
    asked = client.message(f"{command}Wy?")
    await client.feed(message=asked)
    await until(manager, lambda texts: len(texts) == 2)
    changed = {"text": f"{command}Why?", "edit_date": 1795363200}
    await client.feed(edited_message=asked | changed)
    assert client.text == "✏️ Your question is changed. Shall I answer it anew?"
    assert [message.text for message in await messages_of(manager)] == ["Why?", "Answer 1 to Wy?."]
    return asked


async def test_an_edited_question_is_stored_and_can_be_answered_anew(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    asked = await ask_and_edit(client, manager)
    await client.press("🔄 Answer anew")
    await until(manager, lambda texts: texts == ["Why?", "Answer 2 to Why?."])
    shown = len(client.telegram.calls)
    await client.feed(edited_message=asked | {"text": "Why?", "edit_date": 1795363201})
    await client.feed(edited_message=asked | {"message_id": 99, "text": "Unknown"})
    in_another_dialog = {"date": asked["date"] + 86400, "text": "With the same id"}
    await client.feed(edited_message=asked | in_another_dialog)
    await client.feed(edited_message=asked | {"text": " \n"})
    assert len(client.telegram.calls) == shown
    await client.ask("Next?")
    await until(manager, lambda texts: len(texts) == 4)
    await client.feed(edited_message=asked | {"text": "Why not?", "edit_date": 1795363202})
    assert client.text == "✏️ Your question is changed in the chat."
    assert client.labels == []


async def test_an_edit_that_comes_too_late_is_not_said_to_be_noted(
    client: Client, manager: ConversationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = client.message("Wy?")
    await client.feed(message=asked)
    await until(manager, lambda texts: len(texts) == 2)
    chat = await manager.get_active_conversation_id(1001)
    assert chat is not None
    replace = manager.replace_message

    async def too_late(*args: Any) -> bool:
        await manager.delete_conversation(1001, chat)
        return await replace(*args)

    monkeypatch.setattr(manager, "replace_message", too_late)
    await client.feed(edited_message=asked | {"text": "Why?", "edit_date": 1795363200})
    assert client.text == (
        "Your question could not be changed: it is gone, or something came between."
        " Please edit it again."
    )
    assert client.labels == []


async def test_a_long_paste_is_one_question(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    pieces = ["a" * 4096, "b" * 4096, "c" * 10]
    for piece in pieces:
        await client.send(piece)
    await client.telegram.wait_for(lambda: len(model.asked) == 1)
    assert [turn.text for turn in model.asked[0][0]] == ["".join(pieces)]
    texts = await until(manager, lambda texts: len(texts) == 2)
    assert texts[0] == "".join(pieces)


async def test_a_paste_of_several_messages_cannot_be_edited(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    first, second = client.message("x" * 4096), client.message("the end")
    await client.feed(message=first)
    await client.feed(message=second)
    await until(manager, lambda texts: len(texts) == 2)
    for piece in (first, second):
        await client.feed(edited_message=piece | {"text": "changed"})
        assert client.text.startswith("A long text that came in several messages")
    [question, _] = await messages_of(manager)
    assert question.text == "x" * 4096 + "the end"
    assert question.pieces == (second["message_id"],)


async def test_a_paste_cut_at_a_line_and_pieces_that_come_at_once(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    await asyncio.gather(client.send("a" * 4050), client.send("b" * 4060), client.send("c"))
    await until(manager, lambda texts: len(texts) == 2)
    assert model.asked[0][0][0].text == "a" * 4050 + "\n" + "b" * 4060 + "\nc"


async def test_a_command_does_not_go_on_with_a_paste(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    await client.send("a" * 4096)
    await client.send("/new Something else")
    await client.telegram.wait_for(lambda: len(model.asked) == 2)
    asked = {turns[0].text for turns, _ in model.asked}
    assert asked == {"a" * 4096, "Something else"}
    assert len(await manager.list_conversations(1001)) == 2


async def test_a_long_question_alone_is_answered_after_a_moment(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    await client.send("a" * 4096)
    assert model.asked == []
    assert [message.text for message in await messages_of(manager)] == ["a" * 4096], "it is stored"
    await until(manager, lambda texts: len(texts) == 2)


async def test_telegrams_own_stop(
    client: Client, manager: ConversationManager, model: Model, telegram: FakeTelegram
) -> None:
    model.gated = True
    await client.send("Why?")
    await telegram.wait_for(lambda: len(telegram.of(SendMessageDraft)) > 0)
    [draft] = telegram.of(SendMessageDraft)
    assert (draft.text, draft.can_stop) == ("Answer 1 to Why?", True)
    chat = {"id": 2002, "type": "private"}
    await client.feed(stopped_message_generation={"chat": chat, "draft_id": draft.draft_id})
    await client.feed(stopped_message_generation={"chat": {**chat, "id": 1001}, "draft_id": 99})
    assert model.gated
    await client.feed(
        stopped_message_generation={"chat": {**chat, "id": 1001}, "draft_id": draft.draft_id}
    )
    await telegram.wait_for(lambda: "⏹ Stopped." in client.text)
    assert (await messages_of(manager))[1].state == "partial"


async def test_the_stop_button_of_a_group(
    make_client: MakeClient, manager: ConversationManager, model: Model, telegram: FakeTelegram
) -> None:
    model.gated = True
    person, other = make_client(1001, chat_id=-100), make_client(2002, chat_id=-100)
    await person.send("/new Why?")
    await telegram.wait_for(lambda: person.text == "Answer 1 to Why?")
    growing = person.screen
    await other.press("⏹ Stop", growing)
    assert other.toasts == ["This is somebody else's menu. /chats shows yours."]
    await person.press("⏹ Stop", growing)
    assert person.toasts[-1] == "Stopping"
    await telegram.wait_for(lambda: "⏹ Stopped." in person.text)
    assert person.screen.message_id == growing.message_id, "it grew into its end"
    assert person.labels == ["🔄 Try again"]
    await until(manager, lambda texts: texts == ["Why?", "Answer 1 to Why?"])
    stop = ChatButton(action=ChatAction.STOP, chat="x", owner=owner_mark(1001, -100))
    await person.press_data(stop.pack())
    assert person.toasts[-1] == "Nothing is being answered"


async def test_so_many_answers_run_in_all(
    manager: ConversationManager, bot: Bot, model: Model
) -> None:
    answering = Answering(manager, model, limits=AnsweringLimits(in_all=2))
    model.gated = True
    for user_id in (1, 2, 3):
        question = ConversationMessage("2026-01-01", 1, "user_question", "Why?")
        chat = await manager.add_question(user_id, "x", question)
        person = Person(user_id, "x", user_id, Languages().choose("en"))
        assert answering.submit(Question(bot, person, chat.conversation_id, 1)) == "started"
    for _ in range(2):
        await model.started.acquire()
    assert len(model.asked) == 2
    model.gate.release()
    await model.started.acquire()
    await answering.close()
    assert len(model.asked) == 3


async def test_a_waiting_question_shows_that_it_waits(
    client: Client, model: Model, telegram: FakeTelegram
) -> None:
    model.gated = True
    await client.send("one")
    await client.send("two")
    await telegram.wait_for(lambda: len(telegram.of(SetMessageReaction)) == 1)
    [mark] = telegram.of(SetMessageReaction)
    assert (mark.message_id, [reaction.emoji for reaction in mark.reaction]) == (2, ["👀"])
    model.gate.release()
    await telegram.wait_for(lambda: len(telegram.of(SetMessageReaction)) == 2)
    assert telegram.of(SetMessageReaction)[1].reaction == []
    model.gate.release()
    await telegram.wait_for(lambda: client.text == "Answer 2 to two.")


async def test_the_sign_of_waiting_goes_after_it_came(
    client: Client, model: Model, telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    came, shown = asyncio.Event(), asyncio.Event()
    order: list[bool] = []
    mark = Delivery.mark_waiting

    async def slowly(self: Delivery, message_id: int, *, waiting: bool) -> None:
        if waiting:
            shown.set()
            await came.wait()
        await mark(self, message_id, waiting=waiting)
        order.append(waiting)

    monkeypatch.setattr(Delivery, "mark_waiting", slowly)
    model.gated = True
    await client.send("one")
    await client.send("two")
    await shown.wait()
    for _ in range(2):
        model.gate.release()
    await telegram.wait_for(lambda: client.text == "Answer 2 to two.")
    assert order == [], "nobody waits for it"
    came.set()
    await telegram.wait_for(lambda: len(telegram.of(SetMessageReaction)) == 2)
    assert [bool(call.reaction) for call in telegram.of(SetMessageReaction)] == [True, False]


@pytest.mark.parametrize("end", ["stop", "forget"])
async def test_nothing_that_is_given_up_shows_that_it_waits(
    client: Client, model: Model, telegram: FakeTelegram, end: str
) -> None:
    model.gated = True
    for text in ("one", "two", "three"):
        await client.send(text)
    await model.started.acquire()
    if end == "stop":
        await client.dispatcher.emit_shutdown(bot=client.bot)
    else:
        await client.send("/forget")
        await client.press("Erase everything…")
        await client.press("Yes, erase everything")
    await telegram.wait_for(lambda: len(telegram.of(SetMessageReaction)) == 4)
    shown = {call.message_id: bool(call.reaction) for call in telegram.of(SetMessageReaction)}
    assert shown == {2: False, 3: False}


async def test_a_mistake_of_ours_in_an_answer_is_told(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a mistake")

    with monkeypatch.context() as mistaken:
        mistaken.setattr(gathering, "make_context", fail)
        assert (await client.ask("Why?")).startswith("Something went wrong.")
    assert "an answer could not be brought to its end" in caplog.text
    await client.press("🔄 Try again")
    await client.telegram.wait_for(lambda: client.text == "Answer 1 to Why?.")


async def test_a_mistake_that_cannot_be_told_either_is_logged(
    client: Client,
    manager: ConversationManager,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a mistake")

    with monkeypatch.context() as mistaken:
        mistaken.setattr(gathering, "make_context", fail)
        mistaken.setattr(Delivery, "say", fail)
        await client.send("Why?")
        async with asyncio.timeout(10):
            while "a failure could not be told" not in caplog.text:
                await asyncio.sleep(0.001)
    assert await client.ask("And now?") == "Answer 1 to And now?."


async def test_one_person_gets_three_answers_at_once(
    client: Client, model: Model, telegram: FakeTelegram
) -> None:
    model.gated = True
    for number in range(4):
        await client.send(f"/new question {number}")
    for _ in range(3):
        await model.started.acquire()
    assert len(model.asked) == 3
    model.gate.release()
    await model.started.acquire()
    for _ in range(3):
        model.gate.release()
    await telegram.wait_for(lambda: len(telegram.of(SendMessage)) == 4)


async def test_a_model_names_the_chat_after_its_first_answer(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    model.titles = ["  A fine\nname  ", "never asked for"]
    await client.ask("Why, oh why?")
    async with asyncio.timeout(PATIENCE):
        while (await manager.list_conversations(1001))[0].name != "A fine name":
            await asyncio.sleep(0)
    await client.ask("And now?")
    await until(manager, lambda texts: len(texts) == 4)
    assert model.titles == ["never asked for"]


@pytest.mark.parametrize("title", ["", "x" * 65, AnswerError("timeout"), RuntimeError("bug")])
async def test_a_name_that_fails_is_of_no_consequence(
    client: Client, manager: ConversationManager, model: Model, title: str | Exception
) -> None:
    model.titles = [title]
    await client.ask("Why, oh why?")
    await until(manager, lambda texts: len(texts) == 2)
    await client.ask("Still there?")
    assert (await manager.list_conversations(1001))[0].name == "Why, oh why?"


async def test_a_name_that_a_person_chose_is_never_replaced(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    model.titles = ["A model's name"]
    model.gated = True
    await client.send("Why?")
    await model.started.acquire()
    await client.send("/rename My name")
    model.gate.release()
    await until(manager, lambda texts: len(texts) == 2)
    await client.dispatcher.emit_shutdown(bot=client.bot)
    assert (await manager.list_conversations(1001))[0].name == "My name"


async def test_a_question_asked_with_new_can_be_edited(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    asked = await ask_and_edit(client, manager, command="/new ")
    assert len(await manager.list_conversations(1001)) == 1, "no new chat begins"
    shown = len(client.telegram.calls)
    await client.feed(edited_message=asked | {"text": "/new", "edit_date": 1795363201})
    await client.feed(edited_message=asked | {"text": "/stop", "edit_date": 1795363202})
    assert len(client.telegram.calls) == shown
    await client.feed(edited_message=asked | {"text": "Why not?", "edit_date": 1795363203})
    assert (await messages_of(manager))[0].text == "Why not?"


async def test_try_again_is_about_the_question_below_which_it_stands(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    model.gated = True
    await client.send("alpha")
    await model.started.acquire()
    await client.send("/stop")
    await client.telegram.wait_for(lambda: "⏹ Stopped." in client.text)
    stopped = client.screen
    await until(manager, lambda texts: len(texts) == 2)
    await client.send("omega")
    await model.started.acquire()
    await client.press("🔄 Try again", stopped)
    newer = "Newer questions came in this chat since."
    assert (client.toasts[-1] or "").startswith(newer), "though an answer is on its way"
    await client.send("/stop")
    await until(manager, lambda texts: len(texts) == 4)
    model.gated = False
    await client.press("🔄 Try again", stopped)
    assert (client.toasts[-1] or "").startswith(newer)
    assert client.telegram.of(AnswerCallbackQuery)[-1].show_alert
    assert [turns[-1].text for turns, _ in model.asked] == ["alpha", "omega"]
    await client.press("🔄 Try again")
    await until(manager, lambda texts: texts[-1] == "Answer 3 to omega.")


async def test_a_button_that_names_no_question_is_about_the_last_one(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    model.failure = AnswerError("network", "reset by peer")
    await client.ask("Why?")
    chat = await manager.get_active_conversation_id(1001)
    model.failure = None
    for stamp in ("", "?"):
        button = ChatButton(action=ChatAction.AGAIN, chat=chat or "", stamp=stamp)
        await client.press_data(button.pack())
        await until(manager, lambda texts: texts[-1] == "Answer 2 to Why?.")
    assert client.toasts == [None, "This is answered already"]


@pytest.mark.parametrize("failing", [True, False], ids=["failed", "stopped"])
async def test_an_answer_anew_that_failed_can_be_tried_again(
    client: Client, manager: ConversationManager, model: Model, failing: bool
) -> None:
    await client.ask("Why?")
    await until(manager, lambda texts: len(texts) == 2)
    model.gated, model.failure = True, AnswerError("overload") if failing else None
    await client.send("/again")
    for _ in range(2):
        await model.started.acquire()
    if failing:
        model.gate.release()
    else:
        await client.send("/stop")
    await client.telegram.wait_for(lambda: "The answer that was there stays." in client.text)
    model.gated, model.failure = False, None
    await client.press("🔄 Try again")
    await until(manager, lambda texts: texts == ["Why?", "Answer 3 to Why?."])


async def test_stop_finds_the_answer_of_a_chat_that_is_not_open(
    client: Client, manager: ConversationManager, model: Model, make_client: MakeClient
) -> None:
    model.gated = True
    for number in (1, 2):
        await client.send(f"/new question {number}")
        await model.started.acquire()
    await client.send("/new")
    await make_client(1001, chat_id=-100).send("/stop")
    await make_client(2002).send("/stop")
    stopped = "⏹ Stopped."
    assert not [text for text in client.telegram.texts_in(1001) if stopped in text]
    await client.send("/stop")
    await client.telegram.wait_for(lambda: stopped in client.text)
    assert client.text.startswith("↩️ In “question 2”:"), "the latest goes first"
    await client.send("/stop")
    await client.telegram.wait_for(lambda: client.text.startswith("↩️ In “question 1”:"))
    assert client.text.endswith(stopped)
    await client.telegram.wait_for(lambda: client.text.endswith(stopped))
    async with asyncio.timeout(10):
        while client.text != "Nothing is being answered":
            await client.send("/stop")


async def test_an_edited_question_is_not_answered_anew_after_newer_ones(
    client: Client, manager: ConversationManager, model: Model
) -> None:
    asked = client.message("Wy?")
    await client.feed(message=asked)
    await until(manager, lambda texts: len(texts) == 2)
    await client.feed(edited_message=asked | {"text": "Why?", "edit_date": 1795363200})
    offer = client.screen
    await client.ask("And now?")
    await until(manager, lambda texts: len(texts) == 4)
    await client.press("🔄 Answer anew", offer)
    assert (client.toasts[-1] or "").startswith("Newer questions")
    assert [turns[-1].text for turns, _ in model.asked] == ["Wy?", "And now?"]
