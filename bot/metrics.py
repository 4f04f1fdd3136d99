"""What can be told of a running bot in numbers, for Prometheus; nothing of any person."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiogram.types import TelegramObject, Update
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from conversations import ConversationStorage, StorageError

from .finishing import Ending

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 21, 34, 55)


class Metrics:
    """Counts, for one process and one bot; an `AnswerObserver`."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._updates = Counter(
            "bot_updates", "Updates that were handled, by kind", ["kind"], registry=registry
        )
        self._answers = Counter(
            "bot_answers", "Answers that have ended, by how", ["ending"], registry=registry
        )
        self._running = Gauge("bot_answers_running", "Answers under way", registry=registry)
        self._first_word = Histogram(
            "bot_first_word_seconds",
            "From asking the model to its first word",
            buckets=_SECONDS,
            registry=registry,
        )
        self._storage_errors = Counter(
            "bot_storage_errors", "Calls of the storage that failed", registry=registry
        )
        for ending in ("complete", "stopped", "interrupted", "failed"):
            self._answers.labels(ending)

    def render(self) -> bytes:
        """Give all numbers as Prometheus reads them."""
        return generate_latest(self._registry)

    def watch(self, name: str, what: str, count: Callable[[], float]) -> None:
        """Have a number asked for whenever all of them are."""
        Gauge(f"bot_{name}", what, registry=self._registry).set_function(count)

    def counting(self, storage: ConversationStorage) -> ConversationStorage:
        """Give the same storage with its failures counted."""
        return cast("ConversationStorage", _CountingStorage(storage, self._storage_errors))

    async def count_update(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Count an update; an inner middleware, for what comes again gets no further than that."""
        if isinstance(event, Update):
            self._updates.labels(event.event_type).inc()
        return await handler(event, data)

    def begun(self) -> None:
        self._running.inc()

    def first_word(self, seconds: float) -> None:
        self._first_word.observe(seconds)

    def ended(self, ending: Ending) -> None:
        self._running.dec()
        self._answers.labels(ending).inc()


class _CountingStorage:
    def __init__(self, storage: ConversationStorage, errors: Counter) -> None:
        self._storage = storage
        self._errors = errors

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._storage, name)

        @functools.wraps(verb)
        async def counted(*args: Any, **options: Any) -> Any:
            try:
                return await verb(*args, **options)
            except StorageError:
                self._errors.inc()
                raise

        return counted
