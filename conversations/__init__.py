"""Many chats per user, kept as plain JSON files or anywhere else; knows nothing of Telegram."""

from .errors import (
    ConversationError,
    FolderInUseError,
    ImportRefusedError,
    InvalidNameError,
    RefusalReason,
    StorageClosedError,
    StorageError,
)
from .json_storage import JsonStorage
from .manager import ConversationManager
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    UserIndex,
    parse_time,
)
from .names import USER_NAME_LIMIT, clean_text, name_from_question, shorten
from .storage import ConversationStorage, is_valid_id
from .transfer import (
    ExportedFile,
    ExportFormat,
    ExportLabels,
    ImportLimits,
    ImportReport,
    LeftOut,
    LeftOutReason,
)

__all__ = [
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
    "ImportLimits",
    "ImportRefusedError",
    "ImportReport",
    "InvalidNameError",
    "JsonStorage",
    "LeftOut",
    "LeftOutReason",
    "RefusalReason",
    "StorageClosedError",
    "StorageError",
    "UserIndex",
    "clean_text",
    "is_valid_id",
    "name_from_question",
    "parse_time",
    "shorten",
]
