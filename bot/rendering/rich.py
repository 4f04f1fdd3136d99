"""A rich message: Markdown that Telegram itself renders, with tables, formulas and folds.

What it refuses, it refuses whole. So the Markdown is made safe, and counted, before it is sent.
"""

from __future__ import annotations

import html
import logging
import re
from typing import Final

from .cleaning import clean, is_blank
from .markdown import Document, prepared, still_holds
from .thoughts import without_thoughts

logger = logging.getLogger(__name__)

_LIMIT: Final = 32768  # characters
_MOST: Final = {"blocks": 450, "items": 200, "runs": 3000, "depth": 14, "columns": 20}
_NESTING: Final = frozenset({"BlockQuote", "List", "Item", "Table", "FootnoteDefinition"})
_BLOCKS: Final = _NESTING | {
    "Paragraph",
    "Heading",
    "CodeBlock",
    "TableHead",
    "TableRow",
    "HtmlBlock",
}
_RUNS: Final = frozenset(
    {"Strong", "Emphasis", "Strikethrough", "Link", "Code", "InlineMath", "InlineHtml"}
)
_SIGNS: Final = re.compile(r"\||\$|\\[(\[]|\[[ xX]\]|<details", re.IGNORECASE)


def needs_rich(markdown: str) -> bool:
    """Tell whether it has what only a rich message shows: tables, formulas, task lists, folds."""
    text = clean(without_thoughts(markdown))
    if not _SIGNS.search(text):  # most answers need no reading
        return False
    try:
        events = prepared(text, rich=True).events
    except ValueError:
        return False
    return any(
        e.name in {"Table", "InlineMath", "DisplayMath", "TaskListMarker"}
        or (e.name in {"Html", "InlineHtml"} and e.value and "<details" in e.value.lower())
        for e in events
    )


def render_rich(markdown: str) -> str | None:
    """Give Markdown that is safe to send as one rich message; None when it cannot be one.

    To be sent with `skip_entity_detection=True`.
    """
    try:
        document = prepared(clean(without_thoughts(markdown)), rich=True)
    except ValueError as error:
        logger.info("an answer is no rich message: %s", error)
        return None
    text = document.text.strip("\n")
    if is_blank(html.unescape(text)) or len(text) > _LIMIT or _is_too_rich(document):
        return None
    return text if still_holds(document, text) else None


def _is_too_rich(document: Document) -> bool:
    count = dict.fromkeys(_MOST, 0)
    depth = 0
    for step, name, value, _, _ in document.events:
        opened = step == "Start"
        if name in _NESTING:
            depth += 1 if opened else -1
            count["depth"] = max(count["depth"], depth)
        count["blocks"] += name == "Rule" or (opened and name in _BLOCKS)
        count["items"] += opened and name == "Item"
        count["runs"] += name in _RUNS and step != "End"
        if opened and name == "Table":
            count["columns"] = max(count["columns"], len(value))
    return any(count[what] > most for what, most in _MOST.items())
