"""What is measured: a store of chats as a bot uses it, ours and the bare limit of the disk."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conversations import ConversationManager, ConversationMessage, JsonStorage

CREATED = "2026-05-01T10:00:00+00:00"
_WORDS = "Проанализируй интервью с клиентом из отеля и скажи, что ему понравилось больше всего; "


def text(number: int) -> str:
    """About 500 Russian characters, each time others."""
    return f"{number}: {_WORDS * 6}"


def chat_id(user_id: int, number: int = 0) -> str:
    return f"{user_id}-{number}"


class Store:
    """One contender. The first chat of a user is the one that grows and is read."""

    name: str
    durable = "yes"  # or what an acknowledged message may not survive
    lists_chats = True
    bears_crowds = True  # False: one file for everybody, a few adds a second
    is_a_store = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def open(self) -> None:
        """Make it ready; on a folder that it filled before as well.

        :raises ImportError: it is not installed.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of the folder; a server runs on."""
        raise NotImplementedError

    def stop(self) -> None:
        """End a server."""

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        """Store `messages` in the first chat of a user and none in the others; not measured."""
        raise NotImplementedError

    async def add(self, user_id: int, number: int) -> None:
        raise NotImplementedError

    async def settle(self) -> None:
        """Bring all files up to date, where some lag behind what is acknowledged."""

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        raise NotImplementedError

    async def chats(self, user_id: int) -> Sequence[object]:
        raise NotImplementedError


class OursStrict(Store):
    name = "JsonStorage"

    async def open(self) -> None:
        self._storage = self._new()
        await self._storage.open()
        self._manager = ConversationManager(self._storage, raise_errors=True)

    def _new(self) -> JsonStorage:
        return JsonStorage(self.folder)

    async def close(self) -> None:
        await self._storage.close()

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        """Write the files as any program could."""
        folder = self.folder / f"user_{user_id}"
        await asyncio.to_thread(_write_folder, folder, user_id, chats, messages)

    async def add(self, user_id: int, number: int) -> None:
        assert await self._manager.add_message(user_id, chat_id(user_id), message(number))

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        return await self._manager.get_messages(user_id, chat_id(user_id), limit)

    async def chats(self, user_id: int) -> Sequence[object]:
        return await self._manager.list_conversations(user_id)


class OursJournal(OursStrict):
    name = "JsonStorage with a journal"

    def _new(self) -> JsonStorage:
        return JsonStorage(self.folder, journal=True)

    async def settle(self) -> None:
        await self._storage.flush()


def message(number: int) -> ConversationMessage:
    return ConversationMessage(
        timestamp="2026-05-01T12:00:00+00:00",
        message_id=number,
        type="user_question" if number % 2 else "bot_answer",
        text=text(number),
        tokens=150,
        sent_as="message",
        search_type="fast",
    )


def _write_folder(folder: Path, user_id: int, chats: int, messages: int) -> None:
    folder.mkdir(parents=True)
    for number in range(chats):
        metadata = {
            "conversation_id": chat_id(user_id, number),
            "user_id": user_id,
            "username": "anna",
            "name": f"Отель у моря {number}",
            "created_at": CREATED,
            "updated_at": CREATED,
            "is_active": number == 0,
            "message_count": 0 if number else messages,
            "total_tokens": 0 if number else messages * 150,
        }
        lines = [message(n).to_dict() for n in range(0 if number else messages)]
        data = {"metadata": metadata, "messages": lines}
        path = folder / f"{chat_id(user_id, number)}.json"
        path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


class Limit(Store):
    """No store at all: the bytes of one message appended, synced, in one thread hop."""

    name = "append + fdatasync + one hop"
    is_a_store = False

    async def open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(self.folder / "log", flags, 0o600)
        self._threads = ThreadPoolExecutor(32)

    async def close(self) -> None:
        self._threads.shutdown()
        os.close(self._file)

    async def fill(self, user_id: int, chats: int, messages: int) -> None: ...

    async def add(self, user_id: int, number: int) -> None:
        data = f"{text(number)}\n".encode()
        await asyncio.get_running_loop().run_in_executor(self._threads, self._append, data)

    def _append(self, data: bytes) -> None:
        os.write(self._file, data)
        os.fdatasync(self._file)


class FileLimit(Store):
    """No store either: a file that is whole at any moment, in one thread hop.

    All bytes over a file that is there already, synced, renamed, and the folder synced.
    """

    name = "file + rename + 2 syncs + one hop"
    is_a_store = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._chats: dict[int, tuple[threading.Lock, bytearray]] = {}

    async def open(self) -> None:
        self._threads = ThreadPoolExecutor(32)

    async def close(self) -> None:
        self._threads.shutdown()

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        data = "".join(f"{text(number)}\n" for number in range(messages)).encode()
        self._chats[user_id] = threading.Lock(), bytearray(data)
        home = self.folder / str(user_id)
        home.mkdir(parents=True)
        for name in ("chat", "spare"):
            (home / name).write_bytes(data)

    async def add(self, user_id: int, number: int) -> None:
        data = f"{text(number)}\n".encode()
        await asyncio.get_running_loop().run_in_executor(self._threads, self._add, user_id, data)

    def _add(self, user_id: int, data: bytes) -> None:
        home, (lock, chat) = f"{self.folder}/{user_id}", self._chats[user_id]
        with lock:
            chat += data
            file = os.open(f"{home}/spare", os.O_WRONLY)
            os.write(file, chat)
            os.fsync(file)
            os.close(file)
            os.link(f"{home}/chat", f"{home}/next")
            os.rename(f"{home}/spare", f"{home}/chat")  # noqa: PTH104
            os.rename(f"{home}/next", f"{home}/spare")  # noqa: PTH104
            folder = os.open(home, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)


OURS: tuple[type[Store], ...] = (OursStrict, OursJournal)


def contenders() -> Iterator[type[Store]]:
    """Give ours, then every peer."""
    from tests.benchmarks import peers_files, peers_servers, peers_sqlite

    yield from (*OURS, FileLimit, Limit)
    for module in (peers_sqlite, peers_servers, peers_files):
        yield from module.PEERS
