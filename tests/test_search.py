"""Searching in files: no match is missed, whatever the letters; hardly a line is read in vain."""

from __future__ import annotations

import json
import random
import tracemalloc
import unicodedata
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conversations import (
    Conversation,
    ConversationManager,
    ConversationMessage,
    JsonStorage,
    StorageError,
    Words,
    chat_lines,
)
from conversations.reduced_bytes import BEYOND, SURE, odd_words, reduced
from conversations.search import fold
from tests.storages import (
    USER,
    answer,
    new_chat,
    old_folder,
    old_message,
    old_metadata,
    opened,
    question,
    texts,
    write_json,
)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[JsonStorage]:
    async with opened(tmp_path) as storage:
        yield storage


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what is parsed in a search."""
    found: list[str] = []
    parse = chat_lines._parse

    def note(data: bytes, line: tuple[int, int]) -> ConversationMessage:
        message = parse(data, line)
        found.append(message.text)
        return message

    monkeypatch.setattr(chat_lines, "_parse", note)
    return found


async def search(storage: JsonStorage, query: str, limit: int = 1000) -> list[str]:
    hits = await storage.search(USER, Words.of(query), limit)
    return [hit.message.text if hit.message else f"name: {hit.chat.name}" for hit in hits]


class TestWords:
    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("  Ёлка,   «ОТЕЛЬ»!  ", ["елка", "отель"]),
            ("a A а", ["a", "а"]),
            ("(c++) c# node.js. .env don't", ["c++", "c#", "node.js", "env", "don't"]),
            ("50% a/b __init__ @anna #tag", ["50%", "a/b", "__init__", "@anna", "#tag"]),
            ("ＦＵＬＬ ﬁ ① И\u0306", ["full", "fi", "1", "й"]),
            ("", []),
            (" \n — … ?! \u200b \u202e ", []),
        ],
    )
    def test_what_is_looked_for(self, query: str, words: list[str]) -> None:
        assert list(Words.of(query).folded) == words
        assert bool(Words.of(query)) == bool(words)

    @pytest.mark.parametrize(
        ("query", "text", "places"),
        [
            ("отел", "В ОТЕЛЕ у отеля, мотель", ["ОТЕЛ", "отел"]),
            ("елка", "Ёлка и е\u0308лка", ["Ёлка", "е\u0308лка"]),
            ("strasse", "Straße", ["Straße"]),
            ("fi", "ﬁne, 🏴󠁧󠁢󠁥󠁮󠁧󠁿 Fish", ["ﬁ", "Fi"]),
            ("hotel hot", "Hotels", ["Hotel"]),
            ("京", "東京タワー", ["京"]),
            ("python", "学python", ["python"]),
            ("x", "xx yx_x", ["x", "x"]),
            ("c# +", "C# or C++", ["C#", "++"]),
            ("отель", "ничего", []),
        ],
    )
    def test_where_it_is(self, query: str, text: str, places: list[str]) -> None:
        words = Words.of(query)
        assert [text[start:end] for start, end in words.places_in(text)] == places
        assert words.are_in(text) == bool(places)

    def test_a_match_within_a_visible_character_is_shown_as_all_of_it(self) -> None:
        assert Words.of("e").places_in("e\u0301") == []  # another letter
        assert Words.of("st").places_in("ﬆop") == [(0, 1)]


class TestBytes:
    def test_every_character_is_reduced_as_it_is_folded_or_odd(self) -> None:
        """Then no text has a word that its bytes do not have."""
        for character in characters():
            folded, raw = fold(character), character.encode()
            is_odd = bool(odd_words(raw, reduced(raw)))
            if BEYOND.search(folded):
                assert is_odd, hex(ord(character))
            elif folded != character and SURE.search(folded):
                same = SURE.fullmatch(folded) and reduced(raw) == reduced(folded.encode())
                assert is_odd or same, hex(ord(character))

    def test_what_is_composed_is_odd(self) -> None:
        for character in characters():
            parts = unicodedata.normalize("NFD", character)
            if len(parts) > 1 and SURE.search(fold(character)):
                raw = parts.encode()
                assert odd_words(raw, reduced(raw)), hex(ord(character))

    def test_too_much_that_is_odd_is_not_kept(self) -> None:
        raw = " ".join(f"№{number}" for number in range(1000)).encode()
        assert odd_words(raw, reduced(raw)) is None
        escaped = rb'{"text": "\u0430"}'
        assert odd_words(escaped, reduced(escaped)) is None


def characters() -> Iterator[str]:
    """Go through all characters that mean anything, but for surrogates and private ones."""
    every = map(chr, range(0x110000))
    return (each for each in every if unicodedata.category(each) not in {"Cn", "Co", "Cs"})


PARTS = [
    "отель", "ОТЕЛЬ", "Ёж", "е\u0308ж", "й", "и\u0306", "И", "hotel", "HoTeL", "straße", "ﬁx", "½",
    "x²", "№", "ΑΓΆΠΗ", "σ", "ς", "żółw", "北京", "が", "か\u3099", "سلام", "😀", "👨‍👩‍👧",
    "c++", "a|b",
    ".*", "\\", '"', "\\n", "\n", "\t", "/", "text", "tokens", "2026", "\u00a0", "\u202e", "\x00",
    "\x1f", "…", "—", "'", "K", "İ", "ı", "ǆ", "\u0301", "𝐛", "\ud800", "u0430", "_", "-",
    "=", "⩵",
]  # fmt: skip


@pytest.mark.parametrize("block", [64, 1000, 1024 * 1024])
async def test_whatever_the_letters_everything_is_found(
    storage: JsonStorage, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Compare with folding all texts, on many random ones and many random queries."""
    monkeypatch.setattr(chat_lines, "BLOCK", block)
    dice = random.Random(block)
    chats = []
    for chat in range(25):
        parts = [*dice.sample(PARTS, 6), " "]
        said = ["".join(dice.choices(parts, k=dice.randint(1, 9))) for _ in range(8)]
        messages = [
            dice.choice([question, answer])(text, number) for number, text in enumerate(said, 1)
        ]
        chats.append(Conversation(new_chat(f"c{chat}", minute=chat), messages))
    await storage.add(USER, chats)
    everything = [message for chat in chats for message in chat.messages]
    queries = [*PARTS, *("".join(dice.choices([*PARTS, " "], k=3)) for _ in range(60))]
    for query in queries:
        words = Words.of(query)
        expected = [m.text for m in everything if words and words.are_in(m.text)]
        assert sorted(await search(storage, query)) == sorted(expected), (query, words)


class TestCost:
    async def fill(self, storage: JsonStorage, chats: int = 20) -> None:
        for number in range(chats):
            messages = [question("О чём угодно, № 7", 1), answer("x² is nothing; about words", 2)]
            if number == 7:
                messages += [question("Редкое слово", 3), answer("редкость № 8", 4)]
            await storage.add(
                USER, [Conversation(new_chat(f"c{number}", minute=number), messages)]
            )

    async def test_only_what_may_match_is_parsed(
        self, storage: JsonStorage, parsed: list[str]
    ) -> None:
        await self.fill(storage)
        for _ in range(2):
            assert await search(storage, "небывальщина") == []
            assert await search(storage, "чём слово") == []
            assert await search(storage, "timestamp") == []
        assert parsed == []
        assert await search(storage, "редк") == ["Редкое слово", "редкость № 8"]
        assert parsed == ["редкость № 8", "Редкое слово"]

    async def test_enough_is_enough(self, storage: JsonStorage, parsed: list[str]) -> None:
        await self.fill(storage)
        assert len(await search(storage, "чем", limit=3)) == 3
        assert len(parsed) == 3
        parsed.clear()
        assert len(await search(storage, "about", limit=3)) == 3
        assert len(parsed) == 3, "of the other chats only questions would have been wanted"

    async def test_a_long_chat_takes_little_memory(self, tmp_path: Path) -> None:
        async with opened(tmp_path) as storage:
            long = [question("длинный текст " * 400, number) for number in range(3000)]
            await storage.add(USER, [Conversation(new_chat("a"), long)])
        assert (tmp_path / f"user_{USER}" / "a.json").stat().st_size > 30_000_000
        async with opened(tmp_path) as storage:
            await storage.read_index(USER)
            tracemalloc.start()
            assert await search(storage, "отсутствие") == []
            assert await storage.find_message(USER, 2) is not None
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 8_000_000

    async def test_nothing_is_remembered_of_chats_that_are_gone(
        self, storage: JsonStorage
    ) -> None:
        await self.fill(storage)
        await search(storage, "небывальщина")
        for number in range(15):
            await storage.delete(USER, f"c{number}", deleted_at="", successor=new_chat("x"))
        await search(storage, "небывальщина")
        folder = storage._folders._cache.look_at(USER)
        assert folder is not None
        assert len(folder._search._odd) == 5


class TestFiles:
    async def test_a_damaged_chat_hides_neither_itself_nor_others(self, tmp_path: Path) -> None:
        async with opened(tmp_path) as storage:
            for number in range(30):
                chat = Conversation(new_chat(f"c{number}", minute=number), [question("тут", 1)])
                chat.messages.append(answer("и тут", 2))
                await storage.add(USER, [chat])
        damaged = tmp_path / f"user_{USER}" / "c20.json"
        lines = damaged.read_bytes().split(b"\n")
        lines[2] = lines[2].replace(b'"type"', b'"ty', 1)
        damaged.write_bytes(b"\n".join(lines))
        cut = tmp_path / f"user_{USER}" / "c10.json"
        cut.write_bytes(cut.read_bytes()[:-40])
        async with opened(tmp_path) as storage:
            found = await search(storage, "тут")
        assert found == ["тут"] * 30 + ["и тут"] * 28

    async def test_a_line_that_is_damaged_later_is_passed_by(self, storage: JsonStorage) -> None:
        messages = [question("one word", 1), question("two words", 2), question("three words", 3)]
        await storage.add(USER, [Conversation(new_chat("a"), messages)])
        await search(storage, "word")
        path = storage._folders._root / f"user_{USER}" / "a.json"
        path.write_bytes(path.read_bytes().replace(b'"text": "two', b'"text": two'))
        assert await search(storage, "word") == ["three words", "one word"]

    @pytest.mark.parametrize("ensure_ascii", [False, True])
    async def test_a_folder_of_another_program(self, tmp_path: Path, ensure_ascii: bool) -> None:
        folder = old_folder(tmp_path, "a", "b")
        chat = {
            "metadata": old_metadata("a", name="Поездка"),
            "messages": [
                old_message("Где отель?", message_id=5),
                old_message("ОТЕЛЬ тут", type="bot_answer", message_id=6),
            ],
        }
        text = json.dumps(chat, ensure_ascii=ensure_ascii, indent=2)
        (folder / "a.json").write_text(text, encoding="utf-8")
        async with opened(tmp_path) as storage:
            assert await search(storage, "отель") == ["Где отель?", "ОТЕЛЬ тут"]
            assert await search(storage, "поезд") == ["name: Поездка"]
            hit = await storage.find_message(USER, 6, sent_at=datetime(2025, 10, 4, tzinfo=UTC))
            assert hit is not None
            assert hit.message is not None
            assert hit.message.text == "ОТЕЛЬ тут"

    async def test_lines_of_another_program(self, tmp_path: Path) -> None:
        """One message a line, but with other spaces and another order of keys."""
        folder = old_folder(tmp_path, "a")
        said = dict(reversed(old_message("Где отель?", message_id=5).items()))
        head = json.dumps(old_metadata("a"))
        line = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        (folder / "a.json").write_text(f'{{"metadata":{head},"messages":[\n{line}\n]}}\n')
        async with opened(tmp_path) as storage:
            assert await search(storage, "отель") == ["Где отель?"]
            assert await storage.find_message(USER, 5) is not None

    async def test_messages_over_several_lines_in_a_file_that_looks_like_ours(
        self, tmp_path: Path
    ) -> None:
        folder = old_folder(tmp_path, "a")
        said = json.dumps(old_message("Где отель?", message_id=5), ensure_ascii=False, indent=1)
        head = json.dumps(old_metadata("a"))
        (folder / "a.json").write_text(f'{{"metadata": {head}, "messages": [\n{said}\n]}}\n')
        async with opened(tmp_path) as storage:
            assert await search(storage, "отель") == ["Где отель?"]
            assert await storage.find_message(USER, 5) is not None

    async def test_a_chat_that_cannot_be_read_hides_no_other(
        self, storage: JsonStorage, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        for chat in "abc":
            await storage.add(USER, [Conversation(new_chat(chat), [question(f"in {chat}", 1)])])
        openly = Path.open

        def fails(path: Path, *args: Any, **options: Any) -> Any:
            if path.name == "b.json":
                raise OSError(5, "Input/output error")
            return openly(path, *args, **options)

        monkeypatch.setattr(Path, "open", fails)
        assert sorted(await search(storage, "in")) == ["in a", "in c"]
        assert await storage.find_message(USER, 2) is None
        assert "b.json cannot be searched" in caplog.text

    async def test_a_chat_that_somebody_removed_or_changed(self, storage: JsonStorage) -> None:
        for chat in "abc":
            await storage.add(USER, [Conversation(new_chat(chat), [question(f"in {chat}", 1)])])
        await search(storage, "in")
        folder = storage._folders._root / f"user_{USER}"
        (folder / "a.json").unlink()
        messages = [old_message("in another form")]
        write_json(folder / "b.json", {"metadata": old_metadata("b"), "messages": messages})
        assert sorted(await search(storage, "in")) == ["in another form", "in c"]

    async def test_very_many_bytes_are_not_read_for_one_message(
        self, storage: JsonStorage, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        monkeypatch.setattr("conversations.file_search._MOST", 100_000)
        for number, chat in enumerate("abcd"):
            sizes = {1: 50_000, 2: 20}
            long = [question("x" * size, 10 * number + n) for n, size in sizes.items()]
            await storage.add(USER, [Conversation(new_chat(chat, minute=number), long)])
        await storage.activate(USER, "d")
        assert await storage.find_message(USER, 2) is not None, "at the end of the oldest one"
        assert await storage.find_message(USER, 31) is not None, "in the latest one"
        assert await storage.find_message(USER, 1) is None
        assert "in the latest chats only" in caplog.text


class _Broken(JsonStorage):
    async def search(self, *args: Any, **options: Any) -> Any:
        raise StorageError("broken")

    find_message = fork = remove_last_exchange = search


async def test_the_manager_takes_what_a_person_types(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        manager = ConversationManager(storage)
        chat = await manager.create_conversation(USER, "anna", "Поездка")
        await manager.add_message(USER, chat, question("Где «отель»?", 1))
        hits = await manager.search_messages(USER, "  ОТЕЛЬ, где? ")
        assert texts([hit.message for hit in hits if hit.message]) == ["Где «отель»?"]
        for nothing in ("", " ", "?!", "\u200b"):
            assert await manager.search_messages(USER, nothing) == []
        for limit in (0, -1):
            assert await manager.search_messages(USER, "отель", limit) == []
        await manager.search_messages(USER, "слово " * 700 + "ещё")
        assert await manager.find_message(USER, 0) is None
        with pytest.raises(TypeError):
            await manager.search_messages(USER, None)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            await manager.find_message(USER, "1")  # type: ignore[arg-type]


async def test_a_failing_storage_finds_nothing_or_says_so(tmp_path: Path) -> None:
    storage = _Broken(tmp_path)
    quiet, loud = (ConversationManager(storage, raise_errors=loud) for loud in (False, True))
    chat = await quiet.create_conversation(USER, "anna", "Поездка")
    assert await quiet.search_messages(USER, "отель") == []
    assert await quiet.find_message(USER, 1) is None
    assert await quiet.fork_conversation(USER, chat) is None
    assert await quiet.remove_last_exchange(USER, chat) == []
    with pytest.raises(StorageError):
        await loud.search_messages(USER, "отель")
    with pytest.raises(StorageError):
        await loud.fork_conversation(USER, chat)
    await storage.close()
