"""What can go wrong, and whose fault it is.

::

    ConversationError
    ├── InvalidNameError     a person chose a name that cannot be one; .reason tells which way
    ├── ImportRefusedError   a file cannot be imported at all; .reason tells why
    ├── InstructionsTooLongError  a person gave a chat more instructions than .limit allows
    └── StorageError         reading or writing failed; what was acknowledged is untouched
        ├── FolderInUseError  another process owns the folder
        └── StorageClosedError  the storage was used after close()

A wrong type of argument is a plain `TypeError`, because it is a mistake in the calling program.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal


class ConversationError(Exception):
    """Everything that this package raises on purpose."""


class InvalidNameError(ConversationError):
    """A name is empty after cleaning, or longer than `limit` characters."""

    def __init__(self, reason: Literal["empty", "too_long"], *, limit: int) -> None:
        super().__init__(f"the name is {reason.replace('_', ' ')} (1-{limit} characters)")
        self.reason: Literal["empty", "too_long"] = reason
        self.limit = limit


RefusalReason = Literal[
    "empty",
    "too_big",
    "unknown_format",
    "damaged",
    "encrypted",
    "unsafe_entry",
    "too_many_entries",
    "unpacks_too_big",
]


class ImportRefusedError(ConversationError):
    """Nothing of a file is taken in. `detail` is short, on one line and safe to show.

    ================  ==========================================================================
    empty             there is nothing in it
    too_big           it has more bytes than are taken
    unknown_format    neither JSON nor a zip, or none with chats of a kind that we know
    damaged           it breaks off, or cannot be read, before the first chat
    encrypted         the zip asks for a password
    unsafe_entry      a name in the zip leads out of it, or is a link
    too_many_entries  the zip holds too many files
    unpacks_too_big   the zip is small and what is in it is not
    ================  ==========================================================================
    """

    def __init__(self, reason: RefusalReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason: RefusalReason = reason
        self.detail = detail


class InstructionsTooLongError(ConversationError):
    """Instructions of a chat have more than `limit` characters."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"the instructions are too long (at most {limit} characters)")
        self.limit = limit


class StorageError(ConversationError):
    """The storage could not do it: full disk, missing rights, broken device, lost connection."""


class FolderInUseError(StorageError):
    """Another process holds the lock of this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is in use by another process; one process owns a folder of chats"
            " (stop the other one, or give this one a folder of its own)"
        )
        self.folder = folder


class StorageClosedError(StorageError):
    """The storage was closed before this call."""
