"""The part of a text in which words were found, cut between visible characters; pure."""

from __future__ import annotations

import regex
from aiogram.utils.formatting import Bold, Text

from conversations import ConversationMessage, Words

from .rendering import preview, sendable

_LOOKED_AT = 2000  # characters around the place that was found
_TRIED = 50  # places from which an excerpt may begin
_LONGEST_CHARACTER = 64
_CUT = "…"

Range = tuple[int, int]


def excerpt(text: str, words: Words, limit: int) -> Text:
    """Give about `limit` characters around the words, on one line, with the words in bold."""
    line = " ".join(sendable(_around(text, words)).split())
    places = words.places_in(line)
    begin, end = _range(line, places, limit)
    parts: list[Text | str] = [_CUT if begin else ""]
    at = begin
    for start, stop in places:
        start, stop = max(start, begin), min(stop, end)
        if start < stop:
            parts += [line[at:start], Bold(line[start:stop])]
            at = stop
    return Text(*parts, line[at:end], _CUT if end < len(line) else "")


def excerpt_of(message: ConversationMessage, words: Words, limit: int) -> Text:
    """Give an excerpt of a message, of an answer as it looked and not its Markdown."""
    if message.type == "user_question":
        return excerpt(message.text, words, limit)
    around = _around(message.text, words)
    looked = preview(around, 2 * len(around)).text
    return excerpt(looked if words.are_in(looked) else around, words, limit)


def _around(text: str, words: Words) -> str:
    """Cut what is looked at out of a long text, from the beginning of a line if there is one."""
    if len(text) <= _LOOKED_AT:
        return text
    begin = max(0, words.place_in(text) - _LOOKED_AT // 2)
    line = text.find("\n", begin, begin + _LOOKED_AT // 4) + 1 if begin else 0
    return text[line or begin : (line or begin) + _LOOKED_AT]


def _range(line: str, places: list[Range], limit: int) -> Range:
    """Choose where most of the places are, and begin a little before the first of them."""
    if len(line) <= limit:
        return 0, len(line)
    tried = places[:_TRIED] or [(0, 0)]
    counts = [sum(start <= other < start + limit for other, _ in tried) for start, _ in tried]
    first, stop = tried[counts.index(max(counts))]
    begin = max(0, min(first - limit // 4, len(line) - limit))
    if begin:
        begin = line.find(" ", begin, first) + 1 or _between_characters(line, begin)
    end = begin + limit
    if end < len(line):
        end = line.rfind(" ", max(stop, begin + limit // 2), end + 1)
        if end < 0:
            end = _between_characters(line, begin + limit)
    return begin, end if end > begin else begin + limit


def _between_characters(line: str, place: int) -> int:
    """Give the place, or where the visible character begins that it is in."""
    first = max(0, place - _LONGEST_CHARACTER)
    for match in regex.finditer(r"\X", line[first : place + _LONGEST_CHARACTER]):
        if first + match.end() > place:
            return first + match.start()
    return place
