"""The parts of a rich message on the wire: spans of text, paragraphs, code, what folds."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Final

from .errors import BotApiError
from .links import checked_link

Block = dict[str, Any]
RichText = str | dict[str, Any] | list[Any]

SPANS: Final = {"Emphasis": "italic", "Strong": "bold", "Strikethrough": "strikethrough"}
END_OF_DETAILS: Final = "end of details"
_FOLDING: Final = re.compile(
    r"<details(?P<open>\s+open)?\s*>"
    r"(?:\s*<summary\s*>(?P<summary>(?:[^<]|<(?!/summary|/?details))*+)</summary\s*>)?"
    r"|(?P<close></details\s*>)",
    re.IGNORECASE | re.DOTALL,
)
_TAG: Final = re.compile(r"</?[a-z][^>]*>", re.IGNORECASE)


class _Display(dict[str, Any]):
    """A formula that stands by itself; in a heading or a cell it is one like any other."""


def joined(parts: list[Any]) -> RichText:
    if all(isinstance(part, str) for part in parts):
        return "".join(parts)
    return parts if len(parts) > 1 else parts[0]


def span(name: str, value: Any, text: RichText) -> RichText:
    if name == "Image":  # Telegram would fetch it; nothing here leaves this computer
        raise BotApiError("RICH_MESSAGE_PHOTO_NO_MEDIA_FOUND")
    if name == "Link":
        link = checked_link(value["dest_url"])
        return {"type": "url", "text": text, "url": link} if link else text
    return {"type": SPANS[name], "text": text}


def piece(name: str, value: Any) -> RichText:
    match name:
        case "Text":
            return str(value)
        case "Code":
            return {"type": "code", "text": value}
        case "InlineMath":
            return {"type": "mathematical_expression", "expression": value}
        case "DisplayMath":
            return _Display(type="mathematical_expression", expression=value.strip())
        case "FootnoteReference":
            return {"type": "superscript", "text": value}
        case "SoftBreak":
            return " "
        case "HardBreak":
            return "\n"
    return "\n" if name == "InlineHtml" and value.lower().startswith("<br") else ""


def paragraphs(parts: list[Any]) -> list[Block]:
    made: list[Block] = []
    run: list[Any] = []
    for part in [*parts, _Display()]:
        if not isinstance(part, _Display):
            run.append(part)
            continue
        if any(run := _trimmed(run)):
            made.append({"type": "paragraph", "text": joined(run)})
        run = []
        if part:
            made.append(dict(part))
    return made


def footnote(label: str, blocks: list[Block]) -> list[Block]:
    mark: list[Any] = [{"type": "superscript", "text": label}, " "]
    if not blocks or blocks[0]["type"] != "paragraph":
        return [{"type": "paragraph", "text": mark}, *blocks]
    return [{"type": "paragraph", "text": [*mark, blocks[0]["text"]]}, *blocks[1:]]


def _trimmed(parts: list[Any]) -> list[Any]:
    """Without the spaces that stood between a text and a formula on its own line."""
    if parts and isinstance(parts[0], str):
        parts[0] = parts[0].lstrip()
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip()
    return [part for part in parts if part]


def code(text: str, kind: Any) -> Block:
    language = kind["Fenced"].split(" ")[0] if isinstance(kind, dict) else ""
    text = text.removesuffix("\n")
    if language == "math":
        return {"type": "mathematical_expression", "expression": text}
    return {"type": "pre", "text": text} | ({"language": language} if language else {})


def from_html(html: str) -> Iterator[Block]:
    position = 0
    for mark in _FOLDING.finditer(html):
        yield from _stripped(html[position : mark.start()])
        position = mark.end()
        if mark["close"]:
            yield {"type": END_OF_DETAILS}
            continue
        summary = unescape(_TAG.sub("", mark["summary"] or "")).strip()
        opened = {"is_open": True} if mark["open"] else {}
        yield {"type": "details", "summary": summary, "blocks": []} | opened
    yield from _stripped(html[position:])


def _stripped(html: str) -> Iterator[Block]:
    if text := unescape(_TAG.sub("", html)).strip():
        yield {"type": "paragraph", "text": text}
