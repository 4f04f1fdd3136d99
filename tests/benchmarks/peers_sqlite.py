"""Stores on SQLite: the library that bots use most, a session of an agents' SDK, group commit."""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from conversations import ConversationMessage, ConversationMetadata
from tests.benchmarks.stores import CREATED, Store, chat_id, message

_SCHEMA = """
create table chats (
    chat_id text primary key, user_id integer, name text, created_at text, updated_at text,
    message_count integer, total_tokens integer
);
create index chats_by_user on chats (user_id, updated_at desc);
create table messages (
    id integer primary key, chat_id text, timestamp text, message_id integer, type text,
    text text, tokens integer, sent_as text, search_type text
);
create index messages_by_chat on messages (chat_id, id);
"""
_PRAGMAS = ("pragma journal_mode = wal", "pragma synchronous = full")
_INSERT = """
insert into messages (chat_id, timestamp, message_id, type, text, tokens, sent_as, search_type)
values (?, ?, ?, ?, ?, ?, ?, ?)
"""
_COUNT = """
update chats set message_count = message_count + 1, total_tokens = total_tokens + ?,
updated_at = ? where chat_id = ?
"""
_LAST = """
select timestamp, message_id, type, text, tokens, sent_as, null, search_type
from messages where chat_id = ? order by id desc limit ?
"""
_LIST = """
select chat_id, user_id, '', name, created_at, updated_at, false, message_count, total_tokens
from chats where user_id = ? order by updated_at desc
"""


def _row(user_id: int, number: int) -> tuple[Any, ...]:
    new = message(number)
    return (
        chat_id(user_id), new.timestamp, new.message_id, new.type, new.text, new.tokens,
        new.sent_as, new.search_type,
    )  # fmt: skip


def _fill(file: Path, user_id: int, chats: int, messages: int) -> None:
    database = sqlite3.connect(file)
    rows = [
        (chat_id(user_id, n), user_id, f"Отель у моря {n}", CREATED, CREATED, 0, 0)
        for n in range(chats)
    ]
    database.executemany("insert into chats values (?, ?, ?, ?, ?, ?, ?)", rows)
    database.executemany(_INSERT, (_row(user_id, n) for n in range(messages)))
    database.commit()
    database.close()


class AioSqlite(Store):
    name = "aiosqlite (WAL, FULL)"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / "chats.db"
        self._lock = asyncio.Lock()  # else a commit takes half of somebody else's change along

    async def open(self) -> None:
        import aiosqlite

        self._file.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self._file.exists()
        self._database = await aiosqlite.connect(self._file)
        for pragma in _PRAGMAS:
            await self._database.execute(pragma)
        if is_new:
            await self._database.executescript(_SCHEMA)

    async def close(self) -> None:
        await self._database.close()

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        await asyncio.to_thread(_fill, self._file, user_id, chats, messages)

    async def add(self, user_id: int, number: int) -> None:
        row = _row(user_id, number)
        async with self._lock:
            await self._database.execute(_INSERT, row)
            await self._database.execute(_COUNT, (row[5], row[1], row[0]))
            await self._database.commit()

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        rows = await self._database.execute_fetchall(_LAST, (chat_id(user_id), limit))
        return [ConversationMessage(*row) for row in rows][::-1]

    async def chats(self, user_id: int) -> Sequence[object]:
        rows = await self._database.execute_fetchall(_LIST, (user_id,))
        return [ConversationMetadata(*row) for row in rows]


class GroupCommit(Store):
    """One thread that stores in one transaction whatever waits for it."""

    name = "sqlite3 with group commit"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / "chats.db"
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()

    async def open(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self._file.exists()
        self._database = sqlite3.connect(self._file, check_same_thread=False)
        for pragma in _PRAGMAS:
            self._database.execute(pragma)
        if is_new:
            self._database.executescript(_SCHEMA)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    async def close(self) -> None:
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._database.close()

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        await asyncio.to_thread(_fill, self._file, user_id, chats, messages)

    async def add(self, user_id: int, number: int) -> None:
        await self._do(partial(self._insert, _row(user_id, number)))

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        rows = await self._do(partial(self._select, _LAST, chat_id(user_id), limit))
        return [ConversationMessage(*row) for row in reversed(rows)]

    async def chats(self, user_id: int) -> Sequence[object]:
        rows = await self._do(partial(self._select, _LIST, user_id))
        return [ConversationMetadata(*row) for row in rows]

    async def _do(self, work: Any) -> Any:
        done = self._loop.create_future()
        self._waiting.put((work, done))
        return await done

    def _insert(self, row: tuple[Any, ...]) -> None:
        self._database.execute(_INSERT, row)
        self._database.execute(_COUNT, (row[5], row[1], row[0]))

    def _select(self, query: str, *values: object) -> list[Any]:
        return self._database.execute(query, values).fetchall()

    def _work(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty() and len(batch) < 1000:
                batch.append(self._waiting.get())
            ending = None in batch
            results = [(done, work()) for work, done in filter(None, batch)]
            self._database.commit()
            self._loop.call_soon_threadsafe(_resolve, results)
            if ending:
                return


def _resolve(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, result in results:
        done.set_result(result)


class AgentsSession(Store):
    """The session that OpenAI's agents SDK keeps a chat in; it knows of no list of chats."""

    name = "openai-agents SQLiteSession"
    lists_chats = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / "sessions.db"
        self._sessions: dict[int, Any] = {}

    async def open(self) -> None:
        import agents  # noqa: F401 - so that it is skipped where it is missing

        self._file.parent.mkdir(parents=True, exist_ok=True)

    async def close(self) -> None:
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        if messages:
            await self._session(user_id).add_items([_item(n) for n in range(messages)])

    async def add(self, user_id: int, number: int) -> None:
        await self._session(user_id).add_items([_item(number)])

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        items: list[object] = await self._session(user_id).get_items(limit)
        return items

    def _session(self, user_id: int) -> Any:
        from agents import SQLiteSession

        if user_id not in self._sessions:
            self._sessions[user_id] = SQLiteSession(chat_id(user_id), self._file)
        return self._sessions[user_id]


def _item(number: int) -> Any:
    new = message(number)
    role = "user" if new.type == "user_question" else "assistant"
    return json.loads(json.dumps({"role": role, "content": new.text}))


PEERS: tuple[type[Store], ...] = (AioSqlite, GroupCommit, AgentsSession)
