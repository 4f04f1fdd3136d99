"""One chat as a file to download."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ..chat_file import encode_in_pieces
from ..models import Conversation
from .file_names import file_name
from .labels import ExportLabels
from .markdown import write_markdown
from .page import RenderAnswer, write_page
from .threads import drawn

ExportFormat = Literal["markdown", "json", "html"]

_SUFFIXES: dict[ExportFormat, str] = {"markdown": ".md", "json": ".json", "html": ".html"}
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file to download: `name` is safe on every system, `async for` gives its bytes in pieces.

    They are made while they are read, in a thread, so that it is never in memory as a whole.
    """

    name: str
    _pieces: Callable[[], Iterator[bytes]] = field(repr=False)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return drawn(_joined(self._pieces()))


def export(
    conversation: Conversation,
    export_format: ExportFormat,
    labels: ExportLabels,
    render: RenderAnswer | None,
) -> ExportedFile:
    """Describe a chat as a file; nothing of it is made yet."""

    def pieces() -> Iterator[bytes]:
        if export_format == "json":
            return encode_in_pieces(conversation)
        if export_format == "html":
            return _encoded(write_page(conversation, labels, render))
        return _encoded(write_markdown(conversation, labels))

    metadata = conversation.metadata
    name = file_name(metadata.name, metadata.conversation_id, _SUFFIXES[export_format])
    return ExportedFile(name, pieces)


def _encoded(pieces: Iterable[str]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece.encode("utf-8", "replace")


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Put small pieces together, so that there are not too many of them."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        if len(buffer) >= _PIECE_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)
