"""Every word that a person reads, from the Fluent files in `locales/`, passed on explicitly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib import resources

from fluent.runtime import FluentBundle, FluentResource

LOCALES = ("en", "ru")
_FALLBACK = "en"


class Texts:
    """The phrases of one language. A phrase or a variable that is missing is a `KeyError`.

    Fluent takes variables of up to 1000 characters, so that longer texts are put beside a phrase.
    """

    def __init__(self, locale: str, source: str) -> None:
        self.locale = locale
        # Isolation marks around variables would end up in messages and names.
        self._bundle = FluentBundle([locale], use_isolating=False)
        self._bundle.add_resource(FluentResource(source))

    def __call__(self, key: str, **variables: str | int | datetime) -> str:
        message = self._bundle.get_message(key)
        if message.value is None:
            raise KeyError(key)
        text, errors = self._bundle.format_pattern(message.value, variables)
        if errors:
            raise KeyError(f"{key}: {errors[0]}")
        return str(text)


class Languages:
    """All languages, loaded once; `create_router` makes one."""

    def __init__(self, locales: Iterable[str] = LOCALES) -> None:
        self._texts = {locale: Texts(locale, read_locale(locale)) for locale in locales}

    def choose(self, language_code: str | None) -> Texts:
        """Give the texts for Telegram's language code ("ru", "pt-br"); English for others."""
        language = (language_code or _FALLBACK).partition("-")[0].lower()
        return self._texts.get(language, self._texts[_FALLBACK])

    def __iter__(self) -> Iterator[Texts]:
        return iter(self._texts.values())


def read_locale(locale: str) -> str:
    folder = resources.files(__package__) / "locales"
    return (folder / f"{locale}.ftl").read_text(encoding="utf-8")
