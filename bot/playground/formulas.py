"""Formulas in Unicode, since the page sets none: `x^2` is shown as x²."""

import functools
from collections.abc import Iterator
from typing import Any, Final

from telegramify_markdown import convert

_MAX_CHARACTERS: Final = 500  # the conversion takes time by their square
_MAX_BRACES: Final = 50
_MAX_ROOTS: Final = 8  # each root within a root doubles the time


def readable_formulas(part: Any) -> dict[str, str]:
    """Each formula in the blocks of a rich message, and how it can be shown."""
    return {latex: _readable(latex) for latex in _formulas(part)}


def _formulas(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if part.get("type") == "mathematical_expression":
            yield part["expression"]
        part = list(part.values())
    for inner in part if isinstance(part, list) else []:
        yield from _formulas(inner)


@functools.lru_cache(maxsize=1024)
def _readable(latex: str) -> str:
    """What the library does not know stays as it is written."""
    if len(latex) > _MAX_CHARACTERS or latex.count("{") > _MAX_BRACES:
        return latex
    if latex.count(r"\sqrt") > _MAX_ROOTS:
        return latex
    shown = convert(f"$${' '.join(latex.split())}$$")[0].strip()
    return shown if shown and "\\" not in shown else latex
