"""What may be there after a crash, on a store that is one list."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.calls import Mark
from tests.faults.expected import Expected
from tests.faults.operations import REFUSED, Operation, State


async def nothing(store: object) -> None:
    """What the operations of this file do to a store, which is not there."""


def add(item: str, user: int = 1) -> Operation:
    def change(state: State) -> int:
        state["items"].append(item)
        return len(state["items"])

    return Operation(f"add {item}", user, nothing, change)


def clear(*, partly: bool) -> Operation:
    def change(state: State) -> str | None:
        if not state["items"]:
            return REFUSED
        state["items"].clear()
        return None

    between: Callable[[State], list[State]] = lambda state: [{"items": state["items"][1:]}]  # noqa: E731
    return Operation("clear", 1, nothing, change, between if partly else lambda _: ())


def expected(*marks: Mark) -> Expected:
    found = Expected({1: [{"items": []}], 2: [{"items": []}]}, lambda state: state)
    assert found.hear_all(*marks) == []
    return found


def items(found: Expected, user: int = 1) -> list[list[str]]:
    return [state["items"] for state in found.of(user)]


def test_acknowledged_has_happened() -> None:
    a = add("a")
    found = expected(Mark("try", a), Mark("ack", a, 1))
    assert items(found) == [["a"]]
    assert items(found, user=2) == [[]]


def test_failed_has_happened_or_not_and_a_later_result_tells() -> None:
    a, b = add("a"), add("b")
    found = expected(Mark("try", a), Mark("err", a), Mark("try", b))
    assert items(found) == [[], ["a"], ["b"], ["a", "b"]]
    assert found.hear(Mark("ack", b, 2)) is None
    assert items(found) == [["a", "b"]]


def test_under_way_has_happened_in_the_order_of_trying() -> None:
    a, b = add("a"), add("b")
    found = expected(Mark("try", a), Mark("try", b))
    assert items(found) == [[], ["a"], ["a", "b"]]
    assert found.under_way() == [a, b]
    assert items(found.crashed()) == [[], ["a"], ["a", "b"]]
    assert items(found.narrowed({1: {"items": ["a"]}, 2: {"items": []}})) == [["a"]]
    assert not found.narrowed({1: {"items": ["b"]}, 2: {"items": []}}).is_possible


def test_what_goes_step_by_step_may_stop_between() -> None:
    a, b = add("a"), add("b")
    both = (Mark("try", a), Mark("ack", a, 1), Mark("try", b), Mark("ack", b, 2))
    wholly, partly = clear(partly=False), clear(partly=True)
    assert items(expected(*both, Mark("try", wholly))) == [["a", "b"], []]
    assert items(expected(*both, Mark("try", partly))) == [["a", "b"], ["b"], []]
    assert items(expected(*both, Mark("try", partly), Mark("err", partly))) == [
        ["a", "b"], ["b"], [],
    ]  # fmt: skip


def test_a_wrong_result_and_a_wrong_order_are_told() -> None:
    a, b = add("a"), add("b")
    assert expected(Mark("try", a)).hear(Mark("ack", a, 7)) == "add a gave 7, and not one of [1]"
    found = expected(Mark("try", a), Mark("try", b))
    assert found.hear(Mark("ack", b, 2)) == "add b overtook add a"


def test_some_may_be_refused() -> None:
    a = add("a")
    assert expected().may_refuse(clear(partly=False))
    assert not expected(Mark("try", a), Mark("ack", a, 1)).may_refuse(clear(partly=False))
