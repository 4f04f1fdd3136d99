"""Texts as Telegram takes them; what is expected here comes from the real server's source."""

from typing import Any

import pytest
from aiogram.types import MessageEntity

from bot.playground.entities import settle, utf16_length
from bot.playground.errors import BotApiError
from bot.playground.formatting import formatted, tidy
from bot.playground.html_parser import parse_html
from bot.playground.persons import split_text


def entity(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


@pytest.mark.parametrize(
    ("html", "text", "entities"),
    [
        ("plain", "plain", []),
        (
            "<b>bold</b> and <i>it</i>",
            "bold and it",
            [entity("bold", 0, 4), entity("italic", 9, 2)],
        ),
        ("<STRONG>a</STRONG><em>b</em>", "ab", [entity("bold", 0, 1), entity("italic", 1, 1)]),
        ("<u>a</u><ins>b</ins>", "ab", [entity("underline", 0, 1), entity("underline", 1, 1)]),
        (
            "<s>a</s><strike>b</strike><del>c</del>",
            "abc",
            [entity("strikethrough", i, 1) for i in range(3)],
        ),
        (
            '<tg-spoiler>a</tg-spoiler><span class="tg-spoiler">b</span>',
            "ab",
            [entity("spoiler", 0, 1), entity("spoiler", 1, 1)],
        ),
        (
            "👩‍💻 <b>ж𝄞</b>",
            "👩‍💻 ж𝄞",
            [entity("bold", 6, 3)],
        ),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2 &quot;", '1 < 2 && 3 > 2 "', []),
        ("&#65;&#x42;&nbsp;&lt", "AB&nbsp;<", []),
        ("<code>x</code>", "x", [entity("code", 0, 1)]),
        ("<pre>x\ny</pre>", "x\ny", [entity("pre", 0, 3)]),
        (
            '<pre><code class="language-python">x</code></pre>',
            "x",
            [entity("pre", 0, 1, language="python")],
        ),
        (
            '<code class="language-python"><pre>x</pre></code>',
            "x",
            [entity("pre", 0, 1, language="python")],
        ),
        ('<code class="language-python">x</code>', "x", [entity("code", 0, 1)]),
        ("<blockquote>q</blockquote>", "q", [entity("blockquote", 0, 1)]),
        (
            "<blockquote expandable>q</blockquote>",
            "q",
            [entity("expandable_blockquote", 0, 1)],
        ),
        (
            '<a href="https://Example.com">x</a>',
            "x",
            [entity("text_link", 0, 1, url="https://example.com/")],
        ),
        (
            "<a href='https://a.b/c?d=1&amp;e=2'>x</a>",
            "x",
            [entity("text_link", 0, 1, url="https://a.b/c?d=1&e=2")],
        ),
        ("<a>a.bc</a>", "a.bc", [entity("text_link", 0, 4, url="http://a.bc/")]),
        ('<a href="javascript:alert(1)">x</a>', "x", []),
        (
            '<a href="tg://user?id=1001">x</a>',
            "x",
            [entity("text_mention", 0, 1, user={"id": 1001})],
        ),
        (
            '<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji>',
            "👍",
            [entity("custom_emoji", 0, 2, custom_emoji_id="5368324170671202286")],
        ),
        ("<b></b>x", "x", []),
        ("<b>a</>", "a", [entity("bold", 0, 1)]),
        (
            "<b>a<i>b</i></b>",
            "ab",
            [entity("bold", 0, 2), entity("italic", 1, 1)],
        ),
    ],
)
def test_html_becomes_entities(html: str, text: str, entities: list[dict[str, Any]]) -> None:
    assert parse_html(html) == (text, entities)


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<br>", 'Unsupported start tag "br" at byte offset 0'),
        ("ж<br/>", 'Unsupported start tag "br/" at byte offset 2'),
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        (
            "<b>a</i>",
            'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"',
        ),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ('<a href="x>y</a>', "Unclosed start tag at byte offset 0"),
        ("<a href=a:b>y</a>", "Unexpected end of name token at byte offset 8"),
        ("<a href", 'Unclosed start tag "a" at byte offset 0'),
        ('<a ="x">y</a>', 'Empty attribute name in the tag "a" at byte offset 0'),
        ('<tg-emoji emoji-id="x">👍</tg-emoji>', "Invalid custom emoji identifier specified"),
    ],
)
def test_broken_html_is_refused_in_telegrams_words(html: str, problem: str) -> None:
    with pytest.raises(BotApiError) as refusal:
        parse_html(html)

    assert refusal.value.description == f"Bad Request: can't parse entities: {problem}"


def test_outer_spaces_go_and_entities_move_along() -> None:
    trimmed = tidy(" \n bold x \n", [entity("bold", 3, 4), entity("italic", 8, 3)])

    assert trimmed.text == "bold x"
    assert trimmed.entities == [entity("bold", 0, 4), entity("italic", 5, 1)]


def test_spaces_that_an_entity_covers_stay_in_front() -> None:
    trimmed = tidy("   x", [entity("code", 1, 3)])

    assert trimmed.text == "  x"
    assert trimmed.entities == [entity("code", 0, 3)]


def test_control_characters_become_spaces_and_returns_vanish() -> None:
    cleaned = tidy("a\r\nb\tc\u202e!", [entity("bold", 3, 3)])

    assert cleaned.text == "a\nb c!"
    assert cleaned.entities == [entity("bold", 2, 3)]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (entity("bold", 9, 1), "entity begins after the end of the text at UTF-16 offset 9"),
        (
            entity("bold", 1, 9),
            "entity beginning at UTF-16 offset 1 ends after the end of the text"
            " at UTF-16 offset 10",
        ),
        (entity("bold", -1, 2), "receive an entity with incorrect offset -1"),
        (entity("bold", 0, -2), "receive an entity with incorrect length -2"),
    ],
)
def test_entities_outside_of_the_text_are_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(BotApiError, match=problem):
        tidy("text", [given])


def test_an_entity_must_not_cut_a_character() -> None:
    with pytest.raises(BotApiError, match="begins in a middle of a UTF-16 symbol"):
        tidy("𝄞x", [entity("bold", 1, 2)])
    with pytest.raises(BotApiError, match="ends in a middle of a UTF-16 symbol"):
        tidy("x𝄞", [entity("bold", 0, 2)])


def test_entities_without_length_are_dropped() -> None:
    assert tidy("x", [entity("bold", 0, 0), entity("italic", 1, 0)]).entities == []


def test_crossing_entities_are_cut_until_they_nest() -> None:
    settled = settle([entity("bold", 0, 6), entity("italic", 3, 6)])

    assert settled == [
        entity("bold", 0, 6),
        entity("italic", 3, 3),
        entity("italic", 6, 3),
    ]


def test_code_holds_no_styles_and_links_do_not_overlap() -> None:
    settled = settle(
        [
            entity("bold", 0, 9),
            entity("code", 3, 3),
            entity("text_link", 5, 3, url="https://a.b/"),
        ]
    )

    assert settled == [entity("bold", 0, 3), entity("code", 3, 3), entity("bold", 6, 3)]


def test_the_server_finds_commands_links_and_mentions_by_itself() -> None:
    text = "/start@my_bot see https://a.bc/d?e=1, example.com or @durov, #tag x@y.zz /no/path"

    assert tidy(text, []).entities == [
        entity("bot_command", 0, 13),
        entity("url", 18, 18),
        entity("url", 38, 11),
        entity("mention", 53, 6),
        entity("hashtag", 61, 4),
        entity("email", 66, 6),
    ]


def test_nothing_is_found_inside_code() -> None:
    assert tidy("/start", [entity("code", 0, 6)]).entities == [entity("code", 0, 6)]


@pytest.mark.parametrize("mode", ["Markdown", "MarkdownV2"])
def test_markdown_is_refused_with_a_plain_word(mode: str) -> None:
    with pytest.raises(BotApiError, match="takes entities or HTML"):
        formatted("*a*", mode, None)


def test_an_unknown_parse_mode_and_an_unknown_entity_are_refused() -> None:
    with pytest.raises(BotApiError, match="unsupported parse_mode"):
        formatted("a", "rst", None)
    with pytest.raises(BotApiError, match="Unsupported type specified"):
        formatted("a", None, [MessageEntity(type="blink", offset=0, length=1)])


def test_a_link_entity_needs_a_link() -> None:
    bad = MessageEntity(type="text_link", offset=0, length=1, url="javascript:alert(1)")

    with pytest.raises(BotApiError, match="Wrong HTTP URL"):
        formatted("a", None, [bad])


def test_a_link_to_a_user_is_a_mention() -> None:
    ben = {
        "id": 1002,
        "is_bot": False,
        "first_name": "Ben",
        "username": "ben",
        "language_code": "en",
    }
    link = MessageEntity(type="text_link", offset=0, length=1, url="tg://user?id=1002")

    assert formatted("a", None, [link]).entities == [entity("text_mention", 0, 1, user=ben)]
    html = '<a href="tg://user?id=1002">a</a> <a href="tg://user?id=7">b</a>'
    assert formatted(html, "HTML", None).entities == [entity("text_mention", 0, 1, user=ben)]


def test_parse_mode_wins_over_entities() -> None:
    both = formatted("<b>a</b>", "html", [MessageEntity(type="italic", offset=0, length=1)])

    assert both.entities == [entity("bold", 0, 1)]


def test_a_client_splits_a_long_text_at_a_word() -> None:
    text = "слово " * 1000

    parts = split_text(text)

    assert [part.length for part in parts] == [4091, 1907]
    assert " ".join(part.text for part in parts) == text.strip()


def test_a_client_never_cuts_inside_a_character() -> None:
    parts = split_text("x" + "𝄞" * 3000)

    assert "".join(part.text for part in parts) == "x" + "𝄞" * 3000
    assert [utf16_length(part.text) for part in parts] == [4095, 1906]
