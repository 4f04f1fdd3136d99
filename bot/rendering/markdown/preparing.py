"""Read, edit, and read again, until nothing is left to edit and no word gets lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .code_blocks import code_edits
from .editing import Edit, edited
from .formulas import formula_edits, latex_edits
from .links import definition_edits, definitions, link_edits
from .marks import mark_edits
from .reading import Document, read
from .regions import Regions, opaque, visible
from .tables import table_edits
from .tags import tag_edits
from .words import WORD, pieces, without_commands

_PASSES: Final = 16  # two are usual; a text that needs more of them is shown as it was written
_DEPTH: Final = 100
_NUMBER: Final = re.compile(r"\d{1,9}[.)]")


def prepared(markdown: str, *, rich: bool) -> Document:
    """Read what a renderer will show whole: entities when not `rich`, else Telegram itself.

    :raises ValueError: the text cannot be prepared, or the parser still loses words of it
    """
    text = markdown
    words: list[str] = []
    for reading in range(_PASSES):
        document = Document(text, read(text), rich, words)
        _refuse_depth(document)
        edits = sorted(set(_edits(document)))
        if edits and not reading:
            words += (without_commands(piece) for piece in pieces(document.events))
        if not edits:
            _refuse_losses(document)
            return document
        text = edited(text, edits)
    raise ValueError("the text does not settle")


def _edits(document: Document) -> Iterator[Edit]:
    yield from tag_edits(document)
    yield from link_edits(document)
    yield from definition_edits(document)
    yield from table_edits(document)
    yield from formula_edits(document)
    yield from code_edits(document)
    closed = Regions(opaque(document.events))
    yield from mark_edits(document, closed)
    yield from latex_edits(document.text, closed)


def _refuse_depth(document: Document) -> None:
    """Raise on what no person wrote: the library's time grows by the square of the depth."""
    depth = 0
    for event in document.events:
        depth += (event.step == "Start") - (event.step == "End")
        if depth > _DEPTH:
            raise ValueError("the text is nested too deeply")


def _refuse_losses(document: Document) -> None:
    """Raise when letters or digits of the source are neither shown nor known to be markup."""
    done = 0
    for start, end in sorted([*visible(document.events), *_markup(document)]):
        if WORD.search(document.text, done, max(done, start)):
            raise ValueError("the parser loses words")
        done = max(done, end)
    if WORD.search(document.text, done):
        raise ValueError("the parser loses words")


def _markup(document: Document) -> Iterator[tuple[int, int]]:
    """Where letters and digits may be that say how to show the text, and are not text."""
    yield from (match.span() for match, used in definitions(document) if used)
    for step, name, value, start, end in document.events:
        if name in {"Link", "Image", "TaskListMarker"}:
            yield start, end
        elif (
            step == "Start" and name == "Item" and (number := _NUMBER.match(document.text, start))
        ):
            yield number.span()
        elif step == "Start" and name == "CodeBlock" and isinstance(value, dict):
            line_end = document.text.find("\n", start)
            yield start, line_end if line_end >= 0 else end
