"""The contract of every storage; a new one joins `STORAGES` and has nothing else to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conversations import (
    Conversation,
    ConversationMetadata,
    ConversationStorage,
    Footprint,
    StorageClosedError,
    StorageError,
    UserIndex,
    Words,
)
from tests.file_format import assert_format
from tests.postgres_server import opened_postgres
from tests.storages import USER, answer, new_chat, opened, question, texts, tree

Opened = AbstractAsyncContextManager[ConversationStorage]
STORAGES: dict[str, Callable[[pytest.FixtureRequest, Path], Opened]] = {
    "json": lambda _, path: opened(path),
    "journal": lambda _, path: opened(path, journal=True),
    "postgres": lambda request, _: opened_postgres(request.getfixturevalue("database_url")),
}
BAD_IDS = ["../user_2/x", "..", "/etc/passwd", "index", "INDEX", "", "\x00", "a\n", "²", "x" * 300]
LATER = "2026-05-02T00:00:00+00:00"


@pytest.fixture(params=STORAGES)
async def storage(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ConversationStorage]:
    async with STORAGES[request.param](request, tmp_path / "chats") as storage:
        yield storage
    assert_format(tmp_path / "chats")


async def delete(
    storage: ConversationStorage, conversation_id: str, *, user_id: int = USER
) -> bool:
    successor = new_chat(f"after-{conversation_id}", user_id=user_id, minute=59)
    return await storage.delete(user_id, conversation_id, deleted_at=LATER, successor=successor)


async def active(storage: ConversationStorage) -> str | None:
    index = await storage.read_index(USER)
    flagged = [chat.conversation_id for chat in index.conversations if chat.is_active]
    pointer = index.last_active_conversation_id
    assert flagged == ([pointer] if pointer else [])
    return pointer


async def ids(storage: ConversationStorage) -> set[str]:
    return {chat.conversation_id for chat in (await storage.read_index(USER)).conversations}


async def index(storage: ConversationStorage) -> list[ConversationMetadata]:
    return (await storage.read_index(USER)).conversations


async def add(
    storage: ConversationStorage, conversation_id: str, text: str, message_id: int
) -> None:
    message = question(text, message_id, tokens=5)
    assert await storage.append(USER, conversation_id, message, updated_at=LATER)


async def read(storage: ConversationStorage, conversation_id: str) -> list[str]:
    conversation = await storage.load(USER, conversation_id)
    assert conversation is not None
    assert conversation.metadata.message_count == len(conversation.messages)
    assert conversation.metadata.total_tokens == sum(m.tokens for m in conversation.messages)
    return texts(conversation.messages)


class TestIndex:
    async def test_an_unknown_user_has_no_chats(self, storage: ConversationStorage) -> None:
        assert await storage.read_index(USER) == UserIndex(USER)

    async def test_create_activates_and_takes_the_username(
        self, storage: ConversationStorage
    ) -> None:
        assert await storage.create(new_chat("a", username="anna")) == "a"
        assert await storage.create(new_chat("b", username="anna_k")) == "b"
        index = await storage.read_index(USER)
        assert (index.username, index.last_active_conversation_id) == ("anna_k", "b")
        assert {chat.conversation_id: chat.username for chat in index.conversations} == {
            "a": "anna",
            "b": "anna_k",
        }

    async def test_creating_the_same_chat_again_is_creating_it_once(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        await storage.create(new_chat("a"))
        assert await ids(storage) == {"a"}

    async def test_an_id_that_is_taken_is_refused(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "one", 1)
        with pytest.raises(StorageError):
            await storage.create(new_chat("a", minute=1))
        assert await read(storage, "a") == ["one"]

    async def test_create_unless_one_is_active(self, storage: ConversationStorage) -> None:
        assert await storage.create(new_chat("a"), unless_active="any") == "a"
        assert await storage.create(new_chat("b"), unless_active="any") == "a"
        assert await storage.create(new_chat("c"), unless_active="empty") == "a"
        await add(storage, "a", "one", 1)
        assert await storage.create(new_chat("d"), unless_active="any") == "a"
        assert await storage.create(new_chat("e"), unless_active="empty") == "e"
        assert await ids(storage) == {"a", "e"}

    async def test_a_named_chat_is_not_taken_for_an_empty_one(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a", name="Plans"))
        assert await storage.create(new_chat("b"), unless_active="empty") == "b"

    async def test_one_chat_is_as_the_index_has_it(self, storage: ConversationStorage) -> None:
        assert await storage.read_metadata(USER, None) is None
        for number, chat in enumerate(("a", "b", "c", "d")):
            await storage.create(new_chat(chat, minute=number))
        await storage.pin(USER, "a", pinned=True)
        await add(storage, "b", "one", 1)
        await delete(storage, "c")
        for wanted in ("b", "d"):
            assert await storage.activate(USER, wanted)
            chats = {chat.conversation_id: chat for chat in await index(storage)}
            found = {chat: await storage.read_metadata(USER, chat) for chat in (*chats, "c")}
            assert found == {**chats, "c": None}
            assert await storage.read_metadata(USER, None) == chats[wanted]
            assert chats[wanted].is_active
        assert await storage.read_metadata(-100200, "a") is None

    async def test_activate(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await storage.create(new_chat("b"))
        assert await storage.activate(USER, "a") is True
        assert await active(storage) == "a"
        assert await storage.activate(USER, "nothing") is False
        assert await active(storage) == "a"

    async def test_users_do_not_see_each_other(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await storage.create(new_chat("b", user_id=-100200))
        assert await ids(storage) == {"a"}
        assert await storage.load(-100200, "a") is None
        assert await storage.activate(-100200, "a") is False
        assert await delete(storage, "a", user_id=-100200) is False
        assert await storage.rename(-100200, "a", "Mine", "user") is False
        assert await ids(storage) == {"a"}


class TestMessages:
    async def test_append_counts_and_keeps_the_order(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        for number in range(1, 31):
            await add(storage, "a", str(number), number)
        assert await read(storage, "a") == [str(number) for number in range(1, 31)]
        [metadata] = (await storage.read_index(USER)).conversations
        assert (metadata.message_count, metadata.total_tokens) == (30, 150)
        assert metadata.updated_at == LATER

    async def test_the_last_messages_oldest_first(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        for number in range(1, 6):
            await add(storage, "a", str(number), number)
        assert texts(await storage.read_last(USER, "a", 2)) == ["4", "5"]
        assert texts(await storage.read_last(USER, "a", 5)) == ["1", "2", "3", "4", "5"]
        assert texts(await storage.read_last(USER, "a", 10**30)) == ["1", "2", "3", "4", "5"]
        assert await storage.read_last(USER, "b", 2) == []

    async def test_more_of_the_last_messages_than_were_asked_for_before(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        for number in range(1, 31):
            await add(storage, "a", str(number), number)
        for chat in ("b", "c", "d", "e", "f"):  # so that "a" is not the one used last
            await storage.create(new_chat(chat))
            assert await storage.load(USER, chat)
        assert texts(await storage.read_last(USER, "a", 3)) == ["28", "29", "30"]
        for number in range(31, 34):
            await add(storage, "a", str(number), number)
        for limit in (2, 6, 7, 33, 40):
            expected = [str(number) for number in range(1, 34)][-limit:]
            assert texts(await storage.read_last(USER, "a", limit)) == expected

    async def test_the_first_message_makes_the_chat(self, storage: ConversationStorage) -> None:
        chat = await storage.append_to_active(
            new_chat("a", username="anna"), question("one"), updated_at=LATER, first_name="One"
        )
        assert (chat.conversation_id, chat.username, chat.name) == ("a", "anna", "One")
        assert (chat.updated_at, chat.created_at) == (LATER, new_chat("a").created_at)
        assert (await storage.read_index(USER)).username == "anna"

    async def test_a_message_is_of_the_mode_of_the_active_chat(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        await storage.set_mode(USER, "a", "deep")
        for number in (1, 2):
            chat = await storage.append_to_active(
                new_chat("never"), question(str(number), number), updated_at=LATER
            )
            assert chat.mode == "deep"
        messages = await storage.read_last(USER, "a", 2)
        assert [message.search_type for message in messages] == ["deep", "deep"]

    async def test_the_very_same_message_is_stored_once(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "one", 1)
        await add(storage, "a", "two", 2)
        await add(storage, "a", "one", 1)
        await add(storage, "a", "one", 3)
        assert await read(storage, "a") == ["one", "two", "one"]

    async def test_time_does_not_go_back(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a", minute=30))
        early = "2026-05-01T10:29:00+00:00"
        assert await storage.append(USER, "a", question("one"), updated_at=early)
        [metadata] = (await storage.read_index(USER)).conversations
        assert metadata.updated_at == "2026-05-01T10:30:00+00:00"

    async def test_the_first_question_names_an_unnamed_chat(
        self, storage: ConversationStorage
    ) -> None:
        async def append(message_id: int, name: str, *, by_bot: bool = False) -> str:
            message = answer("x", message_id) if by_bot else question("x", message_id)
            await storage.append(USER, "a", message, updated_at=LATER, first_name=name)
            [metadata] = (await storage.read_index(USER)).conversations
            return metadata.name

        await storage.create(new_chat("a"))
        assert await append(1, "By the bot", by_bot=True) == "New chat"
        assert await append(2, "First") == "First"
        assert await append(3, "Second") == "First"
        await storage.rename(USER, "a", "Chosen", "user")
        assert await append(4, "Third") == "Chosen"

    async def test_replace_takes_the_latest_equal_one(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        for number in (1, 2):
            await add(storage, "a", "same", number)
        old, new = question("same", 2, tokens=5), answer("other", 7, tokens=9)
        assert await storage.replace(USER, "a", old, new) is True
        assert await read(storage, "a") == ["same", "other"]
        # Repeating it is safe, and what never stood there is not replaced.
        assert await storage.replace(USER, "a", old, new) is True
        assert await read(storage, "a") == ["same", "other"]
        assert await storage.replace(USER, "a", question("never", 9), question("x", 9)) is False
        assert await storage.replace(USER, "b", old, new) is False

    async def test_texts_of_any_kind(self, storage: ConversationStorage) -> None:
        awkward = [
            "",
            "\x00",
            "a\nb\r\n",
            '"]}\n',
            "\u2028\u202e",
            "😀" * 500,
            "\ud800",
            "x" * 300_000,
        ]
        await storage.create(new_chat("a"))
        for number, text in enumerate(awkward):
            await add(storage, "a", text, number)
        assert await read(storage, "a") == awkward

    async def test_a_foreign_path_and_a_huge_id_are_only_data(
        self, storage: ConversationStorage
    ) -> None:
        message = answer("report", 1_762_650_000_000_000)
        message.sent_as, message.file_path = "file", "/srv/reports/user_5/report.txt"
        await storage.create(new_chat("a"))
        await storage.append(USER, "a", message, updated_at=LATER)
        assert await storage.read_last(USER, "a", 1) == [message]


class TestTrash:
    async def test_deleting_the_active_chat_activates_the_latest_other(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("old", minute=1))
        await storage.create(new_chat("late", minute=9))
        await storage.create(new_chat("middle", minute=5))
        await storage.create(new_chat("last", minute=3))
        assert await delete(storage, "last") is True
        assert await active(storage) == "late"
        assert await ids(storage) == {"old", "middle", "late"}

    async def test_deleting_another_chat_moves_nobody(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a", minute=9))
        await storage.create(new_chat("b", minute=1))
        assert await delete(storage, "a") is True
        assert await active(storage) == "b"

    async def test_deleting_the_last_chat_leaves_an_empty_one(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a", username="anna"))
        assert await delete(storage, "a") is True
        assert await active(storage) == "after-a"
        assert await ids(storage) == {"after-a"}
        assert await read(storage, "after-a") == []
        [left] = await index(storage)
        assert left.username == "anna", "whoever made the successor need not know the name"

    async def test_a_deleted_chat_is_not_found(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "one", 1)
        await delete(storage, "a")
        assert await storage.load(USER, "a") is None
        assert await storage.read_last(USER, "a", 5) == []
        assert await storage.append(USER, "a", question("two"), updated_at=LATER) is False
        assert await storage.rename(USER, "a", "x", "user") is False
        assert await storage.pin(USER, "a", pinned=True) is False
        assert await storage.activate(USER, "a") is False
        assert await delete(storage, "a") is False

    async def test_the_trash_tells_when_it_was_deleted(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a", name="Plans"))
        await storage.create(new_chat("b"))
        await delete(storage, "a")
        [deleted] = await storage.read_trash(USER)
        assert (deleted.conversation_id, deleted.name) == ("a", "Plans")
        assert deleted.deleted_at == LATER
        assert deleted.is_active is False
        await delete(storage, "b")
        assert {
            chat.conversation_id: chat.is_active for chat in await storage.read_trash(USER)
        } == {
            "a": False,
            "b": True,
        }

    async def test_a_late_answer_reaches_a_chat_in_the_trash(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "one", 1)
        await delete(storage, "a")

        late = answer("late", 2, tokens=7)
        for _ in range(2):
            assert await storage.append(USER, "a", late, updated_at=LATER, include_deleted=True)
        final = answer("final", 2, tokens=8)
        assert await storage.replace(USER, "a", late, final) is False
        assert await storage.replace(USER, "a", late, final, include_deleted=True) is True
        [deleted] = await storage.read_trash(USER)
        assert (deleted.message_count, deleted.total_tokens) == (2, 13)
        assert deleted.deleted_at == LATER

        assert await storage.restore(USER, "a", activate=False) is True
        assert await read(storage, "a") == ["one", "final"]

    async def test_restoring_brings_it_back_as_it_was(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a", name="Plans"))
        await storage.pin(USER, "a", pinned=True)
        await add(storage, "a", "one", 1)
        before = await storage.load(USER, "a")
        await storage.create(new_chat("b", name="Other"))
        await delete(storage, "a")

        assert await storage.restore(USER, "a", activate=True) is True
        assert await active(storage) == "a"
        assert await storage.load(USER, "a") == before
        assert await storage.read_trash(USER) == []
        assert await storage.restore(USER, "a", activate=True) is False

    async def test_restoring_without_activating_moves_nobody(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        await delete(storage, "a")
        assert await storage.restore(USER, "a", activate=False) is True
        assert await active(storage) == "after-a"
        assert await ids(storage) == {"a", "after-a"}

    async def test_an_untouched_stand_in_goes(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await delete(storage, "a")
        assert await storage.restore(USER, "a", activate=True) is True
        assert await ids(storage) == {"a"}
        assert await storage.read_trash(USER) == []

    @pytest.mark.parametrize("touch", ["message", "name"])
    async def test_a_stand_in_that_was_used_stays(
        self, storage: ConversationStorage, touch: str
    ) -> None:
        await storage.create(new_chat("a"))
        await delete(storage, "a")
        if touch == "message":
            await add(storage, "after-a", "new start", 1)
        else:
            await storage.rename(USER, "after-a", "New start", "user")
        assert await storage.restore(USER, "a", activate=True) is True
        assert await active(storage) == "a"
        assert await ids(storage) == {"a", "after-a"}

    async def test_purge(self, storage: ConversationStorage) -> None:
        for number, day in enumerate(("2026-04-01", "2026-04-30T23:00:00-05:00", "2026-05-02")):
            await storage.create(new_chat(str(number)))
            successor = new_chat(f"after-{number}")
            assert await storage.delete(USER, str(number), deleted_at=day, successor=successor)
        assert await storage.purge(USER, deleted_before="2026-05-01T00:00:00+00:00") == 1
        assert {chat.conversation_id for chat in await storage.read_trash(USER)} == {"1", "2"}
        assert await storage.purge(USER) == 2
        assert await storage.purge(USER) == 0
        assert await storage.restore(USER, "2", activate=True) is False
        assert await storage.read_trash(USER) == []


class TestSave:
    async def loaded(self, storage: ConversationStorage, *messages: str) -> Conversation:
        await storage.create(new_chat("a"))
        for number, text in enumerate(messages):
            await add(storage, "a", text, number)
        conversation = await storage.load(USER, "a")
        assert conversation is not None
        return conversation

    async def test_loaded_edited_and_saved_twice_in_a_row(
        self, storage: ConversationStorage
    ) -> None:
        conversation = await self.loaded(storage, "one")
        conversation.metadata.name = "Better"
        conversation.messages.append(answer("two", tokens=3))
        assert await storage.save(conversation) is True
        assert conversation.metadata.message_count == 2
        assert conversation.metadata.total_tokens == 8
        conversation.messages[0].text = "One"
        assert await storage.save(conversation) is True
        assert await read(storage, "a") == ["One", "two"]
        [metadata] = (await storage.read_index(USER)).conversations
        assert metadata.name == "Better"

    async def test_nothing_unseen_is_overwritten(self, storage: ConversationStorage) -> None:
        conversation = await self.loaded(storage, "one")
        await add(storage, "a", "meanwhile", 9)
        conversation.messages.append(answer("mine"))
        assert await storage.save(conversation) is False
        assert await read(storage, "a") == ["one", "meanwhile"]
        assert await storage.save(conversation) is False

    async def test_a_message_that_was_seen_may_be_removed(
        self, storage: ConversationStorage
    ) -> None:
        conversation = await self.loaded(storage, "one", "two")
        del conversation.messages[0]
        assert await storage.save(conversation) is True
        assert await read(storage, "a") == ["two"]

    async def test_what_was_seen_may_be_removed_after_another_save_of_the_same(
        self, storage: ConversationStorage
    ) -> None:
        """It is what the messages are that counts, not how often they were stored."""
        conversation = await self.loaded(storage, "one", "two")
        other = await storage.load(USER, "a")
        assert other is not None
        assert await storage.save(other) is True
        other.messages[1].text = "TWO"
        assert await storage.save(other) is True
        other.messages[1].text = "two"
        assert await storage.save(other) is True
        del conversation.messages[0]
        assert await storage.save(conversation) is True
        assert await read(storage, "a") == ["two"]

    async def test_an_object_that_holds_all_there_is_may_be_saved(
        self, storage: ConversationStorage
    ) -> None:
        conversation = await self.loaded(storage, "one")
        await add(storage, "a", "two", 9)
        conversation.messages.append(question("two", 9, tokens=5))
        assert await storage.save(conversation) is True
        assert await read(storage, "a") == ["one", "two"]

    async def test_built_by_hand(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        imported = Conversation(new_chat("b"), [question("one"), answer("two", tokens=4)])
        assert await storage.save(imported) is True
        assert await read(storage, "b") == ["one", "two"]
        assert await active(storage) == "a"

        again = Conversation(new_chat("b"), [question("other")])
        assert await storage.save(again) is False
        assert await read(storage, "b") == ["one", "two"]

    async def test_the_first_chat_of_all_is_active(self, storage: ConversationStorage) -> None:
        assert await storage.save(Conversation(new_chat("a"))) is True
        assert await storage.save(Conversation(new_chat("later", minute=5))) is True
        assert await active(storage) == "a"

    async def test_the_first_username_is_taken_over(self, storage: ConversationStorage) -> None:
        for chat, username in (("a", ""), ("b", "anna"), ("c", "ben")):
            assert await storage.save(Conversation(new_chat(chat, username=username))) is True
        assert (await storage.read_index(USER)).username == "anna"

    async def test_what_is_in_the_trash_is_not_written(self, storage: ConversationStorage) -> None:
        conversation = await self.loaded(storage, "one")
        await delete(storage, "a")
        assert await storage.save(conversation) is False
        conversation.revision = None
        assert await storage.save(conversation) is False
        assert "a" not in await ids(storage)

    async def test_what_is_gone_for_good_does_not_come_back(
        self, storage: ConversationStorage
    ) -> None:
        conversation = await self.loaded(storage, "one")
        await delete(storage, "a")
        await storage.purge(USER)
        assert await storage.save(conversation) is False
        assert await ids(storage) == {"after-a"}


class TestAdd:
    async def test_added_chats_move_nobody(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a", username="anna"))
        first = Conversation(new_chat("b", minute=50), [question("one", tokens=2), answer("two")])
        second = Conversation(new_chat("c", minute=51), [question("three", tokens=3)])
        await storage.add(USER, [first, second])
        assert await active(storage) == "a"
        assert await read(storage, "b") == ["one", "two"]
        assert await read(storage, "c") == ["three"]
        assert (await storage.read_index(USER)).username == "anna"
        stored = {chat.conversation_id: chat for chat in await index(storage)}
        assert (stored["b"].message_count, stored["b"].total_tokens) == (2, 2)
        assert stored["b"].updated_at == first.metadata.updated_at

    async def test_where_there_is_no_chat_the_latest_is_active(
        self, storage: ConversationStorage
    ) -> None:
        chats = [Conversation(new_chat(name, minute=n)) for name, n in (("a", 1), ("b", 2))]
        await storage.add(USER, chats)
        assert await active(storage) == "b"

    async def test_adding_nothing_creates_nothing(self, storage: ConversationStorage) -> None:
        await storage.add(USER, [])
        assert (await storage.read_index(USER)).conversations == []

    async def test_a_deleted_chat_goes_to_the_trash(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        deleted = Conversation(new_chat("b"), [question("one")])
        deleted.metadata.deleted_at = LATER
        await storage.add(USER, [deleted])
        assert await ids(storage) == {"a"}
        [metadata] = await storage.read_trash(USER)
        assert (metadata.conversation_id, metadata.deleted_at) == ("b", LATER)
        assert await storage.restore(USER, "b", activate=False) is True
        assert await read(storage, "b") == ["one"]

    async def test_adding_again_changes_nothing(self, storage: ConversationStorage) -> None:
        deleted = Conversation(new_chat("b"), [question("two")])
        deleted.metadata.deleted_at = LATER
        chats = [Conversation(new_chat("a"), [question("one")]), deleted]
        await storage.add(USER, chats)
        await storage.add(USER, chats)
        assert await read(storage, "a") == ["one"]
        assert [chat.conversation_id for chat in await storage.read_trash(USER)] == ["b"]

    async def test_an_id_that_is_taken_stops_them_all(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "mine", 1)
        await storage.create(new_chat("b"))
        await delete(storage, "b")
        before = await ids(storage)
        for taken in ("a", "b", "../x"):
            mine = [Conversation(new_chat("new"), [question("x")])]
            with pytest.raises(StorageError):
                await storage.add(USER, [*mine, Conversation(new_chat(taken), [question("y")])])
            assert await ids(storage) == before
        assert await read(storage, "a") == ["mine"]
        assert [chat.conversation_id for chat in await storage.read_trash(USER)] == ["b"]


class TestSearch:
    async def fill(self, storage: ConversationStorage) -> None:
        """Two chats with everything in both, the older one named, and one in the trash."""
        await storage.create(new_chat("old", minute=1, name="Отели Рима"))
        await storage.create(new_chat("late", minute=2, name="Dinner"))
        for minute, chat in enumerate(("old", "late")):
            for number, message in enumerate(
                (
                    question("Где недорогой ОТЕЛЬ?", 1),
                    answer("**Отель** у вокзала, с Ёлкой", 2),
                    question("Hotel №5, really?", 3),
                    answer("Отель и ёлка, отель", 4),
                )
            ):
                time = f"2026-05-02T00:{minute:02}:{number:02}+00:00"
                assert await storage.append(USER, chat, message, updated_at=time)
        await storage.create(new_chat("gone", minute=3, name="Отель в корзине"))
        assert await storage.append(USER, "gone", question("отель", 9), updated_at=LATER)
        assert await delete(storage, "gone")

    async def found(
        self, storage: ConversationStorage, query: str, limit: int = 50
    ) -> list[tuple[str, int | None]]:
        hits = await storage.search(USER, Words.of(query), limit)
        return [
            (hit.chat.conversation_id, hit.message.message_id if hit.message else None)
            for hit in hits
        ]

    async def test_names_then_questions_then_answers_the_latest_first(
        self, storage: ConversationStorage
    ) -> None:
        await self.fill(storage)
        expected = [
            ("old", None),
            ("late", 1),
            ("old", 1),
            ("late", 4),
            ("late", 2),
            ("old", 4),
            ("old", 2),
        ]
        assert await self.found(storage, "отел") == expected
        for limit in range(1, 8):
            assert await self.found(storage, "отел", limit) == expected[:limit]

    @pytest.mark.parametrize(
        ("query", "numbers"),
        [
            ("ЕЛК", [4, 2]),
            ("ёлкой вокзал", [2]),
            ("вокзал недорогой", []),  # not in one message
            ("hotel no5", [3]),
            ("ｈｏｔｅｌ", [3]),
            ("тель", []),  # only where a word begins
            ("user_question", []),  # the form of a file is no text
            ("timestamp", []),
            ("2026", []),
        ],
    )
    async def test_words_are_found_in_any_order_and_form(
        self, storage: ConversationStorage, query: str, numbers: list[int]
    ) -> None:
        await self.fill(storage)
        expected = [(chat, number) for chat in ("late", "old") for number in numbers]
        assert await self.found(storage, query) == expected

    async def test_a_hit_tells_its_chat_and_its_message(
        self, storage: ConversationStorage
    ) -> None:
        await self.fill(storage)
        hit, *_ = await storage.search(USER, Words.of("вокзал"), 1)
        assert hit.message == answer("**Отель** у вокзала, с Ёлкой", 2)
        assert (hit.chat.name, hit.chat.message_count, hit.chat.is_active) == ("Dinner", 4, True)
        [listed] = [chat for chat in await index(storage) if chat.conversation_id == "late"]
        assert hit.chat == listed

    async def test_a_default_name_is_none(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        assert await self.found(storage, "new chat") == []
        await storage.rename(USER, "a", "New chat", "user")
        assert await self.found(storage, "new chat") == [("a", None)]

    async def test_nobody_else_is_searched(self, storage: ConversationStorage) -> None:
        await self.fill(storage)
        assert await storage.search(2, Words.of("отель"), 50) == []

    async def test_texts_of_any_kind(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        awkward = {
            1: 'a "quoted" word, \\back\\slash, {"text": "braced"}',
            2: "one\ntwo\tthree\r\nfour",
            3: "сло\u0438\u0306ный и е\u0308лка",  # composed of two characters each
            4: "\u202eшалом שָׁלוֹם עולם",
            5: "我喜欢北京。東京タワー",
            6: "𝐛𝐨𝐥𝐝 ﬁne Straße ½ x² ΑΓΆΠΗΣ",
            7: "C++ and c#, 😀👍🏽, a|b (x+y)*2 [z]$",
            8: "\ud800 alone\x00nul",
            9: "x" * 100_000 + " end",
        }
        for number, text in awkward.items():
            await add(storage, "a", text, number)
        for query, place in {
            "quoted": 1, "slash": 1, "": None, "braced": 1, "two": 2, "three four": 2, "елка": 3,
            "слойный": 3, "שלום": None, "עולם": 4, "шалом": 4, "北京": 5, "京": 5, "タワ": 5,
            "bold": 6, "fine": 6,
            "strasse": 6, "STRAẞE": 6, "x2": 6, "1⁄2": 6, "αγάπης": 6, "αγαπησ": None, "c++": 7,
            "c#": 7, "😀": 7, "👍": 7, "(x+y)*2": 7, "[z]$": 7, ".*": None, "alone": 8, "nul": 8,
            "end xxx": 9, "a|c": None, "\ud800": None,
        }.items():  # fmt: skip
            expected = [("a", place)] if place else []
            assert await self.found(storage, query) == expected, query

    async def test_what_changed_is_found_anew(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "alpha № 1", 1)
        assert await self.found(storage, "no") == await self.found(storage, "alpha") == [("a", 1)]
        old = question("alpha № 1", 1, tokens=5)
        assert await storage.replace(USER, "a", old, question("beta ½", 1, tokens=5))
        assert await self.found(storage, "no") == await self.found(storage, "alpha") == []
        assert await self.found(storage, "1⁄2") == await self.found(storage, "beta") == [("a", 1)]


class TestFindMessage:
    async def chat_of(
        self, storage: ConversationStorage, message_id: int, **which: Any
    ) -> str | None:
        hit = await storage.find_message(USER, message_id, **which)
        return hit.chat.conversation_id if hit else None

    async def test_of_chats_that_share_it_the_active_one_then_the_latest(
        self, storage: ConversationStorage
    ) -> None:
        """However far from a chat's end it stands."""
        await storage.create(new_chat("a"))
        await add(storage, "a", "one", 1)
        assert await storage.fork(USER, "a", new_chat("copy", minute=1))
        for number in range(2, 5):
            long = question("long " * 5_000, number)
            await storage.append(USER, "a", long, updated_at=LATER)
        await storage.activate(USER, "copy")
        assert await self.chat_of(storage, 1) == "copy"
        await storage.activate(USER, "a")
        assert await self.chat_of(storage, 1) == "a"
        await storage.create(new_chat("b"))
        assert await self.chat_of(storage, 1) == "a", "to which something came last"

    async def test_by_its_id_or_that_of_a_piece(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "one", 1)
        long = replace(answer("two", 20), pieces=(21, 22))
        await storage.append(USER, "a", long, updated_at=LATER)
        await storage.create(new_chat("b"))
        hit = await storage.find_message(USER, 22)
        assert hit is not None
        assert (hit.chat.conversation_id, hit.message) == ("a", long)
        assert [await self.chat_of(storage, n) for n in (1, 20, 21)] == ["a", "a", "a"]
        assert [await self.chat_of(storage, n) for n in (2, 220, 12, 2026, -1)] == [None] * 5
        assert await storage.find_message(2, 1) is None

    async def test_behind_many_others(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        for number in range(1, 40):
            await add(storage, "a", "x" * 1000, number)
        await storage.create(new_chat("b"))
        await add(storage, "b", "y" * 40_000, 50)
        assert [await self.chat_of(storage, n) for n in (1, 39, 50, 51)] == ["a", "a", "b", None]

    async def test_the_active_chat_comes_first_then_the_latest(
        self, storage: ConversationStorage
    ) -> None:
        for minute, chat in enumerate("abc"):
            await storage.create(new_chat(chat, minute=minute))
        for minute, chat in enumerate("abc"):
            time = f"2026-05-02T00:{minute:02}:00+00:00"
            await storage.append(USER, chat, question(chat, 7), updated_at=time)
        await storage.activate(USER, "b")
        assert await self.chat_of(storage, 7) == "b"
        await delete(storage, "b")
        await storage.activate(USER, "a")
        assert await self.chat_of(storage, 7) == "a"
        await delete(storage, "a")
        assert await self.chat_of(storage, 7) == "c"

    async def test_another_dialog_has_other_numbers(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "mine", 7)
        await storage.create(new_chat("b"))
        there = replace(question("in a group", 7), dialog_id=-100)
        await storage.append(USER, "b", there, updated_at=LATER)
        assert await self.chat_of(storage, 7) == "a"
        assert await self.chat_of(storage, 7, dialog_id=-100) == "b"
        assert await self.chat_of(storage, 7, dialog_id=-200) is None

    async def test_another_time_is_another_message(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "one", 7)  # at noon
        noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
        for hours, expected in ((0, "a"), (23, "a"), (-23, "a"), (25, None), (-25, None)):
            sent_at = noon + timedelta(hours=hours)
            assert await self.chat_of(storage, 7, sent_at=sent_at) == expected
        timeless = replace(question("two", 8), timestamp="")
        await storage.append(USER, "a", timeless, updated_at=LATER)
        assert await self.chat_of(storage, 8, sent_at=noon) == "a"


class TestFork:
    async def fork(
        self, storage: ConversationStorage, conversation_id: str, up_to: int | None = None
    ) -> bool:
        copy = new_chat("copy", minute=30)
        return await storage.fork(USER, conversation_id, copy, up_to_message_id=up_to)

    async def fill(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a", name="Plans"))
        strange = question("one", 1, tokens=5)
        strange.extra["mood"] = ["good"]
        await storage.append(USER, "a", strange, updated_at=LATER)
        long = replace(answer("two", 2, tokens=7), pieces=(3, 4))
        await storage.append(USER, "a", long, updated_at=LATER)
        await add(storage, "a", "three", 5)
        await storage.create(new_chat("b"))

    async def test_the_whole_chat(self, storage: ConversationStorage) -> None:
        await self.fill(storage)
        await storage.rename(USER, "a", "Great plans", source="user")
        await storage.set_mode(USER, "a", "deep")
        await storage.set_instructions(USER, "a", "Rhyme.")
        origin = await storage.load(USER, "a")
        assert await self.fork(storage, "a") is True
        assert await active(storage) == "copy"
        made = await storage.load(USER, "copy")
        assert origin is not None
        assert made is not None
        assert made.messages == origin.messages
        assert (made.metadata.message_count, made.metadata.total_tokens) == (3, 17)
        assert made.metadata == replace(
            origin.metadata,
            conversation_id="copy",
            name="🔀 Great plans",
            created_at=new_chat("copy", minute=30).created_at,
            updated_at=new_chat("copy", minute=30).updated_at,
            is_active=True,
            forked_from="a",
        )
        [listed] = [chat for chat in await index(storage) if chat.conversation_id == "copy"]
        assert listed == made.metadata
        assert await storage.load(USER, "a") == origin

    async def test_the_two_go_their_own_ways(self, storage: ConversationStorage) -> None:
        await self.fill(storage)
        await self.fork(storage, "a", 5)
        await add(storage, "copy", "four", 6)
        await add(storage, "a", "FOUR", 7)
        assert await read(storage, "copy") == ["one", "two", "three", "four"]
        assert await read(storage, "a") == ["one", "two", "three", "FOUR"]
        await delete(storage, "a")
        assert await read(storage, "copy") == ["one", "two", "three", "four"]

    @pytest.mark.parametrize(
        ("up_to", "expected"), [(1, ["one"]), (2, ["one", "two"]), (4, ["one", "two"])]
    )
    async def test_up_to_a_message(
        self, storage: ConversationStorage, up_to: int, expected: list[str]
    ) -> None:
        await self.fill(storage)
        assert await self.fork(storage, "a", up_to) is True
        assert await read(storage, "copy") == expected

    async def test_what_is_not_there_is_not_copied(self, storage: ConversationStorage) -> None:
        await self.fill(storage)
        assert await self.fork(storage, "a", 99) is False
        assert await self.fork(storage, "unknown") is False
        other = new_chat("copy", user_id=2)
        assert await storage.fork(2, "a", other) is False
        await delete(storage, "a")
        assert await self.fork(storage, "a") is False
        assert await ids(storage) == {"b"}
        assert await active(storage) == "b"

    async def test_forking_again_is_forking_once(self, storage: ConversationStorage) -> None:
        await self.fill(storage)
        await self.fork(storage, "a", 2)
        await add(storage, "copy", "more", 8)
        assert await self.fork(storage, "a", 2) is True
        assert await read(storage, "copy") == ["one", "two", "more"]
        assert await ids(storage) == {"a", "b", "copy"}

    async def test_an_id_that_is_taken_is_refused(self, storage: ConversationStorage) -> None:
        await self.fill(storage)
        await storage.create(new_chat("copy"))
        with pytest.raises(StorageError):
            await self.fork(storage, "a")
        assert await read(storage, "copy") == []
        await delete(storage, "copy")
        with pytest.raises(StorageError):
            await self.fork(storage, "a")
        assert await storage.restore(USER, "copy", activate=False)


class TestRemoveLastExchange:
    async def texts(self, storage: ConversationStorage) -> list[str]:
        return texts(await storage.remove_last_exchange(USER, "a"))

    async def test_one_after_the_other(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        for number in (1, 3):
            await add(storage, "a", f"question {number}", number)
            late = replace(answer(f"answer {number}", number + 1, tokens=3), reply_to=number)
            await storage.append(USER, "a", late, updated_at=LATER)
        await add(storage, "a", "unanswered", 5)
        assert await self.texts(storage) == ["unanswered"]
        assert await self.texts(storage) == ["question 3", "answer 3"]
        assert await read(storage, "a") == ["question 1", "answer 1"]
        [metadata] = await index(storage)
        assert (metadata.message_count, metadata.total_tokens) == (2, 8)
        assert metadata.updated_at == LATER
        assert await self.texts(storage) == ["question 1", "answer 1"]
        assert await self.texts(storage) == []
        assert await read(storage, "a") == []

    async def test_the_answer_to_an_earlier_question_stays(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        await add(storage, "a", "one", 1)
        await add(storage, "a", "two", 2)
        for number in (1, 2):
            late = replace(answer(f"to {number}", 10 + number), reply_to=number)
            await storage.append(USER, "a", late, updated_at=LATER)
        assert await self.texts(storage) == ["two", "to 2"]
        assert await read(storage, "a") == ["one", "to 1"]

    async def test_an_old_answer_belongs_to_the_question_before_it(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        await storage.append(USER, "a", answer("hello", 1), updated_at=LATER)
        assert await self.texts(storage) == []
        await add(storage, "a", "one", 2)
        await storage.append(USER, "a", answer("two", 3), updated_at=LATER)
        assert await self.texts(storage) == ["one", "two"]
        assert await read(storage, "a") == ["hello"]


async def test_a_deleted_chat_is_loaded_where_that_is_asked_for(
    storage: ConversationStorage,
) -> None:
    await storage.create(new_chat("a"))
    await add(storage, "a", "one", 1)
    await delete(storage, "a")
    assert await storage.load(USER, "a") is None
    conversation = await storage.load(USER, "a", include_deleted=True)
    assert conversation is not None
    assert texts(conversation.messages) == ["one"]
    assert conversation.metadata.deleted_at == LATER
    assert conversation.metadata.is_active, "when it was deleted"
    assert [conversation.metadata] == await storage.read_trash(USER)
    living = await storage.load(USER, "after-a", include_deleted=True)
    assert living is not None
    assert living.metadata.deleted_at is None
    assert await storage.load(USER, "../a", include_deleted=True) is None


Verb = Callable[[ConversationStorage, str], Awaitable[object]]
VERBS: dict[str, tuple[Verb, object]] = {
    "read_metadata": (lambda storage, chat: storage.read_metadata(USER, chat), None),
    "load": (lambda storage, chat: storage.load(USER, chat), None),
    "read_last": (lambda storage, chat: storage.read_last(USER, chat, 5), []),
    "save": (lambda storage, chat: storage.save(Conversation(new_chat(chat))), False),
    "append": (
        lambda storage, chat: storage.append(
            USER, chat, question("x"), updated_at=LATER, include_deleted=True
        ),
        False,
    ),
    "replace": (
        lambda storage, chat: storage.replace(
            USER, chat, question("one", 1, 5), question("x"), include_deleted=True
        ),
        False,
    ),
    "rename": (lambda storage, chat: storage.rename(USER, chat, "x", "user"), False),
    "set_instructions": (lambda storage, chat: storage.set_instructions(USER, chat, "x"), False),
    "pin": (lambda storage, chat: storage.pin(USER, chat, pinned=True), False),
    "activate": (lambda storage, chat: storage.activate(USER, chat), False),
    "delete": (lambda storage, chat: delete(storage, chat), False),
    "restore": (lambda storage, chat: storage.restore(USER, chat, activate=True), False),
    "fork": (lambda storage, chat: storage.fork(USER, chat, new_chat("copy")), False),
    "remove_last_exchange": (lambda storage, chat: storage.remove_last_exchange(USER, chat), []),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_what_is_no_id_does_not_exist_and_touches_nothing(
    storage: ConversationStorage, tmp_path: Path, verb: str
) -> None:
    await storage.create(new_chat("mine"))
    await add(storage, "mine", "one", 1)
    await storage.create(new_chat("x", user_id=2))
    await delete(storage, "mine")
    before = tree(tmp_path)
    call, refusal = VERBS[verb]
    for bad in [*BAD_IDS, "unknown"]:
        if (verb, bad) != ("save", "unknown"):
            assert await call(storage, bad) == refusal
    assert tree(tmp_path) == before


async def test_returned_objects_belong_to_the_caller(storage: ConversationStorage) -> None:
    metadata = new_chat("a")
    metadata.extra["tags"] = ["work"]
    await storage.create(metadata)
    metadata.extra["tags"].append("mine")
    message = question("one")
    message.extra["notes"] = ["kept"]
    await storage.append(USER, "a", message, updated_at=LATER)
    message.extra["notes"].append("mine")

    for _ in range(2):
        index = await storage.read_index(USER)
        [listed] = index.conversations
        assert listed.extra == {"tags": ["work"]}
        listed.extra["tags"].append("mine")
        listed.name = index.username = "spoilt"
        index.conversations.clear()
        loaded = await storage.load(USER, "a")
        assert loaded is not None
        assert (loaded.metadata.name, loaded.messages[0].extra) == (
            "New chat",
            {"notes": ["kept"]},
        )
        loaded.metadata.extra["tags"].append("mine")
        loaded.metadata.name = "spoilt"
        loaded.messages.clear()
        [last] = await storage.read_last(USER, "a", 1)
        assert last.extra == {"notes": ["kept"]}
        last.extra["notes"].append("mine")


async def test_rename_and_pin(storage: ConversationStorage) -> None:
    await storage.create(new_chat("a"))
    assert await storage.rename(USER, "a", "Отель", "user") is True
    assert await storage.pin(USER, "a", pinned=True) is True
    [metadata] = (await storage.read_index(USER)).conversations
    assert (metadata.name, metadata.name_source, metadata.pinned) == ("Отель", "user", True)
    assert metadata.updated_at == "2026-05-01T10:00:00+00:00"
    assert await storage.pin(USER, "a", pinned=False) is True
    [metadata] = (await storage.read_index(USER)).conversations
    assert metadata.pinned is False


class TestInstructions:
    async def test_they_are_of_one_chat_and_can_be_removed(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        await storage.create(new_chat("b"))
        assert await storage.set_instructions(USER, "a", "Отвечай\nкратко. \ud800") is True
        assert {chat.conversation_id: chat.instructions for chat in await index(storage)} == {
            "a": "Отвечай\nкратко. \ud800",
            "b": "",
        }
        loaded = await storage.load(USER, "a")
        assert loaded is not None
        assert loaded.metadata.instructions == "Отвечай\nкратко. \ud800"
        assert loaded.metadata.updated_at == "2026-05-01T10:00:00+00:00"
        assert await storage.set_instructions(USER, "a", "") is True
        assert {chat.instructions for chat in await index(storage)} == {""}

    async def test_they_stay_with_their_chat(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        await storage.set_instructions(USER, "a", "Be brief.")
        await add(storage, "a", "one", 1)
        await storage.rename(USER, "a", "Plans", "user")
        await delete(storage, "a")
        assert await storage.set_instructions(USER, "a", "x") is False, "it is in the trash"
        assert await storage.restore(USER, "a", activate=True)
        [chat] = await index(storage)
        assert (chat.conversation_id, chat.instructions) == ("a", "Be brief.")

    async def test_a_chat_that_has_some_is_not_taken_for_an_empty_one(
        self, storage: ConversationStorage
    ) -> None:
        await storage.create(new_chat("a"))
        await delete(storage, "a")
        await storage.set_instructions(USER, "after-a", "Be brief.")
        assert await storage.create(new_chat("b"), unless_active="empty") == "b"
        await storage.activate(USER, "after-a")
        await storage.restore(USER, "a", activate=True)
        assert await ids(storage) == {"a", "b", "after-a"}


class TestSettings:
    async def test_what_is_set_stays_until_it_is_removed(
        self, storage: ConversationStorage
    ) -> None:
        assert await storage.read_settings(USER) == {}
        await storage.update_settings(USER, {"language": "ru", "later": {"colours": ["синий"]}})
        await storage.update_settings(USER, {"language": "en", "formatting": "plain"})
        kept = {"language": "en", "formatting": "plain", "later": {"colours": ["синий"]}}
        assert await storage.read_settings(USER) == kept
        assert (await storage.read_index(USER)).settings == kept
        await storage.update_settings(USER, {"language": None, "never": None, "later": None})
        assert await storage.read_settings(USER) == {"formatting": "plain"}

    async def test_chats_and_settings_do_not_disturb_each_other(
        self, storage: ConversationStorage
    ) -> None:
        await storage.update_settings(USER, {"language": "ru"})
        assert await ids(storage) == set()
        await storage.create(new_chat("a", username="anna"))
        await add(storage, "a", "one", 1)
        await storage.update_settings(USER, {"formatting": "plain"})
        assert await active(storage) == "a"
        assert (await storage.read_index(USER)).username == "anna"
        await delete(storage, "a")
        assert await storage.read_settings(USER) == {"language": "ru", "formatting": "plain"}
        assert await storage.read_settings(2) == {}

    async def test_asking_and_removing_create_nothing(
        self, storage: ConversationStorage, tmp_path: Path
    ) -> None:
        await storage.read_settings(USER)
        before = tree(tmp_path)
        await storage.update_settings(USER, {"language": None})
        await storage.update_settings(USER, {})
        assert tree(tmp_path) == before

    async def test_all_changes_at_once_are_all_there(self, storage: ConversationStorage) -> None:
        changes = [storage.update_settings(USER, {f"key {n}": n}) for n in range(20)]
        await asyncio.gather(*changes)
        assert await storage.read_settings(USER) == {f"key {n}": n for n in range(20)}

    async def test_they_belong_to_the_caller(self, storage: ConversationStorage) -> None:
        given = {"later": ["mine"]}
        await storage.update_settings(USER, given)
        given["later"].append("spoilt")
        for _ in range(2):
            read = await storage.read_settings(USER)
            assert read == {"later": ["mine"]}
            read["later"].append("spoilt")


class TestErasing:
    async def test_everything_of_a_user_goes_and_nothing_of_another(
        self, storage: ConversationStorage, tmp_path: Path
    ) -> None:
        other = USER + 1
        for user_id in (USER, other):
            for chat in ("a", "b", "c"):
                await storage.create(new_chat(chat, user_id=user_id, username="anna"))
                message = question("canary", 1, tokens=5)
                await storage.append(user_id, chat, message, updated_at=LATER)
            await delete(storage, "a", user_id=user_id)
            await storage.keep_file(user_id, "answer.md", b"canary")
            await storage.update_settings(user_id, {"language": "ru"})
        before = await storage.measure(USER)
        assert before == await storage.measure(other)
        counts = (before.chats, before.deleted_chats, before.messages, before.files)
        assert counts == (2, 1, 3, 1)
        assert before.size > 3 * len("canary")
        assert await storage.erase(USER) == before
        assert await storage.read_index(USER) == UserIndex(USER)
        assert await storage.read_trash(USER) == []
        assert await storage.read_settings(USER) == {}
        assert await storage.load(USER, "a", include_deleted=True) is None
        assert await storage.measure(USER) == Footprint()
        assert await storage.restore(USER, "a", activate=True) is False
        assert await storage.append(USER, "b", question("x"), updated_at=LATER) is False
        assert await storage.measure(other) == before

    async def test_what_comes_afterwards_begins_anew(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a", username="anna"))
        await storage.erase(USER)
        chat = await storage.append_to_active(new_chat("b"), question("one"), updated_at=LATER)
        assert chat.conversation_id == "b"
        assert await ids(storage) == {"b"}
        assert (await storage.read_index(USER)).username == ""
        assert (await storage.erase(USER)).messages == 1

    async def test_an_unknown_user_has_nothing_and_nothing_is_created(
        self, storage: ConversationStorage, tmp_path: Path
    ) -> None:
        assert await storage.measure(USER) == Footprint()
        before = tree(tmp_path)
        assert await storage.erase(USER) == Footprint()
        assert tree(tmp_path) == before

    async def test_size_follows_what_is_stored(self, storage: ConversationStorage) -> None:
        await storage.create(new_chat("a"))
        small = await storage.measure(USER)
        await add(storage, "a", "x" * 10_000, 1)
        assert (await storage.measure(USER)).size >= small.size + 10_000


async def test_all_at_once(storage: ConversationStorage) -> None:
    await asyncio.gather(*(storage.create(new_chat(f"c{number}")) for number in range(20)))
    await asyncio.gather(*(add(storage, "c7", str(number), number) for number in range(40)))
    assert await ids(storage) == {f"c{number}" for number in range(20)}
    assert await read(storage, "c7") == [str(number) for number in range(40)]


async def test_no_damage_to_report(storage: ConversationStorage) -> None:
    assert await storage.take_damage(USER) == 0


async def test_after_close_everything_raises(storage: ConversationStorage) -> None:
    await storage.create(new_chat("a"))
    await storage.close()
    await storage.close()
    with pytest.raises(StorageClosedError):
        await storage.read_index(USER)
    with pytest.raises(StorageClosedError):
        await storage.create(new_chat("b"))
    with pytest.raises(StorageClosedError):
        await storage.open()
