"""Names for files that are offered for download: safe on Windows, macOS and Linux."""

from __future__ import annotations

import unicodedata

import regex

from ..names import clean_text, cut_at_grapheme

FILE_NAME_LIMIT = 60  # characters, the suffix included

_ID_SHOWN = 8  # characters of a chat's id
_LOOKED_AT = 1000  # characters of a name that may be a book
# A dot could begin a second suffix or make `CON.x`, which is a device; emoji differ by system.
_UNSAFE = regex.compile(r"[^\p{L}\p{M}\p{Nd}-]+")
_NO_BEGINNING = regex.compile(r"[\p{M}_-]+")


def file_name(name: str, conversation_id: str, suffix: str) -> str:
    """Name a file after a chat: letters, digits, `_` and `-` of its name, then of its id."""
    tail = f"-{conversation_id[:_ID_SHOWN]}{suffix}"
    text = unicodedata.normalize("NFC", clean_text(name[:_LOOKED_AT]))
    words = _UNSAFE.sub("_", text)
    if beginning := _NO_BEGINNING.match(words):
        words = words[beginning.end() :]
    words = cut_at_grapheme(words, FILE_NAME_LIMIT - len(tail)).rstrip("_-")
    return (words or "chat") + tail


class UniqueNames:
    """Keeps names apart that some file system takes for the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, name: str, conversation_id: str, suffix: str) -> str:
        given = file_name(name, conversation_id, suffix)
        number = 1
        while (folded := unicodedata.normalize("NFD", given).casefold()) in self._taken:
            number += 1
            given = file_name(name, conversation_id, f"-{number}{suffix}")
        self._taken.add(folded)
        return given
