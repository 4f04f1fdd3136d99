"""Files that want to break something: refused or read, never obeyed, at a bounded cost."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conversations import (
    ConversationManager,
    ImportLimits,
    ImportRefusedError,
    ImportReport,
    json_lines,
)
from conversations.transfer.reading import read_chats
from conversations.transfer.report import Tally
from tests.foreign_exports import (
    branched_chatgpt_chat,
    branched_claude_chat,
    chatgpt_zip,
    claude_zip,
    odd_chatgpt_chat,
    odd_claude_chat,
    packed,
    simple_chatgpt_chat,
    simple_claude_chat,
)
from tests.storages import USER, managed, old_message, old_metadata, question, tree

NEIGHBOUR = 7
NOW = "2026-05-01T12:00:00+00:00"
OURS = {"metadata": old_metadata("x"), "messages": [old_message(f"{n}") for n in range(5)]}
CHAT = json.dumps([simple_claude_chat()]).encode()


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[ConversationManager]:
    async with managed(tmp_path / "chats") as manager:
        yield manager


async def refusal(
    manager: ConversationManager, data: bytes, limits: ImportLimits | None = None
) -> tuple[str, str]:
    with pytest.raises(ImportRefusedError) as caught:
        await manager.import_conversations(USER, "anna", data, limits=limits or ImportLimits())
    return caught.value.reason, caught.value.detail


async def take(manager: ConversationManager, data: bytes) -> ImportReport:
    report = await manager.import_conversations(USER, "anna", data)
    assert report is not None
    return report


def left_out(report: ImportReport) -> dict[str, int]:
    return {item.reason: item.count for item in report.left_out}


def zip_of(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n", "unknown_format"),
        (b"\x00" * 100, "unknown_format"),
        (b"hello", "unknown_format"),
        (b"%PDF-1.7", "unknown_format"),
        (b"<!DOCTYPE html><html></html>", "unknown_format"),
        (b"null", "unknown_format"),
        (b"5", "unknown_format"),
        (b'"metadata"', "unknown_format"),
        (b"[]", "unknown_format"),
        (b"{}", "unknown_format"),
        (b"[[], {}, 5]", "unknown_format"),
        (b'{"messages": []}', "unknown_format"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "unknown_format"),
        (b'{"conversations": [], "last_active_conversation_id": null}', "unknown_format"),
        (b"[" * 100_000, "damaged"),
        (b'{"a":' * 100_000, "damaged"),
        (b'[{"mapping": ', "damaged"),
        (b'{"metadata": {"na', "damaged"),
        (b"\xff\xfe", "unknown_format"),
        (b"\xff\xff{", "unknown_format"),
        (b"PK\x03\x04", "damaged"),
        (b"PK\x03\x04" + b"x" * 5000, "damaged"),
        (zip_of(), "unknown_format"),
        (zip_of(("a.txt", CHAT)), "unknown_format"),
        (zip_of(("conversations.json", b"[{")), "damaged"),
        (zip_of(("a.json", CHAT))[:-30], "damaged"),
        (b"\x1f\x8b\x08\x00", "unknown_format"),
    ],
)
async def test_what_is_refused_and_why(
    manager: ConversationManager, tmp_path: Path, data: bytes, reason: str
) -> None:
    assert (await refusal(manager, data))[0] == reason
    assert not (tmp_path / "chats" / f"user_{USER}").exists()


async def test_files_that_are_too_big(manager: ConversationManager, tmp_path: Path) -> None:
    limits = ImportLimits(file_bytes=1000)
    for size, reason in ((1000, "unknown_format"), (1001, "too_big")):
        assert await refusal(manager, b"x" * size, limits) == (reason, "")
        path = tmp_path / "file"
        path.write_bytes(b"x" * size)
        with pytest.raises(ImportRefusedError, match=reason):
            await manager.import_conversations(USER, "anna", path, limits=limits)


# Zips


@pytest.mark.parametrize(
    "name",
    [
        *("../x.json", "a/../../x.json", "..", "/etc/x.json", "\\x.json", "..\\x.json"),
        *("C:\\x.json", "c:/x.json", "a\\..\\x.json", "//host/x.json", "\\\\host\\x.json"),
    ],
)
async def test_names_that_lead_out(manager: ConversationManager, name: str) -> None:
    data = zip_of(("a.json", CHAT), (name, CHAT))
    reason, detail = await refusal(manager, data)
    assert reason == "unsafe_entry"
    assert detail


async def test_names_that_only_look_so(manager: ConversationManager) -> None:
    names = ["a..b.json", "1:1 talk.json", "...json", "~/x.json", "a/./b.json"]
    report = await take(manager, zip_of(*((name, CHAT) for name in names)))
    assert report.chats == 4  # but for the hidden one
    report = await take(manager, zip_of(("con.json", CHAT), ("\u202enosj.json", CHAT)))
    assert report.chats == 2
    behind_nul = zip_of(("a0/0000.json", CHAT)).replace(b"a0/0000", b"a\x00/../b")
    assert (await refusal(manager, behind_nul))[0] == "unsafe_entry"


async def test_an_entry_without_a_name(manager: ConversationManager) -> None:
    data = zip_of(("a.json", CHAT), ("0.json", CHAT)).replace(b"0.json", b"\x00.json")
    report = await take(manager, data)
    assert (report.chats, left_out(report)) == (1, {"other_file": 1})


async def test_links(manager: ConversationManager) -> None:
    link = zipfile.ZipInfo("link.json")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    data = zip_of(("a.json", CHAT), (link, b"/etc/passwd"))
    assert await refusal(manager, data) == ("unsafe_entry", "link.json")


async def test_a_zip_with_a_password(manager: ConversationManager) -> None:
    data = bytearray(zip_of(("a.json", CHAT)))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert await refusal(manager, bytes(data)) == ("encrypted", "a.json")


async def test_archives_in_archives_stay_closed(manager: ConversationManager) -> None:
    inner = zip_of(("conversations.json", CHAT))
    data = zip_of(("a.zip", inner), ("b.tar.gz", b"x"), ("c.json", inner), ("d.json", CHAT))
    report = await take(manager, data)
    assert report.chats == 1
    assert left_out(report) == {"nested_archive": 2, "other_file": 1}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
async def test_methods_that_may_need_much_memory(
    manager: ConversationManager, method: int
) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.json", CHAT, method)
    assert (await refusal(manager, target.getvalue()))[0] == "unknown_format"


async def test_too_many_entries(manager: ConversationManager) -> None:
    limits = ImportLimits(entries=20)
    data = zip_of(*((f"{n}.json", CHAT) for n in range(21)))
    assert (await refusal(manager, data, limits))[0] == "too_many_entries"


def end_of_directory(entries: int, size: int, start: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, entries, entries, size, start, 0)


async def test_a_directory_that_fills_the_memory(manager: ConversationManager) -> None:
    """A record takes 46 bytes there and ten times that in memory; the count of them lies."""
    record = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 6, 0, 0, 0, *[0] * 5, 0, 0)
    records = record * 400_000
    data = b"PK\x03\x04" + records + end_of_directory(1, len(records), 4)
    tracemalloc.start()
    try:
        assert (await refusal(manager, data))[0] == "too_many_entries"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def bomb(size: int) -> bytes:
    head = json.dumps([simple_claude_chat()]).encode()[:-1]
    return zip_of(("conversations.json", head + b" " * size + b"]"))


async def test_a_bomb(manager: ConversationManager) -> None:
    small = bomb(2_000_000)
    assert (await take(manager, small)).chats == 1
    big = bomb(50_000_000)
    assert len(big) < 60_000
    many = zip_of(*((f"{n}.json", b"[" + b" " * 3_900_000) for n in range(40)))
    tracemalloc.start()
    try:
        assert await refusal(manager, big) == ("unpacks_too_big", "conversations.json")
        assert await refusal(manager, many) == ("unpacks_too_big", "")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


async def test_a_bomb_that_lies_about_its_size(manager: ConversationManager) -> None:
    data = bytearray(bomb(50_000_000))
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<L", 2000)
    tracemalloc.start()
    try:
        assert (await refusal(manager, bytes(data)))[0] == "damaged"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


async def test_many_names_for_the_same_bytes(manager: ConversationManager) -> None:
    """Each record of the directory points at one entry, so that a small zip unpacks to much."""
    data = zip_of(("a.json", b"[" + b" " * 3_000_000 + b"]"))
    central = data.index(b"PK\x01\x02")
    record = data[central : data.index(b"PK\x05\x06")]
    records = record * 1000
    overlapping = data[:central] + records + end_of_directory(1000, len(records), central)
    assert (await refusal(manager, overlapping))[0] == "unpacks_too_big"


async def test_damage_inside_a_zip_costs_its_file_alone(manager: ConversationManager) -> None:
    data = bytearray(zip_of(("a.json", CHAT), ("b.json", CHAT), ("c.json", CHAT)))
    place = data.index(b"b.json") + 20
    data[place : place + 30] = b"\xff" * 30
    report = await take(manager, bytes(data))
    assert report.chats == 2
    assert left_out(report)["damaged_file"] == 1


async def test_a_wrong_checksum_is_told(manager: ConversationManager) -> None:
    data = bytearray(zip_of(("a.json", CHAT), ("b.json", CHAT)))
    place = data.index(b"PK\x01\x02") + 16
    data[place] ^= 0xFF
    report = await take(manager, bytes(data))
    assert (report.chats, left_out(report)) == (1, {"damaged_file": 1})


# Cost


def repeated(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


SIZE = 256 * 1024


def claude_like(text: str) -> bytes:
    """The same text where ChatGPT marks its sources, and where Claude keeps a document."""
    half = text[: len(text) // 2]
    marked = simple_chatgpt_chat(
        mapping={"a": {"message": {"author": {"role": "user"}, "content": {"parts": [half]}}}}
    )
    block = {"type": "tool_use", "name": "artifacts", "input": {"content": half}}
    written = simple_claude_chat(chat_messages=[{"sender": "assistant", "content": [block]}])
    return json.dumps([marked, written], ensure_ascii=False).encode()


COSTLY: dict[str, Callable[[], bytes]] = {
    "lists": lambda: b"[" + repeated(b"[],", SIZE),
    "a list of lists": lambda: b"[[" + repeated(b"[],", SIZE) + b"[]]]",
    "objects": lambda: b"[" + repeated(b"{},", SIZE),
    "nested lists": lambda: b"[" * SIZE,
    "nested objects": lambda: repeated(b'{"a":', SIZE),
    "nested on lines": lambda: b'{"messages": [' + repeated(b'\n{"a":', SIZE),
    "nested far apart": lambda: b'{"messages": [' + repeated(b'\n{"a":[' + b"0," * 5000, SIZE),
    "lines that open": lambda: b'{"messages": [' + repeated(b"\n{", SIZE),
    "strings that do not end": lambda: b'{"messages": [' + repeated(b'\n{"', SIZE),
    "one long string": lambda: b'["' + repeated(b"a", SIZE),
    "one long string of escapes": lambda: b'["' + repeated(b"\\u0041", SIZE),
    "one long string of backslashes": lambda: b'["' + repeated(b"\\\\", SIZE),
    "one long number": lambda: b"[" + repeated(b"1", SIZE),
    "long numbers": lambda: b"[" + repeated(b"1" * 4000 + b",", SIZE),
    "spaces": lambda: b"[" + b" " * SIZE,
    "empty lines": lambda: b'{"messages": [x' + repeated(b"\n   ", SIZE),
    "keys": lambda: b"{" + b",".join(b'"%06d":0' % n for n in range(SIZE // 11)),
    "commas": lambda: b"[" + b"," * SIZE,
    "empty chats": lambda: b"[" + repeated(b'{"mapping":{}},', SIZE),
    "empty messages": lambda: (
        b'{"metadata":{"name":"x"},"messages":[' + repeated(b'{"type":"","text":""},', SIZE)
    ),
    "small lists for messages": lambda: b'{"messages":[' + repeated(b"[],", SIZE) + b"[]]}",
    "a chat of lists": lambda: b'[{"mapping":{"a":[' + repeated(b"[],", SIZE) + b"[]]}}]",
    "a mark without an end": lambda: claude_like("x\ue200" + "a" * (SIZE - 1000)),
    "many marks without ends": lambda: claude_like("\ue200a【1†" * (SIZE // 11)),
    "many backticks": lambda: claude_like("`" * (SIZE - 1000)),
    "a long chain": lambda: json.dumps(
        [{"mapping": {str(n): {"parent": str(n - 1)} for n in range(SIZE // 30)}}]
    ).encode(),
    "a wide tree": lambda: json.dumps(
        [
            {
                "chat_messages": [
                    {"uuid": str(n), "parent_message_uuid": "0"} for n in range(SIZE // 47)
                ]
            }
        ]
    ).encode(),
}


def read(data: bytes, tally: Tally) -> tuple[str, int]:
    """Read a file without storing it; tell whether it was taken or why not, and its chats."""
    chats = 0
    try:
        for _ in read_chats(data, ImportLimits(), tally, now=NOW):
            chats += 1
    except ImportRefusedError as refused:
        return refused.reason, chats
    return "taken", chats


@pytest.mark.parametrize("name", COSTLY)
def test_a_costly_file_costs_by_its_length(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decoded, and what is in memory, are a few times as long as the file."""
    data = COSTLY[name]()
    assert SIZE - 20_000 <= len(data) <= SIZE + 20_000
    tally = Tally()
    decode, decoded = json_lines.decode_first, 0

    def counting(text: str, position: int) -> tuple[Any, int]:
        nonlocal decoded
        try:
            value, end = decode(text, position)
        except json.JSONDecodeError as error:
            decoded += error.pos - position
            raise
        decoded += end - position
        return value, end

    monkeypatch.setattr(json_lines, "decode_first", counting)
    tracemalloc.start()
    try:
        outcome, chats = read(data, tally)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome in {"taken", "damaged", "unknown_format"}
    assert chats <= 2
    assert decoded <= 4 * SIZE
    assert peak < 40 * SIZE


# Five hundred broken files


def swapped(value: Any, chance: random.Random, depth: int = 0) -> Any:
    """Put something else in the place of some values."""
    if chance.random() < 0.06 and depth:
        odd: list[Any] = [
            None,
            True,
            -1,
            10**25,
            1e308,
            "",
            "x" * 3000,
            "\ud800",
            "\x00",
            [],
            {},
            [[[]]],
        ]
        return chance.choice(odd)
    if isinstance(value, dict):
        return {key: swapped(inner, chance, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [swapped(inner, chance, depth + 1) for inner in value]
    return value


def bytes_changed(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 12)):
        changed[chance.randrange(len(changed))] = chance.choice(b'\x00"\\[]{},:\xff\n9Z')
    return bytes(changed)


def parts_moved(data: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.sample(range(len(data)), 2))
    piece = data[start:end]
    return chance.choice([data[:start] + data[end:], data[:end] + piece + data[end:], piece])


def nested(data: bytes, chance: random.Random) -> bytes:
    place, depth = chance.randrange(len(data)), chance.choice([50, 500, 50_000])
    return data[:place] + b'{"a":[' * depth + data[place:]


def keys_doubled(data: bytes, chance: random.Random) -> bytes:
    key = chance.choice([b'"mapping"', b'"messages"', b'"metadata"', b'"uuid"', b'"text"'])
    return data.replace(key, key + b": null, " + key, chance.randint(1, 9))


def encoded_otherwise(data: bytes, chance: random.Random) -> bytes:
    encoding = chance.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7"])
    return data.decode("latin-1").encode(encoding)[chance.choice([0, 0, 1]) :]


def numbers_blown_up(data: bytes, chance: random.Random) -> bytes:
    huge = chance.choice([b"9" * 5000, b"1e999", b"NaN", b"-Infinity", b"-" + b"9" * 4300])
    return data.replace(chance.choice([b"1", b"0", b"17"]), huge, chance.randint(1, 5))


def names_poisoned(data: bytes, chance: random.Random) -> bytes:
    names = [b"../../x", b"/etc/passwd", b"\\\\..\\\\..\\\\x", b"index", b"\\u0000", b"\\ud800"]
    return data.replace(b"Lisbon", chance.choice(names)).replace(b"m1", chance.choice(names))


def unchanged(data: bytes, chance: random.Random) -> bytes:
    return data


def zipped(data: bytes, chance: random.Random) -> bytes:
    folder = chance.choice(["", "user_1001/", "a/b/", "../", "/", "trash/", "..\\"])
    name = chance.choice(["conversations.json", "index.json", "x.JSON", "\ud7ff.json", "x"])
    packed = zip_of((folder + name, data), ("ok.json", CHAT))
    return bytes_changed(packed, chance) if chance.random() < 0.4 else packed


CHANGES = [
    *(bytes_changed, parts_moved, nested, keys_doubled, encoded_otherwise),
    *(numbers_blown_up, names_poisoned, unchanged),
]


def broken_file(number: int) -> bytes:
    chance = random.Random(number)
    sound = [
        *(simple_chatgpt_chat(), branched_chatgpt_chat(), odd_chatgpt_chat()),
        *(simple_claude_chat(), branched_claude_chat(), odd_claude_chat(), OURS),
    ]
    chosen: Any = chance.choices(sound, k=3) if chance.random() < 0.6 else chance.choice(sound)
    if chance.random() < 0.5:
        chosen = swapped(chosen, chance)
    data = json.dumps(chosen, indent=chance.choice([None, 2])).encode()
    for _ in range(chance.randint(1, 2)):
        data = chance.choice(CHANGES)(data, chance) or b"["
    return zipped(data, chance) if chance.random() < 0.35 else data


async def attempt(manager: ConversationManager, data: bytes) -> tuple[str, ImportReport | None]:
    try:
        return "taken", await take(manager, data)
    except ImportRefusedError as refused:
        return refused.reason, None


async def outside(tmp_path: Path) -> dict[str, bytes | None]:
    mine = f"chats/user_{USER}"
    return {path: data for path, data in tree(tmp_path).items() if not path.startswith(mine)}


async def test_five_hundred_broken_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    outcomes: dict[str, int] = {}
    async with managed(tmp_path / "chats") as manager:
        neighbour = await manager.create_conversation(NEIGHBOUR, "ben", "private")
        await manager.add_message(NEIGHBOUR, neighbour, question("secret"))
        mine = await manager.create_conversation(USER, "anna", "mine")
        await manager.add_message(USER, mine, question("kept"))
        kept = await manager.load_conversation(USER, mine)
        await manager.pin_conversation(NEIGHBOUR, neighbour, pinned=False)  # the index, too
        before = await outside(tmp_path)
        chats = 1
        for number in range(500):
            data = broken_file(number)
            outcome, report = await attempt(manager, data)
            if report is not None:
                chats += report.chats - report.deleted
                assert all(item.count > 0 for item in report.left_out)
                assert all(len(item.detail) <= 64 for item in report.left_out)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            if number % 50 == 0:
                assert await outside(tmp_path) == before
        assert await outside(tmp_path) == before
        assert await manager.load_conversation(USER, mine) == kept
        assert await manager.get_active_conversation_id(USER) == mine
    assert outcomes["taken"] > 150
    assert outcomes["damaged"] > 10
    assert outcomes["unknown_format"] > 10
    assert outcomes["unsafe_entry"] > 10

    async with managed(tmp_path / "chats") as manager:
        listed = await manager.list_conversations(USER)
        assert len(listed) == chats
        for chat in listed:
            conversation = await manager.load_conversation(USER, chat.conversation_id)
            assert conversation is not None
            assert len(conversation.messages) == chat.message_count
            assert 1 <= len(chat.name) <= 64
            assert chat.user_id == USER
        assert await manager.take_damage_report(USER) == 0
        file = io.BytesIO()
        assert await manager.export_all(USER, file) >= chats


async def test_whole_exports_cut_at_any_place(manager: ConversationManager) -> None:
    """The reader alone: it tells or refuses, and never says that all is well."""
    exports = [
        json.dumps([simple_chatgpt_chat(), simple_claude_chat()]).encode(),
        json.dumps(OURS, indent=1).encode(),
        chatgpt_zip([simple_chatgpt_chat()]),
        claude_zip([simple_claude_chat()]),
    ]
    for data in exports:
        for end in range(1, len(data) - 1, 13):
            tally = Tally()
            outcome, _ = read(data[:end], tally)
            assert outcome in {"taken", "damaged", "unknown_format"}
            assert outcome != "taken" or tally.has("damaged_file"), end


async def test_small_limits_hold_for_every_format(manager: ConversationManager) -> None:
    tight = ImportLimits(chats=1, messages=1, text=5, values=50, value_chars=2000, entries=3)
    for data in (
        json.dumps([odd_chatgpt_chat(), odd_claude_chat(), OURS]).encode(),
        json.dumps(OURS).encode(),
        packed({"a.json": OURS, "b.json": [simple_claude_chat()]}),
    ):
        tally = Tally()
        chats = list(read_chats(data, replace(tight), tally, now=NOW))
        assert len(chats) == 1
        assert [len(chat.messages) for chat in chats] == [1]
        assert all(len(message.text) <= 5 for message in chats[0].messages)


async def test_few_imports_run_at_once(
    manager: ConversationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = most = 0

    async def counting(*args: Any, **options: Any) -> ImportReport:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return Tally().report()

    monkeypatch.setattr("conversations.manager.import_chats", counting)
    files = [manager.import_conversations(user_id, "anna", CHAT) for user_id in range(1, 20)]
    assert len(await asyncio.gather(*files)) == 19
    assert most == 2
