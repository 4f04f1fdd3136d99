"""A rich message: Markdown read into blocks, which have the Bot API's own form.

Telegram's parser is not public. This one reads GitHub's Markdown, formulas, footnotes and the
tags that fold, underline and lower or raise; other tags are dropped, as Telegram drops them, and
``||spoilers||`` and ``==marks==`` stay as they are written. Nothing is detected in a text.
"""

from collections.abc import Iterator
from typing import Any, Final

import pyromark
from aiogram.types import InputRichMessage

from .errors import BotApiError
from .rich_parts import (
    END_OF_DETAILS,
    SPANS,
    Block,
    code,
    footnote,
    from_html,
    joined,
    paragraphs,
    piece,
    span,
)

_OPTIONS: Final = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_MATH
    | pyromark.Options.ENABLE_FOOTNOTES
)
_MAX_CHARACTERS: Final = 32768
_MAX_BLOCKS: Final = 500
_MAX_DEPTH: Final = 16
_MAX_COLUMNS: Final = 20
_INLINE: Final = frozenset({*SPANS, "Link", "Image"})
_TAGS: Final = {"<u>": "underline", "<sub>": "subscript", "<sup>": "superscript"}


def rich_content(message: InputRichMessage) -> dict[str, Any]:
    """The content of a message. Raises BotApiError in Telegram's words for what is too much."""
    if message.markdown is None or message.blocks or message.html or message.media:
        raise BotApiError("the playground takes rich messages as Markdown")
    if not message.markdown:
        raise BotApiError("RICH_MESSAGE_MARKDOWN_INVALID")
    if len(message.markdown) > _MAX_CHARACTERS:
        raise BotApiError("RICH_MESSAGE_TEXT_TOO_LONG")
    blocks = _Reader(message.markdown).blocks()
    if not blocks:
        raise BotApiError("RICH_MESSAGE_EMPTY")
    return {"rich_message": {"blocks": blocks} | ({"is_rtl": True} if message.is_rtl else {})}


class _Reader:
    """Walks the parser's events once; each method stops before the end of what it stands in."""

    def __init__(self, markdown: str) -> None:
        try:
            found = pyromark.events(markdown, options=_OPTIONS)
        except UnicodeEncodeError:
            raise BotApiError("strings must be encoded in UTF-8") from None
        self._events = [*map(_described, found), ("End", "", None)]
        self._at = 0
        self._count = 0

    def blocks(self, depth: int = 0) -> list[Block]:
        _check_depth(depth)
        found: list[Block] = []
        inside = [found]
        while self._step != "End":
            for block in self._block(depth):
                if block["type"] == END_OF_DETAILS:
                    inside[1:] = inside[1:-1]
                    continue
                inside[-1].append(block)
                if block["type"] == "details":
                    inside.append(block["blocks"])
                    _check_depth(depth + len(inside))
        return found

    @property
    def _step(self) -> str:
        return self._events[self._at][0]

    def _counted(self) -> None:
        self._count += 1
        if self._count > _MAX_BLOCKS:
            raise BotApiError("RICH_MESSAGE_BLOCKS_TOO_MANY")

    def _block(self, depth: int) -> list[Block]:
        self._counted()
        step, name, value = self._events[self._at]
        if name in _INLINE or (not step and name != "Rule"):
            return paragraphs(self._inline())  # in a list whose items stand close
        self._at += 1
        if name == "Rule":
            return [{"type": "divider"}]
        made = self._started(name, value, depth)
        self._at += 1
        return made

    def _started(self, name: str, value: Any, depth: int) -> list[Block]:
        match name:
            case "Heading":
                size = int(value["level"][1])
                return [{"type": "heading", "text": joined(self._inline()), "size": size}]
            case "CodeBlock":
                return [code(self._plain(), value)]
            case "HtmlBlock":
                return list(from_html(self._plain()))
            case "BlockQuote":
                return [{"type": "blockquote", "blocks": self.blocks(depth + 1)}]
            case "FootnoteDefinition":
                return footnote(value, self.blocks(depth + 1))
            case "List":
                return [{"type": "list", "items": list(self._items(value, depth))}]
            case "Table":
                return [{"type": "table", "cells": self._rows(value), "is_bordered": True}]
        return paragraphs(self._inline())

    def _plain(self) -> str:
        text = ""
        while self._step != "End":
            text += self._events[self._at][2] or ""
            self._at += 1
        return text

    def _items(self, first: int | None, depth: int) -> Iterator[Block]:
        number = first
        while self._step != "End":
            self._counted()
            self._at += 1
            item: Block = {"label": "•" if number is None else f"{number}."}
            if (checked := self._checkbox()) is not None:
                item |= {"has_checkbox": True} | ({"is_checked": True} if checked else {})
            if number is not None:
                item |= {"value": number, "type": "1"}
                number += 1
            yield item | {"blocks": self.blocks(depth + 1)}
            self._at += 1

    def _checkbox(self) -> bool | None:
        """Whether the item is done; it is said in its first paragraph, where it has such."""
        at = self._at + (self._events[self._at][:2] == ("Start", "Paragraph"))
        if self._events[at][1] != "TaskListMarker":
            return None
        return bool(self._events.pop(at)[2])

    def _rows(self, alignments: tuple[str, ...]) -> list[list[Block]]:
        if len(alignments) > _MAX_COLUMNS:
            raise BotApiError("RICH_MESSAGE_TABLE_COLS_TOO_MANY")
        rows: list[list[Block]] = []
        while self._step != "End":
            self._counted()
            head = {"is_header": True} if self._events[self._at][1] == "TableHead" else {}
            self._at += 1
            row: list[Block] = []
            while self._step != "End":
                self._at += 1
                align = {"Right": "right", "Center": "center"}.get(alignments[len(row)], "left")
                text = joined(self._inline())
                row.append({"align": align, "valign": "middle", "text": text} | head)
                self._at += 1
            rows.append(row)
            self._at += 1
        return rows

    def _inline(self, closing: str = "", depth: int = 0) -> list[Any]:
        _check_depth(depth)
        parts: list[Any] = []
        while True:
            step, name, value = self._events[self._at]
            if step == "End" or (step and name not in _INLINE) or name == "Rule":
                return parts
            self._at += 1
            tag = value.lower() if name == "InlineHtml" else ""
            if tag and tag == closing:
                return parts
            if step:
                parts.append(span(name, value, joined(self._inline(depth=depth + 1))))
                self._at += 1
            elif tag in _TAGS:
                inner = joined(self._inline(f"</{tag[1:]}", depth + 1))
                parts.append({"type": _TAGS[tag], "text": inner})
            else:
                parts.append(piece(name, value))


def _described(event: Any) -> tuple[str, str, Any]:
    """Step ("Start", "End" or ""), name and value."""
    if isinstance(event, str):
        return "", event, None
    ((name, value),) = event.items()
    if name not in {"Start", "End"}:
        return "", name, value
    if isinstance(value, str):
        return name, value, None
    ((tag, more),) = value.items()
    return name, tag, more


def _check_depth(depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise BotApiError("RICH_MESSAGE_DEPTH_INVALID")
