"""The rules above the storage: names, the active chat, order, the trash, errors and types."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from conversations import (
    Conversation,
    ConversationManager,
    ConversationMessage,
    InvalidNameError,
    JsonStorage,
    StorageError,
)
from tests.storages import USER, Clock, answer, managed, new_chat, opened, question, texts


@pytest.fixture
async def chats(tmp_path: Path) -> AsyncIterator[ConversationManager]:
    async with managed(tmp_path) as manager:
        yield manager


async def names(manager: ConversationManager) -> list[str]:
    return [chat.name for chat in await manager.list_conversations(USER)]


async def test_pinned_chats_come_first_then_the_latest(chats: ConversationManager) -> None:
    first = await chats.create_conversation(USER, "anna", "first")
    second = await chats.create_conversation(USER, "anna", "second")
    await chats.create_conversation(USER, "anna", "third")
    assert await names(chats) == ["third", "second", "first"]

    await chats.add_message(USER, first, question("again"))
    assert await names(chats) == ["first", "third", "second"]

    assert await chats.pin_conversation(USER, second) is True
    assert await names(chats) == ["second", "first", "third"]
    assert await chats.pin_conversation(USER, second, pinned=False) is True
    assert await names(chats) == ["first", "third", "second"]


async def test_a_chat_in_the_trash_is_loaded_for_whoever_says_so(
    chats: ConversationManager,
) -> None:
    chat = await chats.create_conversation(USER, "anna", "gone")
    await chats.add_message(USER, chat, question("why?"))
    living = await chats.load_conversation(USER, chat, include_deleted=True)
    assert living is not None
    assert living.metadata.deleted_at is None
    await chats.delete_conversation(USER, chat)
    assert await chats.load_conversation(USER, chat) is None
    deleted = await chats.load_conversation(USER, chat, include_deleted=True)
    assert deleted is not None
    assert texts(deleted.messages) == ["why?"]
    assert deleted.metadata.deleted_at is not None
    assert await chats.load_conversation(USER, "another", include_deleted=True) is None


async def test_limits(chats: ConversationManager) -> None:
    chat = await chats.create_conversation(USER, "anna", "numbers")
    for number in range(30):
        await chats.add_message(USER, chat, question(str(number), number))
    assert texts(await chats.get_messages(USER, chat)) == [str(n) for n in range(10, 30)]
    assert texts(await chats.get_messages(USER, chat, limit=2)) == ["28", "29"]
    assert await chats.get_messages(USER, chat, limit=0) == []
    assert await chats.get_messages(USER, chat, limit=-3) == []
    assert len(await chats.get_messages(USER, chat, limit=10**30)) == 30


async def test_an_empty_chat_takes_its_name_from_its_first_question(
    chats: ConversationManager,
) -> None:
    chat = await chats.create_conversation(USER, "anna", "  \u200b ")
    assert await names(chats) == ["New chat"]
    await chats.add_message(USER, chat, answer("Hello! Ask me.", 1))
    await chats.add_message(USER, chat, question("\u2800", 2))
    assert await names(chats) == ["New chat"]
    await chats.add_message(USER, chat, question("Где недорогой отель?", 3))
    assert await names(chats) == ["Где недорогой отель?"]
    await chats.add_message(USER, chat, question("А поезд?", 4))
    assert await names(chats) == ["Где недорогой отель?"]


async def test_a_name_by_its_user_stays(chats: ConversationManager) -> None:
    chat = await chats.create_conversation(USER, "anna", "")
    assert await chats.rename_conversation(USER, chat, " Мой\nчат ") is True
    await chats.add_message(USER, chat, question("Где отель?"))
    assert await names(chats) == ["Мой чат"]
    with pytest.raises(InvalidNameError):
        await chats.rename_conversation(USER, chat, "\u200b")
    with pytest.raises(InvalidNameError):
        await chats.rename_conversation(USER, chat, "x" * 65)
    assert await names(chats) == ["Мой чат"]
    assert await chats.rename_conversation(USER, "unknown", "x") is False


async def test_starting_reuses_an_empty_chat(chats: ConversationManager) -> None:
    chat = await chats.start_conversation(USER, "anna")
    assert await chats.start_conversation(USER, "anna") == chat
    await chats.add_message(USER, chat, question("one"))
    assert await chats.start_conversation(USER, "anna") != chat
    assert await names(chats) == ["New chat", "one"]


async def test_a_question_goes_to_the_active_chat_or_begins_the_first(
    chats: ConversationManager,
) -> None:
    first = await chats.add_question(USER, "anna", question("one", 1))
    assert (first.name, first.username, first.message_count, first.is_active) == (
        "one", "anna", 1, True,
    )  # fmt: skip
    await chats.set_mode(USER, first.conversation_id, "deep")
    asked = question("two", 2)
    second = await chats.add_question(USER, "anna", asked)
    assert (second.conversation_id, second.message_count) == (first.conversation_id, 2)
    assert asked.search_type == "deep"
    again = await chats.add_question(USER, "anna", asked)
    assert again.message_count == 2, "the very same question is stored once"


async def test_many_first_questions_at_once_share_a_chat(chats: ConversationManager) -> None:
    asked = [chats.add_question(USER, "anna", question(f"q{n}", n)) for n in range(1, 21)]
    assert len({chat.conversation_id for chat in await asyncio.gather(*asked)}) == 1
    [chat] = await chats.list_conversations(USER)
    assert (chat.message_count, chat.name) == (20, "q1")


async def test_one_chat_by_its_id(chats: ConversationManager) -> None:
    chat = await chats.create_conversation(USER, "anna", "one")
    await chats.create_conversation(USER, "anna", "two")
    found = await chats.get_conversation(USER, chat)
    assert found is not None
    assert (found.name, found.is_active) == ("one", False)
    assert await chats.get_conversation(USER, "unknown") is None
    assert await chats.get_conversation(USER + 1, chat) is None


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 5, 1, 12, tzinfo=UTC),
        datetime(2026, 5, 1, 12, 0, 0, 7, tzinfo=UTC),
        datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=3))),
    ],
)
async def test_times_are_stored_as_the_clock_tells_them(tmp_path: Path, now: datetime) -> None:
    async with opened(tmp_path) as storage:
        manager = ConversationManager(storage, clock=lambda: now)
        await manager.create_conversation(USER, "anna", "one")
        (chat,) = await manager.list_conversations(USER)
        assert chat.created_at == now.isoformat()


async def test_the_trash_shows_what_was_deleted_last_first(tmp_path: Path) -> None:
    """By the times of deletion, and not in the order in which the folder lists the files."""
    async with opened(tmp_path) as storage:
        manager = ConversationManager(storage, clock=Clock())
        for day in (3, 1, 4, 2):
            await storage.create(new_chat(f"day-{day}"))
            deleted_at = f"2026-05-0{day}T12:00:00+00:00"
            await storage.delete(
                USER, f"day-{day}", deleted_at=deleted_at, successor=new_chat("left")
            )
        deleted = [chat.conversation_id for chat in await manager.list_deleted(USER)]
        assert deleted == ["day-4", "day-3", "day-2", "day-1"]


async def test_the_trash_forgets_after_its_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        clock = Clock()
        manager = ConversationManager(storage, clock=clock)
        early = await manager.create_conversation(USER, "anna", "early")
        late = await manager.create_conversation(USER, "anna", "late")
        kept = await manager.create_conversation(USER, "anna", "kept")
        assert await manager.delete_conversation(USER, early) is True
        clock.now += timedelta(days=20)
        assert await manager.delete_conversation(USER, late) is True
        assert [chat.name for chat in await manager.list_deleted(USER)] == ["late", "early"]

        clock.now += timedelta(days=11)
        assert [chat.name for chat in await manager.list_deleted(USER)] == ["late"]
        assert await manager.restore_conversation(USER, early) is False
        assert await manager.restore_conversation(USER, late, activate=True) is True
        assert await manager.get_active_conversation_id(USER) == late

        await manager.delete_conversation(USER, kept)
        assert await manager.empty_trash(USER) == 1
        assert await manager.list_deleted(USER) == []


async def test_what_cannot_be_read_is_not_called_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as storage:
        clock = Clock()
        manager = ConversationManager(storage, raise_errors=True, clock=clock)
        chats = [await manager.create_conversation(USER, "anna", name) for name in "ab"]
        for chat in chats:
            await manager.delete_conversation(USER, chat)
        read = Path.open

        def refuse(path: Path, *args: Any, **options: Any) -> Any:
            if path.stem == chats[0]:
                raise OSError(errno.EMFILE, "Too many open files", str(path))
            return read(path, *args, **options)

        with monkeypatch.context() as broken:
            broken.setattr(Path, "open", refuse)
            with pytest.raises(StorageError, match="Too many open files"):
                await manager.empty_trash(USER)
        assert [chat.name for chat in await manager.list_deleted(USER)] == ["a"]
        assert await manager.empty_trash(USER) == 1


async def test_a_purge_that_fails_hides_no_trash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as storage:
        clock = Clock()
        manager = ConversationManager(storage, raise_errors=True, clock=clock)
        early, late = [await manager.create_conversation(USER, "anna", n) for n in ("early", "b")]
        await manager.delete_conversation(USER, early)
        clock.now += timedelta(days=31)
        await manager.delete_conversation(USER, late)
        with monkeypatch.context() as broken:
            broken.setattr(storage, "purge", AsyncMock(side_effect=StorageError("read-only")))
            assert [chat.name for chat in await manager.list_deleted(USER)] == ["b"]
        assert [chat.name for chat in await manager.list_deleted(USER)] == ["b"]
        assert await manager.empty_trash(USER) == 1


async def test_a_clock_that_is_set_back_changes_no_order(tmp_path: Path) -> None:
    now = datetime(2026, 11, 1, 12, tzinfo=UTC)
    storage = JsonStorage(tmp_path)
    manager = ConversationManager(storage, clock=lambda: now)
    first = await manager.create_conversation(USER, "anna", "first")
    second = await manager.create_conversation(USER, "anna", "second")
    now -= timedelta(hours=1)
    third = await manager.create_conversation(USER, "anna", "third")

    async def order() -> list[str]:
        return [chat.conversation_id for chat in await manager.list_conversations(USER)]

    assert await order() == [third, second, first]
    assert await manager.add_message(USER, first, question("x"))
    assert await order() == [first, third, second]
    assert await manager.delete_conversation(USER, first)
    assert await manager.get_active_conversation_id(USER) == third
    now -= timedelta(days=40)
    assert await manager.delete_conversation(USER, third)
    assert [chat.conversation_id for chat in await manager.list_deleted(USER)] == [third, first]
    await storage.close()


async def test_deleting_the_last_chat_leaves_a_fresh_one(chats: ConversationManager) -> None:
    chat = await chats.create_conversation(USER, "anna", "only")
    assert await chats.delete_conversation(USER, chat) is True
    [fresh] = await chats.list_conversations(USER)
    assert (fresh.name, fresh.username, fresh.message_count) == ("New chat", "anna", 0)
    assert await chats.get_active_conversation_id(USER) == fresh.conversation_id
    assert await chats.delete_conversation(USER, "unknown") is False


async def test_what_metadata_by_hand_leave_blank_is_filled_in(tmp_path: Path) -> None:
    chat = Conversation(new_chat("a"), [answer("Hello", 1), question("Where is the hotel?", 2)])
    chat.metadata.name = " "
    chat.metadata.created_at = chat.metadata.updated_at = ""
    async with managed(tmp_path) as manager:
        assert await manager.save_conversation(chat) is True
        before = await manager.list_conversations(USER)
    async with managed(tmp_path) as manager:
        [listed] = await manager.list_conversations(USER)
    assert before == [listed]
    assert (listed.name, listed.updated_at) == ("Where is the hotel?", "2026-05-01T12:00:01+00:00")


async def test_what_is_done_to_a_saved_chat_afterwards_is_not_stored(
    chats: ConversationManager,
) -> None:
    chat = Conversation(new_chat("a", name="A"), [question("one")])
    assert await chats.save_conversation(chat) is True
    chat.metadata.name = "never saved"
    chat.messages[0].text = "never saved"
    [listed] = await chats.list_conversations(USER)
    assert listed.name == "A"
    assert await chats.get_messages(USER, "a") == [question("one")]


async def test_a_chat_without_a_name_and_a_question_has_the_default_name(
    chats: ConversationManager,
) -> None:
    chat = Conversation(new_chat("a"), [answer("Hello", 1)])
    chat.metadata.name = ""
    assert await chats.save_conversation(chat) is True
    [listed] = await chats.list_conversations(USER)
    assert listed.name == "New chat"


async def test_who_deletes_all_chats_has_an_empty_one_of_their_own(
    chats: ConversationManager,
) -> None:
    ids = [await chats.create_conversation(USER, "anna", name) for name in ("one", "two")]
    assert await chats.delete_conversations(USER, ids) == 2
    [fresh] = await chats.list_conversations(USER)
    assert (fresh.user_id, fresh.username, fresh.message_count) == (USER, "anna", 0)


async def test_replacing_a_message(chats: ConversationManager) -> None:
    chat = await chats.create_conversation(USER, "anna", "one")
    unsent = replace(answer("Hello"), message_id=0, sent_as=None)
    await chats.add_message(USER, chat, unsent)
    assert await chats.replace_message(USER, chat, unsent, answer("Hello", 5)) is True
    assert await chats.get_messages(USER, chat) == [answer("Hello", 5)]
    assert await chats.replace_message(USER, chat, answer("no"), answer("x")) is False


async def test_the_index_is_a_dictionary_in_the_format_of_the_file(
    chats: ConversationManager,
) -> None:
    assert await chats.load_index(USER) == {
        "user_id": 1001,
        "username": "",
        "last_active_conversation_id": None,
        "conversations": [],
    }
    chat = await chats.create_conversation(USER, "anna", "one")
    assert await chats.load_index(USER) == {
        "user_id": 1001,
        "username": "anna",
        "last_active_conversation_id": chat,
        "conversations": [
            {
                "conversation_id": chat,
                "user_id": 1001,
                "username": "anna",
                "name": "one",
                "created_at": "2026-05-01T12:00:01+00:00",
                "updated_at": "2026-05-01T12:00:01+00:00",
                "is_active": True,
                "message_count": 0,
                "total_tokens": 0,
            }
        ],
    }


Call = Callable[[ConversationManager], Awaitable[Any]]
CALLS: dict[str, tuple[Call, Any]] = {
    "load": (lambda m: m.load_conversation(USER, "a"), None),
    "save": (lambda m: m.save_conversation(Conversation(new_chat("a"))), False),
    "delete": (lambda m: m.delete_conversation(USER, "a"), False),
    "active id": (lambda m: m.get_active_conversation_id(USER), None),
    "set active": (lambda m: m.set_active_conversation(USER, "a"), False),
    "add": (lambda m: m.add_message(USER, "a", question("x")), False),
    "messages": (lambda m: m.get_messages(USER, "a"), []),
    "list": (lambda m: m.list_conversations(USER), []),
    "rename": (lambda m: m.rename_conversation(USER, "a", "x"), False),
    "pin": (lambda m: m.pin_conversation(USER, "a"), False),
    "active": (lambda m: m.get_active_conversation(USER), None),
    "get": (lambda m: m.get_conversation(USER, "a"), None),
    "replace": (lambda m: m.replace_message(USER, "a", question("x"), question("y")), False),
    "deleted": (lambda m: m.list_deleted(USER), []),
    "restore": (lambda m: m.restore_conversation(USER, "a"), False),
    "empty trash": (lambda m: m.empty_trash(USER), 0),
    "damage": (lambda m: m.take_damage_report(USER), 0),
    "index": (
        lambda m: m.load_index(USER),
        {
            "user_id": USER,
            "username": "",
            "last_active_conversation_id": None,
            "conversations": [],
        },
    ),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_storage_that_fails_gives_the_empty_result_and_a_log_entry(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "chats").write_text("a file where the folder should be")
    call, empty = CALLS[name]
    async with managed(tmp_path / "chats", raise_errors=False) as manager:
        assert await call(manager) == empty
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    async with managed(tmp_path / "chats", raise_errors=True) as manager:
        with pytest.raises(StorageError, match="chats"):
            await call(manager)


@pytest.mark.parametrize("raise_errors", [True, False])
async def test_creating_always_raises(tmp_path: Path, raise_errors: bool) -> None:
    (tmp_path / "chats").write_text("a file where the folder should be")
    async with managed(tmp_path / "chats", raise_errors=raise_errors) as manager:
        for create in (
            manager.create_conversation(USER, "anna", "one"),
            manager.start_conversation(USER, "anna"),
            manager.add_question(USER, "anna", question("x")),
        ):
            with pytest.raises(StorageError):
                await create


def message(**changes: Any) -> ConversationMessage:
    return replace(question("x"), **changes)


WRONG: dict[str, Call] = {
    "user_id str": lambda m: m.list_conversations("1001"),  # type: ignore[arg-type]
    "user_id bool": lambda m: m.load_index(True),
    "user_id None": lambda m: m.get_active_conversation_id(None),  # type: ignore[arg-type]
    "user_id float": lambda m: m.add_message(1.0, "a", question("x")),  # type: ignore[arg-type]
    "user_id of a new chat": lambda m: m.create_conversation(False, "anna", "x"),
    "username": lambda m: m.create_conversation(USER, None, "x"),  # type: ignore[arg-type]
    "username at start": lambda m: m.start_conversation(USER, None),  # type: ignore[arg-type]
    "username to ask": lambda m: m.add_question(USER, 5, question("x")),  # type: ignore[arg-type]
    "question to ask": lambda m: m.add_question(USER, "anna", "x"),  # type: ignore[arg-type]
    "first_question": lambda m: m.create_conversation(USER, "anna", b"x"),  # type: ignore[arg-type]
    "conversation_id": lambda m: m.load_conversation(USER, 5),  # type: ignore[arg-type]
    "id to delete": lambda m: m.delete_conversation(USER, None),  # type: ignore[arg-type]
    "id to activate": lambda m: m.set_active_conversation(USER, b"a"),  # type: ignore[arg-type]
    "id to restore": lambda m: m.restore_conversation(USER, 5),  # type: ignore[arg-type]
    "limit": lambda m: m.get_messages(USER, "a", limit="20"),  # type: ignore[arg-type]
    "limit bool": lambda m: m.get_messages(USER, "a", limit=True),
    "name": lambda m: m.rename_conversation(USER, "a", 5),  # type: ignore[arg-type]
    "pinned": lambda m: m.pin_conversation(USER, "a", pinned=1),  # type: ignore[arg-type]
    "conversation": lambda m: m.save_conversation({}),  # type: ignore[arg-type]
    "message dict": lambda m: m.add_message(USER, "a", {"text": "x"}),  # type: ignore[arg-type]
    "text": lambda m: m.add_message(USER, "a", message(text=None)),
    "text list": lambda m: m.add_message(USER, "a", message(text=["x"])),
    "type": lambda m: m.add_message(USER, "a", message(type=None)),
    "tokens": lambda m: m.add_message(USER, "a", message(tokens="5")),
    "tokens bool": lambda m: m.add_message(USER, "a", message(tokens=True)),
    "message_id": lambda m: m.add_message(USER, "a", message(message_id=None)),
    "timestamp": lambda m: m.add_message(USER, "a", message(timestamp=5)),
    "old": lambda m: m.replace_message(USER, "a", None, question("x")),  # type: ignore[arg-type]
    "new": lambda m: m.replace_message(USER, "a", question("x"), message(text=5)),
    "saved message": lambda m: m.save_conversation(
        Conversation(new_chat("a"), [message(text=None)])
    ),
    "deleted of": lambda m: m.list_deleted(2.5),  # type: ignore[arg-type]
    "trash of": lambda m: m.empty_trash("x"),  # type: ignore[arg-type]
    "damage of": lambda m: m.take_damage_report(True),
}


@pytest.mark.parametrize("raise_errors", [True, False])
@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_type_is_a_mistake_of_the_caller(
    tmp_path: Path,
    name: str,
    raise_errors: bool,
) -> None:
    async with managed(tmp_path, raise_errors=raise_errors) as manager:
        with pytest.raises(TypeError, match="must be"):
            await WRONG[name](manager)
    assert list(tmp_path.iterdir()) == []


async def test_nothing_is_opened_before_the_first_call(tmp_path: Path) -> None:
    ConversationManager(JsonStorage(tmp_path / "chats"))
    assert list(tmp_path.iterdir()) == []
