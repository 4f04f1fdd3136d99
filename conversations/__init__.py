"""Many chats per user, kept as plain JSON files or anywhere else; knows nothing of Telegram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import durable, inspection, migrating, migration_ends, postgres_migrations
from .errors import (
    ConversationError,
    FolderInUseError,
    ImportRefusedError,
    InstructionsTooLongError,
    InvalidNameError,
    RefusalReason,
    StorageClosedError,
    StorageError,
)
from .exchanges import forked
from .json_storage import JsonStorage
from .manager import INSTRUCTIONS_LIMIT, ConversationManager
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    Footprint,
    NameSource,
    SearchType,
    UserIndex,
    parse_time,
)
from .names import USER_NAME_LIMIT, clean_text, name_from_question, shorten
from .repairing import repair
from .search import SearchHit, Words
from .storage import ConversationStorage, UnlessActive, is_valid_file_name, is_valid_id
from .transfer import (
    ExportedFile,
    ExportFormat,
    ExportLabels,
    ImportLimits,
    ImportReport,
    LeftOut,
    LeftOutReason,
)

if TYPE_CHECKING:
    from .postgres_pool import Database as Database
    from .postgres_storage import PostgresStorage as PostgresStorage

__all__ = [
    "INSTRUCTIONS_LIMIT",
    "USER_NAME_LIMIT",
    "Conversation",
    "ConversationError",
    "ConversationManager",
    "ConversationMessage",
    "ConversationMetadata",
    "ConversationStorage",
    "ExportFormat",
    "ExportLabels",
    "ExportedFile",
    "FolderInUseError",
    "Footprint",
    "ImportLimits",
    "ImportRefusedError",
    "ImportReport",
    "InstructionsTooLongError",
    "InvalidNameError",
    "JsonStorage",
    "LeftOut",
    "LeftOutReason",
    "NameSource",
    "RefusalReason",
    "SearchHit",
    "SearchType",
    "StorageClosedError",
    "StorageError",
    "UnlessActive",
    "UserIndex",
    "Words",
    "clean_text",
    "durable",
    "forked",
    "inspection",
    "is_valid_file_name",
    "is_valid_id",
    "migrating",
    "migration_ends",
    "name_from_question",
    "parse_time",
    "postgres_migrations",
    "repair",
    "shorten",
]


def __getattr__(name: str) -> object:
    """Import what needs a driver of its own, `asyncpg`, only for those who name it.

    That is why it is not in `__all__`: `import *` works without the driver.
    """
    if name == "PostgresStorage":
        from .postgres_storage import PostgresStorage

        return PostgresStorage
    if name == "Database":
        from .postgres_pool import Database

        return Database
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
