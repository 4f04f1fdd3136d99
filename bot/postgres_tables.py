"""The bot's own tables beside the chats: what has come in, who handles it, what was used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conversations import postgres_migrations

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    from conversations import Database

    Connection = PoolConnectionProxy[asyncpg.Record]

_TABLES = """
create table inbox_workers (  -- who lives holds a lock of this number, see lease.py
    worker bigint generated always as identity primary key,
    bot bigint not null,
    has_left boolean not null default false
);

create table inbox_turns (  -- who handles a person's updates, while any of them is open
    bot bigint not null,
    person bigint not null,
    worker bigint not null references inbox_workers,
    primary key (bot, person)
);

create index inbox_turns_by_worker on inbox_turns (worker);

create table inbox_updates (
    bot bigint not null,
    update_id bigint not null,
    person bigint not null,
    raw text,             -- as it came; null when it is over
    facts text,           -- what a handler wants to know when it runs again
    tries int not null default 0,  -- workers that died while it was open
    over_at timestamptz,  -- null: open
    given_up boolean not null default false,
    primary key (bot, update_id)
);

create index inbox_updates_open on inbox_updates (bot, person) where over_at is null;
create index inbox_updates_over on inbox_updates (over_at) where over_at is not null;

create table usage_asked (
    bot bigint not null,
    user_id bigint not null,
    question text not null,
    asked_at timestamptz not null,
    primary key (bot, user_id, question)
);

create table usage_spent (
    bot bigint not null,
    user_id bigint not null,
    day date not null,    -- of UTC
    tokens bigint not null,
    primary key (bot, user_id, day)
);
"""
_MIGRATIONS = postgres_migrations.Migrations("bot_schema_version", "the bot's tables", (_TABLES,))
VERSION = _MIGRATIONS.version


async def prepare(database: Database) -> None:
    """Make the tables, or bring them up to date, whoever comes first.

    The schema is that of the chats, which has to be there.

    :raises StorageError: they are those of a newer program, or cannot be made.
    """
    read = _MIGRATIONS.read_version
    if await database.transact(read, deadline=database.deadline(), read_only=True) < VERSION:
        await database.transact(
            lambda connection: _migrate(connection, database.schema),
            deadline=database.deadline(postgres_migrations.TIMEOUT),
        )


async def _migrate(connection: Connection, schema: str) -> None:
    await connection.execute(
        "select pg_advisory_xact_lock($1)", postgres_migrations.lock_key(schema, "bot's tables")
    )
    await _MIGRATIONS.run(connection)
