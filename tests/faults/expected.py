"""What a folder may hold, after everything that a program said before it was stopped."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence

from tests.faults.calls import Mark
from tests.faults.operations import REFUSED, Operation, State

Shown = Callable[[State], State]


class Expected:
    """Every state that each user may be in, after what was tried, acknowledged or has failed.

    What was acknowledged has happened, with that result. What failed has happened or not. What
    was tried and not answered has happened or not too, one after another in the order of trying.
    """

    def __init__(self, states: Mapping[int, Sequence[State]], shown: Shown) -> None:
        """Begin with these; `shown` tells what can be seen of one."""
        self._states = {user: list(of_user) for user, of_user in states.items()}
        self._tried: dict[int, list[Operation]] = {user: [] for user in states}
        self._shown = shown
        self._seen: dict[int, list[State]] = {}  # what `of` gives, as it is shown

    def copy(self) -> Expected:
        other = Expected(self._states, self._shown)
        other._tried = {user: list(tried) for user, tried in self._tried.items()}
        return other

    @property
    def is_possible(self) -> bool:
        """Tell whether each user has a state at all."""
        return all(self._states.values())

    def under_way(self) -> list[Operation]:
        return [operation for tried in self._tried.values() for operation in tried]

    def of(self, user: int) -> list[State]:
        """Give the states that a user may be in if all stops now."""
        states = found = self._states[user]
        for operation in self._tried[user]:
            between = [part for state in states for part in operation.partly(state)]
            states = [done(operation, state)[0] for state in states]
            found = _distinct([*found, *between, *states])
        return found

    def shown(self, user: int) -> list[State]:
        """Give what can be seen of them."""
        if user not in self._seen:
            self._seen[user] = [self._shown(state) for state in self.of(user)]
        return self._seen[user]

    def crashed(self) -> Expected:
        """Go on after a crash; what was under way has happened or not, and nobody tells."""
        return Expected({user: self.of(user) for user in self._states}, self._shown)

    def narrowed(self, observed: Mapping[int, State]) -> Expected:
        """Go on after a crash, with the states that look like what was seen then."""
        left = {
            user: [state for state in self.of(user) if self._shown(state) == observed[user]]
            for user in self._states
        }
        return Expected(left, self._shown)

    def may_refuse(self, operation: Operation) -> bool:
        states = self.of(operation.user)
        return any(done(operation, state)[1] == REFUSED for state in states)

    def hear_all(self, *marks: Mark) -> list[str]:
        return [wrong for wrong in map(self.hear, marks) if wrong is not None]

    def hear(self, mark: Mark) -> str | None:
        """Take in what was said; tell what is wrong with it."""
        operation, user = mark.operation, mark.operation.user
        self._seen.pop(user, None)
        if mark.said == "try":
            self._tried[user].append(operation)
            return None
        first = self._tried[user][0]
        if first is not operation:
            return f"{operation.name} overtook {first.name}"
        if mark.said == "err":
            later = self._tried[user][1:]
            self._tried[user] = [operation]
            self._states[user], self._tried[user] = self.of(user), later
            return None
        self._tried[user].pop(0)
        outcomes = [done(operation, state) for state in self._states[user]]
        fitting = [state for state, result in outcomes if result == mark.result]
        if not fitting:
            results = [result for _, result in outcomes]
            return f"{operation.name} gave {mark.result!r}, and not one of {results!r}"
        self._states[user] = _distinct(fitting)
        return None


def done(operation: Operation, state: State) -> tuple[State, object]:
    """Do an operation to a state, and leave that one alone."""
    after: State = pickle.loads(pickle.dumps(state))  # a deep copy, and a fast one
    result = operation.change(after)
    return after, result


def _distinct(states: Sequence[State]) -> list[State]:
    found: list[State] = []
    for state in states:
        if state not in found:
            found.append(state)
    return found
