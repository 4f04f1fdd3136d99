"""An operation: how it is done to a store, and what it does to a model of that store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

REFUSED = "refused"  # the result of an operation that fails on a whole disk too, and rightly

State = dict[str, Any]  # what one user has, as plain dictionaries


@dataclass(frozen=True, eq=False)
class Operation:
    """Done again after it has happened, it must not happen twice; both sides know that.

    `act` does it to an opened store and gives a result that can be compared. `change` does it to
    a model's state, in place, and gives the result that the store has to give. `partly` gives the
    states between, for the few that do one thing after another. The operations of one user take
    effect in the order in which they are tried; users know nothing of each other.
    """

    name: str
    user: int
    act: Callable[[Any], Awaitable[object]]
    change: Callable[[State], object]
    partly: Callable[[State], Iterable[State]] = lambda _: ()
    holds_others: bool = True  # the same user's next one waits for it, also when it is cancelled
