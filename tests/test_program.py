"""The whole program over real HTTP: a person's tour, restarts, and starts that cannot be."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.commands import COMMANDS
from tests.playground_client import Message, Person
from tests.program import ROOT, Program
from tests.waiting import PATIENCE


def stored_chats(folder: Path, user_id: int) -> list[dict[str, Any]]:
    """Read what is on the disk, as any JSON reader would."""
    paths = (folder / "data" / "conversations" / f"user_{user_id}").glob("*-*.json")
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


async def kept(folder: Path, text: str) -> None:
    """Wait until Telegram's stand-in, which is killed too, has kept what Telegram would have."""
    state = folder / "data" / "conversations-playground" / "state.json"
    async with asyncio.timeout(PATIENCE):
        while not state.exists() or text not in state.read_text(encoding="utf-8"):
            await asyncio.sleep(0.01)


def labels(message: Message) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


async def test_the_tour(tmp_path: Path) -> None:
    async with Program(tmp_path) as program, Person(program.url, 1002) as ben:
        greeting = await ben.ask("/start")
        assert greeting["text"].startswith("👋 Hello!")
        dialog = await ben.dialog()
        assert [command["command"] for command in dialog["bot"]["commands"]] == list(COMMANDS)
        await ben.ask("Where shall we travel?", "You wrote: Where")
        await ben.ask("/new", "What shall we talk about?")
        await ben.ask("What is for dinner?", "This is the first message")
        menu = await ben.ask("/chats", "2 chats")
        answer = await ben.tap(menu, "Where shall we travel?")
        assert answer["text"] == "“Where shall we travel?” is open"
        await ben.wait_text(menu, "💬 Where shall we travel?")
        await ben.tap(menu, "Rename")
        prompt = await ben.wait_message("How shall", after=menu)
        done = await ben.send("Holidays", reply_to=prompt)
        await ben.wait_message("Now it is called “Holidays”", after=done)
        await ben.tap(menu, "🗑 Delete")
        await ben.wait_text(menu, "🗑 Delete “Holidays”?")
        await ben.tap(menu, "Delete")
        await ben.wait_text(menu, "“Holidays” is deleted.")
        await ben.tap(menu, "Undo")
        await ben.wait_text(menu, "💬 Holidays")
    names = {chat["metadata"]["name"]: chat for chat in stored_chats(tmp_path, 1002)}
    assert set(names) == {"Holidays", "What is for dinner?"}
    texts = [message["text"] for message in names["Holidays"]["messages"]]
    assert texts[0] == "Where shall we travel?"
    assert texts[1].startswith("You wrote: Where shall we travel?")
    assert "What is for dinner?" not in json.dumps(names["Holidays"])


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_all_is_as_before_after_a_restart(tmp_path: Path, signum: signal.Signals) -> None:
    first = Program(tmp_path)
    await first.start()
    async with Person(first.url) as anna:
        for number in range(1, 31):
            await anna.ask(f"/new Вопрос номер {number}", f"Вы написали: Вопрос номер {number}")
        menu = await anna.ask("/chats", "30 чатов")
        await anna.tap(menu, "›")
        menu = await anna.wait_text(menu, "30 чатов")
        await anna.wait_for(lambda dialog: "2/4" in labels(dialog["messages"][-1]))
        if signum is signal.SIGKILL:
            await kept(tmp_path, "2/4")
            await anna.send("Вопрос, на который, может быть, не ответят")
    code = await first.stop(signum)
    assert code == (-9 if signum is signal.SIGKILL else 0), first.log
    async with Program(tmp_path) as second, Person(second.url) as anna:
        old = await anna.message(menu)
        label = next(label for label in labels(old) if "Вопрос" in label)
        await anna.tap(old, label)
        await anna.wait_text(old, "💬 Вопрос номер")
        answer = await anna.ask("А дальше?", "Вы написали: А дальше?")
        assert "передали 3 сообщения" in answer["text"]
        await anna.ask("/chats", "30 чатов")
    assert "Traceback" not in second.log


async def test_two_people_and_many_updates_at_once(tmp_path: Path) -> None:
    async with (
        Program(tmp_path) as program,
        Person(program.url, 1001) as anna,
        Person(program.url, 1002) as ben,
    ):
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(anna.send(f"анна {number}"))
                group.create_task(ben.send(f"ben {number}"))
        for person in (anna, ben):
            await person.wait_for(
                lambda dialog: (
                    sum("from" in m and m["from"]["is_bot"] for m in dialog["messages"]) >= 20
                )
            )
    for user_id, name in ((1001, "анна"), (1002, "ben")):
        [chat] = stored_chats(tmp_path, user_id)
        questions = [m["text"] for m in chat["messages"] if m["type"] == "user_question"]
        assert sorted(questions) == sorted(f"{name} {number}" for number in range(20))
        assert chat["metadata"]["message_count"] == len(chat["messages"])
        assert chat["metadata"]["total_tokens"] == sum(m["tokens"] for m in chat["messages"])


async def test_bad_input_over_the_wire(tmp_path: Path) -> None:
    async with Program(tmp_path) as program, Person(program.url, 1002) as ben:
        sticker = await ben.sticker()
        await ben.wait_message("I can read text only so far.", after=sticker)
        voice = await ben.voice()
        await ben.wait_message("I can read text only so far.", after=voice)
        await ben.ask("/nonsense", "I do not know this command.")
        first = await ben.ask("y" * 4096, "You wrote:")
        await ben.wait_message("This is the first message", after=first)
        assert len(stored_chats(tmp_path, 1002)) == 1
    assert "ERROR" not in program.log


COUNTING = """
import gc, sys
import bot.__main__
async def poll(*_):
    print(gc.get_freeze_count())
bot.__main__.poll = poll
sys.exit(bot.__main__.main())
"""


def test_the_garbage_collector_passes_over_what_stays(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNTING], cwd=tmp_path, timeout=PATIENCE, check=True,
        env={**os.environ, "PLAYGROUND_PORT": "0", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert int(done.stdout.splitlines()[-1]) > 100_000


async def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    async with Program(tmp_path) as program, Person(program.url, 1002) as ben:
        await ben.ask("Hello", "You wrote")
    state = tmp_path / "data" / "conversations-playground" / "state.json"
    assert state.stat().st_mode & 0o777 == 0o600
    root = tmp_path / "data" / "conversations"
    assert root.stat().st_mode & 0o777 == 0o700
    for path in root.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


async def test_texts_and_tokens_are_not_logged(tmp_path: Path) -> None:
    async with Program(tmp_path, LOG_LEVEL="INFO") as program, Person(program.url, 1002) as ben:
        await ben.ask("canary-in-a-question", "You wrote")
        await ben.ask("/rename canary-in-a-name", "canary")
    assert "canary" not in program.log
    assert "stopped; everything is saved" in program.log


async def test_a_wrong_setting_stops_the_start_with_one_line(tmp_path: Path) -> None:
    code, said = await Program(tmp_path, TRASH_DAYS="soon").fail()
    assert (code, said) == (1, "TRASH_DAYS takes how many days deleted chats are kept, 1-3650\n")


async def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    async with Program(tmp_path):
        code, said = await Program(tmp_path).fail()
    assert code == 1
    assert said.startswith("CONVERSATIONS_DIR: data/conversations is in use by another process;")
    assert said.count("\n") == 1


async def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    code, said = await Program(tmp_path).fail()
    assert code == 1
    assert said.startswith("CONVERSATIONS_DIR: ")
    assert said.count("\n") == 1


async def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = await Program(tmp_path, PLAYGROUND_PORT=port).fail()
    assert code == 1
    assert said.startswith(f"PLAYGROUND_PORT: port {port} cannot be used (")
    assert said.count("\n") == 1


async def test_a_token_that_telegram_does_not_know(tmp_path: Path) -> None:
    async def unauthorized(request: web.Request) -> web.Response:
        answer = {"ok": False, "error_code": 401, "description": "Unauthorized"}
        return web.json_response(answer, status=401)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", unauthorized)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    token = "123456:secret-canary"
    try:
        code, said = await Program(tmp_path, BOT_TOKEN=token, TELEGRAM_API_URL=url).fail()
    finally:
        await runner.cleanup()
    assert code == 1
    assert said.splitlines()[-1] == "BOT_TOKEN: Telegram does not know this token"
    assert "canary" not in said


async def test_telegram_out_of_reach(tmp_path: Path) -> None:
    settings = {"BOT_TOKEN": "123456:secret-canary", "TELEGRAM_API_URL": "http://127.0.0.1:9"}
    code, said = await Program(tmp_path, **settings).fail()
    assert code == 1
    assert said.splitlines()[-1] == "Telegram cannot be reached; check the network"
    assert "canary" not in said
