"""Settings from the environment or `.env`; nothing is read before `load_settings` is called."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import (
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_SECRET = re.compile(r"[A-Za-z0-9_-]{32,256}")

# A description says what the setting takes; it is what a person reads who gave it a wrong value.


class SettingsError(Exception):
    """A setting has a value that it cannot take; the message names it, never the value."""


class Settings(BaseSettings):
    """Everything that an operator decides. Empty values count as not given."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    bot_token: Annotated[
        SecretStr | None,
        Field(description="a token from @BotFather, like 123456:ABC...; none runs the playground"),
    ] = None
    telegram_api_url: Annotated[
        HttpUrl | None,
        Field(description="the http(s) address of a Bot API server of yours, without a password"),
    ] = None
    conversations_dir: Annotated[Path, Field(description="the folder in which chats are kept")] = (
        Path("data/conversations")
    )
    database_url: Annotated[
        SecretStr | None,
        Field(
            description="postgresql://user:password@host:port/database;"
            " none keeps chats in CONVERSATIONS_DIR"
        ),
    ] = None
    journal: Annotated[
        bool, Field(description="true or false: whether new messages go to a journal first")
    ] = False
    model: Annotated[
        str | None,
        Field(description="anthropic:NAME, openai:NAME or ollama:NAME; none runs the echo"),
    ] = None
    model_deep: Annotated[
        str | None, Field(description="a model as MODEL does, for deep answers")
    ] = None
    anthropic_api_key: Annotated[SecretStr | None, Field(description="a key of Anthropic's")] = (
        None
    )
    anthropic_base_url: Annotated[
        HttpUrl | None,
        Field(description="the http(s) address of a server like Anthropic's, without a password"),
    ] = None
    openai_api_key: Annotated[SecretStr | None, Field(description="a key of OpenAI's")] = None
    openai_base_url: Annotated[
        HttpUrl | None,
        Field(description="the http(s) address of a server like OpenAI's, without a password"),
    ] = None
    system_prompt: Annotated[str, Field(description="what every model is told beforehand")] = ""
    context_messages: Annotated[
        int, Field(ge=1, le=1000, description="how many last messages a model gets, 1-1000")
    ] = 20
    context_tokens: Annotated[
        int, Field(ge=100, le=10_000_000, description="how many tokens of a chat a model gets")
    ] = 16_000
    allowed_user_ids: Annotated[
        frozenset[int],
        NoDecode,
        Field(description="numbers of Telegram users with commas between; none lets everybody in"),
    ] = frozenset()
    limit_messages_per_minute: Annotated[
        int, Field(ge=0, description="how many questions a person may ask in a minute; 0: any")
    ] = 0
    limit_tokens_per_day: Annotated[
        int, Field(ge=0, description="how many tokens a person may use in a day; 0: any")
    ] = 0
    limit_chats: Annotated[
        int, Field(ge=0, description="how many chats a person may have; 0: any")
    ] = 0
    limit_bytes: Annotated[
        int, Field(ge=0, description="how many bytes a person's chats may take; 0: any")
    ] = 0
    trash_days: Annotated[
        int, Field(ge=1, le=3650, description="how many days deleted chats are kept, 1-3650")
    ] = 30
    webhook_url: Annotated[
        HttpUrl | None,
        Field(description="the https address where Telegram reaches the bot, without a password"),
    ] = None
    webhook_secret: Annotated[
        SecretStr | None,
        Field(
            description="32-256 letters, digits, _ and -, where WEBHOOK_URL is set",
            validate_default=True,
        ),
    ] = None
    webhook_host: Annotated[
        str, Field(description="the address to listen on behind your proxy")
    ] = "127.0.0.1"
    webhook_port: Annotated[
        int, Field(ge=1, le=65535, description="the port to listen on behind your proxy, 1-65535")
    ] = 8081
    playground_port: Annotated[
        int, Field(ge=0, le=65535, description="a port number, 0-65535; 0 takes any free one")
    ] = 8080
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        Field(description="DEBUG, INFO, WARNING or ERROR"),
    ] = "INFO"

    @field_validator("bot_token")
    @classmethod
    def _looks_like_a_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None:
            number, colon, secret = token.get_secret_value().partition(":")
            if not (number.isascii() and number.isdigit() and colon and secret.strip() == secret):
                raise ValueError("not a token")
            if not secret or any(char.isspace() for char in secret):
                raise ValueError("not a token")
        return token

    @field_validator("database_url")
    @classmethod
    def _looks_like_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parts = urlsplit(url.get_secret_value())  # a ValueError where brackets do not match
            if parts.scheme not in {"postgresql", "postgres"} or parts.port == 0:
                raise ValueError("not an address")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _keeps_strangers_out(
        cls, secret: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        """Without a secret anybody could post updates of anybody (Bot API, `setWebhook`)."""
        is_needed = info.data.get("webhook_url") is not None
        if is_needed and not (secret and _SECRET.fullmatch(secret.get_secret_value())):
            raise ValueError("not a secret")
        return secret

    @field_validator("telegram_api_url", "anthropic_base_url", "openai_base_url", "webhook_url")
    @classmethod
    def _holds_no_password(cls, url: HttpUrl | None) -> HttpUrl | None:
        """Libraries log addresses, and print them."""
        if url is not None and (url.username or url.password):
            raise ValueError("a password in an address")
        return url

    @field_validator("webhook_url")
    @classmethod
    def _is_safe(cls, url: HttpUrl | None, info: ValidationInfo) -> HttpUrl | None:
        """Telegram itself posts to https alone; a Bot API server of one's own takes http too."""
        is_ours = info.data.get("telegram_api_url") is not None
        if url is not None and url.scheme != "https" and not is_ours:
            raise ValueError("not https")
        return url

    @field_validator("allowed_user_ids", mode="before")
    @classmethod
    def _split(cls, ids: object) -> object:
        return ids.replace(",", " ").split() if isinstance(ids, str) else ids

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @property
    def secrets(self) -> list[str]:
        """All tokens, keys and passwords, for the log to leave out."""
        values = (getattr(self, name) for name in type(self).model_fields)
        secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        if self.database_url is not None:
            secrets += _passwords(self.database_url.get_secret_value())
        return secrets

    @property
    def trash_kept(self) -> timedelta:
        return timedelta(days=self.trash_days)


def _passwords(url: str) -> list[str]:
    """Give the passwords in a database's address, as they stand there and as they are meant."""
    parts = urlsplit(url)
    given = [parts.password, *parse_qs(parts.query).get("password", ())]
    return [form for word in given if word for form in (word, unquote(word))]


def load_settings() -> Settings:
    """Read the settings.

    :raises SettingsError: one or more have a wrong value; one line, without the values.
    """
    try:
        return Settings()
    except ValidationError as error:
        names = sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]})
    takes = [f"{name.upper()} takes {Settings.model_fields[name].description}" for name in names]
    raise SettingsError("; ".join(takes))
