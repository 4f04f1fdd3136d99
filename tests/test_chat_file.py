"""One chat's file in memory, where nobody else shows what it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conversations import Conversation, ConversationMessage
from conversations.chat_file import ChatFile
from tests.storages import LATER, answer, new_chat, question, texts


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


@pytest.mark.parametrize("read_before", [True, False])
@pytest.mark.parametrize("place", [-1, -2, -3, 0])
def test_what_takes_the_place_of_a_message_is_among_the_last(
    place: int, *, read_before: bool
) -> None:
    grown = chat("a", "b", "c")
    assert grown.last(3)
    for text in ("d", "e"):
        grown.add(question(text), LATER, None)
        if read_before and text == "d":
            assert grown.last(1) == [question("d")]
    sound = ["a", "b", "c", "d", "e"]
    new = replace(answer("new", 9), pieces=(10, 11), extra={"mine": [1]})
    assert grown.replace(question(sound[place]), new)
    expected = [question(text) for text in sound]
    expected[place] = new
    for limit in (2, 5, 6):
        assert grown.last(limit) == expected[-limit:]
    assert grown.to_conversation().messages == expected


def test_an_answer_that_is_noted_costs_no_reading_of_those_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grown = chat(*(str(number) for number in range(100)))
    assert len(grown.last(50) or ()) == 50
    read, decoded = ConversationMessage.from_dict, list[str]()

    def count(data: dict[str, str]) -> ConversationMessage:
        decoded.append(data["text"])
        return read(data)

    monkeypatch.setattr(ConversationMessage, "from_dict", count)
    for number in range(100, 130):
        grown.add(question(f"{number}?"), LATER, None)
        assert texts(grown.last(50) or [])[-1] == f"{number}?"
        stored = answer(f"{number}!", 0)
        grown.add(stored, LATER, None)
        assert grown.replace(stored, replace(stored, message_id=number))
    assert len(decoded) <= 60
    assert (grown.last(50) or [])[-1] == answer("129!", 129)
