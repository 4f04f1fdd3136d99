"""Where the messages of a long text end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import regex

from .counting import MESSAGE_LIMIT, fitting, utf16_length
from .entities import MOST_ENTITIES, Formatted

_LONGEST_GRAPHEME: Final = 64  # characters that are looked back for the beginning of a character


def split_text(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """Split into parts of at most `limit` UTF-16 units that join to the text again.

    A part ends behind a line break where it can, else behind a space, else anywhere between two
    characters.
    """
    parts = []
    while utf16_length(text) > limit:
        room = fitting(text, limit)
        cut = text.rfind("\n", 0, room) + 1 or text.rfind(" ", 0, room) + 1 or room
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text] if text else parts


def ranges(formatted: Formatted, limit: int) -> Iterator[tuple[int, int]]:
    """Where the messages begin and end, in characters."""
    start = 0
    while start < len(formatted.text):
        end = _cut(formatted, start, limit)
        yield start, end
        start = end


def _cut(formatted: Formatted, start: int, limit: int) -> int:
    """Where a message ends that begins at `start`: at a paragraph, a line or a word if it can."""
    text, spans = formatted.text, formatted.spans
    room = start + fitting(text[start : start + limit], limit)
    inside = [span for span in spans if start < span.end and span.start < room]
    if len(inside) > MOST_ENTITIES:
        room = max(start + 1, inside[MOST_ENTITIES].start)
    if room == len(text):
        return room
    for span in inside:  # a block of code that fits into the next message goes there whole
        whole = span.kind == "pre" and utf16_length(text[span.start : span.end]) <= limit
        if whole and start < span.start and room < span.end and text[start : span.start].strip():
            return span.start
    half, quarter = start + (room - start) // 2, start + (room - start) // 4
    for sign, earliest in (("\n\n", half), ("\n", quarter), (" ", half)):
        found = text.rfind(sign, earliest, room)
        if found >= 0:
            return found + len(sign)
    return _character_boundary(text, start, room)


def _character_boundary(text: str, start: int, end: int) -> int:
    """The last place up to `end` that is not inside a character as a person sees it."""
    first = max(start, end - _LONGEST_GRAPHEME)
    boundary = first
    for match in regex.finditer(r"\X", text[first : end + _LONGEST_GRAPHEME]):
        if first + match.end() > end:
            break
        boundary = first + match.end()
    return boundary if boundary > start else end
