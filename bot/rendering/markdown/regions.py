"""Parts of a Markdown text: where it is shown, and where a mark is not what it seems."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from .reading import Event, inside


class Regions:
    """Parts of a text, to ask of a place whether it touches one of them."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(spans):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def touch(self, start: int, end: int) -> bool:
        before = bisect_right(self._starts, end - 1)
        return before > 0 and self._ends[before - 1] > start


def visible(events: Iterable[Event]) -> Iterator[tuple[int, int]]:
    shown = {"Text", "Code", "InlineMath", "DisplayMath", "Html", "InlineHtml"}
    return ((e.start, e.end) for e in events if not e.step and e.name in shown)


def tables(events: Iterable[Event]) -> Iterator[tuple[int, int]]:
    return ((e.start, e.end) for e in events if e.name == "Table")


def opaque(events: list[Event]) -> Iterator[tuple[int, int]]:
    """Code, formulas, HTML and the addresses of links, where no mark is a mark."""
    shown = {"Code", "InlineMath", "DisplayMath", "Html", "InlineHtml"}
    for number, event in enumerate(events):
        if event.name in shown or (event.step == "Start" and event.name == "CodeBlock"):
            yield event.start, event.end
        elif event.step == "Start" and event.name in {"Link", "Image"}:
            autolink = event.value["link_type"] in {"Autolink", "Email"}
            yield event.start if autolink else inside(events, number)[1], event.end


def delimiters(events: Iterable[Event]) -> Iterator[tuple[int, int]]:
    """The marks around what is bold or crossed out."""
    for event in events:
        if event.step == "Start" and event.name in {"Strong", "Strikethrough"}:
            yield event.start, event.start + 2
            yield event.end - 2, event.end
