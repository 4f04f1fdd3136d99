"""Whatever is written to the disk is for its owner alone, whatever the umask says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.playground import Playground
from tests.playground_client import Person
from tests.program import Program


@pytest.fixture(params=[0o000, 0o022], ids=["umask 000", "umask 022"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """List what anybody but the owner may read, write or enter."""
    return [
        f"{path.relative_to(folder)} {stat.filemode(path.lstat().st_mode)}"
        for path in folder.rglob("*")
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]


def kinds(folder: Path) -> set[str]:
    """Tell what stands in a folder by the names of files and of the folders they are in."""
    names = set()
    for path in folder.rglob("*"):
        if path.is_file():
            damaged = ".damaged-" in path.name
            kind = "damaged" if damaged else path.suffix or path.name
            names.add(f"{path.parent.name} {kind}")
    return names


async def test_everything_that_the_program_writes(tmp_path: Path, umask: int) -> None:
    chats = tmp_path / "data" / "conversations"
    async with Program(tmp_path) as program, Person(program.url, 1002) as ben:
        await ben.ask("Hello", "You wrote")
        menu = await ben.ask("/delete", "Delete “Hello”?")
        await ben.tap(menu, "Delete")
        await ben.document("list.txt", b"milk", caption="here")
        await ben.send("a long question, " * 1300)
        await ben.wait_for(
            lambda d: [m for m in d["messages"] if "document" in m and m["from"]["is_bot"]],
        )
        await ben.ask("/new Damaged", "You wrote")
        await ben.ask("/new Another", "You wrote")
        for path in (chats / "user_1002").glob("*-*.json"):
            if b"Damaged" in path.read_bytes():
                path.write_bytes(path.read_bytes()[:-9])
        await ben.ask("/chats", "1 file was damaged")
    assert open_to_others(tmp_path) == []
    assert kinds(tmp_path) == {
        "conversations .lock", "conversations .jsonl", "user_1002 .json", "user_1002 damaged",
        "trash .json", "files .md", "conversations-playground .json", "state_files .txt",
        "state_files .md",
    }  # fmt: skip


async def test_everything_that_a_playground_alone_writes(tmp_path: Path, umask: int) -> None:
    state = tmp_path / "deep" / "folder" / "state.json"
    async with Playground(port=0, state_path=state) as playground, Person(playground.url) as anna:
        await anna.document("list.txt", b"milk")
    state.write_text("broken")
    async with Playground(port=0, state_path=state) as playground, Person(playground.url) as anna:
        await anna.send("Hello")
    assert open_to_others(tmp_path) == []
    assert kinds(tmp_path) == {"folder .json", "folder .broken-1", "state_files .txt"}


async def test_a_temporary_file_that_others_prepared_is_not_written(
    tmp_path: Path, umask: int
) -> None:
    state, outside = tmp_path / "state.json", tmp_path / "outside"
    outside.write_text("outside")
    (tmp_path / "state.json.tmp").symlink_to(outside)
    async with Playground(port=0, state_path=state) as playground, Person(playground.url) as anna:
        await anna.send("canary")
    assert outside.read_text() == "outside"
    assert "canary" in state.read_text(encoding="utf-8")
    assert not stat.S_IMODE(state.stat().st_mode) & 0o077
