"""Settings: what they default to, and how a wrong one is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from config import Settings, SettingsError, load_settings

NAMES = [name.upper() for name in Settings.model_fields]
TOKEN = "123456:AAsecret-secret_canary"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_everything_has_a_default() -> None:
    settings = load_settings()
    assert settings.bot_token is None
    assert settings.conversations_dir == Path("data/conversations")
    assert settings.context_messages == 20
    assert settings.trash_kept == timedelta(days=30)
    assert settings.playground_port == 8080


def test_dotenv_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        f"BOT_TOKEN={TOKEN}\nTRASH_DAYS=7\nPLAYGROUND_PORT=\nSOMETHING_ELSE=x\nlog_level=debug\n"
    )
    monkeypatch.setenv("TRASH_DAYS", "8")
    settings = load_settings()
    assert settings.bot_token is not None
    assert settings.bot_token.get_secret_value() == TOKEN
    assert settings.trash_days == 8
    assert settings.playground_port == 8080
    assert settings.log_level == "DEBUG"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BOT_TOKEN", "hello", "BOT_TOKEN takes a token from @BotFather, like 123456:ABC...;"
         " none runs the playground"),
        ("BOT_TOKEN", "123:", "BOT_TOKEN takes a token"),
        ("BOT_TOKEN", "12a:secret", "BOT_TOKEN takes a token"),
        ("BOT_TOKEN", "123:sec ret", "BOT_TOKEN takes a token"),
        ("TRASH_DAYS", "soon", "TRASH_DAYS takes how many days deleted chats are kept, 1-3650"),
        ("TRASH_DAYS", "0", "TRASH_DAYS takes"),
        ("CONTEXT_MESSAGES", "-1", "CONTEXT_MESSAGES takes how many last messages a model"
         " gets, 1-1000"),
        ("PLAYGROUND_PORT", "70000", "PLAYGROUND_PORT takes a port number, 0-65535;"
         " 0 takes any free one"),
        ("TELEGRAM_API_URL", "ftp://x", "TELEGRAM_API_URL takes the http(s) address"),
        ("DATABASE_URL", "mysql://u:canary@h/d", "DATABASE_URL takes postgresql://user:password@"),
        ("DATABASE_URL", "postgresql://[h/d", "DATABASE_URL takes postgresql://user:password@"),
        ("DATABASE_URL", "postgresql://h:port/d", "DATABASE_URL takes postgresql://"),
        ("ALLOWED_USER_IDS", "12, anna", "ALLOWED_USER_IDS takes numbers of Telegram users"),
        ("LIMIT_CHATS", "-1", "LIMIT_CHATS takes how many chats a person may have; 0: any"),
        ("LIMIT_BYTES", "5 MB", "LIMIT_BYTES takes how many bytes"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL takes DEBUG, INFO, WARNING or ERROR"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_line_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(told)
    assert "\n" not in message
    assert value not in message or value in {"0", "-1", "hello"}


def test_a_webhook_needs_a_secret_that_nobody_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_URL", "https://bot.example.org/telegram")
    for secret in (None, "short", "s" * 31, "ß" * 40, "s" * 257):
        if secret is not None:
            monkeypatch.setenv("WEBHOOK_SECRET", secret)
        with pytest.raises(SettingsError, match="WEBHOOK_SECRET takes 32-256 letters"):
            load_settings()
    monkeypatch.setenv("WEBHOOK_SECRET", "s" * 32)
    assert "sss" not in repr(load_settings())


def test_only_a_server_of_ones_own_posts_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_URL", "http://bot.example.org/telegram")
    monkeypatch.setenv("WEBHOOK_SECRET", "s" * 32)
    with pytest.raises(SettingsError, match="WEBHOOK_URL takes the https address"):
        load_settings()
    monkeypatch.setenv("TELEGRAM_API_URL", "http://127.0.0.1:8081")
    assert str(load_settings().webhook_url) == "http://bot.example.org/telegram"


@pytest.mark.parametrize(
    ("given", "read"),
    [("", set()), ("12", {12}), ("12,-100", {12, -100}), (" 12 , 13 14,", {12, 13, 14})],
)
def test_users_are_a_list(monkeypatch: pytest.MonkeyPatch, given: str, read: set[int]) -> None:
    monkeypatch.setenv("ALLOWED_USER_IDS", given)
    assert load_settings().allowed_user_ids == read


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRASH_DAYS", "x")
    monkeypatch.setenv("LOG_LEVEL", "x")
    with pytest.raises(SettingsError, match=r"LOG_LEVEL takes .*; TRASH_DAYS takes "):
        load_settings()


def test_the_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    settings = load_settings()
    assert "secret-secret" not in repr(settings) + str(settings)


def test_a_database_s_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://bot:can%2Dary-1@host/db?password=canary-2"
    monkeypatch.setenv("DATABASE_URL", url)
    settings = load_settings()
    assert "canary" not in repr(settings) + str(settings)
    assert {url, "can%2Dary-1", "can-ary-1", "canary-2"} <= set(settings.secrets)


def test_the_example_file_names_every_setting() -> None:
    example = (Path(__file__).parent.parent / ".env.example").read_text()
    named = [line.lstrip("# ").partition("=")[0] for line in example.splitlines() if "=" in line]
    assert named == NAMES
