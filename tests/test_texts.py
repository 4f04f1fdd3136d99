"""Both languages are complete, and every phrase that the code asks for is there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax.ast import Message, VariableReference
from fluent.syntax.visitor import Visitor

from bot.commands import COMMANDS, bot_commands
from bot.texts import LOCALES, Languages, Texts, read_locale

BOT = Path(__file__).parent.parent / "bot"
# Phrases of which the code puts the names together.
PREFIXES = {"command-", "failed-", "answer-", "left-out-", "import-refused-", "button-export-"}


class _Variables(Visitor):
    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_VariableReference(self, node: VariableReference) -> None:  # noqa: N802
        self.names.add(node.id.name)


def phrases(locale: str) -> dict[str, set[str]]:
    """Give every phrase of a locale with the variables that it uses."""
    found = {}
    for entry in FluentParser().parse(read_locale(locale)).body:
        assert type(entry).__name__ != "Junk", f"{locale}: cannot be read: {entry}"
        if isinstance(entry, Message):
            variables = _Variables()
            variables.visit(entry)
            assert entry.id.name not in found, f"{locale}: twice: {entry.id.name}"
            found[entry.id.name] = variables.names
    return found


def used_keys() -> Iterator[str]:
    """Find the phrases that the code names: `t("key")`, `texts("key")`, and plain string keys."""
    known = phrases("en")
    for path in BOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in known:
                yield node.value
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                prefix = str(node.values[0].value)
                if prefix in PREFIXES:
                    yield from (key for key in known if key.startswith(prefix))


@pytest.mark.parametrize("locale", LOCALES)
def test_every_locale_has_the_same_phrases_with_the_same_variables(locale: str) -> None:
    assert phrases(locale) == phrases("en")


def test_every_phrase_is_used_and_every_used_one_is_there() -> None:
    assert set(phrases("en")) == set(used_keys())


def test_every_called_phrase_exists() -> None:
    known = phrases("en")
    for path in BOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).split(".")[-1] in {"t", "texts"}
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                key = str(node.args[0].value)
                given = {keyword.arg for keyword in node.keywords}
                assert known[key] == given, (path.name, key)


@pytest.mark.parametrize(
    ("language_code", "locale"),
    [
        ("ru", "ru"),
        ("ru-RU", "ru"),
        ("RU", "ru"),
        ("en", "en"),
        ("de", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_the_language_follows_telegrams_code(language_code: str | None, locale: str) -> None:
    assert Languages().choose(language_code).locale == locale


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 чат"),
        (2, "2 чата"),
        (5, "5 чатов"),
        (11, "11 чатов"),
        (21, "21 чат"),
        (104, "104 чата"),
    ],
)
def test_russian_plurals(count: int, said: str) -> None:
    assert Languages().choose("ru")("chats-count", count=count) == said


def test_a_variable_cannot_carry_markup_or_marks_into_a_phrase() -> None:
    said = Languages().choose("en")("rename-done", name="{ $name } <b> { -term }")
    assert said == "✅ Now it is called “{ $name } <b> { -term }”."


def test_what_is_missing_is_an_error() -> None:
    texts = Texts("en", "hello = Hello, { $name }")
    with pytest.raises(KeyError):
        texts("bye")
    with pytest.raises(KeyError):
        texts("hello")


@pytest.mark.parametrize("locale", LOCALES)
def test_commands_and_descriptions_fit_telegrams_limits(locale: str) -> None:
    texts = Languages().choose(locale)
    assert [command.command for command in bot_commands(texts)] == list(COMMANDS)
    assert all(1 <= len(command.description) <= 256 for command in bot_commands(texts))
    assert len(texts("bot-description")) <= 512
    assert len(texts("bot-short-description")) <= 120


@pytest.mark.parametrize("locale", LOCALES)
def test_every_command_is_in_the_help(locale: str) -> None:
    help_text = Languages().choose(locale)("help")
    assert [command for command in COMMANDS if f"/{command}" not in help_text] == ["help"]


@pytest.mark.parametrize(
    ("locale", "key", "given", "said"),
    [
        ("ru", "context-cut", {"count": 1}, "видит только последнее сообщение."),
        ("ru", "context-cut", {"count": 21}, "видит только последнее 21 сообщение."),
        ("ru", "context-cut", {"count": 4}, "видит только последние 4 сообщения."),
        ("en", "context-cut", {"count": 1}, "sees its last message only."),
        ("en", "context-cut", {"count": 21}, "sees its last 21 messages only."),
        ("en", "welcome", {"days": 1}, "for 1 day."),
        ("en", "welcome", {"days": 30}, "for 30 days."),
        ("en", "delete-facts", {"days": 1, "messages": "2 messages"}, "for 1 day."),
        ("en", "delete-facts", {"days": 30, "messages": "2 messages"}, "for 30 days."),
        ("ru", "queue-full", {"limit": 1}, "/again"),
        ("ru", "queue-full", {"limit": 5}, "/again"),
        ("ru", "queue-full", {"limit": 21}, "Здесь уже ждёт ответа 21 вопрос."),
        ("en", "queue-full", {"limit": 1}, "/again"),
        ("en", "queue-full", {"limit": 5}, "/again"),
        ("ru", "nothing-to-stop", {}, "Сейчас нечего останавливать"),
    ],
)
def test_numbers_are_said_as_people_say_them(
    locale: str, key: str, given: dict[str, str | int], said: str
) -> None:
    assert said in Languages().choose(locale)(key, **given)
