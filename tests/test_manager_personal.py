"""What a person decides and takes back: settings, instructions, deleting many, erasing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conversations import (
    ConversationManager,
    Footprint,
    InstructionsTooLongError,
    JsonStorage,
    StorageError,
)
from tests.chats import fill, question
from tests.storages import managed, opened, tree

USER = 1001
MOMENT = datetime(2126, 5, 1, 13, tzinfo=UTC)


async def delete_unpinned(manager: ConversationManager) -> int:
    chats = [chat for chat in await manager.list_conversations(USER) if not chat.pinned]
    ids = [chat.conversation_id for chat in chats]
    return await manager.delete_conversations(USER, ids, deleted_at=MOMENT)


async def names(manager: ConversationManager) -> list[str]:
    return sorted(chat.name for chat in await manager.list_conversations(USER))


async def test_settings_outlive_a_restart(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        assert await manager.get_settings(USER) == {}
        assert await manager.update_settings(USER, {"language": "ru", "later": [1]}) is True
    async with managed(tmp_path) as manager:
        await manager.update_settings(USER, {"language": None})
        assert await manager.get_settings(USER) == {"later": [1]}
        with pytest.raises(TypeError):
            await manager.update_settings(USER, {1: "x"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("  Be brief.\n", "Be brief."),
        ("two\nlines", "two\nlines"),
        ("", ""),
        (" \u200b\n", ""),
        ("x" * 2000, "x" * 2000),
    ],
)
async def test_instructions_are_kept_as_they_are_written(
    manager: ConversationManager, given: str, stored: str
) -> None:
    [chat] = await fill(manager, USER, 1)
    assert await manager.set_instructions(USER, chat, given) is True
    found = await manager.get_conversation(USER, chat)
    assert found is not None
    assert found.instructions == stored


async def test_instructions_that_cannot_be(manager: ConversationManager) -> None:
    [chat] = await fill(manager, USER, 1)
    with pytest.raises(InstructionsTooLongError) as caught:
        await manager.set_instructions(USER, chat, "x" * 2001)
    assert caught.value.limit == 2000
    assert await manager.set_instructions(USER, "../x", "x") is False
    assert await manager.set_instructions(2, chat, "x") is False


async def test_all_but_the_pinned_go_and_come_back(manager: ConversationManager) -> None:
    chats = await fill(manager, USER, 5)
    await manager.pin_conversation(USER, chats[0])
    await manager.set_active_conversation(USER, chats[2])
    await manager.add_message(USER, chats[2], question(1))
    await manager.delete_conversation(USER, chats[4])
    assert await delete_unpinned(manager) == 3
    assert await names(manager) == ["Chat 1"]
    assert await manager.get_active_conversation_id(USER) == chats[0]
    assert await manager.restore_deletion(USER, MOMENT) == 3
    assert await names(manager) == ["Chat 1", "Chat 2", "Chat 3", "Chat 4"], "Chat 5 went before"
    assert await manager.get_active_conversation_id(USER) == chats[2]
    assert await manager.restore_deletion(USER, MOMENT) == 0
    assert await manager.delete_conversations(USER, ["../x", "unknown", chats[4]]) == 0


async def test_without_a_pinned_one_an_empty_chat_stands_in(manager: ConversationManager) -> None:
    chats = await fill(manager, USER, 3)
    assert await delete_unpinned(manager) == 3
    [stand_in] = await manager.list_conversations(USER)
    assert (stand_in.message_count, stand_in.is_active) == (0, True)
    await manager.restore_deletion(USER, MOMENT)
    assert {chat.conversation_id for chat in await manager.list_conversations(USER)} == set(chats)
    assert await manager.get_active_conversation_id(USER) == chats[2]


async def test_the_chat_in_which_somebody_has_gone_on_stays_active(
    manager: ConversationManager,
) -> None:
    await fill(manager, USER, 3)
    await delete_unpinned(manager)
    [stand_in] = await manager.list_conversations(USER)
    await manager.add_message(USER, stand_in.conversation_id, question(1))
    assert await manager.restore_deletion(USER, MOMENT) == 3
    assert await manager.get_active_conversation_id(USER) == stand_in.conversation_id
    assert len(await manager.list_conversations(USER)) == 4


async def test_a_deletion_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    class Failing(JsonStorage):
        left = 2

        async def delete(self, *args: object, **options: object) -> bool:
            self.left -= 1
            if self.left < 0:
                raise StorageError("no more")
            return await super().delete(*args, **options)  # type: ignore[arg-type]

    storage = Failing(tmp_path)
    manager = ConversationManager(storage, raise_errors=True)
    await fill(manager, USER, 4)
    with pytest.raises(StorageError):
        await delete_unpinned(manager)
    assert await names(manager) == ["Chat 1", "Chat 4"], "the active one is the last to go"
    storage.left = 10
    assert await delete_unpinned(manager) == 2
    await manager.restore_deletion(USER, MOMENT)
    assert await names(manager) == ["Chat 1", "Chat 2", "Chat 3", "Chat 4"]
    await storage.close()


async def test_erasing_tells_what_was_there(manager: ConversationManager, folder: Path) -> None:
    first, _ = await fill(manager, USER, 2)
    await manager.add_message(USER, first, question(1))
    await manager.delete_conversation(USER, first)
    await manager.keep_file(USER, "answer.md", "canary")
    measured = await manager.measure_user(USER)
    assert measured == Footprint(1, 1, 1, 1, measured.size)
    assert await manager.erase_user(USER) == measured
    assert set(tree(folder)) == {".erased"}
    assert await manager.erase_user(USER) == Footprint()


async def test_a_failing_storage_tells_or_gives_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await storage.open()
        await storage.close()
        quiet, loud = ConversationManager(storage), ConversationManager(storage, raise_errors=True)
        calls: Sequence[tuple[str, tuple[object, ...], object]] = (
            ("get_settings", (), {}),
            ("update_settings", ({"a": 1},), False),
            ("set_instructions", ("a", "x"), False),
            ("delete_conversations", (["a"],), 0),
            ("restore_deletion", (MOMENT,), 0),
            ("measure_user", (), Footprint()),
            ("erase_user", (), None),
        )
        for name, arguments, nothing in calls:
            assert await getattr(quiet, name)(USER, *arguments) == nothing
            with pytest.raises(StorageError):
                await getattr(loud, name)(USER, *arguments)
