"""A chat as Markdown: questions quoted, answers as they are, for they are Markdown themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..models import Conversation, ConversationMessage
from ..names import clean_text
from .fences import split_blocks
from .labels import ExportLabels, shown_time

_BREAK = "  \n"  # two spaces keep the lines apart when it is shown
_SPECIAL = re.compile(r"([\\`*_\[\]<>~&#|])")


def write_markdown(conversation: Conversation, labels: ExportLabels) -> Iterator[str]:
    """Write a chat a message at a time."""
    yield f"# {_plain(conversation.metadata.name)}\n\n"
    yield " · ".join(labels.facts(conversation)) + "\n"
    for message in conversation.messages:
        yield f"\n---\n\n{_heading(message, labels)}\n\n{_body(message)}\n"


def _heading(message: ConversationMessage, labels: ExportLabels) -> str:
    remarks = [*labels.remarks(message), shown_time(message.timestamp)]
    facts = " · ".join(_plain(remark) for remark in remarks if remark)
    return f"**{labels.author(message)}**" + (f" · {facts}" if facts else "")


def _body(message: ConversationMessage) -> str:
    if message.type == "user_question":
        # What a person typed is no Markdown: in a quote it can spoil nothing but itself.
        return _BREAK.join(f"> {line}".rstrip() for line in message.text.splitlines())
    last = split_blocks(message.text)[-1]
    return message.text if last.is_closed else f"{message.text}\n{last.fence}"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", clean_text(text))
