"""A file kept to be written next, so that a write need not make a new one and remove an old one.

When a chat's file is replaced, the former one stays under a hidden name, and the next write goes
over it: its blocks are there already, which spares the disk half of its work. That is as atomic
as with a new file, for nobody sees what is written over. It has no other name. No power cut can
give it back the one it had: the folder was synced since. And nobody has it open, such as a backup
that is still reading it; this is asked of the system, by a lease that is given back at once.
Where none is to be had, every write makes a new file.

A spare holds no text that its user's chats do not: what is taken out of them is not kept here.
All of it blocks, and one thread at a time may use an instance.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from .durable import (
    Bytes,
    Temporary,
    create_temporary,
    fill_and_name,
    remove_temporary,
    temporary_name,
)

if sys.platform == "linux":
    import fcntl

SPARE = ".spare"  # in the names of these, before the suffix of what is temporary
_OPEN = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)


class SpareFile:
    """The spare of one folder, where there is one."""

    def __init__(self) -> None:
        self._spare: str | None = None
        self._former: str | None = None  # the next one, once it cannot get its old name back

    def replace(self, path: str, data: Sequence[Bytes], *, keeps_former: bool) -> os.stat_result:
        """Do what `replace_file` does; with `keeps_former` the next spare is what was there."""
        former = None
        if keeps_former and self._former is None and sys.platform == "linux":
            former = self._former = temporary_name(path, SPARE)
        return fill_and_name(self._take() or create_temporary(path), path, data, former)

    def settle(self) -> None:
        """Have what was replaced be the next spare: the folder is synced."""
        remove_temporary(self._spare)
        self._spare, self._former = self._former, None

    def remove(self) -> None:
        """Remove what there is, where that can be; a sweep finds the rest."""
        remove_temporary(self._spare, self._former)
        self._spare = self._former = None

    def _take(self) -> Temporary | None:
        name, self._spare = self._spare, None
        taken = _open_alone(name) if name else None
        if taken is None:
            remove_temporary(name)
        return taken


def _open_alone(name: str) -> Temporary | None:
    """Open a file to write over it; None where somebody else might see that."""
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.open(name, _OPEN)
    except OSError:
        return None
    try:
        # Who opens it in between makes a signal of it, which shall be one that nobody minds.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)  # or who opens it has to wait
        status = os.fstat(descriptor)
        if status.st_nlink == 1:
            return Temporary(name, descriptor, status.st_size)
    except OSError:
        pass
    os.close(descriptor)
    return None
