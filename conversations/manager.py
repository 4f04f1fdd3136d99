"""What can be done with many chats, one method each. Where they are, a storage knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from .checking import check_message, check_type, is_found
from .errors import InstructionsTooLongError, StorageError
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    Footprint,
    SearchType,
)
from .names import clean_name, is_visible, name_from_question
from .rules import Rules, by_id
from .search import SearchHit, Words
from .storage import ConversationStorage, is_valid_file_name
from .transfer import (
    ExportedFile,
    ExportFormat,
    ExportLabels,
    ImportLimits,
    ImportReport,
    RenderAnswer,
    export,
    import_chats,
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
        self._storage = storage
        self._raise_errors = raise_errors
        self._rules = Rules(storage, trash_kept, clock)
        self._imports = asyncio.Semaphore(_IMPORTS_AT_ONCE)

    @property
    def raises_errors(self) -> bool:
        """Whether a failing storage is told by exceptions, and not by an empty result."""
        return self._raise_errors

    @property
    def trash_kept(self) -> timedelta:
        """How long a deleted chat can be restored."""
        return self._rules.trash_kept

    async def create_conversation(self, user_id: int, username: str, first_question: str) -> str:
        """Create an empty chat named after its first question, make it active, and give its id.

        A question without anything visible gives the default name, and the chat takes its name
        from the first question that is added to it.

        :raises StorageError: it could not be stored.
        """
        check_type(user_id, int, "user_id")
        check_type(username, str, "username")
        check_type(first_question, str, "first_question")
        return await self._storage.create(self._rules.new_chat(user_id, username, first_question))

    async def load_conversation(
        self, user_id: int, conversation_id: str, *, include_deleted: bool = False
    ) -> Conversation | None:
        """Give a whole chat, messages oldest first; None when there is none.

        With `include_deleted` one in the trash as well, which has its `deleted_at` then.
        """
        if not is_found(user_id, conversation_id):
            return None
        loaded = self._storage.load(user_id, conversation_id, include_deleted=include_deleted)
        return await self._attempt(loaded, None)

    async def save_conversation(self, conversation: Conversation) -> bool:
        """Store a whole chat; `message_count` and `total_tokens` follow its messages.

        False when the stored chat has messages that this object never saw: somebody else added
        them, and nothing is overwritten unseen. A chat that never existed is stored as a new one.
        A blank name or time is filled in.
        """
        check_type(conversation, Conversation, "conversation")
        for message in conversation.messages:
            check_message(message)
        if not is_found(conversation.metadata.user_id, conversation.metadata.conversation_id):
            return False
        self._rules.fill_in(conversation)
        return await self._attempt(self._storage.save(conversation), False)

    async def delete_conversation(self, user_id: int, conversation_id: str) -> bool:
        """Move a chat to the trash, from where `restore_conversation` brings it back.

        If it was active, the most recently used other chat is active now, or else a new empty one.
        """
        if not is_found(user_id, conversation_id):
            return False
        return await self._attempt(self._rules.delete(user_id, conversation_id), False)

    async def get_active_conversation_id(self, user_id: int) -> str | None:
        active = await self.get_active_conversation(user_id)
        return active.conversation_id if active is not None else None

    async def set_active_conversation(self, user_id: int, conversation_id: str) -> bool:
        if not is_found(user_id, conversation_id):
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
        check_message(message)
        if not is_found(user_id, conversation_id):
            return False
        is_question = message.type == "user_question"
        name = name_from_question(message.text, default="") if is_question else ""
        added = self._storage.append(
            user_id,
            conversation_id,
            message,
            updated_at=self._rules.stamp(),
            first_name=name or None,
            include_deleted=include_deleted,
        )
        return await self._attempt(added, False)

    async def get_messages(
        self, user_id: int, conversation_id: str, limit: int = 20
    ) -> list[ConversationMessage]:
        """Give the last `limit` messages, oldest first; none for a limit of 0 or less."""
        check_type(limit, int, "limit")
        if not is_found(user_id, conversation_id) or limit <= 0:
            return []
        return await self._attempt(self._storage.read_last(user_id, conversation_id, limit), [])

    async def load_index(self, user_id: int) -> dict[str, Any]:
        """Give the index as a dictionary in the file's format; an unknown user has no chats."""
        check_type(user_id, int, "user_id")
        empty = {
            "user_id": user_id,
            "username": "",
            "last_active_conversation_id": None,
            "conversations": [],
        }
        return await self._attempt(self._index(user_id), empty)

    async def list_conversations(self, user_id: int) -> list[ConversationMetadata]:
        """Give a user's chats: the pinned first, and newest `updated_at` first among both."""
        check_type(user_id, int, "user_id")
        return await self._attempt(self._rules.list_chats(user_id), [])

    # Beyond the seed

    async def rename_conversation(self, user_id: int, conversation_id: str, name: str) -> bool:
        """Give a chat the name that its user chose; no automatic name ever replaces it.

        :raises InvalidNameError: the name is not of 1-64 visible characters after cleaning.
        """
        check_type(name, str, "name")
        cleaned = clean_name(name)
        if not is_found(user_id, conversation_id):
            return False
        renamed = self._storage.rename(user_id, conversation_id, cleaned, "user")
        return await self._attempt(renamed, False)

    async def name_conversation(self, user_id: int, conversation_id: str, name: str) -> bool:
        """Give a chat a name that a model found; False where its user has named it already.

        :raises InvalidNameError: as `rename_conversation` does.
        """
        check_type(name, str, "name")
        cleaned = clean_name(name)
        if not is_found(user_id, conversation_id):
            return False
        renamed = self._storage.rename(user_id, conversation_id, cleaned, "model")
        return await self._attempt(renamed, False)

    async def set_mode(self, user_id: int, conversation_id: str, mode: SearchType) -> bool:
        """Choose how a chat's next questions are answered: "fast" or "deep"."""
        if mode not in {"fast", "deep"}:
            raise ValueError("mode must be fast or deep")
        if not is_found(user_id, conversation_id):
            return False
        return await self._attempt(self._storage.set_mode(user_id, conversation_id, mode), False)

    async def keep_file(self, user_id: int, name: str, text: str) -> str | None:
        """Keep a text as a file of the user; give where, relative to the user's folder."""
        check_type(user_id, int, "user_id")
        if not is_valid_file_name(name):
            raise ValueError("not a file name")
        data = text.encode("utf-8", "replace")
        return await self._attempt(self._storage.keep_file(user_id, name, data), None)

    async def pin_conversation(
        self, user_id: int, conversation_id: str, *, pinned: bool = True
    ) -> bool:
        check_type(pinned, bool, "pinned")
        if not is_found(user_id, conversation_id):
            return False
        return await self._attempt(
            self._storage.pin(user_id, conversation_id, pinned=pinned), False
        )

    async def start_conversation(self, user_id: int, username: str) -> str:
        """Give an empty active chat: the active one where it is still empty, else a new one.

        :raises StorageError: it could not be stored.
        """
        check_type(user_id, int, "user_id")
        check_type(username, str, "username")
        metadata = self._rules.new_chat(user_id, username, "")
        return await self._storage.create(metadata, unless_active="empty")

    async def add_question(
        self, user_id: int, username: str, message: ConversationMessage
    ) -> ConversationMetadata:
        """Add a question to the active chat, making one where there is none, in one step.

        Sets the message's `search_type` to the chat's mode; gives the chat as it is afterwards.

        :raises StorageError: it could not be stored.
        """
        check_type(user_id, int, "user_id")
        check_type(username, str, "username")
        check_message(message)
        return await self._storage.append_to_active(
            self._rules.new_chat(user_id, username, ""),
            message,
            updated_at=self._rules.stamp(),
            first_name=name_from_question(message.text, default="") or None,
        )

    async def get_active_conversation(self, user_id: int) -> ConversationMetadata | None:
        check_type(user_id, int, "user_id")
        return await self._attempt(self._storage.read_metadata(user_id, None), None)

    async def get_conversation(
        self, user_id: int, conversation_id: str
    ) -> ConversationMetadata | None:
        """Give a chat's metadata without reading its messages."""
        if not is_found(user_id, conversation_id):
            return None
        return await self._attempt(self._storage.read_metadata(user_id, conversation_id), None)

    async def get_deleted_conversation(
        self, user_id: int, conversation_id: str
    ) -> ConversationMetadata | None:
        """Give the metadata of a chat in the trash."""
        return by_id(await self.list_deleted(user_id), conversation_id)

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
        check_message(old)
        check_message(new)
        if not is_found(user_id, conversation_id):
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
        check_type(user_id, int, "user_id")
        check_type(words, str, "words")
        check_type(limit, int, "limit")
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
        check_type(user_id, int, "user_id")
        check_type(message_id, int, "message_id")
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
            check_type(up_to_message_id, int, "up_to_message_id")
        if not is_found(user_id, conversation_id) or up_to_message_id == 0:
            return None
        return await self._attempt(
            self._rules.fork(user_id, conversation_id, up_to_message_id, key), None
        )

    async def remove_last_exchange(
        self, user_id: int, conversation_id: str
    ) -> list[ConversationMessage]:
        """Remove the last question and what answers it; give what was removed, oldest first."""
        if not is_found(user_id, conversation_id):
            return []
        removed = self._storage.remove_last_exchange(user_id, conversation_id)
        return await self._attempt(removed, [])

    async def list_deleted(self, user_id: int) -> list[ConversationMetadata]:
        """Give what the trash holds, last deleted first. What is over its time goes for good."""
        check_type(user_id, int, "user_id")
        return await self._attempt(self._rules.list_deleted(user_id), [])

    async def restore_conversation(
        self, user_id: int, conversation_id: str, *, activate: bool = False
    ) -> bool:
        """Bring a chat back from the trash, as it was.

        With `activate` it becomes the active one, and the empty chat that stood in for it goes.
        """
        if not is_found(user_id, conversation_id):
            return False
        restored = self._storage.restore(user_id, conversation_id, activate=activate)
        return await self._attempt(restored, False)

    async def empty_trash(self, user_id: int) -> int:
        """Remove all deleted chats of a user for good; tell how many."""
        check_type(user_id, int, "user_id")
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
        check_type(user_id, int, "user_id")
        return await self._attempt(self._rules.export_all(user_id, file), 0)

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
        check_type(user_id, int, "user_id")
        check_type(username, str, "username")
        if not isinstance(file, bytes | Path):
            raise TypeError("file must be bytes or a Path")
        now = self._rules.stamp()
        async with self._imports:
            imported = import_chats(self._storage, user_id, username, file, limits, now=now)
            return await self._attempt(imported, None)

    async def take_damage_report(self, user_id: int) -> int:
        """Tell how many files had to be put aside as damaged since this was last asked."""
        check_type(user_id, int, "user_id")
        return await self._attempt(self._storage.take_damage(user_id), 0)

    async def set_instructions(
        self, user_id: int, conversation_id: str, instructions: str
    ) -> bool:
        """Choose what a model is told beforehand in this chat; nothing visible removes it.

        :raises InstructionsTooLongError: they have more than 2000 characters.
        """
        check_type(instructions, str, "instructions")
        cleaned = instructions.strip()
        if len(cleaned) > INSTRUCTIONS_LIMIT:
            raise InstructionsTooLongError(limit=INSTRUCTIONS_LIMIT)
        if not is_found(user_id, conversation_id):
            return False
        chosen = self._storage.set_instructions(
            user_id, conversation_id, cleaned if is_visible(cleaned) else ""
        )
        return await self._attempt(chosen, False)

    async def get_settings(self, user_id: int) -> dict[str, Any]:
        """Give what a user has set, as `update_settings` stored it."""
        check_type(user_id, int, "user_id")
        return await self._attempt(self._storage.read_settings(user_id), {})

    async def update_settings(self, user_id: int, changes: Mapping[str, Any]) -> bool:
        """Store settings of a user, JSON values by name; None removes one, others stay."""
        check_type(user_id, int, "user_id")
        for name in changes:
            check_type(name, str, "a setting's name")
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
        found = [chat for chat in conversation_ids if is_found(user_id, chat)]
        moment = deleted_at or self._rules.now()
        return await self._attempt(self._rules.delete_many(user_id, found, moment), 0)

    async def restore_deletion(self, user_id: int, deleted_at: datetime) -> int:
        """Bring back all chats that were deleted at one time; tell how many.

        The one of them that was active then is so again, unless there are messages in the chat
        that is active now.
        """
        check_type(user_id, int, "user_id")
        return await self._attempt(self._rules.restore_deletion(user_id, deleted_at), 0)

    async def measure_user(self, user_id: int) -> Footprint:
        """Tell how much is stored of a user."""
        check_type(user_id, int, "user_id")
        return await self._attempt(self._storage.measure(user_id), Footprint())

    async def erase_user(self, user_id: int) -> Footprint | None:
        """Remove everything of a user for good, and tell what that was; None when it failed.

        What the user asks afterwards begins anew. Called again after a failure it goes on.
        """
        check_type(user_id, int, "user_id")
        return await self._attempt(self._storage.erase(user_id), None)

    async def _index(self, user_id: int) -> dict[str, Any]:
        return (await self._storage.read_index(user_id)).to_dict()

    async def _update_settings(self, user_id: int, changes: Mapping[str, Any]) -> bool:
        await self._storage.update_settings(user_id, changes)
        return True

    async def _attempt(self, doing: Awaitable[_Result], failed: _Result) -> _Result:
        """Keep the seed's contract: a storage that fails gives `failed`, or raises if asked to."""
        try:
            return await doing
        except StorageError:
            if self._raise_errors:
                raise
            logger.exception("the storage failed")
            return failed
