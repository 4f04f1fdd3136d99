"""A chat of ChatGPT's data export.

It is a tree: `mapping` holds every version of every message, and `current_node` is the end of the
branch that was on the screen. Keys come and go with the years, so that none but `mapping` is
taken for granted; titles and times may be null, nodes without a message, lists of children left
out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..models import Conversation
from .building import ChatBuilder, time_of
from .report import ImportLimits, LeftOutReason, Tally, as_detail

_Json = Mapping[str, Any]

_THOUGHTS = {"thoughts", "reasoning_recap"}
_INSTRUCTIONS = {"user_editable_context", "model_editable_context"}
_ASSETS = {
    "image_asset_pointer": "[image]",
    "audio_asset_pointer": "[audio]",
    "real_time_user_audio_video_asset_pointer": "[audio]",
    "video_container_asset_pointer": "[video]",
}
# References to sources that did not come along, as marks that no font has.
_MARK = re.compile("\ue200([^\ue200\ue201]*)\ue201")
_OLD_CITATION = re.compile(r"【\d+(?::\d+)?†[^】\n]{0,200}】")


def is_chat(raw: _Json) -> bool:
    return isinstance(raw.get("mapping"), dict)


def read_chat(raw: _Json, limits: ImportLimits, tally: Tally, *, now: str) -> Conversation | None:
    """Read the branch that was current; None for a chat with nothing on it."""
    name = as_detail(raw.get("title"))
    builder = ChatBuilder(name, limits, tally, now=now)
    nodes = {key: node for key, node in raw["mapping"].items() if isinstance(node, dict)}
    branch = _current_branch(nodes, raw.get("current_node"))
    for key in branch:
        message = nodes[key].get("message")
        if isinstance(message, dict):
            _add(builder, message, raw.get("default_model_slug"), name, tally)
    others = (nodes[key].get("message") for key in nodes.keys() - branch)
    tally.leave_out("other_branch", name, sum(1 for other in others if _is_shown(other)))
    return builder.build(time_of(raw.get("create_time")), time_of(raw.get("update_time")))


def _current_branch(nodes: Mapping[str, _Json], current: object) -> dict[str, None]:
    """Give the keys from the root to the current node, or to the latest leaf without one."""
    if not isinstance(current, str) or current not in nodes:
        parents = {
            parent for node in nodes.values() if isinstance(parent := node.get("parent"), str)
        }
        leaves = [key for key in nodes if key not in parents]
        leaves = leaves or list(nodes)
        current = max(reversed(leaves), key=lambda key: _time(nodes[key]), default=None)
    branch: dict[str, None] = {}
    while isinstance(current, str) and current in nodes and current not in branch:
        branch[current] = None
        current = nodes[current].get("parent")
    return dict.fromkeys(reversed(branch))


def _time(node: _Json) -> float:
    message = node.get("message")
    time = message.get("create_time") if isinstance(message, dict) else None
    return time if isinstance(time, int | float) else 0.0


def _add(
    builder: ChatBuilder, message: _Json, default_model: object, name: str, tally: Tally
) -> None:
    """Add a node's message, or count why it does not come in; an empty hidden one is nothing."""
    reason = _why_hidden(message)
    text = _text_of(message) if reason is None else None
    if reason is not None or text is None:
        if _content(message).get("parts") not in ([""], []):
            tally.leave_out(reason or "unknown_content", name)
        return
    metadata = _metadata(message)
    finish = metadata.get("finish_details")
    is_answer = _role(message) != "user"
    builder.add(
        "bot_answer" if is_answer else "user_question",
        text,
        time=time_of(message.get("create_time")),
        model=(metadata.get("model_slug") or default_model) if is_answer else None,
        is_partial=isinstance(finish, dict) and finish.get("type") == "interrupted",
    )


def _why_hidden(message: _Json) -> LeftOutReason | None:
    content_type, recipient = _content(message).get("content_type"), message.get("recipient")
    if _role(message) == "tool":
        return None if _text_of(message) else "tool_message"
    if _role(message) not in {"user", "assistant"}:
        return "hidden_message"
    if _metadata(message).get("is_visually_hidden_from_conversation") is True:
        return "hidden_message"
    if isinstance(content_type, str) and content_type in _THOUGHTS | _INSTRUCTIONS:
        return "hidden_message"
    if isinstance(recipient, str) and recipient != "all":
        return "tool_message"
    return None


def _is_shown(message: object) -> bool:
    return isinstance(message, dict) and _why_hidden(message) is None and bool(_text_of(message))


def _text_of(message: _Json) -> str | None:
    """Give what a message shows, files by their names; None for content that we do not know."""
    content = _content(message)
    parts = content.get("parts")
    if _role(message) == "tool":
        # A picture that was drawn is all that a tool shows; what it says is for the model.
        return "\n".join(_ASSETS.get(_kind(part), "") for part in _list(parts)).strip()
    if isinstance(parts, list):
        shown = list(_shown_parts(parts))
    elif isinstance(content.get("text"), str):
        shown = [_as_code(content) if content.get("content_type") == "code" else content["text"]]
    else:
        return None
    text = "\n\n".join(part for part in shown if part.strip())
    files = list(_file_names(_metadata(message).get("attachments"), has_image="[image]" in shown))
    text = _OLD_CITATION.sub("", _MARK.sub(_spell_out, text))
    return "\n\n".join(part for part in (text, "\n".join(files)) if part)


def _shown_parts(parts: list[Any]) -> Iterator[str]:
    spoken = any(_kind(part) == "audio_transcription" and part.get("text") for part in parts)
    for part in parts:
        if isinstance(part, str):
            yield part
            continue
        asset = _ASSETS.get(_kind(part), "")
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]
        elif asset and not (spoken and asset == "[audio]"):
            yield asset


def _file_names(attachments: object, *, has_image: bool) -> Iterator[str]:
    for attachment in _list(attachments):
        if not isinstance(attachment, dict):
            continue
        kind = attachment.get("mime_type") or attachment.get("mimeType")
        is_image = isinstance(kind, str) and kind.startswith("image")
        name = as_detail(attachment.get("name"))
        if name and not (is_image and has_image):
            yield f"[file: {name}]"


def _as_code(content: _Json) -> str:
    language = content.get("language")
    known = isinstance(language, str) and language.isalnum() and language != "unknown"
    return f"```{language if known else ''}\n{content['text']}\n```"


def _spell_out(mark: re.Match[str]) -> str:
    """Give the words that a mark stands for; most stand for none."""
    kind, _, told = mark[1].partition("\ue202")
    if kind != "entity":
        return ""
    try:
        words = json.loads(told)
    except (ValueError, RecursionError):
        return ""
    named = isinstance(words, list) and len(words) > 1 and isinstance(words[1], str)
    return words[1] if named else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _role(message: _Json) -> str:
    author = message.get("author")
    role = author.get("role") if isinstance(author, dict) else None
    return role if isinstance(role, str) else ""


def _kind(part: object) -> str:
    kind = part.get("content_type") if isinstance(part, dict) else None
    return kind if isinstance(kind, str) else ""


def _content(message: _Json) -> _Json:
    content = message.get("content")
    return content if isinstance(content, dict) else {}


def _metadata(message: _Json) -> _Json:
    metadata = message.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
