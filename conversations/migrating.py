"""All chats from one storage into another, one after another, each compared when it is there.

A migration that was cut off is run again: what has come in whole is recognised by its content and
left as it is. What the target has and the source has not is somebody else's, and nothing is
written then. Nobody may use either of them meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .errors import StorageError
from .migration_ends import MigrationEnd
from .models import Conversation, ConversationMetadata, UserIndex


class MigrationRefusedError(StorageError):
    """The target has chats that are not from this source, or they are not as they are there."""


@dataclass(slots=True)
class Receipt:
    """What a migration has brought into the target, what was there already included."""

    users: int = 0
    chats: int = 0
    deleted_chats: int = 0
    messages: int = 0
    files: int = 0
    already_there: int = 0  # chats that an earlier run has brought
    digest: str = ""  # of the digests of all chats, in the order of users and ids

    def count(self, chat: Conversation, digest: str) -> None:
        self.chats += chat.metadata.deleted_at is None
        self.deleted_chats += chat.metadata.deleted_at is not None
        self.messages += len(chat.messages)
        self.digest = hashlib.sha256(f"{self.digest}{digest}".encode()).hexdigest()


Progress = Callable[[int, int, Receipt], None]


async def migrate(source: MigrationEnd, target: MigrationEnd, *, progress: Progress) -> Receipt:
    """Bring everything of everybody into the target; `progress` is told users done and in all.

    :raises MigrationRefusedError: the target has something else; nothing was written.
    :raises StorageError: it failed, or a chat is not in the target as it was in the source.
    """
    users = await source.users()  # before a folder that is not there is made
    await source.storage.open()
    await target.storage.open()
    await _refuse_others(source, target, users)
    receipt = Receipt()
    for done, user_id in enumerate(users):
        progress(done, len(users), receipt)
        await _bring_user(source, target, user_id, receipt)
        receipt.users += 1
    progress(len(users), len(users), receipt)
    return receipt


async def _refuse_others(source: MigrationEnd, target: MigrationEnd, users: list[int]) -> None:
    known = set(users)
    for user_id in await target.users():
        there = await _chats(target, user_id)
        here = await _chats(source, user_id) if user_id in known else {}
        others = [
            chat for chat in there if chat not in here or not _alike(there[chat], here[chat])
        ]
        if others:
            raise MigrationRefusedError(
                f"the target has chats that are not from this source, {len(others)} of user"
                f" {user_id}; nothing was written"
            )


async def _chats(end: MigrationEnd, user_id: int) -> dict[str, ConversationMetadata]:
    index = await end.storage.read_index(user_id)
    chats = [*index.conversations, *await end.storage.read_trash(user_id)]
    return {chat.conversation_id: chat for chat in chats}


def _alike(one: ConversationMetadata, other: ConversationMetadata) -> bool:
    """Tell whether two are of one chat, as far as can be told without its messages."""
    return (one.created_at, one.message_count, one.deleted_at) == (
        other.created_at,
        other.message_count,
        other.deleted_at,
    )


async def _bring_user(
    source: MigrationEnd, target: MigrationEnd, user_id: int, receipt: Receipt
) -> None:
    index = await source.storage.read_index(user_id)
    there = await _chats(target, user_id)
    await target.begin_user(index)
    wanted = await _chats(source, user_id)
    for conversation_id in sorted(wanted):
        is_there = conversation_id in there
        await _bring_chat(source, target, user_id, conversation_id, receipt, is_there=is_there)
        receipt.already_there += is_there
    if index.settings:
        await target.storage.update_settings(user_id, index.settings)
    for name in await source.files(user_id):
        data = await source.read_file(user_id, name)
        await target.storage.keep_file(user_id, name, data)
        if await target.read_file(user_id, name) != data:
            raise StorageError(f"a file of user {user_id} is not as it was")
        receipt.files += 1
    active = index.last_active_conversation_id
    if active is not None:
        await target.storage.activate(user_id, active)
    await _compare(index, target, set(wanted))


async def _bring_chat(
    source: MigrationEnd,
    target: MigrationEnd,
    user_id: int,
    conversation_id: str,
    receipt: Receipt,
    *,
    is_there: bool,
) -> None:
    chat = await source.storage.load(user_id, conversation_id, include_deleted=True)
    if chat is None:
        raise StorageError(f"a chat of user {user_id} is gone: something else writes to it")
    digest = digest_of(chat)
    if not is_there:
        await target.storage.add(user_id, [chat])
    stored = await target.storage.load(user_id, conversation_id, include_deleted=True)
    if stored is None or digest_of(stored) != digest:
        if is_there:
            raise MigrationRefusedError(
                f"a chat of user {user_id} was in the target before, and is another there"
            )
        raise StorageError(f"a chat of user {user_id} is not as it was")
    receipt.count(chat, digest)


async def _compare(index: UserIndex, target: MigrationEnd, wanted: Iterable[str]) -> None:
    """See that a user has all chats and no other, the same one active, and the same settings."""
    user_id = index.user_id
    stored = await target.storage.read_index(user_id)
    if set(await _chats(target, user_id)) != wanted:
        raise StorageError(f"user {user_id} has other chats than before")
    same = (index.last_active_conversation_id, index.settings, index.extra)
    if (stored.last_active_conversation_id, stored.settings, stored.extra) != same:
        raise StorageError(f"the index of user {user_id} is not as it was")


def digest_of(chat: Conversation) -> str:
    """Give the same for the same chat, wherever it is stored and in whatever order its keys are.

    Which chat is the active one the index tells, and a chat only when it was deleted.
    """
    metadata = chat.metadata.to_dict()
    if chat.metadata.deleted_at is None:
        del metadata["is_active"]
    whole = {
        "metadata": metadata,
        "messages": [message.to_dict() for message in chat.messages],
        "extra": chat.extra,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
