"""What a person may choose, read from settings that may be old, edited or another version's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from .texts import LOCALES

Formatting = Literal["auto", "plain", "rich"]
FORMATTINGS: Mapping[object, Formatting] = {"auto": "auto", "plain": "plain", "rich": "rich"}

LANGUAGE_KEY = "language"
FORMATTING_KEY = "formatting"
NAMING_KEY = "named_by_model"


@dataclass(frozen=True, slots=True)
class Preferences:
    """A person's settings; what is not set, or not known here, is as if never chosen.

    `language` is a locale, None: as Telegram says. `formatting` is what becomes of an answer's
    Markdown: "auto" makes entities, and a rich message where only that can show it; "plain" leaves
    it as it is; "rich" makes a rich message wherever Telegram takes one.
    """

    language: str | None = None
    formatting: Formatting = "auto"
    named_by_model: bool = True

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        language = settings.get(LANGUAGE_KEY)
        formatting = settings.get(FORMATTING_KEY)
        if not isinstance(formatting, str):
            formatting = None
        return cls(
            language=language if language in LOCALES else None,
            formatting=FORMATTINGS.get(formatting, "auto"),
            named_by_model=settings.get(NAMING_KEY) is not False,
        )
