"""The verbs of a storage for one user, each inside a transaction of its own.

A verb that writes begins with the user's row locked, and so it stays until the commit: the calls
of one user are serial over all machines. Users do not wait for each other, nor do readers wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .exchanges import without_last_exchange
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    Footprint,
    NameSource,
    SearchType,
    UserIndex,
    newest_first,
    parse_time,
)
from .postgres_creating import Creating
from .postgres_messages import MessageRows
from .postgres_rows import (
    from_column,
    from_json,
    is_untouched,
    revision,
    to_messages,
    to_metadata,
)
from .postgres_search import Chat, find_message, search
from .postgres_user import UserRows
from .search import SearchHit, SoughtMessage, Words

if TYPE_CHECKING:
    import asyncpg


class UserVerbs:
    """All verbs but those that make chats, which `creating` has."""

    def __init__(self, rows: UserRows, messages: MessageRows) -> None:
        self.creating = Creating(rows, messages)
        self._rows = rows
        self._messages = messages

    async def read_index(self) -> UserIndex:
        found = await self._rows.index()
        if not found:
            return UserIndex(self._rows.user_id)
        chats = [to_metadata(row, row["active"]) for row in found if row["chat"] is not None]
        active = next((chat for chat in chats if chat.is_active), None)
        if active is None and chats:  # as `UserRows.active` does
            active = min(chats, key=newest_first)
            active.is_active = True
        return UserIndex(
            self._rows.user_id,
            username=from_column(found[0]["index_username"]),
            last_active_conversation_id=active.conversation_id if active else None,
            conversations=chats,
            settings=from_json(found[0]["settings"]),
            extra=from_json(found[0]["index_extra"]),
        )

    async def read_metadata(self, conversation_id: str | None) -> ConversationMetadata | None:
        if conversation_id is None:
            active = await self._rows.active()
            return to_metadata(active, active["conversation_id"]) if active else None
        chat = await self._rows.listed(conversation_id)
        if chat is None:
            return None
        return to_metadata(chat, chat["active"] or await self._active_id())

    async def load(
        self, conversation_id: str, *, include_deleted: bool = False
    ) -> Conversation | None:
        chat = await self._rows.find(conversation_id, include_deleted=include_deleted)
        if chat is None:
            return None
        rows = await self._messages.all(chat["chat"])
        return Conversation(
            to_metadata(chat, await self._active_id()),
            to_messages(rows),
            from_json(chat["chat_extra"]),
            revision(row["hash"] for row in rows),
        )

    async def read_last(self, conversation_id: str, limit: int) -> list[ConversationMessage]:
        rows = await self._messages.last(self._rows.user_id, conversation_id, limit)
        return to_messages(reversed(rows))

    async def search(self, words: Words, limit: int) -> list[SearchHit]:
        return await search(self._messages, await self._chats(), words, limit) if words else []

    async def find_message(
        self, message_id: int, *, dialog_id: int | None, sent_at: datetime | None
    ) -> SearchHit | None:
        sought = SoughtMessage(message_id, dialog_id, sent_at)
        return await find_message(self._messages, await self._chats(), sought)

    async def append(
        self,
        conversation_id: str,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None,
        include_deleted: bool,
    ) -> bool:
        chat = await self._rows.find(conversation_id, include_deleted=include_deleted)
        if chat is None:
            return False
        await self._add(chat, message, updated_at, first_name)
        return True

    async def append_to_active(
        self,
        fallback: ConversationMetadata,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None,
    ) -> ConversationMetadata:
        chat = await self._rows.active()
        if chat is None:
            chat = await self.creating.make(fallback)
            await self._rows.activate(fallback.conversation_id, fallback.username)
        message.search_type = chat["mode"]
        await self._add(chat, message, updated_at, first_name)
        changed = await self._rows.find(chat["conversation_id"]) or chat
        return to_metadata(changed, changed["conversation_id"])

    async def replace(
        self,
        conversation_id: str,
        old: ConversationMessage,
        new: ConversationMessage,
        *,
        include_deleted: bool,
    ) -> bool:
        chat = await self._rows.find(conversation_id, include_deleted=include_deleted)
        if chat is None:
            return False
        replaced = await self._messages.replace(chat["chat"], old, new)
        return replaced or await self._messages.has(chat["chat"], new)

    async def rename(self, conversation_id: str, name: str, source: NameSource) -> bool:
        chat = await self._rows.find(conversation_id)
        if chat is None or (source == "model" and chat["name_source"] == "user"):
            return False
        await self._rows.set_name(chat["chat"], name, source)
        return True

    async def set_mode(self, conversation_id: str, mode: SearchType) -> bool:
        chat = await self._rows.find(conversation_id)
        if chat is None:
            return False
        await self._rows.set_mode(chat["chat"], mode)
        return True

    async def set_instructions(self, conversation_id: str, instructions: str) -> bool:
        chat = await self._rows.find(conversation_id)
        if chat is None:
            return False
        await self._rows.set_instructions(chat["chat"], instructions)
        return True

    async def read_settings(self) -> dict[str, Any]:
        return await self._rows.settings()

    async def update_settings(self, changes: Mapping[str, Any]) -> None:
        settings = {**await self._rows.settings(), **changes}
        await self._rows.set_settings({k: v for k, v in settings.items() if v is not None})

    async def measure(self) -> Footprint:
        return await self._rows.measure()

    async def erase(self) -> Footprint:
        footprint = await self._rows.measure()
        await self._rows.erase()
        return footprint

    async def pin(self, conversation_id: str, *, pinned: bool) -> bool:
        chat = await self._rows.find(conversation_id)
        if chat is None:
            return False
        await self._rows.set_pinned(chat["chat"], pinned=pinned)
        return True

    async def activate(self, conversation_id: str) -> bool:
        if await self._rows.find(conversation_id) is None:
            return False
        await self._rows.activate(conversation_id)
        return True

    async def delete(
        self, conversation_id: str, *, deleted_at: str, successor: ConversationMetadata
    ) -> bool:
        chat = await self._rows.find(conversation_id)
        if chat is None:
            return False
        was_active = await self._active_id() == conversation_id
        await self._rows.move_to_trash(chat["chat"], deleted_at, was_active=was_active)
        if was_active:
            latest = await self._active_id()
            if latest is None:
                username = await self._rows.username()
                await self.creating.make(replace(successor, username=username))
            await self._rows.activate(latest or successor.conversation_id)
        return True

    async def restore(self, conversation_id: str, *, activate: bool) -> bool:
        chat = await self._rows.find(conversation_id, include_deleted=True)
        if chat is None or chat["deleted_at"] is None:
            return False
        stand_in = await self._rows.active()
        await self._rows.take_out_of_trash(chat["chat"])
        if activate and stand_in is not None and is_untouched(stand_in):
            await self._rows.remove(stand_in["chat"])
        if activate or stand_in is None:
            await self._rows.activate(conversation_id)
        return True

    async def read_trash(self) -> list[ConversationMetadata]:
        return [to_metadata(row, None) for row in await self._rows.trash()]

    async def purge(self, *, deleted_before: str | None) -> int:
        return await self._rows.purge(
            None if deleted_before is None else parse_time(deleted_before)
        )

    async def keep_file(self, name: str, data: bytes) -> str:
        await self._rows.put_file(name, data)
        return f"files/{name}"

    async def remove_last_exchange(self, conversation_id: str) -> list[ConversationMessage]:
        chat = await self._rows.find(conversation_id)
        if chat is None:
            return []
        rows = await self._messages.all(chat["chat"])
        messages = [(row["position"], message) for row in rows for message in to_messages([row])]
        _, removed = without_last_exchange([message for _, message in messages])
        positions = [place for place, each in messages if any(each is gone for gone in removed)]
        if removed:
            tokens = sum(message.tokens for message in removed)
            await self._messages.remove(chat["chat"], positions, tokens)
        return removed

    async def _chats(self) -> list[Chat]:
        """Give the living chats, the latest first."""
        active_id = await self._active_id()
        chats = [
            (row["chat"], to_metadata(row, active_id))
            for row in await self._rows.index()
            if row["chat"] is not None
        ]
        return sorted(chats, key=lambda chat: newest_first(chat[1]))

    async def _active_id(self) -> str | None:
        active = await self._rows.active()
        return active["conversation_id"] if active else None

    async def _add(
        self,
        chat: asyncpg.Record,
        message: ConversationMessage,
        updated_at: str,
        first_name: str | None,
    ) -> None:
        await self._messages.append(chat["chat"], message, updated_at)
        is_first = message.type == "user_question" and chat["name_source"] == "default"
        if is_first and first_name is not None:
            await self._rows.set_name(chat["chat"], first_name, "question")
