"""What of a model's words is an answer, what a chat's name, and what of a server's for a log."""

from __future__ import annotations

import codecs
import re

from conversations import clean_text, shorten

NAME_LIMIT = 40  # characters

_OPEN = "<think>"
_CLOSE = "</think>"
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_ESCAPED = re.compile(r"\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|(.))|%[0-9a-f]{2}", re.IGNORECASE)
_LEFT_OUT = re.compile(r"…(?:\W*…)+")
_LABEL = re.compile(r"(chat name|name|title|название( чата)?|заголовок)\s*:\s*", re.IGNORECASE)
_WRAPPING = " \t\"'`*_“”„«»‘’"


class Words:
    """Makes text of the pieces that a server sends.

    A server may send the two halves of an emoji in two pieces; half a one breaks whatever writes
    it. What is `tagged` may begin with thoughts.
    """

    def __init__(self, *, tagged: bool) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")
        self._thoughts = ThoughtFilter() if tagged else None

    def feed(self, piece: str) -> str:
        text = self._decoder.decode(piece.encode("utf-16-le", "surrogatepass"))
        return self._thoughts.feed(text) if self._thoughts else text

    def end(self) -> str:
        """Give what was held back; nothing comes after it."""
        text = self._decoder.decode(b"", final=True)
        return self._thoughts.feed(text) + self._thoughts.end() if self._thoughts else text


class ThoughtFilter:
    """Leaves out the thoughts in `<think>` tags with which an answer may begin.

    Pieces may break anywhere, in a tag too. Tags further on are the answer's own.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._thought = False
        self._answering = False

    def feed(self, piece: str) -> str:
        """Give what of the text so far is surely the answer and was not given yet."""
        if self._answering:
            return piece
        self._held += piece
        while not self._answering:
            if self._thinking:
                _, closed, rest = self._held.partition(_CLOSE)
                if not closed:
                    self._held = self._held[1 - len(_CLOSE) :]  # a tag may have begun there
                    return ""
                self._held, self._thinking, self._thought = rest, False, True
            start = self._held.lstrip()
            if start.startswith(_OPEN):
                self._held, self._thinking = start[len(_OPEN) :], True
            elif _OPEN.startswith(start):
                return ""
            else:
                self._answering = True
        return self._release()

    def end(self) -> str:
        """Give what was held back; nothing comes after it."""
        return "" if self._thinking or self._answering else self._release()

    def _release(self) -> str:
        held, self._held = self._held, ""
        return held.lstrip() if self._thought else held


def clean_title(text: str) -> str:
    """Make a chat's name of what a model said; empty when there is none in it."""
    text = _TAG.sub(" ", _THOUGHTS.sub(" ", text))
    lines = (clean_text(line).strip(_WRAPPING) for line in text.splitlines())
    title = next(filter(None, lines), "").lstrip("# ")
    title = _LABEL.sub("", title, count=1) if _LABEL.match(title) else title
    return shorten(title.strip(_WRAPPING).rstrip(".。").rstrip(_WRAPPING), NAME_LIMIT)


def without_echo(said: str, exchanged: str) -> str:
    """Leave out of a server's words those that stand in a chat, however it escapes them.

    Servers like to quote what they refuse, and what people wrote is not for the log.
    """
    while (plain := _ESCAPED.sub(_unescape, said)) != said:
        said = plain
    exchanged = exchanged.casefold()
    own = _WORD.sub(lambda word: "…" if word[0].casefold() in exchanged else word[0], said)
    return _LEFT_OUT.sub("…", own)


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        return chr(int(code, 16))
    return " " if match[3] is None or match[3] in "abfnrtv" else match[3]
