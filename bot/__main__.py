"""`python -m bot`: reads the settings, puts the parts together, and closes what it opened."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramNetworkError,
    TelegramUnauthorizedError,
)

from config import Settings, SettingsError, load_settings
from conversations import ConversationManager, JsonStorage

from .access import Access
from .administration import parse_arguments, print_check, print_migration, print_stats
from .building import StartError, make_answerer, make_bot, make_limits, port_refusal, reveal
from .commands import register_commands
from .context import ContextLimits
from .homes import choose_home, find_end
from .inboxes import UpdateInbox
from .logs import configure_logging, log_loop_error
from .metrics import Metrics
from .polling import leave_webhook, poll, stop_on_signals
from .router import create_router
from .texts import Languages
from .webhook import Check, Webhook

logger = logging.getLogger("bot")


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
    if asked.command == "migrate":
        source, target = find_end(asked.source, settings), find_end(asked.target, settings)
        return print_migration(source, target, as_json=asked.json)
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
        home = choose_home(settings)
        storage = await home.open_storage(opened)
        answerer = make_answerer(settings, opened)
        bot = await make_bot(settings, opened)
        metrics = Metrics()
        storage = metrics.counting(storage)
        manager = ConversationManager(storage, raise_errors=True, trash_kept=settings.trash_kept)
        lease = await home.open_lease(bot.id, opened)
        meter = await home.open_meter(bot.id, opened)
        dispatcher = Dispatcher(disable_fsm=True)
        dispatcher.include_router(
            create_router(
                manager,
                answerer=answerer,
                context=ContextLimits(settings.context_messages, settings.context_tokens),
                allowed_user_ids=settings.allowed_user_ids,
                limits=make_limits(settings),
                meter=meter,
                exclusive=True,
                lease=lease,
                observer=metrics,
            )
        )
        dispatcher.update.middleware(metrics.count_update)
        inbox = await home.open_inbox(bot.id, opened)
        metrics.watch("inbox_open", "Updates that are not over", lambda: inbox.open_count)
        logger.info("%s answers", answerer.name)
        await _introduce(bot)
        _leave_to_itself_what_stays()
        try:
            if settings.webhook_url is None:
                await leave_webhook(bot)
                access = Access(settings.allowed_user_ids)
                await poll(dispatcher, bot, inbox, stopping, access)
            else:
                checks: dict[str, Check] = {"storage": lambda: manager.load_index(0)}
                if lease is not None:
                    checks["lease"] = lease.check
                webhook = _make_webhook(settings, dispatcher, bot, inbox, checks, metrics)
                await _serve(settings, webhook, dispatcher, bot, stopping)
        except TelegramUnauthorizedError as error:
            raise StartError("BOT_TOKEN: Telegram does not know this token") from error
        except TelegramNetworkError as error:
            raise StartError("Telegram cannot be reached; check the network") from error
    logger.info("stopped; everything is saved")


async def _introduce(bot: Bot) -> None:
    """Register commands and descriptions; the bot is of use without them too."""
    try:
        await register_commands(bot, Languages())
    except TelegramAPIError as error:
        logger.warning("commands could not be registered: %s", error)


def _leave_to_itself_what_stays() -> None:
    """Have the garbage collector pass over all that was made for the start.

    It is there until the end, and going through it stops everybody for a tenth of a second, as
    often as a few hundred questions are answered.
    """
    gc.collect()
    gc.freeze()


def _make_webhook(
    settings: Settings,
    dispatcher: Dispatcher,
    bot: Bot,
    inbox: UpdateInbox,
    checks: dict[str, Check],
    metrics: Metrics,
) -> Webhook:
    url, secret = settings.webhook_url, reveal(settings.webhook_secret)
    if settings.bot_token is None or url is None or secret is None:
        raise StartError("WEBHOOK_URL needs BOT_TOKEN: the playground has no webhooks")
    return Webhook(
        dispatcher,
        bot,
        inbox,
        path=url.path or "/",
        secret=secret,
        checks={**checks, "telegram": bot.get_me},
        access=Access(settings.allowed_user_ids),
        metrics=metrics,
    )


async def _serve(
    settings: Settings,
    webhook: Webhook,
    dispatcher: Dispatcher,
    bot: Bot,
    stopping: asyncio.Event,
) -> None:
    try:
        await bot.set_webhook(
            str(settings.webhook_url),
            secret_token=reveal(settings.webhook_secret),
            allowed_updates=dispatcher.resolve_used_update_types(),
        )
    except TelegramBadRequest as error:
        raise StartError(f"WEBHOOK_URL: {error.message}") from error
    try:
        await webhook.serve(settings.webhook_host, settings.webhook_port, stopping)
    except OSError as error:
        reason = port_refusal(settings.webhook_port, error)
        raise StartError(f"WEBHOOK_PORT: {reason}") from error


if __name__ == "__main__":
    sys.exit(main())
