"""The import rules of the house, from the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [*ROOT.glob("bot/**/*.py"), *ROOT.glob("conversations/**/*.py"), ROOT / "config.py"]
# The program: it alone knows the settings, and what a host would choose for itself.
PROGRAM = [ROOT / "bot" / name for name in ("__main__.py", "building.py", "homes.py")]
CONCRETE = {"JsonStorage", "PostgresStorage", "EchoAnswerer", "ModelAnswerer"}


def imports(path: Path) -> Iterator[tuple[int, str, str]]:
    """Give each import as (level, module, name)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, node.module or "", alias.name) for alias in node.names)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_point_inwards(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for level, module, imported in imports(path):
        top = module.partition(".")[0] if level == 0 else ""
        if package == "conversations":
            assert top not in {"bot", "aiogram", "config"}, module
        if package == "bot":
            assert not (level == 0 and top == "bot"), "inside a package imports are relative"
            assert not module.startswith("conversations."), "only the public names"
        if package == "conversations" and level == 0:
            assert top != "conversations", "inside a package imports are relative"
        if path not in PROGRAM:
            assert top != "config", "only the program reads the configuration"
            assert package != "bot" or imported not in CONCRETE, "only it names concrete parts"


@pytest.mark.parametrize("path", [p for p in SOURCES if "playground" in p.parts], ids=name)
def test_the_playground_stands_by_itself(path: Path) -> None:
    for level, module, _ in imports(path):
        assert level < 2, f"{module} is of the bot"
        assert module.partition(".")[0] != "conversations"


def test_importing_opens_and_reads_nothing() -> None:
    """Importing every module opens source files alone, no socket and no process."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in SOURCES
        if path.name != "__init__.py"
    ]
    program = f"""
import sys
import aiogram, aiohttp, aiofiles.os, filelock, fluent.runtime, pydantic_settings, regex
import aiogram.client.session.aiohttp, aiohttp.web, importlib.resources
opened = []
def hook(event, args):
    if event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so")):
        opened.append(args[0])
    elif event.startswith(("socket.", "os.putenv", "subprocess")):
        opened.append(event)
sys.addaudithook(hook)
for module in {modules!r}:
    __import__(module)
ours = [
    name for name in map(str, opened)
    if ("{ROOT}" in name or not name.startswith("/"))
    and "site-packages" not in name and "__pycache__" not in name
]
assert not ours, ours
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("package", ["bot", "conversations", "bot.answerers"])
def test_the_public_names_are_importable(package: str) -> None:
    module = __import__(package, fromlist=["__all__"])
    assert module.__all__ == sorted(
        module.__all__, key=lambda n: (not n.isupper(), n[0].islower(), n)
    )
    for public in module.__all__:
        assert hasattr(module, public)
