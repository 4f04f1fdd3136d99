"""Who may use the bot: the others are told so, seldom, and cost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import AnswerCallbackQuery, SendMessage

from bot import create_router
from bot.access import Access, concerns, sender_of
from bot.answerers.echo import EchoAnswerer
from bot.throttle import Throttle
from conversations import ConversationManager
from tests.polled import polled
from tests.storages import tree
from tests.telegram import Client, FakeTelegram, QueueingTelegram

ANNA, STRANGER = 1001, 1002
REFUSAL = (
    "Sorry, this bot is for invited people only. If you should be one of them, tell its owner"
    " your number: 1002"
)


@pytest.fixture
async def dispatcher(manager: ConversationManager, bot: Bot) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(
        create_router(manager, answerer=EchoAnswerer(), exclusive=True, allowed_user_ids=[ANNA, 7])
    )
    yield dispatcher
    await dispatcher.emit_shutdown(bot=bot)


@pytest.fixture
def stranger(dispatcher: Dispatcher, bot: Bot, telegram: FakeTelegram) -> Client:
    return Client(dispatcher, bot, telegram, STRANGER)


@pytest.fixture
def anna(dispatcher: Dispatcher, bot: Bot, telegram: FakeTelegram) -> Client:
    return Client(dispatcher, bot, telegram, ANNA)


async def everything(person: Client) -> None:
    """Send every kind of update that a handler of ours may take."""
    for text in ("/start", "/chats", "/new hello", "/forget", "/unknown", "hello"):
        await person.send(text)
    voice = {"file_id": "x", "file_unique_id": "x", "duration": 1}
    await person.send(None, voice=voice)
    message = person.message("old")
    await person.feed(edited_message=message | {"text": "new", "edit_date": 1})
    for data in ("cvm1:c::0", "cv1:o:x::", "cvset1:l:ru:", "cverase1:k::", "foreign"):
        await person.press_data(data, message)
    await person.feed(stopped_message_generation={"chat": message["chat"], "draft_id": 1})
    for kind in ("inline_query", "my_chat_member"):
        await person.feed(**{kind: _other(kind, person)})


def _other(kind: str, person: Client) -> dict[str, Any]:
    if kind == "inline_query":
        return {"id": "1", "from": person.user, "query": "x", "offset": ""}
    member = {"user": person.user, "status": "member"}
    chat = person.message("x")["chat"]
    return {"chat": chat, "from": person.user, "date": 1, "old_chat_member": member,
            "new_chat_member": member}  # fmt: skip


async def test_a_stranger_is_told_once_and_costs_no_disk(
    stranger: Client, folder: Path, telegram: FakeTelegram
) -> None:
    await everything(stranger)
    assert telegram.texts_in(STRANGER) == [REFUSAL]
    assert len(telegram.of(SendMessage)) == 1
    presses = telegram.of(AnswerCallbackQuery)
    assert len(presses) == 5, "a button never goes on turning"
    assert {press.text for press in presses} == {None}
    assert not folder.exists()


async def test_a_press_is_told_as_well(stranger: Client, telegram: FakeTelegram) -> None:
    await stranger.press_data("cvm1:c::0", stranger.message("x"))
    [press] = telegram.of(AnswerCallbackQuery)
    assert (press.text, press.show_alert) == (REFUSAL, True)
    await stranger.send("hello")
    assert telegram.of(SendMessage) == []


async def test_the_invited_are_served_beside_them(
    anna: Client, stranger: Client, telegram: FakeTelegram
) -> None:
    await stranger.send("hello")
    assert (await anna.ask("hello")).startswith("You wrote: hello")
    stranger.chat_id = anna.chat_id = -100
    mention = {"type": "mention", "offset": 0, "length": 9}
    await stranger.send("among ourselves")
    await stranger.send("@test_bot hello", entities=[mention])
    await anna.send("@test_bot hello", entities=[mention])
    await telegram.wait_for(lambda: "You wrote: hello" in str(telegram.texts_in(-100)))
    assert len(telegram.texts_in(-100)) == 1, "told already, within the hour"
    menu = anna.screen
    await stranger.press_data("cv1:s:x:rt:", menu)
    assert telegram.of(AnswerCallbackQuery)[-1].text is None


async def test_russian_by_telegrams_word(stranger: Client) -> None:
    stranger.language_code = "ru"
    await stranger.send("привет")
    assert stranger.text.endswith("сообщите владельцу свой номер: 1002")


async def test_their_updates_are_not_written_into_the_inbox(folder: Path) -> None:
    anna, stranger = Client(None, None, None, ANNA), Client(None, None, None, STRANGER)  # type: ignore[arg-type]
    telegram = QueueingTelegram([
        stranger.update(message=stranger.message(f"canary {number}")) for number in range(50)
    ])  # fmt: skip
    allowed = [ANNA]
    async with polled(folder, telegram, EchoAnswerer(), allowed_user_ids=allowed) as bot:
        await telegram.wait_for(lambda: REFUSAL in telegram.texts_in(STRANGER))
        await telegram.push(anna.update(message=anna.message("hello")))
        await telegram.wait_for(lambda: bool(telegram.texts_in(ANNA)))
        await bot.settled()
        assert not [path for path, data in tree(folder).items() if b"canary" in (data or b"")]
        assert not (folder / f"user_{STRANGER}").exists()
        assert telegram.texts_in(STRANGER) == [REFUSAL]


def test_an_empty_list_lets_everybody_in() -> None:
    access = Access()
    assert access.allows(5)
    assert access.allows_update({"update_id": 1, "poll": {"id": "1"}})
    assert not Access([5]).allows_update({"update_id": 1, "poll": {"id": "1"}})


@pytest.mark.parametrize(
    ("update", "sender"),
    [
        ({"message": {"from": {"id": 5}, "chat": {"id": -1, "type": "group"}}}, 5),
        ({"edited_message": {"from": {"id": 5}}}, 5),
        ({"callback_query": {"from": {"id": 5}, "message": {"from": {"id": 42}}}}, 5),
        ({"inline_query": {"from": {"id": 5}}}, 5),
        ({"poll_answer": {"user": {"id": 5}, "poll_id": "1"}}, 5),
        ({"message_reaction": {"user": {"id": 5}, "chat": {"id": -1, "type": "group"}}}, 5),
        ({"stopped_message_generation": {"chat": {"id": 5, "type": "private"}}}, 5),
        ({"channel_post": {"chat": {"id": -1, "type": "channel"}}}, None),
        ({"poll": {"id": "5"}}, None),
        ({"message": {"from": "5"}}, None),
        ({"message": {"from": {"id": "5"}}}, None),
        ({"message": 5}, None),
    ],
)
def test_the_sender_of_an_update_as_it_came(update: dict[str, Any], sender: int | None) -> None:
    assert sender_of({"update_id": 1, **update}) == sender
    assert concerns({"update_id": 1, **update}, 5) == (sender == 5)


def test_seldom_means_once_in_so_many_seconds_for_each_person() -> None:
    now = 0.0
    throttle = Throttle(3600, clock=lambda: now)
    assert [throttle.allows(1), throttle.allows(2), throttle.allows(1)] == [True, True, False]
    now = 3599.9
    assert not throttle.allows(1)
    now = 3600
    assert throttle.allows(1)
    for user_id in range(20_000):
        throttle.allows(user_id + 10)
    assert len(throttle._last) == 10_000


async def test_a_flood_of_strangers_stays_small(stranger: Client, telegram: FakeTelegram) -> None:
    await asyncio.gather(*(stranger.send("hello") for _ in range(1000)))
    assert telegram.texts_in(STRANGER) == [REFUSAL]
