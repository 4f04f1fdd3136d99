"""Tables: a bar in code is no border, and a row may have more cells than the header."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .editing import Edit
from .reading import Document, Event
from .words import WORD

_CODE_IN_CELL: Final = re.compile(r"(`+)(?!`)[^`\n]*?\1(?!`)")
_BARE_PIPE: Final = re.compile(r"(?<!\\)\|")


def table_edits(document: Document) -> Iterator[Edit]:
    text, events = document[:2]
    head = last = events[0] if events else None
    missing: dict[Event, int] = {}
    for event in events:
        if event.step == "Start" and event.name in {"TableHead", "TableRow"}:
            head = event if event.name == "TableHead" else head
            yield from _pipe_edits(text, event)
        elif event.step == "End" and event.name == "TableCell":
            last = event
        elif event.step == "End" and event.name == "TableRow" and head and last:
            rest = text[last.end : event.end].strip().removeprefix("|").removesuffix("|")
            more = len(_BARE_PIPE.findall(rest)) + 1 if WORD.search(rest) else 0
            missing[head] = max(missing.get(head, 0), more)
    for row, count in missing.items():
        if count:  # cells beyond the header's are not shown, so the header grows
            yield from _column_edits(text, row, count)


def _pipe_edits(text: str, row: Event) -> Iterator[Edit]:
    """A bar in a cell's code belongs to the code, whatever the specification says."""
    for code in _CODE_IN_CELL.finditer(text, row.start, row.end):
        for pipe in _BARE_PIPE.finditer(text, code.start(), code.end()):
            yield Edit(pipe.start(), pipe.start(), "\\")


def _column_edits(text: str, head: Event, count: int) -> Iterator[Edit]:
    """Put empty cells behind the header and as many behind the line under it."""
    line_end = text.find("\n", head.start)
    for cell in (" |", "---|"):
        line = text[head.start : line_end].rstrip()
        yield Edit(line_end, line_end, ("" if line.endswith("|") else "|") + cell * count)
        following = text.find("\n", line_end + 1)
        line_end = following if following >= 0 else len(text)
