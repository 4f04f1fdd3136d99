"""Values of a JSON object that may be old or foreign: one of the wrong kind is a missing one."""

from __future__ import annotations

from typing import Any


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def text_or_none(value: object) -> Any:
    """Give a text, also where a type names the few that are known: others are kept as they are."""
    return value if isinstance(value, str) else None


def number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def numbers(value: object) -> tuple[int, ...]:
    return tuple(map(number, value)) if isinstance(value, list) else ()


def count(value: object) -> int:
    return max(number(value), 0)
