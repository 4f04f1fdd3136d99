"""The block of thoughts with which some models begin an answer, and which is not shown."""

from __future__ import annotations

import re
from typing import Final

_THOUGHT: Final = re.compile(r"\A\s*<(think|thinking)>.*?</\1>\s*", re.DOTALL | re.IGNORECASE)
_OPEN_THOUGHT: Final = re.compile(r"<think(?:ing)?>", re.IGNORECASE)


def without_thoughts(markdown: str) -> str:
    """Leave out a complete block; one that never ends stays, for it is all that there is."""
    return _THOUGHT.sub("", markdown)


def without_growing_thoughts(markdown: str) -> str:
    """Give what is to be seen of a growing answer: nothing while its thoughts go on."""
    text = without_thoughts(markdown)
    begun = text[:40].lstrip().lower()
    hidden = _OPEN_THOUGHT.match(begun) or (begun and "<thinking>".startswith(begun))
    return "" if hidden else text
