"""Who answers: the contract, and what fulfils it."""

from .base import (
    Answerer,
    AnswerError,
    AnswerResult,
    AnswerStream,
    FunctionAnswerer,
    Mode,
    Namer,
    SimpleAnswerer,
    TextStream,
    Turn,
    Usage,
    as_answerer,
)

__all__ = [
    "AnswerError",
    "AnswerResult",
    "AnswerStream",
    "Answerer",
    "FunctionAnswerer",
    "Mode",
    "Namer",
    "SimpleAnswerer",
    "TextStream",
    "Turn",
    "Usage",
    "as_answerer",
]
