"""The verbs of a storage for one user, each inside a transaction of its own.

A verb that writes begins with the user's row locked, and so it stays until the commit: the calls
of one user are serial over all machines. Users do not wait for each other, nor do readers wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import StorageError
from .exchanges import up_to, without_last_exchange
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
from .postgres_rows import (
    MessageRow,
    from_column,
    from_json,
    to_column,
    to_messages,
    to_metadata,
    to_row,
)
from .postgres_search import Chat, find_message, search
from .postgres_user import UserRows
from .search import SearchHit, SoughtMessage, Words
from .storage import UnlessActive, is_valid_id

if TYPE_CHECKING:
    import asyncpg


class Saved(NamedTuple):
    """What a chat is after it was saved."""

    revision: str
    message_count: int
    total_tokens: int


class UserVerbs:
    def __init__(self, rows: UserRows) -> None:
        self._rows = rows

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

    async def load(
        self, conversation_id: str, *, include_deleted: bool = False
    ) -> Conversation | None:
        chat = await self._rows.find(conversation_id, include_deleted=include_deleted)
        if chat is None:
            return None
        return Conversation(
            to_metadata(chat, await self._active_id()),
            to_messages(await self._rows.messages(chat["chat"])),
            from_json(chat["chat_extra"]),
            _revision(chat),
        )

    async def read_last(self, conversation_id: str, limit: int) -> list[ConversationMessage]:
        return to_messages(reversed(await self._rows.last_messages(conversation_id, limit)))

    async def search(self, words: Words, limit: int) -> list[SearchHit]:
        return await search(self._rows, await self._chats(), words, limit) if words else []

    async def find_message(
        self, message_id: int, *, dialog_id: int | None, sent_at: datetime | None
    ) -> SearchHit | None:
        sought = SoughtMessage(message_id, dialog_id, sent_at)
        return await find_message(self._rows, await self._chats(), sought)

    async def create(
        self, metadata: ConversationMetadata, *, unless_active: UnlessActive | None
    ) -> str:
        active = await self._rows.active() if unless_active else None
        if active is not None and (unless_active == "any" or _is_untouched(active)):
            active_id: str = active["conversation_id"]
            return active_id
        await self._create(metadata)
        await self._rows.activate(metadata.conversation_id, metadata.username)
        return metadata.conversation_id

    async def save(self, conversation: Conversation) -> Saved | None:
        """Store a whole chat; None where the contract refuses it."""
        messages = [to_row(message) for message in conversation.messages]
        tokens = sum(message.tokens for message in conversation.messages)
        if not await self._may_save(conversation, messages):
            return None
        active = await self._rows.active()
        chat = await self._rows.put(conversation, len(messages), tokens)
        await self._rows.replace_messages(chat, messages)
        await self._rows.fill_username(conversation.metadata.username)
        if active is None:
            await self._rows.activate(conversation.metadata.conversation_id)
        return Saved(_revision(chat), len(messages), tokens)

    async def add(self, conversations: Sequence[Conversation]) -> None:
        for conversation in conversations:
            messages = [to_row(message) for message in conversation.messages]
            if not await self._is_stored(conversation, messages):
                await self._add_new(conversation, messages)
            await self._rows.fill_username(conversation.metadata.username)
        active = await self._rows.active()
        if active is not None:  # the latest where there was none
            await self._rows.activate(active["conversation_id"])

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
            chat = await self._create(fallback)
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
        replaced = await self._rows.replace_message(chat["chat"], old, new)
        return replaced or await self._rows.has_message(chat["chat"], new)

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
                await self._create(successor)
            await self._rows.activate(latest or successor.conversation_id)
        return True

    async def restore(self, conversation_id: str, *, activate: bool) -> bool:
        chat = await self._rows.find(conversation_id, include_deleted=True)
        if chat is None or chat["deleted_at"] is None:
            return False
        stand_in = await self._rows.active()
        await self._rows.take_out_of_trash(chat["chat"])
        if activate and stand_in is not None and _is_untouched(stand_in):
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

    async def fork(
        self, conversation_id: str, fork: ConversationMetadata, *, up_to_message_id: int | None
    ) -> bool:
        made = await self._rows.find(fork.conversation_id, include_deleted=True)
        if made is None or made["deleted_at"] or made["forked_from"] != to_column(conversation_id):
            copied = await self._copy(conversation_id, fork, up_to_message_id)
            if copied is None:
                return False
            if made is not None:
                raise StorageError(f"{fork.conversation_id} exists")
            await self._add_new(copied, [to_row(message) for message in copied.messages])
        await self._rows.activate(fork.conversation_id)
        return True

    async def remove_last_exchange(self, conversation_id: str) -> list[ConversationMessage]:
        chat = await self._rows.find(conversation_id)
        if chat is None:
            return []
        rows = await self._rows.messages(chat["chat"])
        messages = [(row["position"], message) for row in rows for message in to_messages([row])]
        _, removed = without_last_exchange([message for _, message in messages])
        positions = [place for place, each in messages if any(each is gone for gone in removed)]
        if removed:
            tokens = sum(message.tokens for message in removed)
            await self._rows.remove_messages(chat["chat"], positions, tokens)
        return removed

    async def _copy(
        self, conversation_id: str, fork: ConversationMetadata, up_to_message_id: int | None
    ) -> Conversation | None:
        origin = await self.load(conversation_id)
        if origin is None:
            return None
        messages = up_to(origin.messages, up_to_message_id)
        if messages is None:
            return None
        return Conversation(replace(fork, forked_from=conversation_id), messages, origin.extra)

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

    async def _create(self, metadata: ConversationMetadata) -> asyncpg.Record:
        stored = await self._rows.find(metadata.conversation_id, include_deleted=True)
        if stored is not None and not _is_as_created(stored, metadata):
            raise StorageError(f"{metadata.conversation_id} exists")
        return await self._rows.put(Conversation(metadata))

    async def _is_stored(self, conversation: Conversation, messages: list[MessageRow]) -> bool:
        """Tell whether this very chat is there already, which an earlier call may have stored.

        :raises StorageError: another one has its id.
        """
        conversation_id = conversation.metadata.conversation_id
        stored = await self._rows.find(conversation_id, include_deleted=True)
        if stored is None:
            return False
        there = [row["hash"] for row in await self._rows.messages(stored["chat"])]
        if there != [row.hash for row in messages]:
            raise StorageError(f"{conversation_id} exists")
        return True

    async def _add_new(self, conversation: Conversation, messages: list[MessageRow]) -> None:
        metadata = conversation.metadata
        tokens = sum(message.tokens for message in conversation.messages)
        chat = await self._rows.put(conversation, len(messages), tokens)
        await self._rows.replace_messages(chat, messages)
        if metadata.deleted_at is not None:
            was_active = metadata.is_active
            await self._rows.move_to_trash(
                chat["chat"], metadata.deleted_at, was_active=was_active
            )

    async def _may_save(self, conversation: Conversation, messages: list[MessageRow]) -> bool:
        conversation_id = conversation.metadata.conversation_id
        stored = await self._rows.find(conversation_id, include_deleted=True)
        if stored is None:
            return conversation.revision is None and is_valid_id(conversation_id)
        if stored["deleted_at"] is not None:
            return False
        if conversation.revision == _revision(stored):
            return True
        there = Counter(row["hash"] for row in await self._rows.messages(stored["chat"]))
        return there <= Counter(row.hash for row in messages)

    async def _add(
        self,
        chat: asyncpg.Record,
        message: ConversationMessage,
        updated_at: str,
        first_name: str | None,
    ) -> None:
        await self._rows.append_message(chat["chat"], message, updated_at)
        is_first = message.type == "user_question" and chat["name_source"] == "default"
        if is_first and first_name is not None:
            await self._rows.set_name(chat["chat"], first_name, "question")


def _is_untouched(chat: asyncpg.Record) -> bool:
    """Tell a chat that is empty, and that nobody named, pinned or instructed."""
    touched = chat["message_count"] or chat["pinned"] or chat["instructions"]
    return not touched and chat["name_source"] == "default"


def _is_as_created(chat: asyncpg.Record, metadata: ConversationMetadata) -> bool:
    """Tell a chat that an earlier attempt to create this very one has left."""
    is_same = chat["created_at"] == to_column(metadata.created_at)
    return is_same and chat["deleted_at"] is None and not chat["message_count"]


def _revision(chat: asyncpg.Record) -> str:
    return f"{chat['chat']}.{chat['revision']}"
