"""What the parser reads in a Markdown text, with places counted in characters."""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

import pyromark
from telegramify_markdown.converter import STANDARD_OPTIONS


class Event(NamedTuple):
    """What the parser found at the characters from `start` to `end`."""

    step: str  # "Start", "End" or "" for what has no inside
    name: str
    value: Any
    start: int
    end: int


class Document(NamedTuple):
    text: str
    events: list[Event]
    rich: bool  # whether Telegram itself is to render it
    words: list[str]  # what was read before the first edit, without the names of LaTeX commands


def read(text: str) -> list[Event]:
    found = [
        (payload, place["start"], place["end"])
        for payload, place in pyromark.events_with_range(text, options=STANDARD_OPTIONS)
    ]
    data = text.encode()
    places = {0: 0}  # from bytes, in which the parser counts, to characters
    before = 0
    for place in sorted({at for _, start, end in found for at in (start, end)}):
        places[place] = places[before] + len(data[before:place].decode())
        before = place
    return [Event(*_described(what), places[start], places[end]) for what, start, end in found]


def _described(payload: Any) -> tuple[str, str, Any]:
    """Give step, name and value.

    The payload is like `"Rule"`, `{"Text": "a"}`, `{"End": "Item"}` or `{"Start": {"Table": []}}`.
    """
    if isinstance(payload, str):
        return "", payload, None
    ((name, value),) = payload.items()
    if name not in {"Start", "End"}:
        return "", name, value
    if isinstance(value, str):
        return name, value, None
    ((tag, more),) = value.items()
    return name, tag, more


def inside(events: list[Event], number: int) -> tuple[int, int]:
    """Where the text of a link or image begins and ends; the same place when it has none."""
    start = end = events[number].start
    depth = 1  # an autolink may be inside, against the rule
    for event in islice(events, number + 1, None):
        depth += (event.step == "Start") - (event.step == "End")
        if not depth:
            break
        start = event.start if start == events[number].start else start
        end = max(end, event.end)
    return start, end
