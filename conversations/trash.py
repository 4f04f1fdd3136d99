"""The chats that a user has deleted, in a folder below the user's own. Everything here blocks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from .chat_file import ChatFile, find_chats, read_metadata
from .durable import replace_file, sync_folder
from .models import ConversationMetadata, parse_time
from .storage import is_valid_id

logger = logging.getLogger(__name__)


class Trash:
    def __init__(self, path: Path, user_id: int, put_aside: Callable[[Path], None]) -> None:
        """`put_aside` keeps what a damaged file holds, before it is written anew."""
        self.path = path
        self._user_id = user_id
        self._put_aside = put_aside

    def file(self, conversation_id: str) -> Path:
        return self.path / f"{conversation_id}.json"

    def chat(self, conversation_id: str) -> ChatFile | None:
        """Read a deleted chat; None where there is none, or none may have this id."""
        if not is_valid_id(conversation_id):
            return None
        try:
            data = self.file(conversation_id).read_bytes()
        except FileNotFoundError:
            return None
        return self._parse(conversation_id, data)

    def write(self, chat: ChatFile) -> None:
        path = self.file(chat.metadata.conversation_id)
        if chat.damaged:
            self._put_aside(path)
        replace_file(path, chat.encode())
        sync_folder(self.path)

    def deleted_at(self, chat: ChatFile) -> str:
        return chat.metadata.deleted_at or _time_of(self.file(chat.metadata.conversation_id))

    def is_empty(self) -> bool:
        """Tell without opening a file whether there can be no chat."""
        try:
            return next(find_chats(self.path), None) is None
        except FileNotFoundError:
            return True

    def chats(self) -> Iterator[ConversationMetadata]:
        for _, metadata in self._found():
            yield metadata

    def purge(self, *, deleted_before: str | None) -> int:
        """Remove for good what was deleted before then, or all; give how many there were."""
        limit = None if deleted_before is None else parse_time(deleted_before)
        removed = 0
        failures: list[OSError] = []
        for path, metadata in list(self._found(failures)):
            if limit is None or parse_time(metadata.deleted_at) < limit:
                path.unlink(missing_ok=True)
                removed += 1
        if removed:
            sync_folder(self.path)
        if failures:  # it cannot be told whether these were to go
            raise failures[0]
        return removed

    def _parse(self, conversation_id: str, data: bytes) -> ChatFile | None:
        return ChatFile.parse(data, user_id=self._user_id, conversation_id=conversation_id)

    def _found(
        self, failures: list[OSError] | None = None
    ) -> Iterator[tuple[Path, ConversationMetadata]]:
        """Give what can be read now; why the rest cannot, goes to `failures`."""
        try:
            found = list(find_chats(self.path))
        except FileNotFoundError:
            return
        for conversation_id, _ in found:
            path = self.file(conversation_id)
            try:
                metadata = self._deleted(path)
            except OSError as error:  # one chat that cannot be read must not hide the others
                logger.error("%s cannot be read: %s", path, error)  # noqa: TRY400
                if failures is not None:
                    failures.append(error)
                continue
            if metadata is not None:
                yield path, metadata

    def _deleted(self, path: Path) -> ConversationMetadata | None:
        metadata = read_metadata(path, user_id=self._user_id, conversation_id=path.stem)
        if metadata is None or not metadata.name:
            chat = self._parse(path.stem, path.read_bytes())
            metadata = chat.metadata if chat else None
        if metadata is not None:
            metadata.deleted_at = metadata.deleted_at or _time_of(path)
        return metadata


def _time_of(path: Path) -> str:
    """When a file was last renamed or written; for a chat whose time of deletion is not noted."""
    return datetime.fromtimestamp(path.stat().st_ctime, UTC).isoformat()
