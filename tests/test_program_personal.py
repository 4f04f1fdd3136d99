"""The whole program over real HTTP: what a person sets, sweeps away and has forgotten."""

from __future__ import annotations

import json
from pathlib import Path

from tests.playground_client import Person, labels, text_of
from tests.program import Program

CANARY = "kanarienvogel"


def holding(folder: Path) -> list[str]:
    chats = folder / "data" / "conversations"
    files = (path for path in chats.rglob("*") if path.is_file())
    return [str(path) for path in files if CANARY.encode() in path.read_bytes()]


async def test_the_tour_of_what_is_ones_own(tmp_path: Path) -> None:
    limits = {"LIMIT_CHATS": "2", "LIMIT_TOKENS_PER_DAY": "1000000", "ALLOWED_USER_IDS": "1002"}
    async with (
        Program(tmp_path, **limits) as program,
        Person(program.url, 1002) as ben,
        Person(program.url, 1001) as anna,
    ):
        # The language, with the command menu.
        menu = await ben.ask("/settings", "⚙️ Settings")
        assert (await ben.tap(menu, "Русский"))["text"] == "Сохранено"
        await ben.wait_text(menu, "🌐 Язык: Русский")
        russian = {"command": "new", "description": "Начать новый чат"}
        await ben.wait_for(lambda dialog: dialog["bot"]["commands"][0] == russian)
        await ben.tap(menu, "English")
        await ben.wait_text(menu, "🌐 Language: English")

        # Instructions, by a reply, and the echo that got them.
        await ben.ask(f"{CANARY} one", "You wrote: ")
        chats = await ben.ask("/chats", "1 chat")
        await ben.tap(chats, f"{CANARY} one")
        await ben.wait_text(chats, "This chat is open")
        await ben.tap(chats, "📝 Instructions")
        await ben.wait_text(chats, "There are none.")
        await ben.tap(chats, "✏️ Write")
        prompt = await ben.wait_message("What shall the model know", after=chats)
        assert prompt["force_reply"] is not None
        given = await ben.send(f"Sing like a {CANARY}.", reply_to=prompt)
        await ben.wait_message("follows your instructions", after=given)
        await ben.wait_gone(prompt)
        answer = await ben.ask("two", "instructions of its own")
        assert f"Sing like a {CANARY}." in text_of(answer)

        # All but the pinned, and back.
        await ben.ask("/new three", "You wrote: three")
        chats = await ben.ask("/chats", "2 chats")
        await ben.tap(chats, "🧹 Delete all (2)")
        await ben.wait_text(chats, "🧹 Delete 2 chats?")
        await ben.tap(chats, "Delete")
        await ben.wait_text(chats, "🧹 2 chats are deleted.")
        await ben.tap(chats, "Undo")
        await ben.wait_text(chats, "💬 2 chats")

        # More than is allowed, and who is not.
        await ben.ask("/new four", "Chats: 2 of 2. Delete one to start another: /chats")
        refused = await anna.ask(f"{CANARY} of a stranger", "1001")
        assert labels(refused) == []
        assert [p.name for p in (tmp_path / "data" / "conversations").glob("user_*")] == [
            "user_1002"
        ]

        # Forgotten.
        menu = await ben.ask("/forget", "🧨 Erase everything that is stored of you?")
        assert "• 2 chats" in text_of(menu)
        await ben.tap(menu, "Erase everything…")
        await ben.wait_text(menu, "Are you sure?")
        assert holding(tmp_path)
        await ben.tap(menu, "Yes, erase everything")
        await ben.wait_text(menu, "✅ Erased for good:")
        assert holding(tmp_path) == []
    assert CANARY not in program.log
    [usage] = (tmp_path / "data" / "conversations").glob("usage-*.jsonl")
    [record] = [json.loads(line) for line in usage.read_text().splitlines()]
    assert record["spent"][0] == 1002

    # Neither that nor a restart gives a new allowance.
    limits["LIMIT_TOKENS_PER_DAY"] = "1"
    async with Program(tmp_path, **limits) as again, Person(again.url, 1002) as ben:
        await ben.ask("five", "⏳ Your 1 token of today is used up.")
        await ben.ask("/chats", "No chats yet")
