"""Adding messages to chats, and changing them, each in an order that a crash cannot spoil.

====================  =======================================================================
append, replace       chat file, folder synced; the index follows, and is corrected from the chats
append_to_active      the same; where it makes the chat, as `creating` has it
remove_last_exchange  chat file, index, folder synced; the index is corrected from the chats
====================  =======================================================================

What is added to a living chat, or replaced in it, is in memory until `FolderState.flush`.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import replace

from .chat_file import ChatFile
from .durable import make_folder
from .exchanges import without_last_exchange
from .folder_state import FolderState
from .journal_records import Added
from .living_chats import LivingChats
from .models import ConversationMessage, ConversationMetadata
from .trash import Trash

logger = logging.getLogger(__name__)


class Adding:
    def __init__(self, state: FolderState, chats: LivingChats, trash: Trash) -> None:
        self._state = state
        self._chats = chats
        self._trash = trash

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
            state.add_active(chat)
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
        if active is None or not (state.has_changed(active) or state.is_current()):
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
        whole = self._chats.whole(conversation_id)
        if whole is None:
            return []
        chat, conversation = whole
        kept, removed = without_last_exchange(conversation.messages)
        if removed:
            rest = ChatFile.from_conversation(replace(conversation, messages=kept))
            rest.damaged = chat.damaged
            self._state.commit(rest)
        return removed

    def _active_chat(self) -> ChatFile | None:
        """Give the active chat; one whose file is gone is not the active one any more."""
        while (active := self._state.index.last_active_conversation_id) is not None:
            chat = self._chats.chat(active)
            if chat is not None:
                return chat
            self._state.forget(active)
            self._state.mend_pointer()
        return None

    def _find(
        self, conversation_id: str, *, include_deleted: bool
    ) -> tuple[ChatFile | None, bool]:
        """Find a chat to write to; the second part tells whether it is in the trash."""
        chat = self._chats.chat(conversation_id)
        if chat is not None or not include_deleted:
            return chat, False
        return self._trash.chat(conversation_id), True

    def _change(self, chat: ChatFile, *, in_trash: bool) -> None:
        """Change a chat: a living one until `flush` in memory alone, for others may join in."""
        if in_trash:
            self._trash.write(chat)
        else:
            self._state.change(chat)
