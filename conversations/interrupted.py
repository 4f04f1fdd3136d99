"""What a crash may leave half done, and how it is done or undone at the next look.

The chat file goes first and the index last. So between the two stands a chat of our own form that
says it is active, that the index does not know, and whose file is not older than the index.
"""

from __future__ import annotations

from collections.abc import Container

from .folder_state import FolderState
from .index_file import Entry
from .models import ConversationMetadata, newest_first


def finish_interrupted(
    state: FolderState, listed: dict[str, Entry], newer: Container[str]
) -> None:
    """Deal with such chats; `listed` is what a whole index knows, `newer` was written since.

    What was just created, and is empty, goes again: nobody has been told its id. But where no
    listed chat is left, the last one was just deleted, and this is its successor. Any other one
    was restored, or if nothing came to it since, copied from another.
    """
    unlisted = [
        entry for chat, entry in state.entries.items() if chat not in listed and chat in newer
    ]
    if not listed or not listed.keys().isdisjoint(state.entries):
        for entry in sorted(unlisted, key=lambda e: newest_first(e.metadata), reverse=True):
            conversation_id = entry.metadata.conversation_id
            if entry.is_just_created:
                state.remove_later(conversation_id)
            elif entry.identity is None and entry.metadata.is_active:
                if _is_new_copy(entry.metadata):
                    state.index.last_active_conversation_id = conversation_id
                else:
                    activate_restored(state, conversation_id)
    if unlisted or listed.keys() - state.entries.keys():
        state.write_index_later()  # else the next look may take it for something else


def _is_new_copy(metadata: ConversationMetadata) -> bool:
    return metadata.forked_from is not None and metadata.updated_at == metadata.created_at


def activate_restored(state: FolderState, conversation_id: str) -> None:
    """Make it the active chat; an untouched one only stood in for it, and goes for good."""
    stand_in = state.index.last_active_conversation_id or ""
    entry = state.entries.get(stand_in)
    if entry is not None and entry.is_untouched:
        state.remove_later(stand_in)
    state.index.last_active_conversation_id = conversation_id
