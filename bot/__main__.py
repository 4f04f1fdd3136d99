"""`python -m bot`: names the concrete parts, puts them together, and closes what it opened."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from aiogram import Bot, Dispatcher
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramNetworkError,
    TelegramUnauthorizedError,
)
from pydantic import HttpUrl, SecretStr

from config import Settings, SettingsError, load_settings
from conversations import ConversationManager, JsonStorage, StorageError

from .access import Access
from .administration import parse_arguments, print_check, print_stats
from .answerers import Answerer
from .answerers.echo import EchoAnswerer
from .commands import register_commands
from .context import ContextLimits
from .inbox import Inbox
from .limits import Limits
from .logs import configure_logging, log_loop_error
from .metering import Meter
from .playground import Playground
from .polling import ResilientSession, leave_webhook, poll, stop_on_signals
from .router import create_router
from .texts import Languages
from .webhook import Check, Webhook

logger = logging.getLogger("bot")


class StartError(Exception):
    """The bot cannot start; the message tells an operator why, in one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parse_arguments(arguments)
    configure_logging()
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.secrets)
        if asked.command is not None:
            return administrate(asked, settings)
        asyncio.run(run(settings))
    except (SettingsError, StartError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except Exception:
        logger.exception("the bot failed")
        return 1
    return 0


def administrate(asked: argparse.Namespace, settings: Settings) -> int:
    """Do what an operator asks instead of running; give the exit code."""
    root = settings.conversations_dir
    if asked.command == "stats":
        return print_stats(root, as_json=asked.json)
    return print_check(
        root,
        trash_since=datetime.now(UTC) - settings.trash_kept,
        as_json=asked.json,
        storage=JsonStorage(root) if asked.repair else None,
    )


async def run(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM.

    :raises StartError: the folder, the port, the token or the network does not let us.
    """
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as opened:
        storage = JsonStorage(settings.conversations_dir, journal=settings.journal)
        opened.push_async_callback(storage.close)
        try:
            await storage.open()
        except StorageError as error:
            raise StartError(f"CONVERSATIONS_DIR: {error}") from error
        answerer = _make_answerer(settings, opened)
        bot = await _make_bot(settings, opened)
        manager = ConversationManager(storage, raise_errors=True, trash_kept=settings.trash_kept)
        meter = await _open_meter(settings, bot, opened)
        dispatcher = Dispatcher(disable_fsm=True)
        dispatcher.include_router(
            create_router(
                manager,
                answerer=answerer,
                context=ContextLimits(settings.context_messages, settings.context_tokens),
                allowed_user_ids=settings.allowed_user_ids,
                limits=_limits(settings),
                meter=meter,
                exclusive=True,
            )
        )
        inbox = await _open_inbox(settings, bot, opened)
        logger.info("%s answers", answerer.name)
        await _introduce(bot)
        access = Access(settings.allowed_user_ids)
        try:
            if settings.webhook_url is None:
                await leave_webhook(bot)
                await poll(dispatcher, bot, inbox, stopping, access)
            else:
                await _serve(settings, manager, dispatcher, bot, inbox, stopping, access)
        except TelegramUnauthorizedError as error:
            raise StartError("BOT_TOKEN: Telegram does not know this token") from error
        except TelegramNetworkError as error:
            raise StartError("Telegram cannot be reached; check the network") from error
    logger.info("stopped; everything is saved")


def _make_answerer(settings: Settings, opened: AsyncExitStack) -> Answerer:
    """Make the model that is set; importing that takes seconds, so that it is done only then."""
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
            anthropic_api_key=_reveal(settings.anthropic_api_key),
            anthropic_base_url=_as_text(settings.anthropic_base_url),
            openai_api_key=_reveal(settings.openai_api_key),
            openai_base_url=_as_text(settings.openai_base_url),
            system_prompt=settings.system_prompt,
        )
    except ModelSettingError as error:
        raise StartError(str(error)) from error
    opened.push_async_callback(answerer.close)
    return answerer


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _as_text(url: HttpUrl | None) -> str | None:
    return str(url) if url is not None else None


async def _make_bot(settings: Settings, opened: AsyncExitStack) -> Bot:
    """Make the bot that talks to Telegram or, without a token, to a playground that it starts."""
    if settings.bot_token is not None:
        url = settings.telegram_api_url
        api = TelegramAPIServer.from_base(str(url)) if url else PRODUCTION
        return Bot(settings.bot_token.get_secret_value(), session=ResilientSession(api=api))
    chats = settings.conversations_dir
    state = chats.with_name(f"{chats.name}-playground") / "state.json"  # what Telegram would keep
    playground = Playground(port=settings.playground_port, state_path=state)
    try:
        await playground.start()
    except OSError as error:
        reason = _port_refusal(settings.playground_port, error)
        raise StartError(f"PLAYGROUND_PORT: {reason}") from error
    opened.push_async_callback(playground.close)
    sys.stdout.write(f"No BOT_TOKEN: the bot is in a local playground, open {playground.url}\n")
    sys.stdout.flush()
    return Bot(playground.token, session=ResilientSession(api=playground.api))


def _port_refusal(port: int, error: OSError) -> str:
    why = os.strerror(error.errno) if error.errno else str(error)
    return f"port {port} cannot be used ({why})"


async def _open_inbox(settings: Settings, bot: Bot, opened: AsyncExitStack) -> Inbox:
    """Open the bot's own: another bot in the same folder must not handle what was sent to it."""
    inbox = Inbox(settings.conversations_dir / f"inbox-{bot.id}.jsonl")
    opened.push_async_callback(inbox.close)
    try:
        await inbox.open()
    except OSError as error:
        raise StartError(f"CONVERSATIONS_DIR: {error}") from error
    return inbox


async def _open_meter(settings: Settings, bot: Bot, opened: AsyncExitStack) -> Meter:
    meter = Meter(settings.conversations_dir / f"usage-{bot.id}.jsonl")
    opened.push_async_callback(meter.close)
    try:
        await meter.open()
    except OSError as error:
        raise StartError(f"CONVERSATIONS_DIR: {error}") from error
    return meter


def _limits(settings: Settings) -> Limits:
    return Limits(
        messages_per_minute=settings.limit_messages_per_minute,
        tokens_per_day=settings.limit_tokens_per_day,
        chats=settings.limit_chats,
        stored_bytes=settings.limit_bytes,
    )


async def _introduce(bot: Bot) -> None:
    """Register commands and descriptions; the bot is of use without them too."""
    try:
        await register_commands(bot, Languages())
    except TelegramAPIError as error:
        logger.warning("commands could not be registered: %s", error)


async def _serve(
    settings: Settings,
    manager: ConversationManager,
    dispatcher: Dispatcher,
    bot: Bot,
    inbox: Inbox,
    stopping: asyncio.Event,
    access: Access,
) -> None:
    url, secret = settings.webhook_url, _reveal(settings.webhook_secret)
    if settings.bot_token is None or url is None or secret is None:
        raise StartError("WEBHOOK_URL needs BOT_TOKEN: the playground has no webhooks")
    checks: dict[str, Check] = {"storage": lambda: manager.load_index(0), "telegram": bot.get_me}
    webhook = Webhook(
        dispatcher,
        bot,
        inbox,
        path=url.path or "/",
        secret=secret,
        checks=checks,
        access=access,
    )
    await bot.set_webhook(
        str(url), secret_token=secret, allowed_updates=dispatcher.resolve_used_update_types()
    )
    try:
        await webhook.serve(settings.webhook_host, settings.webhook_port, stopping)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise StartError(
            f"WEBHOOK_PORT: {settings.webhook_port} cannot be used ({why})"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
