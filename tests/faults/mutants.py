"""The store with one line made worse, many times: the harness has to notice each.

A mutant is a copy of the package `conversations` with some texts replaced, put to the test by
another process. Where a text is not there any more, that is an error: the mutant has to follow.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 600  # seconds


@dataclass(frozen=True)
class Edit:
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    name: str
    caught_by: str  # the mode that sees it soonest
    edits: tuple[Edit, ...]

    def write(self, folder: Path) -> None:
        """Copy the package there, and make it worse.

        :raises ValueError: a text to replace does not stand in its file exactly once.
        """
        package = folder / "conversations"
        shutil.copytree(ROOT / "conversations", package, ignore=shutil.ignore_patterns("__py*"))
        for edit in self.edits:
            path = package / edit.file
            text = path.read_text(encoding="utf-8")
            if text.count(edit.old) != 1:
                raise ValueError(f"{self.name}: not once in {edit.file}: {edit.old!r}")
            path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def caught(mutant: Mutant, modes: list[str], *, thin: int = 1) -> dict[str, str]:
    """Run these modes on a mutant, each up to its first finding; give those by mode."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        mutant.write(folder)
        (folder / "tests").symlink_to(ROOT / "tests")
        command = [sys.executable, "-m", "tests.faults", "--json", "--thin", str(thin)]
        command += [part for mode in modes for part in ("--mode", mode)]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    if not done.stdout:
        raise RuntimeError(f"{mutant.name}: {done.stderr}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _edit(file: str, old: str, new: str = "") -> tuple[Edit]:
    return (Edit(f"{file}.py", old, new),)


_SYNC = "        os.fsync(descriptor)\n        return os.fstat(descriptor)\n"
_STATUS = "        return os.fstat(descriptor)\n"
_RENAME = "        temp.replace(path)\n"
_TEMP = '    temp = path.with_name(f".{path.name}.{secrets.token_hex(6)}{_TEMP_SUFFIX}")\n'

MUTANTS = (
    Mutant("no fsync of the file", "power loss", _edit("durable", _SYNC, _STATUS)),
    Mutant(
        "no fsync of a folder",
        "power loss",
        _edit(
            "durable",
            "    try:\n        os.fsync(descriptor)\n    finally:\n        os.close(descriptor)\n\n\n"
            "def make_folder",
            "    os.close(descriptor)\n\n\ndef make_folder",
        ),
    ),
    Mutant(
        "no fsync of a new folder's parent",
        "power loss",
        _edit("durable", "exist_ok=True)\n        sync_folder(folder.parent)\n", "exist_ok=True)\n"),
    ),
    Mutant(
        "fsync after the rename",
        "power loss",
        _edit("durable", _SYNC, _STATUS)
        + _edit(
            "durable",
            _RENAME,
            f"{_RENAME}        descriptor = os.open(path, os.O_WRONLY)\n"
            "        os.fsync(descriptor)\n        os.close(descriptor)\n",
        ),
    ),
    Mutant(
        "failed fsync tried again",
        "failed fsync, power loss",
        _edit(
            "durable",
            _SYNC,
            "        try:\n            os.fsync(descriptor)\n        except OSError:\n"
            f"            os.fsync(descriptor)\n{_STATUS}",
        ),
    ),
    Mutant(
        "failed fsync passed over",
        "failed fsync",
        _edit(
            "durable",
            _SYNC,
            "        with contextlib.suppress(OSError):\n            os.fsync(descriptor)\n"
            f"{_STATUS}",
        ),
    ),
    Mutant(
        "one write call",
        "short write",
        _edit(
            "durable",
            "        while rest:\n            rest = rest[os.write(descriptor, rest) :]\n",
            "        os.write(descriptor, rest)\n",
        ),
    ),
    Mutant(
        "one temporary name for all",
        "held",
        _edit("durable", _TEMP, '    temp = path.parents[1] / ".write.tmp"\n')
        + _edit("durable", "os.O_CREAT | os.O_EXCL |", "os.O_CREAT | os.O_TRUNC |"),
    ),
    Mutant(
        "written in place",
        "kill",
        _edit("durable", _TEMP, "    temp = path\n")
        + _edit("durable", _RENAME)
        + _edit("durable", "os.O_CREAT | os.O_EXCL |", "os.O_CREAT | os.O_TRUNC |"),
    ),
    Mutant(
        "index first",
        "kill",
        _edit(
            "user_folder",
            "        self._state.write_chat(chat)\n        sync_folder(self._state.path)\n",
            "        entry = Entry(chat.metadata, None)\n"
            "        self._state.entries[chat.metadata.conversation_id] = entry\n"
            "        self._state.write_index()\n"
            "        self._state.write_chat(chat)\n        sync_folder(self._state.path)\n",
        )
        + _edit(
            "user_folder",
            "from .interrupted import activate_restored\n",
            "from .index_file import Entry\nfrom .interrupted import activate_restored\n",
        ),
    ),
    Mutant(
        "new chat not synced before its index",
        "power loss",
        _edit(
            "user_folder",
            "        self._state.write_chat(chat)\n        sync_folder(self._state.path)\n",
            "        self._state.write_chat(chat)\n",
        ),
    ),
    Mutant(
        "no index after a message",
        "power loss",
        _edit(
            "user_folder",
            "            self._state.write_chat(chat)\n            self._state.write_index()\n",
            "            self._state.write_chat(chat)\n",
        ),
    ),
    Mutant(
        "temporary files not swept",
        "kill",
        _edit("durable", "            path.unlink()\n        except", "            pass\n        except"),
    ),
    Mutant(
        "memory kept after an error",
        "error",
        _edit("json_storage", "self._folders.pop(user_id, (None, 0))", "self._folders.get(user_id, (None, 0))"),
    ),
    Mutant(
        "failed repair forgotten",
        "lasting error",
        _edit("folder_state", "                self._is_tidy = False\n"),
    ),
    Mutant(
        "repairs built on what is not durable",
        "failed fsync, power loss",
        _edit("folder_state", "                self.settle()\n"),
    ),
    Mutant(
        "promises built on what is not durable",
        "kill, power loss",
        _edit("json_storage", "            folder.settle()\n"),
    ),
    Mutant(
        "user lock let go by a cancelled caller",
        "cancelled",
        _edit("json_storage", "                cancelled = error\n", "                raise\n"),
    ),
    Mutant(
        "no lock for a user",
        "cancelled",
        _edit("json_storage", "        async with lock:\n", "        if lock is not None:\n"),
    ),
    Mutant(
        "process lock not taken",
        "second owner",
        _edit("json_storage", "            lock.acquire(timeout=0)\n", "            pass\n"),
    ),
    Mutant(
        "name in the trash not durable",
        "power loss",
        _edit("durable", "    sync_folder(target.parent)\n"),
    ),
    Mutant(
        "deleted instead of moved to the trash",
        "kill",
        _edit("user_folder", "        move_file(source, target)\n        state.forget", "        source.unlink()\n        state.forget"),
    ),
    Mutant(
        "purge not durable",
        "power loss",
        _edit("user_folder", "            sync_folder(self._trash)\n        return removed", "            pass\n        return removed"),
    ),
    Mutant(
        "kept file not durable",
        "power loss",
        _edit("user_folder", "        sync_folder(self._files)\n"),
    ),
    Mutant(
        "removed stand-in not durable",
        "power loss",
        _edit("folder_state", "        self.file(conversation_id).unlink(missing_ok=True)\n        sync_folder(self.path)\n", "        self.file(conversation_id).unlink(missing_ok=True)\n"),
    ),
    Mutant(
        "restored over a living chat",
        "kill",
        _edit(
            "user_folder",
            "            return False  # a living chat is never overwritten\n",
            "            pass\n",
        ),
    ),
    Mutant(
        "torn index taken for an empty one",
        "damage",
        _edit(
            "folder_state",
            "            self._index_damaged = not read.is_whole\n",
            "            if not read.is_whole:\n                read = ReadIndex(self.index, {})\n",
        ),
    ),
    Mutant(
        "damaged file overwritten",
        "damage",
        _edit("folder_state", "        aside = keep_aside(path)\n", "        aside = None\n"),
    ),
    Mutant(
        "message added twice",
        "error",
        _edit("chat_file", "        if json_lines.contains_item(self.body, line):\n            return False\n"),
    ),
    Mutant(
        "interrupted creation not undone",
        "kill",
        _edit("folder_state", "        finish_interrupted(self, listed, newer)\n"),
    ),
    Mutant(
        "pointer left at a chat that is gone",
        "kill",
        _edit(
            "folder_state",
            "        if self.index.last_active_conversation_id not in self.entries:\n",
            "        if False:\n",
        ),
    ),
)  # fmt: skip
