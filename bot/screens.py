"""What a person sees: state -> text, entities and buttons. Pure; `show.py` puts it into Telegram.

Formatting travels as entities, so no name or message can break or fake it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from aiogram.types import InlineKeyboardMarkup, MessageEntity
from aiogram.utils.formatting import BlockQuote, Bold, Italic, Text

from conversations import (
    USER_NAME_LIMIT,
    ConversationMessage,
    ConversationMetadata,
    InvalidNameError,
    clean_text,
    parse_time,
    shorten,
)

from . import keyboards
from .chat_names import display_name
from .person import Person
from .rendering import preview, sendable, utf16_length
from .texts import Texts

SHOWN_MESSAGES = 6
_QUOTED = 420  # characters of each
_EXCERPT = 60  # characters of its instructions
_QUOTED_UNITS = 500  # of UTF-16: six of them and the rest stay under a message's 4096


@dataclass(frozen=True, slots=True)
class Screen:
    text: str
    entities: list[MessageEntity]
    keyboard: InlineKeyboardMarkup | None = None

    @classmethod
    def of(cls, content: Text, keyboard: InlineKeyboardMarkup | None = None) -> Self:
        text, entities = content.render()
        text = sendable(text)  # as long as before, so that the entities still fit
        return cls(text, entities, keyboard)


def chats_screen(
    person: Person,
    chats: Sequence[ConversationMetadata],
    *,
    page: int = 0,
    deleted: int = 0,
    damaged: int = 0,
) -> Screen:
    """Show the list, `page` counting from 0; a page that is no more becomes the last one."""
    t = person.texts
    keyboard = keyboards.chats_keyboard(person, chats, page, deleted)
    report = [t("damage-report", count=damaged), "\n\n"] if damaged else []
    if not chats:
        return Screen.of(Text(*report, t("chats-none")), keyboard)
    title = t("chats-title", chats=t("chats-count", count=len(chats)))
    return Screen.of(Text(*report, Bold(title), "\n", t("chats-hint")), keyboard)


def chat_screen(
    person: Person,
    chat: ConversationMetadata,
    messages: Sequence[ConversationMessage],
    *,
    shown_at: datetime,
    seen: int | None = None,
    instructed: bool = False,
    origin: ConversationMetadata | None = None,
) -> Screen:
    """Show one chat; `messages` are its last ones, oldest first.

    `seen` is how many of its messages a model would get now, None where answers are not ours.
    `instructed` says that instructions of its own are followed; `origin` is the chat that it was
    forked from, if that is still there.
    """
    t = person.texts
    shown = messages[-SHOWN_MESSAGES:]
    parts: list[Text | str] = [
        *_facts(chat, t, seen=seen, instructed=instructed, origin=origin),
        "\n\n",
        Italic(t("chat-open" if chat.is_active else "chat-not-open")),
        "\n\n",
        t("chat-last-messages", count=len(shown)) if shown else t("chat-empty"),
    ]
    for message in shown:
        parts += ["\n", *_quoted(message, t)]
    keyboard = keyboards.chat_keyboard(
        person,
        chat,
        shown_at=shown_at,
        answered=seen is not None,
        instructed=instructed,
        origin=origin,
    )
    return Screen.of(Text(*parts), keyboard)


def _facts(
    chat: ConversationMetadata,
    t: Texts,
    *,
    seen: int | None,
    instructed: bool,
    origin: ConversationMetadata | None,
) -> list[Text | str]:
    """Tell of a chat what its messages do not, its name first; each fact has a line."""
    pin = "📌 " if chat.pinned else ""
    counts = [t("messages-count", count=chat.message_count)]
    if chat.total_tokens:
        counts.append(t("tokens-count", count=chat.total_tokens))
    lines = [
        " · ".join(counts),
        t("chat-dates", created=day_of(chat.created_at), updated=day_of(chat.updated_at)),
    ]
    if origin is not None:
        lines.append(t("chat-forked", name=display_name(origin, t)))
    if seen is not None and seen < chat.message_count:
        lines.append(t("chat-seen", seen=seen, total=chat.message_count))
    if instructed and chat.instructions:
        excerpt = shorten(clean_text(chat.instructions), _EXCERPT)
        lines.append(t("chat-instructions", text=excerpt))
    return [Bold(f"💬 {pin}{display_name(chat, t)}"), "\n", "\n".join(lines)]


def new_screen(person: Person, previous: ConversationMetadata | None) -> Screen:
    t = person.texts
    content = Text(Bold(t("new-title")), "\n", t("new-hint"))
    return Screen.of(content, keyboards.new_keyboard(person, previous))


def rename_screen(person: Person, chat: ConversationMetadata) -> Screen:
    t = person.texts
    title = t("rename-title", name=display_name(chat, t))
    content = Text(Bold(title), "\n", t("rename-hint"))
    return Screen.of(content, keyboards.rename_keyboard(person, chat))


def rename_refusal(texts: Texts, error: InvalidNameError) -> str:
    key = "rename-empty" if error.reason == "empty" else "rename-too-long"
    return texts(key, limit=error.limit)


def rename_text_only(texts: Texts) -> str:
    return texts("rename-text-only", limit=USER_NAME_LIMIT)


def mode_screen(person: Person, chat: ConversationMetadata) -> Screen:
    t = person.texts
    title = t("mode-title", name=display_name(chat, t))
    content = Text(Bold(title), "\n", t("mode-hint"))
    return Screen.of(content, keyboards.mode_keyboard(person, chat))


def notice_screen(person: Person, notice: str, chat: ConversationMetadata) -> Screen:
    """Say one thing about a chat, with the way into it."""
    return Screen.of(Text(notice), keyboards.open_keyboard(person, chat))


def delete_screen(
    person: Person, chat: ConversationMetadata, kept: timedelta, *, changed: bool = False
) -> Screen:
    """Ask before a deletion; `changed` says that messages came since it was asked."""
    t = person.texts
    facts = t(
        "delete-facts",
        messages=t("messages-count", count=chat.message_count),
        days=kept.days,
    )
    warning = ["\n\n", Bold(t("delete-changed"))] if changed else []
    title = Bold(t("delete-title", name=display_name(chat, t)))
    content = Text(title, "\n", facts, *warning)
    return Screen.of(content, keyboards.delete_keyboard(person, chat))


def deleted_screen(
    person: Person, chat: ConversationMetadata, active: ConversationMetadata | None
) -> Screen:
    """Show what was deleted; `chat.is_active` tells whether Undo makes it the active one again."""
    t = person.texts
    now = t("deleted-active-new")
    if active is not None and active.name_source != "default":
        now = t("deleted-active", name=display_name(active, t))
    content = Text(Bold(t("deleted-title", name=display_name(chat, t))), "\n", now)
    return Screen.of(content, keyboards.deleted_keyboard(person, chat))


def trash_screen(
    person: Person,
    deleted: Sequence[ConversationMetadata],
    *,
    now: datetime,
    kept: timedelta,
    page: int = 0,
) -> Screen:
    """Show what can be brought back, and for how long."""
    t = person.texts
    left = [(chat, _days_left(chat, now, kept)) for chat in deleted]
    keyboard = keyboards.trash_keyboard(person, left, page)
    if not deleted:
        return Screen.of(Text(t("trash-none")), keyboard)
    title = Bold(t("trash-title", count=len(deleted)))
    return Screen.of(Text(title, "\n", t("trash-hint")), keyboard)


def empty_trash_screen(person: Person, count: int) -> Screen:
    t = person.texts
    content = Text(Bold(t("trash-empty-title", count=count)), "\n", t("trash-empty-hint"))
    return Screen.of(content, keyboards.empty_trash_keyboard(person))


def _quoted(message: ConversationMessage, t: Texts) -> list[Text | str]:
    state = f" {t('chat-partial')}" if message.state == "partial" else ""
    if message.type == "user_question":
        who, text = t("chat-you"), _excerpt(message.text.strip())
    else:  # an answer as it looked, not its Markdown
        who, text = t("chat-bot"), preview(message.text, _QUOTED).text
    return [f"{who}{state}:\n", BlockQuote(text)] if text else [f"{who}{state}"]


def _excerpt(text: str) -> str:
    wide = utf16_length(text[:_QUOTED]) > _QUOTED_UNITS
    return shorten(text, _QUOTED_UNITS // 2 if wide else _QUOTED)


def day_of(timestamp: str) -> str:
    time = parse_time(timestamp)
    return time.strftime("%d.%m.%Y") if time.year > 1 else "?"


def _days_left(chat: ConversationMetadata, now: datetime, kept: timedelta) -> int:
    left = parse_time(chat.deleted_at) + kept - now
    return max(0, -(-left // timedelta(days=1)))
