"""The last word on buttons that no handler knows any more."""

from __future__ import annotations

from aiogram import Router
from aiogram.types import CallbackQuery

from conversations import ConversationManager

from ..middleware import is_ours
from ..person import Person
from ..show import Press
from .chats import show_list


def create_fallback_router(*, exclusive: bool) -> Router:
    """Answer our own buttons of other versions; with `exclusive` every other one too."""
    router = Router(name="conversations.fallback")
    if exclusive:
        router.callback_query.register(outdated)
    else:
        router.callback_query.register(outdated, is_ours)
    return router


async def outdated(
    event: CallbackQuery, person: Person, manager: ConversationManager, press: Press
) -> None:
    """In a group nobody knows whose old menu it was, so that it is left as it is."""
    await press.answer(person.texts("outdated-menu"), alert=not person.in_private)
    if person.in_private:
        await show_list(event, person, manager)
