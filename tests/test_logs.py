"""How a record is formatted, and what of an error is said."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramNetworkError
from aiogram.methods import SendMessage
from pydantic import BaseModel, ValidationError

from bot import AnswerError
from bot.answerers.wording import without_echo
from bot.logs import LineFormatter, describe, log_loop_error
from conversations import StorageError
from tests.program import ROOT

TOKEN = "123456:AA-canary-token"
METHOD = SendMessage(chat_id=1, text="canary")


def record(
    message: object, *args: object, error: BaseException | None = None
) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord("x", logging.INFO, "", 1, message, args, trace)


def line(message: object, *args: object, error: BaseException | None = None) -> str:
    formatted = LineFormatter([TOKEN, "", "none"]).format(record(message, *args, error=error))
    return formatted.partition(" x: ")[2]


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("Привет, 世界 👍", "Привет, 世界 👍"),
        ("one\ntwo\r\n\tthree", "one\\ntwo\\r\\n\\tthree"),
        ("\x1b[31mred\x07\x00", "\\x1b[31mred\\x07\\x00"),
        ("a\x85b\u2028c\u2029d", "a\\x85b\\u2028c\\u2029d"),
        ("\u202ereversed\u2066", "\\u202ereversed\\u2066"),
        ("half \ud83d", "half \\ud83d"),
    ],
)
def test_what_is_not_printable_is_escaped(said: str, logged: str) -> None:
    assert line("%s", said) == logged
    assert line(said) == logged


def test_secrets_are_left_out_wherever_they_are() -> None:
    assert line("at /bot%s/x", TOKEN) == "at /bot[secret]/x"
    assert line("at /bot123456%3AAA-canary-token") == "at /bot123456%3A[secret]"
    other = f"{7_000_000_001}:{'A' * 32}"  # the playground's own, which no setting knows
    assert line("at /bot%s/x", other) == "at /bot[secret]/x"
    assert line("there is none") == "there is none"


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


def test_a_traceback_is_indented_and_quotes_nobody() -> None:
    cause = raised(KeyError("canary\n2026-11-22 forged"))
    error = raised(OSError(28, "No space left on device", f"/data/{TOKEN}\n"), cause)
    first, *rest = line("it failed", error=error).split("\n")
    assert first == "it failed"
    assert all(shown.startswith("    ") for shown in rest)
    assert [shown.strip() for shown in rest if not shown.startswith("      ")] == [
        "Traceback (most recent call last):", "KeyError", "Traceback (most recent call last):",
        "OSError: [Errno 28] No space left on device: '/data/[secret]\\n'",
    ]  # fmt: skip
    assert "raise error from cause" in "\n".join(rest)


def test_errors_at_once_and_in_a_circle() -> None:
    one, two = raised(ValueError("canary")), raised(StorageError("full"))
    one.__context__, two.__context__ = two, one
    shown = line("x", error=raised(ExceptionGroup("canary", [one, two])))
    assert "canary" not in shown
    assert "    2 of 2 at once:\n" in shown
    assert shown.endswith("    StorageError: full")


class Strict(BaseModel):
    number: int


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Strict.model_validate({"number": "canary"})
    return caught.value


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StorageError("Disk full: /data"), "StorageError: Disk full: /data"),
        (FileNotFoundError(2, "No file", "x"), "FileNotFoundError: [Errno 2] No file: 'x'"),
        (AnswerError("rate", "slow down"), "AnswerError: rate: slow down"),
        (
            TelegramBadRequest(METHOD, "Bad Request: entity URL 'http://canary/'x' is invalid"),
            "TelegramBadRequest: Bad Request: entity URL ... is invalid",
        ),
        (
            TelegramBadRequest(METHOD, 'Bad Request: can\'t find field "canary"'),
            "TelegramBadRequest: Bad Request: can't find field ...",
        ),
        (TelegramNetworkError(METHOD, "timeout"), "TelegramNetworkError: timeout"),
        (UnicodeEncodeError("utf-8", "canary\ud800", 6, 7, "surrogates"), "UnicodeEncodeError"),
        (KeyError("canary"), "KeyError"),
        (invalid(), "ValidationError"),
    ],
)  # fmt: skip
def test_what_is_said_of_an_error(error: Exception, said: str) -> None:
    assert describe(error) == said
    assert line("%s", error) == line(error) == said


async def test_what_asyncio_has_to_say(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_loop_error)
    loop.call_soon(int, "canary")
    future: asyncio.Future[str] = loop.create_future()
    future.set_exception(ValueError("canary"))
    del future
    while len(caplog.records) < 2:
        await asyncio.sleep(0)
    messages = [shown.getMessage() for shown in caplog.records]
    assert sorted(messages) == [
        "asyncio: Exception in callback int", "asyncio: Future exception was never retrieved",
    ]  # fmt: skip
    shown = "".join(map(LineFormatter().format, caplog.records))
    assert "canary" not in shown
    assert shown.count("    ValueError") == 2


LEVELS = """
import logging, sys, warnings
from bot.logs import configure_logging
configure_logging(); configure_logging("DEBUG", ["in secret"])
for name in ("bot.x", "conversations.x", "aiogram", "httpx2", "openai", "telegramify_markdown"):
    for level in (10, 20, 30, 40):
        logging.getLogger(name).log(level, "said in secret")
logging.getLogger("bot").info("%d", "canary")
warnings.warn("canary", RuntimeWarning)
"""


def test_not_even_debug_lets_libraries_show_requests() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEVELS], cwd=ROOT, timeout=60, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    *said, warned = [line.split(" ", 2)[2] for line in done.stderr.splitlines()]
    assert said == [
        *(f"{level} {name}: said [secret]"
          for name in ("bot.x", "conversations.x", "aiogram")
          for level in ("DEBUG", "INFO", "WARNING", "ERROR")),
        *(f"{level} {name}: said [secret]"
          for name in ("httpx2", "openai") for level in ("WARNING", "ERROR")),
    ]  # fmt: skip
    assert warned.startswith("WARNING bot.logs: RuntimeWarning in <string>, line ")
    assert "canary" not in done.stdout


@pytest.mark.parametrize(
    ("said", "chat", "logged"),
    [
        ("400, 'max_tokens' is too large", "Hello", "400, 'max_tokens' is too large"),
        ("cannot take 'My PIN is 1234'", "my pin is 1234\nbe brief", "cannot take '…'"),
        (r"bad input: \u043f\u0438\u043d-код", "Мой ПИН-код", "bad input: …"),
        (r"bad \\u0022secret\\u0022 and \nsecret %20secret", "a secret", 'bad "…" and  …'),
        ("Hello\x85\u2028there", "hello there", "…"),
        ("", "x", ""),
    ],
)  # fmt: skip
def test_what_people_wrote_is_not_repeated(said: str, chat: str, logged: str) -> None:
    assert without_echo(said, chat) == logged
