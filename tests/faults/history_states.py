"""The states that a history may have come to, and what is said where it came to none of them."""

from __future__ import annotations

import difflib
import itertools
import pprint
from collections.abc import Iterator
from typing import Any

from tests.faults.history_calls import TIME_OF_A_FILE, Call
from tests.faults.model import Model
from tests.faults.model_rules import User

CANCELLED = "cancelled"


def expect(call: Call, outcome: Any, model: Model) -> None:
    """Make a call on the model, and compare what came of it with what should have."""
    predicted = told(model, call.user_id, call.predict(model))
    if told(model, call.user_id, outcome) != predicted:
        differ(f"the result of {call!r}", outcome, predicted)


def told(model: Model, user_id: int, result: Any) -> Any:
    """Give a result without usernames, where a kill has left it open which one the user has."""
    return _without_usernames(result) if model.user(user_id)["is_doubtful"] else result


def _without_usernames(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_usernames(value[key]) for key in value if key != "username"}
    if isinstance(value, list | tuple):
        return [_without_usernames(item) for item in value]
    return value


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
        predicted = told(after, call.user_id, call.predict(after))
        if outcome == CANCELLED or told(after, call.user_id, outcome) == predicted:
            yield from serial_orders(after, rest)


def between(call: Call, old: Model, new: Model) -> Iterator[Model]:
    """Give the states that a kill may leave besides the old and the new one.

    The trash is emptied chat by chat. A chat that was about to be restored has lost the time of
    its deletion, for which that of its file stands in then; a copy that nothing came to may be
    back beside the empty chat that stood in for it. The username follows the chat that brings it;
    where none is known, that of the active chat is taken.
    """
    user_id = call.user_id
    for username in _usernames(old.user(user_id), new.user(user_id)):
        model = new.copy()
        model.user(user_id)["username"] = username
        yield model
    trash = old.user(user_id)["trash"]
    removed = sorted(trash.keys() - new.user(user_id)["trash"].keys())
    if call.verb == "restore_conversation" and removed:
        model = old.copy()
        facts = model.user(user_id)["trash"][removed[0]]["facts"]
        facts |= {"deleted_at": TIME_OF_A_FILE, "is_active": call.options["activate"]}
        yield model
        yield from _beside_a_stand_in(call, old, new)
        return
    for count in range(1, len(removed)):
        for chats in itertools.combinations(removed, count):
            model = old.copy()
            for chat_id in chats:
                del model.user(user_id)["trash"][chat_id]
            yield model


def _usernames(old: User, new: User) -> set[str]:
    """Give those that may be known besides the new one."""
    known = {old["username"]}
    if not old["username"] and new["active"] is not None:
        known.add(new["chats"][new["active"]]["facts"]["username"])
    return known - {new["username"]}


def _beside_a_stand_in(call: Call, old: Model, new: Model) -> Iterator[Model]:
    chats = old.user(call.user_id)["chats"]
    for chat_id in chats.keys() - new.user(call.user_id)["chats"].keys():
        model = new.copy()
        model.user(call.user_id)["chats"][chat_id] = chats[chat_id]
        yield model
