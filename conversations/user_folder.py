"""The verbs of a storage on one user's folder, each in an order that a crash cannot spoil.

Those that add messages are in `adding`, those that make chats in `creating`; of the others:

====================  =======================================================================
rename, pin           chat file, index, folder synced; the index is corrected from the chats
activate              index alone
delete, restore       one rename, both folders synced, index; the file says what the index will
erase                 one rename of the whole folder, both folders synced, then it is removed
====================  =======================================================================

Everything here blocks, and one thread at a time may use an instance. After an exception the
instance must be thrown away, so that the next verb reads the disk afresh.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from .adding import Adding
from .chat_file import ChatFile
from .creating import Creating
from .durable import make_folder, move_file, replace_file, sync_folder
from .erasing import erase_folder, measure_folder
from .file_search import FileSearch, find_message
from .folder_state import FILES, TRASH, FolderState
from .index_file import hand_out
from .interrupted import activate_restored
from .living_chats import LivingChats
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
from .storage import is_valid_file_name, is_valid_id
from .trash import Trash

logger = logging.getLogger(__name__)


class UserFolder:
    def __init__(self, root: Path, user_id: int) -> None:
        """Read the user's folder, if there is one.

        :raises OSError: the folder, or its index, cannot be read.
        """
        path = root / f"user_{user_id}"
        self._files = path / FILES
        self._search = FileSearch()
        self._hold(FolderState(path, user_id))

    def _hold(self, state: FolderState) -> None:
        self._state = state
        self._chats = LivingChats(state)
        self._trash = Trash(state.path / TRASH, state.user_id, state.put_aside)
        self.adding = Adding(state, self._chats, self._trash)
        self.creating = Creating(state, self._chats, self._trash)

    @property
    def cached_bytes(self) -> int:
        """About how much memory this instance holds."""
        return self._state.cached_bytes

    def is_current(self) -> bool:
        """Tell whether nobody else has changed the folder since, and nothing is left to mend."""
        return self._state.is_current()

    def settle(self) -> None:
        self._state.settle()

    def flush(self) -> None:
        """Write the chats that `adding` has changed in memory.

        :raises OSError: none of it is sure to be on the disk.
        """
        self._state.flush()

    def let_go(self) -> None:
        """Leave nothing behind that is of use to this instance alone."""
        self._state.remove_spare()

    def write_late_index(self) -> None:
        if self._state.is_index_late:
            self._state.write_index()

    def glance_at_index(self, most: int) -> UserIndex | None:
        """Give what `read_index` does, where at most `most` files need a look and are the same."""
        state = self._state
        if len(state.entries) > most or not all(map(state.is_same, state.entries)):
            return None
        return self._hand_out_index()

    def read_metadata(self, conversation_id: str | None) -> ConversationMetadata | None:
        chats = self._chats
        entry = chats.active() if conversation_id is None else chats.listed(conversation_id)
        return self._state.hand_out(entry.metadata) if entry else None

    def glance_at_metadata(self, conversation_id: str | None) -> ConversationMetadata | None:
        """Give what `read_metadata` does, where the file is still the same."""
        state, chat = self._state, conversation_id
        if chat is None:
            chat = state.index.last_active_conversation_id
        if chat is None or not state.is_same(chat):
            return None
        return state.hand_out(state.entries[chat].metadata)

    def glance_at_last(self, conversation_id: str, limit: int) -> list[ConversationMessage] | None:
        """Give what `read_last` does, where it is in memory and the file is still the same."""
        if not self._state.is_same(conversation_id):
            return None
        return self._state.held.last(conversation_id, limit)

    def count_damage(self) -> int:
        return self._state.index.damaged_untold

    def read_index(self) -> UserIndex:
        self._chats.refresh()
        return self._hand_out_index()

    def _hand_out_index(self) -> UserIndex:
        state, active = self._state, self._state.index.last_active_conversation_id
        return UserIndex(
            state.user_id,
            state.index.username,
            active,
            [hand_out(entry.metadata, active) for entry in state.entries.values()],
            state.index.damaged_untold,
            copy.deepcopy(state.index.settings),
            copy.deepcopy(state.index.extra),
        )

    def load(self, conversation_id: str, *, include_deleted: bool) -> Conversation | None:
        whole = self._chats.whole(conversation_id)
        if whole is not None:
            chat, conversation = whole
            conversation.metadata = self._state.hand_out(chat.metadata)
            return conversation
        deleted = self._trash.chat(conversation_id) if include_deleted else None
        if deleted is None:
            return None
        deleted.metadata.deleted_at = self._trash.deleted_at(deleted)
        return deleted.to_conversation()

    def read_last(self, conversation_id: str, limit: int) -> list[ConversationMessage]:
        return self._chats.last(conversation_id, limit)

    def search(self, words: Words, limit: int) -> list[SearchHit]:
        self._chats.refresh()
        return self._search.search(self._state, words, limit)

    def find_message(
        self, message_id: int, *, dialog_id: int | None, sent_at: datetime | None
    ) -> SearchHit | None:
        self._chats.refresh()
        return find_message(self._state, message_id, dialog_id=dialog_id, sent_at=sent_at)

    def rename(self, conversation_id: str, name: str, source: NameSource) -> bool:
        chat = self._chats.chat(conversation_id)
        if chat is None or (source == "model" and chat.metadata.name_source == "user"):
            return False
        chat.metadata.name, chat.metadata.name_source = name, source
        self._state.commit(chat)
        return True

    def set_mode(self, conversation_id: str, mode: SearchType) -> bool:
        chat = self._chats.chat(conversation_id)
        if chat is None:
            return False
        chat.metadata.mode = mode
        self._state.commit(chat)
        return True

    def pin(self, conversation_id: str, *, pinned: bool) -> bool:
        chat = self._chats.chat(conversation_id)
        if chat is None:
            return False
        chat.metadata.pinned = pinned
        self._state.commit(chat)
        return True

    def activate(self, conversation_id: str) -> bool:
        if self._chats.entry(conversation_id) is None:
            return False
        self._state.index.last_active_conversation_id = conversation_id
        self._state.write_index()
        return True

    def delete(
        self, conversation_id: str, *, deleted_at: str, successor: ConversationMetadata
    ) -> bool:
        state = self._state
        chat = self._chats.chat(conversation_id)
        if chat is None:
            return False
        source, target = state.file(conversation_id), self._trash.file(conversation_id)
        make_folder(self._trash.path)
        if target.exists():
            state.put_aside(target)
        chat.metadata.is_active = conversation_id == state.index.last_active_conversation_id
        self._note_deletion(chat, source, deleted_at)
        if state.entries.keys() == {conversation_id}:
            # Not in the index yet: without the rename it goes again.
            named = replace(copy.deepcopy(successor), username=state.index.username)
            state.add_active(ChatFile(named))
        move_file(source, target)
        state.forget(conversation_id)
        state.try_to_write_index()  # deleted it is; a full disk must not keep anybody from it
        return True

    def restore(self, conversation_id: str, *, activate: bool) -> bool:
        state, source = self._state, self._trash.file(conversation_id)
        if not is_valid_id(conversation_id) or not source.is_file():
            return False
        if state.file(conversation_id).exists():
            return False  # a living chat is never overwritten
        chat = self._trash.chat(conversation_id)
        if chat is None:
            return False
        if not chat.damaged:  # else the file is the only copy of what could not be read
            # No time, but not None: it is not deleted, and it was not just created either.
            chat.metadata.deleted_at, chat.metadata.is_active = "", activate
            replace_file(source, chat.encode())
        move_file(source, state.file(conversation_id))
        self._chats.examine(conversation_id)
        if activate:
            activate_restored(state, conversation_id)
        # Before the index: what it lists without a file is dropped at the next look.
        state.tidy(must=True)
        state.write_index()
        return True

    def read_trash(self) -> list[ConversationMetadata]:
        return list(self._trash.chats())

    def glance_at_trash(self) -> list[ConversationMetadata] | None:
        """Give what `read_trash` does, where that is nothing."""
        return [] if self._trash.is_empty() else None

    def purge(self, *, deleted_before: str | None) -> int:
        return self._trash.purge(deleted_before=deleted_before)

    def keep_file(self, name: str, data: bytes) -> str:
        if not is_valid_file_name(name):
            raise ValueError("not a file name")
        make_folder(self._files)
        replace_file(self._files / name, data)
        sync_folder(self._files)
        return f"{self._files.name}/{name}"

    def take_damage(self) -> int:
        return self._state.take_damage()

    def set_instructions(self, conversation_id: str, instructions: str) -> bool:
        chat = self._chats.chat(conversation_id)
        if chat is None:
            return False
        chat.metadata.instructions = instructions
        self._state.commit(chat)
        return True

    def read_settings(self) -> dict[str, Any]:
        return copy.deepcopy(self._state.index.settings)

    def update_settings(self, changes: Mapping[str, Any]) -> None:
        state = self._state
        merged = state.index.settings | copy.deepcopy(dict(changes))
        state.index.settings = {key: merged[key] for key in merged if merged[key] is not None}
        if state.index.settings or state.has_index():
            make_folder(state.path)
            state.write_index()

    def measure(self) -> Footprint:
        self.let_go()
        self._chats.refresh()
        living = [entry.metadata.message_count for entry in self._state.entries.values()]
        deleted = [metadata.message_count for metadata in self._trash.chats()]
        return Footprint(
            chats=len(living),
            deleted_chats=len(deleted),
            messages=sum(living) + sum(deleted),
            files=sum(1 for _ in self._files.glob("[!.]*")),
            size=measure_folder(self._state.path),
        )

    def erase(self) -> Footprint:
        try:
            footprint = self.measure()
        except OSError as error:
            logger.warning("%s goes without being counted: %s", self._state.path, error)
            footprint = Footprint()
        erase_folder(self._state.path)
        self._hold(FolderState(self._state.path, self._state.user_id))  # no text stays in memory
        return footprint

    def _note_deletion(self, chat: ChatFile, path: Path, deleted_at: str) -> None:
        """Write the time of deletion into the file; on a full disk the rename has to be enough."""
        chat.metadata.deleted_at = deleted_at
        if chat.damaged:
            return  # the file is the only copy of what could not be read
        try:
            replace_file(path, chat.encode())
        except OSError as error:
            logger.warning("cannot note the time of deletion in %s: %s", path, error)
