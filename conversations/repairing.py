"""Doing at once, for a whole folder, what would be done when each user is next served."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from .inspection import Finding
from .storage import ConversationStorage

_REREAD = frozenset({"damaged", "counters", "stale"})


async def repair(
    root: Path,
    storage: ConversationStorage,
    findings: Iterable[Finding],
    *,
    trash_since: datetime,
) -> None:
    """Repair what can be; what cannot is found again by the next `check`.

    Damaged files are kept aside, the index is written anew from the chats, what was deleted before
    `trash_since` goes for good, and what others may read becomes its owner's alone. `storage` is
    one of files, in `root`.

    :raises FolderInUseError: a bot is running there.
    :raises StorageError: the disk does not let us.
    """
    await storage.open()  # this finishes what a crash left of erasing
    problems = [finding for finding in findings if finding.is_problem]
    await asyncio.to_thread(_prepare, root, problems)
    by_user: dict[int, list[Finding]] = {}
    for finding in problems:
        if finding.user_id is not None:
            by_user.setdefault(finding.user_id, []).append(finding)
    for user_id, ours in by_user.items():
        await _repair_user(storage, user_id, ours, trash_since)


async def _repair_user(
    storage: ConversationStorage, user_id: int, problems: list[Finding], trash_since: datetime
) -> None:
    await storage.read_index(user_id)
    for finding in problems:
        if finding.kind in _REREAD:
            conversation = await storage.load(user_id, Path(finding.path).stem)
            if conversation is not None and finding.kind == "counters":
                await storage.save(conversation)
    await storage.purge(user_id, deleted_before=trash_since.isoformat())
    active = (await storage.read_index(user_id)).last_active_conversation_id
    if active is not None:
        await storage.activate(user_id, active)  # which writes the index
    else:
        await storage.update_settings(user_id, {})


def _prepare(root: Path, problems: list[Finding]) -> None:
    for finding in problems:
        path = root / finding.path
        try:
            if finding.kind == "permissions":
                path.chmod(0o700 if path.is_dir() else 0o600)
            elif finding.kind in _REREAD:
                os.utime(path)  # else what the index knows of it would be trusted
        except FileNotFoundError:
            continue
