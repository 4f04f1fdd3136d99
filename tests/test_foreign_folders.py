"""Folders that we did not write: old, foreign, edited by hand, damaged."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations import ConversationManager, StorageError
from tests.storages import (
    USER,
    answer,
    managed,
    old_folder,
    old_message,
    old_messages,
    old_metadata,
    question,
    texts,
    tree,
    write_json,
)


async def names(manager: ConversationManager, user_id: int = USER) -> list[str]:
    return [chat.name for chat in await manager.list_conversations(user_id)]


async def ids(manager: ConversationManager) -> set[str]:
    return {chat.conversation_id for chat in await manager.list_conversations(USER)}


def put_aside(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*.damaged-*"))]


def stored(folder: Path, conversation_id: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / f"{conversation_id}.json").read_bytes())
    return data


async def test_a_folder_of_the_seed_is_read_and_only_read(tmp_path: Path) -> None:
    old_folder(tmp_path, "a", "b", active="b")
    before = tree(tmp_path)
    async with managed(tmp_path) as manager:
        assert await ids(manager) == {"a", "b"}
        assert await manager.get_active_conversation_id(USER) == "b"
        assert texts(await manager.get_messages(USER, "a")) == ["question of a", "answer of a"]
        conversation = await manager.load_conversation(USER, "a")
        assert conversation is not None
        assert [m.to_dict() for m in conversation.messages] == old_messages("a")
        assert await manager.take_damage_report(USER) == 0
    assert tree(tmp_path) == before


async def test_reading_makes_no_folders(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        await manager.list_conversations(5)
        await manager.load_index(5)
        await manager.get_active_conversation_id(5)
        await manager.load_conversation(5, "a")
        await manager.get_messages(5, "a")
        await manager.list_deleted(5)
        await manager.empty_trash(5)
        await manager.add_message(5, "a", question("x"), include_deleted=True)
        await manager.take_damage_report(5)
    assert tree(tmp_path) == {}


async def test_the_first_write_keeps_every_unknown_key(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    message = old_message("old", rating={"stars": 5}, chat_id=9)
    metadata = old_metadata("a", chat_number=4, tags=["work", {"deep": None}])
    write_json(
        folder / "a.json",
        {"schema_version": "1.0", "metadata": metadata, "messages": [message], "theme": "dark"},
    )
    index = json.loads((folder / "index.json").read_bytes())
    index |= {"next_chat_number": 5, "settings": {"mode": "deep"}}
    index["conversations"][0] |= {"chat_number": 4, "colour": "red"}
    write_json(folder / "index.json", index)

    async with managed(tmp_path) as manager:
        await manager.add_message(USER, "a", question("new"))
        await manager.rename_conversation(USER, "a", "Renamed")
    async with managed(tmp_path) as manager:
        await manager.add_message(USER, "a", answer("newer"))

    chat = stored(folder, "a")
    assert (chat["schema_version"], chat["theme"]) == ("1.0", "dark")
    assert chat["messages"][0] == message
    assert [m["text"] for m in chat["messages"]] == ["old", "new", "newer"]
    expected = {"chat_number": 4, "tags": ["work", {"deep": None}], "colour": "red"}
    assert {key: chat["metadata"][key] for key in expected} == expected
    index = stored(folder, "index")
    assert (index["next_chat_number"], index["settings"]) == (5, {"mode": "deep"})
    assert {key: index["conversations"][0][key] for key in expected} == expected
    assert index["conversations"][0]["name"] == "Renamed"


async def test_title_instead_of_name(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    metadata = old_metadata("a", title="Old title", chat_number=1)
    del metadata["name"]
    write_json(folder / "a.json", {"metadata": metadata, "messages": old_messages("a")})
    async with managed(tmp_path) as manager:
        assert await names(manager) == ["Old title"]
        await manager.rename_conversation(USER, "a", "New title")
    assert stored(folder, "a")["metadata"]["title"] == "New title"
    assert stored(folder, "a")["metadata"]["name"] == "New title"


@pytest.mark.parametrize("name", ["x" * 500, "two\nlines", "<b>&", "\u202ebidi"])
async def test_any_name_is_shown_as_it_is(tmp_path: Path, name: str) -> None:
    folder = old_folder(tmp_path, "a")
    data = {"metadata": old_metadata("a", name=name), "messages": old_messages("a")}
    write_json(folder / "a.json", data)
    async with managed(tmp_path) as manager:
        assert await names(manager) == [name]
        await manager.add_message(USER, "a", question("new"))
        assert await names(manager) == [name]


@pytest.mark.parametrize("name", ["", " \n", None, 5])
async def test_a_chat_without_a_name_is_called_after_its_first_question(
    tmp_path: Path, name: object
) -> None:
    folder = old_folder(tmp_path, "a", "b")
    nameless = old_metadata("a", name=name)
    write_json(folder / "a.json", {"metadata": nameless, "messages": old_messages("a")})
    empty = {"metadata": old_metadata("b", name=name), "messages": []}
    write_json(folder / "b.json", empty)
    async with managed(tmp_path) as manager:
        assert sorted(await names(manager)) == ["New chat", "question of a"]


async def test_times_of_all_kinds_give_one_order(tmp_path: Path) -> None:
    times = {
        "naive": "2025-10-04T10:00:00",
        "zulu": "2025-10-04T10:30:00Z",
        "offset": "2025-10-04T13:15:00+03:00",
        "none": "soon",
        "date": "2025-10-05",
    }
    folder = old_folder(tmp_path, *times)
    for chat, time in times.items():
        metadata = old_metadata(chat, updated_at=time, name=chat)
        write_json(folder / f"{chat}.json", {"metadata": metadata, "messages": []})
    async with managed(tmp_path) as manager:
        assert await names(manager) == ["date", "zulu", "offset", "naive", "none"]
        await manager.rename_conversation(USER, "offset", "renamed")
    # Somebody else's times are stored as they were given.
    assert stored(folder, "offset")["metadata"]["updated_at"] == "2025-10-04T13:15:00+03:00"


async def test_message_ids_of_all_kinds(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    messages = [old_message(str(i), message_id=i) for i in (0, 0, 5, 5, 1_762_650_000_000_000)]
    messages += [messages[-1]]  # a retry that stored its message twice stays as it is
    write_json(folder / "a.json", {"metadata": old_metadata("a"), "messages": messages})
    async with managed(tmp_path) as manager:
        read = await manager.get_messages(USER, "a")
        assert [m.message_id for m in read] == [0, 0, 5, 5, *[1_762_650_000_000_000] * 2]
        await manager.add_message(USER, "a", question("new", 9))
        [chat] = await manager.list_conversations(USER)
        assert chat.message_count == 7
    assert stored(folder, "a")["messages"][:6] == messages


async def test_groups_have_negative_ids(tmp_path: Path) -> None:
    group = -1001234567890
    old_folder(tmp_path, "a").rename(tmp_path / f"user_{group}")
    async with managed(tmp_path) as manager:
        assert await names(manager, group) == ["Chat a"]
        assert await manager.add_message(group, "a", question("new"))
        assert (await manager.load_index(group))["user_id"] == group


async def test_a_foreign_path_is_never_touched(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "report.txt"
    report.parent.mkdir()
    report.write_text("a report")
    root = tmp_path / "chats"
    folder = old_folder(root, "a")
    sent = old_message("r", type="bot_answer", sent_as="file", file_path=str(report))
    write_json(folder / "a.json", {"metadata": old_metadata("a"), "messages": [sent]})
    async with managed(root) as manager:
        [message] = await manager.get_messages(USER, "a")
        assert message.file_path == str(report)
        await manager.delete_conversation(USER, "a")
        await manager.empty_trash(USER)
    assert report.read_text() == "a report"


@pytest.mark.parametrize("how", ["missing", "empty", "zeroed", "list", "null", "text"])
async def test_without_a_readable_index_the_chats_tell(tmp_path: Path, how: str) -> None:
    folder = old_folder(tmp_path, "a", "b", "c", active="a")
    late = old_metadata("b", updated_at="2025-11-01T00:00:00")
    write_json(folder / "b.json", {"metadata": late, "messages": old_messages("b")})
    index = folder / "index.json"
    contents = {
        "empty": b"",
        "zeroed": bytes(300),
        "list": b"[]",
        "null": b"null",
        "text": b"oops",
    }
    index.unlink() if how == "missing" else index.write_bytes(contents[how])
    damaged = 0 if how == "missing" else 1

    async with managed(tmp_path) as manager:
        assert await names(manager) == ["Chat b", "Chat a", "Chat c"] or damaged
        assert await ids(manager) == {"a", "b", "c"}
        assert await manager.get_active_conversation_id(USER) == "b"
        assert (await manager.load_index(USER))["username"] == "anna"
        await manager.set_active_conversation(USER, "c")
        assert await manager.take_damage_report(USER) == damaged
        assert await manager.take_damage_report(USER) == 0
    async with managed(tmp_path) as manager:
        assert await manager.get_active_conversation_id(USER) == "c"
        assert await manager.take_damage_report(USER) == 0
    assert put_aside(folder) == ([contents[how]] if damaged else [])


async def test_empty_chats_survive_the_loss_of_the_index(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        made = {await manager.create_conversation(USER, "anna", f"chat {n}") for n in range(3)}
    (tmp_path / f"user_{USER}" / "index.json").unlink()
    async with managed(tmp_path) as manager:
        assert await ids(manager) == made


@pytest.fixture
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not about power cuts need not wait for the disk a thousand times."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("written_by", ["seed", "us"])
async def test_an_index_cut_at_any_byte_hides_no_chat(tmp_path: Path, written_by: str) -> None:
    folder = old_folder(tmp_path, "a", "b", active="b")
    if written_by == "us":
        async with managed(tmp_path) as manager:
            await manager.pin_conversation(USER, "a")
            await manager.pin_conversation(USER, "b")
    index = folder / "index.json"
    whole = index.read_bytes().rstrip()
    pointer_read = whole.index(b'"conversations"')
    for end in range(len(whole)):
        for aside in folder.glob("*.damaged-*"):
            aside.unlink()
        index.write_bytes(whole[:end])
        async with managed(tmp_path) as manager:
            assert await ids(manager) == {"a", "b"}
            if end > pointer_read:
                assert await manager.get_active_conversation_id(USER) == "b"
            assert await manager.take_damage_report(USER) == 1
        assert put_aside(folder) == [whole[:end]]


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("form", ["indented", "lines"])
async def test_a_chat_cut_at_any_byte_gives_what_stands_before_the_cut(
    tmp_path: Path, form: str
) -> None:
    folder = old_folder(tmp_path, "a", "b", active="b")
    if form == "lines":
        async with managed(tmp_path) as manager:
            await manager.rename_conversation(USER, "a", "Chat a")
            await manager.rename_conversation(USER, "b", "Chat b")
    path, index = folder / "a.json", (folder / "index.json").read_bytes()
    whole = path.read_bytes().rstrip()
    starts = [whole.index(m["text"].encode()) for m in old_messages("a")]
    closed = [whole.index(b"}", start) for start in starts]
    for end in range(len(whole)):
        for aside in folder.glob("*.damaged-*"):
            aside.unlink()
        path.write_bytes(whole[:end])
        (folder / "index.json").write_bytes(index)
        readable = texts_of("a")[: sum(end > place for place in closed)]

        async with managed(tmp_path) as manager:
            assert "b" in await ids(manager)
            assert texts(await manager.get_messages(USER, "a")) == readable
            assert await manager.get_active_conversation_id(USER) == "b"
        assert put_aside(folder) == [whole[:end]]
        if end % 5:
            continue  # the rest costs as much again
        async with managed(tmp_path) as manager:
            assert await manager.take_damage_report(USER) == 1
            assert await manager.take_damage_report(USER) == 0
            assert texts(await manager.get_messages(USER, "a")) == readable
            listed = await manager.get_conversation(USER, "a")
            if readable:
                assert listed is not None
                assert (listed.name, listed.message_count) == ("Chat a", len(readable))
            else:
                assert listed is None or listed.message_count == 0


def texts_of(conversation_id: str) -> list[str]:
    return [message["text"] for message in old_messages(conversation_id)]


BAD_MESSAGES = ['"no object"', "5", "null", '{"type": "bot_answer"}', '{"text": 5, "type": "x"}']


@pytest.mark.parametrize(
    "bad", [*BAD_MESSAGES, '{"type": "bot_answer", "te', "\x00\x00", "[[[", "�"]
)
@pytest.mark.parametrize("indexed", [True, False])
async def test_one_bad_message_costs_only_itself(tmp_path: Path, bad: str, indexed: bool) -> None:
    folder = old_folder(tmp_path, "a", "b")
    async with managed(tmp_path) as manager:
        await manager.pin_conversation(USER, "a")
    if not indexed:
        (folder / "index.json").unlink()
    path = folder / "a.json"
    first, second, third, end = path.read_bytes().split(b"\n")[:4]
    broken = b"\n".join([first, second, bad.encode() + b",", third, end, b""])
    path.write_bytes(broken)

    async with managed(tmp_path) as manager:
        assert await ids(manager) == {"a", "b"}
        assert texts(await manager.get_messages(USER, "a", limit=50)) == texts_of("a")
        assert await manager.take_damage_report(USER) == 1
        assert await manager.add_message(USER, "a", question("new"))
        assert await manager.take_damage_report(USER) == 0
    assert put_aside(folder) == [broken]
    assert [m["text"] for m in stored(folder, "a")["messages"]] == [*texts_of("a"), "new"]


async def test_damage_does_not_move_the_active_chat(tmp_path: Path) -> None:
    chats = [f"c{number:02}" for number in range(12)]
    folder = old_folder(tmp_path, *chats, active="c05")
    for chat in chats:
        if chat != "c05":
            path = folder / f"{chat}.json"
            path.write_bytes(path.read_bytes()[:-30])
    async with managed(tmp_path) as manager:
        assert await ids(manager) == set(chats)
        assert await manager.get_active_conversation_id(USER) == "c05"
        assert await manager.take_damage_report(USER) == 11
    async with managed(tmp_path) as manager:
        assert await manager.get_active_conversation_id(USER) == "c05"


async def test_metadata_that_cannot_be_read_come_from_the_index(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    path = folder / "a.json"
    spoilt = path.read_bytes().replace(b'"metadata": {', b'"metadata": {{')
    path.write_bytes(spoilt)
    async with managed(tmp_path) as manager:
        [chat] = await manager.list_conversations(USER)
        assert (chat.name, chat.username, chat.message_count) == ("Chat a", "anna", 2)
        assert chat.created_at == "2025-10-04T07:59:00.123456"
    assert put_aside(folder) == [spoilt]


async def test_a_chat_of_which_nothing_is_left_is_put_aside(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a", "b", active="a")
    (folder / "a.json").write_bytes(bytes(500))
    async with managed(tmp_path) as manager:
        assert await ids(manager) == {"b"}
        assert await manager.get_active_conversation_id(USER) == "b"
        assert await manager.load_conversation(USER, "a") is None
        assert await manager.take_damage_report(USER) == 1
    assert put_aside(folder) == [bytes(500)]


@pytest.mark.parametrize("crashed_after", ["copy", "rewrite"])
async def test_a_crash_during_a_repair_neither_forgets_nor_doubles_the_report(
    tmp_path: Path, crashed_after: str
) -> None:
    folder = old_folder(tmp_path, "a", "b")
    path = folder / "a.json"
    cut = path.read_bytes()[:-30]
    path.write_bytes(cut)
    index = (folder / "index.json").read_bytes()
    if crashed_after == "copy":
        os.link(path, folder / "a.json.damaged-1")
    else:
        async with managed(tmp_path) as manager:
            await manager.list_conversations(USER)
        (folder / "index.json").write_bytes(index)

    for expected in (1, 0):
        async with managed(tmp_path) as manager:
            assert texts(await manager.get_messages(USER, "a")) == texts_of("a")[:1]
            assert await manager.take_damage_report(USER) == expected
    assert put_aside(folder) == [cut]


async def test_damage_again_is_kept_and_told_again(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    cuts = []
    for _ in range(3):
        path = folder / "a.json"
        cuts.append(path.read_bytes().rstrip()[:-3])
        path.write_bytes(cuts[-1])
        async with managed(tmp_path) as manager:
            assert texts(await manager.get_messages(USER, "a"))[:1] == texts_of("a")[:1]
            assert await manager.take_damage_report(USER) == 1
            await manager.add_message(USER, "a", question("more", len(cuts)))
    assert put_aside(folder) == cuts


async def test_a_damaged_chat_in_the_trash_is_restored_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a", "b")
    async with managed(tmp_path) as manager:
        await manager.delete_conversation(USER, "a")
    path = folder / "trash" / "a.json"
    cut = path.read_bytes()[:-30]
    path.write_bytes(cut)
    (folder / "trash" / "x.json").mkdir()
    async with managed(tmp_path) as manager:
        assert [chat.name for chat in await manager.list_deleted(USER)] == ["Chat a"]
        assert await manager.restore_conversation(USER, "x") is False
        assert await manager.restore_conversation(USER, "a", activate=True) is True
        assert texts(await manager.get_messages(USER, "a")) == texts_of("a")[:1]
        assert await manager.take_damage_report(USER) == 1
    assert put_aside(folder) == [cut]


async def test_index_and_files_disagree(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "stale", "ghost", "fine", active="ghost")
    (folder / "ghost.json").unlink()
    orphan = {
        "metadata": old_metadata("orphan", name="Orphan"),
        "messages": old_messages("orphan"),
    }
    write_json(folder / "orphan.json", orphan)
    newer = old_metadata("stale", updated_at="2025-10-09T00:00:00", message_count=2)
    four = [*old_messages("stale"), *old_messages("again")]
    write_json(folder / "stale.json", {"metadata": newer, "messages": four})
    async with managed(tmp_path) as manager:
        assert await ids(manager) == {"stale", "fine", "orphan"}
        assert await manager.get_active_conversation_id(USER) == "stale"
        listed = await manager.get_conversation(USER, "stale")
        assert listed is not None
        assert (listed.message_count, listed.is_active) == (4, True)
        assert await manager.take_damage_report(USER) == 0


async def test_messages_without_metadata_are_a_chat(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    for chat, data in (("b", {}), ("c", {"metadata": {}}), ("d", {"metadata": "lost"})):
        write_json(folder / f"{chat}.json", data | {"messages": old_messages(chat)})
    async with managed(tmp_path) as manager:
        chats = {c.conversation_id: c for c in await manager.list_conversations(USER)}
        assert {chat: listed.name for chat, listed in chats.items()} == {
            "a": "Chat a",
            "b": "question of b",
            "c": "question of c",
            "d": "question of d",
        }
        assert chats["b"].created_at == "2025-10-04T07:59:30.000001"
        # Only where something had to be dropped it is damage.
        assert await manager.take_damage_report(USER) == 1
        assert await manager.add_message(USER, "b", question("new"))
    assert stored(folder, "b")["metadata"]["message_count"] == 3


async def test_metadata_of_another_kind_are_kept_beside_what_the_index_knows(
    tmp_path: Path,
) -> None:
    folder = old_folder(tmp_path, "a")
    foreign = {"metadata": {"origin": {"tool": 5}}, "messages": old_messages("a")}
    write_json(folder / "a.json", foreign)
    async with managed(tmp_path) as manager:
        assert await names(manager) == ["Chat a"]
        assert await manager.take_damage_report(USER) == 0
        assert await manager.add_message(USER, "a", question("new"))
    assert stored(folder, "a")["metadata"]["origin"] == {"tool": 5}


async def test_times_that_are_none_do_not_change_at_a_restart(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    (folder / "index.json").unlink()
    messages = [old_message("one", timestamp="soon"), old_message("two", timestamp=5)]
    write_json(folder / "a.json", {"messages": messages})
    seen = []
    for _ in range(2):
        async with managed(tmp_path) as manager:
            seen += await manager.list_conversations(USER)
            await manager.pin_conversation(USER, "a")
    assert {(chat.created_at, chat.updated_at) for chat in seen} == {("soon", "soon")}


@pytest.mark.parametrize("limit", [2, 50])
async def test_a_first_message_on_the_first_line_is_not_passed_over(
    tmp_path: Path, limit: int
) -> None:
    folder = old_folder(tmp_path, "a")
    async with managed(tmp_path) as manager:
        await manager.pin_conversation(USER, "a")
    path = folder / "a.json"
    path.write_bytes(path.read_bytes().replace(b"[\n", b"[", 1))
    for _ in range(3):
        async with managed(tmp_path) as manager:
            assert texts(await manager.get_messages(USER, "a", limit)) == texts_of("a")
            await manager.load_conversation(USER, "a")
            await manager.set_active_conversation(USER, "a")


async def test_two_active_flags_are_one_active_chat(tmp_path: Path) -> None:
    old_folder(tmp_path, "a", "b", "c", active="c")
    async with managed(tmp_path) as manager:
        flags = {c.conversation_id: c.is_active for c in await manager.list_conversations(USER)}
    assert flags == {"a": False, "b": False, "c": True}


async def test_an_entry_that_is_none_is_dropped(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    index = json.loads((folder / "index.json").read_bytes())
    index["conversations"] += [None, 5, {}, {"conversation_id": ["a"]}, old_metadata("../x")]
    write_json(folder / "index.json", index)
    async with managed(tmp_path) as manager:
        assert await ids(manager) == {"a"}
        await manager.pin_conversation(USER, "a")
    assert len(stored(folder, "index")["conversations"]) == 1


async def test_what_a_crash_left_behind_is_swept(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    (folder / "trash").mkdir()
    (folder / "files").mkdir()
    for where in (folder, folder / "trash", folder / "files"):
        (where / ".a.json.0123456789ab.tmp").write_bytes(b'{"metadata')
    (folder / "index.json.tmp").write_bytes(b"somebody else's")
    async with managed(tmp_path) as manager:
        assert await ids(manager) == {"a"}
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "a.json",
        "index.json",
        "index.json.tmp",
    ]


OTHER_FILES: dict[str, Any] = {
    "settings": {"theme": "dark"},
    "texts": {"messages": ["Hello", "Bye"]},
    "templates": {"all": [{"type": "greeting", "text": "Hello"}]},
    "package": {"metadata": {"version": 1}},
    "list": [1, 2, 3],
    "number": 5,
}


async def test_sound_json_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    for name, data in OTHER_FILES.items():
        write_json(folder / f"{name}.json", data)
    (folder / "big.json").write_text('{"scale": NaN, "seed": ' + "9" * 5000 + "}")
    (folder / "folder.json").mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "no id.json").write_text("broken")
    before = tree(tmp_path)
    async with managed(tmp_path) as manager:
        assert await ids(manager) == {"a"}
        for name in (*OTHER_FILES, "big", "folder"):
            assert await manager.load_conversation(USER, name) is None
            assert await manager.add_message(USER, name, question("x")) is False
            assert await manager.delete_conversation(USER, name) is False
        assert await manager.take_damage_report(USER) == 0
    assert tree(tmp_path) == before


def with_text(raw: str) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(b'"fast"', raw.encode("utf-8", "surrogatepass"), 1)


ODDITIES: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "BOM": (lambda data: b"\xef\xbb\xbf" + data, 0),
    "CRLF": (lambda data: data.replace(b"\n", b"\r\n"), 0),
    "NUL after the end": (lambda data: data + bytes(4096), 1),
    "NUL in a text": (lambda data: data.replace(b"question of", b"question\x00of"), 1),
    "invalid UTF-8": (lambda data: data.replace(b'"fast"', b'"\xff\xfe"', 1), 1),
    "raw surrogate": (with_text('"\ud800"'), 1),
    "escaped surrogate": (with_text('"\\ud800"'), 0),
    "NaN": (with_text('"fast", "score": NaN'), 1),
    "infinity": (with_text('"fast", "score": -1e999'), 1),
    "huge number": (with_text('"fast", "score": ' + "9" * 5000), 1),
    "huge token count": (with_text('"fast", "tokens": 1' + "0" * 4000), 1),
    "deep": (with_text('"fast", "deep": ' + "[" * 400 + "]" * 400), 1),
    "far too deep": (with_text('"fast", "deep": ' + "[" * 100_000), 1),
    "key twice": (with_text('"fast", "text": "question of a"'), 1),
    "list twice": (lambda data: data.rstrip(b" \r\n}]") + b'}], "messages": []}', 1),
    "second document": (lambda data: data + data, 1),
    "list misspelt": (lambda data: data.replace(b'"messages"', b'"mes ages"', 1), 1),
    "no beginning": (lambda data: data[100:], 1),
    "no head": (lambda data: data[data.index(b"[") + 1 :], 1),
}


@pytest.mark.parametrize("form", ["indented", "lines"])
@pytest.mark.parametrize("oddity", ODDITIES)
async def test_oddities_of_json(tmp_path: Path, oddity: str, form: str) -> None:
    folder = old_folder(tmp_path, "a", "b", active="b")
    if form == "lines":
        async with managed(tmp_path) as manager:
            await manager.rename_conversation(USER, "a", "Chat a")
    spoil, damage = ODDITIES[oddity]
    path = folder / "a.json"
    odd = spoil(path.read_bytes())
    path.write_bytes(odd)

    async with managed(tmp_path) as manager:
        assert await ids(manager) == {"a", "b"}
        read = await manager.get_messages(USER, "a")
        assert read[-1].text == "answer of a"
        [*_, last_two] = [texts(read)]
        assert len(last_two) == (1 if oddity in LOSES_ONE else 2)
        assert await manager.take_damage_report(USER) == damage
        assert await manager.add_message(USER, "a", question("new"))
        assert await manager.load_conversation(USER, "a") is not None
    assert put_aside(folder) == [odd] * damage

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(path.read_bytes(), parse_constant=refuse)


LOSES_ONE = {"NUL in a text", "deep", "far too deep"}


async def test_a_chat_edited_while_we_run_is_noticed(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a", "b")
    async with managed(tmp_path) as manager:
        await manager.add_message(USER, "a", question("ours"))
        path = folder / "a.json"
        edited = (
            path.read_text().replace("question of a", "edited by hand").replace("Chat a", "New")
        )
        path.write_text(edited)
        assert sorted(await names(manager)) == ["Chat b", "New"]
        assert texts(await manager.get_messages(USER, "a"))[0] == "edited by hand"
        await manager.add_message(USER, "a", question("more", 9))
        conversation = await manager.load_conversation(USER, "a")
        assert conversation is not None
        assert texts(conversation.messages) == ["edited by hand", "answer of a", "ours", "more"]


async def test_one_chat_edited_while_we_run_is_noticed(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a", "b", "c", active="a")
    async with managed(tmp_path) as manager:

        async def name(chat: str) -> str | None:
            found = await manager.get_conversation(USER, chat)
            return found.name if found else None

        for _ in range(2):  # from the file, and from memory
            assert [await name(chat) for chat in ("a", "b", "c")] == ["Chat a", "Chat b", "Chat c"]
        path = folder / "b.json"
        path.write_text(path.read_text().replace("Chat b", "New name"))
        assert await name("b") == "New name"
        path.unlink()
        assert await name("b") is None
        write_json(folder / "b.json", {"metadata": old_metadata("b", name="Back"), "messages": []})
        assert await name("b") == "Back"


@pytest.mark.parametrize("made", ['{"kind": "notes"}', "not JSON at all"])
@pytest.mark.parametrize("asked", ["for one", "for the list"])
async def test_the_active_chat_is_made_something_else_while_we_run(
    tmp_path: Path, made: str, asked: str
) -> None:
    folder = old_folder(tmp_path, "a", "b", active="a")
    async with managed(tmp_path) as manager:
        assert await manager.get_active_conversation_id(USER) == "a"
        (folder / "a.json").write_text(made)
        if asked == "for one":
            assert await manager.get_active_conversation_id(USER) == "b"
        chats = await manager.list_conversations(USER)
        assert [(chat.conversation_id, chat.is_active) for chat in chats] == [("b", True)]
        assert (await manager.load_index(USER))["last_active_conversation_id"] == "b"


async def test_a_chat_that_cannot_be_read_now_is_as_it_was_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = old_folder(tmp_path, "a", "b", active="a")
    async with managed(tmp_path) as manager:
        known = await manager.get_conversation(USER, "a")
        path = folder / "a.json"
        path.write_text(path.read_text().replace("Chat a", "New name"))

        def fail(*args: object, **options: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as broken:
            broken.setattr("conversations.living_chats.read_metadata", fail)
            for _ in range(2):
                assert await manager.get_conversation(USER, "a") == known
                assert await manager.get_active_conversation(USER) == known
        renamed = await manager.get_active_conversation(USER)
        assert renamed is not None
        assert renamed.name == "New name"


LAYOUTS: dict[str, Callable[[str], str]] = {
    "a message over two lines": lambda text: text.replace('"2", ', '"2",\n  ', 1),
    "two messages on a line": lambda text: text.replace("},\n{", "}, {", 1),
    "a space before the comma": lambda text: text.replace("},\n{", "} ,\n{", 1),
    "an object over two lines": lambda text: text.replace('"extra": {', '"extra": {\n', 1),
}


@pytest.mark.parametrize("edit", LAYOUTS.values(), ids=LAYOUTS)
async def test_what_an_editor_has_broken_into_other_lines_is_all_there(
    tmp_path: Path, edit: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its first line and its end are ours, so that it looks as if we had written it."""
    everything = ["1", "2", "3"]
    async with managed(tmp_path) as manager:
        chat = await manager.start_conversation(USER, "anna")
        for number in (1, 2, 3):
            message = question(str(number), number)
            message.extra["extra"] = {"a": number}
            await manager.add_message(USER, chat, message)
        others = [await manager.create_conversation(USER, "anna", name) for name in "abcde"]
    path = tmp_path / f"user_{USER}" / f"{chat}.json"
    before = path.read_text()
    path.write_text(edit(before))
    assert path.read_text() != before
    for _ in range(2):
        async with managed(tmp_path) as manager:
            for _ in range(2):
                assert texts(await manager.get_messages(USER, chat)) == everything
                conversation = await manager.load_conversation(USER, chat)
                assert conversation is not None
                assert texts(conversation.messages) == everything
                for other in others:  # of which fewer are kept in memory
                    await manager.load_conversation(USER, other)
            await manager.set_active_conversation(USER, others[0])  # writes the index
    async with managed(tmp_path) as manager:
        copied = await manager.fork_conversation(USER, chat)
        assert copied is not None
        assert texts(await manager.get_messages(USER, copied)) == everything
        assert texts(await manager.remove_last_exchange(USER, chat)) == ["3"]
        assert texts(await manager.get_messages(USER, chat)) == ["1", "2"]
    assert put_aside(tmp_path) == []
    assert caplog.messages == []


@pytest.mark.parametrize(
    "use",
    [
        lambda manager, chat: manager.load_conversation(USER, chat),
        lambda manager, chat: manager.fork_conversation(USER, chat),
        lambda manager, chat: manager.remove_last_exchange(USER, chat),
        lambda manager, chat: manager.get_messages(USER, chat),
    ],
    ids=["load", "fork", "remove", "read"],
)
async def test_damage_that_a_file_does_not_show_is_found_with_the_message(
    tmp_path: Path, use: Callable[[ConversationManager, str], Awaitable[object]]
) -> None:
    """A bad block of the disk changes neither the size of a file nor its time."""
    async with managed(tmp_path) as manager:
        chat = await manager.start_conversation(USER, "anna")
        for number in (1, 2, 3):
            await manager.add_message(USER, chat, question(str(number), number))
    path = tmp_path / f"user_{USER}" / f"{chat}.json"
    status, sound = path.stat(), path.read_bytes()
    spoilt = sound.replace(b'"text": "2"', b'"text"\0 "2"')
    path.write_bytes(spoilt)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    async with managed(tmp_path) as manager:
        await use(manager, chat)
        assert put_aside(tmp_path) == [spoilt]
        conversation = await manager.load_conversation(USER, chat)
        assert conversation is not None
        assert {"1"} <= set(texts(conversation.messages)) <= {"1", "3"}
        assert await manager.take_damage_report(USER) == 1


async def test_files_that_come_and_go_while_we_run_are_noticed(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a", "b", active="a")
    async with managed(tmp_path) as manager:
        assert await ids(manager) == {"a", "b"}
        copied = {"metadata": old_metadata("c"), "messages": old_messages("c")}
        write_json(folder / "c.json", copied)
        assert await ids(manager) == {"a", "b", "c"}
        (folder / "a.json").unlink()
        assert await ids(manager) == {"b", "c"}
        assert await manager.get_active_conversation_id(USER) in {"b", "c"}
        index = json.loads((folder / "index.json").read_bytes())
        write_json(
            folder / "index.json", index | {"last_active_conversation_id": "c", "note": "mine"}
        )
        assert await manager.get_active_conversation_id(USER) == "c"
        await manager.pin_conversation(USER, "b")
        shutil.rmtree(folder)
        assert await ids(manager) == set()
    assert list(tmp_path.glob("user_*")) == []


async def test_the_active_file_vanishes_and_a_new_chat_is_wanted(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    async with managed(tmp_path) as manager:
        assert (await manager.add_question(USER, "anna", question("x"))).conversation_id == "a"
        (folder / "a.json").unlink()
        fresh = await manager.add_question(USER, "anna", question("y"))
        assert fresh.conversation_id != "a"
        assert await ids(manager) == {fresh.conversation_id}


async def test_an_index_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    (folder / "index.json").rename(folder / "kept")
    (folder / "index.json").mkdir()
    async with managed(tmp_path) as manager:
        with pytest.raises(StorageError):
            await manager.list_conversations(USER)
        with pytest.raises(StorageError):
            await manager.create_conversation(USER, "anna", "x")
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "index.json", "kept"]


def spoil(data: bytes, edits: list[tuple[int, int]]) -> bytes:
    spoilt = bytearray(data)
    for place, value in edits:
        spoilt[place % len(spoilt)] = value
    return bytes(spoilt)


EDITS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(EDITS, EDITS, st.booleans())
def test_any_bytes_in_index_and_chat(
    tmp_path_factory: pytest.TempPathFactory,
    index_edits: list[tuple[int, int]],
    chat_edits: list[tuple[int, int]],
    lines: bool,
) -> None:
    asyncio.run(spoilt_folder(tmp_path_factory.mktemp("spoilt"), index_edits, chat_edits, lines))


async def spoilt_folder(
    root: Path,
    index_edits: list[tuple[int, int]],
    chat_edits: list[tuple[int, int]],
    lines: bool,
) -> None:
    folder = old_folder(root, "a", "b")
    if lines:
        async with managed(root) as manager:
            await manager.pin_conversation(USER, "a")
            await manager.pin_conversation(USER, "b")
    spoilt = {
        "index.json": spoil((folder / "index.json").read_bytes(), index_edits),
        "a.json": spoil((folder / "a.json").read_bytes(), chat_edits),
    }
    for name, data in spoilt.items():
        (folder / name).write_bytes(data)

    for _ in range(2):
        async with managed(root) as manager:
            assert "b" in await ids(manager)
            assert await manager.get_active_conversation_id(USER) in {"a", "b"}
            assert texts(await manager.get_messages(USER, "b")) == texts_of("b")
            await manager.get_messages(USER, "a")
            await manager.load_conversation(USER, "a")
            assert await manager.add_message(USER, "b", question("new")) is True
            (folder / "b.json").unlink()
            whole = {"metadata": old_metadata("b"), "messages": old_messages("b")}
            write_json(folder / "b.json", whole)
    aside = put_aside(folder)
    for data in spoilt.values():
        try:
            json.loads(data)
        except ValueError:
            assert data in aside
    json.loads((folder / "index.json").read_bytes())


async def test_an_empty_chat_that_a_later_index_does_not_list_is_adopted(tmp_path: Path) -> None:
    """Only what was written after the index can be an unfinished creation."""
    async with managed(tmp_path) as manager:
        first = await manager.create_conversation(USER, "anna", "First")
        second = await manager.create_conversation(USER, "anna", "Second")
    folder = tmp_path / f"user_{USER}"
    index = json.loads((folder / "index.json").read_text())
    index["conversations"] = [
        entry for entry in index["conversations"] if entry["conversation_id"] == second
    ]
    write_json(folder / "index.json", index)
    async with managed(tmp_path) as manager:
        assert await ids(manager) == {first, second}
        assert await manager.get_active_conversation_id(USER) == second
