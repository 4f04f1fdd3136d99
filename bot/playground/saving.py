"""The playground's memory on disk: one JSON file, replaced as a whole."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from .disk import create_file, make_folder

logger = logging.getLogger(__name__)

_DEBOUNCE_SECONDS: Final = 0.1


class StateFile:
    """Saves soon after a change, at once when somebody waits for it, and at the end.

    The new file is complete before it takes the old one's name, so a killed process leaves one or
    the other. What nobody waited for may be missing: at most the last tenth of a second.
    """

    def __init__(self, path: Path, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._path = path
        self._snapshot = snapshot
        self._dirty = False
        self._is_saving = False
        self._wanted = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closing = False
        self._waiting: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None

    def changed(self) -> None:
        self._dirty = True
        self._wanted.set()

    async def load(self, restore: Callable[[dict[str, Any]], None]) -> None:
        """Hands the state to ``restore``; a file that it does not take is put aside."""
        try:
            content = await asyncio.to_thread(self._path.read_bytes)
        except FileNotFoundError:
            return
        try:
            restore(json.loads(content))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            aside = await asyncio.to_thread(self._put_aside)
            logger.warning("%s is broken (%r), it is kept as %s", self._path, error, aside.name)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="playground state")

    async def saved(self) -> None:
        """Return when all that has changed until now is in the file, or could not be saved."""
        if self._task is not None and (self._dirty or self._is_saving):
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            self._wanted.set()
            self._urgent.set()
            await waiter

    async def close(self) -> None:
        self._closing = True
        self._wanted.set()
        self._urgent.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _run(self) -> None:
        while not self._closing:
            await self._wanted.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DEBOUNCE_SECONDS):
                    await self._urgent.wait()
            self._wanted.clear()
            self._urgent.clear()
            waiting, self._waiting = self._waiting, []
            if self._dirty:
                await self._save()
            _wake(waiting)
        _wake(self._waiting)

    async def _save(self) -> None:
        self._dirty, self._is_saving = False, True
        text = json.dumps(self._snapshot(), ensure_ascii=False)
        try:
            await asyncio.to_thread(self._replace, text)
        except OSError:
            self._dirty = True
            logger.exception("the playground's dialogs could not be saved to %s", self._path)
        finally:
            self._is_saving = False

    def _replace(self, text: str) -> None:
        make_folder(self._path.parent)
        temporary = self._path.with_name(f"{self._path.name}.tmp")
        create_file(temporary)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self._path)

    def _put_aside(self) -> Path:
        number = 1
        while (aside := self._path.with_name(f"{self._path.name}.broken-{number}")).exists():
            number += 1
        return self._path.replace(aside)


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for waiter in waiting:
        if not waiter.done():
            waiter.set_result(None)
