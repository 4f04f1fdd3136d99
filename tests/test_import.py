"""Chats from files: our own of any age, ChatGPT's, Claude's; always as new ones."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conversations import (
    Conversation,
    ConversationManager,
    ConversationMessage,
    ImportLimits,
    ImportRefusedError,
    ImportReport,
    JsonStorage,
    StorageError,
    parse_time,
)
from tests.foreign_exports import (
    BEGUN,
    branched_chatgpt_chat,
    branched_claude_chat,
    chatgpt_chat,
    chatgpt_message,
    chatgpt_zip,
    claude_chat,
    claude_zip,
    odd_chatgpt_chat,
    odd_claude_chat,
    packed,
    simple_chatgpt_chat,
    simple_claude_chat,
)
from tests.storages import (
    USER,
    Clock,
    answer,
    managed,
    new_chat,
    old_folder,
    old_message,
    old_metadata,
    opened,
    question,
    texts,
    tree,
)

OTHER = 2002


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[ConversationManager]:
    async with managed(tmp_path) as manager:
        yield manager


async def take(
    manager: ConversationManager, data: Any, user_id: int = USER, **limits: int
) -> ImportReport:
    """Import a file, given as bytes or as what JSON makes of it."""
    file = data if isinstance(data, bytes | Path) else json.dumps(data).encode()
    report = await manager.import_conversations(
        user_id, "anna", file, limits=ImportLimits(**limits)
    )
    assert report is not None
    return report


def left_out(report: ImportReport) -> dict[str, int]:
    return {item.reason: item.count for item in report.left_out}


async def chats(manager: ConversationManager, user_id: int = USER) -> list[Conversation]:
    """Give all living chats in the order of the list."""
    loaded = [
        await manager.load_conversation(user_id, chat.conversation_id)
        for chat in await manager.list_conversations(user_id)
    ]
    return [chat for chat in loaded if chat is not None]


async def only(manager: ConversationManager, data: Any) -> tuple[Conversation, ImportReport]:
    report = await take(manager, data)
    [chat] = await chats(manager)
    return chat, report


def said(chat: Conversation) -> list[tuple[str, str]]:
    return [(message.type[0], message.text) for message in chat.messages]


def facts(chat: Conversation) -> Any:
    """Everything of a chat but whose it is and its id."""
    metadata = dataclasses.replace(chat.metadata, conversation_id="", user_id=0, username="")
    metadata.is_active = False
    return metadata, chat.messages, chat.extra


# ChatGPT


async def test_a_chat_of_chatgpt(manager: ConversationManager) -> None:
    chat, report = await only(manager, [simple_chatgpt_chat()])
    assert report == ImportReport(("chatgpt",), 1, 0, 2, ())
    asked, said = chat.messages
    assert (asked.type, asked.text) == ("user_question", "Where to stay in Lisbon?")
    assert (said.type, said.text, said.model) == ("bot_answer", "In **Alfama**.", "gpt-4")
    assert asked.timestamp == "2024-04-05T19:34:38.901234+00:00"
    assert parse_time(said.timestamp).timestamp() == pytest.approx(BEGUN + 5.5)
    assert (asked.message_id, said.message_id, said.reply_to) == (-1, -2, -1)
    assert asked.tokens == round(len(asked.text) * 0.3)
    assert asked.tokens_estimated is True
    metadata = chat.metadata
    assert (metadata.name, metadata.name_source) == ("Plans for Lisbon", "user")
    assert (metadata.username, metadata.message_count) == ("anna", 2)
    assert metadata.total_tokens == asked.tokens + said.tokens
    assert parse_time(metadata.created_at).timestamp() == pytest.approx(BEGUN)
    assert parse_time(metadata.updated_at).timestamp() == pytest.approx(BEGUN + 100)


@pytest.mark.parametrize("current", ["a2", None, "gone", 5])
async def test_the_branch_that_was_current(manager: ConversationManager, current: Any) -> None:
    chat, report = await only(manager, [branched_chatgpt_chat(current_node=current)])
    last = "old answer" if current == "a2" else "new answer"  # the latest, where it is not told
    assert said(chat) == [("u", "second version"), ("b", last)]
    assert left_out(report) == {"other_branch": 3}


async def test_nodes_without_children_and_in_a_circle(manager: ConversationManager) -> None:
    slim = branched_chatgpt_chat()
    for node in slim["mapping"].values():
        del node["children"]
        if node["message"]:
            del node["message"]["metadata"], node["message"]["recipient"]
    circle = branched_chatgpt_chat(title="circle")
    circle["mapping"]["q2"]["parent"] = "a2"
    report = await take(manager, [slim, circle])
    assert report.chats == 2
    for chat in await chats(manager):
        assert said(chat) == [("u", "second version"), ("b", "old answer")]
        assert chat.messages[1].model == "gpt-4o"  # the chat's, where the message has none


async def test_all_that_is_no_plain_text(manager: ConversationManager) -> None:
    chat, report = await only(manager, odd_chatgpt_chat())  # one chat by itself is taken too
    assert said(chat) == [
        ("u", "[image]\n\nWhat is on the picture?\n\n[file: menufdp.pdf]"),
        ("b", "A cat in Lisbon ."),
        ("u", "Draw it"),
        ("b", "[image]"),
        ("u", "And aloud?"),
        ("b", "[audio]"),
        ("b", "```python\nprint(1)\n```"),
    ]
    assert [message.state for message in chat.messages if message.state] == ["partial"]
    assert left_out(report) == {
        "hidden_message": 4,  # instructions, memory, thoughts, their summary
        "tool_message": 4,
        "unknown_content": 2,
        "empty_message": 1,
    }
    assert {item.detail for item in report.left_out} == {"Cats"}


@pytest.mark.parametrize(
    ("title", "name"),
    [
        (None, "Where to stay in Lisbon?"),
        ("", "Where to stay in Lisbon?"),
        ("New chat", "Where to stay in Lisbon?"),
        (["x"], "Where to stay in Lisbon?"),
        (" a\n\u202eb ", "a b"),
        ("word " * 40, ("word " * 12).strip() + "..."),
    ],
)
async def test_titles(manager: ConversationManager, title: Any, name: str) -> None:
    chat, _ = await only(manager, [simple_chatgpt_chat(title)])
    assert chat.metadata.name == name


@pytest.mark.parametrize("time", [None, 0, -5, "x", True, [], 1e300, 10**400])
async def test_times_that_are_none(manager: ConversationManager, time: Any) -> None:
    messages = [
        chatgpt_message("user", "one", time),
        chatgpt_message("assistant", "two", BEGUN),
        chatgpt_message("user", "three", time),
    ]
    raw = chatgpt_chat(messages, create_time=time, update_time=time)
    chat, _ = await only(manager, [raw])
    stamps = [parse_time(message.timestamp).timestamp() for message in chat.messages]
    assert stamps == pytest.approx([BEGUN] * 3)
    assert parse_time(chat.metadata.created_at).timestamp() == pytest.approx(BEGUN)


async def test_without_any_time_it_is_now(manager: ConversationManager) -> None:
    messages = [chatgpt_message("user", "one"), chatgpt_message("assistant", "two")]
    chat, _ = await only(manager, [chatgpt_chat(messages, create_time=None, update_time=None)])
    assert {message.timestamp for message in chat.messages} == {"2026-05-01T12:00:01+00:00"}
    assert chat.metadata.updated_at == "2026-05-01T12:00:01+00:00"


async def test_times_in_milliseconds_and_as_text(manager: ConversationManager) -> None:
    messages = [
        chatgpt_message("user", "one", BEGUN * 1000),
        chatgpt_message("assistant", "two", "2024-04-05T21:34:38+02:00"),  # type: ignore[arg-type]
    ]
    chat, _ = await only(manager, [chatgpt_chat(messages)])
    assert chat.messages[0].timestamp.startswith("2024-04-05T19:34:38")
    assert chat.messages[1].timestamp == "2024-04-05T21:34:38+02:00"


async def test_chats_with_nothing_in_them_and_chats_that_are_none(
    manager: ConversationManager,
) -> None:
    hidden = chatgpt_chat([chatgpt_message("system", "")], "hidden")
    broken = simple_chatgpt_chat("broken", mapping={"a": 5, "b": {"message": 7, "parent": 9}})
    odd: list[Any] = [None, 5, "x", [], {}, {"mapping": []}]
    report = await take(manager, [hidden, broken, *odd, simple_chatgpt_chat()])
    assert (report.chats, report.messages) == (1, 2)
    assert left_out(report) == {"empty_chat": 2, "unreadable_chat": 6}
    assert {item.reason: item.detail for item in report.left_out}["empty_chat"] == "hidden"


async def test_a_zip_of_chatgpt(manager: ConversationManager) -> None:
    report = await take(manager, chatgpt_zip([simple_chatgpt_chat("a"), simple_chatgpt_chat("b")]))
    assert (report.sources, report.chats) == (("chatgpt",), 2)
    assert left_out(report) == {"other_file": 5}


async def test_a_zip_with_its_chats_in_many_files(manager: ConversationManager) -> None:
    files = {
        f"export/conversations-{n:03}.json": [simple_chatgpt_chat(f"chat {n}")] for n in range(3)
    }
    report = await take(manager, packed(files | {"export_manifest.json": {"files": []}}))
    assert report.chats == 3
    assert {c.metadata.name for c in await chats(manager)} == {"chat 0", "chat 1", "chat 2"}


# Claude


async def test_a_chat_of_claude(manager: ConversationManager) -> None:
    chat, report = await only(manager, [simple_claude_chat()])
    assert report == ImportReport(("claude",), 1, 0, 2, ())
    assert said(chat) == [("u", "A soup, please"), ("b", "Borscht:\n\n1. Beets")]
    assert chat.messages[0].timestamp == "2025-03-04T10:00:01.123456Z"
    assert (chat.messages[1].message_id, chat.messages[1].reply_to) == (-2, -1)
    assert chat.metadata.name == "Soup recipes"
    assert chat.metadata.created_at == "2025-03-04T09:59:59.000001Z"
    assert chat.metadata.updated_at == "2025-03-04T11:00:00.000001Z"


async def test_blocks_attachments_and_old_exports(manager: ConversationManager) -> None:
    chat, report = await only(manager, odd_claude_chat())
    assert said(chat) == [
        ("u", "a long paste\n\n[file: list.csv]\n\n[file: photo.jpg]"),
        ("b", "Let me write it.\n\ncounter.py\n\n````python\nprint('```')\n````\n\nDone."),
        ("u", "from an old export"),
    ]
    assert left_out(report) == {"tool_message": 1, "hidden_message": 1, "unreadable_message": 2}


@pytest.mark.parametrize("leaf", ["m4", "m2", None, "gone"])
async def test_the_current_version_of_a_question(manager: ConversationManager, leaf: Any) -> None:
    chat, report = await only(manager, [branched_claude_chat(current_leaf_message_uuid=leaf)])
    version = "first version" if leaf == "m2" else "second version"
    assert said(chat) == [("u", version), ("b", f"answer to the {version}")]
    assert left_out(report) == {"other_branch": 2}


async def test_a_zip_of_claude(manager: ConversationManager) -> None:
    empty = claude_chat([], name="")
    report = await take(manager, claude_zip([empty, simple_claude_chat("")]))
    assert (report.sources, report.chats) == (("claude",), 1)
    assert left_out(report) == {"other_file": 2, "empty_chat": 1}
    [chat] = await chats(manager)
    assert chat.metadata.name == "A soup, please"


# Ours


async def fill(manager: ConversationManager) -> None:
    """Make chats with every fact that a chat of ours can have."""
    ids = [await manager.create_conversation(USER, "anna", f"chat {n}") for n in range(4)]
    for number, chat in enumerate(ids):
        asked = question(f"question {number}\x00\u2028\ud800", number, tokens=3)
        said = answer(f"answer {number}", 2**60 + number, tokens=9)
        said.reply_to, said.state, said.tokens_estimated = number, "partial", True
        said.model, said.file_path, said.sent_as = "gpt", "files/a.md", "file"
        said.search_type, said.extra = "deep", {"rating": {"stars": 5}}
        await manager.add_message(USER, chat, asked)
        await manager.add_message(USER, chat, said)
        await manager.add_message(USER, chat, said)
    await manager.pin_conversation(USER, ids[1])
    await manager.set_mode(USER, ids[2], "deep")
    await manager.rename_conversation(USER, ids[3], "Мой чат 🙂")
    await manager.delete_conversation(USER, ids[0])
    await manager.set_active_conversation(USER, ids[2])
    conversation = await manager.load_conversation(USER, ids[1])
    assert conversation is not None
    conversation.extra["schema_version"] = "1.0"
    conversation.metadata.extra["chat_number"] = 7
    assert await manager.save_conversation(conversation)


async def exported(manager: ConversationManager, user_id: int = USER) -> bytes:
    file = io.BytesIO()
    await manager.export_all(user_id, file)
    return file.getvalue()


async def test_all_out_and_in_again_is_the_same(manager: ConversationManager) -> None:
    await fill(manager)
    data = await exported(manager)
    report = await take(manager, data, OTHER)
    assert report == ImportReport(("ours",), 4, 1, 8, ())
    before, after = await chats(manager), await chats(manager, OTHER)
    assert [facts(chat) for chat in after] == [facts(chat) for chat in before]
    [deleted] = await manager.list_deleted(OTHER)
    assert deleted.name == "chat 0"
    assert await manager.restore_conversation(OTHER, deleted.conversation_id)
    active = [chat.metadata.name for chat in after if chat.metadata.is_active]
    assert active == [chat.metadata.name for chat in before if chat.metadata.is_active]
    assert {c.metadata.user_id for c in after} == {OTHER}
    old_ids = {chat.metadata.conversation_id for chat in before}
    assert old_ids.isdisjoint(chat.metadata.conversation_id for chat in after)


async def test_a_deleted_chat_has_its_time_in_the_trash_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        clock = Clock()
        manager = ConversationManager(storage, raise_errors=True, clock=clock)
        chat = await manager.create_conversation(USER, "anna", "deleted")
        await manager.add_message(USER, chat, question("one"))
        await manager.delete_conversation(USER, chat)
        data = await exported(manager)
        clock.now = clock.now.replace(year=2028)
        await take(manager, data, OTHER)
        [deleted] = await manager.list_deleted(OTHER)
        assert deleted.name == "deleted"


async def test_importing_twice_gives_two_sets_and_moves_nothing(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        await fill(manager)
        data = await exported(manager)
        active = await manager.get_active_conversation_id(USER)
        before = {path: data for path, data in tree(tmp_path).items() if "index" not in path}
        for _ in range(2):
            assert (await take(manager, data)).chats == 4
        assert await manager.get_active_conversation_id(USER) == active
        assert len(await manager.list_conversations(USER)) == 9
        assert len(await manager.list_deleted(USER)) == 3
        after = tree(tmp_path)
        assert {path: after[path] for path in before} == before
        pinned = [chat.pinned for chat in await manager.list_conversations(USER)]
        assert pinned == [True] * 3 + [False] * 6


async def test_one_chat_as_json_comes_back(manager: ConversationManager) -> None:
    await fill(manager)
    for chat in await chats(manager):
        chat_id = chat.metadata.conversation_id
        file = await manager.export_conversation(USER, chat_id, "json")
        assert file is not None
        data = b"".join([piece async for piece in file])
        user_id = OTHER + int(chat_id[:8], 16)
        await take(manager, data, user_id)
        assert [facts(c) for c in await chats(manager, user_id)] == [facts(chat)]


async def test_the_folder_of_another_writer_zipped(tmp_path: Path) -> None:
    folder = old_folder(tmp_path / "old", "a", "b", active="b")
    raw = json.loads((folder / "a.json").read_bytes())
    raw["metadata"]["title"] = raw["metadata"].pop("name")
    raw["messages"].append(old_message("", type="bot_answer", message_id=1762600000000000))
    (folder / "a.json").write_text(json.dumps(raw, indent=2))
    (folder / "files").mkdir()
    (folder / "files" / "x.md").write_text("long")
    files = {
        f"user_{USER}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    archive = tmp_path / "anything.bin"
    archive.write_bytes(packed(files))
    async with managed(tmp_path / "new") as manager:
        report = await take(manager, archive)
        assert (report.sources, report.chats, report.messages) == (("ours",), 2, 5)
        assert left_out(report) == {"other_file": 1}
        by_name = {chat.metadata.name: chat for chat in await chats(manager)}
        assert by_name.keys() == {"Chat a", "Chat b"}
        messages = [message.to_dict() for message in by_name["Chat a"].messages]
        assert messages == raw["messages"]
        assert by_name["Chat a"].metadata.created_at == old_metadata("a")["created_at"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("indent", [None, 4])
async def test_saved_anew_by_an_editor(
    manager: ConversationManager, encoding: str, indent: int | None
) -> None:
    raw = {"messages": [old_message("Привет 🙂")], "metadata": old_metadata("x", name="Имя")}
    text = json.dumps(raw, ensure_ascii=False, indent=indent)
    chat, report = await only(manager, text.encode(encoding))
    assert (chat.metadata.name, texts(chat.messages)) == ("Имя", ["Привет 🙂"])
    assert report.left_out == ()


async def test_what_cannot_be_read_costs_itself_alone(manager: ConversationManager) -> None:
    lines = [json.dumps(old_message(f"message {n}")) for n in range(6)]
    head = json.dumps({"metadata": old_metadata("x", name="Kept")})[:-1]
    lines[1] = lines[1].replace('"', "", 1)
    lines[3] = lines[3].replace("message 3", "mess\\qge")
    lines[4] = json.dumps({"type": 5})
    text = head + ', "messages": [\n' + ",\n".join(lines) + "\n]}\n"
    chat, report = await only(manager, text.encode())
    assert texts(chat.messages) == ["message 0", "message 2", "message 5"]
    assert chat.metadata.name == "Kept"
    assert left_out(report) == {"unreadable_message": 1, "damaged_file": 1}


@pytest.mark.parametrize("indent", [None, 2])
async def test_a_chat_that_breaks_off(manager: ConversationManager, indent: int | None) -> None:
    raw = {
        "metadata": old_metadata("x"),
        "messages": [old_message(f"{n}" * 200) for n in range(9)],
    }
    data = json.dumps(raw, indent=indent).encode()
    chat, report = await only(manager, data[: len(data) // 2])
    assert 2 <= len(chat.messages) <= 6
    assert left_out(report) == {"damaged_file": 1}


async def test_a_garbled_beginning_leaves_the_messages(manager: ConversationManager) -> None:
    lines = ",\n".join(json.dumps(old_message(f"message {n}")) for n in range(3))
    chat, report = await only(
        manager, b'{"meta\xff"x" {, "messages": [\n' + lines.encode() + b"]}"
    )
    assert texts(chat.messages) == ["message 0", "message 1", "message 2"]
    assert (chat.metadata.name, chat.metadata.name_source) == ("message 0", "question")
    assert left_out(report) == {"damaged_file": 1}


async def test_bytes_that_are_no_text(manager: ConversationManager) -> None:
    raw = {"metadata": old_metadata("x"), "messages": [old_message("a?b")]}
    chat, report = await only(manager, json.dumps(raw).encode().replace(b"a?b", b"a\xffb"))
    assert texts(chat.messages) == ["a\ufffdb"]
    assert left_out(report) == {"damaged_file": 1}


async def test_an_export_that_breaks_off_gives_what_came_before(
    manager: ConversationManager,
) -> None:
    names = [f"chat {number}" for number in range(5)]
    data = json.dumps([simple_claude_chat(name) for name in names]).encode()
    report = await take(manager, data[:-200])
    assert report.chats == 4
    assert left_out(report) == {"damaged_file": 1}


async def test_empty_chats_of_ours(manager: ConversationManager) -> None:
    untouched = new_chat("a")
    named = dataclasses.replace(new_chat("b", name="Ideas"), name_source="user")
    pinned = dataclasses.replace(new_chat("c"), pinned=True)
    files = {
        f"{metadata.conversation_id}.json": {"metadata": metadata.to_dict(), "messages": []}
        for metadata in (untouched, named, pinned)
    }
    report = await take(manager, packed(files))
    assert (report.chats, left_out(report)) == (2, {"empty_chat": 1})
    assert [c.metadata.name for c in await chats(manager)] == ["New chat", "Ideas"]


async def test_names_of_ours_are_cleaned(manager: ConversationManager) -> None:
    for name in ("a\nb", "x" * 70, "\u202e", 5, "New chat"):
        metadata = old_metadata("x", name=name, name_source="user")
        await take(manager, {"metadata": metadata, "messages": [old_message("What?")]})
    names = {c.metadata.name: c.metadata.name_source for c in await chats(manager)}
    assert names == {
        "a b": "user",
        "x" * 61 + "...": "user",
        "What?": "question",
        "New chat": "user",
    }


async def test_numbers_that_nothing_could_store(manager: ConversationManager) -> None:
    message = old_message("x", message_id=10**30, reply_to=-(10**30), tokens=10**4000)
    message["extra"] = 10**4299
    metadata = old_metadata("x", created_at="x" * 10_000, updated_at=7, message_count=10**4000)
    data = json.dumps({"metadata": metadata, "messages": [message]}).replace("7,", "7, ")
    chat, _ = await only(manager, data.encode())
    [stored] = chat.messages
    assert (stored.message_id, stored.reply_to, stored.tokens) == (0, None, 2**31 - 1)
    assert chat.metadata.message_count == 1
    assert chat.metadata.created_at == stored.timestamp


async def test_unknown_keys_may_not_be_a_burden(manager: ConversationManager) -> None:
    metadata = old_metadata("x", folder="work")
    raw = {"metadata": metadata, "messages": [old_message("x")], "burden": "y" * 20_000}
    chat, report = await only(manager, raw)
    assert left_out(report) == {"facts_dropped": 1}
    assert (chat.extra, chat.metadata.extra) == ({}, {"folder": "work"})


async def test_a_list_that_is_none_and_keys_that_stand_twice(manager: ConversationManager) -> None:
    one, two = (json.dumps(old_message(text)) for text in ("one", "two"))
    text = (
        f'{{"messages": 5, "metadata": {{"name": "first"}}, "messages": [{one}], '
        f'"metadata": {{"name": "second"}}, "messages": [{two}], "messages": null}}'
    )
    chat, _ = await only(manager, text.encode())
    assert (chat.metadata.name, texts(chat.messages)) == ("second", ["one", "two"])
    file = await manager.export_conversation(USER, chat.metadata.conversation_id, "json")
    assert file is not None
    pairs: list[str] = []
    text = b"".join([piece async for piece in file]).decode()
    json.loads(text, object_pairs_hook=lambda found: pairs.extend(key for key, _ in found))
    assert pairs.count("messages") == 1


# Limits


async def test_messages_over_the_limit(manager: ConversationManager) -> None:
    messages = [old_message(f"{n}") for n in range(10)]
    ours = {"metadata": old_metadata("x"), "messages": messages}
    theirs = chatgpt_chat([chatgpt_message("user", f"{n}", BEGUN + n) for n in range(10)])
    for raw in (ours, theirs):
        user_id = OTHER + len(str(raw))
        report = await take(manager, raw, user_id, messages=4)
        [chat] = await chats(manager, user_id)
        assert texts(chat.messages) == ["6", "7", "8", "9"]
        assert left_out(report) == {"too_many_messages": 6}


async def test_long_texts_are_cut(manager: ConversationManager) -> None:
    ours = {"metadata": old_metadata("x"), "messages": [old_message("x" * 50)]}
    theirs = chatgpt_chat([chatgpt_message("user", "x" * 50, BEGUN)])
    for raw in (ours, theirs):
        user_id = OTHER + len(str(raw))
        report = await take(manager, raw, user_id, text=20)
        [chat] = await chats(manager, user_id)
        assert texts(chat.messages) == ["x" * 20]
        assert left_out(report) == {"text_cut": 1}


async def test_chats_over_the_limit(manager: ConversationManager) -> None:
    array = [simple_claude_chat(f"chat {n}") for n in range(10)]
    files = {
        f"{n}.json": {"metadata": old_metadata("x"), "messages": [old_message("x")]}
        for n in range(10)
    }
    for data in (json.dumps(array).encode(), packed(files), packed({"a.json": array, **files})):
        user_id = OTHER + len(data)
        report = await take(manager, data, user_id, chats=4)
        assert (report.chats, left_out(report)) == (4, {"too_many_chats": 1})
        assert len(await manager.list_conversations(user_id)) == 4


async def test_a_chat_that_is_too_big_costs_itself_alone(manager: ConversationManager) -> None:
    big = simple_claude_chat("big", summary='"[{' * 100_000)
    rich = simple_claude_chat("rich", summary=[[]] * 60_000)
    deep: Any = "deep"
    for _ in range(200):
        deep = [deep]
    deep = simple_claude_chat("deep", summary=deep)
    array = [simple_claude_chat("a"), big, simple_claude_chat("b"), rich, deep]
    data = json.dumps([*array, simple_claude_chat("c")]).encode()
    report = await take(manager, data, value_chars=200_000, values=20_000)
    assert {c.metadata.name for c in await chats(manager)} == {"a", "b", "c"}
    assert left_out(report) == {"unreadable_chat": 3}
    assert (await take(manager, data)).chats == 5  # all but the deep one fit by default


async def test_a_long_chat_in_a_zip(manager: ConversationManager) -> None:
    """Only one message is in memory, so that its chat may be longer than a file sent plainly."""
    messages = [question(f"{n} " + "the same text " * 50, n) for n in range(10_000)]
    await manager.save_conversation(Conversation(new_chat("long", name="long"), messages))
    data = await exported(manager)
    report = await take(manager, data, OTHER, file_bytes=len(data))
    assert (report.chats, report.messages, report.left_out) == (1, 10_000, ())


# The way in


async def test_the_index_is_not_written_for_every_chat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its length follows the number of chats, so that this would cost by its square."""
    written = 0
    replace = os.replace

    def counting(source: Any, target: Any) -> None:
        nonlocal written
        written += Path(target).name == "index.json"
        replace(source, target)

    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "replace", counting)
    async with managed(tmp_path) as manager:
        report = await take(manager, [simple_chatgpt_chat(f"chat {n}") for n in range(1000)])
        assert report.chats == len(await manager.list_conversations(USER)) == 1000
        assert written < 30
    async with managed(tmp_path) as manager:
        assert len(await manager.list_conversations(USER)) == 1000
        assert await manager.take_damage_report(USER) == 0


async def test_a_person_without_chats_gets_the_latest(manager: ConversationManager) -> None:
    array = [
        simple_claude_chat("old", updated_at="2025-01-01T00:00:00Z"),
        simple_claude_chat("new", updated_at="2025-02-01T00:00:00Z"),
        simple_claude_chat("older", updated_at="2024-01-01T00:00:00Z"),
    ]
    await take(manager, array)
    active = await manager.get_active_conversation(USER)
    assert active is not None
    assert active.name == "new"


async def test_wrong_types(manager: ConversationManager) -> None:
    with pytest.raises(TypeError):
        await manager.import_conversations(USER, "anna", "text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        await manager.import_conversations("1", "anna", b"")  # type: ignore[arg-type]


async def test_a_path_that_is_not_there(manager: ConversationManager, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await manager.import_conversations(USER, "anna", tmp_path / "gone")


class FailingStorage(JsonStorage):
    """Fails from some batch of chats on."""

    batches = 0

    async def add(self, user_id: int, conversations: Any) -> None:
        if self.batches == 0:
            raise StorageError("disk full")
        self.batches -= 1
        await super().add(user_id, conversations)


async def test_a_storage_that_fails(tmp_path: Path) -> None:
    data = json.dumps([simple_claude_chat(f"{n}") for n in range(120)]).encode()
    storage = FailingStorage(tmp_path)
    loud, quiet = ConversationManager(storage, raise_errors=True), ConversationManager(storage)
    with pytest.raises(StorageError):
        await loud.import_conversations(USER, "anna", data)
    assert await quiet.import_conversations(USER, "anna", data) is None
    with pytest.raises(ImportRefusedError):
        await quiet.import_conversations(USER, "anna", b"x")
    storage.batches = 1
    report = await loud.import_conversations(USER, "anna", data)
    assert report is not None
    assert report.chats == len(await loud.list_conversations(USER)) == 50
    assert left_out(report) == {"storage_failed": 50}
    await storage.close()


async def test_a_cancelled_import_leaves_whole_chats(tmp_path: Path) -> None:
    raw = [simple_claude_chat(f"{n}") for n in range(120)]
    data = json.dumps(raw).encode()
    async with managed(tmp_path) as manager:
        kept = await manager.create_conversation(USER, "anna", "kept")
        for steps in range(1, 60, 7):
            task = asyncio.create_task(manager.import_conversations(USER, "anna", data))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            for chat in await chats(manager):
                assert len(chat.messages) in (0, 2)
            assert await manager.get_active_conversation_id(USER) == kept
    async with managed(tmp_path) as manager:
        assert await manager.take_damage_report(USER) == 0


async def test_talking_goes_on_during_an_import(tmp_path: Path) -> None:
    data = json.dumps([simple_claude_chat(f"{n}") for n in range(500)]).encode()
    async with managed(tmp_path) as manager:
        chat = await manager.create_conversation(USER, "anna", "talk")
        task = asyncio.create_task(take(manager, data))
        sent = 0
        while not task.done():
            message = ConversationMessage("2026-05-01T12:00:00+00:00", sent, "user_question", "x")
            assert await manager.add_message(USER, chat, message)
            sent += 1
        assert (await task).chats == 500
        assert sent > 5
        assert len(await manager.get_messages(USER, chat, 1000)) == sent
        assert len(await manager.list_conversations(USER)) == 501


async def test_names_of_entries_say_nothing(manager: ConversationManager) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("user.json", json.dumps([simple_chatgpt_chat("a")]))
        archive.writestr("index.json", json.dumps([simple_claude_chat("b")]))
        archive.writestr("conversations.json", json.dumps({"metadata": old_metadata("c")}))
    report = await take(manager, target.getvalue())
    assert (report.sources, report.chats) == (("chatgpt", "claude", "ours"), 3)
