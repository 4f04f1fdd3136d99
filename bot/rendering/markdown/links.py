"""Links: the ones that Telegram takes stay, of others the text and a harmless address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .editing import Edit, escaped
from .reading import Document, inside
from .regions import Regions, visible

_URL_LENGTH: Final = 2000
_WEB: Final = re.compile(
    r"https?://(?:[\w-]+\.)+[\w-]+(?::(?:[1-9]\d{0,3}|[1-5]\d{4}))?(?:[/?#]\S*)?", re.IGNORECASE
)
_ADDRESS: Final = re.compile(
    r"(?:mailto:|tel:)?([^\s:#][^\s:]*)|((?:https?|ftp)://\S+)", re.IGNORECASE
)
_SCHEME: Final = re.compile(r"[a-z][a-z\d+.-]*:", re.IGNORECASE)
_DEFINITION: Final = re.compile(
    r"\[((?:[^\[\]\\\n]|\\.)+)\]:[ \t]*(?:\n[ \t>]*)?(<[^>\n]*>|\S+)"
    r"""(?:[ \t]*(?:\n[ \t>]*)?(?:"[^"]*"|'[^']*'|\([^)]*\))(?=[ \t]*(?:\n|$)))?"""
)


def is_web(url: str) -> bool:
    """Tell whether Telegram takes it as a link; one that it does not costs the whole message."""
    return len(url) <= _URL_LENGTH and _WEB.fullmatch(url) is not None


def link_edits(document: Document) -> Iterator[Edit]:
    text, events, rich, _ = document
    link_end = 0
    for number, event in enumerate(events):
        if event.step != "Start" or event.name not in {"Link", "Image"}:
            continue
        start, end = inside(events, number)
        url = event.value["dest_url"]
        if event.name == "Image" and event.start < link_end:  # a link holds no link
            yield Edit(event.start, start, "" if start < end else "🖼")
            yield Edit(end, event.end, "")
        elif event.name == "Image":  # nothing is fetched: it becomes a link
            yield Edit(
                event.start, event.start + 1, " " if text[: event.start].endswith("!") else ""
            )
            if start == end:
                yield Edit(event.start + 2, event.start + 2, escaped(url))
        else:
            link_end = event.end
            footnote = rich and event.value["id"].startswith("^")
            if not is_web(url) and not footnote:
                collapsed = 2 * (event.value["link_type"] == "Collapsed")  # the "[]" behind it
                yield Edit(event.start, start, "")
                yield Edit(end, event.end + collapsed, _address(url, text[start:end]))


def _address(url: str, shown: str) -> str:
    """What to show of a link that Telegram would refuse: a path or an address, no script."""
    harmless = _ADDRESS.fullmatch(url)
    if harmless is None or (address := harmless[1] or harmless[2]) in shown:
        return ""
    return f" ({escaped(address)})"


def definition_edits(document: Document) -> Iterator[Edit]:
    """A definition that no link refers to would vanish: it becomes text, or goes if a script."""
    for match, used in definitions(document):
        if not used:
            address = match[2].strip("<>")
            script = _SCHEME.match(address) and not _ADDRESS.fullmatch(address)
            yield Edit(*match.span(), "") if script else Edit(match.start(), match.start(), "\\")


def definitions(document: Document) -> Iterator[tuple[re.Match[str], bool]]:
    """Link definitions, which the parser keeps silent about, and whether a link refers to them."""
    if "]:" not in document.text:
        return
    unused = {
        _label(event.value["id"])
        for event in document.events
        if event.step == "Start" and event.name in {"Link", "Image"} and event.value["id"]
    }
    shown = Regions(visible(document.events))
    for match in _DEFINITION.finditer(document.text):
        if not shown.touch(match.start(), match.end(1)):
            label = _label(match[1])
            # "[^1]: text" is a footnote: a rich message has such, else it is text like any other.
            yield match, document.rich if label.startswith("^") else label in unused
            unused.discard(label)


def _label(text: str) -> str:
    return " ".join(text.casefold().split())
