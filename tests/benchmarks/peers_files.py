"""Stores that rewrite a file, as the libraries come; the blocking ones in a thread."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.stores import Store, chat_id, message

NO_SYNC = "no: nothing is synced"


class LangChain(Store):
    """A file a chat, read, parsed and written anew by every message."""

    name = "LangChain FileChatMessageHistory"
    lists_chats = False
    durable = NO_SYNC

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._locks: dict[int, asyncio.Lock] = {}  # without them two adds at once spoil the file

    async def open(self) -> None:
        import langchain_community.chat_message_histories.file  # noqa: F401

        self.folder.mkdir(parents=True, exist_ok=True)

    async def close(self) -> None: ...

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        from langchain_core.messages import messages_to_dict

        for number in range(chats):
            path = self.folder / f"{chat_id(user_id, number)}.json"
            stored = [_langchain_message(n) for n in range(0 if number else messages)]
            path.write_text(json.dumps(messages_to_dict(stored)))

    async def add(self, user_id: int, number: int) -> None:
        async with self._locks.setdefault(user_id, asyncio.Lock()):
            await self._history(user_id).aadd_messages([_langchain_message(number)])

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        found: list[object] = await self._history(user_id).aget_messages()
        return found[-limit:]

    def _history(self, user_id: int) -> Any:
        from langchain_community.chat_message_histories.file import FileChatMessageHistory

        return FileChatMessageHistory(str(self.folder / f"{chat_id(user_id)}.json"))


def _langchain_message(number: int) -> Any:
    from langchain_core.messages import AIMessage, HumanMessage

    new = message(number)
    return (HumanMessage if new.type == "user_question" else AIMessage)(content=new.text)


class LlamaIndex(Store):
    """One file for all chats, written anew after every message."""

    name = "LlamaIndex SimpleChatStore + persist"
    bears_crowds = False
    durable = NO_SYNC

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / "chats.json"
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        from llama_index.core.storage.chat_store import SimpleChatStore

        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._store = SimpleChatStore.from_persist_path(str(self._file))

    async def close(self) -> None:
        self._store.persist(str(self._file))

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        for number in range(chats):
            stored = [_llama_message(n) for n in range(0 if number else messages)]
            self._store.set_messages(chat_id(user_id, number), stored)

    async def add(self, user_id: int, number: int) -> None:
        async with self._lock:
            self._store.add_message(chat_id(user_id), _llama_message(number))
            await asyncio.to_thread(self._store.persist, str(self._file))

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        found: list[object] = self._store.get_messages(chat_id(user_id))
        return found[-limit:]

    async def chats(self, user_id: int) -> Sequence[object]:
        return [key for key in self._store.get_keys() if key.startswith(f"{user_id}-")]


def _llama_message(number: int) -> Any:
    from llama_index.core.llms import ChatMessage

    new = message(number)
    return ChatMessage(
        role="user" if new.type == "user_question" else "assistant", content=new.text
    )


class TinyDb(Store):
    """One file for all chats, parsed and written over in place by every message."""

    name = "TinyDB"
    bears_crowds = False
    durable = "synced, but a crash during a write destroys the file"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / "chats.json"
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        import tinydb

        self._query: Any = tinydb.Query()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._database: Any = tinydb.TinyDB(self._file, ensure_ascii=False, encoding="utf-8")

    async def close(self) -> None:
        self._database.close()

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        rows = [{"chat": chat_id(user_id, n), "user": user_id, "name": "x"} for n in range(chats)]
        self._database.table("chats").insert_multiple(rows)
        self._messages.insert_multiple(_tiny_row(user_id, n) for n in range(messages))

    async def add(self, user_id: int, number: int) -> None:
        async with self._lock:
            await asyncio.to_thread(self._messages.insert, _tiny_row(user_id, number))

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        found: list[object] = await asyncio.to_thread(
            self._messages.search, self._query.chat == chat_id(user_id)
        )
        return found[-limit:]

    async def chats(self, user_id: int) -> Sequence[object]:
        found: list[object] = await asyncio.to_thread(
            self._database.table("chats").search, self._query.user == user_id
        )
        return found

    @property
    def _messages(self) -> Any:
        return self._database.table("messages")


def _tiny_row(user_id: int, number: int) -> dict[str, Any]:
    return {"chat": chat_id(user_id), **message(number).to_dict()}


class Pickle(Store):
    """Where python-telegram-bot keeps its users: one pickle; it hands over a copy each time."""

    name = "python-telegram-bot PicklePersistence"
    bears_crowds = False
    durable = NO_SYNC

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / "users.pickle"

    async def open(self) -> None:
        from telegram.ext import PicklePersistence

        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._store: Any = PicklePersistence(self._file)
        self._users: dict[int, Any] = await self._store.get_user_data()

    async def close(self) -> None:
        await self._store.flush()

    async def fill(self, user_id: int, chats: int, messages: int) -> None:
        stored = [message(n).to_dict() for n in range(messages)]
        first = {"name": "Отель у моря", "messages": stored}
        others = {
            chat_id(user_id, n): {"name": "Отель у моря", "messages": []} for n in range(1, chats)
        }
        self._users[user_id] = {chat_id(user_id): first, **others}
        await self._store.update_user_data(user_id, copy.deepcopy(self._users[user_id]))

    async def add(self, user_id: int, number: int) -> None:
        chat = self._users[user_id][chat_id(user_id)]
        chat["messages"].append(message(number).to_dict())
        await self._store.update_user_data(user_id, copy.deepcopy(self._users[user_id]))

    async def last(self, user_id: int, limit: int) -> Sequence[object]:
        messages: list[object] = self._users[user_id][chat_id(user_id)]["messages"]
        return messages[-limit:]

    async def chats(self, user_id: int) -> Sequence[object]:
        return [(chat, found["name"]) for chat, found in self._users[user_id].items()]


PEERS: tuple[type[Store], ...] = (LangChain, LlamaIndex, TinyDb, Pickle)
