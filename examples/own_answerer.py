"""A bot that was there before, with many chats in it and an answerer of its own.

BOT_TOKEN=123456:ABC... PYTHONPATH=. python examples/own_answerer.py
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence

from aiogram import Bot, Dispatcher, Router
from aiogram.filters import Command
from aiogram.types import Message

from bot import Turn, create_router  # from the wheel: from conversations.bot import ...
from conversations import ConversationManager, JsonStorage


async def answer(turns: Sequence[Turn]) -> AsyncIterator[str]:
    """Say something of what was asked; the text is shown while it grows."""
    question = turns[-1].text
    yield f"**{question}**\n\n"
    for number, word in enumerate(question.split(), 1):
        yield f"{number}. {word}\n"


async def price(message: Message) -> None:
    await message.answer("The first month is free.")


async def anything_else(message: Message) -> None:
    await message.answer("Write a text, please.")


def create_dispatcher(storage: JsonStorage) -> Dispatcher:
    manager = ConversationManager(storage, raise_errors=True)
    own = Router()
    own.message.register(price, Command("price"))
    catch_all = Router()
    catch_all.message.register(anything_else)

    dispatcher = Dispatcher()
    dispatcher.include_router(own)
    dispatcher.include_router(create_router(manager, answerer=answer))
    dispatcher.include_router(catch_all)  # behind the plugin, which knows what is not its own
    return dispatcher


async def main() -> None:
    storage = JsonStorage("data/conversations")
    try:
        # Stopping the dispatcher stops the answers that are running, and stores them.
        await create_dispatcher(storage).start_polling(Bot(os.environ["BOT_TOKEN"]))
    finally:
        await storage.close()


if __name__ == "__main__":
    asyncio.run(main())
