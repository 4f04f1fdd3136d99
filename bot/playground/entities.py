"""Message entities as on the wire (UTF-16 offsets), put in order as the server does."""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

Entity = dict[str, Any]

_STYLES: Final = ("bold", "italic", "underline", "strikethrough", "spoiler")
_QUOTES: Final = frozenset({"blockquote", "expandable_blockquote"})
_LITERAL: Final = frozenset({"pre", "code"})
_OPAQUE: Final = _LITERAL | {"text_link", "text_mention", "custom_emoji"}
_ORDER: Final = (
    "blockquote",
    "expandable_blockquote",
    "text_link",
    "text_mention",
    *_STYLES,
    "pre",
    "code",
)

_DETECTED: Final = (
    ("url", re.compile(r"(?:https?|tg|ton)://[^\s<>\"]+", re.IGNORECASE)),
    (
        "email",
        re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+[a-z]{2,16}(?![\w@])", re.IGNORECASE),
    ),
    (
        "url",
        re.compile(
            r"(?<![\w@./-])(?:[\w-]+\.)+(?:com|org|net|info|io|dev|app|ai|me|ru|рф|de|fr|uk)(?![\w-])(?:/[^\s<>\"]*)?",
            re.IGNORECASE,
        ),
    ),
    ("mention", re.compile(r"(?<![\w/@])@[a-z][a-z0-9_]{2,31}(?!\w)", re.IGNORECASE)),
    (
        "bot_command",
        re.compile(r"(?<![\w/<>])/[a-z0-9_]{1,64}(?:@[a-z0-9_]{3,32})?(?![\w/<>])", re.IGNORECASE),
    ),
    ("hashtag", re.compile(r"(?<![\w&])#(?=\w*[^\W\d_])\w{1,256}(?![\w#])")),
)


def utf16_length(text: str) -> int:
    return len(text) + sum(c > "\uffff" for c in text)


def utf16_slice(text: str, offset: int, length: int) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    return units[offset * 2 : (offset + length) * 2].decode("utf-16-le", "replace")


def end_of(entity: Entity) -> int:
    return int(entity["offset"] + entity["length"])


def sorted_entities(entities: Iterable[Entity]) -> list[Entity]:
    def key(entity: Entity) -> tuple[int, int, int]:
        kind = entity["type"]
        return entity["offset"], -entity["length"], _ORDER.index(kind) if kind in _ORDER else -1

    return sorted(entities, key=key)


def settle(entities: list[Entity]) -> list[Entity]:
    """What the server makes of entities that cross: in the end any two are nested or apart.

    Links, mentions, code and quotes stay whole or are dropped; styles (bold and such) are merged,
    kept out of code and cut where they cross a border.
    """
    whole = _without_crossing(
        e for e in entities if e["type"] not in _STYLES and e["type"] not in _QUOTES
    )
    quotes = _without_crossing(e for e in entities if e["type"] in _QUOTES)
    whole = [e for e in whole if all(_apart(e, q) or _inside(e, q) for q in quotes)]
    settled = quotes + whole
    for style in _STYLES:
        for piece in _merged([e for e in entities if e["type"] == style]):
            for part in _outside(piece, [e for e in whole if e["type"] in _LITERAL]):
                settled.extend(_cut(part, settled))
    return sorted_entities(settled)


def detected(text: str, entities: list[Entity]) -> list[Entity]:
    """``entities`` and those that the server finds by itself: links, mentions, commands."""
    taken = [e for e in entities if e["type"] in _OPAQUE]
    found: list[Entity] = []
    for kind, pattern in _DETECTED:
        for match in pattern.finditer(text):
            matched = match.group().rstrip(".,:;!?…»)'\"") if kind == "url" else match.group()
            offset = utf16_length(text[: match.start()])
            entity = {"type": kind, "offset": offset, "length": utf16_length(matched)}
            if all(_apart(entity, other) for other in taken + found):
                found.append(entity)
    return sorted_entities([*entities, *found])


def _apart(one: Entity, other: Entity) -> bool:
    return end_of(one) <= int(other["offset"]) or end_of(other) <= int(one["offset"])


def _inside(inner: Entity, outer: Entity) -> bool:
    return bool(outer["offset"] <= inner["offset"] and end_of(inner) <= end_of(outer))


def _without_crossing(entities: Iterable[Entity]) -> list[Entity]:
    kept: list[Entity] = []
    for entity in sorted_entities(entities):
        if not kept or _apart(kept[-1], entity):
            kept.append(entity)
    return kept


def _merged(entities: list[Entity]) -> list[Entity]:
    merged: list[Entity] = []
    for entity in sorted_entities(entities):
        if merged and entity["offset"] <= end_of(merged[-1]):
            end = max(end_of(merged[-1]), end_of(entity))
            merged[-1] = {**merged[-1], "length": end - merged[-1]["offset"]}
        else:
            merged.append(entity)
    return merged


def _outside(piece: Entity, holes: list[Entity]) -> Iterator[Entity]:
    start = piece["offset"]
    for hole in holes:
        if _apart(piece, hole):
            continue
        if hole["offset"] > start:
            yield {**piece, "offset": start, "length": hole["offset"] - start}
        start = max(start, end_of(hole))
    if start < end_of(piece):
        yield {**piece, "offset": start, "length": end_of(piece) - start}


def _cut(piece: Entity, others: list[Entity]) -> Iterator[Entity]:
    crossing = [
        o for o in others if not (_apart(piece, o) or _inside(piece, o) or _inside(o, piece))
    ]
    borders = {
        b
        for o in crossing
        for b in (o["offset"], end_of(o))
        if piece["offset"] < b < end_of(piece)
    }
    edges = [piece["offset"], *sorted(borders), end_of(piece)]
    for start, end in itertools.pairwise(edges):
        yield {**piece, "offset": start, "length": end - start}
