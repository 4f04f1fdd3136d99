"""What `python -m bot` logs: a record is one line, and holds neither secrets nor people's words.

No line can be forged, whatever people, models and servers say: what is not printable is escaped,
and the lines of a traceback are indented. What an exception says is shown only where its class is
known to speak of the system, for others quote what they stumbled over.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import re
import traceback
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, cast

from aiogram.exceptions import TelegramAPIError

from conversations import ConversationError

from .answerers import AnswerError

logger = logging.getLogger(__name__)

_OURS = ("bot", "conversations", "aiogram")
_TELLING = (OSError, ConversationError, AnswerError)
_QUOTED = re.compile(r"(?<!\w)(['\"]).*\1", re.DOTALL)
_TOKEN = re.compile(r"\d{5,}(?::|%3A)[\w-]{20,}")
_SHORTEST = 8  # characters; a key like "none" is no secret, and would blot out half of the log
_HIDDEN = "[secret]"
_INDENT = "    "


def configure_logging(level: str = "INFO", secrets: Iterable[str] = ()) -> None:
    """Log to stderr: ourselves and aiogram from `level` on, libraries from WARNING on.

    Below that some libraries log whole requests, so that not even DEBUG lets them.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(secrets))
    logging.basicConfig(handlers=[handler], force=True)
    at_least = max(logging.WARNING, logging.getLevelNamesMapping()[level])
    logging.getLogger().setLevel(at_least)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    # It puts what an answer says into its messages.
    logging.getLogger("telegramify_markdown").setLevel(logging.CRITICAL)
    logging.raiseExceptions = False  # else what cannot be formatted is printed as it is
    warnings.showwarning = cast("Any", _log_warning)


def log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio could hand to nobody, without the arguments and results that it shows."""
    happened, _, _ = str(context.get("message", "")).partition("(")
    logger.error("asyncio: %s", happened, exc_info=context.get("exception"))


def describe(error: BaseException) -> str:
    """Say what went wrong, without anything that a person, a model or a file said."""
    name = type(error).__name__
    if isinstance(error, TelegramAPIError):
        return f"{name}: {_QUOTED.sub('...', str(error.message))}"
    return f"{name}: {error}" if isinstance(error, _TELLING) else name


class LineFormatter(logging.Formatter):
    """Formats a record as one printable line, and a traceback as indented lines below it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        parts = {
            part
            for secret in secrets
            for part in (secret, secret.rpartition(":")[2])
            if len(part) >= _SHORTEST
        }
        self._secrets = sorted(parts, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        shown = copy.copy(record)
        if isinstance(shown.args, tuple):
            shown.args = tuple(map(_described, shown.args))
        shown.msg = _described(shown.msg)
        shown.exc_info = shown.exc_text = shown.stack_info = None
        error = record.exc_info[1] if record.exc_info else None
        lines = [super().format(shown)]
        if error is not None:
            lines += (_INDENT + line for line in _traceback(error))
        return "\n".join(map(self._printable, lines))

    def _printable(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, _HIDDEN)
        line = _TOKEN.sub(_HIDDEN, line)
        return "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
        )


def _described(value: object) -> object:
    return describe(value) if isinstance(value, BaseException) else value


def _traceback(error: BaseException) -> Iterator[str]:
    """Give the lines of a traceback, the cause first as Python does."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    for raised in reversed(chain):
        yield "Traceback (most recent call last):"
        for frame in traceback.format_tb(raised.__traceback__):
            yield from frame.splitlines()
        yield describe(raised)
        if isinstance(raised, BaseExceptionGroup):
            for number, inner in enumerate(raised.exceptions, 1):
                yield f"{number} of {len(raised.exceptions)} at once:"
                yield from _traceback(inner)


def _log_warning(
    _message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
) -> None:
    """Log where a library warns, and not what it says: aiogram shows whole updates."""
    logger.warning("%s in %s, line %d", category.__name__, filename, lineno)
