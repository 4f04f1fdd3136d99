"""The lines of a chat's file, a block at a time and the last one first; few of them are parsed.

The memory it takes follows the longest line, not the chat. Everything here blocks.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, BinaryIO

from .models import ConversationMessage
from .reduced_bytes import Line

if TYPE_CHECKING:
    from .folder_state import FolderState
    from .index_file import Entry

logger = logging.getLogger(__name__)

BLOCK = 1024 * 1024  # bytes that are read at a time; most chats are shorter
_HEAD = 64 * 1024
_HEAD_ENDS = (b'"messages": [\n', b'"messages":[\n')
_END = b"\n]}\n"

Lines = Iterator[tuple[bytes, Line]]  # a block, and where in it a line is


class NotInLinesError(Exception):
    """The messages do not stand in lines of their own, or one of those is damaged."""


def read_blocks(file: BinaryIO, size: int, most: int | None = None) -> Iterator[tuple[bytes, int]]:
    """Give blocks of whole lines, and where in each of them the messages begin.

    With `most` only about so many bytes at the end are read.

    :raises NotInLinesError: the file is not of our form.
    """
    at, rest = size, b""
    while at > 0 and (most is None or size - at < most):
        step = min(at, BLOCK, most or BLOCK)
        at -= step
        file.seek(at)
        data = file.read(step) + rest
        if at + step == size and not data.endswith(_END):
            raise NotInLinesError
        if at == 0:
            start = data.find(b"\n", 0, _HEAD) + 1
            if not data.endswith(_HEAD_ENDS, 0, start):
                raise NotInLinesError
            yield data, start
        else:
            whole = data.find(b"\n") + 1 or len(data)
            rest, data = data[:whole], data[whole:]
            yield data, 0


def read_messages(
    state: FolderState,
    entry: Entry,
    find_lines: Callable[[BinaryIO, int], Lines],
    accept: Callable[[ConversationMessage], bool],
) -> Generator[ConversationMessage, None, None]:
    """Give those messages of a chat that are in the lines found, and accepted; the last one first.

    A file of another form, or a damaged one, is parsed as a whole. One that cannot be read has
    none.
    """
    given = []
    path = state.file(entry.metadata.conversation_id)
    try:
        with path.open("rb") as file:
            for data, line in find_lines(file, os.fstat(file.fileno()).st_size):
                message = _parse(data, line)
                if accept(message):
                    given.append(message)
                    yield message
    except FileNotFoundError:
        return
    except OSError as error:
        logger.error("%s cannot be searched: %s", path, error)  # noqa: TRY400
    except NotInLinesError:
        whole = state.parse(entry.metadata.conversation_id, path.read_bytes(), entry.metadata)
        messages = whole.to_conversation().messages if whole is not None else []
        yield from (m for m in reversed(messages) if accept(m) and m not in given)


def _parse(data: bytes, line: Line) -> ConversationMessage:
    try:
        return ConversationMessage.from_dict(json.loads(data[slice(*line)].removesuffix(b",")))
    except (ValueError, RecursionError) as error:
        raise NotInLinesError from error
