"""Edits of a Markdown text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Edit(NamedTuple):
    """Put `new` in the place of the characters from `start` to `end`."""

    start: int
    end: int
    new: str


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Make the edits in order; one that overlaps an earlier one is left for the next reading."""
    pieces = []
    done = 0
    for start, end, new in edits:
        if start >= done:
            pieces += [text[done:start], new]
            done = end
    return "".join([*pieces, text[done:]])


def escaped(text: str) -> str:
    """Write the text so that no sign in it is Markdown."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def inert(line: str) -> str:
    r"""Write a line of plain text for a whole text that is yet to be read.

    Unlike `escaped` text it holds no `\(..\)` and no `\[..\]`, which would be read as formulas.
    """
    return re.sub(r"([!-'*-/:-@\[\\^-`{-~])", r"\\\1", line)
