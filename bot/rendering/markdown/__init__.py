"""A model's Markdown -> the same Markdown with everything spelled out that a renderer would lose.

The text is read by the parser that renders it, edited where the reading would drop, fetch or
mistake something, and read again until nothing is left to edit (`preparing`). Each kind of edit
has a module: `tags`, `links`, `tables`, `formulas`, `code_blocks` and `marks`.
"""

from __future__ import annotations

from .editing import inert
from .links import is_web
from .preparing import prepared
from .reading import Document
from .words import holds, pieces, still_holds

__all__ = ["Document", "holds", "inert", "is_web", "pieces", "prepared", "still_holds"]
