"""Makes the concrete parts that the settings ask for; what cannot be made is told in one line."""

from __future__ import annotations

import os
import sys
from contextlib import AsyncExitStack

from aiogram import Bot
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from pydantic import HttpUrl, SecretStr

from config import Settings

from .answerers import Answerer
from .answerers.echo import EchoAnswerer
from .limits import Limits
from .playground import Playground
from .polling import ResilientSession


class StartError(Exception):
    """The bot cannot start; the message tells an operator why, in one line."""


def make_answerer(settings: Settings, opened: AsyncExitStack) -> Answerer:
    """Make the model that is set; importing that takes seconds, so that it is done only then.

    :raises StartError: it cannot be.
    """
    if settings.model is None:
        return EchoAnswerer()
    try:
        from .answerers.model import ModelSettingError, build_answerer
    except ImportError as error:
        packages = "pip install -r requirements-model.txt"
        raise StartError(f"MODEL needs packages that are missing: {packages}") from error
    try:
        answerer = build_answerer(
            model=settings.model,
            model_deep=settings.model_deep,
            anthropic_api_key=reveal(settings.anthropic_api_key),
            anthropic_base_url=_as_text(settings.anthropic_base_url),
            openai_api_key=reveal(settings.openai_api_key),
            openai_base_url=_as_text(settings.openai_base_url),
            system_prompt=settings.system_prompt,
        )
    except ModelSettingError as error:
        raise StartError(str(error)) from error
    opened.push_async_callback(answerer.close)
    return answerer


async def make_bot(settings: Settings, opened: AsyncExitStack) -> Bot:
    """Make the bot that talks to Telegram or, without a token, to a playground that it starts.

    :raises StartError: the playground's port cannot be used.
    """
    if settings.bot_token is not None:
        url = settings.telegram_api_url
        api = TelegramAPIServer.from_base(str(url)) if url else PRODUCTION
        return _open(settings.bot_token.get_secret_value(), api, opened)
    chats = settings.conversations_dir
    state = chats.with_name(f"{chats.name}-playground") / "state.json"  # what Telegram would keep
    playground = Playground(port=settings.playground_port, state_path=state)
    try:
        await playground.start()
    except OSError as error:
        reason = port_refusal(settings.playground_port, error)
        raise StartError(f"PLAYGROUND_PORT: {reason}") from error
    opened.push_async_callback(playground.close)
    sys.stdout.write(f"No BOT_TOKEN: the bot is in a local playground, open {playground.url}\n")
    sys.stdout.flush()
    return _open(playground.token, playground.api, opened)


def _open(token: str, api: TelegramAPIServer, opened: AsyncExitStack) -> Bot:
    bot = Bot(token, session=ResilientSession(api=api))
    opened.push_async_callback(bot.session.close)
    return bot


def port_refusal(port: int, error: OSError) -> str:
    why = os.strerror(error.errno) if error.errno else str(error)
    return f"port {port} cannot be used ({why})"


def make_limits(settings: Settings) -> Limits:
    return Limits(
        messages_per_minute=settings.limit_messages_per_minute,
        tokens_per_day=settings.limit_tokens_per_day,
        chats=settings.limit_chats,
        stored_bytes=settings.limit_bytes,
    )


def reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _as_text(url: HttpUrl | None) -> str | None:
    return str(url) if url is not None else None
