"""The schema of the files: what is printed, what is written, what must not pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conversations import ConversationManager, ConversationMessage
from tests.file_format import SCHEMA, assert_format, validator
from tests.storages import question
from tests.test_readme import blocks

ROOT = Path(__file__).parent.parent
USER = 1001


async def test_a_chat_with_everything_in_it(manager: ConversationManager, folder: Path) -> None:
    chat = await manager.create_conversation(USER, "anna", "Where is the hotel?")
    await manager.add_message(USER, chat, question("Where?"))
    answer = ConversationMessage(
        timestamp="2026-05-01T12:00:01+00:00", message_id=0, type="bot_answer", text="Here",
        tokens=3, sent_as="file", file_path="files/answer.md", search_type="deep", reply_to=1,
        state="partial", tokens_estimated=True, model="echo", pieces=(2, 3),
    )  # fmt: skip
    await manager.add_message(USER, chat, answer)
    await manager.rename_conversation(USER, chat, "Hotel")
    await manager.pin_conversation(USER, chat, pinned=True)
    await manager.set_mode(USER, chat, "deep")
    await manager.set_instructions(USER, chat, "Be brief.")
    await manager.update_settings(USER, {"language": "de"})
    await manager.delete_conversation(USER, await manager.create_conversation(USER, "anna", "x"))
    # The chat with everything, the trash, and the index.
    assert assert_format(folder) == 3


def test_the_chat_in_the_readme() -> None:
    [chat] = blocks("json")
    validator("chat").validate(json.loads(chat))


@pytest.mark.parametrize(
    "wrong",
    [
        {"metadata": None},
        {"messages": {}},
        {"messages": [{"type": "user_question", "text": "without the rest"}]},
    ],
)
def test_what_is_not_of_the_form_is_refused(wrong: dict[str, object]) -> None:
    [chat] = blocks("json")
    assert not validator("chat").is_valid(json.loads(chat) | wrong)


def test_every_key_that_is_written_is_described() -> None:
    from conversations import models

    described = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]
    assert described["message"]["properties"].keys() == models._MESSAGE_KEYS
    assert described["metadata"]["properties"].keys() == models._METADATA_KEYS
