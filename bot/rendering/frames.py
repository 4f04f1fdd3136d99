"""A growing answer: what is seen of it at a moment, with its newest lines always in sight."""

from __future__ import annotations

import re
from typing import Final

from .cleaning import clean
from .counting import MESSAGE_LIMIT, fitting, utf16_length
from .formatting import formatted, unformatted
from .parts import Part, behind, cut_out
from .thoughts import without_growing_thoughts

_CUT: Final = "…\n"  # in front of the newest lines when older ones are not shown
_FENCE: Final = re.compile(r"^[ \t]*(>[ \t>]*)?(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)


def render_draft(markdown: str, limit: int = MESSAGE_LIMIT, *, plain: bool = False) -> Part:
    """Give one frame of a growing answer: when it is too long, its newest lines behind an "…".

    Thoughts at its beginning are not shown, whether they have ended or not. An empty text means
    that there is nothing to see yet.
    """
    text = without_growing_thoughts(markdown)
    tail = _tail(text, limit)  # first, so that a frame costs the same however long the answer is
    answer = (unformatted if plain else formatted)(clean(tail))
    if len(tail) == len(text) and utf16_length(answer.text) <= limit:
        return cut_out(answer, 0, len(answer.text))
    start = _newest(answer.text, limit - len(_CUT))
    newest = cut_out(answer, start, len(answer.text))
    return behind(_CUT, newest) if newest.text else newest


def _tail(text: str, limit: int) -> str:
    """The newest lines of a Markdown text, in their block of code if they are in one."""
    if len(text) <= limit:
        return text
    start = _newest(text, limit)
    opened: tuple[str, str, str] | None = None
    for match in _FENCE.finditer(text, 0, start):
        quote, fence, info = match.groups()
        if opened is None:
            opened = quote or "", fence, info
        elif fence.startswith(opened[1]) and not info.strip():
            opened = None
    return ("".join(opened) + "\n" if opened else "") + text[start:]


def _newest(text: str, limit: int) -> int:
    """Where the last lines begin that fit into `limit` units; else the last words."""
    start = len(text) - fitting(text[-limit:][::-1], limit) if text else 0
    if start == 0 or text[start - 1] == "\n":
        return start
    for sign, latest in (("\n", len(text) - 1), (" ", start + limit // 4)):
        found = text.find(sign, start, latest)
        if found >= 0:
            return found + 1
    return start
