"""Lines of ours around an answer, in its first and last message where they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .counting import MESSAGE_LIMIT, utf16_length
from .parts import Part, behind


def enclose(parts: Sequence[Part], header: str, footer: str) -> list[Part]:
    """Put our own lines before the first and behind the last part, or beside them if too long."""
    enclosed = list(parts)
    if header:
        joined = behind(f"{header}\n\n", enclosed[0]) if enclosed else None
        if joined is not None and utf16_length(joined.text) <= MESSAGE_LIMIT:
            enclosed[0] = joined
        else:
            enclosed.insert(0, Part(header, []))
    if footer:
        last = enclosed[-1] if enclosed else None
        joined = replace(last, text=f"{last.text}\n\n{footer}") if last is not None else None
        if joined is not None and utf16_length(joined.text) <= MESSAGE_LIMIT:
            enclosed[-1] = joined
        else:
            enclosed.append(Part(footer, []))
    return enclosed
