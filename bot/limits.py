"""What one person may use, and how somebody is told who wants more."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from conversations import ConversationManager, ConversationMetadata, StorageError

from .metering import MINUTE, Usage, UsageMeter
from .texts import Texts
from .throttle import Throttle

logger = logging.getLogger(__name__)

_TOLD_AGAIN_AFTER = 5.0  # seconds; a flood of messages is no cause for a flood of refusals


@dataclass(frozen=True, slots=True)
class Limits:
    """What each person may use; 0 is no limit.

    `messages_per_minute` are questions and requests for another answer, in any 60 seconds.
    `tokens_per_day` are those that the model read and wrote, by the day of UTC; an answer that
    has begun is brought to its end. `chats` do not count deleted ones, `stored_bytes` do.
    """

    messages_per_minute: int = 0
    tokens_per_day: int = 0
    chats: int = 0
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not; `wait` is in seconds, None where something has to be deleted first."""

    reason: Literal["rate", "tokens", "chats", "bytes"]
    limit: int
    used: int = 0
    wait: float | None = None

    def text(self, t: Texts) -> str:
        match self.reason:
            case "rate":
                return t("limit-rate", count=self.limit, wait=_in_words(self.wait or 0, t))
            case "tokens":
                return t("limit-tokens", count=self.limit, wait=_in_words(self.wait or 0, t))
            case "chats":
                return t("limit-chats", used=self.used, count=self.limit)
            case "bytes":
                return t("limit-bytes", used=_megabytes(self.used), limit=_megabytes(self.limit))


class Quotas:
    """Says no in time: before anything is stored, and before a model is asked."""

    def __init__(self, manager: ConversationManager, limits: Limits, meter: UsageMeter) -> None:
        self._manager = manager
        self._limits = limits
        self._meter = meter
        self._telling = Throttle(_TOLD_AGAIN_AFTER)

    async def admit(self, user_id: int, key: str) -> Refusal | None:
        """Count what asks the model, or tell why it may not.

        `key` tells the questions of a person apart: one that comes again after a crash has been
        counted. A question that is refused is not.
        """
        usage = await self._usage(user_id)
        if key in usage.asked:
            return None
        refusal = self._rate(usage) or self._tokens(usage) or await self._stored(user_id)
        if refusal is None and self._limits.messages_per_minute:
            refusal = self._rate(await self._usage(user_id))  # others may have come meanwhile
            if refusal is None:
                await self._meter.ask(user_id, key)
        return refusal

    async def admit_chat(self, user_id: int) -> Refusal | None:
        """Tell why a person may not have another chat; an empty one is used again."""
        limit = self._limits.chats
        if not limit:
            return None
        chats = await self._manager.list_conversations(user_id)
        if len(chats) < limit or _has_empty_one(chats):
            return None
        return Refusal("chats", limit, used=len(chats))

    async def chats_left(self, user_id: int) -> int | None:
        """Tell how many chats more a person may have; None where there is no limit."""
        limit = self._limits.chats
        if not limit:
            return None
        return max(0, limit - len(await self._manager.list_conversations(user_id)))

    async def admit_copy(self, user_id: int) -> Refusal | None:
        """Tell why a person may not have another chat that is not empty: a copy, an import."""
        limit = self._limits.chats
        if limit:
            count = len(await self._manager.list_conversations(user_id))
            if count >= limit:
                return Refusal("chats", limit, used=count)
        return await self._stored(user_id)

    async def spent(self, user_id: int) -> Refusal | None:
        """Tell whether a person's tokens of the day are used up; not if nobody can tell."""
        try:
            return self._tokens(await self._usage(user_id))
        except StorageError as error:
            logger.warning("what was used cannot be read: %s", error)
            return None

    async def spend(self, user_id: int, tokens: int) -> None:
        """Count tokens; a failure is logged, for the answer that took them is there."""
        if self._limits.tokens_per_day and tokens:
            try:
                await self._meter.spend(user_id, tokens)
            except StorageError as error:
                logger.warning("what was used cannot be written down: %s", error)

    def is_to_be_told(self, user_id: int) -> bool:
        """Tell whether a refusal is worth a message now."""
        return self._telling.allows(user_id)

    async def _usage(self, user_id: int) -> Usage:
        """Ask the meter, where it has counted anything."""
        if self._limits.messages_per_minute or self._limits.tokens_per_day:
            return await self._meter.usage(user_id)
        return Usage({}, 0, 0)

    def _rate(self, usage: Usage) -> Refusal | None:
        limit = self._limits.messages_per_minute
        if not limit or len(usage.asked) < limit:
            return None
        ages = sorted(usage.asked.values())
        return Refusal("rate", limit, wait=MINUTE - ages[limit - 1])

    def _tokens(self, usage: Usage) -> Refusal | None:
        limit = self._limits.tokens_per_day
        if not limit or usage.spent < limit:
            return None
        return Refusal("tokens", limit, wait=usage.day_left)

    async def _stored(self, user_id: int) -> Refusal | None:
        limit = self._limits.stored_bytes
        if not limit:
            return None
        size = (await self._manager.measure_user(user_id)).size
        return Refusal("bytes", limit, used=size) if size >= limit else None


def _has_empty_one(chats: Sequence[ConversationMetadata]) -> bool:
    """Tell whether the active chat is one that `start_conversation` gives once more."""
    return any(
        chat.is_active
        and chat.name_source == "default"
        and not (chat.message_count or chat.pinned or chat.instructions)
        for chat in chats
    )


def _in_words(seconds: float, t: Texts) -> str:
    whole = max(1, math.ceil(seconds))
    if whole < 90:
        return t("wait-seconds", count=whole)
    if whole < 90 * 60:
        return t("wait-minutes", count=-(-whole // 60))
    return t("wait-hours", count=-(-whole // 3600))


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f}"
