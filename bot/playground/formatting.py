"""A bot's text and entities, as Telegram's server takes, cleans and refuses them.

The playground takes entities or ``parse_mode="HTML"``. Markdown and MarkdownV2 are refused with a
plain word, since a parser that differs from Telegram's in one corner would be worse than none.
"""

from dataclasses import dataclass
from typing import Any, Final

from aiogram.types import MessageEntity

from .dialogs import PERSONS
from .entities import Entity, detected, end_of, settle, sorted_entities, utf16_length
from .errors import BotApiError
from .html_parser import parse_html
from .links import checked_link, mentioned_user

_MAX_BYTES: Final = 32768
_MAX_OFFSET: Final = 1_000_000
_GIVEN: Final = (
    "bold italic underline strikethrough spoiler code pre text_link text_mention custom_emoji"
    " blockquote expandable_blockquote date_time"
)
# A bot may send these back; the server finds them anew by itself.
_FOUND: Final = "mention hashtag cashtag bot_command url email phone_number bank_card_number"
_REMOVED: Final = frozenset("\r\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u0333\u033f\u030a")
_SPACES: Final = " \n"


@dataclass(frozen=True, slots=True)
class FormattedText:
    text: str
    entities: list[Entity]

    @property
    def length(self) -> int:
        return utf16_length(self.text)

    def wire(self, text_name: str = "text", entities_name: str = "entities") -> dict[str, Any]:
        """The fields of a message; Telegram leaves empty ones out."""
        fields: dict[str, Any] = {text_name: self.text} if self.text else {}
        return fields | ({entities_name: self.entities} if self.entities else {})


def formatted(
    text: str, parse_mode: str | None, given: list[MessageEntity] | None
) -> FormattedText:
    """Raises BotApiError in Telegram's words; an empty text is for the caller to refuse."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BotApiError("strings must be encoded in UTF-8") from None
    if size > _MAX_BYTES:
        raise BotApiError("text is too long")
    mode = (parse_mode or "none").lower()
    if mode == "html":
        text, entities = parse_html(text)
    elif mode == "none":
        entities = [wire for entity in given or [] if (wire := _given_entity(entity))]
    elif mode in {"markdown", "markdownv2"}:
        raise BotApiError("the playground takes entities or HTML, not Markdown")
    else:
        raise BotApiError("unsupported parse_mode")
    return tidy(text, _with_known_users(entities))


def tidy(text: str, entities: list[Entity]) -> FormattedText:
    """Without control characters and outer spaces, and with what the server finds by itself."""
    cleaned, moved = _cleaned(text)
    placed = [
        _placed(entity, moved) for entity in sorted_entities(e for e in entities if _is_sane(e))
    ]
    trimmed = _trimmed(cleaned, settle([e for e in placed if e["length"] > 0]))
    return FormattedText(trimmed.text, detected(trimmed.text, trimmed.entities))


def _given_entity(entity: MessageEntity) -> Entity | None:
    if entity.type in _FOUND.split():
        return None
    if entity.type not in _GIVEN.split():
        raise BotApiError("can't parse MessageEntity: Unsupported type specified")
    wire: Entity = {"type": entity.type, "offset": entity.offset, "length": entity.length}
    if entity.type == "text_link":
        return wire | _link(entity.url)
    if entity.type == "text_mention":
        if entity.user is None:
            raise BotApiError("can't parse MessageEntity: Can't find field \"user\"")
        return wire | {"user": {"id": entity.user.id}}
    optional = {
        "language": entity.language if entity.type == "pre" else None,
        "custom_emoji_id": entity.custom_emoji_id,
        "unix_time": entity.unix_time,
        "date_time_format": entity.date_time_format,
    }
    return wire | {name: value for name, value in optional.items() if value}


def _link(url: str | None) -> Entity:
    if url is None:
        raise BotApiError("can't parse MessageEntity: Can't find field \"url\"")
    if (user_id := mentioned_user(url)) is not None:
        return {"type": "text_mention", "user": {"id": user_id}}
    link = checked_link(url)
    if link is None:
        raise BotApiError(f"entity URL '{url}' is invalid: Wrong HTTP URL")
    return {"url": link}


def _with_known_users(entities: list[Entity]) -> list[Entity]:
    """A mention names a user whom the bot has met, else it is plain text."""
    users = {person.user_id: person.user() for person in PERSONS}
    known = [e for e in entities if e["type"] != "text_mention" or e["user"]["id"] in users]
    return [e | {"user": users[e["user"]["id"]]} if "user" in e else e for e in known]


def _is_sane(entity: Entity) -> bool:
    for name in ("offset", "length"):
        if not 0 <= entity[name] <= _MAX_OFFSET:
            raise BotApiError(f"receive an entity with incorrect {name} {entity[name]}")
    return bool(entity["length"])


def _cleaned(text: str) -> tuple[str, list[int]]:
    """The text as stored, and whither each UTF-16 offset moved (-1: inside a character)."""
    kept: list[str] = []
    moved: list[int] = []
    offset = 0
    for character in text:
        moved.append(offset)
        if character > "\uffff":
            moved.append(-1)
        if character in _REMOVED:
            continue
        kept.append(" " if character < " " and character != "\n" else character)
        offset += 1 + (character > "\uffff")
    return "".join(kept), [*moved, offset]


def _placed(entity: Entity, moved: list[int]) -> Entity:
    start, end, last = entity["offset"], end_of(entity), len(moved) - 1
    if start > last:
        raise BotApiError(f"entity begins after the end of the text at UTF-16 offset {start}")
    if end > last:
        raise BotApiError(
            f"entity beginning at UTF-16 offset {start} ends after the end of the text"
            f" at UTF-16 offset {end}"
        )
    if moved[start] < 0:
        raise BotApiError(f"entity begins in a middle of a UTF-16 symbol at UTF-16 offset {start}")
    if moved[end] < 0:
        raise BotApiError(
            f"entity beginning at UTF-16 offset {start} ends in a middle of a UTF-16 symbol"
        )
    return {**entity, "offset": moved[start], "length": moved[end] - moved[start]}


def _trimmed(text: str, entities: list[Entity]) -> FormattedText:
    """Outer spaces go, except those before the text that an entity covers."""
    text = text.rstrip(_SPACES)
    end = utf16_length(text)
    clipped = [
        {**e, "length": min(end_of(e), end) - e["offset"]} for e in entities if e["offset"] < end
    ]
    spaces = len(text) - len(text.lstrip(_SPACES))
    skipped = min([spaces, *(e["offset"] for e in clipped)])
    shifted = [{**e, "offset": e["offset"] - skipped} for e in clipped]
    return FormattedText(text[skipped:], sorted_entities(shifted))
