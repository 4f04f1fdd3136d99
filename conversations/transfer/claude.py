"""A chat of Claude's data export.

`chat_messages` is a list; where its messages name their parents it is a tree too, and the list
holds the versions that were edited away. What a message says stands in `content`, in blocks, and
only in old exports in `text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..models import Conversation, parse_time
from .building import ChatBuilder, time_of
from .report import ImportLimits, Tally, as_detail

_Json = Mapping[str, Any]

_TOOLS = {"tool_use", "tool_result"}
_TICKS = re.compile("`{3,}")
_NOT_SHOWN = {"thinking", "redacted_thinking", *_TOOLS}


def is_chat(raw: _Json) -> bool:
    return isinstance(raw.get("chat_messages"), list)


def read_chat(raw: _Json, limits: ImportLimits, tally: Tally, *, now: str) -> Conversation | None:
    """Read the branch that was current; None for a chat with nothing on it."""
    name = as_detail(raw.get("name"))
    builder = ChatBuilder(name, limits, tally, now=now)
    messages = [message for message in raw["chat_messages"] if isinstance(message, dict)]
    tally.leave_out("unreadable_message", name, len(raw["chat_messages"]) - len(messages))
    branch = _current_branch(messages, raw.get("current_leaf_message_uuid"))
    tally.leave_out("other_branch", name, len(messages) - len(branch))
    for message in branch:
        _add(builder, message, name, tally)
    return builder.build(time_of(raw.get("created_at")), time_of(raw.get("updated_at")))


def _current_branch(messages: Sequence[_Json], leaf: object) -> Sequence[_Json]:
    """Follow the parents up from the current leaf, or the latest; a plain list stays as it is."""
    known = {m["uuid"]: m for m in messages if isinstance(m.get("uuid"), str)}
    parents = {parent for m in messages if (parent := _parent(m)) in known}
    if not parents or len(known) < len(messages):
        return messages
    place: str | None = leaf if isinstance(leaf, str) and leaf in known else None
    if place is None:
        leaves = [uuid for uuid in reversed(known) if uuid not in parents] or list(known)
        place = max(leaves, key=lambda uuid: parse_time(time_of(known[uuid].get("created_at"))))
    branch: dict[str, _Json] = {}
    while place is not None and place in known and place not in branch:
        branch[place] = known[place]
        place = _parent(known[place])
    return list(reversed(branch.values()))


def _parent(message: _Json) -> str | None:
    parent = message.get("parent_message_uuid")
    return parent if isinstance(parent, str) else None


def _add(builder: ChatBuilder, message: _Json, name: str, tally: Tally) -> None:
    sender = message.get("sender")
    if sender not in ("human", "assistant"):
        tally.leave_out("unreadable_message", name)
        return
    blocks = [block for block in _list(message.get("content")) if isinstance(block, dict)]
    kinds = {_kind(block) for block in blocks}
    parts = [part for part in (*_shown_blocks(blocks), *_attached(message)) if part.strip()]
    if not parts and kinds & _NOT_SHOWN:
        tally.leave_out("tool_message" if kinds & _TOOLS else "hidden_message", name)
        return
    if not parts and isinstance(message.get("text"), str):
        parts = [message["text"]]
    builder.add(
        "user_question" if sender == "human" else "bot_answer",
        "\n\n".join(parts),
        time=time_of(message.get("created_at")),
        model=message.get("model") if sender == "assistant" else None,
    )


def _shown_blocks(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        tool_input = block.get("input")
        if _kind(block) == "text" and isinstance(block.get("text"), str):
            yield block["text"]
        elif block.get("name") == "artifacts" and isinstance(tool_input, dict):
            yield _artifact(tool_input)
        elif _kind(block) in {"image", "document"}:
            yield f"[{_kind(block)}]"


def _artifact(tool_input: _Json) -> str:
    """Give a text that was made beside the dialog; changes to it later are left out."""
    content, language = tool_input.get("content"), tool_input.get("language")
    if not isinstance(content, str) or not content:
        return ""
    longest = max((len(run) for run in _TICKS.findall(content)), default=2)
    fence = "`" * (longest + 1)
    language = language if isinstance(language, str) and language.isalnum() else ""
    title = as_detail(tool_input.get("title"))
    heading = f"{title}\n\n" if title else ""
    return f"{heading}{fence}{language}\n{content}\n{fence}"


def _attached(message: _Json) -> Iterator[str]:
    """Give pasted texts as they are, and files by their names."""
    for attachment in _list(message.get("attachments")):
        if isinstance(attachment, dict):
            name, text = (
                as_detail(attachment.get("file_name")),
                attachment.get("extracted_content"),
            )
            if name:
                yield f"[file: {name}]"
            elif isinstance(text, str):
                yield text
    for file in _list(message.get("files")):
        name = as_detail(file.get("file_name")) if isinstance(file, dict) else ""
        if name:
            yield f"[file: {name}]"


def _kind(block: _Json) -> str:
    kind = block.get("type")
    return kind if isinstance(kind, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
