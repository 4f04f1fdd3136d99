"""The tables, and how a database gets them: each migration once, whoever comes first.

A search looks through one user's messages, which `messages.folded` makes cheap enough: it costs
the same however many other users there are, needs no extension, and slows no message down. An
index over all of them would do none of these: `pg_trgm` is not everywhere, and one over
`to_tsvector` refuses long texts, some 1 MB of words, when they are stored.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .errors import StorageError
from .postgres_migrations import TIMEOUT, Migrations, lock_key
from .postgres_pool import Database

if TYPE_CHECKING:
    from .postgres_pool import Connection

logger = logging.getLogger(__name__)

_TABLES = """
create table users (
    user_id bigint primary key,
    username text not null default '',
    active text collate "C",  -- the conversation_id of the active chat
    settings json,            -- the person's own
    extra json                -- keys of an index that we do not know
);

create table conversations (
    chat bigint generated always as identity primary key,
    user_id bigint not null references users on delete cascade,
    conversation_id text collate "C" not null,
    username text not null,
    name text not null,
    name_source text not null,
    mode text not null,
    pinned boolean not null,
    instructions text not null default '',
    -- Times are kept as they were given; the columns beside them are for ordering.
    created_at text not null,
    created_time timestamptz not null,
    updated_at text not null,
    updated_time timestamptz not null,
    deleted_at text,          -- null: not in the trash
    deleted_time timestamptz,
    was_active boolean not null default false,  -- when it was deleted
    message_count bigint not null,
    total_tokens bigint not null,
    revision bigint not null,  -- grows with every change of the messages
    extra json,                -- keys of the metadata that we do not know
    chat_extra json,           -- and those beside metadata and messages
    unique (user_id, conversation_id)
) with (fillfactor = 80);  -- counters change often, and in place

create table messages (
    chat bigint not null references conversations on delete cascade,
    position bigint not null,  -- the revision that added it
    hash bytea not null,       -- of the whole message: the very same one is added once
    time timestamptz not null,
    text text not null,
    facts json not null,       -- everything else
    primary key (chat, position)
);

create index messages_by_hash on messages (chat, hash);

create table files (
    user_id bigint not null references users on delete cascade,
    name text collate "C" not null,
    data bytea not null,
    primary key (user_id, name)
);
"""
_SEARCH = """
alter table conversations add column forked_from text;

-- What messages are found by, taken from their facts: of these the database could not read each,
-- since a string in them may hold NUL. All null where an older program wrote it.
alter table messages
    add column folded text collate "C",  -- the text as a search compares it
    add column is_question boolean,
    add column message_id text collate "C",  -- no number, since a foreign one may be of any size
    add column pieces text[] collate "C";    -- null where there are none

create index messages_by_id on messages (chat, message_id);
create index messages_in_pieces on messages (chat) where pieces is not null;
"""
_MIGRATIONS = Migrations("schema_version", "the tables", (_TABLES, _SEARCH))
VERSION = _MIGRATIONS.version


async def prepare(database: Database) -> None:
    """Look what is there, and bring it up to date where it is older.

    Whoever finds it up to date needs no rights to create anything.

    :raises StorageError: the tables are those of a newer program, or cannot be made.
    """
    version = await database.transact(_inspect, deadline=database.deadline(), read_only=True)
    if version < _MIGRATIONS.version:
        await database.transact(
            lambda connection: _migrate(connection, database.schema),
            deadline=database.deadline(TIMEOUT),
        )


async def _inspect(connection: Connection) -> int:
    encoding = await connection.fetchval("show server_encoding")
    if encoding != "UTF8":
        raise StorageError(f"the database's encoding is {encoding}; it has to be UTF8")
    for setting in ("fsync", "synchronous_commit"):
        if await connection.fetchval("select current_setting($1)", setting) == "off":
            logger.warning("the database has %s off: a crash may lose the last messages", setting)
    return await _MIGRATIONS.read_version(connection)


async def _migrate(connection: Connection, schema: str) -> None:
    await connection.execute("select pg_advisory_xact_lock($1)", lock_key(schema))
    exists = await connection.fetchval("select 1 from pg_namespace where nspname = $1", schema)
    if not exists:
        await connection.execute(f'create schema "{schema}"')
    await _MIGRATIONS.run(connection)
