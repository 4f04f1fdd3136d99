"""The rules of many chats: names, the active one, the trash. Where they are, a storage knows."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from .errors import InstructionsTooLongError, StorageError
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    Footprint,
    SearchType,
    newest_first,
    parse_time,
)
from .names import DEFAULT_NAME, clean_name, is_visible, name_from_question, name_of_fork
from .search import SearchHit, Words
from .storage import ConversationStorage, is_valid_file_name, is_valid_id
from .transfer import (
    ExportedFile,
    ExportFormat,
    ExportLabels,
    ImportLimits,
    ImportReport,
    RenderAnswer,
    export,
    import_chats,
    write_archive,
)

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")

TRASH_KEPT = timedelta(days=30)
_IMPORTS_AT_ONCE = 2
_LABELS = ExportLabels()
_LIMITS = ImportLimits()
INSTRUCTIONS_LIMIT = 2000  # characters


def _system_clock() -> datetime:
    return datetime.now(UTC)


class ConversationManager:
    """Every user's chats, one of them active.

    All methods may be called by many tasks at once. An id that does not exist, that belongs to
    another user or that is no id at all is simply not found. A storage that fails makes a method
    log it and give `False`, `None`, 0 or nothing; with `raise_errors` it raises `StorageError`
    instead, so that a person can be told that their chats are unreachable rather than gone.
    `create_conversation` always raises. A wrong type is a `TypeError` in both cases.
    """

    def __init__(
        self,
        storage: ConversationStorage,
        *,
        raise_errors: bool = False,
        trash_kept: timedelta = TRASH_KEPT,
        clock: Callable[[], datetime] = _system_clock,
    ) -> None:
        self.trash_kept = trash_kept
        self._storage = storage
        self._raise_errors = raise_errors
        self._clock = clock
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._imports = asyncio.Semaphore(_IMPORTS_AT_ONCE)

    async def create_conversation(self, user_id: int, username: str, first_question: str) -> str:
        """Create an empty chat named after its first question, make it active, and give its id.

        A question without anything visible gives the default name, and the chat takes its name
        from the first question that is added to it.

        :raises StorageError: it could not be stored.
        """
        _check(user_id, int, "user_id")
        _check(username, str, "username")
        _check(first_question, str, "first_question")
        return await self._storage.create(self._new_chat(user_id, username, first_question))

    async def load_conversation(self, user_id: int, conversation_id: str) -> Conversation | None:
        if not _is_found(user_id, conversation_id):
            return None
        return await self._attempt(self._storage.load(user_id, conversation_id), None)

    async def save_conversation(self, conversation: Conversation) -> bool:
        """Store a whole chat; `message_count` and `total_tokens` follow its messages.

        False when the stored chat has messages that this object never saw: somebody else added
        them, and nothing is overwritten unseen. A chat that never existed is stored as a new one.
        A blank name or time is filled in.
        """
        _check(conversation, Conversation, "conversation")
        for message in conversation.messages:
            _check_message(message)
        if not _is_found(conversation.metadata.user_id, conversation.metadata.conversation_id):
            return False
        self._fill_in(conversation)
        return await self._attempt(self._storage.save(conversation), False)

    async def delete_conversation(self, user_id: int, conversation_id: str) -> bool:
        """Move a chat to the trash, from where `restore_conversation` brings it back.

        If it was active, the most recently used other chat is active now, or else a new empty one.
        """
        if not _is_found(user_id, conversation_id):
            return False
        return await self._attempt(self._delete(user_id, conversation_id), False)

    async def get_active_conversation_id(self, user_id: int) -> str | None:
        _check(user_id, int, "user_id")
        return await self._attempt(self._active_id(user_id), None)

    async def set_active_conversation(self, user_id: int, conversation_id: str) -> bool:
        if not _is_found(user_id, conversation_id):
            return False
        return await self._attempt(self._storage.activate(user_id, conversation_id), False)

    async def add_message(
        self,
        user_id: int,
        conversation_id: str,
        message: ConversationMessage,
        *,
        include_deleted: bool = False,
    ) -> bool:
        """Add a message; count, tokens and `updated_at` follow, the active chat stays what it is.

        The very same message is stored once, however often it is added. `include_deleted` lets a
        chat in the trash take it too, so that a late answer is there when the chat is restored.
        """
        _check_message(message)
        if not _is_found(user_id, conversation_id):
            return False
        is_question = message.type == "user_question"
        name = name_from_question(message.text, default="") if is_question else ""
        added = self._storage.append(
            user_id,
            conversation_id,
            message,
            updated_at=self._now().isoformat(),
            first_name=name or None,
            include_deleted=include_deleted,
        )
        return await self._attempt(added, False)

    async def get_messages(
        self, user_id: int, conversation_id: str, limit: int = 20
    ) -> list[ConversationMessage]:
        """Give the last `limit` messages, oldest first; none for a limit of 0 or less."""
        _check(limit, int, "limit")
        if not _is_found(user_id, conversation_id) or limit <= 0:
            return []
        return await self._attempt(self._storage.read_last(user_id, conversation_id, limit), [])

    async def load_index(self, user_id: int) -> dict[str, Any]:
        """Give the index as a dictionary in the file's format; an unknown user has no chats."""
        _check(user_id, int, "user_id")
        empty = {
            "user_id": user_id,
            "username": "",
            "last_active_conversation_id": None,
            "conversations": [],
        }
        return await self._attempt(self._index(user_id), empty)

    async def list_conversations(self, user_id: int) -> list[ConversationMetadata]:
        """Give a user's chats: the pinned first, and newest `updated_at` first among both."""
        _check(user_id, int, "user_id")
        return await self._attempt(self._list(user_id), [])

    # Beyond the seed

    async def rename_conversation(self, user_id: int, conversation_id: str, name: str) -> bool:
        """Give a chat the name that its user chose; no automatic name ever replaces it.

        :raises InvalidNameError: the name is not of 1-64 visible characters after cleaning.
        """
        _check(name, str, "name")
        cleaned = clean_name(name)
        if not _is_found(user_id, conversation_id):
            return False
        renamed = self._storage.rename(user_id, conversation_id, cleaned, "user")
        return await self._attempt(renamed, False)

    async def name_conversation(self, user_id: int, conversation_id: str, name: str) -> bool:
        """Give a chat a name that a model found; False where its user has named it already.

        :raises InvalidNameError: as `rename_conversation` does.
        """
        _check(name, str, "name")
        cleaned = clean_name(name)
        if not _is_found(user_id, conversation_id):
            return False
        renamed = self._storage.rename(user_id, conversation_id, cleaned, "model")
        return await self._attempt(renamed, False)

    async def set_mode(self, user_id: int, conversation_id: str, mode: SearchType) -> bool:
        """Choose how a chat's next questions are answered: "fast" or "deep"."""
        if mode not in {"fast", "deep"}:
            raise ValueError("mode must be fast or deep")
        if not _is_found(user_id, conversation_id):
            return False
        return await self._attempt(self._storage.set_mode(user_id, conversation_id, mode), False)

    async def keep_file(self, user_id: int, name: str, text: str) -> str | None:
        """Keep a text as a file of the user; give where, relative to the user's folder."""
        _check(user_id, int, "user_id")
        if not is_valid_file_name(name):
            raise ValueError("not a file name")
        data = text.encode("utf-8", "replace")
        return await self._attempt(self._storage.keep_file(user_id, name, data), None)

    async def pin_conversation(
        self, user_id: int, conversation_id: str, *, pinned: bool = True
    ) -> bool:
        _check(pinned, bool, "pinned")
        if not _is_found(user_id, conversation_id):
            return False
        return await self._attempt(
            self._storage.pin(user_id, conversation_id, pinned=pinned), False
        )

    async def start_conversation(self, user_id: int, username: str) -> str:
        """Give an empty active chat: the active one where it is still empty, else a new one.

        :raises StorageError: it could not be stored.
        """
        _check(user_id, int, "user_id")
        _check(username, str, "username")
        metadata = self._new_chat(user_id, username, "")
        return await self._storage.create(metadata, unless_active="empty")

    async def add_question(
        self, user_id: int, username: str, message: ConversationMessage
    ) -> ConversationMetadata:
        """Add a question to the active chat, making one where there is none, in one step.

        Sets the message's `search_type` to the chat's mode; gives the chat as it is afterwards.

        :raises StorageError: it could not be stored.
        """
        _check(user_id, int, "user_id")
        _check(username, str, "username")
        _check_message(message)
        return await self._storage.append_to_active(
            self._new_chat(user_id, username, ""),
            message,
            updated_at=self._now().isoformat(),
            first_name=name_from_question(message.text, default="") or None,
        )

    async def get_active_conversation(self, user_id: int) -> ConversationMetadata | None:
        chats = await self.list_conversations(user_id)
        return next((chat for chat in chats if chat.is_active), None)

    async def get_conversation(
        self, user_id: int, conversation_id: str
    ) -> ConversationMetadata | None:
        """Give a chat's metadata without reading its messages."""
        return _by_id(await self.list_conversations(user_id), conversation_id)

    async def get_deleted_conversation(
        self, user_id: int, conversation_id: str
    ) -> ConversationMetadata | None:
        """Give the metadata of a chat in the trash."""
        return _by_id(await self.list_deleted(user_id), conversation_id)

    async def replace_message(
        self,
        user_id: int,
        conversation_id: str,
        old: ConversationMessage,
        new: ConversationMessage,
        *,
        include_deleted: bool = False,
    ) -> bool:
        """Put `new` where the latest message equal to `old` stands; False when there is none."""
        _check_message(old)
        _check_message(new)
        if not _is_found(user_id, conversation_id):
            return False
        replaced = self._storage.replace(
            user_id, conversation_id, old, new, include_deleted=include_deleted
        )
        return await self._attempt(replaced, False)

    async def search_messages(self, user_id: int, words: str, limit: int = 50) -> list[SearchHit]:
        """Find what has all of the words, each as the beginning of a word, in a name or a message.

        Case, ё and е, and compatibility forms make no difference. Names come before questions,
        and those before answers; of each, those in the latest chats first. The trash is left out,
        and so are the default names. Nothing is found by what has no letter, number or symbol.
        """
        _check(user_id, int, "user_id")
        _check(words, str, "words")
        _check(limit, int, "limit")
        sought = Words.of(words)
        if not sought or limit <= 0:
            return []
        return await self._attempt(self._storage.search(user_id, sought, limit), [])

    async def find_message(
        self,
        user_id: int,
        message_id: int,
        *,
        dialog_id: int | None = None,
        sent_at: datetime | None = None,
    ) -> SearchHit | None:
        """Find which of a user's chats a message of Telegram belongs to.

        `dialog_id` is Telegram's chat, None for the user's own dialog with the bot. Chats may
        share messages, one being forked from the other: then it is the active one of them, else
        the one used last. `sent_at` is when Telegram says that it was sent; what was stored more
        than a day before or after that is another message.
        """
        _check(user_id, int, "user_id")
        _check(message_id, int, "message_id")
        if message_id == 0:
            return None
        finding = self._storage.find_message(
            user_id, message_id, dialog_id=dialog_id, sent_at=sent_at
        )
        return await self._attempt(finding, None)

    async def fork_conversation(
        self,
        user_id: int,
        conversation_id: str,
        up_to_message_id: int | None = None,
        *,
        key: str | None = None,
    ) -> str | None:
        """Copy a chat, wholly or up to a message and with it, and make the copy active; its id.

        It is named after the chat, whose id is its `forked_from`; the messages keep their ids.
        None when there is no such chat or message. Calls with the same `key` make one copy, and
        make that one active again, whatever else they say.
        """
        if up_to_message_id is not None:
            _check(up_to_message_id, int, "up_to_message_id")
        if not _is_found(user_id, conversation_id) or up_to_message_id == 0:
            return None
        return await self._attempt(
            self._fork(user_id, conversation_id, up_to_message_id, key), None
        )

    async def remove_last_exchange(
        self, user_id: int, conversation_id: str
    ) -> list[ConversationMessage]:
        """Remove the last question and what answers it; give what was removed, oldest first."""
        if not _is_found(user_id, conversation_id):
            return []
        removed = self._storage.remove_last_exchange(user_id, conversation_id)
        return await self._attempt(removed, [])

    async def list_deleted(self, user_id: int) -> list[ConversationMetadata]:
        """Give what the trash holds, last deleted first. What is over its time goes for good."""
        _check(user_id, int, "user_id")
        return await self._attempt(self._list_deleted(user_id), [])

    async def restore_conversation(
        self, user_id: int, conversation_id: str, *, activate: bool = False
    ) -> bool:
        """Bring a chat back from the trash, as it was.

        With `activate` it becomes the active one, and the empty chat that stood in for it goes.
        """
        if not _is_found(user_id, conversation_id):
            return False
        restored = self._storage.restore(user_id, conversation_id, activate=activate)
        return await self._attempt(restored, False)

    async def empty_trash(self, user_id: int) -> int:
        """Remove all deleted chats of a user for good; tell how many."""
        _check(user_id, int, "user_id")
        return await self._attempt(self._storage.purge(user_id), 0)

    async def export_conversation(
        self,
        user_id: int,
        conversation_id: str,
        format: ExportFormat = "markdown",  # noqa: A002 - it has no better name
        *,
        labels: ExportLabels = _LABELS,
        render: RenderAnswer | None = None,
    ) -> ExportedFile | None:
        """Give a chat as a file to download; None when there is no such chat.

        On a page of HTML answers stand as they were written, unless `render` makes safe HTML of
        their Markdown.
        """
        if format not in {"markdown", "json", "html"}:
            raise ValueError("format must be markdown, json or html")
        conversation = await self.load_conversation(user_id, conversation_id)
        return export(conversation, format, labels, render) if conversation else None

    async def export_all(self, user_id: int, file: BinaryIO) -> int:
        """Write a user's chats, the deleted ones too, into a file as one zip; tell how many.

        A file into which not all could be written is of no use.

        :raises OSError: `file` cannot be written.
        """
        _check(user_id, int, "user_id")
        return await self._attempt(self._export_all(user_id, file), 0)

    async def import_conversations(
        self,
        user_id: int,
        username: str,
        file: bytes | Path,
        *,
        limits: ImportLimits = _LIMITS,
    ) -> ImportReport | None:
        """Add the chats of a file as new ones; None when the storage failed before the first.

        It may be a chat or a zip of ours, of any age, or what ChatGPT or Claude export. The active
        chat stays what it is. Few run at once, whoever asks, because each needs memory.

        :raises ImportRefusedError: nothing of it can be taken; its `reason` tells why.
        :raises OSError: a path that cannot be opened.
        """
        _check(user_id, int, "user_id")
        _check(username, str, "username")
        if not isinstance(file, bytes | Path):
            raise TypeError("file must be bytes or a Path")
        now = self._now().isoformat()
        async with self._imports:
            imported = import_chats(self._storage, user_id, username, file, limits, now=now)
            return await self._attempt(imported, None)

    async def take_damage_report(self, user_id: int) -> int:
        """Tell how many files had to be put aside as damaged since this was last asked."""
        _check(user_id, int, "user_id")
        return await self._attempt(self._take_damage(user_id), 0)

    async def set_instructions(
        self, user_id: int, conversation_id: str, instructions: str
    ) -> bool:
        """Choose what a model is told beforehand in this chat; nothing visible removes it.

        :raises InstructionsTooLongError: they have more than 2000 characters.
        """
        _check(instructions, str, "instructions")
        cleaned = instructions.strip()
        if len(cleaned) > INSTRUCTIONS_LIMIT:
            raise InstructionsTooLongError(limit=INSTRUCTIONS_LIMIT)
        if not _is_found(user_id, conversation_id):
            return False
        chosen = self._storage.set_instructions(
            user_id, conversation_id, cleaned if is_visible(cleaned) else ""
        )
        return await self._attempt(chosen, False)

    async def get_settings(self, user_id: int) -> dict[str, Any]:
        """Give what a user has set, as `update_settings` stored it."""
        _check(user_id, int, "user_id")
        return await self._attempt(self._storage.read_settings(user_id), {})

    async def update_settings(self, user_id: int, changes: Mapping[str, Any]) -> bool:
        """Store settings of a user, JSON values by name; None removes one, others stay."""
        _check(user_id, int, "user_id")
        for name in changes:
            _check(name, str, "a setting's name")
        return await self._attempt(self._update_settings(user_id, changes), False)

    async def delete_conversations(
        self,
        user_id: int,
        conversation_ids: Iterable[str],
        *,
        deleted_at: datetime | None = None,
    ) -> int:
        """Move chats to the trash, the active one last; tell how many.

        All of them get the same time of deletion, by which `restore_deletion` finds them. Each
        goes by itself: after a crash or an error some may still be there, and calling it again
        with the same time goes on.
        """
        found = [chat for chat in conversation_ids if _is_found(user_id, chat)]
        moment = deleted_at or self._now()
        return await self._attempt(self._delete_many(user_id, found, moment), 0)

    async def restore_deletion(self, user_id: int, deleted_at: datetime) -> int:
        """Bring back all chats that were deleted at one time; tell how many.

        The one of them that was active then is so again.
        """
        _check(user_id, int, "user_id")
        return await self._attempt(self._restore_deletion(user_id, deleted_at), 0)

    async def measure_user(self, user_id: int) -> Footprint:
        """Tell how much is stored of a user."""
        _check(user_id, int, "user_id")
        return await self._attempt(self._storage.measure(user_id), Footprint())

    async def erase_user(self, user_id: int) -> Footprint | None:
        """Remove everything of a user for good, and tell what that was; None when it failed.

        What the user asks afterwards begins anew. Called again after a failure it goes on.
        """
        _check(user_id, int, "user_id")
        return await self._attempt(self._storage.erase(user_id), None)

    async def _active_id(self, user_id: int) -> str | None:
        return (await self._storage.read_index(user_id)).last_active_conversation_id

    async def _index(self, user_id: int) -> dict[str, Any]:
        return (await self._storage.read_index(user_id)).to_dict()

    async def _list(self, user_id: int) -> list[ConversationMetadata]:
        chats = (await self._storage.read_index(user_id)).conversations
        return sorted(chats, key=lambda chat: (not chat.pinned, newest_first(chat)))

    async def _delete(self, user_id: int, conversation_id: str) -> bool:
        username = (await self._storage.read_index(user_id)).username
        return await self._storage.delete(
            user_id,
            conversation_id,
            deleted_at=self._now().isoformat(),
            successor=self._new_chat(user_id, username, ""),
        )

    async def _fork(
        self, user_id: int, conversation_id: str, up_to_message_id: int | None, key: str | None
    ) -> str | None:
        chats = (await self._storage.read_index(user_id)).conversations
        fork = self._new_chat(user_id, "", "")
        if key is not None:
            fork.conversation_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{user_id}/{key}"))
        before = _by_id(chats, fork.conversation_id)
        if before is not None and before.forked_from is not None:
            conversation_id = before.forked_from
        else:
            origin = _by_id(chats, conversation_id)
            if origin is None:
                return None
            fork.username, fork.mode = origin.username, origin.mode
            fork.instructions = origin.instructions
            fork.name, fork.name_source = name_of_fork(origin.name), origin.name_source
        made = await self._storage.fork(
            user_id, conversation_id, fork, up_to_message_id=up_to_message_id
        )
        return fork.conversation_id if made else None

    async def _list_deleted(self, user_id: int) -> list[ConversationMetadata]:
        oldest = self._now() - self.trash_kept
        deleted = await self._storage.read_trash(user_id)
        kept = [chat for chat in deleted if parse_time(chat.deleted_at) >= oldest]
        if len(kept) < len(deleted):
            await self._purge(user_id, oldest)
        return sorted(kept, key=lambda chat: parse_time(chat.deleted_at), reverse=True)

    async def _purge(self, user_id: int, oldest: datetime) -> None:
        """Remove what nobody is shown any more; what cannot be removed now goes another time."""
        try:
            await self._storage.purge(user_id, deleted_before=oldest.isoformat())
        except StorageError as error:
            logger.warning("the trash of user %d could not be purged: %s", user_id, error)

    async def _export_all(self, user_id: int, file: BinaryIO) -> int:
        index = await self._storage.read_index(user_id)
        deleted = await self._list_deleted(user_id)
        return await write_archive(self._storage, index, deleted, file)

    async def _update_settings(self, user_id: int, changes: Mapping[str, Any]) -> bool:
        await self._storage.update_settings(user_id, changes)
        return True

    async def _delete_many(self, user_id: int, chats: list[str], deleted_at: datetime) -> int:
        index = await self._storage.read_index(user_id)
        active = index.last_active_conversation_id
        count = 0
        for chat in sorted(chats, key=lambda chat: chat == active):
            count += await self._storage.delete(
                user_id,
                chat,
                deleted_at=deleted_at.isoformat(),
                successor=self._new_chat(user_id, index.username, ""),
            )
        return count

    async def _restore_deletion(self, user_id: int, deleted_at: datetime) -> int:
        deleted = [
            chat
            for chat in await self._list_deleted(user_id)
            if parse_time(chat.deleted_at) == deleted_at
        ]
        deleted.sort(key=lambda chat: chat.is_active)
        count = 0
        for chat in deleted:
            count += await self._storage.restore(
                user_id, chat.conversation_id, activate=chat.is_active
            )
        return count

    async def _take_damage(self, user_id: int) -> int:
        if not (await self._storage.read_index(user_id)).damaged_untold:
            return 0
        return await self._storage.take_damage(user_id)

    def _fill_in(self, conversation: Conversation) -> None:
        """Complete metadata by hand, of which a reader would make up what is blank."""
        metadata = conversation.metadata
        if not metadata.name.strip():
            questions = (m.text for m in conversation.messages if m.type == "user_question")
            metadata.name = name_from_question(next(questions, ""))
        metadata.created_at = metadata.created_at or self._now().isoformat()
        metadata.updated_at = metadata.updated_at or metadata.created_at

    def _new_chat(self, user_id: int, username: str, question: str) -> ConversationMetadata:
        now = self._now().isoformat()
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

    def _now(self) -> datetime:
        """Tell the time, which never goes back here though the system's clock may be set back."""
        self._latest = max(self._clock(), self._latest + timedelta(microseconds=1))
        return self._latest

    async def _attempt(self, doing: Awaitable[_Result], failed: _Result) -> _Result:
        """Keep the seed's contract: a storage that fails gives `failed`, or raises if asked to."""
        try:
            return await doing
        except StorageError:
            if self._raise_errors:
                raise
            logger.exception("the storage failed")
            return failed


def _check(value: object, expected: type, name: str) -> None:
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise TypeError(f"{name} must be {expected.__name__}, not {type(value).__name__}")


def _check_message(message: ConversationMessage) -> None:
    _check(message, ConversationMessage, "message")
    for name in ("timestamp", "type", "text"):
        _check(getattr(message, name), str, f"message.{name}")
    for name in ("message_id", "tokens"):
        _check(getattr(message, name), int, f"message.{name}")


def _by_id(chats: list[ConversationMetadata], conversation_id: str) -> ConversationMetadata | None:
    return next((chat for chat in chats if chat.conversation_id == conversation_id), None)


def _is_found(user_id: int, conversation_id: str) -> bool:
    """Check the types, and tell whether a chat may have this id at all."""
    _check(user_id, int, "user_id")
    _check(conversation_id, str, "conversation_id")
    return is_valid_id(conversation_id)
