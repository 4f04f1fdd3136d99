"""Tokens and keys: shown by nothing that prints a part of the bot, or what went wrong with it."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import GetMe
from pydantic import SecretStr

from config import Settings, SettingsError, load_settings

TOKEN = "123456:AA-canary-token-of-the-bot"
SECRETS = {
    "bot_token": TOKEN,
    "anthropic_api_key": "sk-ant-canary-0123456789",
    "openai_api_key": "sk-canary-0123456789",
    "webhook_secret": "canary-0123456789-0123456789-0123456789",
}
ADDRESSES = ["TELEGRAM_API_URL", "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "WEBHOOK_URL"]


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name.upper(), value)
    settings = load_settings()
    assert settings.secrets == list(SECRETS.values()), "all of them are left out of the log"
    kept = [
        name for name in Settings.model_fields if isinstance(getattr(settings, name), SecretStr)
    ]
    assert kept == list(SECRETS)
    suspicious = [
        name for name in Settings.model_fields if name.endswith(("key", "token", "secret"))
    ]
    assert suspicious == list(SECRETS)
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "canary" not in shown


@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_holds_no_password(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Libraries log addresses."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRETS["webhook_secret"])
    monkeypatch.setenv(name, "https://somebody:canary@127.0.0.1:8081")
    with pytest.raises(SettingsError, match=f"^{name} takes .* without a password$") as caught:
        load_settings()
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    monkeypatch.setenv(name, "https://127.0.0.1:8081/path")
    load_settings()


@pytest.mark.parametrize("value", ["canary", "123456:can ary", "canary:canary", "123:canary\t"])
def test_a_wrong_token_is_not_repeated(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("BOT_TOKEN", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "canary" not in shown.replace("test_a_wrong_token", "")
    assert caught.value.__cause__ is caught.value.__context__ is None


async def test_the_bot_and_its_errors_show_no_token() -> None:
    api = TelegramAPIServer.from_base("http://127.0.0.1:9")
    bot = Bot(TOKEN, session=AiohttpSession(api=api))
    with pytest.raises(TelegramNetworkError) as caught:
        await bot(GetMe())
    await bot.session.close()
    shown = f"{bot!r} {bot} {bot.session!r} {bot.session.api!r} {caught.value!r} {caught.value}"
    shown += "".join(traceback.format_exception(caught.value))
    assert "canary" not in shown
