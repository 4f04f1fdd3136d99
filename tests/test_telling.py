"""Whatever Telegram does in the middle of a handler: the person hears that it did not work."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from aiogram import Dispatcher
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
)
from aiogram.methods import AnswerCallbackQuery, GetFile, SendDocument, SendMessage
from aiogram.types import ErrorEvent

from conversations import ConversationManager, StorageError
from tests.chats import fill, question
from tests.telegram import Client, FakeTelegram

METHOD = SendMessage(chat_id=1, text="x")
BROKEN = [
    TelegramNetworkError(METHOD, "timeout"),
    TelegramRetryAfter(METHOD, "Too Many Requests", 5),
    TelegramBadRequest(METHOD, "Bad Request: something"),
    ClientDecodeError("no JSON", json.JSONDecodeError("no", "<html>", 0), "<html>"),
]
WRONG = "Something went wrong. Nothing that was saved is lost; please try again."


@pytest.fixture
async def errors(dispatcher: Dispatcher) -> list[Exception]:
    """What goes on to the host's error handlers, but for what nobody expects of Telegram."""
    seen: list[Exception] = []

    async def note(event: ErrorEvent) -> None:
        if not isinstance(event.exception, ClientDecodeError):
            seen.append(event.exception)

    dispatcher.errors.register(note)
    return seen


@pytest.fixture
async def chat(manager: ConversationManager) -> str:
    [chat] = await fill(manager, 1001, 1)
    await manager.add_message(1001, chat, question(1))
    return chat


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("label", ["All chats", "Markdown"])
async def test_an_export_that_does_not_go_out(
    client: Client, telegram: FakeTelegram, errors: list[Exception], error: Exception, label: str
) -> None:
    await client.send("/export")
    telegram.refuse(SendDocument, error)
    await client.press(label)
    assert client.toasts == ["Preparing the file…"], "a press is answered once"
    assert client.text == WRONG
    assert errors == []


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize("label", ["All chats", "Markdown"])
async def test_an_export_that_telegram_finds_too_big(
    client: Client, telegram: FakeTelegram, label: str
) -> None:
    await client.send("/export")
    telegram.refuse(SendDocument, TelegramEntityTooLarge(METHOD, "Request Entity Too Large"))
    await client.press(label)
    assert client.text.startswith("This is more than Telegram lets a bot send.")


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
async def test_a_file_that_cannot_be_fetched(
    client: Client, telegram: FakeTelegram, errors: list[Exception], error: Exception
) -> None:
    telegram.refuse(GetFile, error)
    await client.send_file("conversations.json", b"[]")
    assert client.text == WRONG
    assert errors == []


async def test_a_file_that_telegram_does_not_hand_out(
    client: Client, telegram: FakeTelegram
) -> None:
    telegram.refuse(GetFile, TelegramBadRequest(METHOD, "Bad Request: file is too big"))
    await client.send_file("conversations.json", b"[]")
    assert telegram.texts_in(1001)[0] == "This file is too big: I can take 20 MB."


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
async def test_a_screen_that_does_not_arrive(
    client: Client, telegram: FakeTelegram, errors: list[Exception], error: Exception
) -> None:
    telegram.refuse(SendMessage, error)
    await client.send("/chats")
    assert (client.text, errors) == (WRONG, [])


async def test_a_blocked_bot_does_not_insist(client: Client, telegram: FakeTelegram) -> None:
    telegram.refuse(SendMessage, TelegramForbiddenError(METHOD, "bot was blocked by the user"))
    await client.send("/chats")
    assert len(telegram.of(SendMessage)) == 1


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
async def test_what_cannot_be_told_either_is_logged(
    client: Client,
    telegram: FakeTelegram,
    errors: list[Exception],
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await client.send("/export")
    menu = client.screen
    telegram.refuse(SendDocument, error)
    telegram.refuse(AnswerCallbackQuery, error)
    telegram.refuse(SendMessage, error, times=3)
    with caplog.at_level(logging.WARNING):
        await client.press("Markdown", menu)
        await client.send("/chats")
    assert caplog.text.count("a failure could not be told") == 2
    assert errors == []


@pytest.mark.usefixtures("chat")
async def test_a_storage_that_fails_after_a_toast(
    client: Client,
    manager: ConversationManager,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*args: object, **kwargs: object) -> Any:
        raise StorageError("disk full")

    await client.send("/export")
    monkeypatch.setattr(manager, "export_all", fail)
    await client.press("All chats")
    assert client.toasts == ["Preparing the file…"]
    assert client.text.startswith("The storage is unavailable right now.")
