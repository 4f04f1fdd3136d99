"""Looking at a whole folder of chats from outside: how much is there, and whether it is sound.

Nothing is written and no lock is taken, so that it works beside a running bot: files may come and
go, and what was found in the middle of a write is gone when `check` looks again. Texts and names
of chats are not told. Everything here blocks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from . import json_lines
from .chat_file import ChatFile, FileIdentity, find_chats, read_metadata
from .durable import count_aside
from .erasing import ERASED, measure_folder
from .folder_state import TRASH
from .index_file import Entry, ReadIndex, read_index
from .models import ConversationMetadata, Footprint, parse_time
from .spare_file import SPARE
from .storage import is_valid_id

Kind = Literal[
    "unreadable",  # the system does not let us read it
    "damaged",  # not all of it makes sense
    "counters",  # messages or tokens are others than its first line says
    "index",  # it is missing, damaged, or lists other chats than there are
    "stale",  # the index does not know a chat as it is
    "temporary",  # a crash left it
    "erased",  # a crash kept it from being removed
    "permissions",  # not its owner's alone
    "expired",  # longer in the trash than is promised
    "kept aside",  # a note: the original of something damaged
    "no chat",  # a note: sound, but somebody else's
]
_NOTES = frozenset({"kept aside", "no chat"})
_BEING_WRITTEN = 10  # seconds; a temporary file is left behind when it is older
_SPARE_KEPT = 600  # seconds; one that is kept goes some minutes after its user's last message
_LOOKS = 3  # a busy user may be caught in the middle of a write more than once
_OTHERS = 0o077
_PREFIX = "user_"
_INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be; `path` is relative to the folder of all chats."""

    path: str
    kind: Kind
    detail: str = ""
    user_id: int | None = None

    @property
    def is_problem(self) -> bool:
        return self.kind not in _NOTES


@dataclass(frozen=True, slots=True)
class Census:
    """How much there is of one user; `damaged` counts originals that were kept aside."""

    user_id: int
    footprint: Footprint
    tokens: int
    damaged: int


class _Seen(NamedTuple):
    """What the index has to know of a chat."""

    identity: FileIdentity
    metadata: ConversationMetadata
    is_ours: bool  # in our own form, and in agreement with itself


def count(root: Path) -> Iterator[Census]:
    """Count what there is of each user, from the chats' first lines.

    :raises OSError: the folder cannot be listed.
    """
    for user_id, folder in user_folders(root):
        living = list(_metadata_in(folder, user_id))
        deleted = list(_metadata_in(folder / TRASH, user_id))
        footprint = Footprint(
            chats=len(living),
            deleted_chats=len(deleted),
            messages=sum(chat.message_count for chat in living + deleted),
            files=sum(1 for _ in (folder / "files").glob("[!.]*")),
            size=measure_folder(folder),
        )
        tokens = sum(chat.total_tokens for chat in living + deleted)
        damaged = count_aside(folder) + count_aside(folder / TRASH)
        yield Census(user_id, footprint, tokens, damaged)


def check(root: Path, *, trash_since: datetime) -> list[Finding]:
    """Read every file of every user and tell what is wrong, and is so at every look.

    What was deleted before `trash_since` should have been purged.

    :raises OSError: the folder cannot be listed.
    """
    found = []
    at_root = list(_check_root(root))
    for user_id, folder in user_folders(root):
        wrong = list(_check_user(root, folder, user_id, trash_since))
        for _ in range(_LOOKS - 1):
            if wrong:
                again = set(_check_user(root, folder, user_id, trash_since))
                wrong = [finding for finding in wrong if finding in again]
        found += [replace(finding, user_id=user_id) for finding in wrong]
    still = set(_check_root(root))
    return [finding for finding in at_root if finding in still] + found


def user_folders(root: Path) -> Iterator[tuple[int, Path]]:
    """Give every user's number and folder.

    :raises OSError: the folder of all chats is not there, or may not be read.
    """
    with os.scandir(root) as found:
        names = sorted(item.name for item in found if item.is_dir())
    for name in names:
        number = name.removeprefix(_PREFIX)
        if name != number and number.removeprefix("-").isdecimal() and number.isascii():
            yield int(number), root / name


def _metadata_in(folder: Path, user_id: int) -> Iterator[ConversationMetadata]:
    try:
        chats = list(find_chats(folder))
    except OSError:
        return
    for conversation_id, _ in chats:
        path = folder / f"{conversation_id}.json"
        try:
            metadata = read_metadata(path, user_id=user_id, conversation_id=conversation_id)
            if metadata is None:
                data = path.read_bytes()
                chat = ChatFile.parse(data, user_id=user_id, conversation_id=conversation_id)
                metadata = chat.metadata if chat is not None else None
        except OSError:
            continue
        if metadata is not None:
            yield metadata


def _check_root(root: Path) -> Iterator[Finding]:
    yield from _permissions(root, root)
    for path in sorted((root / ERASED).glob("*")):
        yield Finding(_name(root, path), "erased", "goes at the next start")


def _check_user(
    root: Path, folder: Path, user_id: int, trash_since: datetime
) -> Iterator[Finding]:
    """Check one user's folder; the paths are relative to `root`."""
    identity, index = _identity(folder / _INDEX), _read_index(folder, user_id)  # in this order
    chats: dict[str, _Seen | None] = {}
    for path in sorted(folder.rglob("*")):
        name, is_chat = _name(root, path), _is_chat(path, folder)
        if is_chat and path.parent == folder:
            chats[path.stem] = None
        try:
            yield from _permissions(root, path)
            if path.is_dir():
                continue
            if ".damaged-" in path.name:
                yield Finding(name, "kept aside", "can be removed when nothing in it is missed")
            elif path.name.startswith(".") and path.name.endswith(".tmp"):
                if _is_left_behind(path):
                    yield Finding(name, "temporary", "goes when the user is served")
            elif is_chat:
                yield from _check_chat(name, path, user_id, trash_since, chats)
        except FileNotFoundError:  # gone meanwhile
            chats.pop(path.stem, None)
        except OSError as error:
            yield Finding(name, "unreadable", error.strerror or str(error))
    if identity == _identity(folder / _INDEX):  # else it is just being written
        written_ns = identity.mtime_ns if identity else 0
        yield from _check_index(_name(root, folder / _INDEX), index, written_ns, chats)


def _is_left_behind(path: Path) -> bool:
    """Tell a temporary file of a crash from one of a process that is at work."""
    status = path.stat()
    if SPARE in path.suffixes:  # what it holds is old from the start
        return time.time() - status.st_ctime > _SPARE_KEPT
    return time.time() - status.st_mtime > _BEING_WRITTEN


def _is_chat(path: Path, folder: Path) -> bool:
    at_home = path.parent in {folder, folder / TRASH}
    return at_home and path.suffix == ".json" and is_valid_id(path.stem)


def _check_chat(
    name: str,
    path: Path,
    user_id: int,
    trash_since: datetime,
    chats: dict[str, _Seen | None],
) -> Iterator[Finding]:
    """Check one chat's file, and note in `chats` what of it the index has to know."""
    identity, data = FileIdentity.of(path.stat()), path.read_bytes()
    chat = ChatFile.parse(data, user_id=user_id, conversation_id=path.stem)
    if chat is None:
        if json_lines.is_json(data):
            chats.pop(path.stem, None)
            yield Finding(name, "no chat")
        else:
            yield Finding(name, "damaged", "nothing of it can be read")
        return
    metadata, is_ours = chat.metadata, _is_in_our_form(data)
    if chat.damaged:
        is_ours = False
        yield Finding(name, "damaged", f"{metadata.message_count} messages of it can be read")
    else:
        said = _said(data)
        counted = {"messages": metadata.message_count, "tokens": metadata.total_tokens}
        for key, what in (("message_count", "messages"), ("total_tokens", "tokens")):
            if said.get(key, counted[what]) != counted[what]:
                is_ours = False
                yield Finding(name, "counters", f"{counted[what]} {what}, not {said[key]}")
    if path.parent.name != TRASH:
        chats[path.stem] = _Seen(identity, metadata, is_ours)
        return
    deleted = parse_time(metadata.deleted_at) if metadata.deleted_at else _changed(path)
    if deleted < trash_since:
        yield Finding(name, "expired", f"deleted on {deleted.date().isoformat()}")


def _is_in_our_form(data: bytes) -> bool:
    return json_lines.split(data, "messages") is not None


def _said(data: bytes) -> dict[str, Any]:
    """Give what a chat's file says of itself."""
    parts = json_lines.split(data, "messages")
    head = parts[0] if parts is not None else json_lines.salvage(data, "messages").head
    metadata = head.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _check_index(
    name: str, index: ReadIndex | None, written_ns: int, chats: dict[str, _Seen | None]
) -> Iterator[Finding]:
    """Compare the index with the chats; None stands for one that could not be read.

    A chat that was written by us after the index is no problem: the index follows.
    """
    if index is None:
        if chats:
            yield Finding(name, "index", "is missing or cannot be read")
        return
    if not index.is_whole:
        yield Finding(name, "index", "is damaged")
        return
    for chat in sorted(chats.keys() - index.listed.keys()):
        yield Finding(name, "index", f"does not list {chat}")
    for chat in sorted(index.listed.keys() - chats.keys()):
        yield Finding(name, "index", f"lists {chat}, which is not there")
    for chat in sorted(chats.keys() & index.listed.keys()):
        seen = chats[chat]
        is_late = seen is not None and seen.is_ours and seen.identity.mtime_ns >= written_ns
        if seen is not None and not is_late and not _agrees(index.listed[chat], seen):
            yield Finding(str(Path(name).with_name(f"{chat}.json")), "stale")
    if chats and index.index.last_active_conversation_id not in chats:
        yield Finding(name, "index", "names no active chat that is there")


def _agrees(entry: Entry, seen: _Seen) -> bool:
    """Tell whether the index says of a chat what its file says; a foreign one may say less."""
    facts = ("name", "message_count", "total_tokens", "pinned", "mode", "instructions")
    same = all(getattr(entry.metadata, fact) == getattr(seen.metadata, fact) for fact in facts)
    return same and entry.identity in {None, seen.identity}


def _read_index(folder: Path, user_id: int) -> ReadIndex | None:
    try:
        return read_index((folder / _INDEX).read_bytes(), user_id)
    except OSError:  # where it is not missing, the walk over all files tells why
        return None


def _identity(path: Path) -> FileIdentity | None:
    try:
        return FileIdentity.of(path.stat())
    except OSError:
        return None


def _permissions(root: Path, path: Path) -> Iterator[Finding]:
    mode = path.stat().st_mode
    if os.name != "nt" and mode & _OTHERS:
        yield Finding(_name(root, path), "permissions", f"others have {mode & _OTHERS:03o}")


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_ctime, UTC)


def _name(root: Path, path: Path) -> str:
    return str(path.relative_to(root))
