"""The statements on the rows of an inbox; instances live for one transaction.

Whoever gives an update to a person's worker, or a person back, has the row of that person's turn
locked until the commit: no update can come to a worker that has just let go of its person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .lease import worker_key

if TYPE_CHECKING:
    import asyncpg

    from .postgres_tables import Connection

_KEPT = "interval '2 days'"  # after which an update is not brought again (Bot API, `Update`)


class NewUpdate(NamedTuple):
    update_id: int
    person: int
    raw: str  # JSON


class InboxRows:
    def __init__(self, connection: Connection, bot_id: int, schema: str) -> None:
        self._connection = connection
        self._bot = bot_id
        self._schema = schema

    async def keep(
        self, worker: int, updates: Sequence[NewUpdate], but: list[int], channel: str
    ) -> list[asyncpg.Record]:
        """Keep updates; give those that are new and the worker's own to handle.

        And with them what else is open of the same persons, `but` for what it has: others have
        been brought it before. What is another's to handle is told to that one.
        """
        stored = await self._connection.fetch(
            "with given as (select * from unnest($3::bigint[], $4::bigint[], $5::text[])"
            " as given (update_id, person, raw) where not exists (select from inbox_updates old"
            " where old.bot = $1 and old.update_id = given.update_id)),"
            " turns as (insert into inbox_turns as turn (bot, person, worker)"
            " select $1, person, $2 from (select distinct person from given) persons"
            " order by person on conflict (bot, person) do update set worker = turn.worker"
            " returning person, worker),"
            " stored as (insert into inbox_updates as new (bot, update_id, person, raw)"
            " select $1, update_id, person, raw from given on conflict do nothing"
            " returning new.*)"
            " select u.*, worker from (select * from stored union all"
            " select * from inbox_updates where bot = $1 and over_at is null"
            " and not update_id = any($6)) u join turns using (person)"
            " where worker = $2 or u.update_id in (select update_id from stored)",
            self._bot,
            worker,
            *map(list, zip(*updates, strict=True)),
            but,
        )
        for other in sorted({row["worker"] for row in stored} - {worker}):
            await self._connection.execute("select pg_notify($1, $2)", channel, str(other))
        return [row for row in stored if row["worker"] == worker]

    async def open_updates(self, worker: int, but: list[int]) -> list[asyncpg.Record]:
        """Give what is open and a worker's to handle, in the order of its numbers."""
        return await self._connection.fetch(
            "select u.* from inbox_turns t join inbox_updates u using (bot, person)"
            " where t.bot = $1 and t.worker = $2 and u.over_at is null"
            " and not u.update_id = any($3) order by u.update_id",
            self._bot,
            worker,
            but,
        )

    async def note(self, update_id: int, facts: str) -> None:
        await self._connection.execute(
            "update inbox_updates set facts = $3"
            " where bot = $1 and update_id = $2 and over_at is null",
            self._bot,
            update_id,
            facts,
        )

    async def finish(self, update_id: int, person: int, last_of: int | None) -> None:
        """Note an end; where it was the `last_of` a worker, that one lets go of the person."""
        if last_of is not None:
            await self._lock(person)
        await self._connection.execute(
            "update inbox_updates set raw = null, facts = null, over_at = now()"
            " where bot = $1 and update_id = $2 and over_at is null",
            self._bot,
            update_id,
        )
        if last_of is not None:
            await self._let_go(person, last_of)

    async def release(self, person: int, worker: int) -> None:
        """Let go of a person who has nothing open."""
        await self._lock(person)
        await self._let_go(person, worker)

    async def idle_persons(self, worker: int) -> list[int]:
        """Give a worker's persons who have nothing open, as a failure may leave them."""
        rows = await self._connection.fetch(
            "select person from inbox_turns t where bot = $1 and worker = $2 and not exists"
            " (select from inbox_updates u where u.bot = t.bot and u.person = t.person"
            " and over_at is null)",
            self._bot,
            worker,
        )
        return [row["person"] for row in rows]

    async def take_over(self, worker: int) -> list[int]:
        """Give a worker the persons of those that live no more; tell which those were."""
        others = await self._connection.fetch(
            "select worker, has_left from inbox_workers where bot = $1 and worker <> $2"
            " order by worker for no key update skip locked",
            self._bot,
            worker,
        )
        return [
            other["worker"]
            for other in others
            if await self._inherit(worker, other["worker"], has_left=other["has_left"])
        ]

    async def _inherit(self, worker: int, other: int, *, has_left: bool) -> bool:
        """Take all of another worker, if nobody lives under its number any more."""
        dead = "select pg_try_advisory_xact_lock($1)"
        if not await self._connection.fetchval(dead, worker_key(self._schema, other)):
            return False
        persons = await self._connection.fetch(
            "update inbox_turns set worker = $2 where worker = $1 returning person", other, worker
        )
        if not has_left:
            await self._connection.execute(
                "update inbox_updates set tries = tries + 1"
                " where bot = $1 and over_at is null and person = any($2)",
                self._bot,
                [row["person"] for row in persons],
            )
        await self._connection.execute("delete from inbox_workers where worker = $1", other)
        return True

    async def give_up(self, update_id: int) -> None:
        await self._connection.execute(
            "update inbox_updates set over_at = now(), given_up = true"
            " where bot = $1 and update_id = $2 and over_at is null",
            self._bot,
            update_id,
        )

    async def given_up(self) -> list[tuple[tuple[int, int], str]]:
        """Give what was given up, of any bot, by bot and number."""
        rows = await self._connection.fetch(
            "select bot, update_id, raw from inbox_updates where given_up and raw is not null"
        )
        return [((row["bot"], row["update_id"]), row["raw"]) for row in rows]

    async def forget(self, keys: Sequence[tuple[int, int]]) -> None:
        await self._connection.executemany(
            "update inbox_updates set raw = null, facts = null where bot = $1 and update_id = $2",
            keys,
        )

    async def sweep(self) -> None:
        """Remove what is so old that it cannot come again, and what nobody has counted since."""
        await self._connection.execute(
            f"delete from inbox_updates where over_at < now() - {_KEPT} and not given_up"  # noqa: S608
        )
        await self._connection.execute(
            "delete from usage_asked where asked_at < now() - interval '1 hour'"
        )
        await self._connection.execute(
            "delete from usage_spent where day < (now() at time zone 'utc')::date"
        )

    async def _lock(self, person: int) -> None:
        await self._connection.execute(
            "select from inbox_turns where bot = $1 and person = $2 for update", self._bot, person
        )

    async def _let_go(self, person: int, worker: int) -> None:
        await self._connection.execute(
            "delete from inbox_turns where bot = $1 and person = $2 and worker = $3"
            " and not exists (select from inbox_updates"
            " where bot = $1 and person = $2 and over_at is null)",
            self._bot,
            person,
            worker,
        )
