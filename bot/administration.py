"""`python -m bot stats` and `python -m bot check`: what an operator asks of a folder of chats.

Both only read and take no lock, so that they work while the bot runs; `check --repair` writes, and
is refused then. Neither needs a token.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from conversations import ConversationStorage, StorageError, inspection, repair

_Finding = inspection.Finding


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
    for command in (stats, check):
        command.add_argument("--json", action="store_true", help="for programs to read")
    return parser.parse_args(arguments)


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
