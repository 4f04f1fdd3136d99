"""What a chat is called: a name out of its first question, and the cleaning of names by people."""

from __future__ import annotations

import unicodedata

import regex

from .errors import InvalidNameError

DEFAULT_NAME = "New chat"
AUTO_NAME_LIMIT = 30  # characters, the dots included
USER_NAME_LIMIT = 64  # characters

_DOTS = "..."
_JOINERS = frozenset("\u200c\u200d")  # Persian spelling and family emoji need them
_EMOJI_TAGS = range(0xE0020, 0xE0080)  # the flags of England, Scotland, Wales


def clean_text(text: str) -> str:
    """Make one line of plain text: no control, bidi or surrogate characters, single spaces."""
    kept = (" " if _is_space(char) else char for char in text if _is_space(char) or _shows(char))
    return " ".join("".join(kept).split())


def name_from_question(question: str, default: str = DEFAULT_NAME) -> str:
    """Name a chat after its first question, at most 30 characters with the three dots.

    Whole words are kept; a first word that is too long is cut where no visible character breaks.
    A question without anything visible gives `default`.
    """
    text = clean_text(question)
    if not _has_substance(text):
        return default
    return shorten(text, AUTO_NAME_LIMIT)


def shorten(text: str, limit: int) -> str:
    """Cut one line to `limit` characters, the three dots included, at a word if there is one."""
    if len(text) <= limit:
        return text
    room = limit - len(_DOTS)
    words = text[: room + 1].rpartition(" ")[0].rstrip()
    return (words or _cut_at_grapheme(text, room)) + _DOTS


def clean_name(name: str, limit: int = USER_NAME_LIMIT) -> str:
    """Clean a name that a person gave.

    :raises InvalidNameError: nothing visible is left, or more than `limit` characters are.
    """
    cleaned = clean_text(name)
    if not _has_substance(cleaned):
        raise InvalidNameError("empty", limit=limit)
    if len(cleaned) > limit:
        raise InvalidNameError("too_long", limit=limit)
    return cleaned


def _cut_at_grapheme(text: str, room: int) -> str:
    end = 0
    for match in regex.finditer(r"\X", text):
        if match.end() > room:
            break
        end = match.end()
    return text[: end or room]


def _is_space(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) == "Cc"


def _shows(char: str) -> bool:
    if char in _JOINERS or ord(char) in _EMOJI_TAGS:
        return True
    return unicodedata.category(char) not in {"Cf", "Cs", "Co", "Cn"}


def _has_substance(text: str) -> bool:
    return any(unicodedata.category(char)[0] not in "CMZ" for char in text)
