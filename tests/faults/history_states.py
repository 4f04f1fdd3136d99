"""The states that a history may have come to, and what is said where it came to none of them."""

from __future__ import annotations

import difflib
import itertools
import pprint
from collections.abc import Iterator
from typing import Any

from tests.faults.history_calls import TIME_OF_A_FILE, Call
from tests.faults.model import Model

CANCELLED = "cancelled"


def expect(call: Call, outcome: Any, predicted: Any) -> None:
    if outcome != predicted:
        differ(f"the result of {call!r}", outcome, predicted)


def differ(what: str, seen: Any, *possible: Any) -> None:
    """Fail, and show how what is seen differs from each of what could be."""
    after = pprint.pformat(seen, width=150).splitlines()
    differences = []
    for number, expected in enumerate(possible[:3], 1):
        before = pprint.pformat(expected, width=150).splitlines()
        lines = difflib.unified_diff(before, after, f"possible {number}", "seen", lineterm="")
        differences.append("\n".join(lines)[:4000])
    no_order = "no order of the calls explains their results"
    raise AssertionError("\n".join([what[:2000], *(differences or [no_order])]))


def serial_orders(model: Model, made: list[tuple[Call, Any]]) -> Iterator[Model]:
    """Give the states after each order that explains the results; what was cancelled may miss."""
    if not made:
        yield model
    for place, (call, outcome) in enumerate(made):
        rest = made[:place] + made[place + 1 :]
        if outcome == CANCELLED:
            yield from serial_orders(model, rest)
        after = model.copy()
        if outcome in (call.predict(after), CANCELLED):
            yield from serial_orders(after, rest)


def between(call: Call, old: Model, new: Model) -> Iterator[Model]:
    """Give the states that a kill may leave besides the old and the new one.

    The trash is emptied chat by chat. A chat that was about to be restored has lost the time of
    its deletion, for which that of its file stands in then; a copy that nothing came to may be
    back beside the empty chat that stood in for it. The username of who imports a first chat
    follows it.
    """
    if call.verb == "import_conversations":
        model = new.copy()
        model.user(call.user_id)["username"] = old.user(call.user_id)["username"]
        yield model
    trash = old.user(call.user_id)["trash"]
    removed = sorted(trash.keys() - new.user(call.user_id)["trash"].keys())
    if call.verb == "restore_conversation" and removed:
        model = old.copy()
        facts = model.user(call.user_id)["trash"][removed[0]]["facts"]
        facts |= {"deleted_at": TIME_OF_A_FILE, "is_active": call.options["activate"]}
        yield model
        yield from _beside_a_stand_in(call, old, new)
        return
    for count in range(1, len(removed)):
        for chats in itertools.combinations(removed, count):
            model = old.copy()
            for chat_id in chats:
                del model.user(call.user_id)["trash"][chat_id]
            yield model


def _beside_a_stand_in(call: Call, old: Model, new: Model) -> Iterator[Model]:
    chats = old.user(call.user_id)["chats"]
    for chat_id in chats.keys() - new.user(call.user_id)["chats"].keys():
        model = new.copy()
        model.user(call.user_id)["chats"][chat_id] = chats[chat_id]
        yield model
