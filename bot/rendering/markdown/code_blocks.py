"""Code: its tabs, and what else is written on the line where a block of it begins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .editing import Edit
from .reading import Document

_FENCE: Final = re.compile(r"(`{3,}|~{3,})([^\n]*)")
_LANGUAGE: Final = re.compile(r"[\w+#./-]{1,40}(?:,\S*)?", re.ASCII)


def code_edits(document: Document) -> Iterator[Edit]:
    text = document.text
    in_block = False
    for step, name, value, start, end in document.events:
        if name == "CodeBlock":
            in_block = step == "Start"
            if in_block and isinstance(value, dict) and value["Fenced"]:
                yield from _fence_edits(text, start)
        elif (name == "Code" or (in_block and name == "Text")) and "\t" in text[start:end]:
            # Telegram would make one space of each.
            yield Edit(start, end, text[start:end].replace("\t", "    "))


def _fence_edits(text: str, start: int) -> Iterator[Edit]:
    """What follows the language on the fence's line would vanish: it becomes code."""
    fence = _FENCE.match(text, start)
    if fence is None or _LANGUAGE.fullmatch(fence[2].strip()):
        return
    first, _, rest = fence[2].strip().partition(" ")
    if not _LANGUAGE.fullmatch(first):
        first, rest = "", fence[2].strip()
    margin = re.sub(r"[^>\s]", " ", text[text.rfind("\n", 0, start) + 1 : start])
    if rest:
        yield Edit(start, fence.end(), f"{fence[1]}{first}\n{margin}{rest.strip()}")
