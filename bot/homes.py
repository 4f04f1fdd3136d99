"""Where the chats stand, and beside them what has come in and what was used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from config import Settings
from conversations import ConversationStorage, JsonStorage, StorageError, migration_ends

from .building import StartError, reveal
from .inbox import Inbox
from .inboxes import Lease, UpdateInbox
from .metering import Meter, UsageMeter

MigrationEnd = migration_ends.MigrationEnd

if TYPE_CHECKING:
    from conversations import PostgresStorage

    from .lease import PostgresLease


class Home(Protocol):
    """Opens the parts that keep something; what is opened is closed by the stack, last first.

    :raises StartError: a part cannot be opened.
    """

    async def open_storage(self, opened: AsyncExitStack) -> ConversationStorage: ...

    async def open_lease(self, bot_id: int, opened: AsyncExitStack) -> Lease | None:
        """Make this process one of many workers; None where it is the only one."""

    async def open_inbox(self, bot_id: int, opened: AsyncExitStack) -> UpdateInbox: ...

    async def open_meter(self, bot_id: int, opened: AsyncExitStack) -> UsageMeter: ...


def choose_home(settings: Settings) -> Home:
    url = reveal(settings.database_url)
    if url is not None:
        return SharedDatabase(url)
    return Folder(settings.conversations_dir, journal=settings.journal)


def find_end(name: str, settings: Settings) -> MigrationEnd:
    """Give what an operator names as an end of a migration, not opened yet.

    :raises StartError: it cannot be.
    """
    if name != "database":
        return migration_ends.FolderEnd(Path(name))
    url = reveal(settings.database_url)
    if url is None:
        raise StartError("`database` is that of DATABASE_URL, which is not set")
    return migration_ends.DatabaseEnd(_connect(url))


def _connect(url: str) -> PostgresStorage:
    try:
        from conversations import PostgresStorage
    except ImportError as error:
        package = "pip install -r requirements-postgres.txt"
        raise StartError(f"DATABASE_URL needs a driver: {package}") from error
    return PostgresStorage(url)


class Folder:
    """A folder of files, which one process has to itself."""

    def __init__(self, path: Path, *, journal: bool) -> None:
        self._path = path
        self._journal = journal

    async def open_storage(self, opened: AsyncExitStack) -> ConversationStorage:
        storage = JsonStorage(self._path, journal=self._journal)
        opened.push_async_callback(storage.close)
        with _told("CONVERSATIONS_DIR"):
            await storage.open()
        return storage

    async def open_lease(
        self,
        bot_id: int,  # noqa: ARG002 - the protocol's
        opened: AsyncExitStack,  # noqa: ARG002
    ) -> None:
        return None

    async def open_inbox(self, bot_id: int, opened: AsyncExitStack) -> UpdateInbox:
        """Open the bot's own: another bot in the folder must not handle what was sent to it."""
        inbox = Inbox(self._path / f"inbox-{bot_id}.jsonl")
        opened.push_async_callback(inbox.close)
        with _told("CONVERSATIONS_DIR", OSError):
            await inbox.open()
        return inbox

    async def open_meter(self, bot_id: int, opened: AsyncExitStack) -> UsageMeter:
        meter = Meter(self._path / f"usage-{bot_id}.jsonl")
        opened.push_async_callback(meter.close)
        with _told("CONVERSATIONS_DIR", OSError):
            await meter.open()
        return meter


class SharedDatabase:
    """A PostgreSQL that any number of workers share."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._storage: PostgresStorage | None = None
        self._lease: PostgresLease | None = None

    async def open_storage(self, opened: AsyncExitStack) -> ConversationStorage:
        self._storage = storage = _connect(self._url)
        from .postgres_tables import prepare

        opened.push_async_callback(storage.close)
        with _told("DATABASE_URL"):
            await storage.open()
            await prepare(storage.database)
        return storage

    async def open_lease(self, bot_id: int, opened: AsyncExitStack) -> Lease:
        from .lease import PostgresLease

        schema = self._opened.database.schema
        self._lease = lease = PostgresLease(self._url, schema=schema, bot_id=bot_id)
        opened.push_async_callback(lease.close)
        with _told("DATABASE_URL"):
            await lease.open()
        return lease

    async def open_inbox(self, bot_id: int, opened: AsyncExitStack) -> UpdateInbox:
        from .inbox_postgres import PostgresInbox

        if self._lease is None:
            raise RuntimeError("the inbox needs the lease")
        inbox = PostgresInbox(self._opened.database, self._lease, bot_id=bot_id)
        opened.push_async_callback(inbox.close)
        with _told("DATABASE_URL"):
            await inbox.open()
        return inbox

    async def open_meter(
        self,
        bot_id: int,
        opened: AsyncExitStack,  # noqa: ARG002 - the protocol's
    ) -> UsageMeter:
        from .metering_postgres import PostgresMeter

        return PostgresMeter(self._opened.database, bot_id=bot_id)

    @property
    def _opened(self) -> PostgresStorage:
        if self._storage is None:
            raise RuntimeError("the storage is to be opened first")
        return self._storage


@contextmanager
def _told(setting: str, failure: type[Exception] = StorageError) -> Iterator[None]:
    """Have the operator told which setting names what cannot be opened."""
    try:
        yield
    except failure as error:
        raise StartError(f"{setting}: {error}") from error
