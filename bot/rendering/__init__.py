"""A model's answer -> what Telegram takes: whole, in messages of at most 4096 UTF-16 units.

Formatting goes out as entities and never as a parse mode, so that no answer, and no beginning of
one, can be refused for its marks. An answer whose formatting cannot be trusted goes out as it was
written.

The way of an answer: `thoughts` and `cleaning` leave out what is not to be seen, `markdown` spells
out what a renderer would lose, `formatting` turns it into text with spans, which `entities` puts
into order, `splitting` finds where the messages end, and `parts` cuts them out. `messages`,
`frames` and `rich` are the forms in which it arrives; `enclosing` adds lines of ours.
"""

from __future__ import annotations

from .cleaning import sendable
from .counting import MESSAGE_LIMIT, utf16_length
from .enclosing import enclose
from .frames import render_draft
from .markdown import inert
from .messages import preview, render
from .parts import Part
from .rich import needs_rich, render_rich
from .splitting import split_text

__all__ = [
    "MESSAGE_LIMIT",
    "Part",
    "enclose",
    "inert",
    "needs_rich",
    "preview",
    "render",
    "render_draft",
    "render_rich",
    "sendable",
    "split_text",
    "utf16_length",
]
