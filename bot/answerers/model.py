"""The answerer that asks a language model: Claude, OpenAI's, Ollama's or a compatible server's.

Importing this takes seconds and some 80 MB; it is imported where a model is set, and only there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import groupby

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    UserPromptPart,
)

from .asking import Limits, ModelStream, Request, Sleep
from .base import AnswerError, AnswerStream, Mode, Turn
from .providers import ModelSettingError, Providers, Target
from .wording import clean_title

__all__ = ["Limits", "ModelAnswerer", "ModelSettingError", "build_answerer"]

_NAME_SECONDS = 15.0
_NAME_TOKENS = 1024  # a name takes 20; a model that cannot but think needs the rest
_NAME_QUESTION, _NAME_ANSWER = 1000, 500  # characters that a name is made of
_NAME_PROMPT = (
    "You name chats. Reply with a name for the chat below, of 2 to 5 words, in the language of the"
    " user's message. Only the name: no quotes, no final period, no explanation. Do not answer"
    " the message itself."
)


class ModelAnswerer:
    """Asks one model, and in the deep mode another one or the same with more thought.

    Whoever built it closes it.
    """

    def __init__(
        self,
        providers: Providers,
        fast: Target,
        deep: Target | None = None,
        *,
        system_prompt: str = "",
        limits: Limits | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.name = fast.id
        self._providers = providers
        self._fast = fast
        self._deep = deep or fast
        self._system_prompt = _sendable(system_prompt).strip()
        self._limits = limits or Limits()
        self._sleep = sleep

    @asynccontextmanager
    async def answer(
        self, turns: Sequence[Turn], *, mode: Mode, instructions: str = ""
    ) -> AsyncIterator[AnswerStream]:
        async with self._stream(self._request(turns, mode, instructions)) as stream:
            yield stream

    async def name_chat(self, question: str, answer: str) -> str:
        """Give a name of at most 40 characters within 15 s; it is asked for once."""
        excerpt = f"{question[:_NAME_QUESTION]}\n\n---\n\n{answer[:_NAME_ANSWER]}"
        limits = replace(self._limits, whole=min(_NAME_SECONDS, self._limits.whole))
        messages = _messages([Turn("user", excerpt)], _NAME_PROMPT)
        request = Request(self._fast, messages, _NAME_TOKENS, False, limits, retries=0)
        async with self._stream(request) as stream:
            async for _ in stream:
                pass
        name = clean_title(stream.result.text)
        if stream.result.state != "complete" or not name:
            raise AnswerError("protocol", f"the model gave no name ({stream.result.state})")
        return name

    async def close(self) -> None:
        await self._providers.close()

    @asynccontextmanager
    async def _stream(self, request: Request) -> AsyncIterator[ModelStream]:
        stream = ModelStream(request, self._providers, self._sleep)
        try:
            yield stream
        finally:
            await stream.close()

    def _request(self, turns: Sequence[Turn], mode: Mode, instructions: str) -> Request:
        told = (self._system_prompt, _sendable(instructions).strip())
        messages = _messages(turns, "\n\n".join(text for text in told if text))
        if not messages:
            raise AnswerError("bad_request", "no question in the turns")
        if mode == "fast":
            limits = self._limits.patient() if self._fast.slow else self._limits
            return Request(self._fast, messages, limits.max_tokens, "low", limits)
        limits = self._limits.patient()
        room = limits.thought_tokens if self._deep.roomy else 0
        return Request(self._deep, messages, limits.max_tokens + room, "high", limits)


def build_answerer(
    *,
    model: str,
    model_deep: str | None = None,
    anthropic_api_key: str | None = None,
    openai_api_key: str | None = None,
    anthropic_base_url: str | None = None,
    openai_base_url: str | None = None,
    system_prompt: str = "",
    limits: Limits | None = None,
    sleep: Sleep = asyncio.sleep,
) -> ModelAnswerer:
    """Make an answerer of the settings MODEL, MODEL_DEEP and what they need. Calls nobody.

    `openai_base_url` is any compatible server, for `openai:` and `ollama:` names alike.

    :raises ModelSettingError: a setting cannot be used.
    """
    providers = Providers(
        anthropic_api_key=anthropic_api_key,
        anthropic_base_url=anthropic_base_url,
        openai_api_key=openai_api_key,
        openai_base_url=openai_base_url,
    )
    fast = providers.target("MODEL", model)
    deep = providers.target("MODEL_DEEP", model_deep) if model_deep else None
    return ModelAnswerer(
        providers, fast, deep, system_prompt=system_prompt, limits=limits, sleep=sleep
    )


def _messages(turns: Sequence[Turn], system_prompt: str) -> list[ModelMessage]:
    """Make of turns what every provider takes: roles alternate, from a user's to a user's."""
    said = [(turn.role, text) for turn in turns if (text := _sendable(turn.text)).strip()]
    merged = [
        (role, "\n\n".join(text for _, text in group))
        for role, group in groupby(said, key=lambda turn: turn[0])
    ]
    if merged and merged[0][0] == "assistant":
        del merged[0]
    if merged and merged[-1][0] == "assistant":
        del merged[-1]  # newer models refuse to go on with an answer
    return [
        ModelRequest(parts=[UserPromptPart(text)], instructions=system_prompt or None)
        if role == "user"
        else ModelResponse(parts=[TextPart(text)])
        for role, text in merged
    ]


def _sendable(text: str) -> str:
    """Replace lone surrogates, which old files may hold and no request can."""
    return text.encode("utf-8", "replace").decode()
