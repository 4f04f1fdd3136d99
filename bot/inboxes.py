"""What an inbox must do; `inbox.py` keeps one in a file, `inbox_postgres.py` in a database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from .inbox import Entry

Lost = Callable[[], Awaitable[object]]


class Lease(Protocol):
    """What makes a process one of the workers that share a bot, as long as it holds it."""

    def watch(self, *, lost: Lost) -> None:
        """Have `lost` called, and awaited, when it does not hold it any more."""

    async def check(self) -> None:
        """:raises StorageError: it does not hold it now."""


class UpdateInbox(Protocol):
    """Keeps the updates of one bot until they are over.

    What `keep`, `note` or `finish` returned from is durable. They raise `OSError` where that
    failed and the updates are held in memory, to be handled all the same; and `StorageError` where
    nothing was taken, so that whoever brought an update has to bring it again.
    """

    @property
    def open_count(self) -> int:
        """Tell how many updates are not over that are to be handled here."""

    @property
    def is_empty(self) -> bool:
        """Tell whether everything is over that is to be handled here."""

    def left_open(self) -> list[Entry]:
        """Give what is to be handled here and nobody has begun yet, oldest first."""

    async def keep(self, updates: Iterable[dict[str, Any]]) -> None:
        """Keep updates as they came, those that are new; then Telegram may forget them."""

    def knows(self, update_id: int) -> bool: ...

    def begin(self, update_id: int) -> Entry | None:
        """Give a kept update to the one who handles it; None to everybody after the first.

        None also where it is another worker's to handle.
        """

    async def note(self, update_id: int, facts: dict[str, Any]) -> None:
        """Keep what the handler of an open update has found out."""

    async def finish(self, update_id: int) -> None:
        """Note that an update is over."""

    async def forget_person(self, user_id: int) -> None:
        """Keep nothing any more of what a person sent and what is over."""

    async def close(self) -> None: ...


@runtime_checkable
class SharedInbox(UpdateInbox, Protocol):
    """An inbox of many workers, which may bring an update in, and take all away.

    A worker is one as long as it holds its lease. One that has lost it is to give up all that it
    does as a kill would; what was open is another's then, or its own again under a new lease.
    """

    def watch(self, *, arrived: Callable[[], object], lost: Lost) -> None:
        """Have `arrived` called when `left_open` has more than what was kept here.

        And `lost` with the lease, which is not taken again before that has ended.
        """

    async def may_fetch(self) -> None:
        """Return when this worker is the one that asks Telegram for updates."""
