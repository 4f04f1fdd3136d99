"""The living chats of a folder, as their files are now: read, checked, and repaired where need be.

What is in memory is used while its file is still the same; what somebody else has edited or
removed is noticed. What has to be repaired waits for `FolderState.tidy`.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from . import json_lines
from .chat_file import ChatFile, FileIdentity, find_chats, read_last, read_metadata
from .durable import looking_into
from .folder_state import FolderState
from .index_file import Entry, ReadIndex, read_index
from .interrupted import finish_interrupted
from .models import Conversation, ConversationMessage, ConversationMetadata
from .recent import Recent

logger = logging.getLogger(__name__)


class LivingChats:
    def __init__(self, state: FolderState) -> None:
        """Read the folder of `state`, if there is one.

        :raises OSError: the folder, or its index, cannot be read.
        """
        self._state = state
        if state.path.is_dir():
            self._read()
            state.tidy()

    def entry(self, conversation_id: str) -> Entry | None:
        """Find a living chat, and notice when its file was edited or removed by somebody else."""
        state = self._state
        entry = state.entries.get(conversation_id)
        if entry is None:
            return None
        identity = state.identity(conversation_id)
        if identity is None:
            state.forget(conversation_id)
        elif entry.is_unread or entry.identity not in {None, identity}:
            state.forget(conversation_id)
            try:
                self.examine(conversation_id, entry.metadata)
            except OSError:
                if not entry.is_unread:
                    raise
                state.entries[conversation_id] = entry  # it could not be read before, either
        else:
            return entry
        state.mend_pointer()
        return state.entries.get(conversation_id)

    def chat(self, conversation_id: str) -> ChatFile | None:
        """Give a living chat with its messages, from memory where the file is still the same."""
        state = self._state
        entry = self.entry(conversation_id)
        if entry is None:
            return None
        chat = state.in_memory(conversation_id)
        if chat is None and entry.identity is not None and entry.is_in_lines:
            data = state.file(conversation_id).read_bytes()
            chat = ChatFile.trusted(data, entry.metadata)
        if chat is None:
            chat = self._read_whole(conversation_id, entry.metadata)
            state.tidy()
        if chat is not None:
            state.held.hold(conversation_id, chat)
        return chat

    def whole(self, conversation_id: str) -> tuple[ChatFile, Conversation] | None:
        """Give a living chat, and all of it decoded."""
        chat = self.chat(conversation_id)
        if chat is None:
            return None
        try:
            return chat, chat.to_conversation()
        except ValueError as error:
            logger.error("%s is not as it was: %s", self._state.file(conversation_id), error)  # noqa: TRY400
        self._distrust(conversation_id)
        chat = self.chat(conversation_id)
        return None if chat is None else (chat, chat.to_conversation())

    def last(self, conversation_id: str, limit: int) -> list[ConversationMessage]:
        """Give the last messages of a living chat, from the end of its file where that will do."""
        state = self._state
        entry = self.entry(conversation_id)
        if entry is None:
            return []
        found = state.held.last(conversation_id, limit)
        if found is None and entry.identity is not None and not state.has_changed(conversation_id):
            read = read_last(state.file(conversation_id), limit)
            if read is not None:
                tail = Recent(read, is_all=len(read) < limit)
                state.held.hold(conversation_id, tail)
                return [message.copy() for message in read]
        if found is None:
            chat = self.chat(conversation_id)
            found = chat.last(limit) if chat else []
        if found is None:
            whole = self.whole(conversation_id)
            found = whole[1].messages[-limit:] if whole else []
        return found

    def refresh(self) -> None:
        """Notice every chat that was edited or removed by somebody else."""
        for conversation_id in self._edited():
            self.listed(conversation_id)

    def listed(self, conversation_id: str) -> Entry | None:
        """Find a living chat as `entry` does; one that cannot be read now is as it was known."""
        known = self._state.entries.get(conversation_id)
        try:
            self.entry(conversation_id)
        except OSError as error:
            self._keep_unreadable(conversation_id, known, error)
        return self._state.entries.get(conversation_id)

    def active(self) -> Entry | None:
        """Give the active chat, which is another one where its file is no chat any more."""
        state = self._state
        while (active := state.index.last_active_conversation_id) is not None:
            entry = self.listed(active)
            if entry is not None:
                return entry
            state.mend_pointer()
        return None

    def examine(self, conversation_id: str, known: ConversationMetadata | None = None) -> None:
        """Take a file that the index does not know, or knows otherwise, into the entries.

        `known` is what the index said of it, for a file that does not say it any more.
        """
        self._examine(conversation_id, known)
        self._state.tidy()

    def _distrust(self, conversation_id: str) -> None:
        """Have a chat's file be parsed the next time, whatever is known of it."""
        state = self._state
        state.flush()
        state.held.forget(conversation_id)
        state.entries[conversation_id].is_in_lines = False

    def _edited(self) -> list[str]:
        """Give the chats whose files need a look; there may be thousands that need none."""
        state = self._state
        if not state.entries:
            return []
        edited, stat = [], os.stat
        with looking_into(str(state.path)) as (start, descriptor):
            for conversation_id, entry in state.entries.items():
                try:
                    status = stat(f"{start}{conversation_id}.json", dir_fd=descriptor)
                except OSError:
                    edited.append(conversation_id)
                    continue
                known = entry.identity
                is_other = known is not None and (status.st_size, status.st_mtime_ns) != known
                if is_other or entry.is_unread:
                    edited.append(conversation_id)
        return edited

    def _read(self) -> None:
        state = self._state
        state.sweep()
        listed, written_ns = self._read_index()
        newer = set()
        for conversation_id, status in find_chats(state.path):
            if written_ns is not None and status.st_mtime_ns >= written_ns:
                newer.add(conversation_id)
            self._take_in(conversation_id, FileIdentity.of(status), listed.get(conversation_id))
        if not listed.keys() <= state.entries.keys():
            # Else one that comes back, but half of the way, would not be seen to be interrupted.
            state.write_index_later()
        finish_interrupted(state, listed, newer)
        if state.entries and not state.has_index():
            state.write_index_later()  # by it the next look tells what was not done wholly
        state.mend_pointer()
        active = state.entries.get(state.index.last_active_conversation_id or "")
        if active is not None and not state.index.username:
            state.index.username = active.metadata.username

    def _read_index(self) -> tuple[dict[str, Entry], int | None]:
        """Give what the index lists, and when it was written; None if it is missing or damaged."""
        state = self._state
        path, written_ns, is_damaged = state.index_file, None, False
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            read = ReadIndex(state.index, {})
        else:
            read = read_index(data, state.user_id)
            is_damaged = not read.is_whole
            written_ns = path.stat().st_mtime_ns if read.is_whole else None
        state.hold_index(read, is_damaged=is_damaged)
        return read.listed, written_ns

    def _take_in(self, conversation_id: str, identity: FileIdentity, entry: Entry | None) -> None:
        """Take a file into the entries: as the index has it, where it is still the same."""
        state = self._state
        if entry and entry.identity == identity:
            state.entries[conversation_id] = entry
            return
        if entry and entry.identity is not None:
            state.is_index_late = True
        try:
            self._examine(conversation_id, entry.metadata if entry else None)
        except OSError as error:
            self._keep_unreadable(conversation_id, entry, error)
        if entry and entry.identity is None and conversation_id in state.entries:
            # In a foreign index there may be keys that stand nowhere else.
            metadata = state.entries[conversation_id].metadata
            metadata.extra = entry.metadata.extra | metadata.extra

    def _examine(self, conversation_id: str, known: ConversationMetadata | None) -> None:
        state = self._state
        path = state.file(conversation_id)
        metadata = read_metadata(path, user_id=state.user_id, conversation_id=conversation_id)
        if metadata is not None and metadata.name:
            was_deleted, metadata.deleted_at = metadata.deleted_at is not None, None
            state.entries[conversation_id] = Entry(metadata, None, was_deleted)
        else:
            self._read_whole(conversation_id, known)

    def _read_whole(
        self, conversation_id: str, known: ConversationMetadata | None
    ) -> ChatFile | None:
        """Read and check a whole file, and repair it where a part of it cannot be read."""
        state = self._state
        path = state.file(conversation_id)
        status, data = path.stat(), path.read_bytes()
        chat = state.parse(conversation_id, data, known)
        if chat is None:
            state.forget(conversation_id)
            if not json_lines.is_json(data):  # sound JSON of another kind is somebody else's
                state.repair_later(lambda: self._remove_unreadable(path))
            return None
        chat.metadata.deleted_at = None
        identity = None if chat.damaged else FileIdentity.of(status)
        is_in_lines = chat.is_in_lines(data)
        state.entries[conversation_id] = Entry(chat.metadata, identity, is_in_lines=is_in_lines)
        if chat.damaged:
            state.repair_later(lambda: state.commit(chat))
        return chat

    def _remove_unreadable(self, path: Path) -> None:
        self._state.put_aside(path)
        path.unlink()
        self._state.write_index()

    def _keep_unreadable(self, conversation_id: str, entry: Entry | None, error: OSError) -> None:
        """Go on with what is known: one chat that cannot be read must not hide the others."""
        logger.error("%s cannot be read: %s", self._state.file(conversation_id), error)
        if entry:
            self._state.entries[conversation_id] = Entry(entry.metadata, None, is_unread=True)
