"""The words of a text, by which a loss is noticed; a word is a run of letters or digits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from .reading import Document, Event

WORD: Final = re.compile(r"[^\W_]+")

_LATEX_MARKUP: Final = re.compile(
    r"\\(?:begin|end)\{[^}]*\}(?:\{[clr| ]*\})?|\\[hv]?phantom\{[^}]*\}|\\[a-zA-Z]+"
)


def pieces(events: Iterable[Event]) -> list[str]:
    """What the parser read as text; formulas are looked at one by one."""
    return [event.value for event in events if not event.step and event.name in {"Text", "Code"}]


def without_commands(latex: str) -> str:
    """Leave out the names of LaTeX commands, which are no words to be seen."""
    return _LATEX_MARKUP.sub(" ", latex)


def holds(text: str, wanted: Iterable[str]) -> bool:
    """Tell whether every word that is wanted is in the text, in the same order."""
    place = 0
    for piece in wanted:
        for word in WORD.findall(piece):
            place = text.find(word, place) + len(word)
            if place < len(word):
                return False
    return True


def still_holds(document: Document, text: str) -> bool:
    """Tell whether a text made of the document has the words of its first reading, in order."""
    decomposed = unicodedata.normalize("NFKD", text)
    return holds(decomposed, (unicodedata.normalize("NFKD", words) for words in document.words))
