"""What an answerer gets for a question, gathered from its chat."""

from __future__ import annotations

from dataclasses import replace

from conversations import INSTRUCTIONS_LIMIT, ConversationManager, ConversationMetadata

from .answerers import Answerer
from .context import Context, ContextLimits, Tail, count_seen, make_context
from .finishing import Question


class Gatherer:
    def __init__(
        self,
        manager: ConversationManager,
        answerer: Answerer,
        limits: ContextLimits,
        *,
        waiting: int,
    ) -> None:
        """At most `waiting` questions of a chat wait."""
        self._manager = manager
        self._answerer = answerer
        self._limits = limits
        self._most = 2 * (limits.messages + waiting)

    async def context(self, question: Question) -> Context:
        user_id, conversation_id = question.person.user_id, question.conversation_id
        chat = await self._manager.get_conversation(user_id, conversation_id)
        tail = await self._tail(user_id, conversation_id, chat)
        if not any(message.message_id == question.message_id for message in tail.messages):
            whole = await self._manager.load_conversation(user_id, conversation_id)
            tail = Tail(whole.messages if whole else [])
        context = make_context(
            tail,
            question.message_id,
            self._limits,
            model=self._answerer.name,
            again=question.again,
        )
        told = chat.instructions[:INSTRUCTIONS_LIMIT] if chat is not None else ""
        return replace(context, instructions=told)

    async def count_seen(self, chat: ConversationMetadata) -> int:
        """Tell how many of a chat's last messages the answerer would get now."""
        tail = await self._tail(chat.user_id, chat.conversation_id, chat)
        return count_seen(tail, self._limits) if tail.messages else 0

    async def _tail(
        self, user_id: int, conversation_id: str, chat: ConversationMetadata | None
    ) -> Tail:
        """Read as much of a chat's end as any window or queue can reach back."""
        messages = await self._manager.get_messages(user_id, conversation_id, self._most)
        if chat is None or chat.message_count <= len(messages):
            return Tail(messages)
        tokens = chat.total_tokens - sum(message.tokens for message in messages)
        return Tail(messages, chat.message_count - len(messages), max(0, tokens))
