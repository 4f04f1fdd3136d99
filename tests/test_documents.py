"""What the documents print can be done: commands exist, files are of their form, links lead on."""

from __future__ import annotations

import configparser
import importlib.util
import itertools
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.administration import parse_arguments

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
# Of the system, as an operator has it; what is said to them is not ours to try.
FOREIGN = {
    "apt-get", "createdb", "curl", "docker", "git", "journalctl", "pg_dump", "pg_restore", "psql",
    "rm", "rsync", "sudo", "systemctl", "tar", "useradd",
}  # fmt: skip
PYTHON_BLOCKS_ARE_RUN_BY = {"README.md": "test_readme.py", "README.ru.md": "test_readme.py"}


def blocks_in(path: Path) -> list[tuple[str, str]]:
    """Give each block of a document as (language, text)."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def blocks() -> Iterator[tuple[str, str, str]]:
    """Give each block as (document, language, text)."""
    for path in DOCUMENTS:
        for language, text in blocks_in(path):
            yield str(path.relative_to(ROOT)), language, text


def commands() -> Iterator[tuple[str, str]]:
    for document, language, text in blocks():
        if language == "console":
            joined = text.replace("\\\n", " ")
            for line in joined.splitlines():
                if line.startswith(("$ ", "# ")):
                    yield document, line[2:]


def check_python(words: list[str]) -> None:
    assert words[0] == "-m", words
    if words[1] == "bot":
        parse_arguments(words[2:])
    else:
        assert importlib.util.find_spec(words[1]) is not None, words


def check_make(words: list[str]) -> None:
    done = subprocess.run(
        ["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("document", "command"), list(commands()))
def test_a_command_can_be_given(document: str, command: str) -> None:
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        del words[0]
    program = Path(words[0]).name
    if program in {"python", "python3"}:
        check_python(words[1:])
    elif program == "make":
        check_make(words[1:])
    elif program == "pip":
        files = [after for word, after in itertools.pairwise(words) if word == "-r"]
        assert [name for name in files if not (ROOT / name).is_file()] == []
    else:
        assert program in FOREIGN, f"{document}: {command}"


def reads_as(language: str, text: str) -> Any:
    match language:
        case "json":
            return json.loads(text)
        case "yaml":
            return yaml.safe_load(text)
        case "ini":
            parser = configparser.ConfigParser(strict=False, interpolation=None)
            parser.read_string(text)
            return parser.sections()
    return text


@pytest.mark.parametrize(("document", "language", "text"), list(blocks()))
def test_a_block_is_of_its_form(document: str, language: str, text: str) -> None:
    assert language in {"", "console", "python", "json", "yaml", "ini", "nginx", "dockerfile"}
    assert reads_as(language, text)
    if language == "python":
        assert document in PYTHON_BLOCKS_ARE_RUN_BY
        compile(text, document, "exec")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"(?<!`)\[[^]]*\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    ours = [link.partition("#")[0] for link in links if "://" not in link]
    assert [link for link in ours if link and not (path.parent / link).exists()] == []
