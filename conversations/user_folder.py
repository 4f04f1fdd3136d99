"""The verbs of a storage on one user's folder, each in an order that a crash cannot spoil.

====================  =======================================================================
append, replace       chat file, folder synced; the index follows, and is corrected from the chats
rename, pin           chat file, index, folder synced; the same
add                   chat files, folder synced, index; on an error the chats are removed again
create, fork          chat file, folder synced, index; without the last the chat is removed again
activate              index alone
delete, restore       one rename, both folders synced, index; the file says what the index will
erase                 one rename of the whole folder, both folders synced, then it is removed
====================  =======================================================================

Everything here blocks, and one thread at a time may use an instance. After an exception the
instance must be thrown away, so that the next verb reads the disk afresh.
"""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from .chat_file import ChatFile
from .durable import make_folder, move_file, replace_file, sweep_temporary, sync_folder
from .erasing import erase_folder, measure_folder
from .exchanges import up_to, without_last_exchange
from .file_search import FileSearch, find_message
from .folder_state import TRASH, FolderState
from .interrupted import activate_restored
from .journal_records import Added
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
from .storage import UnlessActive, is_valid_file_name, is_valid_id
from .trash import Trash

logger = logging.getLogger(__name__)


class UserFolder:
    def __init__(self, root: Path, user_id: int) -> None:
        """Read the user's folder, if there is one.

        :raises OSError: the folder, or its index, cannot be read.
        """
        path = root / f"user_{user_id}"
        self._files = path / "files"
        folders = [folder for folder in (path / TRASH, self._files) if folder.is_dir()]
        self._is_swept = all(sweep_temporary(folder) for folder in folders)
        self._state = FolderState(path, user_id)
        self._trash = Trash(path / TRASH, user_id)
        self._search = FileSearch()

    @property
    def cached_bytes(self) -> int:
        """About how much memory this instance holds."""
        return self._state.cached_bytes

    def is_current(self) -> bool:
        """Tell whether nobody else has changed the folder since, and nothing is left to mend."""
        return self._is_swept and self._state.is_current()

    def settle(self) -> None:
        self._state.settle()

    def flush(self) -> None:
        """Write the chats that `append`, `append_to_active` and `replace` have changed in memory.

        :raises OSError: none of it is sure to be on the disk.
        """
        self._state.flush()

    def write_late_index(self) -> None:
        if self._state.is_index_late:
            self._state.write_index()

    def glance_at_index(self, most: int) -> UserIndex | None:
        """Give what `read_index` does, where at most `most` files need a look and are the same."""
        state = self._state
        if len(state.entries) > most or not all(map(state.is_same, state.entries)):
            return None
        return self._hand_out_index()

    def glance_at_last(self, conversation_id: str, limit: int) -> list[ConversationMessage] | None:
        """Give what `read_last` does, where it is in memory and the file is still the same."""
        if not self._state.is_same(conversation_id):
            return None
        return self._state.held.last(conversation_id, limit)

    def has_no_damage(self) -> bool:
        return not self._state.index.damaged_untold

    def read_index(self) -> UserIndex:
        self._state.refresh()
        return self._hand_out_index()

    def _hand_out_index(self) -> UserIndex:
        state = self._state
        return UserIndex(
            state.user_id,
            state.index.username,
            state.index.last_active_conversation_id,
            [state.hand_out(entry.metadata) for entry in state.entries.values()],
            state.index.damaged_untold,
            copy.deepcopy(state.index.settings),
            copy.deepcopy(state.index.extra),
        )

    def load(self, conversation_id: str, *, include_deleted: bool) -> Conversation | None:
        chat, in_trash = self._find(conversation_id, include_deleted=include_deleted)
        if chat is None:
            return None
        conversation = chat.to_conversation()
        conversation.metadata = self._state.hand_out(chat.metadata)
        if in_trash:
            conversation.metadata.deleted_at = self._trash.deleted_at(chat)
        return conversation

    def read_last(self, conversation_id: str, limit: int) -> list[ConversationMessage]:
        return self._state.last(conversation_id, limit)

    def search(self, words: Words, limit: int) -> list[SearchHit]:
        self._state.refresh()
        return self._search.search(self._state, words, limit)

    def find_message(
        self, message_id: int, *, dialog_id: int | None, sent_at: datetime | None
    ) -> SearchHit | None:
        self._state.refresh()
        return find_message(self._state, message_id, dialog_id=dialog_id, sent_at=sent_at)

    def create(self, metadata: ConversationMetadata, *, unless_active: UnlessActive | None) -> str:
        state = self._state
        active = state.index.last_active_conversation_id
        if active is not None and (
            unless_active == "any" or (unless_active == "empty" and self._is_untouched(active))
        ):
            return active
        if state.file(metadata.conversation_id).exists():
            stored = state.chat(metadata.conversation_id)
            if stored is None or stored.body or stored.metadata.created_at != metadata.created_at:
                raise FileExistsError(f"{metadata.conversation_id} exists")
        make_folder(state.path)
        if not state.has_index():
            state.write_index()  # so that a chat which it does not list was not created wholly
        state.index.username = metadata.username or state.index.username
        self._add_active(ChatFile(copy.deepcopy(metadata)))
        state.write_index()
        return metadata.conversation_id

    def fork(
        self, conversation_id: str, fork: ConversationMetadata, *, up_to_message_id: int | None
    ) -> bool:
        state = self._state
        made = state.chat(fork.conversation_id)
        if made is None or made.metadata.forked_from != conversation_id:
            copied = self._copy(conversation_id, fork, up_to_message_id)
            if copied is None:
                return False
            taken = (state.file(fork.conversation_id), self._trash.file(fork.conversation_id))
            if any(path.exists() for path in taken):
                raise FileExistsError(f"{fork.conversation_id} exists")
            made = copied
        self._add_active(made)  # once more where it is there: the call before may have failed
        state.write_index()
        return True

    def _copy(
        self, conversation_id: str, fork: ConversationMetadata, up_to_message_id: int | None
    ) -> ChatFile | None:
        chat = self._state.chat(conversation_id)
        if chat is None:
            return None
        origin = chat.to_conversation()
        messages = up_to(origin.messages, up_to_message_id)
        if messages is None:
            return None
        metadata = copy.deepcopy(fork)
        metadata.forked_from = conversation_id
        return ChatFile.from_conversation(replace(origin, metadata=metadata, messages=messages))

    def save(self, conversation: Conversation) -> bool:
        conversation_id = conversation.metadata.conversation_id
        new = ChatFile.from_conversation(copy.deepcopy(conversation))
        stored = self._state.chat(conversation_id)
        if stored is None:
            if conversation.revision is not None or not is_valid_id(conversation_id):
                return False
            taken = (self._state.file(conversation_id), self._trash.file(conversation_id))
            if any(path.exists() for path in taken):
                return False
            make_folder(self._state.path)
        elif conversation.revision != stored.revision() and not new.contains_all_of(stored):
            return False
        else:
            new.damaged = stored.damaged
        self._state.index.username = self._state.index.username or new.metadata.username
        self._commit(new)
        conversation.revision = new.revision()
        conversation.metadata.message_count = new.metadata.message_count
        conversation.metadata.total_tokens = new.metadata.total_tokens
        return True

    def add(self, conversations: Sequence[Conversation]) -> None:
        if not conversations:
            return
        state = self._state
        added: list[Path] = []
        try:
            for conversation in conversations:
                metadata = copy.deepcopy(conversation.metadata)
                chat = ChatFile.from_conversation(replace(conversation, metadata=metadata))
                if not self._is_stored(chat):
                    added.append(self._path_of(metadata))
                    self._write_new(chat)
                state.index.username = state.index.username or metadata.username
            sync_folder(state.path)  # what the index will list has a lasting name
            state.write_index()
        except BaseException:
            for path in added:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            raise

    def append(
        self,
        conversation_id: str,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None,
        include_deleted: bool,
    ) -> bool:
        chat, in_trash = self._find(conversation_id, include_deleted=include_deleted)
        if chat is None:
            return False
        # A message that is there already is written once more all the same: the call before may
        # have failed between the rename and the sync, and only a new file makes it durable.
        chat.add(message, updated_at, first_name)
        self._change(chat, in_trash=in_trash)
        return True

    def append_to_active(
        self,
        fallback: ConversationMetadata,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None,
    ) -> ConversationMetadata:
        state = self._state
        chat = self._active_chat()
        if chat is None:  # the chat and its first message in one write
            make_folder(state.path)
            state.index.username = fallback.username or state.index.username
            chat = ChatFile(copy.deepcopy(fallback))
        message.search_type = chat.metadata.mode
        chat.add(message, updated_at, first_name)
        if chat.metadata.conversation_id in state.entries:
            state.change(chat)
        else:
            self._add_active(chat)
            state.write_index()
        return state.hand_out(chat.metadata)

    def append_in_memory(
        self,
        conversation_id: str,
        message: ConversationMessage,
        *,
        updated_at: str,
        first_name: str | None,
    ) -> tuple[Added, bool] | None:
        """Do what `append` does, where it takes no look at a file; it is not durable by that."""
        chat = self._state.at_hand(conversation_id)
        if chat is None:
            return None
        return self._add_in_memory(chat, message, updated_at, first_name), True

    def append_to_active_in_memory(
        self, message: ConversationMessage, *, updated_at: str, first_name: str | None
    ) -> tuple[Added, ConversationMetadata] | None:
        """Do what `append_to_active` does, in the same way."""
        state = self._state
        active = state.index.last_active_conversation_id
        if active is None or not (state.has_changed(active) or self.is_current()):
            return None  # else another one may have been made active by hand
        chat = state.at_hand(active)
        if chat is None:
            return None
        message.search_type = chat.metadata.mode
        added = self._add_in_memory(chat, message, updated_at, first_name)
        return added, self._state.hand_out(chat.metadata)

    def _add_in_memory(
        self,
        chat: ChatFile,
        message: ConversationMessage,
        updated_at: str,
        first_name: str | None,
    ) -> Added:
        line = chat.add(message, updated_at, first_name)
        self._state.change(chat)
        return Added(chat.metadata.conversation_id, line, updated_at, first_name)

    def add_again(self, added: Added) -> None:
        """Add what was recorded, if it is not there; a chat that is gone takes nothing."""
        chat, in_trash = self._find(added.conversation_id, include_deleted=True)
        if chat is None:
            logger.warning("a chat in %s is gone, and so is what was added", self._state.path)
            return
        chat.add_line(added.line, added.updated_at, added.first_name)
        self._change(chat, in_trash=in_trash)

    def _active_chat(self) -> ChatFile | None:
        """Give the active chat; one whose file is gone is not the active one any more."""
        while (active := self._state.index.last_active_conversation_id) is not None:
            chat = self._state.chat(active)
            if chat is not None:
                return chat
            self._state.forget(active)
            self._state.mend_pointer()
        return None

    def replace(
        self,
        conversation_id: str,
        old: ConversationMessage,
        new: ConversationMessage,
        *,
        include_deleted: bool,
    ) -> bool:
        chat, in_trash = self._find(conversation_id, include_deleted=include_deleted)
        if chat is None or not (chat.replace(old, new) or chat.contains(new)):
            return False
        self._change(chat, in_trash=in_trash)
        return True

    def remove_last_exchange(self, conversation_id: str) -> list[ConversationMessage]:
        chat = self._state.chat(conversation_id)
        if chat is None:
            return []
        conversation = chat.to_conversation()
        kept, removed = without_last_exchange(conversation.messages)
        if removed:
            rest = ChatFile.from_conversation(replace(conversation, messages=kept))
            rest.damaged = chat.damaged
            self._commit(rest)
        return removed

    def rename(self, conversation_id: str, name: str, source: NameSource) -> bool:
        chat = self._state.chat(conversation_id)
        if chat is None or (source == "model" and chat.metadata.name_source == "user"):
            return False
        chat.metadata.name, chat.metadata.name_source = name, source
        self._commit(chat)
        return True

    def set_mode(self, conversation_id: str, mode: SearchType) -> bool:
        chat = self._state.chat(conversation_id)
        if chat is None:
            return False
        chat.metadata.mode = mode
        self._commit(chat)
        return True

    def pin(self, conversation_id: str, *, pinned: bool) -> bool:
        chat = self._state.chat(conversation_id)
        if chat is None:
            return False
        chat.metadata.pinned = pinned
        self._commit(chat)
        return True

    def activate(self, conversation_id: str) -> bool:
        if self._state.entry(conversation_id) is None:
            return False
        self._state.index.last_active_conversation_id = conversation_id
        self._state.write_index()
        return True

    def delete(
        self, conversation_id: str, *, deleted_at: str, successor: ConversationMetadata
    ) -> bool:
        state = self._state
        chat = state.chat(conversation_id)
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
            self._add_active(ChatFile(copy.deepcopy(successor)))
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
        state.examine(conversation_id)
        if activate:
            activate_restored(state, conversation_id)
        # Before the index: what it lists without a file is dropped at the next look.
        state.tidy(must=True)
        state.write_index()
        return True

    def read_trash(self) -> list[ConversationMetadata]:
        return list(self._trash.chats())

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
        chat = self._state.chat(conversation_id)
        if chat is None:
            return False
        chat.metadata.instructions = instructions
        self._commit(chat)
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
        self._state.refresh()
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
        self._state = FolderState(self._state.path, self._state.user_id)  # no text stays in memory
        return footprint

    def _find(
        self, conversation_id: str, *, include_deleted: bool
    ) -> tuple[ChatFile | None, bool]:
        """Find a chat to write to; the second part tells whether it is in the trash."""
        chat = self._state.chat(conversation_id)
        if chat is not None or not include_deleted or not is_valid_id(conversation_id):
            return chat, False
        return self._trash.chat(conversation_id), True

    def _is_stored(self, chat: ChatFile) -> bool:
        """Tell whether this very chat is there already.

        :raises FileExistsError: another one has its id.
        """
        conversation_id = chat.metadata.conversation_id
        if not is_valid_id(conversation_id):
            raise FileExistsError("no chat may have this id")
        stored, _ = self._find(conversation_id, include_deleted=True)
        if stored is not None and stored.body == chat.body:
            return True
        paths = (self._state.file(conversation_id), self._trash.file(conversation_id))
        if any(path.exists() for path in paths):
            raise FileExistsError(f"{conversation_id} exists")
        return False

    def _path_of(self, metadata: ConversationMetadata) -> Path:
        if metadata.deleted_at is None:
            return self._state.file(metadata.conversation_id)
        return self._trash.file(metadata.conversation_id)

    def _write_new(self, chat: ChatFile) -> None:
        """Write a chat, in the trash where it is a deleted one; the index follows."""
        if chat.metadata.deleted_at is None:
            make_folder(self._state.path)
            self._state.write_chat(chat)
        else:
            make_folder(self._trash.path)
            self._write_to_trash(chat)

    def _change(self, chat: ChatFile, *, in_trash: bool) -> None:
        """Change a chat: a living one until `flush` in memory alone, for others may join in."""
        if in_trash:
            self._write_to_trash(chat)
        else:
            self._state.change(chat)

    def _commit(self, chat: ChatFile) -> None:
        self._state.write_chat(chat)
        self._state.write_index()

    def _write_to_trash(self, chat: ChatFile) -> None:
        if chat.damaged:
            self._state.put_aside(self._trash.file(chat.metadata.conversation_id))
        self._trash.write(chat)

    def _add_active(self, chat: ChatFile) -> None:
        """Store a new chat durably; the pointer follows with the index."""
        self._state.index.last_active_conversation_id = chat.metadata.conversation_id
        self._state.write_chat(chat)
        sync_folder(self._state.path)

    def _is_untouched(self, conversation_id: str) -> bool:
        entry = self._state.entry(conversation_id)
        return entry is not None and entry.is_untouched

    def _note_deletion(self, chat: ChatFile, path: Path, deleted_at: str) -> None:
        """Write the time of deletion into the file; on a full disk the rename has to be enough."""
        chat.metadata.deleted_at = deleted_at
        if chat.damaged:
            return  # the file is the only copy of what could not be read
        try:
            replace_file(path, chat.encode())
        except OSError as error:
            logger.warning("cannot note the time of deletion in %s: %s", path, error)
