"""Removing a user's whole folder in one step that a crash cannot undo, and the rest after it.

The folder is renamed out of the way first; from then on the user is an unknown one. Then it is
removed, which takes many steps: what a crash leaves of it goes at the next start.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from pathlib import Path

from .durable import make_folder, sync_folder

logger = logging.getLogger(__name__)

ERASED = ".erased"


def erase_folder(path: Path) -> None:
    """Remove a folder with all that is in it, and what an interrupted call left of it before.

    :raises OSError: it could not be renamed, or not be removed; then calling again goes on.
    """
    erased = path.parent / ERASED
    if path.is_dir():
        make_folder(erased)
        path.replace(erased / f"{path.name}.{secrets.token_hex(6)}")
        sync_folder(erased)
        sync_folder(path.parent)
    _remove(list(erased.glob(f"{path.name}.*")))


def finish_erasing(root: Path) -> None:
    """Remove what was renamed out of the way and not removed any more; an error is logged."""
    try:
        _remove(list((root / ERASED).glob("*")))
    except OSError as error:
        logger.warning("what was erased cannot be removed now: %s", error)


def measure_folder(path: Path) -> int:
    """Tell how many bytes the files in a folder hold, those in its folders too."""
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                size += Path(folder, name).stat().st_size
            except FileNotFoundError:  # somebody else's, gone meanwhile
                continue
    return size


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder)
    if folders:
        sync_folder(folders[0].parent)
