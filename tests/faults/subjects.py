"""What is put to the test: how a store is opened, used, and looked at.

Another store is another `Subject`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from tests.faults.folders import Tree
from tests.faults.operations import Operation, State


class Subject(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def users(self) -> tuple[int, ...]: ...

    @property
    def is_synced(self) -> bool:
        """Tell whether what is acknowledged survives a power cut, and not a kill alone."""

    @property
    def failure(self) -> type[Exception]:
        """What an operation raises when it cannot be done."""

    def opened(self, root: Path) -> AbstractAsyncContextManager[Any]:
        """Open the store as a newly started process would, and close it again."""

    def before(self) -> Tree:
        """Give the folder as it is before anybody opens the store."""

    def initial(self, user: int) -> State:
        """Give what a user has in it, as soon as it is opened."""

    def workload(self, seed: int) -> list[Operation]:
        """Give a history; 0 and 1 are the same one, which does all that can be done."""

    def drawn(self, seed: int, count: int, states: dict[int, State]) -> list[Operation]:
        """Draw a history by lot that goes on from these states; every seed makes other names."""

    def probes(self, user: int, state: State) -> list[Operation]:
        """Give operations that work in this state and show what `observe` cannot."""

    async def observe(self, store: Any, root: Path, user: int) -> State:
        """Look at all that a user can see; raise AssertionError where it contradicts itself."""

    def shown(self, state: State) -> State:
        """Give what `observe` gives for this state of the model."""

    def complaints(self, root: Path, observed: Mapping[int, State]) -> list[str]:
        """Tell what in the folder should not be there, or is not sound."""


# Where each is made. It is imported when it is asked for: all of a bot takes seconds, and many a
# short-lived process that is put to the test wants the chats alone.
SUBJECTS = {
    "files": "tests.faults.chat_files:ChatFiles",
    "journal": "tests.faults.chat_files:JournalledChatFiles",
    "warm journal": "tests.faults.chat_files:WarmJournal",
    "spoilt files": "tests.faults.chat_files:SpoiltChatFiles",
    "inbox": "tests.faults.inbox_file:InboxFile",
    "usage": "tests.faults.usage_file:UsageFile",
}


def find_subject(name: str) -> Subject:
    module, _, made = SUBJECTS[name].partition(":")
    found: Subject = getattr(import_module(module), made)()
    return found
