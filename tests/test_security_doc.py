"""SECURITY.md names tests that are there, and every package is pinned."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import ROOT

TESTS = ROOT / "tests"
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
REFERENCE = re.compile(r"`(test_\w+\.py(?:::\w+)+)`")
PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][0-9A-Za-z.]*")


def checklist() -> list[str]:
    """Give the lines of the checklist, each with what goes on in the lines below it."""
    section = PAGE.partition("\n## Checklist\n")[2].partition("\n## ")[0]
    return re.findall(r"^- .*(?:\n  .*)*", section, re.MULTILINE)


def found_in(path: Path) -> Iterator[str]:
    module = ast.parse(path.read_text(encoding="utf-8"))
    yield from (f"{path.name}::{name}" for name in names_of(module.body))
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            yield from (f"{path.name}::{node.name}::{name}" for name in names_of(node.body))


def names_of(body: list[ast.stmt]) -> Iterator[str]:
    functions = (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    yield from (function.name for function in functions if function.name.startswith("test_"))


def test_every_line_names_a_test() -> None:
    assert len(checklist()) > 30
    assert [line for line in checklist() if not REFERENCE.search(line)] == []


def test_every_test_that_is_named_is_there() -> None:
    there = {test for path in TESTS.glob("test_*.py") for test in found_in(path)}
    named = set(REFERENCE.findall(PAGE))
    assert named - there == set()
    assert "test_storage.py::TestIndex::test_users_do_not_see_each_other" in named


def test_every_test_of_security_is_named() -> None:
    ours = {
        test
        for path in TESTS.glob("test_security_*.py")
        if path.name != Path(__file__).name
        for test in found_in(path)
    }
    assert ours - set(REFERENCE.findall(PAGE)) == set()


def test_problems_are_reported_in_private() -> None:
    assert "private advisories" in PAGE
    assert not re.search(r"[\w.]+@[\w-]+\.\w+", PAGE), "no address of anybody"


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name
)
def test_packages_are_pinned(path: Path) -> None:
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    asked = [line for line in lines if line and not line.startswith("-r requirements")]
    assert asked
    assert [line for line in asked if not PINNED.fullmatch(line)] == []
