"""Chats as files to download: what they say, how they are named, what they cost."""

from __future__ import annotations

import asyncio
import html.parser
import io
import json
import os
import re
import tracemalloc
import unicodedata
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from conversations import (
    Conversation,
    ConversationManager,
    ExportedFile,
    ExportFormat,
    ExportLabels,
    StorageError,
)
from conversations.transfer.file_names import FILE_NAME_LIMIT, UniqueNames, file_name
from tests.storages import (
    USER,
    Clock,
    answer,
    managed,
    new_chat,
    old_folder,
    opened,
    question,
    tree,
)

FORMATS: list[ExportFormat] = ["markdown", "json", "html"]
EVIL = "<script>alert('x')</script>\"&<img src=x onerror=y>"
CHAT = "0a1b2c3d-0000-4000-8000-000000000000"


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[ConversationManager]:
    async with managed(tmp_path) as manager:
        yield manager


async def read(exported: ExportedFile | None) -> str:
    assert exported is not None
    return b"".join([piece async for piece in exported]).decode()


async def export(
    manager: ConversationManager,
    chat: Conversation,
    export_format: ExportFormat = "markdown",
    **options: Any,
) -> str:
    assert await manager.save_conversation(chat)
    chat_id = chat.metadata.conversation_id
    return await read(await manager.export_conversation(USER, chat_id, export_format, **options))


def conversation(*messages: Any, name: str = "Lisbon") -> Conversation:
    return Conversation(new_chat(CHAT, name=name), list(messages))


class Page(html.parser.HTMLParser):
    """What a browser makes of a page: its elements, their attributes, the text outside styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._in_style = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


# One chat


async def test_markdown(manager: ConversationManager) -> None:
    stopped = answer("Wait:\n\n```python\nprint(1)")
    stopped.state, stopped.model = "partial", "gpt_4"
    text = await export(
        manager,
        conversation(question("Where?\n# not a heading"), answer("In **Alfama**."), stopped),
    )
    assert text == (
        "# Lisbon\n\nMessages: 3 · Begun: 2026-05-01 10:00 UTC\n"
        "\n---\n\n**You** · 2026-05-01 12:00 UTC\n\n> Where?  \n> # not a heading\n"
        "\n---\n\n**Assistant** · 2026-05-01 12:00 UTC\n\nIn **Alfama**.\n"
        "\n---\n\n**Assistant** · gpt\\_4 · stopped · 2026-05-01 12:00 UTC\n"
        "\nWait:\n\n```python\nprint(1)\n```\n"
    )


@pytest.mark.parametrize(
    ("text", "closed_by"),
    [
        ("```\na", "```"),
        ("````md\n```\na\n```", "````"),
        ("1. x\n   ~~~ info `\n   a", "~~~"),
        ("```\na\n```", ""),
        ("```inline``` only", ""),
        ("~~~\n```\n~~~\n", ""),
    ],
)
async def test_code_that_nothing_closes_ends_with_its_message(
    manager: ConversationManager, text: str, closed_by: str
) -> None:
    exported = await export(manager, conversation(answer(text), question("next")))
    end = exported.partition("\n---\n\n**You**")[0]
    assert end.endswith(f"{text}\n{closed_by}\n" if closed_by else f"{text}\n")


async def test_a_name_is_no_markdown(manager: ConversationManager) -> None:
    name = "*a* [b](c) <i>\n# d"
    text = await export(manager, conversation(question("x"), name=name))
    assert text.startswith("# \\*a\\* \\[b\\](c) \\<i\\> \\# d\n\n")


async def test_labels_and_unknown_times(manager: ConversationManager) -> None:
    asked = question("Где?")
    asked.timestamp = "no time"
    labels = ExportLabels("ru", "Вы", "Модель", "остановлено", "сбой", "Сообщений", "Начат")
    chat = conversation(asked, answer("Тут."))
    text = await export(manager, chat, labels=labels)
    assert "Сообщений: 2 · Начат: 2026-05-01 10:00 UTC" in text
    assert "**Вы**\n\n> Где?" in text
    page = await export(manager, chat, "html", labels=labels)
    assert '<html lang="ru">' in page
    assert "<p><b>Вы</b></p>" in page


async def test_json_is_what_the_store_writes(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        chat = await manager.create_conversation(USER, "anna", "Лиссабон")
        for number, text in enumerate(["одно", "two\u2028", "\ud800", "", "🙂\x00"]):
            await manager.add_message(USER, chat, question(text, number))
        await manager.pin_conversation(USER, chat)
        exported = await manager.export_conversation(USER, chat, "json")
        assert exported is not None
        assert exported.name == f"Лиссабон-{chat[:8]}.json"
        stored = (tmp_path / f"user_{USER}" / f"{chat}.json").read_bytes()
        assert b"".join([piece async for piece in exported]) == stored
        empty = await manager.create_conversation(USER, "anna", "empty")
        exported = await manager.export_conversation(USER, empty, "json")
        stored = (tmp_path / f"user_{USER}" / f"{empty}.json").read_bytes()
        assert (await read(exported)).encode() == stored


async def test_json_keeps_what_we_do_not_know(tmp_path: Path) -> None:
    folder = old_folder(tmp_path, "a")
    raw = json.loads((folder / "a.json").read_bytes())
    raw["schema_version"], raw["messages"][0]["rating"] = "1.0", {"stars": 5}
    (folder / "a.json").write_text(json.dumps(raw))
    async with managed(tmp_path) as manager:
        exported = json.loads(await read(await manager.export_conversation(USER, "a", "json")))
    assert exported == raw


async def test_nothing_in_a_chat_becomes_html(manager: ConversationManager) -> None:
    asked, said = question(EVIL), answer(f"{EVIL}\n```\n{EVIL}\n```\nrest \x00\x1b\ud800 end")
    said.model = EVIL
    text = await export(manager, conversation(asked, said, name=EVIL), "html")
    page = Page(text)
    assert {tag for tag, _ in page.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main"),
        *("article", "b", "time", "div", "pre", "code"),
    }
    for _, attributes in page.elements:
        assert not {"src", "href", "onerror", "style"} & attributes.keys()
    # Whole in the title, the heading, the question, three times in the answer with its model.
    assert page.text.count(EVIL) == 6
    assert "rest \ufffd\ufffd? end" in page.text or "rest \ufffd\ufffd\ufffd end" in page.text


async def test_a_page_needs_nothing_else_and_fits_a_phone(manager: ConversationManager) -> None:
    text = await export(manager, conversation(question("a"), answer("b")), "html")
    page = Page(text)
    metas = [attributes for tag, attributes in page.elements if tag == "meta"]
    [policy] = [m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in metas
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"https?:|url\(|@import|<script|<link", text)
    assert text.count("<article") == text.count("</article>") == 2


async def test_direction_stays_within_a_message(manager: ConversationManager) -> None:
    chat = conversation(question("\u202egnp.exe"), answer("שלום"), name="a\u202eb\u2066c")
    page = Page(await export(manager, chat, "html"))
    titles = [t for t in page.texts if "abc" in t]
    assert titles == ["abc", "abc"]
    texts = [attributes for tag, attributes in page.elements if attributes.get("class") == "text"]
    assert [attributes["dir"] for attributes in texts] == ["auto", "auto"]


async def test_answers_may_be_rendered(manager: ConversationManager) -> None:
    chat = conversation(question("**a**"), answer("**b**"))
    text = await export(manager, chat, "html", render=lambda markdown: f"<b>{markdown[2:-2]}</b>")
    assert '<div class="text" dir="auto"><b>b</b></div>' in text
    assert "**a**" in text


async def test_what_is_not_there(manager: ConversationManager) -> None:
    chat = await manager.create_conversation(USER, "anna", "x")
    for user_id, chat_id in ((USER, "unknown"), (USER, "../x"), (2, chat)):
        for export_format in FORMATS:
            assert await manager.export_conversation(user_id, chat_id, export_format) is None
    with pytest.raises(ValueError, match="format"):
        await manager.export_conversation(USER, chat, "pdf")  # type: ignore[arg-type]


async def test_a_long_chat_is_not_in_memory_twice(tmp_path: Path) -> None:
    """Ten thousand messages of two thousand characters: some 20 MB."""
    text = "Lorem ipsum dolor sit amet, " * 71
    messages = [question(f"{n} {text}", n) for n in range(10_000)]
    async with managed(tmp_path) as manager:
        assert await manager.save_conversation(conversation(*messages))
        del messages
        for export_format in FORMATS:
            exported = await manager.export_conversation(USER, CHAT, export_format)
            assert exported is not None
            size = 0
            tracemalloc.start()
            try:
                async for piece in exported:
                    size += len(piece)
                    assert len(piece) < 128 * 1024
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert size > 19_000_000
            assert peak < 1_000_000, export_format


async def test_exporting_lets_others_run(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        messages = [question("x" * 1000, n) for n in range(1000)]
        assert await manager.save_conversation(conversation(*messages))
        exported = await manager.export_conversation(USER, CHAT, "html")
        assert exported is not None
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(others())
        pieces = [piece async for piece in exported]
        other.cancel()
        assert turns >= len(pieces) > 10


# Names of files

HOSTILE_NAMES = [
    *("../../etc/passwd", "..\\..\\x", "C:\\x", "/abs", "CON", "con.txt", "NUL", "a.", "a ", " "),
    *("", ".", "..", "...", "-", "a\x00b", "a\nb", 'a<b>:"|?*c', "\u202egnp.exe", "🙂"),
    *("x" * 500, "ы" * 500, "e\u0301" * 200, "\u0301x", "👩\u200d👧" * 50, "\ud800", "~"),
    *("%2e%2e", "$(rm)", "`ls`"),
]
SAFE = regex.compile(r"[\w-]+-[\w-]{1,8}(-\d+)?\.json")


def check_safe(name: str) -> None:
    assert SAFE.fullmatch(name), name
    assert len(name) <= FILE_NAME_LIMIT
    assert len(name.encode()) <= 255
    assert unicodedata.normalize("NFC", name) == name
    assert not unicodedata.combining(name[0])
    assert name[0] not in "-_"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_file_name_is_safe_everywhere(name: str) -> None:
    check_safe(file_name(name, CHAT, ".json"))


@given(st.text(max_size=200))
def test_any_file_name_is_safe(name: str) -> None:
    check_safe(file_name(name, CHAT, ".json"))


def test_a_file_is_named_after_its_chat() -> None:
    assert file_name("Plans: Lisbon & Porto", CHAT, ".md") == "Plans_Lisbon_Porto-0a1b2c3d.md"
    assert file_name("Что-то новое?", CHAT, ".md") == "Что-то_новое-0a1b2c3d.md"
    assert file_name("🙂", "x", ".md") == "chat-x.md"


def test_names_in_one_folder_differ_in_any_case() -> None:
    names = UniqueNames()
    given_names = [
        names.unique(name, chat, ".json")
        for name, chat in [("A", "x"), ("a", "X"), ("a", "x"), ("é" * 60, "x"), ("É" * 60, "x")]
    ]
    assert given_names[:3] == ["A-x.json", "a-X-2.json", "a-x-3.json"]
    assert len({name.casefold() for name in given_names}) == 5
    for name in given_names:
        check_safe(name)


# All chats


def unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len({name.casefold() for name in names}) == len(names)
        return {name: archive.read(name) for name in names}


async def export_all(manager: ConversationManager, user_id: int = USER) -> bytes:
    file = io.BytesIO()
    await manager.export_all(user_id, file)
    return file.getvalue()


async def test_all_chats_in_one_zip(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        first = await manager.create_conversation(USER, "anna", "First chat")
        await manager.add_message(USER, first, question("one"))
        deleted = await manager.create_conversation(USER, "anna", "Deleted chat")
        await manager.delete_conversation(USER, deleted)
        file = io.BytesIO()
        assert await manager.export_all(USER, file) == 2
        files = unpack(file.getvalue())
        paths = {
            first: f"chats/First_chat-{first[:8]}.json",
            deleted: f"trash/Deleted_chat-{deleted[:8]}.json",
        }
        assert list(files) == [*paths.values(), "index.json"]
        stored = (tmp_path / f"user_{USER}" / f"{first}.json").read_bytes()
        assert json.loads(files[paths[first]])["messages"] == json.loads(stored)["messages"]
        index = json.loads(files["index.json"])
        assert (index["user_id"], index["username"]) == (USER, "anna")
        assert index["last_active_conversation_id"] == first
        listed = {chat["conversation_id"]: chat for chat in index["conversations"]}
        assert {chat: listed[chat]["file_name"] for chat in listed} == paths
        assert "deleted_at" not in listed[first]
        assert listed[deleted]["deleted_at"]
        assert json.loads(files[paths[deleted]])["metadata"]["deleted_at"]


async def test_the_same_chats_give_the_same_bytes(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        for number in range(3):
            chat = await manager.create_conversation(USER, "anna", f"chat {number}")
            await manager.add_message(USER, chat, question("one"))
        before = tree(tmp_path)
        first = await export_all(manager)
        assert await export_all(manager) == first
        assert tree(tmp_path) == before
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {info.date_time[:3] for info in archive.infolist()} == {(2026, 5, 1)}
        assert {info.external_attr >> 16 & 0o777 for info in archive.infolist()} == {0o600}


async def test_a_person_without_chats(manager: ConversationManager) -> None:
    file = io.BytesIO()
    assert await manager.export_all(404, file) == 0
    assert json.loads(unpack(file.getvalue())["index.json"])["conversations"] == []


async def test_hostile_names_in_a_zip(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        chats = [
            Conversation(new_chat(f"{number:08}-x", name=name or " "), [question("x")])
            for number, name in enumerate(HOSTILE_NAMES)
        ]
        for chat in chats:
            chat.metadata.updated_at = "0001-01-01T00:00:00+14:00"
        await storage.add(USER, chats)
        manager = ConversationManager(storage, raise_errors=True)
        files = unpack(await export_all(manager))
        assert len(files) == len(HOSTILE_NAMES) + 1
        for path in files.keys() - {"index.json"}:
            folder, _, name = path.partition("/")
            assert folder == "chats"
            check_safe(name)


async def test_what_is_over_its_time_in_the_trash_is_not_exported(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        clock = Clock()
        manager = ConversationManager(storage, raise_errors=True, clock=clock)
        chat = await manager.create_conversation(USER, "anna", "x")
        await manager.delete_conversation(USER, chat)
        clock.now = clock.now.replace(year=2027)
        assert f"trash/x-{chat[:8]}.json" not in unpack(await export_all(manager))


async def test_a_thousand_chats_are_never_in_memory_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    text = "x" * 20_000
    async with opened(tmp_path) as storage:
        for start in range(0, 1000, 100):
            await storage.add(
                USER,
                [
                    Conversation(new_chat(f"chat-{n}", name="x"), [question(f"{n} {text}")])
                    for n in range(start, start + 100)
                ],
            )
        manager = ConversationManager(storage, raise_errors=True)
        with (tmp_path / "all.zip").open("wb") as file:
            tracemalloc.start()
            try:
                assert await manager.export_all(USER, file) == 1000
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < 8_000_000  # of 20 MB; what is kept follows the number of chats
    assert len(unpack((tmp_path / "all.zip").read_bytes())) == 1001


class FullDisk(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() > 200:
            raise OSError(28, "No space left on device")
        return super().write(data)


async def test_a_file_that_cannot_be_written(manager: ConversationManager) -> None:
    for number in range(5):
        await manager.create_conversation(USER, "anna", f"chat {number}")
    with pytest.raises(OSError, match="No space"):
        await manager.export_all(USER, FullDisk())


async def test_a_cancelled_export_has_stopped_writing(tmp_path: Path) -> None:
    async with managed(tmp_path) as manager:
        for number in range(5):
            await manager.create_conversation(USER, "anna", f"chat {number}")
        for steps in range(0, 40, 3):
            file = io.BytesIO()
            task = asyncio.create_task(manager.export_all(USER, file))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            file.close()  # a thread that still wrote would complain
        assert len(await manager.list_conversations(USER)) == 5


async def test_a_failing_storage(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await storage.create(new_chat("a"))
    quiet = ConversationManager(storage)
    loud = ConversationManager(storage, raise_errors=True)
    assert await quiet.export_all(USER, io.BytesIO()) == 0
    assert await quiet.export_conversation(USER, "a") is None
    with pytest.raises(StorageError):
        await loud.export_all(USER, io.BytesIO())
    with pytest.raises(StorageError):
        await loud.export_conversation(USER, "a")
