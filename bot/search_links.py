"""Links that open the bot and lead to words, or to a hit: `t.me/our_bot?start=...`; pure."""

from __future__ import annotations

from binascii import Error

from aiogram.utils.payload import decode_payload, encode_payload

from conversations import SearchHit

from .callbacks import message_mark

_OURS = "cvs"  # and then the words, encoded
_HIT = "cvh"  # and then the mark of a message, and after a hyphen the chat's id
_LIMIT = 64  # characters that Telegram allows: letters, digits, "_" and "-"


def start_parameter(query: str) -> str:
    """Carry the words, or where there is no room for them, the wish to search."""
    carried = _OURS + encode_payload(query)
    return carried if len(carried) <= _LIMIT else _OURS


def is_link(parameter: str) -> bool:
    return parameter.startswith(_OURS)


def query_of_link(parameter: str) -> str:
    """Give the words; none where there are none, or where somebody else has made the link."""
    try:
        return decode_payload(parameter.removeprefix(_OURS))
    except (Error, UnicodeDecodeError):
        return ""


def hit_parameter(hit: SearchHit) -> str:
    mark = message_mark(hit.message) if hit.message is not None else ""
    return f"{_HIT}{mark}-{hit.chat.conversation_id}"


def hit_of_link(parameter: str) -> tuple[str, str] | None:
    """Give a chat's id and the mark of a message, or ""; None where it leads to no hit."""
    if not parameter.startswith(_HIT):
        return None
    mark, _, chat = parameter.removeprefix(_HIT).partition("-")
    return chat, mark
