"""What persons have used lately, counted by all workers of a bot together, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .metering import MINUTE, Usage

if TYPE_CHECKING:
    from conversations import Database

    from .postgres_tables import Connection


class PostgresMeter:
    """A `UsageMeter` whose clock is the database's. The bot's tables have to be there.

    Everything here raises `StorageError` where the database fails.
    """

    def __init__(self, database: Database, *, bot_id: int) -> None:
        self._database = database
        self._bot_id = bot_id

    async def usage(self, user_id: int) -> Usage:
        async def read(connection: Connection) -> Usage:
            asked = await connection.fetch(
                "select question, extract(epoch from now() - asked_at)::float8 as age"
                " from usage_asked where bot = $1 and user_id = $2"
                " and asked_at > now() - make_interval(secs => $3)",
                self._bot_id,
                user_id,
                MINUTE,
            )
            [today] = await connection.fetch(
                "select extract(epoch from date_trunc('day', now() at time zone 'utc')"
                " + interval '1 day' - now() at time zone 'utc')::float8 as left,"
                " (select tokens from usage_spent where bot = $1 and user_id = $2"
                " and day = (now() at time zone 'utc')::date) as tokens",
                self._bot_id,
                user_id,
            )
            ages = {row["question"]: max(0.0, row["age"]) for row in asked}
            return Usage(ages, today["tokens"] or 0, today["left"])

        usage: Usage = await self._transact(read, read_only=True)
        return usage

    async def ask(self, user_id: int, key: str) -> None:
        async def count(connection: Connection) -> None:
            await connection.execute(
                "insert into usage_asked (bot, user_id, question, asked_at)"
                " values ($1, $2, $3, now()) on conflict do nothing",
                self._bot_id,
                user_id,
                key,
            )

        await self._transact(count)

    async def spend(self, user_id: int, tokens: int) -> None:
        async def count(connection: Connection) -> None:
            await connection.execute(
                "insert into usage_spent as old (bot, user_id, day, tokens)"
                " values ($1, $2, (now() at time zone 'utc')::date, $3)"
                " on conflict (bot, user_id, day) do update set tokens = old.tokens + $3",
                self._bot_id,
                user_id,
                tokens,
            )

        await self._transact(count)

    async def _transact(
        self, work: Callable[[Connection], Any], *, read_only: bool = False
    ) -> Any:
        deadline = self._database.deadline()
        return await self._database.transact(work, deadline=deadline, read_only=read_only)
