"""Lengths as Telegram counts them: in UTF-16 code units, of which an emoji takes two."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

MESSAGE_LIMIT = 4096  # UTF-16 code units


def utf16_length(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def fitting(text: str, limit: int) -> int:
    """Count the characters that fit into `limit` units."""
    units = 0
    for place, char in enumerate(text):
        units += 2 if char > "\uffff" else 1
        if units > limit:
            return place
    return len(text)


def units_before(text: str) -> Sequence[int]:
    """How many UTF-16 units come before each character, and before the end."""
    if text.isascii() or max(text) <= "\uffff":
        return range(len(text) + 1)
    return list(accumulate((1 + (char > "\uffff") for char in text), initial=0))
