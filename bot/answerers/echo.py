"""The answerer that needs nothing: honest about being none, and about what it was given."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from conversations import clean_text, shorten

from ..texts import Languages, Texts
from .base import AnswerStream, Mode, TextStream, Turn

_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_QUOTED = 200  # characters of the chat's first message, and of its instructions
_PIECES = re.compile(r"\S+\s*|\s+")


class EchoAnswerer:
    """Repeats the question and tells how much of the chat it saw, so that one sees them not mix.

    It answers in Russian where the question has a Cyrillic letter, else in English.
    """

    name = "echo"

    def __init__(self) -> None:
        self._languages = Languages()

    @asynccontextmanager
    async def answer(
        self,
        turns: Sequence[Turn],
        *,
        mode: Mode,  # noqa: ARG002 - there is nothing to think about
        instructions: str = "",
    ) -> AsyncIterator[AnswerStream]:
        async with aclosing(self._words(turns, instructions)) as words:
            yield TextStream(words, model=self.name)

    async def _words(self, turns: Sequence[Turn], instructions: str) -> AsyncGenerator[str, None]:
        question = turns[-1].text
        texts = self._languages.choose("ru" if _CYRILLIC.search(question) else "en")
        for piece in _PIECES.findall(_compose(turns, instructions, texts)):
            yield piece


def _compose(turns: Sequence[Turn], instructions: str, t: Texts) -> str:
    context = t("echo-first")
    if len(turns) > 1:
        first = shorten(clean_text(turns[0].text), _QUOTED)
        context = t("echo-context", count=len(turns), first=first)
    told = []
    if instructions:
        told = [t("echo-instructions", text=shorten(clean_text(instructions), _QUOTED))]
    question = f"{t('echo-question')} {turns[-1].text}"
    return "\n\n".join((question, context, *told, t("echo-nature")))
