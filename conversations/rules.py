"""The rules of many chats: what a new one is, what comes of a deleted one, and in which order.

Each verb of a storage is atomic by itself. What takes several may be cut off between two of them;
done again, it goes on.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import BinaryIO

from .errors import StorageError
from .models import Conversation, ConversationMetadata, parse_time
from .names import DEFAULT_NAME, name_from_question
from .storage import ConversationStorage
from .transfer import write_archive

logger = logging.getLogger(__name__)

_TICK = timedelta(microseconds=1)


class Rules:
    """What it is given was checked. It raises `StorageError` where the storage does."""

    def __init__(
        self, storage: ConversationStorage, trash_kept: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self.trash_kept = trash_kept
        self._storage = storage
        self._clock = clock
        self._latest = datetime.min.replace(tzinfo=UTC)

    async def list_chats(self, user_id: int) -> list[ConversationMetadata]:
        chats = (await self._storage.read_index(user_id)).conversations
        return in_order(chats)

    def new_chat(self, user_id: int, username: str, question: str) -> ConversationMetadata:
        now = self.stamp()
        name = name_from_question(question, default="")
        return ConversationMetadata(
            conversation_id=str(uuid.uuid4()),
            user_id=user_id,
            username=username,
            name=name or DEFAULT_NAME,
            created_at=now,
            updated_at=now,
            is_active=True,
            name_source="question" if name else "default",
        )

    def fill_in(self, conversation: Conversation) -> None:
        """Complete metadata by hand, of which a reader would make up what is blank."""
        metadata = conversation.metadata
        if not metadata.name.strip():
            questions = (m.text for m in conversation.messages if m.type == "user_question")
            metadata.name = name_from_question(next(questions, ""))
        metadata.created_at = metadata.created_at or self.stamp()
        metadata.updated_at = metadata.updated_at or metadata.created_at

    async def fork(
        self, user_id: int, conversation_id: str, up_to_message_id: int | None, key: str | None
    ) -> str | None:
        fork = self.new_chat(user_id, "", "")
        if key is not None:
            fork.conversation_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{user_id}/{key}"))
            before = await self._storage.read_metadata(user_id, fork.conversation_id)
            if before is not None and before.forked_from is not None:
                conversation_id = before.forked_from
        made = await self._storage.fork(
            user_id, conversation_id, fork, up_to_message_id=up_to_message_id
        )
        return fork.conversation_id if made else None

    async def delete(self, user_id: int, conversation_id: str) -> bool:
        return await self._storage.delete(
            user_id,
            conversation_id,
            deleted_at=self.stamp(),
            successor=self.new_chat(user_id, "", ""),
        )

    async def delete_many(self, user_id: int, chats: list[str], deleted_at: datetime) -> int:
        active = (await self._storage.read_index(user_id)).last_active_conversation_id
        count = 0
        for chat in sorted(chats, key=lambda chat: chat == active):
            count += await self._storage.delete(
                user_id,
                chat,
                deleted_at=deleted_at.isoformat(),
                successor=self.new_chat(user_id, "", ""),
            )
        return count

    async def restore_deletion(self, user_id: int, deleted_at: datetime) -> int:
        deleted = [
            chat
            for chat in await self.list_deleted(user_id)
            if parse_time(chat.deleted_at) == deleted_at
        ]
        deleted.sort(key=lambda chat: chat.is_active)
        chats = (await self._storage.read_index(user_id)).conversations
        has_gone_on = any(chat.is_active and chat.message_count for chat in chats)
        count = 0
        for chat in deleted:
            count += await self._storage.restore(
                user_id, chat.conversation_id, activate=chat.is_active and not has_gone_on
            )
        return count

    async def list_deleted(self, user_id: int) -> list[ConversationMetadata]:
        oldest = self.now() - self.trash_kept
        deleted = await self._storage.read_trash(user_id)
        kept = [chat for chat in deleted if parse_time(chat.deleted_at) >= oldest]
        if len(kept) < len(deleted):
            await self._purge(user_id, oldest)
        return sorted(kept, key=lambda chat: parse_time(chat.deleted_at), reverse=True)

    async def export_all(self, user_id: int, file: BinaryIO) -> int:
        index = await self._storage.read_index(user_id)
        deleted = await self.list_deleted(user_id)
        return await write_archive(self._storage, index, deleted, file)

    def now(self) -> datetime:
        """Tell the time, which never goes back here though the system's clock may be set back."""
        now = self._clock()
        self._latest = now if now > self._latest else self._latest + _TICK
        return self._latest

    def stamp(self) -> str:
        """Tell `now` as ISO 8601."""
        now = self.now()
        if now.tzinfo is UTC:  # asking it for its offset leaves a string in the cache of methods,
            # somewhere among what is freed later; a few hundred of them keep half of it in use
            return f"{now.replace(tzinfo=None).isoformat()}+00:00"
        return now.isoformat()

    async def _purge(self, user_id: int, oldest: datetime) -> None:
        """Remove what nobody is shown any more; what cannot be removed now goes another time."""
        try:
            await self._storage.purge(user_id, deleted_before=oldest.isoformat())
        except StorageError as error:
            logger.warning("the trash of user %d could not be purged: %s", user_id, error)


def by_id(chats: list[ConversationMetadata], conversation_id: str) -> ConversationMetadata | None:
    return next((chat for chat in chats if chat.conversation_id == conversation_id), None)


def in_order(chats: list[ConversationMetadata]) -> list[ConversationMetadata]:
    """Sort a list as people see it: the pinned first, then as by `newest_first`, but faster."""
    by_id = sorted(chats, key=attrgetter("conversation_id"))
    return sorted(  # which leaves those with equal times as they are
        by_id,
        key=lambda chat: (chat.pinned, parse_time(chat.updated_at), parse_time(chat.created_at)),
        reverse=True,
    )
