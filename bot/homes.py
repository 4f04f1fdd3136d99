"""Where the chats stand, and beside them what has come in and what was used."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from config import Settings
from conversations import ConversationStorage, JsonStorage, StorageError

from .building import StartError, reveal
from .inbox import Inbox
from .metering import Meter


class Home(Protocol):
    """Opens the parts that keep something; what is opened is closed by the stack, last first.

    :raises StartError: a part cannot be opened.
    """

    async def open_storage(self, opened: AsyncExitStack) -> ConversationStorage: ...

    async def open_inbox(self, bot_id: int, opened: AsyncExitStack) -> Inbox: ...

    async def open_meter(self, bot_id: int, opened: AsyncExitStack) -> Meter: ...


def choose_home(settings: Settings) -> Home:
    url = reveal(settings.database_url)
    folder = Folder(settings.conversations_dir)
    return folder if url is None else SharedDatabase(url, settings.conversations_dir)


class Folder:
    """A folder of files, which one process has to itself."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open_storage(self, opened: AsyncExitStack) -> ConversationStorage:
        storage = JsonStorage(self._path)
        opened.push_async_callback(storage.close)
        try:
            await storage.open()
        except StorageError as error:
            raise StartError(f"CONVERSATIONS_DIR: {error}") from error
        return storage

    async def open_inbox(self, bot_id: int, opened: AsyncExitStack) -> Inbox:
        """Open the bot's own: another bot in the folder must not handle what was sent to it."""
        inbox = Inbox(self._path / f"inbox-{bot_id}.jsonl")
        opened.push_async_callback(inbox.close)
        try:
            await inbox.open()
        except OSError as error:
            raise StartError(f"CONVERSATIONS_DIR: {error}") from error
        return inbox

    async def open_meter(self, bot_id: int, opened: AsyncExitStack) -> Meter:
        meter = Meter(self._path / f"usage-{bot_id}.jsonl")
        opened.push_async_callback(meter.close)
        try:
            await meter.open()
        except OSError as error:
            raise StartError(f"CONVERSATIONS_DIR: {error}") from error
        return meter


class SharedDatabase(Folder):
    """A PostgreSQL that any number of workers share."""

    def __init__(self, url: str, path: Path) -> None:
        super().__init__(path)
        self._url = url

    async def open_storage(self, opened: AsyncExitStack) -> ConversationStorage:
        try:
            from conversations import PostgresStorage
        except ImportError as error:
            package = "pip install -r requirements-postgres.txt"
            raise StartError(f"DATABASE_URL needs a driver: {package}") from error
        storage = PostgresStorage(self._url)
        opened.push_async_callback(storage.close)
        try:
            await storage.open()
        except StorageError as error:
            raise StartError(f"DATABASE_URL: {error}") from error
        return storage
