"""`python -m bot` as a person starts it: a process of its own, stopped by signals."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent


class Program:
    """The bot in a folder; as a context it comes up in the playground and is ended by SIGTERM."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self._settings = {"PLAYGROUND_PORT": "0", **settings}
        self._process: Process | None = None
        self.url = ""
        self.log = ""

    async def start(self) -> None:
        """Start it, and wait until it tells the address of its page."""
        process = await self._spawn()
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        if "http://" not in line:
            raise AssertionError(line + await self._ended(process))
        self.url = line.split()[-1]

    async def launch(self) -> None:
        """Start it with a Telegram that is elsewhere; when it polls, that one knows."""
        await self._spawn()

    async def fail(self, *arguments: str) -> tuple[int, str]:
        """Run it to its end; give the exit code and what it wrote to stderr."""
        process = await self._spawn(*arguments)
        return await self._code(process), self.log

    async def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        process = self._process
        assert process is not None
        process.send_signal(signum)
        return await self._code(process)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            code = await self.stop()
            assert code == 0, self.log

    async def _spawn(self, *arguments: str) -> Process:
        ours = {"BOT_TOKEN": "", "DATABASE_URL": ""}
        ours |= {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *arguments, cwd=self._folder, stdout=PIPE, stderr=PIPE,
            env={**os.environ, **ours, **self._settings},
        )  # fmt: skip
        return self._process

    async def _code(self, process: Process) -> int:
        self.log += await self._ended(process)
        assert process.returncode is not None
        return process.returncode

    async def _ended(self, process: Process) -> str:
        async with asyncio.timeout(PATIENCE):
            _, errors = await process.communicate()
        return errors.decode()
