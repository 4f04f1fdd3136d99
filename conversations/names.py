"""What a chat is called: a name out of its first question, and the cleaning of names by people."""

from __future__ import annotations

import regex

from .errors import InvalidNameError

DEFAULT_NAME = "New chat"
AUTO_NAME_LIMIT = 30  # characters, the dots included
USER_NAME_LIMIT = 64  # characters

_DOTS = "..."
_FORK = "🔀 "
_USUALLY_ENOUGH = 100
_LOOKED_AT = 1000  # characters of a question; a name needs 30, and a question may be a book
# The system's Unicode tables lag behind: new emoji are "unassigned" there, hence `regex`.
_SPACE = regex.compile(r"[\s\p{Cc}]+")
# Not: joiners (Persian, family emoji) and tags (the flags of England, Scotland, Wales).
_UNSEEN = regex.compile(
    r"[[\p{Cf}\p{Cs}\p{Co}\p{Cn}]--[\u200c\u200d\U000E0020-\U000E007F]]", regex.V1
)
_BLANK = r"\p{C}\p{M}\p{Z}\p{Default_Ignorable_Code_Point}\u2800"  # Hangul fillers, empty braille
_VISIBLE = regex.compile(rf"[^{_BLANK}]")
_HANGUL_FILLERS = "\u115f\u1160\u3164\uffa0"  # letters, and nothing to see


def clean_text(text: str) -> str:
    """Make one line of plain text: no control, bidi or surrogate characters, single spaces."""
    if text.isprintable():  # then there is nothing to remove, and no space but the common one
        return " ".join(text.split())
    return " ".join(_UNSEEN.sub("", _SPACE.sub(" ", text)).split())


def is_visible(text: str) -> bool:
    """Tell whether there is anything to see in a text."""
    if any(char.isalnum() and char not in _HANGUL_FILLERS for char in text):
        return True  # nearly always; and `regex` lets other threads run, who are slow to give back
    return bool(text) and bool(_VISIBLE.search(text))


def name_from_question(question: str, default: str = DEFAULT_NAME) -> str:
    """Name a chat after its first question, at most 30 characters with the three dots.

    Whole words are kept; a first word that is too long is cut where no visible character breaks.
    A question without anything visible gives `default`.
    """
    for looked_at in (_USUALLY_ENOUGH, _LOOKED_AT):
        text = clean_text(question[:looked_at])
        if len(text) > 2 * AUTO_NAME_LIMIT and is_visible(text[:AUTO_NAME_LIMIT]):
            return shorten(text, AUTO_NAME_LIMIT)
        if len(question) <= looked_at:
            break
    return shorten(text, AUTO_NAME_LIMIT) if is_visible(text) else default


def name_of_fork(name: str) -> str:
    """Name a copy of a chat after it, with a sign that needs no translation."""
    origin = clean_text(name).removeprefix(_FORK) or DEFAULT_NAME
    return _FORK + shorten(origin, USER_NAME_LIMIT - len(_FORK))


def shorten(text: str, limit: int) -> str:
    """Cut one line to `limit` characters, the three dots included, at a word if there is one."""
    if len(text) <= limit:
        return text
    room = limit - len(_DOTS)
    words = text[: room + 1].rpartition(" ")[0].rstrip()
    return (words or cut_at_grapheme(text, room)) + _DOTS


def clean_name(name: str, limit: int = USER_NAME_LIMIT) -> str:
    """Clean a name that a person gave.

    :raises InvalidNameError: nothing visible is left, or more than `limit` characters are.
    """
    cleaned = clean_text(name)
    if not is_visible(cleaned):
        raise InvalidNameError("empty", limit=limit)
    if len(cleaned) > limit:
        raise InvalidNameError("too_long", limit=limit)
    return cleaned


def cut_at_grapheme(text: str, room: int) -> str:
    """Cut a text to `room` characters where no visible character breaks, if there is a place."""
    end = 0
    for match in regex.finditer(r"\X", text):
        if match.end() > room:
            break
        end = match.end()
    return text[: end or room]
