"""What a storage must do: a few verbs, each atomic by itself; the rules above need no locks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    Footprint,
    NameSource,
    SearchType,
    UserIndex,
)
from .search import SearchHit, Words

_VALID_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}")
_VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,48}")


def is_valid_id(conversation_id: str) -> bool:
    """Tell whether a chat may have this id; what may not does not exist and is never looked up."""
    return bool(_VALID_ID.fullmatch(conversation_id)) and conversation_id.lower() != "index"


def is_valid_file_name(name: str) -> bool:
    """Tell whether a file of a user may be called so: one plain name, not hidden."""
    return bool(_VALID_FILE_NAME.fullmatch(name))


UnlessActive = Literal["any", "empty"]


class ConversationStorage(Protocol):
    """Keeps every user's chats.

    Each verb happens wholly or not at all, also under concurrency, cancellation and crashes: a
    cancelled call has either happened or it never will. What a verb acknowledged by returning is
    durable. Calls of one user take effect one after another, those of different users side by
    side. Unknown keys of foreign files survive every write. An id for which `is_valid_id` is false
    does not exist. Objects that are returned belong to the caller.

    Every verb raises `StorageError` when it cannot be done; then nothing acknowledged is lost, and
    calling it again does not do it twice.
    """

    async def open(self) -> None:
        """Claim what is stored. Every verb does it too; calling it first tells problems early."""

    async def close(self) -> None:
        """Finish what is under way and let go. Later calls raise `StorageClosedError`."""

    async def read_index(self, user_id: int) -> UserIndex:
        """Give a user's chats; an unknown user has none, and nothing is created by asking."""

    async def read_metadata(
        self, user_id: int, conversation_id: str | None
    ) -> ConversationMetadata | None:
        """Give what the index says of one chat, None: of the active one; None if there is none.

        The cost does not follow the number of chats.
        """

    async def load(
        self, user_id: int, conversation_id: str, *, include_deleted: bool = False
    ) -> Conversation | None:
        """Give a whole chat, messages oldest first; None when there is none.

        With `include_deleted` one in the trash as well, as `read_trash` gives it.
        """

    async def read_last(
        self, user_id: int, conversation_id: str, limit: int
    ) -> list[ConversationMessage]:
        """Give the last `limit` messages, oldest first, at a cost that follows `limit`."""

    async def search(self, user_id: int, words: Words, limit: int) -> list[SearchHit]:
        """Give chats whose name has all of the words, then questions that have, then answers.

        Each kind comes in the order of the chats, the latest `updated_at` first, and in a chat
        the last message first. A default name is no name, the trash is not searched, and no words
        find nothing.
        """

    async def find_message(
        self,
        user_id: int,
        message_id: int,
        *,
        dialog_id: int | None = None,
        sent_at: datetime | None = None,
    ) -> SearchHit | None:
        """Find the message of a dialog that has this id, or that came in a piece which has it.

        The active chat is looked at first, then the others, the latest `updated_at` first; in a
        chat the last message that fits is given. With `sent_at` a `timestamp` has to be within a
        day of it, where there is one: numbers of other dialogs may be the same. A storage may
        give up on chats that are very far back.
        """

    async def fork(
        self,
        user_id: int,
        conversation_id: str,
        fork: ConversationMetadata,
        *,
        up_to_message_id: int | None = None,
    ) -> bool:
        """Store a copy of a chat as the chat `fork`, and make that one active.

        The copy ends with the last message of that id, or in whose pieces it is. Count and tokens
        follow the messages, `forked_from` is set; mode, instructions, user name and unknown keys
        are those of the chat, and the name is made of its name, all as `exchanges.forked` says.
        False when there is no such chat or message. A `fork` that is stored already, as one of
        the same chat, keeps its messages; an id that another chat has is a `StorageError`.
        """

    async def remove_last_exchange(
        self, user_id: int, conversation_id: str
    ) -> list[ConversationMessage]:
        """Remove the last question and what answers it; give what was removed, oldest first.

        Answers to earlier questions stay, and `updated_at` too. After an error the caller has to
        look whether it was done.
        """

    async def create(
        self, metadata: ConversationMetadata, *, unless_active: UnlessActive | None = None
    ) -> str:
        """Store a new empty chat, make it active, take over its `username`; give the active id.

        With `unless_active` an active chat stays instead, "any" one or an "empty" unnamed one.
        """

    async def save(self, conversation: Conversation) -> bool:
        """Store a whole chat and set its `revision`; count and tokens follow the messages.

        False, and nothing written, when the stored chat has messages that this object never saw,
        or when the chat is in the trash, or when it was there once (the object has a `revision`)
        and is gone for good. A chat that never existed is stored as a new one. A user without a
        `username` takes over the chat's.
        """

    async def add(self, user_id: int, conversations: Sequence[Conversation]) -> None:
        """Store whole chats that never existed, those with a `deleted_at` in the trash.

        Count and tokens follow the messages. The active chat stays what it is; the latest of them
        becomes it where there is none. Of many chats a crash may leave some, each of them whole.
        An id that another chat has is a `StorageError`, and none of them is stored.
        """

    async def append(
        self,
        user_id: int,
        conversation_id: str,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None = None,
        include_deleted: bool = False,
    ) -> bool:
        """Add a message; count, tokens and `updated_at` follow. False when there is no such chat.

        A message that is stored already, equal in every field, is not stored again; that is how a
        call is repeated safely. `first_name` becomes the name of a chat that still bears the
        default one. With `include_deleted` a chat in the trash takes the message as well.
        """

    async def append_to_active(
        self,
        fallback: ConversationMetadata,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None = None,
    ) -> ConversationMetadata:
        """Add a question to its user's active chat, or to `fallback` where there is no chat yet.

        As `append` in all else; the message's `search_type` is set to the chat's mode. Gives the
        chat as it is afterwards.
        """

    async def replace(
        self,
        user_id: int,
        conversation_id: str,
        old: ConversationMessage,
        new: ConversationMessage,
        *,
        include_deleted: bool = False,
    ) -> bool:
        """Put `new` in the place of the latest message equal to `old`; False if there is none."""

    async def rename(
        self, user_id: int, conversation_id: str, name: str, source: NameSource
    ) -> bool:
        """Give a chat a name; a model's name never replaces a person's, and is False then."""

    async def set_mode(self, user_id: int, conversation_id: str, mode: SearchType) -> bool: ...

    async def pin(self, user_id: int, conversation_id: str, *, pinned: bool) -> bool: ...

    async def activate(self, user_id: int, conversation_id: str) -> bool: ...

    async def delete(
        self,
        user_id: int,
        conversation_id: str,
        *,
        deleted_at: str,
        successor: ConversationMetadata,
    ) -> bool:
        """Move a chat into the trash.

        If it was the active one, the most recently updated other chat becomes active; if there is
        none, `successor` is stored as a new empty chat, with the index's user name, and becomes
        active.
        """

    async def restore(self, user_id: int, conversation_id: str, *, activate: bool) -> bool:
        """Take a chat out of the trash.

        With `activate` it becomes the active one, and an empty, unnamed chat that was active until
        then goes for good: it only stood in for the deleted one.
        """

    async def read_trash(self, user_id: int) -> list[ConversationMetadata]:
        """Give the deleted chats, with `deleted_at`, in no particular order.

        `is_active` tells of each whether it was the active one when it was deleted.
        """

    async def purge(self, user_id: int, *, deleted_before: str | None = None) -> int:
        """Remove chats from the trash for good, all or those deleted earlier; tell how many.

        One goes after another: a crash, or an error, may leave some of them. Those that cannot be
        read now stay, and are an error.
        """

    async def keep_file(self, user_id: int, name: str, data: bytes) -> str:
        """Keep a file of a user beside the chats; give where, relative to the user's folder.

        `name` is one that `is_valid_file_name` allows; a file of that name is replaced.
        """

    async def take_damage(self, user_id: int) -> int:
        """Give `damaged_untold` of the index and set it to zero."""

    async def set_instructions(
        self, user_id: int, conversation_id: str, instructions: str
    ) -> bool: ...

    async def read_settings(self, user_id: int) -> dict[str, Any]:
        """Give the `settings` of the index, and be quick: every update of a user asks for them."""

    async def update_settings(self, user_id: int, changes: Mapping[str, Any]) -> None:
        """Set keys of the settings, None removes one; the others stay, also unknown ones.

        Nothing is created for an unknown user where nothing is set.
        """

    async def measure(self, user_id: int) -> Footprint:
        """Tell how much is stored of a user."""

    async def erase(self, user_id: int) -> Footprint:
        """Remove everything of a user for good: chats, trash, files, settings, damaged copies.

        Gives what was there. From then on the user is an unknown one, whatever a crash cuts off;
        what it leaves on the disk is removed when the storage is opened, or asked again.
        """
