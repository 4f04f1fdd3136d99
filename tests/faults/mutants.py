"""The stores made worse in many ways, by `mutants.diff`: the harness has to notice each.

A mutant is a copy of `conversations` and `bot` in which some lines are others, put to the test by
another process. Where the lines are not there any more, that is an error: it has to follow.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGES = ("conversations", "bot")
_PATIENCE = 600  # seconds


@dataclass
class Edit:
    file: str
    old: str = ""
    new: str = ""


@dataclass
class Mutant:
    name: str
    mode: str = ""  # that sees it soonest, and where
    during: str = ""
    subject: str = "files"
    edits: list[Edit] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Copy the packages there, and make them worse.

        :raises ValueError: lines to replace do not stand in their file exactly once.
        """
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__py*")
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
        for edit in self.edits:
            path = folder / edit.file
            text = path.read_text(encoding="utf-8")
            if text.count(edit.old) != 1:
                raise ValueError(f"{self.name!r} applies no more: not in {edit.file}:\n{edit.old}")
            path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def mutants() -> list[Mutant]:
    found: list[Mutant] = []
    for line in (HERE / "mutants.diff").read_text(encoding="utf-8").splitlines():
        sign, rest = line[:3], line[3:]
        if sign == "== ":
            found.append(Mutant(rest))
        elif sign == "-- ":
            found[-1].mode, _, found[-1].during = rest.partition(": ")
        elif sign == ":: ":
            found[-1].subject = rest
        elif sign == "@@ ":
            found[-1].edits.append(Edit(rest))
        elif line and found:
            edit = found[-1].edits[-1]
            edit.old += f"{line[1:]}\n" if line[0] in " -" else ""
            edit.new += f"{line[1:]}\n" if line[0] in " +" else ""
    return found


def caught(mutant: Mutant, mode: str = "", *, during: str = "") -> dict[str, str]:
    """Run one mode on a mutant, or a little of each; give the first finding of each."""
    options = ["--mode", mode, "--during", during, "--subject", mutant.subject] if mode else []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        mutant.write(folder)
        (folder / "tests").symlink_to(ROOT / "tests")
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults", "--brief", *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    if not done.stdout:
        raise RuntimeError(f"{mutant.name}: {done.stderr}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def noticed_by(mutant: Mutant) -> list[str]:
    """Name the modes that see a mutant: the one that sees it soonest, else all that do."""
    return list(caught(mutant, mutant.mode, during=mutant.during) or caught(mutant))
