"""The one entry for a host: a router with everything of ours in it and nothing of ours outside."""

from __future__ import annotations

import logging
from collections.abc import Collection

from aiogram import Router
from aiogram.types import Message

from conversations import ConversationManager

from .access import Access
from .answerers import Answerer, SimpleAnswerer, as_answerer
from .answering import Answering
from .context import ContextLimits
from .forgetting import Forgetting
from .handlers.answers import create_answers_router
from .handlers.chats import create_chats_router
from .handlers.deleting import create_deleting_router
from .handlers.dialog import create_dialog_router
from .handlers.fallback import create_fallback_router
from .handlers.forgetting import create_forgetting_router
from .handlers.forking import create_forking_router
from .handlers.inline import create_inline_router
from .handlers.instructing import create_instructing_router
from .handlers.renaming import create_renaming_router
from .handlers.searching import create_searching_router
from .handlers.settings import create_settings_router
from .handlers.starting import create_starting_router
from .handlers.sweeping import create_sweeping_router
from .handlers.transferring import create_transferring_router
from .inboxes import Lease
from .limits import Limits, Quotas
from .metering import Meter, UsageMeter
from .middleware import HandlerContext, OwnerGuard
from .pastes import Pastes
from .people import People
from .questions import Questions
from .reading import AnswerObserver
from .texts import Languages
from .transferring import export_all_button

logger = logging.getLogger(__name__)


def create_router(
    manager: ConversationManager,
    *,
    answerer: Answerer | SimpleAnswerer | None = None,
    context: ContextLimits | None = None,
    allowed_user_ids: Collection[int] = (),
    limits: Limits | None = None,
    meter: UsageMeter | None = None,
    exclusive: bool = False,
    lease: Lease | None = None,
    observer: AnswerObserver | None = None,
) -> Router:
    """Build the plugin: menus for many chats and, with an `answerer`, the dialog itself.

    Include it before the host's own catch-all handlers. Without an `answerer` there are the menus
    alone, and text stays the host's. An answerer gets as much of a chat as `context` allows; it
    may be an `Answerer`, an `async def answer(turns) -> str` or an async generator.
    `allowed_user_ids` are the only ones who may use it, if there are any; others are told so.
    `limits` hold for each person; a `meter` that has a file keeps what was used over a restart.
    `exclusive` says that the whole bot is ours: `/start` and `/help`, stickers and voice messages,
    unknown commands, foreign buttons and inline queries are answered as well. Where many processes
    share a bot, each has a `lease`: when that is lost, all that runs here is given up. An
    `observer` is told how answers go, for figures.

    Running answers are stopped and stored when the dispatcher shuts down; close the storage after
    that. A router belongs to one dispatcher, and needs a manager with `raise_errors=True` to tell
    a failing storage from an empty one.
    """
    if not manager.raises_errors:
        logger.warning("without raise_errors=True a failing disk looks like no chats at all")
    router = Router(name="conversations")
    answering = None
    pastes = Pastes()
    people = People(manager, Languages())
    quotas = Quotas(manager, limits or Limits(), meter or Meter())
    if lease is not None:
        lease.watch(lost=pastes.close)
    if answerer is not None:
        answering = Answering(
            manager,
            as_answerer(answerer),
            context=context,
            know=people.know,
            quotas=quotas,
            observer=observer,
        )
        router.shutdown.register(pastes.close)
        router.shutdown.register(answering.close)
        if lease is not None:
            lease.watch(lost=answering.abandon)
    ours = HandlerContext(
        people,
        Access(allowed_user_ids),
        manager=manager,
        answering=answering,
        questions=Questions(manager, answering, pastes, quotas),
        quotas=quotas,
        forgetting=Forgetting(manager, answering, pastes),
        exclusive=exclusive,
    )
    for event in (
        router.message,
        router.edited_message,
        router.callback_query,
        router.inline_query,
    ):
        event.middleware(ours)
    router.callback_query.middleware(OwnerGuard())

    router.include_routers(*_handlers(answering, exclusive=exclusive))
    return router


def _handlers(answering: Answering | None, *, exclusive: bool) -> list[Router]:
    """Make the routers of all features, in the order in which they are asked."""
    menus = Router(name="conversations.menus")
    menus.message.filter(_is_more_than_a_text)
    menus.include_routers(*_menus(answering, exclusive=exclusive))
    handlers = [menus]
    if answering is not None:
        handlers.append(create_dialog_router(exclusive=exclusive))
    return [*handlers, create_fallback_router(exclusive=exclusive)]


async def _is_more_than_a_text(message: Message) -> bool:
    """Tell what may be for a menu: a command, an answer to a prompt, a file.

    A question is none of these; else all features would be asked first, one by one.
    """
    is_text = message.text is not None and not message.text.lstrip().startswith("/")
    return not is_text or message.reply_to_message is not None


def _menus(answering: Answering | None, *, exclusive: bool) -> list[Router]:
    handlers = [create_searching_router(), create_forking_router()]
    if exclusive:
        handlers += [create_inline_router(), create_starting_router()]
    handlers += [
        create_renaming_router(),
        create_chats_router(),
        create_deleting_router(),
        create_transferring_router(exclusive=exclusive),
        create_settings_router(),
        create_sweeping_router(),
        create_forgetting_router(export_button=export_all_button),
    ]
    if answering is not None:
        if answering.takes_instructions:
            handlers.append(create_instructing_router())
        handlers.append(create_answers_router(answering))
    return handlers
