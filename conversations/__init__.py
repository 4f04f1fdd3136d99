"""Many chats per user, kept as plain JSON files or anywhere else; knows nothing of Telegram."""

from . import durable, inspection
from .errors import (
    ConversationError,
    FolderInUseError,
    InstructionsTooLongError,
    InvalidNameError,
    StorageClosedError,
    StorageError,
)
from .json_storage import JsonStorage
from .manager import INSTRUCTIONS_LIMIT, ConversationManager
from .models import (
    Conversation,
    ConversationMessage,
    ConversationMetadata,
    Footprint,
    UserIndex,
    parse_time,
)
from .names import USER_NAME_LIMIT, clean_text, name_from_question, shorten
from .repairing import repair
from .storage import ConversationStorage, is_valid_id

__all__ = [
    "INSTRUCTIONS_LIMIT",
    "USER_NAME_LIMIT",
    "Conversation",
    "ConversationError",
    "ConversationManager",
    "ConversationMessage",
    "ConversationMetadata",
    "ConversationStorage",
    "FolderInUseError",
    "Footprint",
    "InstructionsTooLongError",
    "InvalidNameError",
    "JsonStorage",
    "StorageClosedError",
    "StorageError",
    "UserIndex",
    "clean_text",
    "durable",
    "inspection",
    "is_valid_id",
    "name_from_question",
    "parse_time",
    "repair",
    "shorten",
]
