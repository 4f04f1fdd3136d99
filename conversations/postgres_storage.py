"""The storage for many machines: chats in PostgreSQL."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from .errors import StorageClosedError, StorageError
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    Footprint,
    NameSource,
    SearchType,
    UserIndex,
)
from .postgres_messages import MessageRows
from .postgres_pool import Database
from .postgres_schema import prepare
from .postgres_user import UserRows
from .postgres_verbs import UserVerbs
from .search import SearchHit, Words
from .storage import UnlessActive

if TYPE_CHECKING:
    from .postgres_pool import Connection, Pool

_Result = TypeVar("_Result")

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_BIGINT = 2**63


class PostgresStorage:
    """Keeps chats in a PostgreSQL of version 15 or newer, for as many processes as there are.

    Each verb is one transaction. Those of one user wait for each other, over all processes too;
    so a user's chats are the same everywhere, and any process may answer any message. What fails
    in passing, a lost connection or a server that starts again, is tried again while nothing can
    have been stored yet; else the verb raises `StorageError` within `timeout`, and the next one
    connects afresh. Durable is what the server calls so: with its `fsync` and
    `synchronous_commit` off, which is logged at the start, a crash of it may lose the last words.

    Nothing is opened before the first call. Instances belong to one event loop.

    :param source: the address, `postgresql://user:password@host:port/database?sslmode=verify-full`
        with all that `asyncpg.connect` understands, or an `asyncpg.Pool`, which its owner closes.
    :param schema: the schema of the tables; it is made where the user may.
    :param timeout: seconds for one call, with everything that it waits for.
    :param max_connections: how many at most, for each process; a call takes one for its time.
    :param statement_cache_size: 0 behind pgbouncer in transaction mode, before its version 1.21 or
        without its `max_prepared_statements`. A pool that is given has this set by its owner.
    """

    def __init__(
        self,
        source: str | Pool,
        *,
        schema: str = "conversations",
        timeout: float = 10.0,
        max_connections: int = 10,
        statement_cache_size: int = 100,
    ) -> None:
        if not _SCHEMA.fullmatch(schema):
            raise ValueError("schema takes a lower-case name of letters, digits and underscores")
        self._database = Database(
            source,
            schema=schema,
            timeout=timeout,
            max_size=max_connections,
            statement_cache_size=statement_cache_size,
        )
        # One connection for one user at a time: the others wait here, in the order they came.
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._opening: asyncio.Task[None] | None = None
        self._is_open = False
        self._closed = False
        self._running: set[asyncio.Future[None]] = set()

    @property
    def database(self) -> Database:
        """The transactions under it, for others to keep things of theirs beside the chats.

        What they do there does not wait for any user's calls; `close` ends it as well.
        """
        return self._database

    async def open(self) -> None:
        """Connect, and make or migrate the tables where that is needed.

        :raises StorageError: the database cannot be reached or is not fit, the tables cannot be
            made, or they are those of a newer program.
        """
        if self._closed:
            raise StorageClosedError("the storage is closed")
        if self._is_open:
            return
        if self._opening is None:
            # On its own: a migration may take longer than whoever came first has time.
            self._opening = asyncio.create_task(self._open())
        opening = self._opening
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            if self._closed and opening.cancelled():
                raise StorageClosedError("the storage is closed") from None
            raise

    async def close(self) -> None:
        """Wait for what is under way, and for its connections to be closed.

        A migration that is under way is given up, and nothing is left of it.
        """
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await self._database.close()

    async def read_index(self, user_id: int) -> UserIndex:
        return await self._read(user_id, UserVerbs.read_index)

    async def read_metadata(
        self, user_id: int, conversation_id: str | None
    ) -> ConversationMetadata | None:
        return await self._read(user_id, lambda user: user.read_metadata(conversation_id))

    async def load(
        self, user_id: int, conversation_id: str, *, include_deleted: bool = False
    ) -> Conversation | None:
        return await self._read(
            user_id, lambda user: user.load(conversation_id, include_deleted=include_deleted)
        )

    async def read_last(
        self, user_id: int, conversation_id: str, limit: int
    ) -> list[ConversationMessage]:
        return await self._read(user_id, lambda user: user.read_last(conversation_id, limit))

    async def search(self, user_id: int, words: Words, limit: int) -> list[SearchHit]:
        return await self._read(user_id, lambda user: user.search(words, limit))

    async def find_message(
        self,
        user_id: int,
        message_id: int,
        *,
        dialog_id: int | None = None,
        sent_at: datetime | None = None,
    ) -> SearchHit | None:
        return await self._read(
            user_id,
            lambda user: user.find_message(message_id, dialog_id=dialog_id, sent_at=sent_at),
        )

    async def fork(
        self,
        user_id: int,
        conversation_id: str,
        fork: ConversationMetadata,
        *,
        up_to_message_id: int | None = None,
    ) -> bool:
        return await self._write(
            user_id,
            lambda user: user.creating.fork(
                conversation_id, fork, up_to_message_id=up_to_message_id
            ),
        )

    async def remove_last_exchange(
        self, user_id: int, conversation_id: str
    ) -> list[ConversationMessage]:
        return await self._write(user_id, lambda user: user.remove_last_exchange(conversation_id))

    async def create(
        self, metadata: ConversationMetadata, *, unless_active: UnlessActive | None = None
    ) -> str:
        return await self._write(
            metadata.user_id,
            lambda user: user.creating.create(metadata, unless_active=unless_active),
            create_user=True,
        )

    async def save(self, conversation: Conversation) -> bool:
        saved = await self._write(
            conversation.metadata.user_id,
            lambda user: user.creating.save(conversation),
            create_user=True,
        )
        if saved is None:
            return False
        conversation.revision = saved.revision
        conversation.metadata.message_count = saved.message_count
        conversation.metadata.total_tokens = saved.total_tokens
        return True

    async def add(self, user_id: int, conversations: Sequence[Conversation]) -> None:
        if conversations:
            await self._write(
                user_id, lambda user: user.creating.add(conversations), create_user=True
            )

    async def append(
        self,
        user_id: int,
        conversation_id: str,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None = None,
        include_deleted: bool = False,
    ) -> bool:
        return await self._write(
            user_id,
            lambda user: user.append(
                conversation_id,
                message,
                updated_at=updated_at,
                first_name=first_name,
                include_deleted=include_deleted,
            ),
        )

    async def append_to_active(
        self,
        fallback: ConversationMetadata,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None = None,
    ) -> ConversationMetadata:
        return await self._write(
            fallback.user_id,
            lambda user: user.append_to_active(
                fallback, message, updated_at=updated_at, first_name=first_name
            ),
            create_user=True,
        )

    async def replace(
        self,
        user_id: int,
        conversation_id: str,
        old: ConversationMessage,
        new: ConversationMessage,
        *,
        include_deleted: bool = False,
    ) -> bool:
        return await self._write(
            user_id,
            lambda user: user.replace(conversation_id, old, new, include_deleted=include_deleted),
        )

    async def rename(
        self, user_id: int, conversation_id: str, name: str, source: NameSource
    ) -> bool:
        return await self._write(user_id, lambda user: user.rename(conversation_id, name, source))

    async def set_mode(self, user_id: int, conversation_id: str, mode: SearchType) -> bool:
        return await self._write(user_id, lambda user: user.set_mode(conversation_id, mode))

    async def pin(self, user_id: int, conversation_id: str, *, pinned: bool) -> bool:
        return await self._write(user_id, lambda user: user.pin(conversation_id, pinned=pinned))

    async def activate(self, user_id: int, conversation_id: str) -> bool:
        return await self._write(user_id, lambda user: user.activate(conversation_id))

    async def delete(
        self,
        user_id: int,
        conversation_id: str,
        *,
        deleted_at: str,
        successor: ConversationMetadata,
    ) -> bool:
        return await self._write(
            user_id,
            lambda user: user.delete(conversation_id, deleted_at=deleted_at, successor=successor),
        )

    async def restore(self, user_id: int, conversation_id: str, *, activate: bool) -> bool:
        return await self._write(
            user_id, lambda user: user.restore(conversation_id, activate=activate)
        )

    async def read_trash(self, user_id: int) -> list[ConversationMetadata]:
        return await self._read(user_id, UserVerbs.read_trash)

    async def purge(self, user_id: int, *, deleted_before: str | None = None) -> int:
        return await self._write(user_id, lambda user: user.purge(deleted_before=deleted_before))

    async def keep_file(self, user_id: int, name: str, data: bytes) -> str:
        return await self._write(
            user_id, lambda user: user.keep_file(name, data), create_user=True
        )

    async def take_damage(self, user_id: int) -> int:  # noqa: ARG002 - the contract's
        """Give 0: nothing of a database is put aside."""
        if self._closed:
            raise StorageClosedError("the storage is closed")
        return 0

    async def set_instructions(
        self, user_id: int, conversation_id: str, instructions: str
    ) -> bool:
        return await self._write(
            user_id, lambda user: user.set_instructions(conversation_id, instructions)
        )

    async def read_settings(self, user_id: int) -> dict[str, Any]:
        return await self._read(user_id, UserVerbs.read_settings)

    async def update_settings(self, user_id: int, changes: Mapping[str, Any]) -> None:
        sets = any(value is not None for value in changes.values())
        await self._write(user_id, lambda user: user.update_settings(changes), create_user=sets)

    async def measure(self, user_id: int) -> Footprint:
        return await self._read(user_id, UserVerbs.measure)

    async def erase(self, user_id: int) -> Footprint:
        return await self._write(user_id, UserVerbs.erase)

    async def _read(
        self, user_id: int, verb: Callable[[UserVerbs], Awaitable[_Result]]
    ) -> _Result:
        return await self._do(
            user_id,
            lambda connection: verb(
                UserVerbs(UserRows(connection, user_id), MessageRows(connection))
            ),
            read_only=True,
        )

    async def _open(self) -> None:
        try:
            await prepare(self._database)
            self._is_open = True
        finally:
            self._opening = None

    async def _write(
        self,
        user_id: int,
        verb: Callable[[UserVerbs], Awaitable[_Result]],
        *,
        create_user: bool = False,
    ) -> _Result:
        async def alone(connection: Connection) -> _Result:
            rows = UserRows(connection, user_id)
            await rows.lock(create=create_user)
            return await verb(UserVerbs(rows, MessageRows(connection)))

        return await self._do(user_id, alone)

    async def _do(
        self,
        user_id: int,
        work: Callable[[Connection], Awaitable[_Result]],
        *,
        read_only: bool = False,
    ) -> _Result:
        """Run one verb in one transaction, after those of this user that came before."""
        if not -_BIGINT <= user_id < _BIGINT:
            raise StorageError("the user's id is too large for the database")
        deadline = self._database.deadline()
        lock = self._locks.get(user_id)
        if lock is None:
            lock = self._locks[user_id] = asyncio.Lock()
        ended = asyncio.get_running_loop().create_future()
        self._running.add(ended)
        try:
            async with lock:  # whoever has it has an earlier deadline
                if not self._is_open:
                    await self._database.until(deadline, self.open())
                if self._closed:
                    raise StorageClosedError("the storage is closed")
                return await self._database.transact(work, deadline=deadline, read_only=read_only)
        finally:
            self._running.discard(ended)
            ended.set_result(None)
