"""Search, copies and replies in the whole program over real HTTP, and over its restarts."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.playground_client import Message, Person
from tests.program import Program
from tests.test_program import kept, labels, stored_chats


async def two_chats(ben: Person) -> tuple[Message, Message]:
    """Ask in two chats, the later one open; give the answers."""
    first = await ben.ask("Which hotel is near the station?", "You wrote: Which hotel")
    await ben.ask("/new", "What shall we talk about?")
    return first, await ben.ask("What is for dinner?", "You wrote: What is for dinner?")


def bold(message: Message) -> list[str]:
    units = message["text"].encode("utf-16-le")
    places = [(e["offset"], e["length"]) for e in message["entities"] if e["type"] == "bold"]
    return [units[2 * at : 2 * (at + length)].decode("utf-16-le") for at, length in places]


async def test_from_words_to_the_message(tmp_path: Path) -> None:
    async with Program(tmp_path) as program, Person(program.url, 1002) as ben:
        answer, _ = await two_chats(ben)
        menu = await ben.ask("/chats", "2 chats")
        await ben.tap(menu, "🔎 Search")
        prompt = await ben.wait_message("What shall I look for?", after=menu)
        asked = await ben.send("HOTEL whi", reply_to=prompt)
        results = await ben.wait_message("🔎 HOTEL whi\n3 matches", after=asked)
        assert bold(results)[1:] == ["Whi", "hotel"] * 3
        toast = await ben.tap(results, labels(results)[2])
        assert toast["text"].endswith("is open")
        hit = await ben.wait_message("💬 Which hotel", after=results)
        assert hit["reply_to_message"]["message_id"] == answer["message_id"]
        listed = await ben.ask("/chats", "2 chats")
        assert any(label.startswith("✅ Which hotel") for label in labels(listed))
    assert "Traceback" not in program.log


async def test_from_typed_words_to_the_message(tmp_path: Path) -> None:
    async with (
        Program(tmp_path) as program,
        Person(program.url, 1002) as ben,
        Person(program.url, 1001) as anna,
    ):
        await two_chats(ben)
        found = await ben.type("hot")
        assert (found["is_personal"], len(found["results"])) == (True, 3)
        assert (await anna.type("hot"))["results"] == []
        [[button]] = found["results"][1]["reply_markup"]["inline_keyboard"]
        command = f"/start {button['url'].partition('?start=')[2]}"
        hit = await ben.ask(command, "💬 Which hotel")
        assert hit["reply_to_message"]["text"] == "Which hotel is near the station?"
        await anna.ask(command, "Такого чата нет")
        more = await ben.ask(f"/start {found['button']['start_parameter']}", "🔎 hot")
        assert "3 matches" in more["text"]


async def test_a_reply_is_asked_in_its_chat(tmp_path: Path) -> None:
    async with Program(tmp_path) as program, Person(program.url, 1002) as ben:
        answer, _ = await two_chats(ben)
        asked = await ben.send("And with breakfast?", reply_to=answer)
        told = await ben.wait_message("You wrote: And with breakfast?", after=asked)
        assert told["text"].startswith("↩️ In “Which hotel")
        assert "I was given 3 messages" in told["text"]
        await ben.wait_message("You wrote: And with breakfast?", after=asked)
        await ben.ask("And for lunch?", "I was given 3 messages")
    counts = sorted(chat["metadata"]["message_count"] for chat in stored_chats(tmp_path, 1002))
    assert counts == [4, 4]


async def test_copies(tmp_path: Path) -> None:
    async with Program(tmp_path) as program, Person(program.url, 1002) as ben:
        answer, _ = await two_chats(ben)
        asked = await ben.send("/fork", reply_to=answer)
        screen = await ben.wait_message("💬 🔀 Which hotel", after=asked)
        assert "🔀 A copy of “Which hotel" in screen["text"]
        await ben.ask("And in the copy?", "I was given 3 messages")
        menu = await ben.ask("/chats", "3 chats")
        await ben.tap(menu, "What is for dinner?")
        await ben.wait_text(menu, "💬 What is for dinner?")
        toast = await ben.tap(menu, "🔀 Fork")
        assert toast["text"] == "You are in the copy now"
        await ben.wait_text(menu, "💬 🔀 What is for dinner?")
    chats = stored_chats(tmp_path, 1002)
    ids = {chat["metadata"]["conversation_id"] for chat in chats}
    origins = [c["metadata"]["forked_from"] for c in chats if "forked_from" in c["metadata"]]
    assert len(ids) == 4
    assert len(origins) == 2
    assert set(origins) < ids


async def test_menus_and_replies_from_before_a_kill_go_on(tmp_path: Path) -> None:
    first = Program(tmp_path)
    await first.start()
    async with Person(first.url, 1002) as ben:
        answer, _ = await two_chats(ben)
        results = await ben.ask("/search hotel", "🔎 hotel")
        await kept(tmp_path, "🔎 hotel")
    assert await first.stop(signal.SIGKILL) == -9
    async with Program(tmp_path) as second, Person(second.url, 1002) as ben:
        await ben.tap(results, labels(results)[1])
        hit = await ben.wait_message("💬 Which hotel", after=results)
        assert hit["reply_to_message"]["text"] == "Which hotel is near the station?"
        await ben.tap(await ben.ask("/chats", "2 chats"), "What is for dinner?")
        asked = await ben.send("And breakfast?", reply_to=answer)
        told = await ben.wait_message("You wrote: And breakfast?", after=asked)
        assert told["text"].startswith("↩️ In “Which hotel")
    assert "Traceback" not in second.log
