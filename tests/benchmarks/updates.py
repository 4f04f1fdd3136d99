"""An update's whole way: dispatcher, middlewares, handlers, store; only the wire is faked.

`python -m tests.benchmarks.updates [--folder FOLDER] [--profile] [RESULTS.json]`
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import itertools
import json
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage, TelegramMethod
from aiogram.types import User

from bot import Turn, create_router
from conversations import ConversationManager, JsonStorage
from tests.benchmarks.storage_speed import machine
from tests.benchmarks.stores import OursStrict
from tests.telegram import BOT_ID, BOT_USER, Client, FakeTelegram

LISTED = 1_000  # chats of the one who opens the list
USERS = 50
SECONDS = 3.0
KEPT = 200  # messages that the wire remembers


class Wire(FakeTelegram):
    """Counts the time that is spent in it, which is not the bot's; keeps few messages."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.sent: dict[int, asyncio.Event] = {}  # by the chat: whether it got a message

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[Any],
        timeout: int | None = None,  # noqa: ASYNC109
    ) -> Any:
        begun = time.perf_counter()
        try:
            return await super().make_request(bot, method, timeout)
        finally:
            self.calls.clear()
            for message in list(self.messages)[:-KEPT]:
                del self.messages[message]
            if isinstance(method, SendMessage) and int(method.chat_id) in self.sent:
                self.sent[int(method.chat_id)].set()
            self.seconds += time.perf_counter() - begun

    async def send_and_wait(self, client: Client, text: str) -> None:
        """Write, and wait for the next message of the bot."""
        got = self.sent[client.chat_id] = asyncio.Event()
        await client.send(text)
        await got.wait()


async def answer(turns: Sequence[Turn]) -> str:
    return f"You said {turns[-1].text}"


@asynccontextmanager
async def running(folder: Path, *, journal: bool) -> AsyncIterator[tuple[Dispatcher, Bot, Wire]]:
    """Run the bot on a folder, with an answerer that costs nothing."""
    storage = JsonStorage(folder, journal=journal)
    manager = ConversationManager(storage, raise_errors=True)
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, answerer=answer, exclusive=True))
    wire = Wire()
    bot = Bot(f"{BOT_ID}:TOKEN", session=wire)
    bot._me = User.model_validate(BOT_USER)
    await dispatcher.emit_startup(bot=bot)
    gc.collect()
    gc.freeze()  # as the program does
    try:
        yield dispatcher, bot, wire
    finally:
        gc.unfreeze()
        await dispatcher.emit_shutdown(bot=bot)
        await storage.close()


async def open_chats(folder: Path, times: int) -> float:
    """Give the median of our own milliseconds in an update that opens a long list."""
    await OursStrict(folder).fill(1, LISTED, 10)
    ours = []
    async with running(folder, journal=False) as (dispatcher, bot, wire):
        client = Client(dispatcher, bot, wire, user_id=1)
        for _ in range(times):
            elsewhere, begun = wire.seconds, time.perf_counter()
            await client.send("/chats")
            ours.append(time.perf_counter() - begun - (wire.seconds - elsewhere))
    return statistics.median(ours) * 1000


async def updates(folder: Path, seconds: float, *, journal: bool) -> dict[str, Any]:
    """Count the updates a second of many people: who look at their chats, and who ask."""
    store = OursStrict(folder)
    for user_id in range(1, USERS + 1):
        await store.fill(user_id, 10, 20)
    async with running(folder, journal=journal) as (dispatcher, bot, wire):
        # Of Telegram all get different updates; what has the same id is compared whole by aiogram.
        ids = itertools.count(1)
        clients = [
            Client(dispatcher, bot, wire, user_id=u, _updates=ids) for u in range(1, USERS + 1)
        ]
        return {
            "looks": await _rate(clients, wire, "/chats", seconds),
            "questions": await _rate(clients, wire, "Where is the hotel?", seconds),
        }


async def _rate(
    clients: Sequence[Client], wire: Wire, text: str, seconds: float
) -> dict[str, float]:
    """Give the updates a second, and how many there would be if the processor were ours alone."""
    ends, done = time.perf_counter() + seconds, 0

    async def work(client: Client) -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await wire.send_and_wait(client, text)
            done += 1

    begun, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work(client) for client in clients))
    return {
        "in all": done / (time.perf_counter() - begun),
        "by a second of processor time": done / (time.process_time() - spent),
    }


async def measure(base: Path | None, times: int, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name)
        return {
            "machine": machine(folder),
            "ms of an update that opens 1 000 chats": await open_chats(folder / "one", times),
            "updates a second": await updates(folder / "files", seconds, journal=False),
            "updates a second, with a journal": await updates(
                folder / "journal", seconds, journal=True
            ),
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("results", nargs="?", type=Path)
    asked = parser.parse_args()
    profile = cProfile.Profile()
    if asked.profile:
        profile.enable()
    text = json.dumps(asyncio.run(measure(asked.folder, 50, SECONDS)), indent=1)
    profile.disable()
    if asked.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    if asked.results:
        asked.results.write_text(text)
    else:
        sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
