"""Faults on demand: tests see what a bot does when Telegram refuses, waits or breaks off."""

import asyncio
from dataclasses import dataclass
from typing import Final

from .errors import BotApiError

_REASONS: Final = (
    (400, "the playground was told to refuse this"),
    (401, ""),
    (403, "bot was blocked by the user"),
    (404, "method not found"),
    (500, "restart"),
)


@dataclass(slots=True)
class Fault:
    method: str
    error: int | None
    reason: str
    retry_after: int | None
    delay: float
    drop: bool
    done: bool
    garbage: bool
    times: int

    async def happen(self) -> None:
        """Raises BotApiError for the refusal that was asked for."""
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.error is not None:
            raise BotApiError(self.reason, code=self.error, retry_after=self.retry_after)


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(
        self,
        *,
        method: str,
        error: int | None = None,
        description: str | None = None,
        retry_after: int | None = None,
        delay: float = 0.0,
        drop: bool = False,
        done: bool = False,
        garbage: bool = False,
        times: int = 1,
    ) -> None:
        """The next ``times`` calls of ``method`` go wrong.

        ``error`` refuses with this HTTP status (``description`` comes without "Bad Request: "),
        ``delay`` is in seconds, ``drop`` breaks the connection off, ``garbage`` answers with what
        is no JSON, as proxies do. With ``done`` the call is
        carried out first, so that the bot does not know what has happened.
        """
        if error == 429:
            retry_after = retry_after or 1
        reason = dict(_REASONS).get(error or 0, f"retry after {retry_after}")
        reason = reason if description is None else description
        fault = Fault(
            method.lower(), error, reason, retry_after, delay, drop, done, garbage, times
        )
        self._faults.append(fault)

    def take(self, method: str) -> Fault | None:
        """The fault for this call, if there is one."""
        fault = next((f for f in self._faults if f.method == method.lower()), None)
        if fault is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()
