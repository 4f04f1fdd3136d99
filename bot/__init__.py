"""Many chats with a language model in one Telegram dialog: an aiogram 3 router."""

from .answerers import (
    Answerer,
    AnswerError,
    AnswerResult,
    AnswerStream,
    InstructedAnswerer,
    Mode,
    Namer,
    SimpleAnswerer,
    TextStream,
    Turn,
    Usage,
)
from .context import ContextLimits
from .inboxes import Lease
from .limits import Limits
from .metering import Meter, UsageMeter
from .reading import AnswerObserver
from .router import create_router

__all__ = [
    "AnswerError",
    "AnswerObserver",
    "AnswerResult",
    "AnswerStream",
    "Answerer",
    "ContextLimits",
    "InstructedAnswerer",
    "Lease",
    "Limits",
    "Meter",
    "Mode",
    "Namer",
    "SimpleAnswerer",
    "TextStream",
    "Turn",
    "Usage",
    "UsageMeter",
    "create_router",
]
