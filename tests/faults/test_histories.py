"""A short run of the random histories; and that they would find what they are to find."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis.errors import Flaky

from conversations import (
    ConversationManager,
    ConversationMessage,
    ConversationMetadata,
    JsonStorage,
    StorageError,
    chat_file,
    user_folder,
)
from conversations.chat_file import ChatFile
from conversations.durable import replace_file
from conversations.folder_state import FolderState
from conversations.folders import Folders
from conversations.user_folder import UserFolder
from tests.faults import history
from tests.faults.drafts import ChatRef, Draft, MessageRef
from tests.faults.drawn import VERBS
from tests.faults.histories import run_batch
from tests.faults.history import History, Opener, Tally
from tests.faults.places import ON_DISK, PostgresPlaces
from tests.storages import opened

# Verbs of the manager that no history calls, and why.
UNDRIVEN = {"export_all": "it reads chat by chat, so that others come in between"}


def test_every_verb_is_driven() -> None:
    methods = inspect.getmembers(ConversationManager, inspect.iscoroutinefunction)
    verbs = {name for name, _ in methods if not name.startswith("_")}
    assert VERBS.keys() | UNDRIVEN.keys() == verbs
    assert VERBS.keys().isdisjoint(UNDRIVEN)


def live(opener: Opener, histories: int) -> None:
    tally = Tally()
    run_batch(opener, 1, histories, tally, shrinks=False)  # which may take minutes
    assert tally.histories >= histories
    assert tally.calls > 10 * histories
    assert min(tally.at_once, tally.cancelled, tally.restarts, tally.kills) > histories // 4


def test_histories_on_a_disk() -> None:
    live(ON_DISK["json"], 30)


def test_histories_without_a_cache() -> None:
    live(ON_DISK["json without a cache"], 10)


def test_histories_in_postgres(database_url: str) -> None:
    postgres = PostgresPlaces(database_url)
    live(postgres, 8)
    asyncio.run(postgres.clean())


@pytest.mark.parametrize("turns", range(8))
def test_what_does_not_show_is_told_apart(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message in the trash, replaced by one of as many tokens, by a call that is cancelled."""
    monkeypatch.setattr(history, "note", lambda text: None)  # hypothesis does not run it
    machine = type("Machine", (History,), {"opener": staticmethod(opened), "tally": Tally()})()
    deleted, new = ChatRef("deleted", 0), ConversationMessage("", 9, "bot_answer", "New.", 5)
    arguments = deleted, MessageRef(1, new), new
    replace = Draft("replace_message", 1001, arguments, {"include_deleted": True})
    restore = Draft("restore_conversation", 1001, (deleted,), {"activate": False})
    try:
        machine.begin(users=1)
        machine.cancelled(draft=replace, turns=turns)
        machine.one(draft=restore)
    finally:
        machine.teardown()


# Mistakes that a storage or the manager might have; each is one that was made somewhere.


def stores_the_same_message_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ChatFile, "_contains", lambda chat, line: False)


def leaves_the_pointer_at_a_deleted_chat(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FolderState, "mend_pointer", lambda state: None)


def lets_a_model_rename_what_a_person_named(patch: pytest.MonkeyPatch) -> None:
    def rename(folder: UserFolder, chat_id: str, name: str, source: Any) -> bool:
        chat = folder._chats.chat(chat_id)
        if chat is None:
            return False
        chat.metadata.name, chat.metadata.name_source = name, source
        folder._state.commit(chat)
        return True

    patch.setattr(UserFolder, "rename", rename)


def writes_after_it_was_cancelled(patch: pytest.MonkeyPatch) -> None:
    late: list[Any] = []
    on_folder = Folders._do

    async def do(folders: Folders, *verb: Any) -> Any:
        older = [late.pop()] if late else []
        try:
            result = await on_folder(folders, *verb)
        except BaseException:
            late.append((folders, *verb))
            raise
        for arguments in older:
            if arguments[0] is folders:
                await on_folder(*arguments)
        return result

    patch.setattr(Folders, "_do", do)


async def append(storage: JsonStorage, *arguments: Any, **options: Any) -> bool:
    return await original_append(storage, *arguments, **options)


original_append = JsonStorage.append


def activates_the_chat_of_a_late_answer(patch: pytest.MonkeyPatch) -> None:
    async def append_and_activate(
        storage: JsonStorage, user_id: int, chat: str, message: ConversationMessage, **rest: Any
    ) -> bool:
        added = await append(storage, user_id, chat, message, **rest)
        if added and message.type == "bot_answer":
            await storage.activate(user_id, chat)
        return added

    patch.setattr(JsonStorage, "append", append_and_activate)


def adds_to_a_chat_of_another_user(patch: pytest.MonkeyPatch) -> None:
    async def append_anywhere(
        storage: JsonStorage, user_id: int, chat: str, message: ConversationMessage, **rest: Any
    ) -> bool:
        for owner in (user_id, 1001, -100200, 7):
            if await append(storage, owner, chat, message, **rest):
                return True
        return False

    patch.setattr(JsonStorage, "append", append_anywhere)


def lets_time_go_back(patch: pytest.MonkeyPatch) -> None:
    def last(first: Any, *rest: Any, key: Any = None) -> Any:
        return rest[-1] if key is not None else max(first, *rest)

    patch.setattr(chat_file, "max", last, raising=False)


def keeps_the_trash_for_ever(patch: pytest.MonkeyPatch) -> None:
    purge = UserFolder.purge

    def purge_all_or_none(folder: UserFolder, *, deleted_before: str | None) -> int:
        return purge(folder, deleted_before=None) if deleted_before is None else 0

    patch.setattr(UserFolder, "purge", purge_all_or_none)


def asks_in_two_steps(patch: pytest.MonkeyPatch) -> None:
    add_question = ConversationManager.add_question

    async def create_and_add(
        manager: ConversationManager, user_id: int, username: str, message: ConversationMessage
    ) -> ConversationMetadata:
        if await manager.get_active_conversation_id(user_id) is None:
            await manager.create_conversation(user_id, username, "")
        return await add_question(manager, user_id, username, message)

    patch.setattr(ConversationManager, "add_question", create_and_add)


def forgets_pins_at_a_restart(patch: pytest.MonkeyPatch) -> None:
    def pin(folder: UserFolder, chat_id: str, *, pinned: bool) -> bool:
        entry = folder._chats.entry(chat_id)
        if entry is not None:
            entry.metadata.pinned = pinned
        return entry is not None

    patch.setattr(UserFolder, "pin", pin)


def removes_before_it_moves(patch: pytest.MonkeyPatch) -> None:
    def move(source: Path, target: Path) -> None:
        data = source.read_bytes()
        source.unlink()
        replace_file(target, data)

    patch.setattr(user_folder, "move_file", move)


def miscounts_after_a_replacement(patch: pytest.MonkeyPatch) -> None:
    replace = ChatFile.replace

    def replace_alone(chat: ChatFile, old: ConversationMessage, new: ConversationMessage) -> bool:
        tokens = chat.metadata.total_tokens
        replaced = replace(chat, old, new)
        chat.metadata.total_tokens = tokens
        return replaced

    patch.setattr(ChatFile, "replace", replace_alone)


MISTAKES = [
    stores_the_same_message_twice,
    leaves_the_pointer_at_a_deleted_chat,
    lets_a_model_rename_what_a_person_named,
    writes_after_it_was_cancelled,
    activates_the_chat_of_a_late_answer,
    adds_to_a_chat_of_another_user,
    lets_time_go_back,
    keeps_the_trash_for_ever,
    asks_in_two_steps,
    forgets_pins_at_a_restart,
    removes_before_it_moves,
    miscounts_after_a_replacement,
]


def live_through() -> None:
    for seed in range(10):
        run_batch(opened, seed, 25, Tally(), shrinks=False)


@pytest.mark.parametrize("make", MISTAKES, ids=lambda make: make.__name__)
def test_a_mistake_is_found(
    make: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(monkeypatch)
    # Flaky is what differs the second time, when the threads were faster.
    with pytest.raises((AssertionError, StorageError, Flaky)):
        live_through()
