"""The wheel in an environment of its own, inside a bot that was there before."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.parser import Parser
from pathlib import Path

import pytest

from bot.playground import Playground
from tests.playground_client import Person, labels
from tests.test_architecture import PROGRAM, SOURCES, imports

ROOT = Path(__file__).parent.parent
PATIENCE = 240  # seconds, for building, installing and starting

HOST_PACKAGE = '''
"""The host's own package, called as ours is in its repository."""
GREETING = "the host's greeting"
'''
HOST_CONFIG = """
import os
PLAYGROUNDS = [tuple(each.split("@", 1)) for each in os.environ["PLAYGROUNDS"].split()]
"""
HOST = """
import asyncio
from collections.abc import Sequence
from typing import Any

from aiogram import Bot, Dispatcher, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import Command
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import ErrorEvent, Message, TelegramObject
from aiogram.utils.i18n import I18n, I18nMiddleware, get_i18n

from bot import GREETING
from config import PLAYGROUNDS
from conversations import ConversationManager, JsonStorage
from conversations.bot import Turn, create_router


class German(I18nMiddleware):
    async def get_locale(self, event: TelegramObject, data: dict[str, Any]) -> str:
        return "de"


class Form(StatesGroup):
    title = State()


async def start(message: Message) -> None:
    await message.answer(GREETING)


async def begin_form(message: Message, state: FSMContext) -> None:
    await state.set_state(Form.title)
    await message.answer("which title?")


async def end_form(message: Message, state: FSMContext) -> None:
    await state.clear()
    await message.answer(f"the form has {message.text}")


async def fail(message: Message) -> None:
    raise ValueError("the host's own")


async def failed(event: ErrorEvent) -> None:
    assert event.update.message is not None
    await event.update.message.answer(f"the host saw {event.exception!r}")


async def anything_else(message: Message, **data: Any) -> None:
    ours = {"manager", "answering", "texts"} & data.keys()
    await message.answer(f"the host's catch-all in {get_i18n().current_locale}, {len(ours)} ours")


async def answer(turns: Sequence[Turn]) -> str:
    return f"the host answers {turns[-1].text} in {get_i18n().current_locale}"


async def serve(number: int, token: str, url: str) -> None:
    storage = JsonStorage(f"chats-{number}")
    manager = ConversationManager(storage, raise_errors=True)
    dispatcher = Dispatcher()
    dispatcher.update.outer_middleware(German(I18n(path=".", default_locale="de")))
    own, catch_all = Router(), Router()
    own.message.register(start, Command("start"))
    own.message.register(begin_form, Command("form"))
    own.message.register(end_form, Form.title)
    own.message.register(fail, Command("fail"))
    catch_all.message.register(anything_else)
    dispatcher.errors.register(failed)
    plugin = create_router(manager, answerer=answer if number == 0 else None)
    dispatcher.include_routers(own, plugin, catch_all)
    session = AiohttpSession(api=TelegramAPIServer.from_base(url))
    try:
        await dispatcher.start_polling(Bot(token, session=session), handle_signals=False)
    finally:
        await storage.close()


async def main() -> None:
    await asyncio.gather(*(serve(n, *each) for n, each in enumerate(PLAYGROUNDS)))


if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--wheel-dir", str(folder), str(ROOT),
    )  # fmt: skip
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it; what the wheel needs is borrowed from this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps",
        "--no-index", str(wheel),
    )  # fmt: skip
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "__init__.py").write_text(HOST_PACKAGE)
    (tmp_path / "config.py").write_text(HOST_CONFIG)
    (tmp_path / "main.py").write_text(HOST)
    return tmp_path


def run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@asynccontextmanager
async def running(python: Path, host: Path, *playgrounds: Playground) -> AsyncIterator[None]:
    addresses = " ".join(f"{each.token}@{each.url}" for each in playgrounds)
    process = await asyncio.create_subprocess_exec(
        python, "-W", "error", "main.py", cwd=host, stderr=PIPE,
        env={"PLAYGROUNDS": addresses, "PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself, and says why
            process.terminate()
        _, errors = await process.communicate()
        sys.stderr.write(errors.decode())
    assert b"Error" not in errors, errors.decode()


def test_what_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"conversations"}
    assert not [name for name in names if name.endswith(("__main__.py", "config.py"))]
    expected = {
        f"conversations/{name}" if name.startswith("bot/") else name
        for path in [*ROOT.glob("bot/**/*"), *ROOT.glob("conversations/**/*")]
        if path.is_file() and "__pycache__" not in path.parts
        for name in [str(path.relative_to(ROOT))]
    }
    assert expected - names == {f"conversations/bot/{path.name}" for path in PROGRAM}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_the_wheel_needs_is_what_it_imports(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        needs = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist") or []
    declared = {normal(re.split(r"[ \[<>=;]", need)[0]) for need in needs}
    distributions = importlib.metadata.packages_distributions()
    imported = {
        normal(distributions[top][0])
        for path in SOURCES
        if path not in {ROOT / "config.py", *PROGRAM}
        for level, module, _ in imports(path)
        if level == 0 and (top := module.partition(".")[0]) in distributions
    }
    # aiogram is built on these two.
    assert imported - declared == {"aiohttp", "pydantic"}
    assert declared - imported == set()


def test_the_program_stays_in_the_repository(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-m", "conversations.bot"],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert "cannot be directly executed" in done.stderr
    assert run(str(python), "-c", "import conversations; print(conversations.__file__)",
               cwd=tmp_path).startswith(str(python.parent.parent))  # fmt: skip


def test_a_host_is_type_checked_against_the_wheel(python: Path, host: Path) -> None:
    report = run(
        sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python),
        "--cache-dir", str(host / "cache"), "--config-file", os.devnull, "main.py", cwd=host,
    )  # fmt: skip
    assert report.startswith("Success")


async def test_a_host_with_the_same_names_and_everything_of_its_own(
    python: Path, host: Path
) -> None:
    async with (
        Playground(port=0) as first,
        Playground(port=0) as second,
        running(python, host, first, second),
        Person(first.url, 1002) as ben,
        Person(second.url, 1002) as anna,
    ):
        greeting = await ben.ask("/start", within=PATIENCE)
        assert greeting["text"] == "the host's greeting"
        assert (await ben.ask("hello", "the host"))["text"] == "the host answers hello in de"
        chats = await ben.ask("/chats", "1 chat")
        await ben.tap(chats, "New chat")
        await ben.wait_text(chats, "What shall we talk about?")
        await ben.ask("/form", "which title?")
        assert (await ben.ask("Plans"))["text"] == "the form has Plans"
        assert "ValueError" in (await ben.ask("/fail"))["text"]
        sent = await ben.sticker()
        left = await ben.wait_message(after=sent)
        assert left["text"] == "the host's catch-all in de, 0 ours"

        # The second plugin in the same process: menus alone, on chats of its own.
        told = await anna.ask("hello", within=PATIENCE)
        assert told["text"] == "the host's catch-all in de, 0 ours"
        listed = await anna.ask("/chats")
        assert not [label for label in labels(listed) if "hello" in label]
    assert len(list((host / "chats-0" / "user_1002").glob("*.json"))) == 3
    assert not list((host / "chats-1").glob("user_1002/[!i]*.json"))
