"""What one person may use: refused in time, told when it is possible again, never forgotten."""

from __future__ import annotations

import asyncio
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import GetFile, SendMessage

from bot import Limits, Meter, Turn, create_router, metering
from bot.answerers import AnswerError, AnswerStream, Mode, TextStream, Usage
from bot.limits import Refusal
from bot.texts import Languages
from conversations import ConversationManager
from tests.chats import fill, question
from tests.polled import polled
from tests.telegram import Client, FakeTelegram, QueueingTelegram

NOON = 1_795_348_800.0  # 2026-11-22 12:00 UTC
ASKED_TOO_MUCH = (
    "⏳ You may ask 2 questions a minute. Please try again in {} seconds.\n"
    "This message is not saved."
)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Model:
    """Counts what it is asked; what an answer costs is as the provider says, if it does."""

    name = "model"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.usage: Usage | None = None
        self.error: AnswerError | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()

    @asynccontextmanager
    async def answer(self, turns: Sequence[Turn], *, mode: Mode) -> AsyncIterator[AnswerStream]:
        self.asked.append(turns[-1].text)
        yield _Counted(self._words(turns[-1].text), self)

    async def _words(self, text: str) -> AsyncIterator[str]:
        if self.error is not None:
            raise self.error
        await self.go_on.wait()
        yield f"answer to {text}"


class _Counted(TextStream):
    def __init__(self, deltas: AsyncIterator[str], model: Model) -> None:
        super().__init__(deltas)
        self._usage = model.usage

    @property
    def result(self) -> Any:
        result = super().result
        return type(result)(result.state, result.text, self._usage, "model")


MakeLimited = Callable[..., Client]


@pytest.fixture
async def model() -> Model:
    return Model()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def limited(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram, model: Model, clock: Clock
) -> AsyncIterator[MakeLimited]:
    """Make a bot with limits, and a person who uses it."""
    dispatchers = []

    def make(meter: Meter | None = None, **limits: int) -> Client:
        dispatcher = Dispatcher(disable_fsm=True)
        dispatcher.include_router(
            create_router(
                manager,
                answerer=model,
                limits=Limits(**limits),
                meter=meter or Meter(clock=clock),
                exclusive=True,
            )
        )
        dispatchers.append(dispatcher)
        return Client(dispatcher, bot, telegram)

    yield make
    for dispatcher in dispatchers:
        await dispatcher.emit_shutdown(bot=bot)


async def stored(manager: ConversationManager, user_id: int = 1001) -> list[str]:
    chats = await manager.list_conversations(user_id)
    messages = [await manager.get_messages(user_id, chat.conversation_id) for chat in chats]
    return [m.text for found in messages for m in found if m.type == "user_question"]


async def test_so_many_questions_a_minute(
    limited: MakeLimited, manager: ConversationManager, model: Model, clock: Clock
) -> None:
    person = limited(messages_per_minute=2)
    await person.ask("one")
    clock.now += 20
    await person.ask("two")
    clock.now += 15.5
    await person.send("three")
    assert person.text == ASKED_TOO_MUCH.format(25)
    assert await stored(manager) == ["one", "two"]
    other = Client(person.dispatcher, person.bot, person.telegram, 1002)
    assert await other.ask("hello") == "answer to hello", "nobody else is hindered"
    clock.now += 24.6
    assert await person.ask("four") == "answer to four"
    assert model.asked == ["one", "two", "hello", "four"]


async def test_a_flood_is_told_of_once_and_writes_nothing(
    limited: MakeLimited, model: Model, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "usage.jsonl"
    meter = Meter(path, clock=clock)
    await meter.open()
    person = limited(meter, messages_per_minute=2)
    await person.ask("one")
    await person.ask("two")
    before, sent = path.read_bytes(), len(person.telegram.of(SendMessage))
    await asyncio.gather(*(person.send(f"flood {number}") for number in range(500)))
    assert path.read_bytes() == before
    assert len(person.telegram.of(SendMessage)) == sent + 1
    await person.send("/chats")
    assert person.text.startswith("💬 1 chat"), "menus are no questions"
    assert model.asked == ["one", "two"]
    await meter.close()


async def test_a_question_in_a_new_chat_is_refused_before_the_chat_is_made(
    limited: MakeLimited, manager: ConversationManager
) -> None:
    person = limited(messages_per_minute=1)
    await person.ask("/new one")
    await person.send("/new two")
    assert "This message is not saved." in person.text
    [chat] = await manager.list_conversations(1001)
    assert chat.name == "one"


async def test_another_answer_counts_as_well(
    limited: MakeLimited, model: Model, clock: Clock
) -> None:
    person = limited(messages_per_minute=2)
    await person.ask("one")
    await person.ask("/again")
    await person.send("/again")
    assert person.text == "⏳ You may ask 2 questions a minute. Please try again in 60 seconds."
    await person.send("/chats")
    await person.press("one")
    await person.press("🔄 Answer anew")
    assert person.toasts[-1] == person.telegram.texts_in(1001)[-2]
    assert len(model.asked) == 2


@pytest.mark.parametrize("killed", [True, False])
async def test_a_restart_gives_no_new_allowance(
    limited: MakeLimited, clock: Clock, tmp_path: Path, killed: bool, model: Model
) -> None:
    path = tmp_path / "usage.jsonl"
    meter = Meter(path, clock=clock)
    await meter.open()
    model.usage = Usage(input=900, output=200)
    person = limited(meter, messages_per_minute=2, tokens_per_day=2000)
    await person.ask("one")
    await person.ask("two")
    if not killed:
        await meter.close()
    again = Meter(path, clock=clock)
    await again.open()
    person.dispatcher = limited(again, messages_per_minute=2).dispatcher
    await person.send("three")
    assert "2 questions a minute" in person.text
    clock.now += 60
    person.dispatcher = limited(again, tokens_per_day=2000).dispatcher
    await person.send("four")
    assert "Your 2,000 tokens of today are used up." in person.text
    await again.close()
    await meter.close()


async def test_tokens_of_a_day(
    limited: MakeLimited, manager: ConversationManager, model: Model, clock: Clock
) -> None:
    person = limited(tokens_per_day=1000)
    model.usage = Usage(input=600, output=100)
    await person.ask("one")
    await person.ask("two, which may begin")
    clock.now += 3 * 3600
    await person.send("three")
    assert person.text == (
        "⏳ Your 1,000 tokens of today are used up. Please try again in 9 hours.\n"
        "This message is not saved."
    )
    await person.send("/again")
    assert person.text.startswith("⏳ Your 1,000 tokens")
    clock.now += 9 * 3600
    await person.ask("four")
    assert model.asked == ["one", "two, which may begin", "four"]
    assert "three" not in await stored(manager)


@pytest.mark.parametrize(
    ("usage", "error", "spent"),
    [
        (Usage(input=30, output=12), None, 42),
        (Usage(output=12), None, 12),
        (None, None, 2 + 5),  # a guess: of the question and of the answer
        (None, AnswerError("overload"), 0),
        (Usage(input=7), AnswerError("overload"), 7),
    ],
)
async def test_what_an_answer_takes(
    limited: MakeLimited, model: Model, clock: Clock, usage: Usage | None,
    error: AnswerError | None, spent: int,
) -> None:  # fmt: skip
    model.usage, model.error = usage, error
    meter = Meter(clock=clock)
    person = limited(meter, tokens_per_day=10_000)
    await person.ask("Hello!")
    assert meter.spent(1001) == spent


async def test_what_waited_while_the_tokens_ran_out_is_kept_and_not_asked(
    limited: MakeLimited, manager: ConversationManager, model: Model
) -> None:
    person = limited(tokens_per_day=1000)
    model.usage = Usage(input=2000)
    model.go_on.clear()
    await person.send("one")
    await person.send("two")
    model.go_on.set()
    await person.telegram.wait_for(lambda: "used up" in person.text)
    assert person.text.endswith("Your question is saved.")
    assert person.labels == ["🔄 Try again"]
    assert model.asked == ["one"]
    assert await stored(manager) == ["one", "two"]


async def test_so_many_chats(limited: MakeLimited, manager: ConversationManager) -> None:
    person = limited(chats=2)
    await person.ask("one")
    await person.send("/new")
    await person.send("/new")
    assert person.text.startswith("✨"), "an empty one is used again"
    await person.ask("two")
    full = "Chats: 2 of 2. Delete one to start another: /chats"
    await person.send("/new")
    assert person.text == full
    await person.send("/new three")
    assert person.text == f"{full}\nThis message is not saved."
    await person.send("/chats")
    await person.press("➕ New chat")
    assert person.toasts[-1] == full
    await person.ask("in the one that is open")
    await person.send("/delete")
    await person.press("Delete")
    await person.send("/new")
    assert person.text.startswith("✨")
    await person.ask("three")
    await person.send("/trash")
    await person.press("two")
    assert len(await manager.list_conversations(1001)) == 3, "what is deleted can always come back"


async def test_a_chat_with_instructions_is_no_empty_one(
    limited: MakeLimited, manager: ConversationManager
) -> None:
    person = limited(chats=1)
    await person.send("/new")
    active = await manager.get_active_conversation_id(1001)
    assert active is not None
    await manager.set_instructions(1001, active, "Be brief.")
    await person.send("/new")
    assert person.text.startswith("Chats: 1 of 1.")


async def test_so_many_bytes(
    limited: MakeLimited, manager: ConversationManager, model: Model
) -> None:
    person = limited(stored_bytes=500_000)
    [chat] = await fill(manager, 1001, 1)
    await manager.add_message(1001, chat, question(1, "x" * 510_000))
    await person.send("one more")
    assert person.text == (
        "Your chats take 0.5 MB, and 0.5 MB are allowed. You can go on as soon as you have"
        " deleted some for good: /chats and then /trash\nThis message is not saved."
    )
    await manager.delete_conversation(1001, chat)
    await person.send("/new one more")
    assert len(await manager.list_conversations(1001)) == 1
    await manager.empty_trash(1001)
    assert await person.ask("one more") == "answer to one more"


async def test_without_limits_nothing_is_counted(
    limited: MakeLimited, tmp_path: Path, clock: Clock
) -> None:
    meter = Meter(tmp_path / "usage.jsonl", clock=clock)
    await meter.open()
    person = limited(meter)
    for number in range(5):
        await person.ask(f"question {number}")
    await meter.close()
    assert list(tmp_path.glob("usage*")) == []


async def test_forgetting_gives_no_new_allowance_and_leaves_numbers_alone(
    limited: MakeLimited, tmp_path: Path, clock: Clock, model: Model
) -> None:
    path = tmp_path / "usage.jsonl"
    meter = Meter(path, clock=clock)
    await meter.open()
    model.usage = Usage(input=5000)
    person = limited(meter, messages_per_minute=9, tokens_per_day=5000)
    await person.ask("kanarienvogel")
    await person.send("/forget")
    await person.press("Erase everything…")
    await person.press("Yes, erase everything")
    await person.send("And now?")
    assert "used up" in person.text
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert records == [
        {"asked": [1001, NOON, "1001:1"]}, {"spent": [1001, "2026-11-22", 5000]},
    ]  # fmt: skip
    await meter.close()


async def test_what_was_counted_before_a_kill_is_not_refused_after_it(
    folder: Path, model: Model, clock: Clock
) -> None:
    """Counted, and killed before it was stored."""
    someone = Client(None, None, None)  # type: ignore[arg-type]
    message = someone.message("one")
    path = folder / "usage.jsonl"
    meter = Meter(path, clock=clock)
    await meter.open()
    await meter.ask(1001, f"1001:{message['message_id']}")
    again = Meter(path, clock=clock)
    await again.open()
    telegram = QueueingTelegram([someone.update(message=message)])
    options: dict[str, Any] = {"limits": Limits(messages_per_minute=1), "meter": again}
    async with polled(folder, telegram, model, **options) as bot:
        await bot.settled()
        assert model.asked == ["one"]
        await telegram.push(someone.update(message=someone.message("two")))
        await bot.settled()
        assert model.asked == ["one"]
    await again.close()
    await meter.close()


# The meter


@pytest.fixture
async def open_meter(tmp_path: Path, clock: Clock) -> AsyncIterator[Callable[[], Any]]:
    meters: list[Meter] = []

    async def make() -> Meter:
        meters.append(Meter(tmp_path / "usage.jsonl", clock=clock))
        await meters[-1].open()
        return meters[-1]

    yield make
    for meter in meters:
        await meter.close()


async def test_a_file_that_is_torn_or_strange_counts_as_far_as_it_can_be_read(
    open_meter: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "usage.jsonl").write_bytes(
        b'{"spent": [1, "2026-11-22", 5]}\n{"spent": [1, "2026-11-22", 7]}\n'
        b'{"spent": [1, "2026-11-21", 900]}\n{"spent": [2]}\nnonsense\n[]\n{"asked": "x"}\n'
        b'{"asked": [1, "soon", "k"]}\n{"spent": [1, "2026-11-22", 1e999]}\n'
        b'{"spent": [2, "2026-11-22", 3]}\n{"spent": [1, "20'
    )
    meter = await open_meter()
    assert (meter.spent(1), meter.spent(2), meter.spent(3)) == (7, 3, 0)
    assert "7 lines of usage.jsonl cannot be read" in caplog.text


async def test_it_stays_small_on_the_disk_and_in_memory(
    open_meter: Any, tmp_path: Path, clock: Clock
) -> None:
    meter = await open_meter()
    for number in range(3000):
        clock.now += 1
        await meter.ask(number, f"{number}:{'x' * 100}")
    await meter.spend(1, 5)
    assert len(meter._asked) <= 121
    assert (tmp_path / "usage.jsonl").stat().st_size < 300_000
    clock.now += 86_400
    assert meter.spent(1) == 0
    await meter.close()
    assert (tmp_path / "usage.jsonl").read_text() == ""


async def test_what_is_over_does_not_stay_on_the_disk_of_a_quiet_bot(
    open_meter: Any, tmp_path: Path, clock: Clock
) -> None:
    meter = await open_meter()
    await meter.ask(1, "1:17")
    clock.now += 3600
    await meter.ask(2, "2:5")
    left = [json.loads(line) for line in (tmp_path / "usage.jsonl").read_text().splitlines()]
    assert left == [{"asked": [2, clock.now, "2:5"]}]


async def test_a_clock_that_is_set_back_locks_nobody_out(open_meter: Any, clock: Clock) -> None:
    meter = await open_meter()
    await meter.ask(1, "a")
    clock.now -= 3600
    assert (await meter.usage(1)).asked == {}


async def test_a_disk_that_fails_is_logged_and_counted_on(
    open_meter: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    meter = await open_meter()
    await meter.spend(1, 5)

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("conversations.durable.write_all", fail)
        await meter.spend(1, 5)
        await meter.ask(1, "a")
    assert (meter.spent(1), list((await meter.usage(1)).asked)) == (10, ["a"])
    assert "cannot be written down" in caplog.text
    await meter.spend(1, 5)
    again = await open_meter()
    used = await again.usage(1)
    assert (used.spent, list(used.asked)) == (15, ["a"]), "all of it, when there is room again"
    assert oct((tmp_path / "usage.jsonl").stat().st_mode)[-3:] == "600"


async def test_a_file_that_cannot_be_closed_is_let_go_all_the_same(
    open_meter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all that comes later would go to that number, whatever file has it then."""

    def close_badly(descriptor: int) -> None:
        close(descriptor)
        raise OSError(5, "Input/output error")

    close = os.close
    meter = await open_meter()
    await meter.spend(1, 5)
    with monkeypatch.context() as full:
        full.setattr(os, "close", close_badly)
        full.setattr(metering, "_COMPACT_BYTES", 0)
        meter._compact_at = 0
        await meter.spend(1, 5)
    await meter.spend(1, 5)
    assert (await open_meter()).spent(1) == 15


async def test_what_failed_last_is_written_at_the_end(
    open_meter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    meter = await open_meter()
    with monkeypatch.context() as full:
        full.setattr("conversations.durable.write_all", fail)
        await meter.spend(1, 5)
    await meter.close()
    assert (await open_meter()).spent(1) == 5


async def test_what_a_crash_leaves_of_its_file_is_swept(open_meter: Any, tmp_path: Path) -> None:
    left = tmp_path / ".usage.jsonl.0123456789ab.tmp"
    left.write_text("{")
    await open_meter()
    assert not left.exists()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 секунду"), (22, "22 секунды"), (89.5, "2 минуты"), (3600, "60 минут"),
     (5400, "2 часа"), (86_400, "24 часа")],
)  # fmt: skip
def test_when_it_is_possible_again_in_russian(seconds: float, said: str) -> None:
    text = Refusal("rate", 5, wait=seconds).text(Languages().choose("ru"))
    expected = f"⏳ В минуту можно задать 5 вопросов. Попробуйте снова через {said}."
    assert text == expected


def archive_of(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            message = {"type": "user_question", "text": name, "message_id": 1}
            chat = {"metadata": {"name": name}, "messages": [message]}
            archive.writestr(f"{name}.json", json.dumps(chat))
    return file.getvalue()


async def test_an_import_brings_in_no_more_chats_than_one_may_have(
    limited: MakeLimited, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    person = limited(chats=3)
    await fill(manager, 1001, 1)
    await person.send_file("chats.zip", archive_of("a", "b", "c", "d"))
    report = telegram.texts_in(1001)[-2]
    assert report.startswith("📥 Came in: 2 chats")
    assert "chats over the limit: " in report
    assert len(await manager.list_conversations(1001)) == 3
    asked = len(telegram.of(GetFile))
    for _ in range(2):
        await person.send_file("chats.zip", archive_of("e"))
        assert person.text == "Chats: 3 of 3. Delete one to start another: /chats"
    assert len(telegram.of(GetFile)) == asked, "it is not even fetched"
    assert len(await manager.list_conversations(1001)) == 3


async def test_an_import_comes_not_over_what_one_may_store(
    limited: MakeLimited, manager: ConversationManager
) -> None:
    person = limited(stored_bytes=500_000)
    [chat] = await fill(manager, 1001, 1)
    await person.send_file("chats.zip", archive_of("before"))
    await manager.add_message(1001, chat, question(1, "x" * 510_000))
    await person.send("/import")
    await person.reply(
        None,
        person.screen,
        document={"file_id": "file0", "file_unique_id": "x", "file_name": "chats.zip"},
    )
    assert person.text.startswith("Your chats take 0.5 MB, and 0.5 MB are allowed.")
    assert len(await manager.list_conversations(1001)) == 2
