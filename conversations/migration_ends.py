"""The two ends of a migration: a storage, and what of it the verbs of a storage do not reach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .durable import make_folder, replace_file, sync_folder
from .errors import StorageError
from .inspection import user_folders
from .json_storage import JsonStorage
from .models import UserIndex
from .storage import ConversationStorage, is_valid_file_name

if TYPE_CHECKING:
    from .postgres_pool import Connection
    from .postgres_storage import PostgresStorage

_FILES = "files"


class MigrationEnd(Protocol):
    """Where chats come from, or where they go. Everything raises `StorageError` or `OSError`."""

    storage: ConversationStorage

    async def users(self) -> list[int]:
        """Give all who have anything, in a fixed order."""

    async def files(self, user_id: int) -> list[str]:
        """Give the names of a user's kept files, those alone that every storage takes."""

    async def read_file(self, user_id: int, name: str) -> bytes: ...

    async def begin_user(self, index: UserIndex) -> None:
        """Make a user with the name and the unknown keys of an index, before anything else."""


class FolderEnd:
    """A folder of files; as a source it has to be there."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.storage: ConversationStorage = JsonStorage(root)

    async def users(self) -> list[int]:
        return sorted(user_id for user_id, _ in user_folders(self._root))

    async def files(self, user_id: int) -> list[str]:
        folder = self._folder(user_id) / _FILES
        names = (path.name for path in folder.glob("*") if path.is_file())
        return sorted(name for name in names if is_valid_file_name(name))

    async def read_file(self, user_id: int, name: str) -> bytes:
        return (self._folder(user_id) / _FILES / name).read_bytes()

    async def begin_user(self, index: UserIndex) -> None:
        """Write an index without chats, where there is none: the storage keeps what it says."""
        folder = self._folder(index.user_id)
        path = folder / "index.json"
        if path.exists():
            return
        make_folder(folder)
        empty = UserIndex(index.user_id, index.username, extra=index.extra)
        replace_file(path, json.dumps(empty.to_dict()).encode() + b"\n")
        sync_folder(folder)

    def _folder(self, user_id: int) -> Path:
        return self._root / f"user_{user_id}"


class DatabaseEnd:
    """A PostgreSQL with the schema of the storage."""

    def __init__(self, storage: PostgresStorage) -> None:
        self.storage: ConversationStorage = storage
        self._database = storage.database

    async def users(self) -> list[int]:
        rows = await self._fetch("select user_id from users order by user_id")
        return [row["user_id"] for row in rows]

    async def files(self, user_id: int) -> list[str]:
        query = "select name from files where user_id = $1 order by name"
        return [row["name"] for row in await self._fetch(query, user_id)]

    async def read_file(self, user_id: int, name: str) -> bytes:
        query = "select data from files where user_id = $1 and name = $2"
        rows = await self._fetch(query, user_id, name)
        if not rows:
            raise StorageError("a file is gone: something else writes to the database")
        return bytes(rows[0]["data"])

    async def begin_user(self, index: UserIndex) -> None:
        from .postgres_rows import to_column, to_json

        extra, username = to_json(index.extra), to_column(index.username)

        async def insert(connection: Connection) -> None:
            await connection.execute(
                "insert into users (user_id, username, extra) values ($1, $2, $3)"
                " on conflict (user_id) do nothing",
                index.user_id,
                username,
                extra,
            )

        await self._database.transact(insert, deadline=self._database.deadline())

    async def _fetch(self, query: str, *values: Any) -> Sequence[Any]:
        async def read(connection: Connection) -> Sequence[Any]:
            return await connection.fetch(query, *values)

        await self.storage.open()
        deadline = self._database.deadline()
        return await self._database.transact(read, deadline=deadline, read_only=True)
