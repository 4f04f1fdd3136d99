"""One chat's file in memory, where nobody else shows what it does."""

from __future__ import annotations

from conversations import Conversation
from conversations.chat_file import ChatFile
from tests.storages import new_chat, question


def chat(*texts: str) -> ChatFile:
    messages = [question(text) for text in texts]
    return ChatFile.from_conversation(Conversation(new_chat("a"), messages))


def test_messages_are_contained_as_often_as_they_stand_there() -> None:
    assert chat("one", "two", "one").contains_all_of(chat("one", "one"))
    assert chat("two", "one").contains_all_of(chat("one"))
    assert not chat("one", "two").contains_all_of(chat("one", "one"))
    assert not chat("one").contains_all_of(chat("two"))


def test_a_line_that_is_added_changes_what_a_message_would() -> None:
    said = ChatFile.from_conversation(Conversation(new_chat("a")))
    line = said.add(question("Where is the hotel?"), "2026-05-02T00:00:00+00:00", "Where is")
    told = ChatFile.from_conversation(Conversation(new_chat("a")))
    told.add_line(line, "2026-05-02T00:00:00+00:00", "Where is")
    assert told.encode() == said.encode()
    assert (told.metadata.name, told.metadata.updated_at) == (
        "Where is",
        "2026-05-02T00:00:00+00:00",
    )
