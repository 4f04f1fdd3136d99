"""What Telegram cannot carry, leaves out or does not show."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_REMOVED: Final = "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u0333\u033f\u030a"
_CLEANING: Final = {
    **{code: " " for code in range(32) if chr(code) not in "\n\t"},
    **dict.fromkeys(map(ord, _REMOVED), ""),
}
_LOOKS_EMPTY: Final = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"


def sendable(text: str) -> str:
    """Replace lone surrogates, which no request to Telegram can carry."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean(markdown: str) -> str:
    """Leave out what Telegram's server would, so that the counting is about what is shown."""
    text = sendable(markdown).replace("\r\n", "\n").replace("\r", "\n")
    # The server drops the ring of a decomposed "å".
    text = re.sub(".\u030a", lambda match: unicodedata.normalize("NFC", match[0]), text)
    return text.translate(_CLEANING)


def is_blank(text: str) -> bool:
    """Tell whether there is nothing in it to see; Telegram refuses such a message."""
    return all(
        char.isspace() or char in _LOOKS_EMPTY or unicodedata.category(char) in {"Cc", "Cf", "Mn"}
        for char in text
    )
