"""Chats out and in as files: Markdown, HTML, JSON and zips; our own and other services'.

Out: `exporting` (one chat; `markdown`, `page`) and `archive` (all of a user's). In: `importing`
stores what `reading` finds with the help of `unpacking`, `json_stream` and a module a format.
"""

from .archive import write_archive
from .exporting import ExportedFile, ExportFormat, export
from .importing import import_chats
from .labels import ExportLabels
from .page import RenderAnswer
from .report import ImportLimits, ImportReport, ImportSource, LeftOut, LeftOutReason

__all__ = [
    "ExportFormat",
    "ExportLabels",
    "ExportedFile",
    "ImportLimits",
    "ImportReport",
    "ImportSource",
    "LeftOut",
    "LeftOutReason",
    "RenderAnswer",
    "export",
    "import_chats",
    "write_archive",
]
