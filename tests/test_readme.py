"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from aiogram import Dispatcher

from bot.commands import COMMANDS
from config import Settings
from conversations.json_lines import split
from tests.program import ROOT
from tests.test_documents import blocks_in

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return [text for found, text in blocks_in(ROOT / "README.md") if found == language]


async def test_the_three_lines_and_the_answerer_work(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    embedding, answerer, _ = blocks("python")
    dispatcher = Dispatcher(disable_fsm=True)
    names: dict[str, Any] = {"dispatcher": dispatcher}
    exec(compile(answerer + embedding, "README.md", "exec"), names)
    assert [router.name for router in dispatcher.sub_routers] == ["conversations"]
    turn = type("Turn", (), {"role": "user", "text": "hello"})()
    assert await names["answer"]([turn]) == "You said hello, and 1 messages are in this chat."
    assert list(tmp_path.iterdir()) == [], "nothing is opened before it is used"


def test_the_manager_works_as_printed(tmp_path: Path) -> None:
    *_, usage = blocks("python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", usage],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["  Другая тема 0", "* Проанализируй интервью с... 1"]
    assert "'name': 'Отель'" in lines[2]


def test_the_russian_one_prints_the_same() -> None:
    russian = (ROOT / "README.ru.md").read_text(encoding="utf-8")
    printed = re.findall(r"^```python\n(.*?)^```$", russian, re.DOTALL | re.MULTILINE)
    assert printed == blocks("python")[:2]
    assert [command for command in COMMANDS if f"`/{command}" not in russian] == []


def test_the_file_is_of_the_form_that_is_written() -> None:
    [chat] = blocks("json")
    parts = split(chat.encode(), "messages")
    assert parts is not None
    assert parts[0]["metadata"]["message_count"] == parts[1].count(b'"user_question"') == 1


def test_the_settings_of_the_deployment_are_settings() -> None:
    deployment = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    named = set(
        re.findall(r"\b(?:BOT|WEBHOOK|DATABASE|MODEL|LIMIT|CONVERSATIONS)_[A-Z_]+", deployment)
    )
    assert named - {name.upper() for name in Settings.model_fields} == {"DATABASE_PASSWORD"}


def test_every_command_and_setting_is_in_the_readme() -> None:
    assert [command for command in COMMANDS if f"`/{command}" not in README] == []
    assert [name for name in Settings.model_fields if f"`{name.upper()}`" not in README] == []
