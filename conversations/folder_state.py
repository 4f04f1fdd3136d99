"""What is held of one user's folder, the index and the chats, and how it is written.

The chat files are the truth and the index is a cache of their first lines; only the pointer to the
active chat, and what we do not know, stand in the index alone. Nothing damaged is overwritten or
dropped before a copy of it stands beside it under a `.damaged-N` name.

Everything here blocks, and one thread at a time may use an instance. After an exception the
instance must be thrown away: what it holds may be ahead of the disk or behind it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from .chat_file import ChatFile, FileIdentity
from .durable import count_aside, keep_aside, replace_file, sweep_temporary, sync_folder
from .held_chats import HeldChats
from .index_file import Entry, ReadIndex, encode_index, hand_out
from .models import ConversationMetadata, UserIndex, newest_first
from .spare_file import SpareFile
from .storage import is_valid_id

logger = logging.getLogger(__name__)

TRASH = "trash"
FILES = "files"
_INDEX = "index.json"
_ENTRY_BYTES = 1000  # about what one entry takes in memory


class FolderState:
    def __init__(self, path: Path, user_id: int) -> None:
        self.path = path
        self._folder = str(path)  # for what is asked often: a path object costs more than a call
        self.user_id = user_id
        self.index = UserIndex(user_id)  # its conversations are the entries
        self.entries: dict[str, Entry] = {}
        self.held = HeldChats()
        self._spare = SpareFile()
        self._changed: dict[str, ChatFile] = {}  # in memory alone, until `flush`
        self._damaged_told = 0
        self._index_damaged = False
        self._repairs: list[Callable[[], None]] = []
        self._is_tidy = True
        self.is_settled = False  # nothing rests on names that are not durable
        self.is_index_late = False  # a chat was written, and the index not yet
        self._seen = self._look()

    @property
    def cached_bytes(self) -> int:
        told = sum(len(entry.metadata.instructions) for entry in self.entries.values())
        return self.held.cached_bytes + told + _ENTRY_BYTES * (1 + len(self.entries))

    def is_current(self) -> bool:
        """Tell whether index, names and changed chats are as we left them, and all is repaired."""
        is_same = self._is_tidy and self._seen == self._look()
        return is_same and all(map(self.is_same, self._changed))

    def is_same(self, conversation_id: str) -> bool:
        """Tell whether the file of a living chat is still the one that we know."""
        entry = self.entries.get(conversation_id)
        return (
            entry is not None
            and entry.identity is not None
            and entry.identity == self.identity(conversation_id)
        )

    def at_hand(self, conversation_id: str) -> ChatFile | None:
        """Give a living chat where it can be changed without a look into its file.

        One that has changed was looked at then, and is looked at again before it is written.
        """
        chat = self._changed.get(conversation_id)
        if chat is None:
            chat = self.held.chat(conversation_id)
            if chat is None or not self.is_same(conversation_id):
                return None
        return chat if self.is_settled and not chat.damaged else None

    def in_memory(self, conversation_id: str) -> ChatFile | None:
        """Give a living chat that is in memory wholly."""
        return self._changed.get(conversation_id) or self.held.chat(conversation_id)

    def has_changed(self, conversation_id: str) -> bool:
        """Tell a chat that `flush` would write."""
        return conversation_id in self._changed

    def file(self, conversation_id: str) -> Path:
        """Give where a chat is; what is no id could lead elsewhere."""
        if not is_valid_id(conversation_id):
            raise ValueError("not an id")
        return self.path / f"{conversation_id}.json"

    @property
    def index_file(self) -> Path:
        return self.path / _INDEX

    def hand_out(self, metadata: ConversationMetadata) -> ConversationMetadata:
        """Copy metadata for the caller, with the flag that only the index can tell."""
        return hand_out(metadata, self.index.last_active_conversation_id)

    def parse(
        self, conversation_id: str, data: bytes, known: ConversationMetadata | None = None
    ) -> ChatFile | None:
        return ChatFile.parse(
            data, user_id=self.user_id, conversation_id=conversation_id, known=known
        )

    def forget(self, conversation_id: str) -> None:
        self.entries.pop(conversation_id, None)
        self._changed.pop(conversation_id, None)
        self.held.forget(conversation_id)
        self.remove_spare()

    def remove_spare(self) -> None:
        """Keep no former state of a chat any longer."""
        self._spare.remove()

    def change(self, chat: ChatFile) -> None:
        """Note that a living chat has changed in memory; `flush` writes it."""
        self._changed[chat.metadata.conversation_id] = chat

    def flush(self) -> None:
        """Write every chat that has changed, durably. The index follows: it only repeats them."""
        if self._changed:
            for chat in self._changed.values():
                self._write(chat, keeps_former=not chat.has_lost_text)
            sync_folder(self.path)
            self._spare.settle()
            self._changed.clear()
            self.is_index_late = True
            self._seen = self._look()

    def write_chat(self, chat: ChatFile) -> None:
        """Write one chat file. The folder still has to be synced, which `write_index` does."""
        self._write(chat, keeps_former=False)
        self.remove_spare()

    def _write(self, chat: ChatFile, *, keeps_former: bool) -> None:
        conversation_id = chat.metadata.conversation_id
        path = self.file(conversation_id)
        if chat.damaged:
            self.put_aside(path)
            chat.damaged = False
        chat.metadata.deleted_at = None
        chat.metadata.is_active = conversation_id == self.index.last_active_conversation_id
        status = self._spare.replace(str(path), chat.pieces(), keeps_former=keeps_former)
        chat.has_lost_text = False
        self.entries[conversation_id] = Entry(chat.metadata, FileIdentity.of(status))
        self.held.hold(conversation_id, chat)

    def write_index(self) -> None:
        """Write the index, with a pointer that is never at a chat that is gone, and sync."""
        if self._index_damaged:
            self.put_aside(self.path / _INDEX)
            self._index_damaged = False
        self.mend_pointer()
        entries = self.entries.values()
        data = encode_index(self.index, entries, damaged_told=self._damaged_told)
        replace_file(self.path / _INDEX, data)
        sync_folder(self.path)
        self.is_index_late = False
        self._seen = self._look()

    def commit(self, chat: ChatFile) -> None:
        """Write a chat that has changed, and the index."""
        self.write_chat(chat)
        self.write_index()

    def add_active(self, chat: ChatFile) -> None:
        """Store a new chat durably; the pointer follows with the index."""
        self.index.last_active_conversation_id = chat.metadata.conversation_id
        self.write_chat(chat)
        sync_folder(self.path)

    def try_to_write_index(self) -> None:
        """Write the index after what can be read from the chats as well."""
        self.mend_pointer()
        self.write_index_later()
        self.tidy()

    def write_index_later(self) -> None:
        """Write the index with the next `tidy`."""
        self.repair_later(self.write_index)

    def repair_later(self, repair: Callable[[], None]) -> None:
        """Do it with the next `tidy`."""
        self._repairs.append(repair)

    def has_index(self) -> bool:
        return self.index_file.exists()

    def put_aside(self, path: Path) -> None:
        """Keep what a damaged file holds, and count it."""
        aside = keep_aside(path)
        if aside is not None:
            self.index.damaged_untold += 1
            logger.error("%s is damaged; what it held is kept in %s", path, aside.name)

    def take_damage(self) -> int:
        count, self.index.damaged_untold = self.index.damaged_untold, 0
        self._damaged_told += count
        if count:
            self.write_index()
        return count

    def remove_later(self, conversation_id: str) -> None:
        """Forget a chat now; its file goes with the next `tidy`."""
        self.forget(conversation_id)
        self.repair_later(lambda: self._remove(conversation_id))

    def _remove(self, conversation_id: str) -> None:
        """Remove a chat's file for good: were it back after the index, it would be adopted."""
        self.file(conversation_id).unlink(missing_ok=True)
        sync_folder(self.path)

    def hold_index(self, read: ReadIndex, *, is_damaged: bool) -> None:
        """Hold what was read of the index; a damaged one is written anew with the next `tidy`."""
        self.index = read.index
        self._index_damaged = is_damaged
        if is_damaged:
            self.write_index_later()
        self._count_damage(read.damaged_told)

    def _count_damage(self, told: int) -> None:
        """Tell from the names in the folder how much was put aside and not told yet.

        So a crash between the two steps of a repair neither forgets nor repeats the report.
        """
        count = count_aside(self.path) + count_aside(self.path / TRASH)
        self._damaged_told = max(0, min(told, count))
        self.index.damaged_untold = count - self._damaged_told

    def mend_pointer(self) -> None:
        if self.index.last_active_conversation_id not in self.entries:
            left = sorted((entry.metadata for entry in self.entries.values()), key=newest_first)
            self.index.last_active_conversation_id = left[0].conversation_id if left else None

    def sweep(self) -> None:
        """Remove what a crash has left of files that were being written."""
        folders = (self.path / TRASH, self.path / FILES, self.path)
        unswept = [path for path in folders if path.is_dir() and not sweep_temporary(path)]
        self._is_tidy = not unswept

    def settle(self) -> None:
        """Make the names durable that a process which was killed, or a call that failed, has left.

        Nothing may be built upon them before; what is done after that is synced by itself.
        """
        if not self.is_settled:
            for folder in (self.path / TRASH, self.path):
                if folder.is_dir():
                    sync_folder(folder)
            self.is_settled = True

    def tidy(self, *, must: bool = False) -> None:
        """Do what reading found necessary, where the disk allows; reading works where it does not.

        It waits until everything is read, because it writes an index of all there is. With `must`
        an error is raised; else the next verb reads the folder again, and tries again.
        """
        repairs, self._repairs = self._repairs, []
        for repair in repairs:
            try:
                self.settle()
                repair()
            except OSError as error:
                if must:
                    raise
                self._is_tidy = False
                logger.warning("cannot bring %s up to date now: %s", self.path, error)

    def identity(self, conversation_id: str) -> FileIdentity | None:
        try:
            return FileIdentity.of(os.stat(f"{self._folder}/{conversation_id}.json"))  # noqa: PTH116
        except FileNotFoundError:
            return None

    def _look(self) -> tuple[int, FileIdentity | None] | None:
        try:
            changed = os.stat(self._folder).st_mtime_ns  # noqa: PTH116
        except FileNotFoundError:
            return None
        return changed, self.identity("index")
