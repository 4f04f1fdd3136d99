"""Chats of a file, stored for a user: always as new ones, never over what is there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from ..errors import StorageError
from ..models import Conversation, parse_time
from ..storage import ConversationStorage
from .reading import read_chats
from .report import ImportLimits, ImportReport, Tally
from .threads import in_thread

logger = logging.getLogger(__name__)

_BATCH_CHATS = 50
_BATCH_MESSAGES = 2000


async def import_chats(
    storage: ConversationStorage,
    user_id: int,
    username: str,
    file: bytes | os.PathLike[str],
    limits: ImportLimits,
    *,
    now: str,
) -> ImportReport:
    """Read a file and store its chats, a batch at a time; tell what became of them.

    The active chat stays what it is. A user who has none gets the one that was active in the file,
    or the latest. A storage that fails after some chats were stored ends the import, and the
    report says so.

    :raises ImportRefusedError: nothing of the file can be taken.
    :raises StorageError: nothing could be stored.
    """
    tally, chosen = Tally(), _Chosen()
    had_active = (await storage.read_index(user_id)).last_active_conversation_id is not None
    chats = read_chats(file, limits, tally, now=now)
    try:
        while batch := await in_thread(_take_batch, chats):
            for chat in batch:
                chat.metadata.user_id, chat.metadata.username = user_id, username
            await storage.add(user_id, batch)
            _count(tally, batch)
            chosen.see(batch)
    except StorageError:
        if not tally.chats:
            raise
        logger.exception("the storage failed during an import")
        tally.leave_out("storage_failed", count=len(batch))
    finally:
        with suppress(ValueError):  # a loop that shuts down leaves the thread to itself
            chats.close()
    if chosen.conversation_id is not None and not had_active:
        with suppress(StorageError):  # another one of them is active then
            await storage.activate(user_id, chosen.conversation_id)
    return tally.report()


class _Chosen:
    """Finds the chat for a user who has none: the one that was active, else the latest."""

    def __init__(self) -> None:
        self.conversation_id: str | None = None
        self._best = (False, parse_time(None))

    def see(self, batch: Iterable[Conversation]) -> None:
        for metadata in (chat.metadata for chat in batch if chat.metadata.deleted_at is None):
            rank = (metadata.is_active, parse_time(metadata.updated_at))
            if self.conversation_id is None or rank > self._best:
                self.conversation_id, self._best = metadata.conversation_id, rank


def _take_batch(chats: Iterator[Conversation]) -> list[Conversation]:
    batch: list[Conversation] = []
    messages = 0
    for chat in chats:
        batch.append(chat)
        messages += len(chat.messages)
        if len(batch) >= _BATCH_CHATS or messages >= _BATCH_MESSAGES:
            break
    return batch


def _count(tally: Tally, batch: list[Conversation]) -> None:
    tally.chats += len(batch)
    tally.deleted += sum(1 for chat in batch if chat.metadata.deleted_at is not None)
    tally.messages += sum(len(chat.messages) for chat in batch)
