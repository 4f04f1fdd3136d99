"""Deleting all chats but the pinned: the question, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from aiogram.types import InlineKeyboardMarkup
from aiogram.utils.formatting import Bold, Text

from conversations import ConversationMetadata

from ..buttons import chats_button, data_button
from ..callbacks import SweepAction, SweepButton, encode_moment, fingerprint
from ..chat_names import display_name
from ..person import Person
from ..screens import Screen


def sweep_screen(
    person: Person,
    chats: Sequence[ConversationMetadata],
    kept: timedelta,
    moment: datetime,
    *,
    changed: bool = False,
) -> Screen:
    """Ask before it is done; `moment` will be the time of deletion, by which it can be undone."""
    t = person.texts
    unpinned = [chat for chat in chats if not chat.pinned]
    lines = [t("sweep-facts", days=kept.days)]
    if len(unpinned) < len(chats):
        lines.insert(0, t("sweep-pinned", count=len(chats) - len(unpinned)))
    warning = ["\n\n", Bold(t("sweep-changed"))] if changed else []
    title = Bold(t("sweep-title", count=len(unpinned)))
    button = SweepButton(
        action=SweepAction.DELETE,
        moment=encode_moment(moment),
        stamp=fingerprint(unpinned),
        owner=person.mark,
    )
    rows = [
        [data_button(t("button-delete-confirm"), button, danger=True)],
        [chats_button(person, t("button-cancel"))],
    ]
    content = Text(title, "\n", "\n".join(lines), *warning)
    return Screen.of(content, InlineKeyboardMarkup(inline_keyboard=rows))


def swept_screen(
    person: Person, count: int, moment: datetime, active: ConversationMetadata | None
) -> Screen:
    t = person.texts
    now = t("deleted-active-new")
    if active is not None and active.name_source != "default":
        now = t("deleted-active", name=display_name(active, t))
    button = SweepButton(action=SweepAction.UNDO, moment=encode_moment(moment), owner=person.mark)
    rows = [[data_button(t("button-undo"), button)], [chats_button(person)]]
    content = Text(Bold(t("sweep-done", count=count)), "\n", now)
    return Screen.of(content, InlineKeyboardMarkup(inline_keyboard=rows))
