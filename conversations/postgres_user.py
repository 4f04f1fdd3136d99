"""The statements on one user's rows, for the verbs of `postgres_verbs` to be made of.

Instances live for one transaction. What a chat's row says is true until the end of a transaction
that began with `lock`: nobody else writes to that user until then.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .errors import StorageError
from .models import (
    Conversation,
    ConversationMessage,
    Footprint,
    NameSource,
    SearchType,
    parse_time,
)
from .postgres_rows import MessageRow, from_json, to_column, to_json, to_row
from .storage import is_valid_id

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.cursor import CursorFactory as AnyCursorFactory

    from .postgres_pool import Connection

    CursorFactory = AnyCursorFactory[asyncpg.Record]

_MOST = 2**31 - 1  # messages at once


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

    async def last_messages(self, conversation_id: str, limit: int) -> list[asyncpg.Record]:
        """Give the last messages of a living chat, the latest first."""
        if not is_valid_id(conversation_id):
            return []
        return await self._connection.fetch(
            "select text, facts from messages where chat = (select chat from conversations"
            " where user_id = $1 and conversation_id = $2 and deleted_at is null)"
            " order by position desc limit $3",
            self.user_id,
            conversation_id,
            min(limit, _MOST),
        )

    async def messages(self, chat: int) -> list[asyncpg.Record]:
        return await self._connection.fetch(
            "select position, hash, text, facts from messages where chat = $1 order by position",
            chat,
        )

    async def append_message(
        self, chat: int, message: ConversationMessage, updated_at: str
    ) -> None:
        """Add a message, and count it, unless the very same one is there."""
        row = to_row(message)
        await self._connection.execute(
            "with counted as (update conversations set message_count = message_count + 1,"
            " total_tokens = total_tokens + $10, revision = revision + 1,"
            " updated_at = case when updated_time < $12 then $11 else updated_at end,"
            " updated_time = greatest(updated_time, $12) where chat = $1"
            " and not exists (select from messages where chat = $1 and hash = $2)"
            " returning revision)"
            " insert into messages"
            " (chat, position, hash, time, text, facts, folded, is_question, message_id, pieces)"
            " select $1, revision, $2, $3, $4, $5, $6, $7, $8, $9 from counted",
            chat,
            *row,
            message.tokens,
            to_column(updated_at),
            parse_time(updated_at),
        )

    async def replace_message(
        self, chat: int, old: ConversationMessage, new: ConversationMessage
    ) -> bool:
        """Put `new` where the latest `old` stands; False when there is no such message."""
        replaced = await self._connection.execute(
            "update messages set"
            " (hash, time, text, facts, folded, is_question, message_id, pieces)"
            " = ($3, $4, $5, $6, $7, $8, $9, $10)"
            " where chat = $1 and position ="
            " (select max(position) from messages where chat = $1 and hash = $2)",
            chat,
            to_row(old).hash,
            *to_row(new),
        )
        if replaced != "UPDATE 1":
            return False
        await self._connection.execute(
            "update conversations set total_tokens = total_tokens + $2, revision = revision + 1"
            " where chat = $1",
            chat,
            new.tokens - old.tokens,
        )
        return True

    async def has_message(self, chat: int, message: ConversationMessage) -> bool:
        found: bool = await self._connection.fetchval(
            "select exists (select from messages where chat = $1 and hash = $2)",
            chat,
            to_row(message).hash,
        )
        return found

    def messages_with(
        self, chats: list[int], words: list[str], *, questions_only: bool
    ) -> CursorFactory:
        """Give messages that have all words, in the order of the chats, the last one first.

        Those that an older program stored are given as well, whatever is in them. Each chat is
        looked up by itself: in one join the planner may prefer to read the whole table. The first
        word is looked for by itself as well, for all others cost a subquery.
        """
        return self._connection.cursor(
            "select wanted.chat, text, facts, is_question"
            " from unnest($1::bigint[]) with ordinality as wanted (chat, place)"
            " cross join lateral (select position, text, facts, is_question from messages"
            " where chat = wanted.chat and (is_question is not false or not $3)"
            " and (strpos(folded, $4) > 0 and not exists ("
            "select from unnest($2::text[]) as word where strpos(folded, word) = 0)"
            " or folded is null) offset 0) as found order by place, position desc",
            chats,
            words,
            questions_only,
            words[0],
        )

    def messages_by_id(self, chats: list[int], message_id: int) -> CursorFactory:
        """Give messages of this id, or in a piece that has it, ordered as `messages_with` does.

        Those that an older program stored are given as well.
        """
        return self._connection.cursor(
            "select chat, text, facts"
            " from unnest($1::bigint[]) with ordinality as wanted (chat, place)"
            " cross join lateral ("
            " select position, text, facts from messages where chat = wanted.chat"
            " and message_id = $2"
            " union all"
            " select position, text, facts from messages where chat = wanted.chat"
            " and message_id is null"
            " union all"
            " select position, text, facts from messages where chat = wanted.chat"
            " and pieces is not null and $2 = any (pieces)"
            " ) as found order by place, position desc",
            chats,
            str(message_id),
        )

    async def remove_messages(self, chat: int, positions: list[int], tokens: int) -> None:
        """Remove messages; `tokens` is the sum of theirs."""
        await self._connection.execute(
            "with gone as (delete from messages where chat = $1 and position = any($2)"
            " returning position)"
            " update conversations set total_tokens = total_tokens - $3, revision = revision + 1,"
            " message_count = message_count - (select count(*) from gone) where chat = $1",
            chat,
            positions,
            tokens,
        )

    async def replace_messages(self, chat: asyncpg.Record, rows: list[MessageRow]) -> None:
        """Put these in the place of all messages of a chat that `put` has just written."""
        await self._connection.execute("delete from messages where chat = $1", chat["chat"])
        first = chat["revision"] - len(rows) + 1
        await self._connection.executemany(
            "insert into messages"
            " (chat, position, hash, time, text, facts, folded, is_question, message_id, pieces)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            [(chat["chat"], position, *row) for position, row in enumerate(rows, first)],
        )
