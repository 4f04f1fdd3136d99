"""JSON read in pieces: one value at a time is in memory, and a damaged end costs the end alone."""

from __future__ import annotations

import codecs
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from .. import json_lines
from .report import ImportLimits

_CHUNK = 64 * 1024
_LONGEST_STEP = 4 * 1024 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_NEXT_OBJECT = re.compile(r"\n[ \t\r]{0,64}(?=\{)")
_OUTSIDE_STRINGS = re.compile(r'["\[\]{}]')
_IN_STRING = re.compile(r'["\\]')
_MOST_RESUMED = 1000  # garbled places that are passed over
_LONGEST_TOKEN = 16  # characters of an escape or a literal that may be cut
_UNREADABLE: Final = object()


class JsonStream:
    """Reads one document: first `opening`, then `items` or `members` as that tells.

    Its values are read leniently: what could not be written again is null, and of a key that
    stands twice the last one counts. All that cannot be read is passed over, at a cost that
    follows its length; `damaged` tells that the document is not sound, `skipped` how many values
    were too big, too rich or nested too deeply.
    """

    def __init__(self, file: BinaryIO, limits: ImportLimits) -> None:
        self.damaged = False
        self.skipped = 0
        self._file = file
        self._limits = limits
        self._decoder: codecs.IncrementalDecoder | None = None
        self._text = ""
        self._at = 0  # what stands before has been read
        self._passed = 0  # characters that stood before `_text`
        self._ended = False
        self._resumed = 0

    @property
    def position(self) -> int:
        """How many characters have been read."""
        return self._passed + self._at

    def opening(self) -> str:
        """Give the first character that counts; nothing for an empty document."""
        return self._peek()

    def items(self) -> Iterator[Any]:
        """Give the items of the array that begins here, up to the first that is garbled."""
        self._at += 1
        yield from self._items(resumes=False)

    def members(self, list_key: str) -> Iterator[tuple[str, Any]]:
        """Give the members of the object that begins here.

        An array under `list_key` is an iterator of its items, to be used up before going on; one
        that is garbled costs what stands before the next line that opens an object.
        """
        self._at += 1
        while (char := self._peek()) != "}":
            if char == ",":
                self._at += 1
                continue
            key = self._value() if char == '"' else _UNREADABLE
            if not isinstance(key, str) or self._peek() != ":":
                self.damaged = True
                if self._resume():  # what is on lines of its own behind it may be sound
                    yield list_key, self._items(resumes=True)
                return
            self._at += 1
            if self._peek() == "[" and key == list_key:
                self._at += 1
                yield key, self._items(resumes=True)
            elif (value := self._value()) is not _UNREADABLE:
                yield key, value
        self._at += 1

    def _items(self, *, resumes: bool) -> Iterator[Any]:
        while (char := self._peek()) != "]":
            if char == ",":
                self._at += 1
                continue
            if not char:
                self.damaged = True
                return
            skipped = self.skipped
            value = self._value()
            if value is not _UNREADABLE:
                yield value
            elif self.skipped == skipped and not (resumes and self._resume()):
                return
        self._at += 1

    def _value(self) -> Any:
        """Read the value that begins here; what cannot be read is passed over where it can be."""
        while True:
            try:
                value, end = json_lines.decode_first(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._is_cut(error):
                    if self._is_too_much():
                        return self._skip()
                    if self._more():
                        continue
                self.damaged = True
                self._at = max(self._at, error.pos)
                return _UNREADABLE
            except ValueError:
                return self._skip()
            if end == len(self._text) and isinstance(value, int | float) and self._more():
                continue  # a number may go on
            self._at = end
            return value

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Tell whether a value goes on behind what has been read so far."""
        near_end = error.pos >= len(self._text) - _LONGEST_TOKEN
        return not self._ended and (near_end or error.msg.startswith("Unterminated string"))

    def _is_too_much(self) -> bool:
        size = len(self._text) - self._at
        if size <= 2 * _CHUNK:
            return False
        counted = sum(self._text.count(sign, self._at) for sign in ",[{")
        return size > self._limits.value_chars or counted > self._limits.values

    def _skip(self) -> Any:
        """Pass over a value without building it."""
        self.skipped += 1
        depth, in_string, passed = 0, False, 0
        while passed <= 2 * self._limits.value_chars:
            pattern = _IN_STRING if in_string else _OUTSIDE_STRINGS
            found = pattern.search(self._text, self._at)
            if found is None:
                passed += len(self._text) - self._at
                self._at = len(self._text)
                if not self._more():
                    break
                continue
            passed += found.end() - self._at
            self._at = found.end()
            sign = found[0]
            if sign == "\\":
                self._pass_one()
            elif sign == '"':
                in_string = not in_string
            else:
                depth += 1 if sign in "[{" else -1
            if depth <= 0 and not in_string:
                return _UNREADABLE
        self.damaged = True
        self._stop()
        return _UNREADABLE

    def _pass_one(self) -> None:
        while self._at == len(self._text) and self._more():
            pass
        self._at += 1

    def _resume(self) -> bool:
        """Go to the next line that opens an object, unless all this is nothing but garbled."""
        self._resumed += 1
        if self._resumed > _MOST_RESUMED:
            self._stop()
            return False
        while (found := _NEXT_OBJECT.search(self._text, self._at)) is None:
            last_line = self._text.rfind("\n", max(self._at, len(self._text) - 80))
            self._at = last_line if last_line >= 0 else len(self._text)
            if not self._more():
                return False
        self._at = found.end()
        return True

    def _peek(self) -> str:
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, the more the longer a value is, so that it costs by its length."""
        if self._ended:
            return False
        rest = self._text[self._at :]
        try:
            data = self._file.read(min(max(_CHUNK, len(rest)), _LONGEST_STEP))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
            self.damaged = True
            data = b""
        self._ended = not data
        self._passed += self._at
        self._text, self._at = rest + self._decode(data), 0
        return True

    def _stop(self) -> None:
        self._ended, self._text, self._at = True, "", 0

    def _decode(self, data: bytes) -> str:
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder(_encoding(data))()
        try:
            return self._decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            self.damaged = True
            self._decoder.errors = "replace"
            return self._decoder.decode(data, final=not data)


def _encoding(data: bytes) -> str:
    """Tell how a document is encoded that may have been saved anew by an editor."""
    return json.detect_encoding(data[:16])
