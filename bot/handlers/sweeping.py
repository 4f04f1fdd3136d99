"""Deleting all chats but the pinned, and undoing that as a whole.

The button that does it carries by which time they are deleted. So a press that is handled again,
or comes twice, does the rest of the same deletion, and one undo finds all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiogram import F, Router
from aiogram.types import CallbackQuery

from conversations import ConversationManager, ConversationMetadata, parse_time

from ..callbacks import SweepAction, SweepButton, decode_moment, fingerprint
from ..chat_names import display_name
from ..menus.sweeping import sweep_screen, swept_screen
from ..person import Person
from ..show import Press, show
from .chats import show_list

_VALID_FOR = timedelta(hours=1)  # the question; an older one is asked anew


def create_sweeping_router() -> Router:
    router = Router(name="conversations.sweeping")
    press = router.callback_query.register
    press(ask_to_sweep, SweepButton.filter(F.action == SweepAction.ASK))
    press(sweep, SweepButton.filter(F.action == SweepAction.DELETE))
    press(undo, SweepButton.filter(F.action == SweepAction.UNDO))
    return router


async def ask_to_sweep(
    event: CallbackQuery,
    person: Person,
    manager: ConversationManager,
    press: Press,
    *,
    changed: bool = False,
) -> None:
    chats = await manager.list_conversations(person.user_id)
    if all(chat.pinned for chat in chats):
        await show_list(event, person, manager, press)
        return
    await press.answer()
    now = datetime.now(UTC)
    screen = sweep_screen(person, chats, manager.trash_kept, now, changed=changed)
    await show(event, screen)


async def sweep(
    event: CallbackQuery,
    callback_data: SweepButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    moment = decode_moment(callback_data.moment)
    now = datetime.now(UTC)
    if moment is None or not now - _VALID_FOR <= moment <= now + _VALID_FOR:
        await ask_to_sweep(event, person, manager, press)
        return
    user_id = person.user_id
    chats = await manager.list_conversations(user_id)
    left = [chat for chat in chats if not chat.pinned]
    gone = await _deleted_at(moment, user_id, manager)
    all_of_it = {chat.conversation_id: chat for chat in [*gone, *left]}
    if fingerprint(all_of_it.values()) == callback_data.stamp:
        ids = [chat.conversation_id for chat in left]
        await manager.delete_conversations(user_id, ids, deleted_at=moment)
        gone = await _deleted_at(moment, user_id, manager)
    elif not gone:
        await ask_to_sweep(event, person, manager, press, changed=True)
        return
    # Else it was done before, and something came since.
    active = await manager.get_active_conversation(user_id)
    await press.answer(person.texts("sweep-toast"))
    await show(event, swept_screen(person, len(gone), moment, active))


async def undo(
    event: CallbackQuery,
    callback_data: SweepButton,
    person: Person,
    manager: ConversationManager,
    press: Press,
) -> None:
    """Bring the chats back; who has gone on in another one meanwhile stays there."""
    moment = decode_moment(callback_data.moment)
    gone = await _deleted_at(moment, person.user_id, manager) if moment else []
    count = await manager.restore_deletion(person.user_id, moment) if moment else 0
    if count:
        active = await manager.get_active_conversation(person.user_id)
        await press.answer(_undone(person, count, gone, active))
    await show_list(event, person, manager, press)


def _undone(
    person: Person,
    count: int,
    gone: Sequence[ConversationMetadata],
    active: ConversationMetadata | None,
) -> str:
    t = person.texts
    back = t("sweep-undone", count=count)
    was_active = [chat.conversation_id for chat in gone if chat.is_active]
    if active is None or not was_active or active.conversation_id in was_active:
        return back
    return t("sweep-undone-stay", back=back, name=display_name(active, t))


async def _deleted_at(
    moment: datetime, user_id: int, manager: ConversationManager
) -> list[ConversationMetadata]:
    deleted = await manager.list_deleted(user_id)
    return [chat for chat in deleted if parse_time(chat.deleted_at) == moment]
