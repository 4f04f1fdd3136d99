"""What our buttons carry: at most 64 bytes, the chat's id and never its place in a list.

The prefixes end in a version. A button of another version is answered as outdated; so when a field
comes or goes, count the version up.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardMarkup

from conversations import ConversationMessage, ConversationMetadata

_Button = TypeVar("_Button", bound=CallbackData)

# Ours in any version, past and future ones too.
FAMILY = re.compile(r"cv[a-z]*\d+:")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHAT_ROOM = 64 - len("cv1:a:::")
_HIT_ROOM = 64 - len("cvh1:::")  # bytes for what a hit's button carries
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class ChatAction(StrEnum):
    """What a button does to the chat that it names; one letter, because every byte counts."""

    OPEN = "o"
    LIST = "l"  # show the page of the list on which the chat stands
    RENAME = "r"
    CANCEL_RENAME = "x"
    PIN = "p"
    UNPIN = "q"
    ASK_DELETE = "d"
    DELETE = "k"
    UNDO = "u"
    UNDO_ACTIVE = "v"  # undo, and make it the active chat again
    RESTORE = "t"
    OPEN_BELOW = "b"  # open it in a message of its own: what was pressed stands under an answer
    RESTORE_BELOW = "y"
    AGAIN = "a"  # answer what has no whole answer yet
    REGENERATE = "g"  # answer anew what has one
    STOP = "s"
    FAST = "f"
    DEEP = "e"
    FORK = "c"


class MenuAction(StrEnum):
    NEW = "n"
    CHATS = "c"
    TRASH = "t"
    ASK_EMPTY_TRASH = "e"
    EMPTY_TRASH = "k"
    STAY = "s"  # the page's own number


class ChatButton(CallbackData, prefix="cv1"):
    """`owner` is `owner_mark` of the one whose menu it is.

    `stamp` is to DELETE `stamp_of` the chat; to AGAIN and REGENERATE `question_stamp` of the
    question, without which that is the last one; to FORK the moment at which it was shown.
    """

    action: ChatAction
    chat: str
    owner: str = ""
    stamp: str = ""

    @classmethod
    def stamped(cls, action: ChatAction, chat: str, stamp: str, owner: str) -> ChatButton:
        """Carry a stamp of any length, or none where the chat's id leaves no room for it."""
        has_room = len(chat) + len(owner) + len(stamp) <= _CHAT_ROOM
        return cls(action=action, chat=chat, owner=owner, stamp=stamp if has_room else "")

    @property
    def question_id(self) -> int | None:
        try:
            return int(self.stamp, 36)
        except ValueError:
            return None


class MenuButton(CallbackData, prefix="cvm1"):
    """A button that is about no chat; `page` counts from 0."""

    action: MenuAction
    owner: str = ""
    page: int = 0


class TransferAction(StrEnum):
    SHOW = "s"
    MARKDOWN = "m"
    PAGE = "h"
    JSON = "j"
    ALL = "a"
    CANCEL_IMPORT = "x"


class TransferButton(CallbackData, prefix="cvx1"):
    """Takes a chat, or all of them, out as a file; or gives up taking one in."""

    action: TransferAction
    chat: str = ""
    owner: str = ""


class SettingName(StrEnum):
    NONE = "s"  # only show them
    LANGUAGE = "l"
    FORMATTING = "f"
    NAMING = "n"


class SettingButton(CallbackData, prefix="cvset1"):
    """Chooses `value` for one of the person's settings."""

    name: SettingName
    value: str = ""
    owner: str = ""


class InstructionsAction(StrEnum):
    SHOW = "s"
    ASK = "a"
    CANCEL = "x"
    REMOVE = "k"


class InstructionsButton(CallbackData, prefix="cvn1"):
    action: InstructionsAction
    chat: str
    owner: str = ""


class SweepAction(StrEnum):
    ASK = "a"
    DELETE = "k"
    UNDO = "u"


class SweepButton(CallbackData, prefix="cvw1"):
    """Deletes all chats but the pinned; `moment` is by when, `stamp` the `fingerprint` of them."""

    action: SweepAction
    moment: str = ""
    stamp: str = ""
    owner: str = ""


class ForgetAction(StrEnum):
    SHOW = "s"
    ASK = "a"
    ERASE = "k"
    CANCEL = "x"


class ForgetButton(CallbackData, prefix="cverase1"):
    """Erases everything of a person; `stamp` is the `fingerprint` of what was to be erased."""

    action: ForgetAction
    stamp: str = ""
    owner: str = ""


class SearchAction(StrEnum):
    ASK = "a"
    CANCEL = "x"
    PAGE = "p"  # of what was found; the words stand in the message


class SearchButton(CallbackData, prefix="cvq1"):
    """Asks for words, or shows a page of what they find, counting from 0."""

    action: SearchAction
    page: int = 0
    owner: str = ""


class HitButton(CallbackData, prefix="cvh1"):
    """What a search found: `message` is `message_mark` of the message, empty for the chat."""

    chat: str
    message: str = ""
    owner: str = ""

    @classmethod
    def to(cls, chat: str, message: ConversationMessage | None, owner: str) -> HitButton:
        """Lead to a message, or to its chat alone where the id of that leaves no room for more."""
        mark = message_mark(message) if message is not None else ""
        has_room = len(chat) + len(mark) + len(owner) <= _HIT_ROOM
        return cls(chat=chat, message=mark if has_room else "", owner=owner)


def fingerprint(chats: Iterable[ConversationMetadata]) -> str:
    """Six characters that are others when a chat came or went, or a message came, since."""
    facts = sorted(f"{chat.conversation_id} {chat.message_count}" for chat in chats)
    return hashlib.sha256("\n".join(facts).encode("utf-8", "replace")).hexdigest()[:6]


def encode_moment(moment: datetime) -> str:
    return _base36((moment - _EPOCH) // timedelta(microseconds=1))


def decode_moment(text: str) -> datetime | None:
    """Give back what was encoded, to the microsecond; None when it is no moment."""
    try:
        return _EPOCH + timedelta(microseconds=int(text, 36))
    except (ValueError, OverflowError):
        return None


def message_mark(message: ConversationMessage) -> str:
    """Tell a message from the others of its chat in at most seven bytes, edited or not."""
    named = f"{message.type}:{message.message_id}:{message.timestamp}"
    return _base36(zlib.crc32(named.encode("utf-8", "replace")))


def owner_mark(user_id: int, chat_id: int) -> str:
    """Name a menu's owner in few bytes; in a private dialog, where there is but one, in none."""
    return "" if chat_id == user_id else _base36(user_id)


def belongs_to(markup: InlineKeyboardMarkup | None, owner: str) -> bool:
    """Tell whether a menu has buttons of ours for this owner."""
    return any(_owner_of(data) == owner for data in _data_of(markup))


def chat_of_card(markup: InlineKeyboardMarkup | None, owner: str) -> str | None:
    """Give the chat that a message of ours is about, if it is one of this owner's chats alone."""
    chats = set()
    for data in _data_of(markup):
        button = _unpacked(ChatButton, data)
        if button and button.action in _OF_ONE_CHAT and button.owner == owner:
            chats.add(button.chat)
    return chats.pop() if len(chats) == 1 else None


def stands_under_answer(data: str | None) -> bool:
    """Tell whether what was pressed belongs to an answer, which no menu may take the place of."""
    button = _unpacked(ChatButton, data or "")
    return button is not None and button.action in _BELOW


def _data_of(markup: InlineKeyboardMarkup | None) -> list[str]:
    rows = markup.inline_keyboard if markup else []
    return [button.callback_data or "" for row in rows for button in row]


def _owner_of(data: str) -> str | None:
    for kind in _KINDS:
        button = _unpacked(kind, data)
        if button is not None:
            return str(button.owner)
    return None


def _unpacked(kind: type[_Button], data: str) -> _Button | None:
    try:
        return kind.unpack(data)
    except (TypeError, ValueError):
        return None


def question_stamp(message_id: int) -> str:
    return _base36(message_id)


def stamp_of(message_count: int) -> str:
    """One character that is another one when messages came since (unless 36 or 72 ... came)."""
    return _DIGITS[message_count % 36]


def _base36(number: int) -> str:
    digits, rest = "", abs(number)
    while rest:
        rest, digit = divmod(rest, 36)
        digits = _DIGITS[digit] + digits
    return ("-" if number < 0 else "") + (digits or "0")


_OF_ONE_CHAT = frozenset(  # what leads to another chat, or out of the trash, is not among them
    {
        ChatAction.RENAME,
        ChatAction.FAST,
        ChatAction.DEEP,
        ChatAction.AGAIN,
        ChatAction.REGENERATE,
        ChatAction.STOP,
    }
)
_BELOW = frozenset({ChatAction.OPEN_BELOW, ChatAction.RESTORE_BELOW})

_KINDS: tuple[Any, ...] = (
    ChatButton,
    MenuButton,
    TransferButton,
    SettingButton,
    InstructionsButton,
    SweepButton,
    ForgetButton,
    SearchButton,
    HitButton,
)
