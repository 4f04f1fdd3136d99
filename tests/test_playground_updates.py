"""What the bot hears of two persons: the long poll, buttons, replies, drafts."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from aiogram import Bot, Dispatcher, F
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message
from aiogram.types import MessageGenerationStopped as Stopped

from bot.playground import Playground
from bot.playground.updates import Updates
from tests.playground_client import Person, client_of
from tests.polled import polling
from tests.waiting import PATIENCE

Answer = dict[str, Any]
Call = Callable[..., Coroutine[Any, Any, tuple[int, Any]]]

USER = {
    "id": 1001,
    "is_bot": False,
    "first_name": "Анна",
    "username": "anna",
    "language_code": "ru",
}
CHAT = {"id": 1001, "first_name": "Анна", "username": "anna", "type": "private"}
KEYBOARD = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}


@pytest.fixture
def call(playground: Playground, http: aiohttp.ClientSession) -> Call:
    """A call without aiogram: its status and its result or description."""

    async def call(method: str, **parameters: Any) -> tuple[int, Any]:
        form = {n: v if isinstance(v, str) else json.dumps(v) for n, v in parameters.items()}
        url = f"{playground.url}bot{playground.token}/{method}"
        async with http.post(url, data=form) as response:
            answer = await response.json()
            return response.status, answer.get("result", answer.get("description"))

    return call


async def polls(playground: Playground, number: int) -> None:
    """Until the bot has asked for updates so many times."""
    async with asyncio.timeout(PATIENCE):
        await playground.wait_for_call("getUpdates", number)


async def test_a_text_becomes_an_update(call: Call, anna: Person) -> None:
    await anna.send(" /start now ")

    _, [update] = await call("getUpdates")

    assert isinstance(update.pop("update_id"), int)
    assert isinstance(update["message"].pop("date"), int)
    assert update == {
        "message": {
            "message_id": 1,
            "from": USER,
            "chat": CHAT,
            "text": "/start now",
            "entities": [{"type": "bot_command", "offset": 0, "length": 6}],
        },
    }


async def test_the_poll_waits_and_wakes(call: Call, anna: Person, playground: Playground) -> None:
    poll = asyncio.create_task(call("getUpdates", timeout=50))
    await polls(playground, 1)
    assert not poll.done()

    await anna.send("hi")

    _, [update] = await asyncio.wait_for(poll, PATIENCE)
    assert update["message"]["text"] == "hi"


async def test_an_empty_poll_ends_after_its_time(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    wait = Updates._wait

    async def time_flies(updates: Updates, seconds: float) -> None:
        waited.append(seconds)
        await wait(updates, 0)

    monkeypatch.setattr(Updates, "_wait", time_flies)

    assert await call("getUpdates", timeout=50) == (200, [])

    assert waited == [50]


async def test_updates_stay_until_a_later_offset_confirms_them(call: Call, anna: Person) -> None:
    for text in ("a", "b", "c"):
        await anna.send(text)

    _, updates = await call("getUpdates", limit=2)
    assert [update["message"]["text"] for update in updates] == ["a", "b"]
    _, updates = await call("getUpdates", offset=updates[0]["update_id"] + 1)
    assert [update["message"]["text"] for update in updates] == ["b", "c"]
    _, updates = await call("getUpdates", offset=-1)
    assert [update["message"]["text"] for update in updates] == ["c"]
    _, updates = await call("getUpdates", offset=updates[0]["update_id"] + 1)
    assert updates == []


async def test_a_second_poller_ends_the_first_with_a_conflict(
    call: Call, anna: Person, playground: Playground
) -> None:
    first = asyncio.create_task(call("getUpdates", timeout=50))
    await polls(playground, 1)
    second = asyncio.create_task(call("getUpdates", timeout=50))

    assert await asyncio.wait_for(first, PATIENCE) == (
        409,
        "Conflict: terminated by other getUpdates request; "
        "make sure that only one bot instance is running",
    )
    await anna.send("hi")
    _, updates = await asyncio.wait_for(second, PATIENCE)
    assert len(updates) == 1


async def test_a_dropped_poll_is_no_conflict_and_loses_nothing(
    call: Call, anna: Person, playground: Playground
) -> None:
    dropped = asyncio.create_task(call("getUpdates", timeout=50))
    await polls(playground, 1)
    dropped.cancel()
    await asyncio.wait([dropped])
    await anna.send("hi")

    status, updates = await call("getUpdates", timeout=5)

    assert status == 200
    assert [update["message"]["text"] for update in updates] == ["hi"]


async def test_only_wanted_kinds_come_and_the_wish_is_remembered(call: Call, anna: Person) -> None:
    await call("getUpdates", allowed_updates=["callback_query"])
    await anna.send("unwanted")
    assert await call("getUpdates") == (200, [])
    _, info = await call("getWebhookInfo")
    assert info["allowed_updates"] == ["callback_query"]

    await call("getUpdates", allowed_updates=[])
    await anna.send("wanted")

    _, updates = await call("getUpdates")
    assert [update["message"]["text"] for update in updates] == ["wanted"]


async def test_pending_updates_are_dropped_on_demand(call: Call, anna: Person) -> None:
    await anna.send("old")

    await call("deleteWebhook", drop_pending_updates="true")

    assert await call("getUpdates") == (200, [])


async def test_a_pressed_button_becomes_a_query(call: Call, anna: Person) -> None:
    _, sent = await call("sendMessage", chat_id=1001, text="x", reply_markup=KEYBOARD)

    query = await anna.press(sent, "Go")

    _, [update] = await call("getUpdates")
    assert update["callback_query"] == {
        "id": query["id"],
        "from": USER,
        "message": sent,
        "chat_instance": update["callback_query"]["chat_instance"],
        "data": "go",
    }
    assert int(update["callback_query"]["chat_instance"])
    assert (await anna.dialog())["pending"] == [query]


async def test_a_query_is_answered_once(call: Call, anna: Person) -> None:
    _, sent = await call("sendMessage", chat_id=1001, text="x", reply_markup=KEYBOARD)
    query = await anna.press(sent, "Go")

    status, _ = await call(
        "answerCallbackQuery", callback_query_id=query["id"], text="Done", show_alert=True
    )
    second = await call("answerCallbackQuery", callback_query_id=query["id"])

    assert status == 200
    assert second == (
        400,
        "Bad Request: query is too old and response timeout expired or query ID is invalid",
    )
    dialog = await anna.dialog()
    assert dialog["pending"] == []
    assert dialog["answers"] == [query | {"text": "Done", "show_alert": True}]


async def test_wrong_answers_to_a_query(call: Call, anna: Person) -> None:
    invalid = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    _, sent = await call("sendMessage", chat_id=1001, text="x", reply_markup=KEYBOARD)
    query = (await anna.press(sent, "Go"))["id"]

    assert await call("answerCallbackQuery", callback_query_id="1") == (400, invalid)
    assert await call("answerCallbackQuery") == (400, invalid)
    assert await call("answerCallbackQuery", callback_query_id=query, text="x" * 201) == (
        400,
        "Bad Request: MESSAGE_TOO_LONG",
    )
    assert await call("answerCallbackQuery", callback_query_id=query, text="x" * 200) == (
        200,
        True,
    )


async def test_a_button_that_is_gone_cannot_be_pressed(call: Call, anna: Person) -> None:
    _, sent = await call("sendMessage", chat_id=1001, text="x", reply_markup=KEYBOARD)
    await call("editMessageText", chat_id=1001, message_id=1, text="y")

    with pytest.raises(LookupError):
        await anna.press(sent, "Go")
    with pytest.raises(AssertionError, match="this button is gone"):
        await anna._post("press", {"message_id": 1, "data": "go"})


async def test_a_reply_carries_the_message_with_its_buttons(call: Call, anna: Person) -> None:
    keyboard = KEYBOARD | {"force_reply": True}
    _, question = await call("sendMessage", chat_id=1001, text="Name?", reply_markup=keyboard)

    await anna.send("Hotel", reply_to=question)

    _, [update] = await call("getUpdates")
    assert update["message"]["reply_to_message"] == question
    assert question["reply_markup"] == keyboard


async def test_a_reply_within_a_reply_is_not_repeated(call: Call, anna: Person) -> None:
    first = await anna.send("1")
    second = await anna.send("2", reply_to=first)
    await anna.send("3", reply_to=second)

    _, updates = await call("getUpdates")

    assert "reply_to_message" not in updates[2]["message"]["reply_to_message"]
    assert updates[1]["message"]["reply_to_message"]["text"] == "1"


async def test_a_long_text_is_split_by_the_client(call: Call, anna: Person) -> None:
    question = await anna.send("first")
    await anna.send("слово " * 1000, reply_to=question)

    _, updates = await call("getUpdates", offset=-2)

    texts = [update["message"]["text"] for update in updates]
    assert [len(text) for text in texts] == [4091, 1907]
    assert ["reply_to_message" in update["message"] for update in updates] == [True, False]


async def test_stickers_voices_and_edits(call: Call, anna: Person) -> None:
    await anna.sticker("🎉")
    await anna.voice(7)
    text = await anna.send("tpyo")
    await anna.edit(text, "typo")

    _, updates = await call("getUpdates")

    assert updates[0]["message"]["sticker"]["emoji"] == "🎉"
    assert updates[1]["message"]["voice"]["duration"] == 7
    assert updates[3]["edited_message"]["text"] == "typo"
    assert updates[3]["edited_message"]["edit_date"] >= updates[3]["edited_message"]["date"]


async def test_what_a_person_cannot_do(call: Call, anna: Person) -> None:
    _, sent = await call("sendMessage", chat_id=1001, text="x")

    wrong: list[tuple[str, Answer, str]] = [
        ("send", {"text": " \n"}, "there is nothing to send"),
        ("send", {"text": "x", "reply_to": 99}, "the message to reply to is gone"),
        ("send", {"reply_to": 1}, "text: Field required"),
        ("send", {"text": "x", "more": 1}, "more: Extra inputs are not permitted"),
        ("edit", {"message_id": sent["message_id"], "text": "y"}, "only one's own text"),
        ("stop", {"draft_id": "1"}, "there is nothing to stop"),
        ("document", {"name": "a", "content": "§"}, "the content is not base64"),
        ("document", {"name": "a", "content": ""}, "the file is empty"),
        ("voice", {"duration": 0}, "duration: "),
    ]
    for action, body, problem in wrong:
        with pytest.raises(AssertionError, match=problem):
            await anna._post(action, body)


async def test_persons_do_not_mix(call: Call, playground: Playground, anna: Person) -> None:
    async with Person(playground.url, user_id=1002) as ben:
        await ben.send("hello")
        await call("sendMessage", chat_id=1002, text="for Ben")

        assert [m["text"] for m in (await ben.dialog())["messages"]] == ["hello", "for Ben"]
        assert (await anna.dialog())["messages"] == []
        _, [update] = await call("getUpdates")
        assert update["message"]["from"]["language_code"] == "en"


async def test_a_draft_grows_and_ends_with_the_message(call: Call, anna: Person) -> None:
    for text in ("", "One", "One <b>two</b>"):
        await call("sendMessageDraft", chat_id=1001, draft_id=2**62, text=text, parse_mode="HTML")

    draft = await anna.wait_draft("One two")
    assert draft == {
        "draft_id": str(2**62),
        "text": "One two",
        "entities": [{"type": "bold", "offset": 4, "length": 3}],
        "can_stop": False,
        "keep_on_stop": False,
        "frames": 3,
    }
    await call("sendMessage", chat_id=1001, text="One two three")
    dialog = await anna.dialog()
    assert dialog["drafts"] == []
    assert dialog["messages"][-1]["text"] == "One two three"


async def test_a_stopped_draft_tells_the_bot_and_shows_no_more(call: Call, anna: Person) -> None:
    await call("sendMessageDraft", chat_id=1001, draft_id=7, text="One", can_stop=True)
    draft = await anna.wait_draft("One")

    await anna.stop(draft)

    _, [update] = await call("getUpdates")
    assert update["stopped_message_generation"] == {"chat": CHAT, "draft_id": 7}
    assert await call("sendMessageDraft", chat_id=1001, draft_id=7, text="Two") == (200, True)
    assert (await anna.dialog())["drafts"] == []


async def test_a_draft_that_is_kept_on_stop_stays(call: Call, anna: Person) -> None:
    draft = {"chat_id": 1001, "draft_id": 7, "text": "One", "can_stop": True, "keep_on_stop": True}
    await call("sendMessageDraft", **draft)

    await anna.stop(await anna.wait_draft())

    assert (await anna.dialog())["drafts"][0]["text"] == "One"


async def test_drafts_and_typing_vanish_by_themselves(
    call: Call, anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.playground.dialogs._DRAFT_SECONDS", 0.05)
    monkeypatch.setattr("bot.playground.dialogs._ACTION_SECONDS", 0.05)
    await call("sendMessageDraft", chat_id=1001, draft_id=7, text="One")
    await call("sendChatAction", chat_id=1001, action="typing")

    await anna.wait_for(lambda dialog: not dialog["drafts"] and not dialog["chat_action"])


async def test_a_wait_in_vain_tells_the_dialog(anna: Person) -> None:
    await anna.send("anybody?")

    with pytest.raises(TimeoutError, match=r"1 Анна: 'anybody\?'"):
        await anna.wait_message(within=0.05)


async def test_events_start_with_the_dialog_and_follow_it(
    call: Call, anna: Person, playground: Playground, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{playground.url}person/1001/events") as stream:

        async def event() -> Answer:
            line = await asyncio.wait_for(stream.content.readline(), PATIENCE)
            await stream.content.readline()
            return dict(json.loads(line.removeprefix(b"data: ")))

        assert stream.content_type == "text/event-stream"
        assert (await event())["dialog"]["messages"] == []
        sent = await anna.send("hi")
        assert await event() == {"type": "message", "message": sent}
        await call("sendChatAction", chat_id=1001, action="typing")
        assert await event() == {"type": "action", "action": "typing"}
        await call("deleteMessage", chat_id=1001, message_id=1)
        assert await event() == {"type": "deleted", "message_ids": [1]}


async def test_a_bot_of_aiogram_lives_here(playground: Playground, anna: Person) -> None:
    dispatcher = Dispatcher()
    stopped: list[int] = []

    @dispatcher.message(F.text)
    async def greet(message: Message) -> None:
        button = InlineKeyboardButton(text="Open", callback_data="open")
        await message.answer("Hi", reply_markup=InlineKeyboardMarkup(inline_keyboard=[[button]]))

    @dispatcher.callback_query(F.data == "open")
    async def open_it(query: CallbackQuery, bot: Bot) -> None:
        await query.answer("Opened")
        assert isinstance(query.message, Message)
        await query.message.edit_text("It is open")
        await bot.send_message_draft(1001, 5, text="Gro", can_stop=True)

    @dispatcher.stopped_message_generation()
    async def stop(event: Stopped) -> None:
        stopped.append(event.draft_id)

    bot = client_of(playground)
    async with polling(dispatcher, bot):
        greeting = await anna.ask("/start", "Hi")
        answer = await anna.tap(greeting, "Open")
        edited = await anna.wait_text(greeting, "It is open")
        await anna.stop(await anna.wait_draft("Gro"))
        await anna.wait_for(lambda dialog: not dialog["drafts"])
        await polls(playground, 4)

        assert (answer["text"], answer["show_alert"]) == ("Opened", False)
        assert "reply_markup" not in edited
    assert stopped == [5]


async def test_a_sticker_and_a_voice_message_can_be_replies(call: Call, anna: Person) -> None:
    await call("sendMessage", chat_id=1001, text="New name?")

    await anna._post("sticker", {"emoji": "👍", "reply_to": 1})
    await anna._post("voice", {"duration": 3, "reply_to": 1})

    _, updates = await call("getUpdates")
    replies = [update["message"]["reply_to_message"] for update in updates]
    assert [reply["text"] for reply in replies] == ["New name?", "New name?"]
    for action in ("sticker", "voice"):
        with pytest.raises(AssertionError, match="the message to reply to is gone"):
            await anna._post(action, {"reply_to": 99})
