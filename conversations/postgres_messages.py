"""The statements on messages, for the verbs of one user to be made of; as `postgres_user` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .models import ConversationMessage, parse_time
from .postgres_rows import MessageRow, to_column, to_row
from .storage import is_valid_id

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.cursor import CursorFactory as AnyCursorFactory

    from .postgres_pool import Connection

    CursorFactory = AnyCursorFactory[asyncpg.Record]

_MOST = 2**31 - 1  # messages at once


class MessageRows:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def all(self, chat: int) -> list[asyncpg.Record]:
        return await self._connection.fetch(
            "select position, hash, text, facts from messages where chat = $1 order by position",
            chat,
        )

    async def hashes(self, chat: int) -> list[bytes]:
        """Give the hash of each message, the oldest first."""
        rows = await self._connection.fetch(
            "select hash from messages where chat = $1 order by position", chat
        )
        return [row["hash"] for row in rows]

    async def last(self, user_id: int, conversation_id: str, limit: int) -> list[asyncpg.Record]:
        """Give the last messages of a living chat, the latest first."""
        if not is_valid_id(conversation_id):
            return []
        return await self._connection.fetch(
            "select text, facts from messages where chat = (select chat from conversations"
            " where user_id = $1 and conversation_id = $2 and deleted_at is null)"
            " order by position desc limit $3",
            user_id,
            conversation_id,
            min(limit, _MOST),
        )

    async def has(self, chat: int, message: ConversationMessage) -> bool:
        found: bool = await self._connection.fetchval(
            "select exists (select from messages where chat = $1 and hash = $2)",
            chat,
            to_row(message).hash,
        )
        return found

    async def append(self, chat: int, message: ConversationMessage, updated_at: str) -> None:
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

    async def replace(self, chat: int, old: ConversationMessage, new: ConversationMessage) -> bool:
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

    async def replace_all(self, chat: asyncpg.Record, rows: list[MessageRow]) -> None:
        """Put these in the place of all messages of a chat that was `put` just before."""
        await self._connection.execute("delete from messages where chat = $1", chat["chat"])
        first = chat["revision"] - len(rows) + 1
        await self._connection.executemany(
            "insert into messages"
            " (chat, position, hash, time, text, facts, folded, is_question, message_id, pieces)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            [(chat["chat"], position, *row) for position, row in enumerate(rows, first)],
        )

    async def remove(self, chat: int, positions: list[int], tokens: int) -> None:
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

    def with_words(
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

    def with_id(self, chats: list[int], message_id: int) -> CursorFactory:
        """Give messages of this id, or in a piece that has it, ordered as `with_words` does.

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
