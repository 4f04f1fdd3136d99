"""Who answers: the contract, and what fulfils it."""

from .base import (
    Answerer,
    AnswerError,
    AnswerResult,
    AnswerStream,
    FunctionAnswerer,
    InstructedAnswerer,
    Mode,
    Namer,
    SimpleAnswerer,
    TextStream,
    Turn,
    Usage,
    as_answerer,
    takes_instructions,
)

__all__ = [
    "AnswerError",
    "AnswerResult",
    "AnswerStream",
    "Answerer",
    "FunctionAnswerer",
    "InstructedAnswerer",
    "Mode",
    "Namer",
    "SimpleAnswerer",
    "TextStream",
    "Turn",
    "Usage",
    "as_answerer",
    "takes_instructions",
]
