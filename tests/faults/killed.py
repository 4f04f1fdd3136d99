"""What stands on the disk when a process is killed: a copy of a folder, taken in the middle."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest import mock

_CHANGES = (
    "open", "write", "pwrite", "fsync", "fdatasync", "replace", "rename", "link", "unlink",
    "mkdir", "ftruncate",
)  # fmt: skip


class KilledAt:
    """Copies `source` to `target` before the n-th call that may change a file.

    The process goes on all the same; whoever looks at the copy sees what a kill -9 there leaves.
    A storage that keeps nothing in `source` cannot be copied: then `target` is `source`.
    """

    def __init__(self, change: int, source: Path, target: Path) -> None:
        self._left = change
        self._source = source
        self._patches = ExitStack()
        self.target = target
        self.in_time = False  # there was such a call

    def __enter__(self) -> Self:
        for name in _CHANGES:
            counted = self._counted(getattr(os, name))
            self._patches.enter_context(mock.patch.object(os, name, counted))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._patches.close()
        if not self.in_time:
            self._copy()

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                self.in_time = True
                self._copy()
            return call(*arguments, **options)

        return counted

    def _copy(self) -> None:
        if any(self._source.glob("user_*")):
            shutil.copytree(self._source, self.target)
        else:
            self.target = self._source
