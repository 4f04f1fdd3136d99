"""A short run of the spoilt files; and that it would find what it is to find."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from conversations import json_lines, json_values
from conversations.chat_file import ChatFile
from conversations.folder_state import FolderState
from conversations.models import ConversationMessage, is_message
from tests.faults.fuzz import described, fuzz, merged
from tests.faults.reading import check_chat, check_index
from tests.faults.whole import CHATS, INDEXES, in_all_forms

CHAT_FORMS = in_all_forms(CHATS[1])
INDEX_FORMS = in_all_forms(INDEXES[1])


def test_twenty_thousand_inputs() -> None:
    report = fuzz(1, range(20_000))
    assert not report.failures, "\n".join(described(1, report))
    assert (report.inputs, report.stored) == (20_000, 1000)
    assert len(report.kinds) > 20
    assert min(report.kinds.values()) > 300


def test_batches_make_the_inputs_that_one_process_makes() -> None:
    halves = [fuzz(1, range(100)), fuzz(1, range(100, 200))]
    assert merged(halves) == fuzz(1, range(200))


@pytest.mark.parametrize("form", CHAT_FORMS)
def test_a_chat_cut_at_every_place(form: str) -> None:
    whole = CHAT_FORMS[form]
    for end in range(len(whole)):
        check_chat(whole[:end])


@pytest.mark.parametrize("form", INDEX_FORMS)
def test_an_index_cut_at_every_place(form: str) -> None:
    whole = INDEX_FORMS[form]
    for end in range(len(whole)):
        check_index(whole[:end])


# Mistakes that a reader might make.


def picks_nothing_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(json_lines._Salvage, "_pick_up", lambda salvage: None)


def stops_at_the_first_bad_message(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(json_lines._Salvage, "_next_item", re.compile(r"(?!)"))
    patch.setattr(json_lines._Salvage, "_pick_up", lambda salvage: None)


def keeps_nothing_aside(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FolderState, "put_aside", lambda state, path: None)


def takes_damage_for_sound(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(json_values, "_strict", json.JSONDecoder())


def lets_an_exception_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(json_lines, "UNREADABLE", (ValueError,))


def drops_unknown_keys(patch: pytest.MonkeyPatch) -> None:
    def encode(chat: ChatFile) -> bytes:
        head = {"metadata": chat.metadata.to_dict()}
        return json_lines.encode(head, "messages", chat.body)

    patch.setattr(ChatFile, "encode", encode)


def rewrites_messages(patch: pytest.MonkeyPatch) -> None:
    def take(chat: ChatFile, items: list[Any]) -> list[ConversationMessage]:
        messages = [ConversationMessage.from_dict(item) for item in items if is_message(item)]
        lines = [json_lines.encode_item(message.to_dict()) for message in messages]
        chat.body = bytearray(json_lines.join_items(lines))
        return messages

    patch.setattr(ChatFile, "_take_items", take)


MISTAKES = [
    picks_nothing_up,
    stops_at_the_first_bad_message,
    keeps_nothing_aside,
    takes_damage_for_sound,
    lets_an_exception_out,
    drops_unknown_keys,
    rewrites_messages,
]


@pytest.mark.parametrize("make", MISTAKES, ids=lambda make: make.__name__)
def test_a_mistake_is_found(
    make: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(monkeypatch)
    assert fuzz(1, range(3000)).failures
