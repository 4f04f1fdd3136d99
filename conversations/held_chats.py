"""The chats of a user that are in memory: the few used last, whole or only their ends."""

from __future__ import annotations

from collections import OrderedDict

from .chat_file import ChatFile
from .models import ConversationMessage
from .recent import Recent

_HELD = 4  # a user talks in one or two at a time
_HELD_BYTES = 1000  # about what one takes beside its messages


class HeldChats:
    """Tells nothing of whether the files are still the same; the entries do."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, ChatFile | Recent] = OrderedDict()

    @property
    def cached_bytes(self) -> int:
        return sum(_HELD_BYTES + held.cached_bytes for held in self._held.values())

    def chat(self, conversation_id: str) -> ChatFile | None:
        held = self._held.get(conversation_id)
        return held if isinstance(held, ChatFile) else None

    def hold(self, conversation_id: str, held: ChatFile | Recent) -> None:
        """Keep a chat, or its end, as the one used last."""
        self._held[conversation_id] = held
        self._held.move_to_end(conversation_id)
        if len(self._held) > _HELD:
            self._held.popitem(last=False)

    def last(self, conversation_id: str, limit: int) -> list[ConversationMessage] | None:
        """Give the last messages; None where they are not in memory."""
        held = self._held.get(conversation_id)
        return held.last(limit) if held is not None else None

    def forget(self, conversation_id: str) -> None:
        self._held.pop(conversation_id, None)
