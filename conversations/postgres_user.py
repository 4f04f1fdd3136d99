"""The statements on a user's own row and those of the chats, for the verbs to be made of.

Instances live for one transaction. What a chat's row says is true until the end of a transaction
that began with `lock`: nobody else writes to that user until then.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .errors import StorageError
from .models import (
    Conversation,
    Footprint,
    NameSource,
    SearchType,
    parse_time,
)
from .postgres_rows import from_column, from_json, to_column, to_json
from .storage import is_valid_id

if TYPE_CHECKING:
    import asyncpg

    from .postgres_pool import Connection


class UserRows:
    def __init__(self, connection: Connection, user_id: int) -> None:
        self.user_id = user_id
        self._connection = connection

    async def lock(self, *, create: bool) -> None:
        """Wait until no other transaction writes to this user; `create` makes a missing one."""
        lock = "select 1 from users where user_id = $1 for update"
        if await self._connection.fetchval(lock, self.user_id) is None and create:
            await self._connection.execute(
                "insert into users (user_id) values ($1) on conflict do nothing", self.user_id
            )
            await self._connection.fetchval(lock, self.user_id)

    async def index(self) -> list[asyncpg.Record]:
        """Give the user with each living chat; one row without a chat where there is none."""
        return await self._connection.fetch(
            "select u.username as index_username, u.active, u.settings,"
            " u.extra as index_extra, c.*"
            " from users u left join conversations c"
            " on c.user_id = u.user_id and c.deleted_at is null where u.user_id = $1",
            self.user_id,
        )

    async def find(
        self, conversation_id: str, *, include_deleted: bool = False
    ) -> asyncpg.Record | None:
        if not is_valid_id(conversation_id):
            return None
        return await self._connection.fetchrow(
            "select * from conversations where user_id = $1 and conversation_id = $2"
            " and (deleted_at is null or $3)",
            self.user_id,
            conversation_id,
            include_deleted,
        )

    async def listed(self, conversation_id: str) -> asyncpg.Record | None:
        """Give a living chat, and the `active` one's id; None where rows were changed by hand."""
        if not is_valid_id(conversation_id):
            return None
        return await self._connection.fetchrow(
            "select c.*, a.conversation_id as active"
            " from conversations c join users u on u.user_id = c.user_id"
            " left join conversations a on a.user_id = u.user_id"
            " and a.conversation_id = u.active and a.deleted_at is null"
            " where c.user_id = $1 and c.conversation_id = $2 and c.deleted_at is null",
            self.user_id,
            conversation_id,
        )

    async def active(self) -> asyncpg.Record | None:
        """Give the active chat; the newest one where rows were changed by hand."""
        active = await self._connection.fetchrow(
            "select c.* from users u join conversations c"
            " on c.user_id = u.user_id and c.conversation_id = u.active"
            " where u.user_id = $1 and c.deleted_at is null",
            self.user_id,
        )
        return active or await self._connection.fetchrow(
            "select * from conversations where user_id = $1 and deleted_at is null"
            " order by updated_time desc, created_time desc, conversation_id limit 1",
            self.user_id,
        )

    async def activate(self, conversation_id: str, username: str = "") -> None:
        await self._connection.execute(
            "update users set active = $2, username = coalesce(nullif($3, ''), username)"
            " where user_id = $1",
            self.user_id,
            conversation_id,
            to_column(username),
        )

    async def username(self) -> str:
        stored = await self._connection.fetchval(
            "select username from users where user_id = $1", self.user_id
        )
        return from_column(stored or "")

    async def fill_username(self, username: str) -> None:
        """Give the user a name where there is none yet."""
        await self._connection.execute(
            "update users set username = $2 where user_id = $1 and username = ''",
            self.user_id,
            to_column(username),
        )

    async def set_name(self, chat: int, name: str, source: NameSource) -> None:
        await self._connection.execute(
            "update conversations set name = $2, name_source = $3 where chat = $1",
            chat,
            to_column(name),
            to_column(source),
        )

    async def set_mode(self, chat: int, mode: SearchType) -> None:
        await self._connection.execute(
            "update conversations set mode = $2 where chat = $1", chat, to_column(mode)
        )

    async def set_instructions(self, chat: int, instructions: str) -> None:
        await self._connection.execute(
            "update conversations set instructions = $2 where chat = $1",
            chat,
            to_column(instructions),
        )

    async def settings(self) -> dict[str, Any]:
        return from_json(
            await self._connection.fetchval(
                "select settings from users where user_id = $1", self.user_id
            )
        )

    async def set_settings(self, settings: dict[str, Any]) -> None:
        await self._connection.execute(
            "update users set settings = $2 where user_id = $1", self.user_id, to_json(settings)
        )

    async def measure(self) -> Footprint:
        """Count what is stored; the size is that of texts, facts and files."""
        row = await self._connection.fetchrow(
            "select count(*) filter (where deleted_at is null) as chats,"
            " count(deleted_at) as deleted_chats, coalesce(sum(message_count), 0) as messages,"
            " (select count(*) from files where user_id = $1) as files,"
            " (select coalesce(sum(octet_length(m.text) + octet_length(m.facts::text)), 0)"
            " from messages m join conversations c using (chat) where c.user_id = $1)"
            " + (select coalesce(sum(octet_length(data)), 0) from files where user_id = $1)"
            " as size from conversations where user_id = $1",
            self.user_id,
        )
        return Footprint(**{key: int(value) for key, value in row.items()} if row else {})

    async def erase(self) -> None:
        """Remove the user, and with it all that refers to it."""
        await self._connection.execute("delete from users where user_id = $1", self.user_id)

    async def set_pinned(self, chat: int, *, pinned: bool) -> None:
        await self._connection.execute(
            "update conversations set pinned = $2 where chat = $1", chat, pinned
        )

    async def move_to_trash(self, chat: int, deleted_at: str, *, was_active: bool) -> None:
        await self._connection.execute(
            "update conversations set deleted_at = $2, deleted_time = $3, was_active = $4"
            " where chat = $1",
            chat,
            to_column(deleted_at),
            parse_time(deleted_at),
            was_active,
        )

    async def take_out_of_trash(self, chat: int) -> None:
        await self._connection.execute(
            "update conversations set deleted_at = null, deleted_time = null, was_active = false"
            " where chat = $1",
            chat,
        )

    async def remove(self, chat: int) -> None:
        await self._connection.execute("delete from conversations where chat = $1", chat)

    async def trash(self) -> list[asyncpg.Record]:
        return await self._connection.fetch(
            "select * from conversations where user_id = $1 and deleted_at is not null",
            self.user_id,
        )

    async def purge(self, before: datetime | None) -> int:
        """Remove what was deleted before that time; tell how many chats."""
        status = await self._connection.execute(
            "delete from conversations where user_id = $1 and deleted_at is not null"
            " and ($2::timestamptz is null or deleted_time < $2)",
            self.user_id,
            before,
        )
        return int(status.removeprefix("DELETE "))

    async def put_file(self, name: str, data: bytes) -> None:
        await self._connection.execute(
            "insert into files (user_id, name, data) values ($1, $2, $3)"
            " on conflict (user_id, name) do update set data = excluded.data",
            self.user_id,
            name,
            data,
        )

    async def put(
        self, conversation: Conversation, count: int = 0, tokens: int = 0
    ) -> asyncpg.Record:
        """Write a chat's row, new or over the old one, and give it; its messages come after it.

        The revision goes up by `count`, so that there are places for as many.
        """
        metadata = conversation.metadata
        if not is_valid_id(metadata.conversation_id):
            raise StorageError("no chat may have this id")
        [row] = await self._connection.fetch(
            "insert into conversations as old (user_id, conversation_id, username, name,"
            " name_source, mode, pinned, created_at, created_time, updated_at, updated_time,"
            " extra, chat_extra, total_tokens, message_count, revision, instructions, forked_from)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16,"
            " $17)"
            " on conflict (user_id, conversation_id) do update set (username, name, name_source,"
            " mode, pinned, created_at, created_time, updated_at, updated_time, extra, chat_extra,"
            " total_tokens, message_count, revision, instructions, forked_from)"
            " = ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, old.revision + $15,"
            " $16, $17) returning *",
            self.user_id,
            metadata.conversation_id,
            to_column(metadata.username),
            to_column(metadata.name),
            to_column(metadata.name_source),
            to_column(metadata.mode),
            metadata.pinned,
            to_column(metadata.created_at),
            parse_time(metadata.created_at),
            to_column(metadata.updated_at),
            parse_time(metadata.updated_at),
            to_json(metadata.extra),
            to_json(conversation.extra),
            tokens,
            count,
            to_column(metadata.instructions),
            None if metadata.forked_from is None else to_column(metadata.forked_from),
        )
        return row
