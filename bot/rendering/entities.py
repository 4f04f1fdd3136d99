"""Formatting as spans of a text, put into an order that Telegram would leave as it is."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from .counting import units_before
from .markdown import is_web

MOST_ENTITIES: Final = 100  # in a message; Telegram silently ignores further ones

_STYLES: Final = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
_CODE: Final = frozenset({"code", "pre"})
_QUOTES: Final = frozenset({"blockquote", "expandable_blockquote"})
_BLOCKS_OF_TEXT: Final = _QUOTES | {"pre"}
# Of spans with the same text, the earlier kind is around the later one.
_ORDER: Final = (*sorted(_QUOTES), "text_link", *sorted(_CODE), *sorted(_STYLES))


@dataclass(frozen=True, slots=True)
class Span:
    """An entity counted in characters, so that no cut can fall into one."""

    kind: str
    start: int
    end: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text of any length and its settled spans; the messages are cut out of it."""

    text: str
    spans: list[Span]


def spans(text: str, entities: Iterable[Any]) -> Iterator[Span]:
    """Count the library's entities in characters, without outer spaces, and leave strange ones."""
    units = units_before(text)
    for entity in entities:
        start = bisect_left(units, entity.offset)
        end = bisect_left(units, entity.offset + entity.length)
        shown = text[start:end]
        end -= len(shown) - len(shown.rstrip())
        if entity.type not in _BLOCKS_OF_TEXT:  # code may begin with its indentation
            start += len(shown) - len(shown.lstrip())
        linked = entity.type != "text_link" or is_web(entity.url or "")
        if start < end and entity.type in _ORDER and linked:
            yield Span(entity.type, start, end, entity.url, entity.language)


def settled(spans: Iterable[Span]) -> list[Span]:
    """Make any two spans nested or apart, in the way of Telegram's server.

    Code has no formatting in it, and links and quotes are not in links or quotes of their own
    kind: the outer one stays. Styles are cut where they cross a border.
    """
    ordered = sorted(spans, key=_rank)
    quotes = _apart(span for span in ordered if span.kind in _QUOTES)
    solid = _apart(span for span in ordered if span.kind in {"text_link", *_CODE})
    styles = _cut_at_borders(
        _merged(span for span in ordered if span.kind in _STYLES),
        borders=sorted({place for span in quotes + solid for place in (span.start, span.end)}),
        code=[span for span in solid if span.kind in _CODE],
    )
    return sorted([*quotes, *solid, *_nested(styles)], key=_rank)


def _rank(span: Span) -> tuple[int, int, int]:
    """An outer span comes before the ones in it."""
    return span.start, -span.end, _ORDER.index(span.kind)


def _apart(ordered: Iterable[Span]) -> list[Span]:
    """Leave out what begins inside an earlier span."""
    kept: list[Span] = []
    for span in ordered:
        if not kept or kept[-1].end <= span.start:
            kept.append(span)
    return kept


def _merged(ordered: Iterable[Span]) -> list[Span]:
    """Join spans of one style that touch."""
    merged: list[Span] = []
    last: dict[str, int] = {}
    for span in ordered:
        place = last.get(span.kind)
        if place is not None and span.start <= merged[place].end:
            end = max(span.end, merged[place].end)
            merged[place] = replace(merged[place], end=end)
        else:
            last[span.kind] = len(merged)
            merged.append(span)
    return merged


def _cut_at_borders(
    styles: Iterable[Span], *, borders: list[int], code: list[Span]
) -> Iterator[Span]:
    """Cut the styles where links, quotes and code begin or end, and leave none inside code."""
    code_starts = [span.start for span in code]
    for style in styles:
        inner = borders[bisect_right(borders, style.start) : bisect_left(borders, style.end)]
        for start, end in pairwise([style.start, *inner, style.end]):
            before = bisect_right(code_starts, start) - 1
            if before < 0 or code[before].end <= start:
                yield replace(style, start=start, end=end)


def _nested(styles: Iterable[Span]) -> list[Span]:
    """Cut every span where one that began before it ends."""
    waiting = [(_rank(span), span) for span in styles]
    heapq.heapify(waiting)
    done: list[Span] = []
    around: list[Span] = []
    while waiting:
        _, span = heapq.heappop(waiting)
        while around and around[-1].end <= span.start:
            around.pop()
        if around and span.end > around[-1].end:
            rest = replace(span, start=around[-1].end)
            heapq.heappush(waiting, (_rank(rest), rest))
            span = replace(span, end=rest.start)
        around.append(span)
        done.append(span)
    return done
