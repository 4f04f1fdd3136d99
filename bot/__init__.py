"""Many chats with a language model in one Telegram dialog: an aiogram 3 router."""

from .answerers import Answerer, AnswerError, AnswerResult, AnswerStream, SimpleAnswerer, Turn
from .context import ContextLimits
from .limits import Limits
from .metering import Meter
from .router import create_router

__all__ = [
    "AnswerError",
    "AnswerResult",
    "AnswerStream",
    "Answerer",
    "ContextLimits",
    "Limits",
    "Meter",
    "SimpleAnswerer",
    "Turn",
    "create_router",
]
