"""Who is nobody in particular has no chats, and nobody stops another person's answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage, SendMessageDraft, TelegramMethod

from bot import Turn, create_router
from bot.callbacks import ChatAction, ChatButton, owner_mark
from conversations import ConversationManager
from tests.chats import fill
from tests.storages import tree
from tests.telegram import BOT_USER, Client, FakeTelegram, MakeClient

VICTIM, STRANGER, GROUP = 1001, 2002, -1001234

GROUP_CHAT = {"id": GROUP, "type": "supergroup", "title": "Group"}
CHANNEL = {"id": -100777, "type": "channel", "title": "Channel"}
ANONYMOUS_ADMIN = {"id": 1087968824, "is_bot": True, "first_name": "Group",
                   "username": "GroupAnonymousBot"}  # fmt: skip
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel"}
TELEGRAM = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
MENTION = [{"type": "mention", "offset": 0, "length": 9}]

NOBODY: dict[str, dict[str, Any]] = {
    "an anonymous administrator": {"from": ANONYMOUS_ADMIN, "sender_chat": GROUP_CHAT},
    "one whose chat is not told": {"from": ANONYMOUS_ADMIN},
    "somebody in the name of a channel": {"from": CHANNEL_BOT, "sender_chat": CHANNEL},
    "a post that a channel's group gets": {"from": TELEGRAM, "sender_chat": CHANNEL},
    "a person in the name of a channel": {"sender_chat": CHANNEL},
    "another bot": {"from": {"id": 5, "is_bot": True, "first_name": "Robot"}},
    "nobody at all": {"from": None},
}


@pytest.mark.parametrize("who", NOBODY.values(), ids=NOBODY)
async def test_nobody_in_particular_shares_no_chats(
    who: dict[str, Any], make_client: MakeClient, manager: ConversationManager,
    telegram: FakeTelegram, folder: Path,
) -> None:  # fmt: skip
    await fill(manager, VICTIM, 1)
    before = tree(folder)
    person = make_client(VICTIM, chat_id=GROUP)
    said = [
        person.message(text)
        for text in ("/start", "/chats", "/new canary", "/rename canary", "/delete", "/trash",
                     "/again", "/stop", "/mode", "/help")
    ]  # fmt: skip
    said += [person.message("@test_bot canary", entities=MENTION)]
    said += [person.message("canary", reply_to_message=_our_message()) for _ in range(2)]
    for message in said:
        await person.feed(message=message | who)
        await person.feed(edited_message=message | who | {"edit_date": 1})
        post = {**message, "chat": CHANNEL, "sender_chat": CHANNEL, "from": None}
        await person.feed(channel_post=post)
        await person.feed(edited_channel_post=post | {"edit_date": 1})
    assert telegram.calls == []
    assert tree(folder) == before


def _our_message() -> dict[str, Any]:
    return {"message_id": 9, "date": 1, "chat": GROUP_CHAT, "from": BOT_USER, "text": "x"}


async def test_a_press_by_a_bot_is_nobodys(
    make_client: MakeClient, manager: ConversationManager, telegram: FakeTelegram, folder: Path
) -> None:
    [chat] = await fill(manager, ANONYMOUS_ADMIN["id"], 1)  # type: ignore[arg-type]
    before = tree(folder)
    query = {"id": "1", "from": ANONYMOUS_ADMIN, "chat_instance": "1", "message": _our_message()}
    mark = owner_mark(ANONYMOUS_ADMIN["id"], GROUP)  # type: ignore[arg-type]
    for action in ChatAction:
        data = ChatButton(action=action, chat=chat, owner=mark, stamp="0").pack()
        await make_client().feed(callback_query={**query, "data": data})
    assert telegram.calls == []
    assert tree(folder) == before


class Gate:
    """An answerer that says a word and goes on when it is let."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def answer(self, turns: Sequence[Turn]) -> AsyncIterator[str]:
        yield "canary"
        await self.go_on.wait()
        yield ", to the end"


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def gated(manager: ConversationManager, bot: Bot, gate: Gate) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=gate.answer, exclusive=True))
    yield dispatcher
    gate.go_on.set()
    await dispatcher.emit_shutdown(bot=bot)


@pytest.mark.parametrize("chat_id", [0, GROUP], ids=["private", "group"])
async def test_nobody_else_stops_an_answer(
    gated: Dispatcher, gate: Gate, bot: Bot, telegram: FakeTelegram, chat_id: int,
    manager: ConversationManager,
) -> None:  # fmt: skip
    victim = Client(gated, bot, telegram, VICTIM, chat_id=chat_id)
    stranger = Client(gated, bot, telegram, STRANGER, chat_id=chat_id)
    growing: type[TelegramMethod[Any]] = SendMessage if chat_id else SendMessageDraft
    await victim.send("@test_bot a question", entities=MENTION)
    await telegram.wait_for(lambda: any("canary" in (c.text or "") for c in telegram.of(growing)))
    chat = await manager.get_active_conversation_id(VICTIM)
    assert chat is not None
    menu = victim.screen if chat_id else _our_message()
    for action in (ChatAction.STOP, ChatAction.REGENERATE, ChatAction.AGAIN):
        for owner in ("", owner_mark(STRANGER, GROUP), owner_mark(VICTIM, GROUP)):
            data = ChatButton(action=action, chat=chat, owner=owner).pack()
            await stranger.press_data(data, menu)
    for command in ("/stop", "/again", "/stop@test_bot"):
        await stranger.send(command)
    for telegram_chat in (stranger.chat_id, STRANGER, GROUP):
        kind = "private" if telegram_chat > 0 else "supergroup"
        stopped = {"chat": {"id": telegram_chat, "type": kind}, "draft_id": 1}
        await stranger.feed(stopped_message_generation=stopped)
    gate.go_on.set()
    await telegram.wait_for(lambda: "canary, to the end" in telegram.texts_in(victim.chat_id))
