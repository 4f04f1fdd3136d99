"""The verbs that make chats and store whole ones, inside a transaction of one user's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .errors import StorageError
from .exchanges import forked
from .models import Conversation, ConversationMetadata
from .postgres_messages import MessageRows
from .postgres_rows import (
    MessageRow,
    from_json,
    is_untouched,
    revision,
    to_column,
    to_messages,
    to_metadata,
    to_row,
)
from .postgres_user import UserRows
from .storage import UnlessActive, is_valid_id

if TYPE_CHECKING:
    import asyncpg


class Saved(NamedTuple):
    """What a chat is after it was saved."""

    revision: str
    message_count: int
    total_tokens: int


class Creating:
    def __init__(self, rows: UserRows, messages: MessageRows) -> None:
        self._rows = rows
        self._messages = messages

    async def create(
        self, metadata: ConversationMetadata, *, unless_active: UnlessActive | None
    ) -> str:
        active = await self._rows.active() if unless_active else None
        if active is not None and (unless_active == "any" or is_untouched(active)):
            active_id: str = active["conversation_id"]
            return active_id
        await self.make(metadata)
        await self._rows.activate(metadata.conversation_id, metadata.username)
        return metadata.conversation_id

    async def make(self, metadata: ConversationMetadata) -> asyncpg.Record:
        """Write an empty chat and give its row; the one that an earlier attempt has left stays."""
        stored = await self._rows.find(metadata.conversation_id, include_deleted=True)
        if stored is not None and not _is_as_created(stored, metadata):
            raise StorageError(f"{metadata.conversation_id} exists")
        return await self._rows.put(Conversation(metadata))

    async def save(self, conversation: Conversation) -> Saved | None:
        """Store a whole chat; None where the contract refuses it."""
        messages = [to_row(message) for message in conversation.messages]
        tokens = sum(message.tokens for message in conversation.messages)
        if not await self._may_save(conversation, messages):
            return None
        active = await self._rows.active()
        chat = await self._rows.put(conversation, len(messages), tokens)
        await self._messages.replace_all(chat, messages)
        await self._rows.fill_username(conversation.metadata.username)
        if active is None:
            await self._rows.activate(conversation.metadata.conversation_id)
        return Saved(revision(row.hash for row in messages), len(messages), tokens)

    async def add(self, conversations: Sequence[Conversation]) -> None:
        for conversation in conversations:
            messages = [to_row(message) for message in conversation.messages]
            if not await self._is_stored(conversation, messages):
                await self._add_new(conversation, messages)
            await self._rows.fill_username(conversation.metadata.username)
        active = await self._rows.active()
        if active is not None:  # the latest where there was none
            await self._rows.activate(active["conversation_id"])

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

    async def _copy(
        self, conversation_id: str, fork: ConversationMetadata, up_to_message_id: int | None
    ) -> Conversation | None:
        row = await self._rows.find(conversation_id)
        if row is None:
            return None
        messages = to_messages(await self._messages.all(row["chat"]))
        metadata = to_metadata(row, active_id=None)
        origin = Conversation(metadata, messages, from_json(row["chat_extra"]))
        return forked(origin, fork, up_to_message_id)

    async def _is_stored(self, conversation: Conversation, messages: list[MessageRow]) -> bool:
        """Tell whether this very chat is there already, which an earlier call may have stored.

        :raises StorageError: another one has its id.
        """
        conversation_id = conversation.metadata.conversation_id
        stored = await self._rows.find(conversation_id, include_deleted=True)
        if stored is None:
            return False
        there = await self._messages.hashes(stored["chat"])
        if there != [row.hash for row in messages]:
            raise StorageError(f"{conversation_id} exists")
        return True

    async def _add_new(self, conversation: Conversation, messages: list[MessageRow]) -> None:
        metadata = conversation.metadata
        tokens = sum(message.tokens for message in conversation.messages)
        chat = await self._rows.put(conversation, len(messages), tokens)
        await self._messages.replace_all(chat, messages)
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
        there = await self._messages.hashes(stored["chat"])
        if conversation.revision == revision(there):
            return True
        return Counter(there) <= Counter(row.hash for row in messages)


def _is_as_created(chat: asyncpg.Record, metadata: ConversationMetadata) -> bool:
    """Tell a chat that an earlier attempt to create this very one has left."""
    is_same = chat["created_at"] == to_column(metadata.created_at)
    return is_same and chat["deleted_at"] is None and not chat["message_count"]
