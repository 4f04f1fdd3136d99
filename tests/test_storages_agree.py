"""Any calls in any order: chats in PostgreSQL become what they become in files."""

from __future__ import annotations

import copy
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conversations import (
    Conversation,
    ConversationMetadata,
    ConversationStorage,
    StorageError,
    Words,
)
from tests.postgres_server import opened_postgres
from tests.storages import answer, new_chat, opened, question

# High surrogates alone: JSON makes one character of a high one and a low one.
_TEXTS = st.text('ab"\\\n\x00\x1a\ud800я😀', max_size=3)
_TIMES = st.sampled_from(
    ["2026-05-01T10:30:00", "2026-05-01T12:00:00+05:00", "2026-05-01T09:00:00Z", "no time"]
)
_VERBS = st.sampled_from(
    [*("create", "append", "append_to_active", "replace", "save", "delete", "restore") * 2,
     "rename", "set_mode", "pin", "activate", "purge",
     "fork", "remove_last_exchange", "search", "find_message"]
)  # fmt: skip


class Step(NamedTuple):
    verb: str
    which: int  # of the chats that there are
    number: int  # of the message
    text: str
    time: str
    one: bool
    other: bool

    @property
    def name(self) -> str:
        return f"n{self.text}"  # blank names are nowhere given, and mean "unknown" in files


_STEPS = st.lists(
    st.builds(
        Step, _VERBS, st.integers(0, 3), st.integers(0, 2), _TEXTS, _TIMES, st.booleans(),
        st.booleans(),
    ),
    max_size=20,
)  # fmt: skip


async def take(
    storage: ConversationStorage, step: Step, chat: str, new: ConversationMetadata
) -> Any:
    """Make one call; what it refuses with an error is an outcome as well."""
    user, new = new.user_id, copy.deepcopy(new)
    old = question(step.text, step.number, tokens=step.number)
    message = answer(step.text, step.number, tokens=7) if step.other else copy.deepcopy(old)
    message.pieces = (step.number + 1,) if step.which else ()
    if step.one:
        message.extra = {step.text: [step.text, None]}
    match step.verb:
        case "create":
            choice: Any = (None, "any", "empty")[step.number]
            return await storage.create(new, unless_active=choice)
        case "append":
            return await storage.append(
                user, chat, message, updated_at=step.time,
                first_name=step.name if step.one else None, include_deleted=step.which > 1,
            )  # fmt: skip
        case "append_to_active":
            return await storage.append_to_active(
                new, message, updated_at=step.time, first_name=step.name
            )
        case "replace":
            return await storage.replace(user, chat, old, message, include_deleted=step.one)
        case "save":
            conversation = await storage.load(user, chat) or Conversation(new)
            conversation.metadata.mode = "deep"
            conversation.messages = [message, *conversation.messages[step.number :]]
            if step.one:
                conversation.revision = None
            return await storage.save(conversation), conversation.metadata
        case "delete":
            return await storage.delete(user, chat, deleted_at=step.time, successor=new)
        case "restore":
            return await storage.restore(user, chat, activate=step.one)
        case "fork":
            up_to = step.number if step.one else None
            forks = [
                await storage.fork(user, chat, copy.deepcopy(new), up_to_message_id=up_to)
                for _ in range(1 + step.other)
            ]
            return forks, new
        case "remove_last_exchange":
            return await storage.remove_last_exchange(user, chat)
        case "search":
            return await storage.search(user, Words.of(step.text), 1 + step.which)
        case "find_message":
            return await storage.find_message(user, step.number)
        case "rename":
            source: Any = ("model", "user", "question")[step.number]
            return await storage.rename(user, chat, step.name, source)
        case "set_mode":
            return await storage.set_mode(user, chat, "deep" if step.one else "fast")
        case "pin":
            return await storage.pin(user, chat, pinned=step.one)
        case "activate":
            return await storage.activate(user, chat)
        case _:
            return await storage.purge(user, deleted_before=step.time if step.one else None)


async def outcome(storage: ConversationStorage, *call: Any) -> Any:
    try:
        return await take(storage, *call)
    except StorageError:
        return StorageError


async def state(storage: ConversationStorage, user_id: int) -> tuple[Any, ...]:
    index = await storage.read_index(user_id)
    index.conversations.sort(key=lambda chat: chat.conversation_id)
    trash = await storage.read_trash(user_id)
    trash.sort(key=lambda chat: chat.conversation_id)
    chats = [await storage.load(user_id, chat.conversation_id) for chat in index.conversations]
    last = [
        await storage.read_last(user_id, chat.conversation_id, 2) for chat in index.conversations
    ]
    return index, trash, chats, last


@pytest.fixture
async def storages(database_url: str, tmp_path: Path) -> AsyncIterator[list[ConversationStorage]]:
    async with AsyncExitStack() as stack:
        files = await stack.enter_async_context(opened(tmp_path))
        yield [files, await stack.enter_async_context(opened_postgres(database_url))]


USERS = itertools.count(1)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # minutes are saved; with Phase.shrink it finds the shortest story
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_STEPS)
async def test_the_same_calls_have_the_same_outcome(
    storages: list[ConversationStorage], steps: list[Step]
) -> None:
    user = next(USERS)
    known: list[str] = []
    for number, step in enumerate(steps):
        chat = known[step.which % len(known)] if known else "none"
        new = new_chat(
            f"c{number}", user_id=user, minute=number, name=step.text if step.one else ""
        )
        files, postgres = [await outcome(storage, step, chat, new) for storage in storages]
        assert files == postgres, step
        files, postgres = [await state(storage, user) for storage in storages]
        assert files == postgres, step
        known = sorted(entry.conversation_id for entry in (*files[0].conversations, *files[1]))
