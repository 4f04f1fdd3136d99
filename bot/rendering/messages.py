"""A finished answer: all of its messages, or its beginning alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .cleaning import clean
from .counting import MESSAGE_LIMIT, utf16_length
from .formatting import formatted, unformatted
from .parts import Part, cut_out
from .splitting import ranges
from .thoughts import without_thoughts

_PREVIEW_LIMIT: Final = 1000  # UTF-16 code units


def render(markdown: str, *, plain: bool = False) -> list[Part]:
    """Give the messages of a finished answer; none when there is nothing in it to see.

    `plain` ones are as the model wrote them, marks and all.

    A complete block of thoughts at its very beginning is not shown. One that never ends is: it is
    all that there is.
    """
    answer = (unformatted if plain else formatted)(clean(without_thoughts(markdown)))
    parts = (cut_out(answer, start, end) for start, end in ranges(answer, MESSAGE_LIMIT))
    return [part for part in parts if part.text]


def preview(markdown: str, limit: int = _PREVIEW_LIMIT, *, plain: bool = False) -> Part:
    """Give the beginning of an answer too long to be sent as messages, with "…" at its end."""
    text = without_thoughts(markdown)
    beginning = text[: 4 * limit]  # marks and addresses take their share of it
    if len(beginning) < len(text):
        beginning = beginning[: beginning.rfind("\n") + 1] or beginning
    answer = (unformatted if plain else formatted)(clean(beginning))
    whole = len(beginning) == len(text) and utf16_length(answer.text) <= limit
    _, end = next(ranges(answer, limit if whole else limit - 2), (0, 0))  # "\n…" takes two
    part = cut_out(answer, 0, end)
    if whole and end == len(answer.text):
        return part
    on_line_end = answer.text[end - 1 : end] == "\n"
    return replace(part, text=part.text + ("\n…" if on_line_end else "…"))
