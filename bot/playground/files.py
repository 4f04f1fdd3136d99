"""Documents: their bytes in a folder, or in memory when nothing is to survive."""

import asyncio
import mimetypes
import secrets
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from .disk import create_file, make_folder

_MAX_FILES: Final = 300
_DEFAULT_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class StoredFile:
    file_id: str
    file_unique_id: str
    name: str
    mime_type: str
    size: int
    path: str
    """As in getFile: ``documents/file_1.md``"""

    def wire(self) -> dict[str, Any]:
        """The Document of a message."""
        return {
            "file_name": self.name,
            "mime_type": self.mime_type,
            "file_id": self.file_id,
            "file_unique_id": self.file_unique_id,
            "file_size": self.size,
        }


class Files:
    """At most 300 files, then the oldest goes. No name on disk comes from outside."""

    def __init__(self, folder: Path | None, changed: Callable[[], None]) -> None:
        self._folder = folder
        self._changed = changed
        self._files: dict[str, StoredFile] = {}
        self._contents: dict[str, bytes] = {}
        self._next_number = 1

    async def add(self, name: str, mime_type: str | None, content: bytes) -> StoredFile:
        name = PurePosixPath(name.replace("\\", "/")).name or "file"
        number, self._next_number = self._next_number, self._next_number + 1
        file = StoredFile(
            file_id=f"BQAC{secrets.token_urlsafe(32)}",
            file_unique_id=f"AgAD{secrets.token_urlsafe(8)}",
            name=name,
            mime_type=mime_type or mimetypes.guess_type(name)[0] or _DEFAULT_TYPE,
            size=len(content),
            path=f"documents/file_{number}{_extension(name)}",
        )
        await self._write(file, content)
        self._files[file.file_id] = file
        await self.discard(list(self._files)[:-_MAX_FILES])
        self._changed()
        return file

    def find(self, file_id: str) -> StoredFile | None:
        return self._files.get(file_id)

    def at(self, path: str) -> StoredFile | None:
        return next((file for file in self._files.values() if file.path == path), None)

    async def read(self, file: StoredFile) -> bytes | None:
        """The bytes, or None when somebody has removed the file from the folder."""
        if self._folder is None:
            return self._contents.get(file.file_id)
        try:
            return await asyncio.to_thread(self._on_disk(file).read_bytes)
        except FileNotFoundError:
            return None

    async def discard(self, file_ids: Iterable[str]) -> None:
        for file in [self._files.pop(i) for i in file_ids if i in self._files]:
            self._contents.pop(file.file_id, None)
            if self._folder is not None:
                await asyncio.to_thread(self._on_disk(file).unlink, missing_ok=True)

    def to_json(self) -> dict[str, Any]:
        return {"files": [asdict(f) for f in self._files.values()], "next": self._next_number}

    def restore(self, data: dict[str, Any]) -> None:
        self._files = {file["file_id"]: StoredFile(**file) for file in data["files"]}
        self._next_number = int(data["next"])

    async def _write(self, file: StoredFile, content: bytes) -> None:
        if self._folder is None:
            self._contents[file.file_id] = content
            return
        await asyncio.to_thread(_write, self._on_disk(file), content)

    def _on_disk(self, file: StoredFile) -> Path:
        if self._folder is None:
            raise RuntimeError("these files are kept in memory")
        return self._folder / PurePosixPath(file.path).name


def _write(path: Path, content: bytes) -> None:
    make_folder(path.parent)
    create_file(path)
    path.write_bytes(content)


def _extension(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    is_plain = suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 10
    return suffix.lower() if is_plain else ""
