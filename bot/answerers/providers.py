"""Whom the model answerer talks to: providers made from settings, and their failures as ours."""

from __future__ import annotations

import math
import re
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import certifi
import httpx2
from pydantic_ai import exceptions as failures
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.models.ollama import OllamaModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from conversations import clean_text

from .base import AnswerError, ErrorKind
from .wording import without_echo

ANTHROPIC_URL = "https://api.anthropic.com"
OPENAI_URL = "https://api.openai.com/v1"
OLLAMA_URL = "http://localhost:11434/v1"

_TAKES_MODEL = "takes anthropic:NAME, openai:NAME or ollama:NAME"
_NO_KEY = "none"  # the SDK wants one where a local server does not
_KEY = re.compile(r"[!-~]+")
_LOOKS_LIKE_A_KEY = re.compile(r"\bsk-[\w-]{8,}")
_DETAIL_LIMIT = 500  # characters
_RETRY_AFTER_LIMIT = 86_400.0  # seconds
# The tags with which the library finds thoughts in text. It looks at whole pieces anywhere, so it
# misses tags that are split and swallows the rest of an answer about the tag; we look ourselves.
_NO_TAGS = ("\0", "\0")
# Servers word it in many ways, often without a code: llama.cpp, LM Studio, vLLM, LiteLLM.
_TOO_LONG = re.compile(
    r"exceed_context_size|prompt is too long|input is too long|"
    r"(exceed|greater|longer|larger|maximum)\w*\b.{0,60}\bcontext[ _](length|size|window)|"
    r"context[ _](length|size|window)\b.{0,60}\b(exceed|overflow)",
    re.IGNORECASE,
)
_KINDS: tuple[tuple[type[Exception], ErrorKind], ...] = (  # the first that fits
    (failures.ModelQuotaExceededError, "quota"),
    (failures.ModelRateLimitError, "rate"),
    (failures.ModelUnavailableError, "overload"),
    (failures.ModelAuthenticationError, "auth"),
    (failures.ModelContextWindowExceededError, "too_long"),
    (failures.ModelRequestRejectedError, "bad_request"),
    (failures.ModelServerError, "server"),
    (failures.ModelTimeoutError, "timeout"),
    (failures.ModelConnectionError, "network"),
    (TimeoutError, "timeout"),
    (httpx2.TimeoutException, "timeout"),
    (httpx2.TransportError, "network"),
)
_STATUSES: dict[int, ErrorKind] = {408: "timeout", 413: "too_long"}


class ModelSettingError(ValueError):
    """A setting cannot be used; the message is one line that names it, and never holds a key."""


@dataclass(frozen=True, slots=True)
class Target:
    """One model at one provider.

    `id` is what the setting says. A `slow` one may be silent long before its first word: a local
    server loads a model and reads a long prompt. One that is `tagged` may send thoughts as text in
    `<think>` tags. A `roomy` one has room for long thoughts beside a long answer.
    """

    id: str
    model: Model
    settings: ModelSettings
    slow: bool = False
    tagged: bool = False
    roomy: bool = False


class Providers:
    """The accounts and servers of an operator. Nothing is called before a model is asked."""

    def __init__(
        self,
        *,
        anthropic_api_key: str | None,
        anthropic_base_url: str | None,
        openai_api_key: str | None,
        openai_base_url: str | None,
    ) -> None:
        self._anthropic_key = _check_key("ANTHROPIC_API_KEY", anthropic_api_key)
        self._anthropic_url = _check_url("ANTHROPIC_BASE_URL", anthropic_base_url)
        self._openai_key = _check_key("OPENAI_API_KEY", openai_api_key)
        self._openai_url = _check_url("OPENAI_BASE_URL", openai_base_url)
        keys = filter(None, (self._anthropic_key, self._openai_key))
        self._secrets = sorted(keys, key=len, reverse=True)
        # Redirects are not followed: they could carry a key to another host. How many answers run
        # at once is the bot's to limit; one that waited here for a connection would look slow.
        self._client = httpx2.AsyncClient(
            verify=_trusted(), limits=httpx2.Limits(max_keepalive_connections=20)
        )

    def target(self, setting: str, value: str) -> Target:
        """Make a model of a setting's value.

        :raises ModelSettingError: the value is no model's, or what it needs is not set.
        """
        prefix, _, name = value.strip().partition(":")  # a name may have colons: ollama:qwen3:8b
        name = name.strip()
        makers = {"anthropic": self._anthropic, "openai": self._openai, "ollama": self._ollama}
        maker = makers.get(prefix.strip().lower())
        if maker is None or not name or not name.isprintable():
            raise ModelSettingError(f"{setting} {_TAKES_MODEL}, like ollama:qwen3:8b")
        return maker(setting, name)

    def failure(self, error: Exception, exchanged: str = "") -> AnswerError:
        """Make ours of whatever a library or a server came up with; `exchanged` is not in it."""
        kind = _kind(error)
        said = self.redact(f"{type(error).__name__}: {error}" if str(error) else repr(error))
        detail = without_echo(said, exchanged)
        if isinstance(error, failures.ModelNotFoundError):
            detail = f"model not found: {detail}"
        return AnswerError(kind, clean_text(detail)[:_DETAIL_LIMIT], retry_after=_wait(error))

    def redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return _LOOKS_LIKE_A_KEY.sub("[key]", text)

    async def close(self) -> None:
        await self._client.aclose()

    def _anthropic(self, setting: str, name: str) -> Target:
        if self._anthropic_key is None:
            raise ModelSettingError(f"ANTHROPIC_API_KEY takes a key; {setting} needs one")
        # The addresses are always given, else the SDKs look for them in the environment.
        provider = AnthropicProvider(
            api_key=self._anthropic_key,
            base_url=self._anthropic_url or ANTHROPIC_URL,
            http_client=self._client,
        )
        settings = AnthropicModelSettings(anthropic_cache=True)
        model = AnthropicModel(name, provider=provider)
        return Target(f"anthropic:{name}", model, settings, roomy=True)

    def _openai(self, setting: str, name: str) -> Target:
        if self._openai_key is None and self._openai_url is None:
            raise ModelSettingError(
                f"OPENAI_API_KEY takes a key; {setting} needs one, or OPENAI_BASE_URL a server"
            )
        # Chat completions for OpenAI too: every compatible server speaks it, few speak Responses.
        provider = OpenAIProvider(
            api_key=self._openai_key or _NO_KEY,
            base_url=self._openai_url or OPENAI_URL,
            http_client=self._client,
        )
        compatible = self._openai_url is not None
        model = OpenAIChatModel(name, provider=provider, profile=_profile(compatible=compatible))
        return Target(
            f"openai:{name}",
            model,
            ModelSettings(),
            slow=compatible,
            tagged=compatible,
            roomy=not compatible,
        )

    def _ollama(self, setting: str, name: str) -> Target:  # noqa: ARG002 - it needs no other setting
        provider = OllamaProvider(
            api_key=self._openai_key or _NO_KEY,
            base_url=self._openai_url or OLLAMA_URL,
            http_client=self._client,
        )
        model = OllamaModel(name, provider=provider, profile=_profile(compatible=True))
        return Target(f"ollama:{name}", model, ModelSettings(), slow=True, tagged=True)


def _profile(*, compatible: bool) -> OpenAIModelProfile:
    profile = OpenAIModelProfile(
        openai_chat_streaming_requires_finish_reason=True, thinking_tags=_NO_TAGS
    )
    if compatible:  # Ollama ignores `max_completion_tokens`; OpenAI's own models require it
        profile["openai_chat_supports_max_completion_tokens"] = False
    return profile


def _trusted() -> ssl.SSLContext:
    """Trust the system's certificates and, where it has none, aiogram's."""
    context = httpx2.create_ssl_context()
    context.load_verify_locations(certifi.where())
    return context


def _check_key(setting: str, key: str | None) -> str | None:
    key = (key or "").strip()
    if key and not _KEY.fullmatch(key):
        raise ModelSettingError(f"{setting} takes a key: ASCII characters without spaces")
    return key or None


def _check_url(setting: str, url: str | None) -> str | None:
    """Take a plain address: libraries log it, so it must hold no password."""
    url = (url or "").strip()
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if url and not (valid and url.isprintable() and not set(" @?#") & set(url)):
        raise ModelSettingError(
            f"{setting} takes a plain http(s) address, like http://localhost:8000/v1"
        )
    return url or None


def _kind(error: Exception) -> ErrorKind:
    kind = next((kind for cls, kind in _KINDS if isinstance(error, cls)), None)
    if kind is None and isinstance(error, failures.ModelHTTPError):
        rejected = 400 <= error.status_code < 500
        kind = _STATUSES.get(error.status_code, "bad_request" if rejected else "server")
    if kind is None and isinstance(error, failures.ModelAPIError) and error.in_stream:
        kind = "server"
    if kind in ("bad_request", "server") and _TOO_LONG.search(str(error)):
        return "too_long"
    return kind or "protocol"


def _wait(error: Exception) -> float | None:
    seconds = getattr(error, "retry_after", None)
    if not isinstance(seconds, float | int) or math.isnan(seconds) or seconds < 0:
        return None
    return min(float(seconds), _RETRY_AFTER_LIMIT)
