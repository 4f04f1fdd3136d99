"""`python -m bot stats` and `check`: true figures, everything that is wrong, nothing written."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import main
from bot.administration import print_check
from config import Settings
from conversations import JsonStorage
from tests.program import ROOT, Program
from tests.storages import USER, answer, managed, new_chat, old_folder, opened, question, tree

HOME = f"user_{USER}"
LATER = "2126-05-02T00:00:00+00:00"


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two users, one of them with something in every place."""
    folder = tmp_path / "data" / "conversations"
    asyncio.run(_fill(folder))
    return folder


async def _fill(folder: Path) -> None:
    async with opened(folder) as storage:
        for chat in ("a", "b", "gone"):
            await storage.create(new_chat(chat, name="kanarienvogel"))
            await storage.append(USER, chat, question("kanarienvogel", 1, 5), updated_at=LATER)
            await storage.append(USER, chat, answer("kanarienvogel", 2, 7), updated_at=LATER)
        successor = new_chat("never")
        await storage.delete(USER, "gone", deleted_at=LATER, successor=successor)
        await storage.keep_file(USER, "answer.md", b"kanarienvogel")
        await storage.create(new_chat("x", user_id=-5))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    said = capsys.readouterr()
    assert "kanarienvogel" not in said.out + said.err, "texts and names are nobody's business"
    return code, said.out, said.err


def test_stats(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / HOME / "b.json.damaged-1").write_bytes(b"x")
    before = tree(root)
    size = sum(len(data or b"") for path, data in before.items())
    code, out, _ = run(capsys, "stats")
    assert code == 0
    assert [line.split(maxsplit=1) for line in out.splitlines()] == [
        ["2", "users"], ["3", "chats"], ["1", "deleted chats"], ["6", "messages"],
        ["36", "tokens"], ["1", "files"], [f"{size:,}", "bytes"], ["1", "damaged files"],
    ]  # fmt: skip
    _, out, _ = run(capsys, "stats", "--json")
    assert json.loads(out) == {
        "folder": "data/conversations", "users": 2, "chats": 3, "deleted_chats": 1, "messages": 6,
        "tokens": 36, "files": 1, "bytes": size, "damaged_files": 1,
    }  # fmt: skip
    assert tree(root) == before


def test_old_and_foreign_chats_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old_folder(tmp_path / "data" / "conversations", "a", "b")
    _, out, _ = run(capsys, "stats", "--json")
    counted = json.loads(out)
    assert (counted["chats"], counted["messages"], counted["tokens"]) == (2, 4, 240)


@pytest.mark.parametrize("arguments", [("stats",), ("check",), ("check", "--repair")])
def test_a_folder_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("CONVERSATIONS_DIR: ")
    assert "No such file" in err
    assert list(tmp_path.iterdir()) == []


def test_a_sound_folder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(root)
    assert run(capsys, "check") == (0, "0 problems, 0 repaired, 0 notes\n", "")
    code, out, _ = run(capsys, "check", "--json")
    assert (code, json.loads(out)) == (
        0, {"folder": "data/conversations", "problems": [], "repaired": [], "notes": []},
    )  # fmt: skip
    assert tree(root) == before
    assert run(capsys, "check", "--repair")[0] == 0
    assert tree(root) == before


def _cut(home: Path) -> None:
    data = (home / "a.json").read_bytes()
    (home / "a.json").write_bytes(data[: -len(data) // 4])


def _garble_a_line_unseen(home: Path) -> None:
    """Bit rot: neither size nor time of the file tell of it."""
    path = home / "a.json"
    status = path.stat()
    path.write_bytes(
        path.read_bytes().replace(b'"type": "user_question"', b'"typ!: "user_question"')
    )
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _miscount(home: Path) -> None:
    data = (home / "a.json").read_bytes()
    (home / "a.json").write_bytes(data.replace(b'"message_count": 2', b'"message_count": 7'))


def _rewrite_index(home: Path, change: Callable[[dict[str, Any]], object]) -> None:
    index = json.loads((home / "index.json").read_bytes())
    change(index)
    (home / "index.json").write_text(json.dumps(index))


def _unlist(home: Path) -> None:
    _rewrite_index(home, lambda index: index["conversations"].pop(0))


def _list_a_ghost(home: Path) -> None:
    ghost = new_chat("ghost").to_dict()
    _rewrite_index(home, lambda index: index["conversations"].append(ghost))


def _rename_in_the_index(home: Path) -> None:
    _rewrite_index(home, lambda index: index["conversations"][0].update(name="Another"))


def _point_nowhere(home: Path) -> None:
    _rewrite_index(home, lambda index: index.update(last_active_conversation_id="nowhere"))


def _expire(home: Path) -> None:
    path = home / "trash" / "gone.json"
    path.write_bytes(path.read_bytes().replace(LATER.encode(), b"2025-01-01T00:00:00+00:00"))


def _leave_temporary(home: Path) -> None:
    (home / ".a.json.0.tmp").touch(mode=0o600)
    os.utime(home / ".a.json.0.tmp", (0, 0))  # a young one may be in use


def _leave_erased(home: Path) -> None:
    (home.parent / ".erased" / "user_9.abc").mkdir(mode=0o700, parents=True)
    (home.parent / ".erased").chmod(0o700)


WRONG: dict[str, tuple[Callable[[Path], object], list[tuple[str, str]]]] = {
    "cut": (_cut, [("a.json", "damaged"), ("a.json", "stale")]),
    "garbled unseen": (_garble_a_line_unseen, [("a.json", "damaged"), ("a.json", "stale")]),
    "gone to pieces": (
        lambda home: (home / "a.json").write_bytes(b"\0" * 900), [("a.json", "damaged")],
    ),
    "miscounted": (_miscount, [("a.json", "counters"), ("a.json", "stale")]),
    "no index": (lambda home: (home / "index.json").unlink(), [("index.json", "index")]),
    "half an index": (
        lambda home: os.truncate(home / "index.json", 300), [("index.json", "index")],
    ),
    "unlisted": (_unlist, [("index.json", "index")]),
    "a ghost": (_list_a_ghost, [("index.json", "index")]),
    "another name": (_rename_in_the_index, [("a.json", "stale")]),
    "no active one": (_point_nowhere, [("index.json", "index")]),
    "an edit": (
        lambda home: (home / "a.json").write_bytes((home / "a.json").read_bytes() + b"\n"),
        [("a.json", "stale")],
    ),
    "a chat by hand": (
        lambda home: shutil.copy(home / "a.json", home / "c.json"), [("index.json", "index")],
    ),
    "left by a crash": (
        _leave_temporary, [(".a.json.0.tmp", "temporary")],
    ),
    "open to others": (lambda home: (home / "a.json").chmod(0o644), [("a.json", "permissions")]),
    "an open folder": (lambda home: (home / "trash").chmod(0o755), [("trash", "permissions")]),
    "over its time": (_expire, [("trash/gone.json", "expired")]),
    "half erased": (_leave_erased, [("../.erased/user_9.abc", "erased")]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_and_repaired(
    root: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    spoil, expected = WRONG[name]
    spoil(root / HOME)
    before = tree(root)
    code, out, _ = run(capsys, "check", "--json")
    found = json.loads(out)
    paths = [(os.path.normpath(f"{HOME}/{path}"), kind) for path, kind in expected]
    assert sorted((p["path"], p["kind"]) for p in found["problems"]) == sorted(paths)
    assert code == 1
    assert tree(root) == before, "it only looks"
    code, out, _ = run(capsys, "check")
    assert out.splitlines()[-1] == f"{len(expected)} problems, 0 repaired, 0 notes"

    code, out, _ = run(capsys, "check", "--repair", "--json")
    repaired = json.loads(out)
    assert (code, repaired["problems"]) == (0, [])
    assert len(repaired["repaired"]) == len(expected)
    code, out, _ = run(capsys, "check", "--json")
    assert (code, json.loads(out)["problems"]) == (0, [])
    asyncio.run(_still_usable(root, name))


async def _still_usable(root: Path, name: str) -> None:
    async with managed(root) as manager:
        chats = {chat.conversation_id: chat for chat in await manager.list_conversations(USER)}
        assert chats["b"].message_count == 2
        if name not in {"cut", "garbled unseen", "gone to pieces"}:
            assert chats["a"].message_count == 2
        assert [chat.is_active for chat in chats.values()].count(True) == 1


def test_what_cannot_be_repaired_is_told_again(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = root / HOME / "trash" / "gone.json"
    path.write_bytes(path.read_bytes()[:-40])
    code, out, _ = run(capsys, "check", "--repair")
    assert code == 1
    assert out.splitlines()[0].startswith(f"{HOME}/trash/gone.json: damaged (")
    assert path.exists()


def test_notes_are_no_problems(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / HOME / "mine.json").write_text('{"shopping": ["milk"]}')
    (root / HOME / "mine.json").chmod(0o600)
    (root / HOME / "files" / "export.json").write_text("{}")
    (root / HOME / "files" / "export.json").chmod(0o600)
    (root / HOME / "a.json.damaged-1").touch(mode=0o600)
    (root / "README").touch()
    (root / "user_me").mkdir()
    code, out, _ = run(capsys, "check")
    assert code == 0
    assert out.splitlines() == [
        f"note: {HOME}/a.json.damaged-1: kept aside (can be removed when nothing in it is missed)",
        f"note: {HOME}/mine.json: no chat",
        "0 problems, 0 repaired, 2 notes",
    ]


def test_an_old_folder_needs_nothing_but_its_permissions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old_folder(tmp_path / "data" / "conversations", "a", "b")
    _, out, _ = run(capsys, "check", "--json")
    assert {finding["kind"] for finding in json.loads(out)["problems"]} == {"permissions"}
    assert run(capsys, "check", "--repair")[0] == 0


def test_one_file_that_the_disk_does_not_give_hides_nothing(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def fail(path: Path) -> bytes:
        if path.name == "a.json":
            raise OSError(5, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", fail)
    (root / HOME / "b.json").chmod(0o644)
    _, out, _ = run(capsys, "check")
    assert out.splitlines() == [
        f"{HOME}/a.json: unreadable (Input/output error)",
        f"{HOME}/b.json: permissions (others have 044)",
        "2 problems, 0 repaired, 0 notes",
    ]


def test_beside_a_bot_that_writes_all_the_time(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees no problem in what is only being written, and does not disturb the writing."""
    monkeypatch.setattr("conversations.inspection._BEING_WRITTEN", 3600)  # on the slowest disk
    stop, written = threading.Event(), 0

    async def write() -> None:
        nonlocal written
        async with opened(root) as storage:
            while not stop.is_set():
                written += 1
                message = question(f"question {written}", written)
                assert await storage.append(USER, "a", message, updated_at=LATER)
                await storage.activate(USER, "ab"[written % 2])

    writer = threading.Thread(target=lambda: asyncio.run(write()))
    writer.start()
    try:
        looks = 0
        while looks < 20 or written <= 20:  # however slow the disk is
            assert run(capsys, "check")[:2] == (0, "0 problems, 0 repaired, 0 notes\n")
            assert run(capsys, "stats")[0] == 0
            assert writer.is_alive()
            looks += 1
        code, _, err = run(capsys, "check", "--repair")
        assert code == 1
        assert "is in use by another process" in err
    finally:
        stop.set()
        writer.join()


def test_a_command_line_that_makes_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in ((["dance"], "invalid choice: 'dance'"), (["stats", "--repair"], "--")):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2
        assert told in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "count users, chats, messages" in capsys.readouterr().out


def test_a_wrong_setting_stops_them_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRASH_DAYS", "soon")
    assert run(capsys, "check") == (
        1, "", "TRASH_DAYS takes how many days deleted chats are kept, 1-3650\n",
    )  # fmt: skip


async def test_beside_the_running_program(tmp_path: Path) -> None:
    """It holds the lock; the figures come all the same, and a repair is refused."""
    async with Program(tmp_path):
        for arguments, code, said in (
            (["stats", "--json"], 0, '"users": 0'),
            (["check", "--repair"], 1, "is in use by another process"),
        ):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "error", "-m", "bot", *arguments, cwd=tmp_path,
                env={**os.environ, "BOT_TOKEN": "", "PYTHONPATH": str(ROOT)},
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            out, _ = await process.communicate()
            assert (process.returncode, said in out.decode()) == (code, True), out


async def test_the_storage_is_closed(root: Path) -> None:
    closed: list[bool] = []

    class Noting(JsonStorage):
        async def close(self) -> None:
            closed.append(True)
            await super().close()

    def check() -> int:
        storage = Noting(root)
        return print_check(root, trash_since=datetime.now(UTC), as_json=False, storage=storage)

    assert await asyncio.to_thread(check) == 0
    assert closed == [True]
