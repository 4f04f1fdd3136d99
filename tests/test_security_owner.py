"""Nobody reaches another person's chats: by no button, reply, command, edit or stop.

Whatever a stranger sends with the ids of somebody else, that person's folder stays as it is to the
byte, nothing of it is shown, and the answer is the one that an id which nobody has would get.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from aiogram.filters.callback_data import CallbackData
from aiogram.types import Message

from bot import callbacks
from bot.callbacks import (
    ChatAction,
    ChatButton,
    ForgetAction,
    ForgetButton,
    HitButton,
    InstructionsAction,
    InstructionsButton,
    MenuAction,
    MenuButton,
    SearchAction,
    SearchButton,
    SettingButton,
    SettingName,
    SweepAction,
    SweepButton,
    TransferAction,
    TransferButton,
    encode_moment,
    owner_mark,
    stamp_of,
)
from bot.commands import COMMANDS
from conversations import ConversationManager
from tests.storages import tree
from tests.telegram import Client, FakeTelegram, MakeClient
from tests.waiting import PATIENCE

VICTIM, STRANGER, GROUP = 1001, 2002, -1001234
SECRET = "canary"
UNKNOWN = str(uuid.UUID(int=7, version=4))
PLACES = pytest.mark.parametrize("chat_id", [0, GROUP], ids=["private", "group"])

# What a button of each class carries beside its action, its owner and its chat.
FILLED: dict[type[CallbackData], dict[str, Any]] = {
    ChatButton: {"stamp": stamp_of(2)},
    MenuButton: {"page": 0},
    TransferButton: {},
    SettingButton: {"value": "ru"},
    InstructionsButton: {},
    SweepButton: {"moment": encode_moment(datetime.now(UTC)), "stamp": "abcdef"},
    ForgetButton: {"stamp": "abcdef"},
    SearchButton: {"page": 0},
    HitButton: {"message": "abc"},
}
ACTION: dict[type[CallbackData], str] = {
    SettingButton: "name"
}  # what says it, where that is not `action`
ACTIONS: list[tuple[type[CallbackData], StrEnum | None]] = [
    *((ChatButton, action) for action in ChatAction),
    *((MenuButton, action) for action in MenuAction),
    *((TransferButton, action) for action in TransferAction),
    *((SettingButton, name) for name in SettingName),
    *((InstructionsButton, action) for action in InstructionsAction),
    *((SweepButton, action) for action in SweepAction),
    *((ForgetButton, action) for action in ForgetAction),
    *((SearchButton, action) for action in SearchAction),
    (HitButton, None),  # it does one thing
]


def test_every_kind_of_button_is_tried() -> None:
    kinds = [
        kind
        for kind in vars(callbacks).values()
        if isinstance(kind, type) and issubclass(kind, CallbackData) and kind is not CallbackData
    ]
    assert set(kinds) == set(FILLED)
    for kind in kinds:
        said_by = ACTION.get(kind, "action")
        fields = set(kind.model_fields) - {said_by, "owner", "chat"}
        assert fields == set(FILLED[kind])
        field = kind.model_fields.get(said_by)
        actions: Any = field.annotation if field is not None else {None}
        assert {tried for other, tried in ACTIONS if other is kind} == set(actions)


def test_a_mark_is_of_one_person() -> None:
    people = [0, 1, 35, 36, -1, -36, 2**53, 2**63, *range(1001, 1100)]
    assert len({owner_mark(person, GROUP) for person in people}) == len(people)
    assert {owner_mark(person, person) for person in people} == {""}


def forms(kind: type[CallbackData], action: StrEnum | None, chat: str) -> Iterator[str]:
    """Give a button's data as made for nobody, for the stranger, for the owner, for others."""
    for owner in ("", owner_mark(STRANGER, GROUP), owner_mark(VICTIM, GROUP), "zz", "0"):
        filled = {**FILLED[kind], "owner": owner}
        if action is not None:
            filled[ACTION.get(kind, "action")] = action
        if "chat" in kind.model_fields:
            filled["chat"] = chat
        yield kind(**filled).pack()


@dataclass
class Chats:
    active: str
    other: str
    deleted: str


@pytest.fixture
async def victim(make_client: MakeClient, manager: ConversationManager) -> Chats:
    """A person with an open chat of two messages, another chat, and a deleted one."""
    client = make_client(VICTIM)
    ids = []
    for name in ("deleted", "other", "active"):
        await client.send("/new")
        await client.ask(f"{SECRET} {name}")
        active = await manager.get_active_conversation_id(VICTIM)
        assert active is not None
        ids.append(active)
    await settle(manager)
    await manager.pin_conversation(VICTIM, ids[1])
    await manager.delete_conversation(VICTIM, ids[0])
    return Chats(deleted=ids[0], other=ids[1], active=ids[2])


async def settle(manager: ConversationManager) -> None:
    """Wait until every answer is noted as sent."""
    async with asyncio.timeout(PATIENCE):
        for chat in await manager.list_conversations(VICTIM):
            while not all(
                m.sent_as for m in await manager.get_messages(VICTIM, chat.conversation_id)
            ):
                await asyncio.sleep(0)


def said(telegram: FakeTelegram, since: int = 0) -> list[str]:
    """Give all that the bot sent, without the ids that grow by themselves."""
    changing = {"callback_query_id", "message_id", "draft_id", "reply_parameters", "document"}
    return [
        f"{type(call).__name__} {call.model_dump(warnings=False, exclude=changing)}"
        for call in telegram.calls[since:]
    ]


@PLACES
@pytest.mark.parametrize("kind", FILLED)
async def test_a_strangers_press_does_and_shows_nothing(
    kind: type[CallbackData], chat_id: int, victim: Chats, make_client: MakeClient,
    telegram: FakeTelegram, folder: Path,
) -> None:  # fmt: skip
    owner = make_client(VICTIM, chat_id=chat_id)
    stranger = make_client(STRANGER, chat_id=chat_id)
    await stranger.send("/chats")
    menu = stranger.screen
    if chat_id:
        await owner.send("/chats")
        menu = owner.screen
    pressed = owner if chat_id else stranger
    shown = telegram.messages[pressed.chat_id, menu.message_id].copy()
    before = tree(folder / f"user_{VICTIM}")
    ids = (victim.active, victim.other, victim.deleted)
    actions = [action for other, action in ACTIONS if other is kind]
    for action, chat in itertools.product(actions, ids):
        both = zip(forms(kind, action, chat), forms(kind, action, UNKNOWN), strict=True)
        for data, unknown in both:
            told, told_of_unknown = [await answers(stranger, one, menu) for one in (data, unknown)]
            assert any(line.startswith("AnswerCallbackQuery") for line in told), data
            assert SECRET not in "".join(told), data
            if kind in {ChatButton, HitButton}:
                assert told == [line.replace(UNKNOWN, chat) for line in told_of_unknown]
        assert tree(folder / f"user_{VICTIM}") == before, action
        if chat_id:
            assert telegram.messages[GROUP, menu.message_id] == shown, action


async def answers(client: Client, data: str, menu: Message) -> list[str]:
    start = len(client.telegram.calls)
    await client.press_data(data, menu)
    return said(client.telegram, start)


TAKEN = [action for action in ChatAction if action is not ChatAction.STOP]


@pytest.mark.parametrize("action", TAKEN)
async def test_the_owners_press_is_taken(
    action: ChatAction, victim: Chats, make_client: MakeClient, telegram: FakeTelegram
) -> None:
    """What the test above presses are real buttons."""
    undo = {ChatAction.UNDO, ChatAction.UNDO_ACTIVE}
    restore = {ChatAction.RESTORE, ChatAction.RESTORE_BELOW}
    chat = victim.deleted if action in undo | restore else victim.active
    owner = make_client(VICTIM)
    await owner.send("/chats")
    start = len(telegram.calls)
    await owner.press_data(next(forms(ChatButton, action, chat)))
    again = dict.fromkeys((ChatAction.AGAIN, ChatAction.REGENERATE), "Newer questions")
    expected = again.get(action, SECRET)
    await telegram.wait_for(lambda: expected in "".join(said(telegram, start)))


@PLACES
async def test_a_strangers_reply_names_nothing(
    chat_id: int, victim: Chats, make_client: MakeClient, telegram: FakeTelegram, folder: Path
) -> None:
    """Replies to the prompt itself, and to forged ones with whatever owner."""
    owner, stranger = make_client(VICTIM, chat_id=chat_id), make_client(STRANGER, chat_id=chat_id)
    await owner.send("/rename")
    before, start = tree(folder / f"user_{VICTIM}"), len(telegram.calls)
    prompts = [telegram.messages[owner.chat_id, owner.screen.message_id]]
    for chat in (victim.active, victim.deleted, UNKNOWN):
        for data in forms(ChatButton, ChatAction.CANCEL_RENAME, chat):
            button = {"text": "Cancel", "callback_data": data}
            prompts.append({**prompts[0], "reply_markup": {"inline_keyboard": [[button]]}})
    for prompt in prompts:
        message = stranger.message("Mine") | {"reply_to_message": prompt}
        await stranger.feed(message=message)
        await stranger.feed(message={**message, "text": None, "voice": VOICE})
    assert tree(folder / f"user_{VICTIM}") == before
    answers = said(telegram, start)
    assert len(answers) == 2 * len(prompts)
    assert SECRET not in "".join(answers)


VOICE = {"file_id": "x", "file_unique_id": "x", "duration": 1}


@PLACES
async def test_a_strangers_commands_and_edits_are_about_their_own_chats(
    chat_id: int, victim: Chats, make_client: MakeClient, telegram: FakeTelegram, folder: Path
) -> None:
    before, start = tree(folder / f"user_{VICTIM}"), len(telegram.calls)
    stranger = make_client(STRANGER, chat_id=chat_id)
    links = (f" cvh-{victim.active}", f" cvhabc-{victim.deleted}")
    for command in ("start", *COMMANDS):
        for argument in (
            "", f" {victim.active}", f" user_{VICTIM}", f" {VICTIM}", f" {SECRET}s", *links,
        ):  # fmt: skip
            await stranger.send(f"/{command}{argument}")
    mention = [{"type": "mention", "offset": 0, "length": 9}]
    for message_id in range(1, 20):  # those of the victim's questions are among them
        edited = stranger.message("@test_bot Mine now", entities=mention)
        await stranger.feed(edited_message={**edited, "message_id": message_id, "edit_date": 1})
        await stranger.send("/fork", reply_to_message={**edited, "message_id": message_id})
    await stranger.type(SECRET)
    assert tree(folder / f"user_{VICTIM}") == before
    answers = "".join(said(telegram, start)).replace(f"{SECRET}s", "")
    assert SECRET not in answers
