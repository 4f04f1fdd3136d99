"""The menus alone: the plugin has the chats, the bot answers by itself and stores what was said.

BOT_TOKEN=123456:ABC... PYTHONPATH=. python examples/menus_only.py
"""

from __future__ import annotations

import asyncio
import os

from aiogram import Bot, Dispatcher, F, Router
from aiogram.types import Message

from bot import create_router  # from the wheel: from conversations.bot import create_router
from conversations import ConversationManager, ConversationMessage, JsonStorage


async def talk(message: Message, manager: ConversationManager) -> None:
    """Answer with what the chat holds already."""
    if message.from_user is None or message.text is None:
        return
    user = message.from_user
    chat_id = await manager.get_active_conversation_id(user.id)
    if chat_id is None:
        name = user.username or user.full_name
        chat_id = await manager.create_conversation(user.id, name, message.text)
    await manager.add_message(
        user.id,
        chat_id,
        ConversationMessage(
            timestamp=message.date.isoformat(),
            message_id=message.message_id,
            type="user_question",
            text=message.text,
        ),
    )
    context = await manager.get_messages(user.id, chat_id, limit=20)
    questions = sum(m.type == "user_question" for m in context)
    sent = await message.answer(f"That was question {questions} in this chat.")
    await manager.add_message(
        user.id,
        chat_id,
        ConversationMessage(
            timestamp=sent.date.isoformat(),
            message_id=sent.message_id,
            type="bot_answer",
            text=sent.text or "",
            sent_as="message",
        ),
    )


def create_dispatcher(storage: JsonStorage) -> Dispatcher:
    manager = ConversationManager(storage, raise_errors=True)
    own = Router()
    own.message.register(talk, F.text)

    dispatcher = Dispatcher(manager=manager)
    dispatcher.include_router(create_router(manager))  # no answerer: text stays yours
    dispatcher.include_router(own)
    return dispatcher


async def main() -> None:
    storage = JsonStorage("data/conversations")
    try:
        await create_dispatcher(storage).start_polling(Bot(os.environ["BOT_TOKEN"]))
    finally:
        await storage.close()


if __name__ == "__main__":
    asyncio.run(main())
