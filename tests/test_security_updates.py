"""Whatever comes in as an update or as a button's data: no exception, no harm, an answer."""

from __future__ import annotations

import copy
import json
import logging
import random
import warnings
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import AnswerCallbackQuery, GetUpdates
from aiogram.types import Update

from bot.callbacks import ChatAction, ChatButton, MenuAction, owner_mark
from bot.polling import ResilientSession
from conversations import ConversationManager
from tests.chats import fill
from tests.storages import tree
from tests.telegram import BOT_USER, FakeTelegram, MakeClient

VICTIM, STRANGER, GROUP = 1001, 2002, -1001234
JUNK: list[Any] = [
    None, "", 0, -1, 1, 1.5, True, 2**31, 2**63, -(2**53), [], {}, [[]], ["x"], {"x": 1},
    "x" * 5000, "\u202e\u2066", "\0\n\x1b[31m", "/delete", "/new", "@test_bot",
    "cv1:k:x::0", str(VICTIM),
]  # fmt: skip


def random_data(dice: random.Random, chats: list[str]) -> str:
    """Make data by the grammar of our buttons, bent a little, or any string at all."""
    if dice.random() < 0.3:
        return "".join(chr(dice.choice([*range(32, 127), 0, 10, 0x202E, 0x44F, 0x1F600]))
                       for _ in range(dice.randrange(65)))  # fmt: skip
    owners = ["", owner_mark(STRANGER, GROUP), owner_mark(VICTIM, GROUP), "zz", "-", "0"]
    prefix = dice.choice(["cv1", "cvm1", "cv0", "cvm2", "cvx9", "CV1", "host"])
    action = dice.choice([*ChatAction, *MenuAction, "", "open", "\u202e"])
    chat = dice.choice([*chats, "../user_1001/index", "index", "", "x" * 48, "0", "-1"])
    parts = [prefix, action, chat, dice.choice(owners), dice.choice(["", "0", "1", "z", "9" * 20])]
    if prefix.startswith("cvm"):
        parts = [prefix, action, dice.choice(owners), dice.choice(["0", "7", "-1", "9" * 25, "x"])]
    if dice.random() < 0.2:
        parts.insert(dice.randrange(len(parts)), dice.choice(["", "x"]))
    return ":".join(parts[: dice.randrange(1, 7)])


async def test_two_thousand_forged_buttons(
    make_client: MakeClient, manager: ConversationManager, telegram: FakeTelegram, folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    chats = await fill(manager, VICTIM, 3)
    await manager.delete_conversation(VICTIM, chats[0])
    own = await fill(manager, STRANGER, 2)
    owner = make_client(VICTIM, chat_id=GROUP)
    private, group = make_client(STRANGER), make_client(STRANGER, chat_id=GROUP)
    await owner.send("/chats")
    await private.send("/chats")
    menu = owner.screen
    shown = copy.deepcopy(telegram.messages[GROUP, menu.message_id])
    before = tree(folder / f"user_{VICTIM}")
    dice = random.Random(20261122)
    for number in range(2000):
        data = random_data(dice, [*chats, *own])
        answered = len(telegram.of(AnswerCallbackQuery))
        if number % 2:
            await group.press_data(data, menu)
        else:
            await private.press_data(data)
        assert len(telegram.of(AnswerCallbackQuery)) == answered + 1, data
    assert tree(folder / f"user_{VICTIM}") == before
    assert telegram.messages[GROUP, menu.message_id] == shown
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def samples(chat: str) -> list[dict[str, Any]]:
    """Updates of many kinds by one person, as Telegram sends them."""
    user = {"id": STRANGER, "is_bot": False, "first_name": "A", "language_code": "ru"}
    private = {"id": STRANGER, "type": "private", "first_name": "A"}
    group = {"id": GROUP, "type": "supergroup", "title": "G"}
    channel = {"id": -100777, "type": "channel", "title": "C"}
    data = ChatButton(action=ChatAction.CANCEL_RENAME, chat=chat).pack()
    keyboard = {"inline_keyboard": [[{"text": "x", "callback_data": data}]]}
    base = {"message_id": 5, "date": 1, "chat": private, "from": user}
    prompt = {**base, "from": BOT_USER, "text": "?", "reply_markup": keyboard}
    command = {"type": "bot_command", "offset": 0, "length": 6}
    mention = {"type": "mention", "offset": 0, "length": 9}
    file = {"file_id": "x", "file_unique_id": "x"}
    press = {"id": "1", "from": user, "chat_instance": "1", "data": data}
    member = {"chat": group, "from": user, "date": 1,
              "old_chat_member": {"status": "member", "user": user},
              "new_chat_member": {"status": "left", "user": user}}  # fmt: skip
    return [
        {"message": {**base, "text": "Hello"}},
        {"message": {**base, "text": "/chats", "entities": [command]}},
        {"message": {**base, "text": "/new Why?", "entities": [{**command, "length": 4}]}},
        {"message": {**base, "text": "Name", "reply_to_message": prompt}},
        {"message": {**base, "chat": group, "text": "@test_bot hi", "entities": [mention]}},
        {"message": {**base, "chat": group, "text": "hi", "sender_chat": channel}},
        {"message": {**base, "voice": {**file, "duration": 1}}},
        {"message": {**base, "photo": [{**file, "width": 1, "height": 1}], "caption": "x"}},
        {"message": {**base, "chat": group, "new_chat_members": [user]}},
        {"message": {**base, "is_topic_message": True, "message_thread_id": 7, "text": "hi"}},
        {"edited_message": {**base, "edit_date": 2, "text": "Hello?"}},
        {"channel_post": {**base, "from": None, "chat": channel, "text": "post"}},
        {"edited_channel_post": {**base, "from": None, "chat": channel, "edit_date": 2}},
        {"callback_query": {**press, "message": {**base, "from": BOT_USER, "text": "menu"}}},
        {"callback_query": {**press, "message": {"message_id": 5, "date": 0, "chat": private}}},
        {"callback_query": {**press, "inline_message_id": "abc"}},
        {"stopped_message_generation": {"chat": private, "draft_id": 5}},
        {"my_chat_member": member},
        {"chat_member": member},
        {"message_reaction": {"chat": group, "message_id": 5, "user": user, "date": 1,
                              "old_reaction": [], "new_reaction": []}},
        {"inline_query": {"id": "1", "from": user, "query": "x", "offset": ""}},
        {"poll_answer": {"poll_id": "1", "user": user, "option_ids": [0]}},
        {"business_message": {**base, "business_connection_id": "b", "text": "hi"}},
        {"widget_answer": {"from": user, "text": "of a kind that is not known yet"}},
        {"message": None},
        {},
    ]  # fmt: skip


def mutated(dice: random.Random, update: dict[str, Any]) -> dict[str, Any]:
    """Replace, remove or add a few values somewhere in an update."""
    update = copy.deepcopy(update)
    for _ in range(dice.randrange(1, 4)):
        place: Any = update
        while isinstance(place, dict) and place:
            key = dice.choice(list(place))
            if isinstance(place[key], dict) and place[key] and dice.random() < 0.8:
                place = place[key]
                continue
            if dice.random() < 0.2:
                del place[key]
            else:
                alike = [junk for junk in JUNK if type(junk) is type(place[key])]
                place[key] = dice.choice(alike if alike and dice.random() < 0.8 else JUNK)
            break
    return update


async def test_updates_of_all_kinds_whole_and_bent(
    dispatcher: Dispatcher, bot: Bot, manager: ConversationManager, folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    [chat] = await fill(manager, VICTIM, 1)
    [own] = await fill(manager, STRANGER, 1)
    before = tree(folder / f"user_{VICTIM}")
    dice = random.Random(7)
    raw = [update for chat_id in (chat, own) for update in samples(chat_id)]
    kinds = {kind for update in raw for kind in update}
    raw += [
        {kind: junk} for kind in Update.model_fields if kind not in kinds for junk in JUNK[:14]
    ]
    raw += [mutated(dice, dice.choice(raw[:52])) for _ in range(1500)]
    numbered = [update | {"update_id": number} for number, update in enumerate(raw)]
    content = json.dumps({"ok": True, "result": numbered})
    updates = ResilientSession().check_response(bot, GetUpdates(), 200, content).result or []
    assert [update.update_id for update in updates] == list(range(len(raw)))
    decoded = [update for update in updates if update.model_fields_set != {"update_id"}]
    assert len(decoded) > 500, "many of them reach the handlers"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # aiogram's, of unknown kinds
        for update in updates:
            await dispatcher.feed_update(bot, update)
    await dispatcher.emit_shutdown(bot=bot)
    assert tree(folder / f"user_{VICTIM}") == before
    assert [shown.conversation_id for shown in await manager.list_conversations(STRANGER)]
    wrong = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert [line for line in wrong if "cannot be decoded" not in line] == []
