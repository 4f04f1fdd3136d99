"""How long a search takes; `python -m tests.benchmarks.search` prints figures.

One person's chats in JSON files, all in the system's page cache: questions of a few words and
answers of a few paragraphs, half of the chats in Russian and half in English, with the dashes,
numero signs, emoji and code that answers of models have. The program reads them as it does after
a start: the first search also finds out what is odd in which file.
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from conversations import (
    Conversation,
    ConversationManager,
    ConversationMessage,
    ConversationMetadata,
    JsonStorage,
)

USER = 1001
_TIMES = 15
_RUSSIAN = """
    отель город вокзал билет поезд самолёт путешествие клиент интервью анализ договор проект бюджет
    встреча команда задача решение вопрос ответ модель данные запрос сервер ошибка память процесс
    система пример график отчёт компания продукт рынок цена качество время место человек работа
    жизнь история наука книга фильм музыка здоровье спорт еда вода дом семья школа
    и в не на что как это по из за
"""
_ENGLISH = """
    hotel city train ticket plane client interview analysis contract project budget meeting team
    task solution question answer model data request server error memory process system example
    chart report company product market price quality time place person work life history science
    book film music health sport food water home family friend school the of and to in is that
"""
_ENDINGS = ("", "", "", "s", "ing", "а", "ы", "ами", "ого")
_MARKS = (",", ".", "!", "?", ":", " —", "…", "\n\n", "\n- ", " `x = 1`", " **вот**", " 😀")
_RARE_MARKS = (" № 5", " м²", " → ½", " straße")


def text(dice: random.Random, words: list[str], length: int) -> str:
    parts, count = [], 0
    while count < length:
        word = dice.choice(words) + dice.choice(_ENDINGS)
        if dice.random() < 0.12:
            word = word.capitalize()
        if dice.random() < 0.15:
            word += dice.choice(_MARKS)
        if dice.random() < 0.0005:
            word += dice.choice(_RARE_MARKS)
        parts.append(word)
        count += len(word) + 1
    return " ".join(parts)


def chat(dice: random.Random, number: int, messages: int) -> Conversation:
    words = (_RUSSIAN if number % 2 else _ENGLISH).split()
    begun = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    times = [(begun + timedelta(minutes=m)).isoformat() for m in range(messages)]
    metadata = ConversationMetadata(
        f"chat-{number}", USER, "anna", text(dice, words, 20), times[0], times[-1]
    )
    return Conversation(metadata, list(_messages(dice, words, number * messages + 1, times)))


def _messages(
    dice: random.Random, words: list[str], first: int, times: list[str]
) -> Iterator[ConversationMessage]:
    for place, moment in enumerate(times):
        number = first + place
        if place % 2 == 0:
            length = dice.randint(15, 150)
            said = text(dice, words, length)
            yield ConversationMessage(moment, number, "user_question", said, 40, "message")
        else:
            said = text(dice, words, dice.randint(150, 1200))
            yield ConversationMessage(
                moment, number, "bot_answer", said, 300, "message", reply_to=number - 1
            )


async def prepare(folder: Path, chats: int, messages: int) -> None:
    """Fill the folder; one question and one answer have a word that nothing else has."""
    dice = random.Random(7)
    storage = JsonStorage(folder)
    for start in range(0, chats, 50):
        made = [chat(dice, n, messages) for n in range(start, min(start + 50, chats))]
        if start == 0:
            made[3].messages[2].text += " Бронтозавр"
            made[3].messages[3].text += " о бронтозаврах"
        await storage.add(USER, made)
    await storage.close()


Taken = list[tuple[float, float]]


async def measure(call: Callable[[], Awaitable[object]], times: int = _TIMES) -> Taken:
    """Tell how many milliseconds each call takes, by the clock and of the processor.

    On a machine that has nothing else to do they are the same.
    """
    taken = []
    for _ in range(times):
        begun, used = time.perf_counter(), time.process_time()
        await call()
        taken.append((1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - used)))
    return taken


QUERIES = (
    ("in two messages of one chat", "бронтозавр"),
    ("nowhere", "небывальщина"),
    ("nowhere, in Latin", "postgresql"),
    ("nowhere, two common words", "отель brontosaurus"),
    ("everywhere", "отель"),
    ("within words alone", "тель"),
    ("one letter", "и"),
    ("a key of the files", "tokens"),
    ("of another script", "σύστημα"),
)


async def read_all(folder: Path) -> None:
    """Read all files, and do nothing with them."""
    for path in folder.glob("*/*.json"):
        path.read_bytes()


async def run(folder: Path) -> None:
    _print("a plain read of all files", await measure(lambda: read_all(folder)), "")
    storage = JsonStorage(folder)
    manager = ConversationManager(storage, raise_errors=True)
    await manager.list_conversations(USER)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = await measure(lambda: manager.search_messages(USER, "бронтозавр"), 1)
    _print("the first search after a start", first, "")
    for name, words in QUERIES:
        hits = await manager.search_messages(USER, words)
        taken = await measure(lambda words=words: manager.search_messages(USER, words))  # type: ignore[misc]
        _print(name, taken, f"{len(hits)} hits for {words!r}")
    for name, message_id in (("a late message's chat", 199_990), ("an early message's", 31)):
        taken = await measure(lambda sought=message_id: manager.find_message(USER, sought))  # type: ignore[misc]
        _print(f"finding {name}", taken, "")
    taken = await measure(lambda: manager.find_message(USER, 900_000))
    _print("finding no message", taken, "")
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    sys.stdout.write(f"memory: +{memory:.0f} MiB at most\n")
    await storage.close()


def _print(name: str, taken: Taken, remark: str) -> None:
    clock, processor = (sorted(each) for each in zip(*taken, strict=True))
    middle = len(taken) // 2
    sys.stdout.write(
        f"{name:30} median {clock[middle]:6.1f} ms, longest {clock[-1]:6.1f} ms,"
        f" processor {processor[middle]:6.1f} ms  {remark}\n"
    )


def main() -> None:
    chats, messages = 1000, 200
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "chats"
        asyncio.run(prepare(folder, chats, messages))
        size = sum(path.stat().st_size for path in folder.rglob("*.json")) / 1e6
        sys.stdout.write(f"{chats} chats of {messages} messages, {size:.0f} MB\n")
        asyncio.run(run(folder))


if __name__ == "__main__":
    main()
