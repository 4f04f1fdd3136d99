"""Markdown -> text with formatting, by a library that is not trusted to keep every word."""

from __future__ import annotations

import functools
import logging

from telegramify_markdown import RenderConfig, convert

from .entities import Formatted, settled, spans
from .markdown import holds, pieces, prepared, still_holds

logger = logging.getLogger(__name__)


def formatted(markdown: str) -> Formatted:
    """Turn Markdown into text with formatting, or leave it as it is when that would lose words."""
    try:
        document = prepared(markdown, rich=False)
        text, entities = convert(document.text, latex_escape=False, config=_look())
        if not (holds(text, pieces(document.events)) and still_holds(document, text)):
            raise ValueError("words are lost")  # noqa: TRY301 - one way out for all
        return Formatted(text, settled(spans(text, entities)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the person gets the answer
        logger.info("an answer is shown without formatting: %s", type(error).__name__)
        return Formatted(markdown, [])


def unformatted(markdown: str) -> Formatted:
    """Take Markdown as it is, for those who want to see its marks."""
    return Formatted(markdown, [])


@functools.cache
def _look() -> RenderConfig:
    """Nothing in front of headings, and marks that are known to everybody."""
    config = RenderConfig.isolated()
    symbols = config.markdown_symbol
    symbols.heading_level_1 = symbols.heading_level_2 = ""
    symbols.heading_level_3 = symbols.heading_level_4 = ""
    symbols.image = ""
    symbols.unordered_list_item = "•"
    symbols.task_completed, symbols.task_uncompleted = "✅", "⬜"
    return config
