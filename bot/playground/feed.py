"""What happens in one dialog, told to everybody who watches it: pages and test clients."""

import asyncio
import secrets
from typing import Any, Final

Event = dict[str, Any]

_QUEUED_EVENTS: Final = 1000


class Feed:
    """Numbers the events of a dialog and hands them to its watchers.

    A version names one state of the dialog. Versions of different runs differ, so that a client
    that has waited through a restart looks again.
    """

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._number = 0
        self._changed = asyncio.Event()
        self._watchers: set[asyncio.Queue[Event | None]] = set()
        self.closed = False

    @property
    def version(self) -> str:
        return f"{self._run}.{self._number}"

    def publish(self, event: Event) -> None:
        self._number += 1
        for watcher in list(self._watchers):
            # A page that does not read any more is sent away; it comes back and gets everything.
            if watcher.qsize() >= _QUEUED_EVENTS:
                self._send_away(watcher)
            else:
                watcher.put_nowait(event)
        self._wake()

    async def wait(self, version: str, seconds: float) -> None:
        """Until the dialog is no longer in this version, at most ``seconds``."""
        changed = self._changed
        if version != self.version or self.closed or seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await changed.wait()
        except TimeoutError:
            return

    def watch(self) -> asyncio.Queue[Event | None]:
        """A queue of events from now on; None at its end."""
        watcher: asyncio.Queue[Event | None] = asyncio.Queue()
        if self.closed:
            watcher.put_nowait(None)
        else:
            self._watchers.add(watcher)
        return watcher

    def unwatch(self, watcher: asyncio.Queue[Event | None]) -> None:
        self._watchers.discard(watcher)

    def close(self) -> None:
        self.closed = True
        for watcher in list(self._watchers):
            self._send_away(watcher)
        self._wake()

    def _send_away(self, watcher: asyncio.Queue[Event | None]) -> None:
        self._watchers.discard(watcher)
        watcher.put_nowait(None)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
