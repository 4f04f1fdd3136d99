"""The questions of one chat: which is answered now, which wait, and how they are given up."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from .finishing import Ending, Question


@dataclass(slots=True)
class Lane:
    """One chat's questions, answered one after another by one task."""

    waiting: deque[Question] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    question: Question | None = None
    reading: asyncio.Task[None] | None = None
    ending: Ending = "complete"
    begun: int = 0  # higher than that of the lanes whose answers began before
    hurry: asyncio.Event = field(default_factory=asyncio.Event)  # wait for Telegram no more
    in_line: bool = False  # for one of the answers that may run at once
    is_dropped: bool = False  # what comes is neither stored nor sent

    def stop(self, ending: Ending) -> None:
        self.ending = ending
        if self.reading is not None:
            self.reading.cancel()

    def drop(self) -> list[Question]:
        """Have its task end soon; give the questions that it does not come to any more."""
        left = list(self.waiting)
        self.waiting.clear()
        self.is_dropped = True
        self.hurry.set()
        self.stop("stopped")
        if self.in_line and self.task is not None and self.question is not None:
            self.task.cancel()  # others may keep it waiting for long
            left.append(self.question)
        return left
