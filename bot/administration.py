"""`python -m bot stats`, `check` and `migrate`: what an operator asks of the chats.

The first two are for a folder. They only read and take no lock, so that they work while the bot
runs; `check --repair` writes, and is refused then. `migrate` needs both ends for itself. A token
is needed for none of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from conversations import (
    ConversationStorage,
    StorageError,
    inspection,
    migrating,
    migration_ends,
    repair,
)

MigrationEnd = migration_ends.MigrationEnd
_Finding = inspection.Finding
_TELL_EVERY = 5.0  # seconds


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; without a command the bot is to run.

    :raises SystemExit: it makes no sense, which has been told; or help was asked for.
    """
    parser = argparse.ArgumentParser(
        prog="python -m bot", description="Runs the bot, unless a command is given."
    )
    parser.set_defaults(json=False, repair=False)
    commands = parser.add_subparsers(dest="command", metavar="command")
    stats = commands.add_parser("stats", help="count users, chats, messages, tokens and bytes")
    check = commands.add_parser("check", help="read every file and tell what is wrong")
    check.add_argument("--repair", action="store_true", help="and repair it; not beside the bot")
    migrate = commands.add_parser(
        "migrate",
        help="bring all chats from a folder into a database, or back; stop the bot for it",
        description="END is a folder, or `database` for that of DATABASE_URL. A migration that"
        " was cut off goes on when it is run again.",
    )
    migrate.add_argument("--from", dest="source", required=True, metavar="END")
    migrate.add_argument("--to", dest="target", required=True, metavar="END")
    for command in (stats, check, migrate):
        command.add_argument("--json", action="store_true", help="for programs to read")
    return parser.parse_args(arguments)


def print_migration(source: MigrationEnd, target: MigrationEnd, *, as_json: bool) -> int:
    """Migrate, and print how it goes to stderr and a receipt in the end; 1 where it failed."""
    try:
        receipt = asyncio.run(_migrate(source, target))
    except (OSError, StorageError) as error:
        sys.stderr.write(f"migrate: {error}\n")
        return 1
    told = asdict(receipt)
    if as_json:
        _print(json.dumps(told))
        return 0
    for what, value in told.items():
        shown = f"{value:,}" if isinstance(value, int) else value
        _print(f"{what.replace('_', ' ')}: {shown}")
    _print("every chat was read again from the target and is as it was")
    return 0


async def _migrate(source: MigrationEnd, target: MigrationEnd) -> migrating.Receipt:
    told = time.monotonic()

    def tell(done: int, users: int, receipt: migrating.Receipt) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_EVERY or done == users:
            told = time.monotonic()
            sys.stderr.write(f"{done:,} of {users:,} users, {receipt.chats:,} chats\n")

    async with AsyncExitStack() as ends:
        for end in (source, target):
            ends.push_async_callback(end.storage.close)
        return await migrating.migrate(source, target, progress=tell)


def print_stats(root: Path, *, as_json: bool) -> int:
    """Print how much there is; 1 where the folder cannot be read."""
    try:
        totals = _totals(list(inspection.count(root)))
    except OSError as error:
        return _fail(error)
    if as_json:
        _print(json.dumps({"folder": str(root), **totals}))
        return 0
    width = max(len(f"{number:,}") for number in totals.values())
    for what, number in totals.items():
        _print(f"{number:>{width},} {what.replace('_', ' ')}")
    return 0


def print_check(
    root: Path,
    *,
    trash_since: datetime,
    as_json: bool,
    storage: ConversationStorage | None = None,
) -> int:
    """Print what is wrong; with a `storage` it is repaired, and what is left is told.

    0 where nothing is wrong in the end, 1 where something is or the folder cannot be read.
    """
    try:
        found = inspection.check(root, trash_since=trash_since)
        left = found
        if storage is not None:
            asyncio.run(_repair(root, storage, found, trash_since))
            left = inspection.check(root, trash_since=trash_since)
    except (OSError, StorageError) as error:
        return _fail(error)
    problems = [finding for finding in left if finding.is_problem]
    notes = [finding for finding in left if not finding.is_problem]
    repaired = [finding for finding in found if finding.is_problem and finding not in left]
    if as_json:
        groups = {"problems": problems, "repaired": repaired, "notes": notes}
        listed = {name: [asdict(finding) for finding in group] for name, group in groups.items()}
        _print(json.dumps({"folder": str(root), **listed}))
    else:
        for word, group in (("repaired: ", repaired), ("", problems), ("note: ", notes)):
            for finding in group:
                _print(word + _line(finding))
        _print(f"{len(problems)} problems, {len(repaired)} repaired, {len(notes)} notes")
    return 1 if problems else 0


async def _repair(
    root: Path, storage: ConversationStorage, found: list[_Finding], trash_since: datetime
) -> None:
    try:
        await repair(root, storage, found, trash_since=trash_since)
    finally:
        await storage.close()


def _totals(users: list[inspection.Census]) -> dict[str, Any]:
    return {
        "users": len(users),
        "chats": sum(user.footprint.chats for user in users),
        "deleted_chats": sum(user.footprint.deleted_chats for user in users),
        "messages": sum(user.footprint.messages for user in users),
        "tokens": sum(user.tokens for user in users),
        "files": sum(user.footprint.files for user in users),
        "bytes": sum(user.footprint.size for user in users),
        "damaged_files": sum(user.damaged for user in users),
    }


def _line(finding: _Finding) -> str:
    detail = f" ({finding.detail})" if finding.detail else ""
    return f"{finding.path}: {finding.kind}{detail}"


def _fail(error: OSError | StorageError) -> int:
    sys.stderr.write(f"CONVERSATIONS_DIR: {error}\n")
    return 1


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
