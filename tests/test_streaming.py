"""How a growing answer is shown, and that no refusal of Telegram's ever holds it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
)
from aiogram.methods import EditMessageText, SendChatAction, SendMessage, SendMessageDraft
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot.person import Person
from bot.streaming import DraftSupport, LiveAnswer, Pacing
from bot.texts import Languages
from tests.telegram import FakeTelegram
from tests.waiting import PATIENCE

METHOD = SendMessage(chat_id=1, text="x")
STOP = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="⏹", callback_data="s")]])
QUICK = Pacing(
    grace=0,
    draft=0.001,
    edit=0.001,
    edit_in_group=0.001,
    slowest=0.01,
    keep_alive=0.01,
    typing=0.01,
)
Frames = SendMessageDraft | SendMessage | EditMessageText


class Show:
    """One growing answer on a fake wire."""

    def __init__(self, bot: Bot, telegram: FakeTelegram, chat_id: int = 1001) -> None:
        self.telegram = telegram
        self.drafts = DraftSupport()
        self.blocked = 0
        self._bot = bot
        self._person = Person(1001, "anna", chat_id, Languages().choose("en"))

    def live(self, pacing: Pacing = QUICK) -> LiveAnswer:
        return LiveAnswer(
            self._bot, self._person, draft_id=7, reply_to=7, thread_id=None, stop_keyboard=STOP,
            drafts=self.drafts, pacing=pacing, on_blocked=self._block,
        )  # fmt: skip

    def frames(self, *kinds: type[Any]) -> list[Any]:
        return self.telegram.of(*(kinds or (SendMessageDraft, SendMessage, EditMessageText)))

    async def seen(self, condition: Callable[[], bool]) -> None:
        await self.telegram.wait_for(condition)

    async def shows(self, live: LiveAnswer, text: str) -> None:
        """Let the answer grow to `text`, and wait until it is seen."""
        live.show(text)
        await self.seen(lambda: bool(self.frames()) and self.frames()[-1].text == text)

    def _block(self) -> None:
        self.blocked += 1


@pytest.fixture
def show(bot: Bot, telegram: FakeTelegram) -> Show:
    return Show(bot, telegram)


@pytest.fixture
def group(bot: Bot, telegram: FakeTelegram) -> Show:
    return Show(bot, telegram, chat_id=-100)


async def test_drafts_grow_and_the_last_one_is_awaited(show: Show) -> None:
    async with show.live() as live:
        await show.shows(live, "One")
        await show.shows(live, "One two")
    last = len(show.frames())
    await asyncio.sleep(0)
    assert len(show.frames()) == last, "no frame comes after the end"
    assert live.placeholder is None
    assert {(frame.draft_id, frame.can_stop) for frame in show.frames()} == {(7, True)}
    assert {type(frame) for frame in show.frames()} == {SendMessageDraft}


async def test_an_answer_that_is_there_at_once_needs_no_frame(
    show: Show, telegram: FakeTelegram
) -> None:
    async with show.live(Pacing()) as live:
        live.show("All of it")
    assert telegram.calls == []


async def test_frames_keep_their_distance(show: Show) -> None:
    slow = Pacing(grace=0, draft=1000)
    async with show.live(slow) as live:
        await show.shows(live, "One")
        live.show("One two")
        live.show("One two three")
    assert [frame.text for frame in show.frames()] == ["One"], "the end does not wait for the pace"


async def test_while_the_model_thinks_a_draft_is_kept_alive(show: Show) -> None:
    async with show.live() as live:
        await show.seen(lambda: len(show.frames()) >= 3)
        assert {frame.text for frame in show.frames()} == {None}
        assert isinstance(show.telegram.calls[0], SendChatAction)
        await show.shows(live, "At last")


async def test_a_draft_is_kept_alive_while_the_answer_pauses(show: Show) -> None:
    async with show.live() as live:
        await show.shows(live, "One")
        await show.seen(lambda: len(show.frames()) >= 3)
    assert {frame.text for frame in show.frames()} == {"One"}


async def test_an_old_server_knows_no_drafts(show: Show) -> None:
    show.telegram.refuse(SendMessageDraft, TelegramNotFound(METHOD, "Not Found"))
    async with show.live() as live:
        live.show("One")
        await show.seen(lambda: bool(show.frames(SendMessage)))
        live.show("One two")
        await show.seen(lambda: bool(show.frames(EditMessageText)))
    assert live.placeholder == 1000
    assert len(show.frames(SendMessageDraft)) == 1
    async with show.live() as live:
        live.show("Another")
        await show.seen(lambda: len(show.frames(SendMessage)) == 2)
    assert len(show.frames(SendMessageDraft)) == 1, "it is not tried again"


async def test_drafts_refused_in_one_chat_go_on_in_others(
    show: Show, bot: Bot, telegram: FakeTelegram
) -> None:
    refusal = TelegramBadRequest(METHOD, "Bad Request: TEXTDRAFT_PEER_INVALID")
    telegram.refuse(SendMessageDraft, refusal)
    async with show.live() as live:
        live.show("One")
        await show.seen(lambda: bool(show.frames(SendMessage)))
    elsewhere = Show(bot, telegram, chat_id=1001)
    elsewhere.drafts = show.drafts
    elsewhere._person = Person(2002, "ben", 2002, Languages().choose("en"))
    async with elsewhere.live() as live:
        live.show("Two")
        await show.seen(lambda: len(show.frames(SendMessageDraft)) == 2)
    assert show.frames(SendMessageDraft)[1].chat_id == 2002


async def test_another_refusal_of_a_draft_is_for_this_answer_alone(show: Show) -> None:
    show.telegram.refuse(SendMessageDraft, TelegramBadRequest(METHOD, "Bad Request: no"))
    async with show.live() as live:
        live.show("One")
        await show.seen(lambda: bool(show.frames(SendMessage)))
    async with show.live() as live:
        live.show("Two")
        await show.seen(lambda: len(show.frames(SendMessageDraft)) == 2)


async def test_a_flood_limit_slows_drafts_down_but_keeps_them(show: Show) -> None:
    show.telegram.refuse(SendMessageDraft, TelegramRetryAfter(METHOD, "Too Many Requests", 1))
    pauses: list[float] = []
    async with show.live() as live:
        original = live._wait

        async def wait(event: asyncio.Event, seconds: float) -> None:
            pauses.append(seconds)
            await original(event, min(seconds, 0.001))

        live._wait = wait  # type: ignore[method-assign]
        live.show("One")
        await show.seen(lambda: len(show.frames(SendMessageDraft)) >= 3)
    assert 1 in pauses
    assert 0.002 in pauses, "the pace is half of what it was"
    assert show.frames(SendMessage) == []


@pytest.mark.parametrize(
    "error",
    [TelegramNetworkError(METHOD, "down"), ClientDecodeError("garbled", ValueError(), "x")],
)
async def test_a_lost_frame_is_made_good_by_the_next(show: Show, error: Exception) -> None:
    show.telegram.refuse(SendMessageDraft, error, times=2)
    async with show.live() as live:
        live.show("One")
        await show.seen(lambda: len(show.frames()) >= 3)
    assert {type(frame) for frame in show.frames()} == {SendMessageDraft}


async def test_a_person_who_blocked_the_bot_ends_the_answer(show: Show) -> None:
    show.telegram.refuse(SendMessageDraft, TelegramForbiddenError(METHOD, "bot was blocked"))
    async with show.live() as live:
        live.show("One")
        await show.seen(lambda: show.blocked > 0 or bool(show.frames()))
    assert show.blocked == 1


async def test_in_groups_one_message_is_edited_with_a_stop_button(group: Show) -> None:
    async with group.live() as live:
        live.show("One **bo")
        await group.seen(lambda: bool(group.frames(SendMessage)))
        live.show("One **bold** two")
        await group.seen(lambda: bool(group.frames(EditMessageText)))
    [first] = group.frames(SendMessage)
    edit = group.frames(EditMessageText)[-1]
    assert first.reply_markup == edit.reply_markup == STOP, "an edit without it would remove it"
    assert (edit.text, [entity.type for entity in edit.entities]) == ("One bold two", ["bold"])
    assert live.placeholder == edit.message_id == 1000
    assert group.frames(SendMessageDraft) == []


async def test_what_is_shown_already_is_not_sent_again(group: Show) -> None:
    async with group.live() as live:
        live.show("One")
        await group.seen(lambda: bool(group.frames(SendMessage)))
        for _ in range(3):
            live.show("One")
            while live._changed.is_set():
                await asyncio.sleep(0)
    assert group.frames(EditMessageText) == []


async def test_a_growing_message_that_was_deleted_is_sent_anew(group: Show) -> None:
    async with group.live() as live:
        live.show("One")
        await group.seen(lambda: bool(group.frames(SendMessage)))
        group.telegram.messages.clear()
        live.show("One two")
        await group.seen(lambda: bool(group.frames(EditMessageText)))
        live.show("One two three")
        await group.seen(lambda: len(group.frames(SendMessage)) == 2)
    assert live.placeholder == 1001


async def test_a_frame_under_way_is_awaited_before_the_answer(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on, order = asyncio.Event(), asyncio.Event(), []
    live = show.live()

    async def send_draft() -> None:
        started.set()
        await go_on.wait()
        order.append("frame")

    monkeypatch.setattr(live, "_send_draft", send_draft)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:

        async def answer() -> None:
            async with live:
                live.show("One")
                await started.wait()
            order.append("answer")

        group.create_task(answer())
        await started.wait()
        await asyncio.sleep(0)
        go_on.set()
    assert order == ["frame", "answer"]


async def test_a_mistake_in_showing_does_not_fail_the_answer(
    show: Show, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(markdown: str) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("bot.streaming.render_draft", fail)
    async with show.live() as live:
        live.show("One")
        async with asyncio.timeout(PATIENCE):
            while "cannot be shown" not in caplog.text:
                await asyncio.sleep(0)
