"""What stands in one user's folder: the index and the chats, read once, repaired, held in memory.

The chat files are the truth and the index is a cache of their first lines; only the pointer to the
active chat, and what we do not know, stand in the index alone. Nothing damaged is overwritten or
dropped before a copy of it stands beside it under a `.damaged-N` name.

Everything here blocks, and one thread at a time may use an instance. After an exception the
instance must be thrown away: what it holds may be ahead of the disk or behind it.
"""

from __future__ import annotations

import copy
import itertools
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import json_lines
from .chat_file import ChatFile, FileIdentity, read_metadata
from .durable import replace_file, sweep_temporary, sync_folder
from .models import ConversationMetadata, UserIndex, newest_first
from .names import DEFAULT_NAME
from .storage import is_valid_id

logger = logging.getLogger(__name__)

_INDEX = "index.json"
_LIST_KEY = "conversations"
_CACHED_CHATS = 4  # a user talks in one or two at a time
_ENTRY_BYTES = 1000  # about what one entry takes in memory


@dataclass(slots=True)
class Entry:
    """A chat as the index knows it; `identity` is None until its whole file has been read once."""

    metadata: ConversationMetadata
    identity: FileIdentity | None


class FolderState:
    def __init__(self, path: Path, user_id: int) -> None:
        self.path = path
        self.user_id = user_id
        self.index = UserIndex(user_id)  # its conversations are the entries
        self.entries: dict[str, Entry] = {}
        self._cached: OrderedDict[str, ChatFile] = OrderedDict()
        self._index_damaged = False
        if path.is_dir():
            self._read()

    @property
    def cached_bytes(self) -> int:
        chats = sum(len(chat.body) for chat in self._cached.values())
        return chats + _ENTRY_BYTES * (1 + len(self.entries))

    def is_cached(self, conversation_id: str) -> bool:
        return conversation_id in self._cached

    def file(self, conversation_id: str) -> Path:
        return self.path / f"{conversation_id}.json"

    def hand_out(self, metadata: ConversationMetadata) -> ConversationMetadata:
        """Copy metadata for the caller, with the flag that only the index can tell."""
        given = copy.copy(metadata)
        given.extra = copy.deepcopy(metadata.extra)
        given.is_active = metadata.conversation_id == self.index.last_active_conversation_id
        return given

    def entry(self, conversation_id: str) -> Entry | None:
        """Find a living chat, and notice when its file was edited or removed by somebody else."""
        entry = self.entries.get(conversation_id)
        if entry is None:
            return None
        try:
            identity = FileIdentity.of(self.file(conversation_id).stat())
        except FileNotFoundError:
            self.forget(conversation_id)
            return None
        if entry.identity is not None and entry.identity != identity:
            self.forget(conversation_id)
            self.examine(conversation_id)
        return self.entries.get(conversation_id)

    def chat(self, conversation_id: str) -> ChatFile | None:
        """Give a living chat with its messages, from memory where the file is still the same."""
        entry = self.entry(conversation_id)
        if entry is None:
            return None
        chat = self._cached.get(conversation_id)
        if chat is None and entry.identity is not None:
            data = self.file(conversation_id).read_bytes()
            chat = ChatFile.trusted(data, entry.metadata)
        if chat is None:
            chat = self._read_whole(conversation_id)
        if chat is not None:
            self._cache(chat)
        return chat

    def parse(self, conversation_id: str, data: bytes) -> ChatFile | None:
        chat = ChatFile.parse(data, user_id=self.user_id, conversation_id=conversation_id)
        if chat is not None and not chat.metadata.name:
            chat.metadata.name = DEFAULT_NAME
        return chat

    def forget(self, conversation_id: str) -> None:
        self.entries.pop(conversation_id, None)
        self._cached.pop(conversation_id, None)

    def write_chat(self, chat: ChatFile) -> None:
        """Write one chat file. The folder still has to be synced, which `write_index` does."""
        conversation_id = chat.metadata.conversation_id
        path = self.file(conversation_id)
        if chat.damaged:
            self.put_aside(path)
            chat.damaged = False
        chat.metadata.deleted_at = None
        chat.metadata.is_active = conversation_id == self.index.last_active_conversation_id
        status = replace_file(path, chat.encode())
        self.entries[conversation_id] = Entry(chat.metadata, FileIdentity.of(status))
        self._cache(chat)

    def write_index(self) -> None:
        """Write the index, with a pointer that is never at a chat that is gone, and sync."""
        if self._index_damaged:
            self.put_aside(self.path / _INDEX)
            self._index_damaged = False
        self._mend_pointer()
        head = self.index.to_dict()
        del head[_LIST_KEY]
        if self.index.damaged_untold:
            head["damaged_untold"] = self.index.damaged_untold
        body = json_lines.join_items([self._encode(entry) for entry in self.entries.values()])
        replace_file(self.path / _INDEX, json_lines.encode(head, _LIST_KEY, body))
        sync_folder(self.path)

    def put_aside(self, path: Path) -> None:
        """Keep what a file holds under a `.damaged-N` name, for ever, and count it."""
        for number in itertools.count(1):
            aside = path.with_name(f"{path.name}.damaged-{number}")
            if not aside.exists():
                break
            if aside.samefile(path):
                return
        try:
            os.link(path, aside)  # takes no space, so that it works on a full disk too
        except OSError:
            replace_file(aside, path.read_bytes())
        sync_folder(path.parent)
        self.index.damaged_untold += 1
        logger.error("%s is damaged; what it held is kept in %s", path, aside.name)

    def examine(self, conversation_id: str) -> None:
        """Take a file that the index does not know, or knows otherwise, into the entries."""
        path = self.file(conversation_id)
        metadata = read_metadata(path, user_id=self.user_id, conversation_id=conversation_id)
        if metadata is not None and metadata.name:
            metadata.deleted_at = None
            self.entries[conversation_id] = Entry(metadata, None)
        else:
            self._read_whole(conversation_id)

    def _read(self) -> None:
        sweep_temporary(self.path)
        listed = self._read_index_file()
        for conversation_id, status in self._chat_files():
            entry = listed.get(conversation_id)
            if entry and entry.identity == FileIdentity.of(status):
                self.entries[conversation_id] = entry
                continue
            try:
                self.examine(conversation_id)
            except OSError as error:  # one chat that cannot be read must not hide the others
                logger.error("%s cannot be read: %s", self.file(conversation_id), error)  # noqa: TRY400
                if entry:
                    self.entries[conversation_id] = Entry(entry.metadata, None)
        self._mend_pointer()
        if self._index_damaged:
            self._try_to_repair(self.write_index)

    def _chat_files(self) -> Iterator[tuple[str, os.stat_result]]:
        with os.scandir(self.path) as found:
            for item in found:
                conversation_id, suffix = os.path.splitext(item.name)  # noqa: PTH122
                if suffix == ".json" and is_valid_id(conversation_id) and item.is_file():
                    yield conversation_id, item.stat()

    def _read_index_file(self) -> dict[str, Entry]:
        try:
            data = (self.path / _INDEX).read_bytes()
        except FileNotFoundError:
            return {}
        read = json_lines.salvage(data, _LIST_KEY)
        self._index_damaged = read.damaged
        head, index = read.head, self.index
        head.pop("user_id", None)
        username = head.pop("username", "")
        index.username = username if isinstance(username, str) else ""
        active = head.pop("last_active_conversation_id", None)
        index.last_active_conversation_id = active if isinstance(active, str) else None
        untold = head.pop("damaged_untold", 0)
        index.damaged_untold += untold if isinstance(untold, int) else 0
        index.extra = head
        return dict(self._listed(read.items))

    def _listed(self, items: list[Any]) -> Iterator[tuple[str, Entry]]:
        for item in items:
            if not isinstance(item, dict) or not isinstance(item.get("conversation_id"), str):
                continue
            conversation_id, raw = item["conversation_id"], item.pop("file", None)
            known = isinstance(raw, list) and len(raw) == len(FileIdentity._fields)
            metadata = ConversationMetadata.from_dict(
                item, user_id=self.user_id, conversation_id=conversation_id
            )
            yield conversation_id, Entry(metadata, FileIdentity(*raw) if known else None)

    def _encode(self, entry: Entry) -> bytes:
        item = self.hand_out(entry.metadata).to_dict()
        if entry.identity is not None:
            item["file"] = list(entry.identity)
        return json_lines.encode_item(item)

    def _mend_pointer(self) -> None:
        if self.index.last_active_conversation_id not in self.entries:
            left = sorted((entry.metadata for entry in self.entries.values()), key=newest_first)
            self.index.last_active_conversation_id = left[0].conversation_id if left else None

    def _read_whole(self, conversation_id: str) -> ChatFile | None:
        """Read and check a whole file, and repair it where a part of it cannot be read."""
        path = self.file(conversation_id)
        data, status = path.read_bytes(), path.stat()
        chat = self.parse(conversation_id, data)
        if chat is None:
            self.forget(conversation_id)
            if not json_lines.is_json(data):  # sound JSON of another kind is somebody else's
                self._try_to_repair(lambda: self._remove_unreadable(path))
            return None
        chat.metadata.deleted_at = None
        identity = None if chat.damaged else FileIdentity.of(status)
        self.entries[conversation_id] = Entry(chat.metadata, identity)
        if chat.damaged:
            self._try_to_repair(lambda: self._repair(chat))
        return chat

    def _repair(self, chat: ChatFile) -> None:
        self.write_chat(chat)
        self.write_index()

    def _remove_unreadable(self, path: Path) -> None:
        self.put_aside(path)
        path.unlink()
        self.write_index()

    def _try_to_repair(self, repair: Callable[[], None]) -> None:
        """Repair while reading, where the disk lets us; reading works where it does not."""
        try:
            repair()
        except OSError as error:
            logger.warning("cannot repair %s now: %s", self.path, error)

    def _cache(self, chat: ChatFile) -> None:
        conversation_id = chat.metadata.conversation_id
        self._cached[conversation_id] = chat
        self._cached.move_to_end(conversation_id)
        while len(self._cached) > _CACHED_CHATS:
            self._cached.popitem(last=False)
