"""A synchronous manager's code moved to this one, line by line: the same names, awaited.

Above each line stands what it was. A folder that a synchronous manager has written is read as it
is, indented or not, and turns into lines at its next write; `title` for `name` is understood.

PYTHONPATH=. python examples/from_synchronous.py
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

# from conversation_manager import ConversationManager
from conversations import ConversationManager, ConversationMessage, JsonStorage


# def handle_question(user_id: int, username: str, text: str) -> str:
async def handle_question(
    manager: ConversationManager, user_id: int, username: str, text: str
) -> str:
    # conversation_id = manager.get_active_conversation_id(user_id)
    conversation_id = await manager.get_active_conversation_id(user_id)
    # if not conversation_id:
    #     conversation_id = manager.create_conversation(user_id, username, text)
    if not conversation_id:
        conversation_id = await manager.create_conversation(user_id, username, text)

    # message = ConversationMessage(timestamp=datetime.now().isoformat(), ...)
    message = ConversationMessage(
        timestamp=datetime.now(UTC).isoformat(),  # aware; a naive one is read as UTC
        message_id=0,
        type="user_question",
        text=text,
        tokens=0,
        sent_as=None,
        file_path=None,
        search_type="fast",
    )
    # manager.add_message(user_id, conversation_id, message)
    await manager.add_message(user_id, conversation_id, message)

    # history = manager.get_messages(user_id, conversation_id, limit=20)
    history = await manager.get_messages(user_id, conversation_id, limit=20)
    return f"{len(history)} messages in this chat"


async def main() -> None:
    # manager = ConversationManager("data/conversations")
    storage = JsonStorage(sys.argv[1] if len(sys.argv) > 1 else "data/conversations")
    manager = ConversationManager(storage)
    try:
        print(await handle_question(manager, 123, "anna", "Как работает индекс чатов?"))
        # conversation = manager.load_conversation(user_id, conversation_id)
        # conversation.metadata.title = "Индекс"
        # manager.save_conversation(conversation)
        for chat in await manager.list_conversations(123):
            conversation = await manager.load_conversation(123, chat.conversation_id)
            if conversation is not None:
                conversation.metadata.name = "Индекс"  # `title` in the older files
                await manager.save_conversation(conversation)

        # print(manager.load_index(user_id))
        print(await manager.load_index(123))
        # manager.delete_conversation(user_id, conversation_id)   # the file was gone
        for chat in await manager.list_conversations(123):
            await manager.delete_conversation(123, chat.conversation_id)  # goes to the trash
            await manager.restore_conversation(123, chat.conversation_id)  # and comes back
    finally:
        await storage.close()  # new: waits for what is being written, and lets the folder go


if __name__ == "__main__":
    asyncio.run(main())
