"""Making chats and storing whole ones, each in an order that a crash cannot spoil.

====================  =======================================================================
create, fork          chat file, folder synced, index; without the last the chat is removed again
save                  chat file, index, folder synced; the index is corrected from the chats
add                   chat files, folder synced, index; on an error the chats are removed again
====================  =======================================================================
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .chat_file import ChatFile
from .durable import make_folder, sync_folder
from .exchanges import forked
from .folder_state import FolderState
from .living_chats import LivingChats
from .models import Conversation, ConversationMetadata
from .storage import UnlessActive, is_valid_id
from .trash import Trash


class Creating:
    def __init__(self, state: FolderState, chats: LivingChats, trash: Trash) -> None:
        self._state = state
        self._chats = chats
        self._trash = trash

    def create(self, metadata: ConversationMetadata, *, unless_active: UnlessActive | None) -> str:
        state = self._state
        active = state.index.last_active_conversation_id
        if active is not None and (
            unless_active == "any" or (unless_active == "empty" and self._is_untouched(active))
        ):
            return active
        if state.file(metadata.conversation_id).exists():
            stored = self._chats.chat(metadata.conversation_id)
            if stored is None or stored.body or stored.metadata.created_at != metadata.created_at:
                raise FileExistsError(f"{metadata.conversation_id} exists")
        make_folder(state.path)
        if not state.has_index():
            state.write_index()  # so that a chat which it does not list was not created wholly
        state.index.username = metadata.username or state.index.username
        state.add_active(ChatFile(copy.deepcopy(metadata)))
        state.write_index()
        return metadata.conversation_id

    def fork(
        self, conversation_id: str, fork: ConversationMetadata, *, up_to_message_id: int | None
    ) -> bool:
        state = self._state
        made = self._chats.chat(fork.conversation_id)
        if made is None or made.metadata.forked_from != conversation_id:
            whole = self._chats.whole(conversation_id)
            if whole is None:
                return False
            copied = forked(whole[1], fork, up_to_message_id)
            if copied is None:
                return False
            if self._is_taken(fork.conversation_id):
                raise FileExistsError(f"{fork.conversation_id} exists")
            made = ChatFile.from_conversation(copied)
        state.add_active(made)  # once more where it is there: the call before may have failed
        state.write_index()
        return True

    def save(self, conversation: Conversation) -> bool:
        conversation_id = conversation.metadata.conversation_id
        new = ChatFile.from_conversation(copy.deepcopy(conversation))
        stored = self._chats.chat(conversation_id)
        if stored is None:
            may_be_new = conversation.revision is None and is_valid_id(conversation_id)
            if not may_be_new or self._is_taken(conversation_id):
                return False
            make_folder(self._state.path)
        elif conversation.revision != stored.revision() and not new.contains_all_of(stored):
            return False
        else:
            new.damaged = stored.damaged
        self._state.index.username = self._state.index.username or new.metadata.username
        self._state.commit(new)
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

    def _is_stored(self, chat: ChatFile) -> bool:
        """Tell whether this very chat is there already.

        :raises FileExistsError: another one has its id.
        """
        conversation_id = chat.metadata.conversation_id
        if not is_valid_id(conversation_id):
            raise FileExistsError("no chat may have this id")
        stored = self._chats.chat(conversation_id) or self._trash.chat(conversation_id)
        if stored is not None and stored.body == chat.body:
            return True
        if self._is_taken(conversation_id):
            raise FileExistsError(f"{conversation_id} exists")
        return False

    def _is_taken(self, conversation_id: str) -> bool:
        """Tell whether a file stands where this chat would, or where it would be deleted."""
        paths = (self._state.file(conversation_id), self._trash.file(conversation_id))
        return any(path.exists() for path in paths)

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
            self._trash.write(chat)

    def _is_untouched(self, conversation_id: str) -> bool:
        entry = self._chats.entry(conversation_id)
        return entry is not None and entry.is_untouched
