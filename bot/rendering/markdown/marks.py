"""Signs that a renderer would take for marks and a person did not mean so, like `2*3*4`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .editing import Edit
from .reading import Document
from .regions import Regions, delimiters, tables
from .tags import RICH_TAG

# Each name is a kind of sign: `__init__`, 2*3, ||a spoiler||, which stays, and other double bars.
_MARKS: Final = (
    r"(?P<dunder>(?<![\w\\_])__(?-i:[a-z](?:_?[a-z0-9])*)__(?!\w))"
    r"|(?P<times>(?<=[0-9A-Za-zА-яЁё)])(?<!\*)\*(?!\*)(?=[0-9A-Za-zА-яЁё(])|(?<=\d)\*\*(?=\d))"
    r"|(?P<spoiler>(?<![^\s(])\|\|(?=[^\s|])[^|\n]*[^\s|]\|\|(?![\w|]))"
    r"|(?P<pipes>(?<!\\)\|\|)"
)
_CLASSIC_MARKS: Final = re.compile(_MARKS)
# Telegram takes more for marks than the parser: some inside words, #words and HTML's tags.
_RICH_MARKS: Final = re.compile(
    rf"{_MARKS}|(?P<inner>(?<=\w)(?:__|\*\*|~~|==)(?=\w))"
    r"|^(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*(?P<hashtag>#{1,6})(?=[^\s#])"
    rf"|(?P<tag>(?:(?<!\\)\\)?<(?!{RICH_TAG})(?=[a-z/!?]))",
    re.MULTILINE | re.IGNORECASE,
)


def mark_edits(document: Document, closed: Regions) -> Iterator[Edit]:
    text, events, rich, _ = document
    in_tables = Regions(tables(events))
    real = Regions(delimiters(events))
    for match in (_RICH_MARKS if rich else _CLASSIC_MARKS).finditer(text):
        kind = match.lastgroup or ""
        start, end = match.span(kind)
        in_table = in_tables.touch(start, end)
        if closed.touch(start, end) or (kind == "spoiler" and not in_table):
            continue
        if kind == "inner" and real.touch(start, end):
            continue
        if in_table and kind in {"pipes", "spoiler"}:
            yield Edit(start + 1, start + 1, " ")
        elif kind == "tag":
            yield Edit(start, end, "&lt;")
        elif kind == "hashtag":
            yield Edit(start, start, "\\")
        else:
            yield Edit(start, end, re.sub(r"([_*~=|])", r"\\\1", match[kind]))
    yield from _single_tilde_edits(document)


def _single_tilde_edits(document: Document) -> Iterator[Edit]:
    """`~5 or ~6` means "about"."""
    for step, name, _, start, end in document.events:
        if name == "Strikethrough" and step == "Start" and document.text[start + 1] != "~":
            yield Edit(start, start, "\\")
            yield Edit(end - 1, end - 1, "\\")
