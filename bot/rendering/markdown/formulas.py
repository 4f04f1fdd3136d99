"""Formulas: found in all the ways of writing them, and shown in Unicode, or else as code."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from telegramify_markdown import convert

from .editing import Edit, escaped
from .reading import Document
from .regions import Regions, tables
from .words import holds, without_commands

_LENGTH: Final = 1000  # characters; the conversion of a formula takes time by their square
_BRACES: Final = 100
_ROOTS: Final = 8  # and by two to the power of how many roots are in each other
_LATEX: Final = re.compile(r"\\\\|\\[()\[\]]")
_LOOKS_MATHEMATICAL: Final = re.compile(r"[\\^_=+<>/*|\d]")
_GLUED: Final = re.compile(r"[\w'\"=]", re.ASCII)


def formula_edits(document: Document) -> Iterator[Edit]:
    """`$5 and $6` are prices; a formula stays as it is where the renderer can show it."""
    in_tables = Regions(tables(document.events))
    for _, name, latex, start, end in document.events:
        if name not in {"InlineMath", "DisplayMath"}:
            continue
        price = latex[:1].isdigit() and not re.search(r"[\\^_={}]", latex)
        if name == "InlineMath" and (price or document.text[end : end + 1].isalnum()):
            yield Edit(start, start, "\\")
            yield Edit(end - 1, end - 1, "\\")
        elif not latex.strip():
            yield Edit(start, end, escaped(document.text[start:end]))
        elif not document.rich:
            shown = _readable(latex)
            if in_tables.touch(start, end):  # the library would put it before the table
                yield Edit(start, end, escaped(shown or latex).replace("\n", " "))
            elif shown is None:
                yield Edit(start, end, _as_code(latex))


@functools.lru_cache(maxsize=1024)
def _readable(latex: str) -> str | None:
    """A formula in Unicode, or nothing when letters or digits of it would get lost."""
    is_long = len(latex) > _LENGTH or latex.count("{") > _BRACES
    if is_long or latex.count(r"\sqrt") > _ROOTS:
        return None
    shown = convert(f"$${latex}$$")[0]
    # Commands lose their names; what they say of (½, ²) is compared decomposed.
    plain = unicodedata.normalize("NFKD", shown)
    return shown if holds(plain, [without_commands(latex)]) else None


def _as_code(text: str) -> str:
    marks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{marks} {' '.join(text.split())} {marks}"


def latex_edits(text: str, closed: Regions) -> Iterator[Edit]:
    r"""`\(..\)` and `\[..\]` are a model's other way to write `$..$` and `$$..$$`."""
    opened: re.Match[str] | None = None
    for mark in _LATEX.finditer(text):
        if mark[0] in {r"\(", r"\["}:
            opened = mark
        elif opened and opened[0] + mark[0] in {r"\(\)", r"\[\]"}:
            inner = text[opened.end() : mark.start()]
            formula = inner.strip()
            mathematical = _LOOKS_MATHEMATICAL.search(formula) or 0 < len(formula) <= 3
            if mark[0] == r"\]" and _GLUED.match(text, opened.start() - 1):
                mathematical = False  # the colours of a shell's prompt are written so
            paragraph = "\n\n" not in inner and "$" not in inner
            if mathematical and paragraph and not closed.touch(opened.start(), mark.end()):
                sign = "$" if mark[0] == r"\)" else "$$"
                yield Edit(opened.start(), mark.end(), f"{sign}{formula}{sign}")
            opened = None
