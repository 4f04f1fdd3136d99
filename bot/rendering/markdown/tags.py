"""HTML: nothing is, but links, line breaks and what folds; the rest is text that shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .editing import Edit
from .links import is_web
from .reading import Document, Event

RICH_TAG: Final = r"/?(?:details(?:\s+open)?|summary|sub|sup|u)\s*>"  # behind the "<"

_ANCHOR: Final = re.compile(r"""<a\s[^>]*?href\s*=\s*["']?([^"'\s>]*)[^>]*>""", re.IGNORECASE)
_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
_FOLDING: Final = re.compile(r"</?(?:details(?:\s+open)?|summary)\s*>", re.IGNORECASE)
_STRANGE_TAG: Final = re.compile(rf"<(?!{RICH_TAG})", re.IGNORECASE)


def tag_edits(document: Document) -> Iterator[Edit]:
    anchors: list[tuple[Event, str]] = []
    for event in document.events:
        if event.step or event.name not in {"Html", "InlineHtml"}:
            continue
        tag = document.text[event.start : event.end]
        anchor = _ANCHOR.fullmatch(tag)
        if event.name == "Html":
            yield from _line_edits(document, event)
        elif anchor:
            anchors.append((event, anchor[1]))
        elif tag.lower() == "</a>" and anchors:
            opened, url = anchors.pop()
            web = is_web(url)
            yield Edit(opened.start, opened.end, "[" if web else "")
            yield Edit(event.start, event.end, f"](<{url}>)" if web else "")
        elif _BREAK.fullmatch(tag):
            yield Edit(event.start, event.end, " ")
        else:
            yield from _line_edits(document, event)
    yield from (Edit(lone.start, lone.start + 1, "&lt;") for lone, _ in anchors)


def _line_edits(document: Document, event: Event) -> Iterator[Edit]:
    if document.rich:
        for tag in _STRANGE_TAG.finditer(document.text, event.start, event.end):
            yield Edit(tag.start(), tag.start() + 1, "&lt;")
        return
    # Once the first tag of a line is text, the line is no HTML block: the rest is read next time.
    start = document.text.find("<", event.start, event.end)
    if start >= 0:
        folding = _FOLDING.match(document.text, start)
        yield Edit(start, folding.end(), "") if folding else Edit(start, start + 1, "&lt;")
