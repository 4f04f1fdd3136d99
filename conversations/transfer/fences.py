"""Where code stands in Markdown: between fences, as models write it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})(.*)")


@dataclass(slots=True)
class Block:
    """Lines of text or of code, without the fences around it."""

    lines: list[str]
    fence: str = ""  # what opened it, and would close it; empty for text
    is_closed: bool = True


def split_blocks(text: str) -> list[Block]:
    """Split a text at its fences; the last block may be code that nothing closes."""
    blocks = [Block([])]
    for line in text.splitlines():
        block = blocks[-1]
        found = _FENCE.fullmatch(line)
        if found and block.fence and _closes(found, block.fence):
            block.is_closed = True
            blocks.append(Block([]))
        elif found and not block.fence and _opens(found):
            blocks.append(Block([], found[1], is_closed=False))
        else:
            block.lines.append(line)
    return blocks


def _opens(found: re.Match[str]) -> bool:
    return found[1][0] == "~" or "`" not in found[2]


def _closes(found: re.Match[str], fence: str) -> bool:
    return found[1].startswith(fence) and not found[2].strip()
