"""An answer's text -> what Telegram takes: whole, in messages of at most 4096 UTF-16 units."""

from __future__ import annotations

MESSAGE_LIMIT = 4096  # UTF-16 code units, as Telegram counts


def sendable(text: str) -> str:
    """Replace lone surrogates, which no request to Telegram can carry."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def utf16_length(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def split_text(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """Split into parts of at most `limit` UTF-16 units that join to the text again.

    A part ends behind a line break where it can, else behind a space, else anywhere between two
    characters.
    """
    parts = []
    while utf16_length(text) > limit:
        room = _fitting(text, limit)
        cut = text.rfind("\n", 0, room) + 1 or text.rfind(" ", 0, room) + 1 or room
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text] if text else parts


def _fitting(text: str, limit: int) -> int:
    """Count the characters that fit into `limit` units."""
    units = 0
    for place, char in enumerate(text):
        units += 2 if char > "\uffff" else 1
        if units > limit:
            return place
    return len(text)
