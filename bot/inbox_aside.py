"""Files beside the inbox: what was given up or cannot be read. All of it blocks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from conversations import durable

from .access import concerns

_GIVEN_UP_SUFFIX = ".given-up"


def give_up(inbox: Path, lines: Iterable[bytes]) -> Path:
    """Put updates out of the way, where they can be looked at; give the file they are in.

    :raises OSError: that failed.
    """
    path = inbox.with_name(inbox.name + _GIVEN_UP_SUFFIX)
    before = path.read_bytes() if path.exists() else b""
    durable.replace_file(path, before + b"".join(lines))
    durable.sync_folder(path.parent)
    return path


def forget_person(inbox: Path, user_id: int) -> None:
    """Keep nothing of what a person sent in any file beside this one, here or of a bot before.

    Lines that cannot be read go as well: nobody can tell whose they are.

    :raises OSError: that failed; calling it again goes on.
    """
    folder, family = inbox.parent, inbox.name.partition("-")[0]
    if not durable.sweep_temporary(folder, family):
        raise OSError(f"not all temporary files of {folder} can be removed")
    for path in folder.glob(f"{family}*"):
        if path != inbox and path.is_file():
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if _is_of_others(line, user_id)]
            if len(kept) < len(lines):
                durable.replace_file(path, b"".join(kept))
    durable.sync_folder(folder)


def _is_of_others(line: bytes, user_id: int) -> bool:
    try:
        return not concerns(json.loads(line), user_id)
    except (ValueError, RecursionError):
        return False
