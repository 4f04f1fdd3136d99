"""One message, cut out of a formatted text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiogram.types import MessageEntity

from .cleaning import is_blank
from .counting import units_before, utf16_length
from .entities import MOST_ENTITIES, Formatted, Span


@dataclass(frozen=True, slots=True)
class Part:
    """One message: its text and the entities for it, to be sent with `parse_mode=None`."""

    text: str
    entities: list[MessageEntity]


def cut_out(formatted: Formatted, start: int, end: int) -> Part:
    """Cut a message out, without the outer space that Telegram would not show.

    Its text is empty when there is nothing in it to see.
    """
    text = formatted.text
    end -= len(text[start:end]) - len(text[start:end].rstrip())
    inside = [span for span in formatted.spans if start < span.end and span.start < end]
    start += _margin(text, inside, start, end)
    shown = text[start:end]
    if is_blank(shown):
        return Part("", [])
    entities = list(_entities(inside, shown, start))
    return Part(shown, entities[-MOST_ENTITIES:])  # more are there only in a frame: the newest


def behind(text: str, part: Part) -> Part:
    """Put a text without entities in front of a message."""
    units = utf16_length(text)
    moved = [
        entity.model_copy(update={"offset": entity.offset + units}) for entity in part.entities
    ]
    return Part(text + part.text, moved)


def _margin(text: str, inside: Iterable[Span], start: int, end: int) -> int:
    """Count the space before what is seen, but for the indentation of a first line of code."""
    margin = len(text[start:end]) - len(text[start:end].lstrip())
    if any(span.kind == "pre" and span.start <= start + margin for span in inside):
        return max(text.rfind("\n", start, start + margin) + 1 - start, 0)
    return margin


def _entities(inside: Iterable[Span], shown: str, start: int) -> Iterator[MessageEntity]:
    """Count the spans in UTF-16 units of what is shown, which begins at `start` of the text."""
    units = units_before(shown)
    for span in inside:
        first, last = max(span.start - start, 0), min(span.end - start, len(shown))
        if first < last and shown[first:last].strip():  # else it was in the space that is gone
            yield MessageEntity(
                type=span.kind,
                offset=units[first],
                length=units[last] - units[first],
                url=span.url,
                language=span.language,
            )
