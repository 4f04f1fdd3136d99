"""Exports of other services as they look, oddities included; what they say is made up."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

ROOT = "00000000-0000-4000-8000-000000000000"  # the parent that Claude gives a first message
BEGUN = 1712345678.901234


def packed(files: dict[str, Any]) -> bytes:
    """Make a zip of files; what is no bytes becomes JSON."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data if isinstance(data, bytes) else json.dumps(data))
    return target.getvalue()


def chatgpt_message(role: str, content: Any, time: float | None = None, **rest: Any) -> Any:
    if isinstance(content, str):
        content = {"content_type": "text", "parts": [content]}
    return {
        "id": "m",
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": time,
        "update_time": None,
        "content": content,
        "status": "finished_successfully",
        "end_turn": None,
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
    } | rest


def chatgpt_chat(messages: list[Any], title: Any = "Plans for Lisbon", **rest: Any) -> Any:
    """Build a chat of one branch: a root without a message, then one node a message."""
    mapping: dict[str, Any] = {
        "root": {"id": "root", "message": None, "parent": None, "children": ["n0"]}
    }
    for number, message in enumerate(messages):
        mapping[f"n{number}"] = {
            "id": f"n{number}",
            "message": message,
            "parent": f"n{number - 1}" if number else "root",
            "children": [f"n{number + 1}"] if number + 1 < len(messages) else [],
        }
    return {
        "title": title,
        "create_time": BEGUN,
        "update_time": BEGUN + 100,
        "mapping": mapping,
        "moderation_results": [],
        "current_node": f"n{len(messages) - 1}" if messages else "root",
        "plugin_ids": None,
        "conversation_id": "66100000-0000-4000-8000-000000000001",
        "conversation_template_id": None,
        "gizmo_id": None,
        "is_archived": False,
        "safe_urls": [],
        "default_model_slug": "gpt-4o",
        "id": "66100000-0000-4000-8000-000000000001",
    } | rest


def simple_chatgpt_chat(title: Any = "Plans for Lisbon", **rest: Any) -> Any:
    return chatgpt_chat(
        [
            chatgpt_message("system", ""),
            chatgpt_message("user", "Where to stay in Lisbon?", BEGUN),
            chatgpt_message(
                "assistant", "In **Alfama**.", BEGUN + 5.5, metadata={"model_slug": "gpt-4"}
            ),
        ],
        title,
        **rest,
    )


def branched_chatgpt_chat(**rest: Any) -> Any:
    """The first question was edited, and the answer to the second version made again."""
    chat = simple_chatgpt_chat(**rest)
    chat["mapping"] = {
        "root": {"id": "root", "message": None, "parent": None, "children": ["q1", "q2"]},
        "q1": {
            "id": "q1",
            "message": chatgpt_message("user", "first version", BEGUN),
            "parent": "root",
            "children": ["a1"],
        },
        "a1": {
            "id": "a1",
            "message": chatgpt_message("assistant", "answer to the first version", BEGUN + 1),
            "parent": "q1",
            "children": [],
        },
        "q2": {
            "id": "q2",
            "message": chatgpt_message("user", "second version", BEGUN + 10),
            "parent": "root",
            "children": ["a2", "a3"],
        },
        "a2": {
            "id": "a2",
            "message": chatgpt_message("assistant", "old answer", BEGUN + 11),
            "parent": "q2",
            "children": [],
        },
        "a3": {
            "id": "a3",
            "message": chatgpt_message("assistant", "new answer", BEGUN + 20),
            "parent": "q2",
            "children": [],
        },
    }
    chat["current_node"] = "a2"
    return chat | rest


def odd_chatgpt_chat() -> Any:
    """Everything that stands in such a chat besides plain text."""
    hidden = {"is_visually_hidden_from_conversation": True}
    image = {
        "content_type": "image_asset_pointer",
        "asset_pointer": "file-service://file-abc",
        "size_bytes": 90000,
        "width": 640,
        "height": 480,
    }
    audio = {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file_1"}
    return chatgpt_chat(
        [
            chatgpt_message("system", "", metadata=hidden),
            chatgpt_message(
                "user",
                {
                    "content_type": "user_editable_context",
                    "user_profile": "I am a cook.",
                    "user_instructions": "Be short.",
                },
                metadata=hidden,
            ),
            chatgpt_message("system", "You have memory.", metadata=hidden),
            chatgpt_message(
                "user",
                {"content_type": "multimodal_text", "parts": [image, "What is on the picture?"]},
                BEGUN,
                metadata={
                    "attachments": [
                        {"id": "file-abc", "name": "photo.png", "mime_type": "image/png"},
                        {"id": "file-def", "name": "menu\u202efdp.pdf", "mimeType": "x/pdf"},
                    ]
                },
            ),
            chatgpt_message(
                "assistant",
                {"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "c"}]},
            ),
            chatgpt_message(
                "assistant", {"content_type": "reasoning_recap", "content": "Thought for 5s"}
            ),
            chatgpt_message(
                "assistant",
                {"content_type": "code", "language": "unknown", "text": 'search("cats")'},
                recipient="browser",
            ),
            chatgpt_message(
                "tool",
                {"content_type": "tether_quote", "url": "https://x.test", "text": "quote"},
            ),
            chatgpt_message("tool", {"content_type": "execution_output", "text": "42"}),
            chatgpt_message(
                "assistant",
                "A cat【12†source】 in \ue200entity\ue202"
                '["city","Lisbon","capital of Portugal"]\ue201'
                " \ue200cite\ue202turn0search1\ue202turn0search2\ue201.",
                BEGUN + 3,
            ),
            chatgpt_message("user", "Draw it", BEGUN + 10),
            chatgpt_message("assistant", '{"prompt": "a cat"}', recipient="dalle.text2im"),
            chatgpt_message(
                "tool",
                {
                    "content_type": "multimodal_text",
                    "parts": [image, "DALL-E displayed 1 image. Do not repeat it."],
                },
                BEGUN + 20,
            ),
            chatgpt_message("assistant", "", BEGUN + 21),
            chatgpt_message(
                "user",
                {
                    "content_type": "multimodal_text",
                    "parts": [
                        {"content_type": "audio_transcription", "text": "And aloud?"},
                        {
                            "content_type": "real_time_user_audio_video_asset_pointer",
                            "audio_asset_pointer": audio,
                            "frames_asset_pointers": [],
                        },
                    ],
                },
                BEGUN + 30,
            ),
            chatgpt_message(
                "assistant",
                {"content_type": "multimodal_text", "parts": [audio]},
                BEGUN + 31,
                metadata={"finish_details": {"type": "interrupted"}},
            ),
            chatgpt_message(
                "assistant",
                {"content_type": "code", "language": "python", "text": "print(1)"},
                BEGUN + 32,
            ),
            chatgpt_message("assistant", {"content_type": "hologram", "data": [1]}, BEGUN + 33),
            chatgpt_message("assistant", None, BEGUN + 34),
        ],
        title="Cats",
    )


def chatgpt_zip(chats: list[Any]) -> bytes:
    return packed(
        {
            "conversations.json": chats,
            "chat.html": b"<html><script>var jsonData = [];</script></html>",
            "message_feedback.json": [{"id": "f", "rating": "thumbs_up"}],
            "shared_conversations.json": [],
            "user.json": {"id": "user-1", "email": "anna@example.org"},
            "file-abc-photo.png": b"\x89PNG\r\n\x1a\n",
        }
    )


def claude_message(sender: str, text: str, number: int, **rest: Any) -> Any:
    time = f"2025-03-04T10:00:{number:02}.123456Z"
    return {
        "uuid": f"m{number}",
        "text": text,
        "content": [
            {
                "start_timestamp": time,
                "stop_timestamp": time,
                "flags": None,
                "type": "text",
                "text": text,
                "citations": [],
            }
        ],
        "sender": sender,
        "created_at": time,
        "updated_at": time,
        "attachments": [],
        "files": [],
    } | rest


def claude_chat(messages: list[Any], name: Any = "Soup recipes", **rest: Any) -> Any:
    return {
        "uuid": "c1a9a5f8-0000-4000-8000-000000000000",
        "name": name,
        "summary": "",
        "created_at": "2025-03-04T09:59:59.000001Z",
        "updated_at": "2025-03-04T11:00:00.000001Z",
        "account": {"uuid": "a1"},
        "chat_messages": messages,
    } | rest


def simple_claude_chat(name: Any = "Soup recipes", **rest: Any) -> Any:
    messages = [
        claude_message("human", "A soup, please", 1),
        claude_message("assistant", "Borscht:\n\n1. Beets", 2),
    ]
    return claude_chat(messages, name, **rest)


def odd_claude_chat() -> Any:
    artifact = {
        "command": "create",
        "id": "x",
        "type": "application/vnd.ant.code",
        "language": "python",
        "title": "counter.py",
        "content": "print('```')",
    }
    return claude_chat(
        [
            claude_message(
                "human",
                "",
                1,
                content=[],
                attachments=[
                    {"file_name": "", "file_size": 9, "extracted_content": "a long paste"},
                    {"file_name": "list.csv", "file_type": "csv", "extracted_content": "a,b"},
                ],
                files=[{"file_name": "photo.jpg"}, {"file_name": None}, "x"],
            ),
            claude_message(
                "assistant",
                "",
                2,
                content=[
                    {"type": "thinking", "thinking": "hm", "summaries": []},
                    {"type": "text", "text": "Let me write it."},
                    {"type": "tool_use", "name": "artifacts", "input": artifact},
                    {"type": "tool_result", "name": "artifacts", "content": [{"text": "OK"}]},
                    {"type": "text", "text": "Done."},
                ],
            ),
            claude_message(
                "assistant",
                "\n```\nThis block is not supported on your current device yet.\n```\n",
                3,
                content=[{"type": "tool_use", "name": "web_search", "input": {"query": "x"}}],
            ),
            claude_message("assistant", "", 4, content=[{"type": "thinking", "thinking": "hm"}]),
            claude_message("human", "from an old export", 5, content=None),
            claude_message("narrator", "?", 6),
            None,
        ]
    )


def branched_claude_chat(**rest: Any) -> Any:
    """A question that was edited; the list holds both versions."""

    def child(sender: str, text: str, number: int, parent: str) -> Any:
        return claude_message(sender, text, number, parent_message_uuid=parent)

    return claude_chat(
        [
            child("human", "first version", 1, ROOT),
            child("assistant", "answer to the first version", 2, "m1"),
            child("human", "second version", 3, ROOT),
            child("assistant", "answer to the second version", 4, "m3"),
        ],
        **rest,
    )


def claude_zip(chats: list[Any]) -> bytes:
    return packed(
        {
            "users.json": [{"uuid": "a1", "full_name": "Anna", "email_address": "a@example.org"}],
            "projects.json": [{"uuid": "p1", "name": "Kitchen", "docs": []}],
            "conversations.json": chats,
        }
    )
