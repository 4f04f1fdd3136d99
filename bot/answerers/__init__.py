"""Who answers: the contract, and what fulfils it."""

from .base import (
    Answerer,
    AnswerError,
    AnswerResult,
    AnswerStream,
    FunctionAnswerer,
    Mode,
    SimpleAnswerer,
    TextStream,
    Turn,
    as_answerer,
)

__all__ = [
    "AnswerError",
    "AnswerResult",
    "AnswerStream",
    "Answerer",
    "FunctionAnswerer",
    "Mode",
    "SimpleAnswerer",
    "TextStream",
    "Turn",
    "as_answerer",
]
