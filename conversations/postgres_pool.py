"""Whole transactions on a pool of connections: their time limits, their retries, what fails.

A transaction that fails before its commit was sent has not happened, and is tried again where that
may help. One whose commit was sent and not confirmed may have happened: that is told, and it is
for the caller to repeat the call, which by the contract of the verbs does nothing twice.

Limits are set in every transaction and not on the connection, so that all of it works behind a
pool like pgbouncer's as well, which gives a connection to somebody else after each transaction.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from .errors import StorageError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

_Result = TypeVar("_Result")

_WRITING = "read committed"  # behind the user's lock, so that each statement sees what it left
_READING = "repeatable read, read only"  # one moment, whatever is written meanwhile
_PAUSES = (0.0, 0.25)  # seconds before the second and the third attempt
_LEAST = 0.1  # seconds that a commit is given, however late it is
_RELEASE = 1.0  # seconds for giving a connection back; it is dropped then
_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.StatementCompletionUnknownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
_PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,  # another program has just migrated the tables
    asyncpg.InterfaceError,
    OSError,
)


class Database:
    """Runs transactions in one schema of a database; belongs to one event loop.

    :param source: an address, or a pool, which then stays its owner's to close.
    :param timeout: seconds for a whole call, its attempts and its waiting included.
    :param options: what else `asyncpg.create_pool` is to know.
    """

    def __init__(self, source: str | Pool, *, schema: str, timeout: float, **options: Any) -> None:
        self.schema = schema
        self.timeout = timeout
        self._source = source
        self._options = options
        self._pool: Pool | None = None if isinstance(source, str) else source

    async def close(self) -> None:
        if self._pool is None or self._pool is self._source:
            return
        try:
            async with asyncio.timeout(self.timeout):
                await self._pool.close()
        except _FAILURES:
            self._pool.terminate()

    def deadline(self, timeout: float | None = None) -> float:
        """Give the end of the time that a call has from now on, by the loop's clock."""
        return asyncio.get_running_loop().time() + (timeout or self.timeout)

    async def until(self, deadline: float, waiting: Awaitable[_Result]) -> _Result:
        """Wait no longer than that.

        :raises StorageError: it was too long.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return await waiting
        except TimeoutError as error:
            raise StorageError(self._in_words(error)) from None

    async def transact(
        self,
        work: Callable[[Connection], Awaitable[_Result]],
        *,
        deadline: float,
        read_only: bool = False,
    ) -> _Result:
        """Do some work in one transaction, by the time that `deadline` gave.

        A call that is cancelled before its commit leaves nothing behind; from there on it waits
        for the outcome first.

        :raises StorageError: it has not happened, or, if the text says so, it may have.
        """
        pauses = iter(_PAUSES)
        while True:
            try:
                return await self._attempt(work, deadline, read_only=read_only)
            except _FAILURES as error:
                pause = next(pauses, None) if _may_pass(error) else None
                if pause is None:
                    # Without the cause: it may quote the address and what was to be stored.
                    raise StorageError(self._in_words(error)) from None
            await asyncio.sleep(pause)

    async def _attempt(
        self,
        work: Callable[[Connection], Awaitable[_Result]],
        deadline: float,
        *,
        read_only: bool,
    ) -> _Result:
        pool, connection = await self._ready_pool(), None
        try:
            async with asyncio.timeout_at(deadline):
                connection = await _acquire(pool)
                await connection.execute(self._begin(deadline, read_only=read_only))
                result = await work(connection)
            await self._commit(connection, deadline, read_only=read_only)
        except BaseException as error:
            # In what state it is, is not worth finding out: the server rolls back.
            if connection is not None:
                with suppress(asyncpg.InterfaceError):  # it was lost, and the pool knows
                    connection.terminate()
                if isinstance(error, TimeoutError):
                    # The other connections lead into the same silence. Not so where all of them
                    # were at work: to lose them would make of much to do too much.
                    await pool.expire_connections()
            raise
        finally:
            if connection is not None:
                with suppress(*_FAILURES):  # of no concern to what is committed
                    await pool.release(connection, timeout=_RELEASE)
        return result

    async def _ready_pool(self) -> Pool:
        """Give the pool, made at its first use; it connects as connections are asked for."""
        if self._pool is None:
            self._pool = await asyncpg.create_pool(
                str(self._source),
                min_size=0,
                timeout=self.timeout,
                reset=_nothing_to_reset,
                **self._options,
            )
        return self._pool

    def _begin(self, deadline: float, *, read_only: bool) -> str:
        """Begin with limits, so that the server gives up, and frees the locks, when we have.

        A transaction that hears nothing more from us is gone before a repeated call, which waits
        for its locks, gives up in its turn.
        """
        left = max(deadline - asyncio.get_running_loop().time(), _LEAST)
        return (
            f"begin isolation level {_READING if read_only else _WRITING};"
            f' set local search_path to "{self.schema}";'
            f" set local statement_timeout to {left * 1000:.0f};"
            f" set local idle_in_transaction_session_timeout to {left * 500:.0f}"
        )

    async def _commit(self, connection: Connection, deadline: float, *, read_only: bool) -> None:
        left = max(deadline - asyncio.get_running_loop().time(), _LEAST)
        commit = asyncio.ensure_future(connection.execute("commit", timeout=left))
        cancelled: asyncio.CancelledError | None = None
        while not commit.done():
            try:
                await asyncio.wait([commit])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            if not commit.cancelled():
                commit.exception()  # seen, so that nobody warns of it
            raise cancelled
        try:
            outcome = commit.result()
        except _LOST as error:
            if read_only:
                raise
            raise StorageError(
                f"{self._in_words(error)}; it may or may not have been stored,"
                " and repeating the call is safe"
            ) from None
        if outcome != "COMMIT":
            raise StorageError("PostgreSQL rolled the transaction back")

    def _in_words(self, error: Exception) -> str:
        """Say what failed without any address, password or text of a message."""
        if isinstance(error, TimeoutError):
            return f"PostgreSQL did not answer within {self.timeout:g} s"
        if isinstance(error, asyncpg.PostgresError):
            return f"PostgreSQL: {error.args[0]} ({type(error).__name__})"
        if isinstance(error, OSError):
            return f"PostgreSQL cannot be reached: {_reason(error)}"
        return f"PostgreSQL was not asked: {type(error).__name__}"


async def _acquire(pool: Pool) -> Connection:
    try:
        return await pool.acquire()
    except ValueError:
        raise StorageError("the address of the database is not understood") from None


def _may_pass(error: Exception) -> bool:
    """Tell whether the same may work in a moment. A wrong value or address stays wrong."""
    return isinstance(error, _PASSING) and not isinstance(error, (TimeoutError, ValueError))


def _reason(error: OSError) -> str:
    if isinstance(error, (socket.gaierror, ssl.SSLError)) or not error.errno:
        return type(error).__name__  # numbers of their own
    return os.strerror(error.errno)


async def _nothing_to_reset(_: object) -> None:
    """Spare the usual round trip: all that we set ends with the transaction."""
