"""A copy of a chat, whole or up to a message: by the manager, by a button, by a reply."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from conversations import StorageError
from tests.storages import USER, answer, managed, question, texts


async def test_a_fork_is_named_after_its_origin(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка в Рим")
        await chats.add_message(USER, origin, question("Где отель?", 1))
        await chats.set_mode(USER, origin, "deep")
        made = await chats.fork_conversation(USER, origin)
        assert made not in {None, origin}
        assert await chats.get_active_conversation_id(USER) == made
        fork, old = await chats.list_conversations(USER)
        assert (fork.name, fork.forked_from, fork.mode) == ("🔀 Поездка в Рим", origin, "deep")
        assert (fork.username, fork.message_count) == ("anna", 1)
        assert fork.created_at > old.updated_at
        again = await chats.fork_conversation(USER, fork.conversation_id)
        assert again is not None
        newest = await chats.get_conversation(USER, again)
        assert newest is not None
        assert (newest.name, newest.forked_from) == ("🔀 Поездка в Рим", made)


async def test_a_long_name_is_cut(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "x")
        await chats.rename_conversation(USER, origin, "слово " * 10 + "два")
        made = await chats.fork_conversation(USER, origin)
        fork = await chats.get_conversation(USER, made or "")
        assert fork is not None
        assert fork.name == "🔀 " + "слово " * 9 + "слово..."
        assert len(fork.name) <= 64
        assert fork.name_source == "user", "a model does not give it another one"


async def test_a_fork_without_a_name_of_its_own_takes_one(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.start_conversation(USER, "anna")
        await chats.add_message(USER, origin, answer("Hello!", 1))
        made = await chats.fork_conversation(USER, origin)
        assert made is not None
        await chats.add_message(USER, made, question("Где отель?", 2))
        fork = await chats.get_conversation(USER, made)
        assert fork is not None
        assert fork.name == "Где отель?"


async def test_one_key_makes_one_fork(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка")
        await chats.add_message(USER, origin, question("one", 1))
        await chats.add_message(USER, origin, question("two", 2))
        first = await chats.fork_conversation(USER, origin, key="press 1")
        assert await chats.fork_conversation(USER, origin, key="press 1") == first
        other = await chats.fork_conversation(USER, origin, key="press 2")
        shorter = await chats.fork_conversation(USER, origin, 1, key="press 1")
        assert len({origin, first, other, shorter}) == 4
        assert shorter is not None
        assert texts(await chats.get_messages(USER, shorter)) == ["one"]
        assert len(await chats.list_conversations(USER)) == 4


@pytest.mark.parametrize("step", ["replace_file", "sync_folder"])
async def test_an_error_on_the_way_leaves_one_fork_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка")
        await chats.add_message(USER, origin, question("one", 1))
        with monkeypatch.context() as patch:
            patch.setattr(f"conversations.folder_state.{step}", full)
            with pytest.raises(StorageError):
                await chats.fork_conversation(USER, origin, key="press 1")
        left = await chats.list_conversations(USER)
        assert [(c.name, c.message_count) for c in left if c.forked_from] in (
            [],
            [("🔀 Поездка", 1)],
        )
        made = await chats.fork_conversation(USER, origin, key="press 1")
    async with managed(tmp_path) as chats:
        assert await chats.get_active_conversation_id(USER) == made
        assert len(await chats.list_conversations(USER)) == 2


async def test_what_is_not_there_is_not_forked(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка")
        await chats.add_message(USER, origin, question("no id", 0))
        assert await chats.fork_conversation(USER, "unknown") is None
        assert await chats.fork_conversation(USER, "../x") is None
        assert await chats.fork_conversation(2, origin) is None
        assert await chats.fork_conversation(USER, origin, 0) is None
        assert await chats.fork_conversation(USER, origin, 9) is None
        with pytest.raises(TypeError):
            await chats.fork_conversation(USER, origin, "1")  # type: ignore[arg-type]
        assert len(await chats.list_conversations(USER)) == 1


async def test_a_fork_and_its_origin_survive_a_restart(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        origin = await chats.create_conversation(USER, "anna", "Поездка")
        await chats.add_message(USER, origin, question("one", 1))
        made = await chats.fork_conversation(USER, origin)
    (tmp_path / f"user_{USER}" / "index.json").unlink()
    async with managed(tmp_path) as chats:
        assert made is not None
        fork = await chats.get_conversation(USER, made)
        assert fork is not None
        assert (fork.forked_from, fork.message_count) == (origin, 1)
        hit = await chats.find_message(USER, 1)
        assert hit is not None
        assert hit.chat.conversation_id == made, "the latest of the two"


async def test_the_last_exchange_is_removed(tmp_path: Path) -> None:
    async with managed(tmp_path) as chats:
        chat = await chats.create_conversation(USER, "anna", "Поездка")
        for number in (1, 3):
            await chats.add_message(USER, chat, question(f"q{number}", number))
            await chats.add_message(USER, chat, answer(f"a{number}", number + 1))
        assert texts(await chats.remove_last_exchange(USER, chat)) == ["q3", "a3"]
        assert texts(await chats.get_messages(USER, chat)) == ["q1", "a1"]
        assert await chats.remove_last_exchange(USER, "unknown") == []
