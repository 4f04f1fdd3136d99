from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from conversations import InvalidNameError, clean_text, name_from_question, shorten
from conversations.names import clean_name

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
RUSSIA = "\U0001f1f7\U0001f1fa"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Привет мир", "Привет мир"),
        ("Проанализируй интервью с клиентом из отеля", "Проанализируй интервью с..."),
        ("Проанализируй интервью с клиентом из отеля Москва", "Проанализируй интервью с..."),
        ("Первый вопрос для тестирования", "Первый вопрос для тестирования"),
        ("Второй вопрос про что-то другое", "Второй вопрос про что-то..."),
        ("Третий вопрос самый длинный который точно будет", "Третий вопрос самый длинный..."),
        ("один два три четыре пять шесть семь восемь", "один два три четыре пять..."),
        ("  two\twords \n on\r\nlines ", "two words on lines"),
        ("a" * 30, "a" * 30),
        ("a" * 31, "a" * 27 + "..."),
        ("рентгеноэлектрокардиографического " * 3, "рентгеноэлектрокардиографич..."),
    ],
)
def test_a_chat_is_named_after_its_first_question(asked: str, name: str) -> None:
    assert name_from_question(asked) == name
    assert len(name) <= 30


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "   \n\t",
        "\x00\x1f\x7f\x85",
        "\u202e\u2066\u2069\u200e",
        "\u200b\u200c\u200d\u2060\ufeff",
        "\ud800",
        "\u3164\u115f\u2800",
        "\u0301",
        "\ue000\ufdd0",
    ],
    ids=lambda asked: ascii(asked).replace("\\", ""),
)
def test_a_question_without_anything_visible_gives_the_default(asked: str) -> None:
    assert name_from_question(asked) == "New chat"
    assert name_from_question(asked, default="Новый чат") == "Новый чат"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (FAMILY * 9, FAMILY * 3 + "..."),
        ("x" * 26 + RUSSIA * 9, "x" * 26 + "..."),
        (ENGLAND * 9, ENGLAND * 3 + "..."),
        ("\u1112\u1161\u11ab" * 12, "\u1112\u1161\u11ab" * 9 + "..."),
        ("x" * 26 + "e\u0301" + "y" * 9, "x" * 26 + "..."),
    ],
    ids=["family", "flag", "England", "Hangul", "accent"],
)
def test_no_visible_character_is_split(asked: str, name: str) -> None:
    assert name_from_question(asked) == name


def test_emoji_newer_than_python_are_kept() -> None:
    goose = "\U0001fabf"
    assert name_from_question(goose) == goose
    assert clean_name(goose) == goose


def test_what_reverses_or_hides_text_is_removed() -> None:
    assert clean_text("invoice\u202egpj.exe") == "invoicegpj.exe"
    assert clean_text("a\u2028b\u0000c\u00add") == "a b cd"
    assert clean_text("می\u200cخواهم") == "می\u200cخواهم"


def test_a_book_is_named_without_reading_all_of_it() -> None:
    assert name_from_question("слово " * 1_000_000) == "слово слово слово слово..."


@given(st.text(max_size=120))
def test_names_are_one_short_line_that_says_something(asked: str) -> None:
    name = name_from_question(asked)
    assert 0 < len(name) <= 30
    assert name == clean_text(name)
    name.encode()


@given(st.text(alphabet=st.sampled_from(f"ab {FAMILY}{RUSSIA}\u0301한é"), max_size=90))
def test_a_cut_falls_between_graphemes(asked: str) -> None:
    name = name_from_question(asked, default="")
    whole = clean_text(asked)
    if not name.endswith("..."):
        return
    kept = name.removesuffix("...")
    ends = {match.end() for match in regex.finditer(r"\X", whole)}
    first = regex.match(r"\X", whole)
    assert first is not None
    # One "character" may have more marks than a name has room; only that one is cut.
    assert len(kept) in ends or first.end() > 27


def test_shorten_keeps_whole_words_and_counts_its_dots() -> None:
    assert shorten("one two three", 13) == "one two three"
    assert shorten("one two three", 12) == "one two..."
    assert shorten("one two three", 10) == "one two..."
    assert shorten("one two three", 9) == "one..."


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("  Отель\nМосква ", "Отель Москва"),
        ("x", "x"),
        ("x" * 64, "x" * 64),
        (f"{FAMILY} дома", f"{FAMILY} дома"),
        ("<b>&amp;", "<b>&amp;"),
    ],
)
def test_a_name_by_a_person_is_cleaned(given_name: str, name: str) -> None:
    assert clean_name(given_name) == name


@pytest.mark.parametrize(
    ("given_name", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("\u200d", "empty"),
        ("\u3164", "empty"),
        ("x" * 65, "too_long"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(given_name: str, reason: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        clean_name(given_name)
    assert caught.value.reason == reason
    assert caught.value.limit == 64
    assert "1-64 characters" in str(caught.value)
