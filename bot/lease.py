"""A worker's life, as PostgreSQL knows it: a lock that ends with the connection that holds it.

The connection asks something every few seconds. When it is closed or hears nothing, the worker
knows that its lease is lost; and the server ends a session that asks nothing for longer than
that, so that the lock of a worker which was killed or cut off is free within `LIMIT` seconds, and
never before that worker has given up. It needs a connection of its own to the server: no pool
like pgbouncer's in transaction mode may stand between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from conversations import StorageError, postgres_migrations

from .inboxes import Lost

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

logger = logging.getLogger(__name__)

LIMIT = 10  # seconds without a question after which the server ends the session
_BEAT = 2.0  # seconds between two questions
_PATIENCE = 4.0  # seconds for an answer; with the beat, well below the limit
_PAUSE = 1.0  # seconds between two attempts to have a lease again
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class PostgresLease:
    """Makes this process one of the workers of a bot, again and again until it is closed."""

    def __init__(self, url: str, *, schema: str, bot_id: int) -> None:
        self.worker: int | None = None  # its number while it lives; a new one each time
        self.channel = f"{schema}_inbox_{bot_id}"
        self._url = url
        self._schema = schema
        self._bot_id = bot_id
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()  # a connection answers one question at a time
        self._gone = asyncio.Event()
        self._lost: list[Lost] = []
        self._taken: list[Callable[[], object]] = []
        self._heard: list[Callable[[str], object]] = []
        self._living: asyncio.Task[None] | None = None

    def watch(
        self,
        *,
        lost: Lost | None = None,
        taken: Callable[[], object] | None = None,
        heard: Callable[[str], object] | None = None,
    ) -> None:
        """Have one told of a lease that is lost or taken again, and of what workers tell.

        All that wait for `lost` have ended before there is a lease again.
        """
        self._lost += [lost] if lost else []
        self._taken += [taken] if taken else []
        self._heard += [heard] if heard else []

    async def open(self) -> None:
        """Become a worker.

        :raises StorageError: the database does not let us.
        """
        try:
            await self._take()
        except _FAILURES as error:
            raise StorageError(f"no lease could be taken: {type(error).__name__}") from None
        self._living = asyncio.create_task(self._live())

    async def close(self) -> None:
        """Be no worker any more, and let the others know."""
        if self._living is not None:
            self._living.cancel()
            with suppress(asyncio.CancelledError):
                await self._living
        connection, worker = self._connection, self.worker
        self.worker = self._connection = None
        if connection is None:
            return
        with suppress(*_FAILURES):
            async with asyncio.timeout(_PATIENCE):
                await connection.execute(
                    f'update "{self._schema}".inbox_workers set has_left = true'  # noqa: S608
                    " where worker = $1",
                    worker,
                )
                await connection.execute("select pg_advisory_unlock_all()")
                await connection.execute("select pg_notify($1, '')", self.channel)
                await connection.close()
        connection.terminate()

    async def check(self) -> None:
        """:raises StorageError: there is no lease at the moment."""
        if self.worker is None:
            raise StorageError("this worker has no lease")

    async def claim(self, what: str) -> bool:
        """Take a lock that one worker at a time can have, for as long as this lease lasts."""
        connection = self._connection
        if connection is None:
            return False
        key = postgres_migrations.lock_key(self._schema, f"{what} of bot {self._bot_id}")
        try:
            async with self._turn, asyncio.timeout(_PATIENCE):
                return bool(await connection.fetchval("select pg_try_advisory_lock($1)", key))
        except _FAILURES:
            return False  # the next beat finds out why

    async def _live(self) -> None:
        while True:
            if self._connection is not None:
                await self._beat(self._connection)
                await self._lose()
            try:
                await self._take()
            except _FAILURES as error:
                logger.info("no lease could be taken: %s", type(error).__name__)
                await asyncio.sleep(_PAUSE)
            else:
                logger.warning("worker %s goes on", self.worker)

    async def _take(self) -> None:
        """Become a worker under a new number; nobody sees it before it is locked."""
        self._gone.clear()
        connection: Connection = await asyncpg.connect(
            self._url,
            timeout=_PATIENCE,
            command_timeout=_PATIENCE,
            server_settings={"idle_session_timeout": f"{LIMIT}s"},
        )
        try:
            async with connection.transaction():
                worker = await connection.fetchval(
                    f'insert into "{self._schema}".inbox_workers (bot)'  # noqa: S608
                    " values ($1) returning worker",
                    self._bot_id,
                )
                key = worker_key(self._schema, worker)
                await connection.execute("select pg_advisory_lock($1)", key)
            connection.add_termination_listener(lambda *_: self._gone.set())
            await connection.add_listener(self.channel, self._hear)
        except BaseException:
            connection.terminate()
            raise
        self._connection, self.worker = connection, worker
        for taken in self._taken:
            taken()

    async def _beat(self, connection: Connection) -> None:
        """Return when the lease is lost."""
        while not connection.is_closed():
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEAT):
                    await self._gone.wait()
            try:
                async with asyncio.timeout(_PATIENCE), self._turn:
                    await connection.execute("select 1")
            except _FAILURES as error:
                logger.warning("the database does not answer: %s", type(error).__name__)
                return

    async def _lose(self) -> None:
        logger.error("worker %s has lost its lease and gives up what it does", self.worker)
        connection, self._connection, self.worker = self._connection, None, None
        if connection is not None:
            connection.terminate()
        for failure in await asyncio.gather(
            *(lost() for lost in self._lost), return_exceptions=True
        ):
            if isinstance(failure, Exception):
                logger.error("giving up failed", exc_info=failure)

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        for heard in self._heard:
            heard(str(payload))


def worker_key(schema: str, worker: int) -> int:
    return postgres_migrations.lock_key(schema, f"worker {worker}")
