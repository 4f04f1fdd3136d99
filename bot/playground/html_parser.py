"""HTML as the Bot API takes it: few tags, each closed; refusals are in Telegram's words."""

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from .entities import Entity, sorted_entities, utf16_length
from .errors import BotApiError
from .links import checked_link, mentioned_user

_SIMPLE: Final = MappingProxyType(
    {
        "b": "bold",
        "strong": "bold",
        "i": "italic",
        "em": "italic",
        "u": "underline",
        "ins": "underline",
        "s": "strikethrough",
        "strike": "strikethrough",
        "del": "strikethrough",
        "tg-spoiler": "spoiler",
        "span": "spoiler",
    }
)
_TAGS: Final = frozenset({*_SIMPLE, "a", "pre", "code", "blockquote", "tg-emoji"})
_REFERENCES: Final = MappingProxyType({"lt": "<", "gt": ">", "amp": "&", "quot": '"'})

_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot)(?![a-zA-Z]));?")
_TAG_NAME = re.compile(r"[^\s>]*")
_ATTRIBUTE = re.compile(
    r"""\s*([^\s=>/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9.\-]+)(?=[\s>])))?"""
)
_LAST_CODE_POINT: Final = 0x10FFFF


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Text and entities. Raises BotApiError in Telegram's words."""
    parser = _Parser(source)
    while parser.position < len(source):
        parser.step()
    return parser.finish()


def _unescaped(text: str) -> str:
    return _REFERENCE.sub(lambda match: _referenced(match) or match.group(), text)


def _referenced(match: re.Match[str]) -> str | None:
    hexadecimal, decimal, name = match.groups()
    if name:
        return _REFERENCES[name]
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    is_character = 0 < code < _LAST_CODE_POINT and not 0xD800 <= code <= 0xDFFF
    return chr(code) if is_character else None


@dataclass(frozen=True, slots=True)
class _OpenTag:
    name: str
    attributes: dict[str, str]
    offset: int
    text_length: int


@dataclass(slots=True)
class _Parser:
    source: str
    position: int = 0
    text: str = ""
    offset: int = 0
    entities: list[Entity] = field(default_factory=list)
    tags: list[_OpenTag] = field(default_factory=list)

    def step(self) -> None:
        if self.source.startswith("</", self.position):
            self._close()
        elif self.source.startswith("<", self.position):
            self._open()
        else:
            end = self.source.find("<", self.position)
            chunk = _unescaped(self.source[self.position : end if end >= 0 else None])
            self.position = end if end >= 0 else len(self.source)
            self.text += chunk
            self.offset += utf16_length(chunk)

    def finish(self) -> tuple[str, list[Entity]]:
        if self.tags:
            raise _refused(
                f'Can\'t find end tag corresponding to start tag "{self.tags[-1].name}"'
            )
        for entity in self.entities:
            if entity["type"] == "code":
                entity.pop("language", None)
        return self.text, sorted_entities(self.entities)

    def _open(self) -> None:
        begin = self.position
        name = self._name(begin + 1)
        if self.position >= len(self.source):
            raise self._at(begin, "Unclosed start tag")
        if name not in _TAGS:
            raise self._at(begin, f'Unsupported start tag "{name}"')
        attributes = self._attributes(begin, name)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise self._at(begin, 'Tag "span" must have class "tg-spoiler"')
        self.tags.append(_OpenTag(name, attributes, self.offset, len(self.text)))

    def _close(self) -> None:
        begin = self.position
        if not self.tags:
            raise self._at(begin, "Unexpected end tag")
        name = self._name(begin + 2)
        self._skip_spaces()
        if not self.source.startswith(">", self.position):
            raise self._at(begin, "Unclosed end tag")
        self.position += 1
        tag = self.tags.pop()
        if name and name != tag.name:
            expected = f'expected "</{tag.name}>", found "</{name}>"'
            offset = self._byte_offset(begin)
            raise _refused(f"Unmatched end tag at byte offset {offset}, {expected}")
        if self.offset > tag.offset:
            self._add_entity(tag)

    def _attributes(self, begin: int, name: str) -> dict[str, str]:
        attributes: dict[str, str] = {}
        while True:
            self._skip_spaces()
            if self.source.startswith(">", self.position):
                self.position += 1
                return attributes
            match = _ATTRIBUTE.match(self.source, self.position)
            if self.position >= len(self.source):
                raise self._at(begin, f'Unclosed start tag "{name}"')
            if match is None:
                raise self._at(begin, f'Empty attribute name in the tag "{name}"')
            self.position = match.end()
            self._skip_spaces()
            if self.source.startswith("=", self.position):
                raise self._bad_value(begin)
            key, double, single, token = match.groups()
            attributes[key] = _unescaped(double or single or "") or (token or "").lower()

    def _bad_value(self, begin: int) -> BotApiError:
        self.position += 1
        self._skip_spaces()
        if self.source[self.position : self.position + 1] in {'"', "'", ""}:
            return self._at(begin, "Unclosed start tag")
        return self._at(self.position, "Unexpected end of name token")

    def _add_entity(self, tag: _OpenTag) -> None:
        entity: Entity = {"offset": tag.offset, "length": self.offset - tag.offset}
        if tag.name in _SIMPLE:
            self.entities.append({"type": _SIMPLE[tag.name], **entity})
        elif tag.name == "blockquote":
            kind = "expandable_blockquote" if "expandable" in tag.attributes else "blockquote"
            self.entities.append({"type": kind, **entity})
        elif tag.name == "a":
            self._add_link(entity, tag.attributes.get("href") or self.text[tag.text_length :])
        elif tag.name == "tg-emoji":
            emoji_id = tag.attributes.get("emoji-id", "")
            if not emoji_id.isdecimal() or int(emoji_id) == 0:
                raise _refused("Invalid custom emoji identifier specified")
            self.entities.append({"type": "custom_emoji", **entity, "custom_emoji_id": emoji_id})
        else:
            self._add_code(tag, entity)

    def _add_link(self, entity: Entity, url: str) -> None:
        if (user_id := mentioned_user(url)) is not None:
            self.entities.append({"type": "text_mention", **entity, "user": {"id": user_id}})
        elif link := checked_link(url):
            self.entities.append({"type": "text_link", **entity, "url": link})

    def _add_code(self, tag: _OpenTag, entity: Entity) -> None:
        """``<pre>`` around ``<code class="language-x">``, or inside it, is one block."""
        language = tag.attributes.get("class", "") if tag.name == "code" else ""
        language = language.removeprefix("language-") if language.startswith("language-") else ""
        last = self.entities[-1] if self.entities else {}
        same_place = (
            last.get("offset") == entity["offset"] and last.get("length") == entity["length"]
        )
        if tag.name == "pre" and same_place and last.get("type") == "code" and "language" in last:
            last["type"] = "pre"
        elif tag.name == "code" and same_place and last.get("type") == "pre" and language:
            last["language"] = language
        else:
            self.entities.append(
                {"type": tag.name, **entity} | ({"language": language} if language else {})
            )

    def _name(self, start: int) -> str:
        match = _TAG_NAME.match(self.source, start)
        self.position = match.end() if match else start
        return self.source[start : self.position].lower()

    def _skip_spaces(self) -> None:
        while self.source[self.position : self.position + 1].isspace():
            self.position += 1

    def _byte_offset(self, position: int) -> int:
        return len(self.source[:position].encode())

    def _at(self, position: int, problem: str) -> BotApiError:
        return _refused(f"{problem} at byte offset {self._byte_offset(position)}")


def _refused(problem: str) -> BotApiError:
    return BotApiError(f"can't parse entities: {problem}")
