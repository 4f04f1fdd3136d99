"""Whatever a model writes, Telegram takes it, and every word of it is seen."""

from __future__ import annotations

import logging
import re
import time
import unicodedata
from collections.abc import Iterable

import pytest
from aiogram.types import MessageEntity
from hypothesis import given
from hypothesis import strategies as st

from bot.rendering import (
    MESSAGE_LIMIT,
    Part,
    formatting,
    needs_rich,
    preview,
    render,
    render_draft,
    render_rich,
    sendable,
    split_text,
    utf16_length,
)

from .markdown_samples import NOISE, giants, samples

STYLES = {"bold", "italic", "underline", "strikethrough", "spoiler"}
QUOTES = {"blockquote", "expandable_blockquote"}
SAMPLES = 3000


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def covered(part: Part, entity: MessageEntity) -> str:
    data = part.text.encode("utf-16-le")
    return data[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")


def look(part: Part) -> list[tuple[str, str]]:
    return [(entity.type, covered(part, entity)) for entity in part.entities]


def only(markdown: str) -> Part:
    (part,) = render(markdown)
    return part


def shown(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts)


def assert_valid(part: Part, limit: int = MESSAGE_LIMIT) -> None:
    """What Telegram demands of a message, read from its rules and not from our code."""
    data = part.text.encode("utf-16-le")
    assert 2 <= len(data) <= 2 * limit
    assert part.text.strip()
    assert len(part.entities) <= 100
    around: list[MessageEntity] = []
    for entity in part.entities:
        assert entity.length > 0
        assert entity.offset >= 0
        end = entity.offset + entity.length
        assert 2 * end <= len(data)
        # Decoding refuses half a surrogate pair.
        assert data[2 * entity.offset : 2 * end].decode("utf-16-le").strip()
        assert entity.type in {"text_link", "pre", "code"} | STYLES | QUOTES
        assert (entity.url is not None) == (entity.type == "text_link")
        assert entity.url is None or re.match(r"https?://[^\s/]+\.[^\s/]", entity.url)
        assert entity.language is None or entity.type == "pre"
        assert entity.user is None
        assert entity.custom_emoji_id is None
        while around and around[-1].offset + around[-1].length <= entity.offset:
            around.pop()
        assert not around or entity.offset >= around[-1].offset
        for outer in around:
            assert end <= outer.offset + outer.length
            assert outer.type not in {"pre", "code"}
            assert outer.type != entity.type
            assert not {outer.type, entity.type} <= QUOTES
            if entity.type in {"pre", "code"}:
                assert outer.type in QUOTES
        around.append(entity)


def assert_in_order(words: Iterable[str], text: str) -> None:
    """Formulas are shown in small letters and such, which are compared decomposed."""
    plain = unicodedata.normalize("NFKD", text)
    place = 0
    for word in words:
        found = plain.find(unicodedata.normalize("NFKD", word), place)
        assert found >= 0, f"{word} is lost"
        place = found + 1


def test_nasty_answers_arrive_whole_and_valid() -> None:
    for sample in samples(SAMPLES):
        parts = render(sample.markdown)
        for part in parts:
            assert_valid(part)
        assert_in_order(sample.words, shown(parts))


def test_nasty_answers_are_formatted_and_not_given_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for sample in samples(SAMPLES // 10):
        render(sample.markdown)
    assert len(caplog.records) < SAMPLES // 10 / 50


def test_nasty_answers_in_their_other_forms() -> None:
    for sample in samples(SAMPLES // 10):
        for part, limit in (
            (render_draft(sample.markdown, 500), 500),
            (preview(sample.markdown, 300), 300),
        ):
            if part.text:
                assert_valid(part, limit)
        rich = render_rich(sample.markdown)
        needs_rich(sample.markdown)
        assert rich is None or 0 < len(rich) <= 32768
        assert rich is None or render_rich(rich) == rich  # nothing is left to be made safe


def test_giants_arrive_whole_and_soon() -> None:
    for sample in giants():
        began = time.process_time()
        parts = render(sample.markdown)
        assert time.process_time() - began < 15  # each takes less than one
        for part in parts:
            assert_valid(part)
        assert_in_order(sample.words, shown(parts))


@given(
    st.lists(
        st.just("ж")
        | st.sampled_from(NOISE)
        | st.sampled_from((":", " ", "\n", "\n\n", "\n> ", "\n- ", "\n1. ", "\n|", "\n```")),
        max_size=40,
    )
)
def test_any_mix_of_marks_shows_its_words(tokens: list[str]) -> None:
    words = [f"ж{number:03}" for number, token in enumerate(tokens) if token == "ж"]
    written = "".join(f"ж{n:03}" if token == "ж" else token for n, token in enumerate(tokens))
    parts = render(written)
    for part in parts:
        assert_valid(part)
    assert_in_order(words, shown(parts))


@given(st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    for part in (*render(text), render_draft(text, 60), preview(text, 60)):
        if part.text:
            assert_valid(part)
    needs_rich(text)
    render_rich(text)


DOCUMENT = """<think>Сначала подумаю.</think>
# Ответ **важный**

Вот `код`, [ссылка](https://example.com/a_(b)), 👩‍💻 и List<String> — ~~не~~ да.

> Цитата с *наклоном*
> - пункт
>   1. вложенный

```python
def hello() -> None:
\tprint("<b>")
```

| Имя | `a|b` |
|-----|-------|
| раз | $x^2$ |

- [ ] дело
- [x] сделано

Формула \\(\\frac{1}{2}\\) и

\\[ \\sqrt{x_1} \\]

<details><summary>Ещё</summary>

Тут</details>

[слово][1] и конец.

[1]: https://example.org
"""


def test_every_beginning_of_an_answer_is_a_frame() -> None:
    for end in range(len(DOCUMENT)):
        part = render_draft(DOCUMENT[:end])
        if part.text:
            assert_valid(part)
        assert "подумаю" not in part.text
    assert render_draft(DOCUMENT) == only(DOCUMENT)


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("**a** _b_ ~~c~~ ||d||", "a b c d", ["bold", "italic", "strikethrough", "spoiler"]),
        ("`a` and ``b`c``", "a and b`c", ["code", "code"]),
        ("# One\n\nTwo", "One\n\nTwo", ["bold", "underline"]),
        ("- [ ] a\n- [x] b", "⬜ a\n✅ b", []),
        ("- a\n  - b", "• a\n  • b", []),
        ("List<String>, \\<Enter>, a <b>c</b>", "List<String>, <Enter>, a <b>c</b>", []),
        ("<div>\n<p>a **b**</p>\n</div>", "<div>\n<p>a b</p>\n</div>", ["bold"]),
        ("a &lt; b &amp;&amp; c", "a < b && c", []),
        ("one<br>two", "one two", []),
        ("<details><summary>More</summary>\n\nHere\n\n</details>", "More\n\nHere", []),
        ("**a `b` c**", "a b c", ["bold", "code", "bold"]),
        ("[`a` **b**](https://b.c)", "a b", ["text_link", "bold"]),
        ("![a](https://b.c/d.png)", "a", ["text_link"]),
        ("![](https://b.c/d.png)", "https://b.c/d.png", ["text_link"]),
        ("[![a](https://b.c/d.png)](https://e.f)", "a", ["text_link"]),
        ('<a href="https://b.c">a</a>', "a", ["text_link"]),
        ("https://b.c/d_e_f", "https://b.c/d_e_f", []),
        ("[a](http://localhost:8080/b)", "a (http://localhost:8080/b)", []),
        ("[a](docs/b_c.md) [d](#e)", "a (docs/b_c.md) d", []),
        ("[a](mailto:b@c.de) <b@c.de>", "a (b@c.de) b@c.de", []),
        ("[a](tg://user?id=1) [b](javascript:c) [d][e]\n\n[e]: tg://user?id=2", "a b d", []),
        ("[a]( TG://user?id=1) [b](&#116;g://user?id=1)", "a b", []),
        ('<a href="tg://user?id=1">a</a> <tg://user?id=2>', "a tg://user?id=2", []),
        ("[5] ![a](tg://emoji?id=5368324170671202286)", "[5] a", []),
        ("[Note]: important", "[Note]: important", []),
        ("a[^1]\n\n[^1]: https://b.c", "a[^1]\n\n[^1]: https://b.c", []),
        ("from $5 to $10 or US$", "from $5 to $10 or US$", []),
        ("$HOME:$PATH", "$HOME:$PATH", []),
        (r"\(\alpha \le 5\)", "α ≤ 5", ["code"]),
        (r"\[link\]", "[link]", []),
        (r"PS1='\[\e[0;32m\]\u'", "PS1='[\\e[0;32m]\\u'", []),
        (r"`\(\alpha\)`", r"\(\alpha\)", ["code"]),
        (r"$\frac{1}{2$", "$\\frac{1}{2$", []),
        (r"$\color{red}{x}$", r"\color{red}{x}", ["code"]),
        ("__init__.py is 2*3*4 and 2**3**4", "__init__.py is 2*3*4 and 2**3**4", []),
        ("a || b || c", "a || b || c", []),
        ("about ~5 or ~6", "about ~5 or ~6", []),
        ("слово**важное**слово", "слововажноеслово", ["bold"]),
        ("a\x00b\x07c\u202ed\r\ne", "a b cd\ne", []),
        ("å", "å", []),
        ("```\n\ta\n```", "    a", ["pre"]),
        ("```js {1,3}\na\n```", "{1,3}\na", ["pre"]),
        ("> a\n> > b\n\nc", "a\nb\n\nc", ["blockquote"]),
        ("```\nopen", "open", ["pre"]),
        ("<think>hm</think>\n\nYes", "Yes", []),
        ("Yes <think>hm</think>", "Yes <think>hm</think>", []),
        ("<think>for ever", "<think>for ever", []),
    ],
)
def test_looks(markdown: str, text: str, entities: list[str]) -> None:
    part = only(markdown)
    assert part.text == text
    assert [entity.type for entity in part.entities] == entities
    assert_valid(part)


def test_a_table_keeps_the_cells_that_do_not_fit_and_bars_in_code() -> None:
    table = only("|a|b|\n|-|-|\n|1|2|three|\n|`x|y`|$\\alpha$|\n|c||")
    assert [line.split("|") for line in table.text.replace(" ", "").split("\n")] == [
        ["a", "b", ""],
        ["----+---+------"],
        ["1", "2", "three"],
        ["x", "y", "α", ""],
        ["c", "", ""],
    ]
    assert [kind for kind, _ in look(table)] == ["pre"]


@pytest.mark.parametrize(
    "nothing",
    ["", " \n\t", "\u200b\u2060", "\u3164", "&#8238;", "<think>a</think>", "[]()", "\x00"],
)
def test_nothing_to_see_is_no_message(nothing: str) -> None:
    assert render(nothing) == []
    assert render_draft(nothing).text == ""
    assert render_rich(nothing) is None


def test_a_long_block_of_code_stays_code_in_its_language() -> None:
    lines = [f"    line_{number} = '👍'" for number in range(1000)]
    parts = render("Look:\n\n```python\n" + "\n".join(lines) + "\n```\n\nDone.")
    assert len(parts) > 4
    for part in parts:
        assert_valid(part)
        assert [(e.type, e.language) for e in part.entities] == [("pre", "python")]
    code = "\n".join(covered(part, part.entities[0]) for part in parts)
    assert code.split("\n") == lines  # with the indentation of the lines that begin a message


def test_code_that_fits_into_a_message_is_not_split() -> None:
    code = "\n".join("x" * 60 for _ in range(40))
    parts = render(f"{'слово ' * 500}\n\n```\n{code}\n```")
    assert [look(part) for part in parts] == [[], [("pre", code)]]


def test_a_long_answer_is_cut_between_paragraphs() -> None:
    paragraph = "слово " * 150
    parts = render("\n\n".join([paragraph.strip()] * 10))
    assert [part.text.count("\n\n") for part in parts] == [3, 3, 1]
    assert {line for part in parts for line in part.text.split("\n\n")} == {paragraph.strip()}


def test_no_cut_falls_into_what_a_person_sees_as_one_character() -> None:
    family = "👨‍👩‍👧‍👦"
    parts = render("a" + family * 1000)
    assert shown(parts) == "a" + family * 1000
    assert all(part.text.removeprefix("a").replace(family, "") == "" for part in parts)


def test_a_message_has_at_most_the_entities_that_telegram_shows() -> None:
    parts = render("`a` " * 250)
    assert [len(part.entities) for part in parts] == [100, 100, 50]


def test_the_library_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(formatting, "convert", lambda text, **_: (text.replace("two", ""), []))
    assert only("**one** two") == Part("**one** two", [])

    def fail(_: str, **__: object) -> None:
        raise IndexError("inside")

    monkeypatch.setattr(formatting, "convert", fail)
    assert only("**one** two") == Part("**one** two", [])
    assert render_draft("**one**") == Part("**one**", [])
    assert len(caplog.records) == 3


def test_a_frame_of_a_long_answer_shows_its_newest_lines() -> None:
    lines = [f"- **{number}** слово" for number in range(2000)]
    part = render_draft("\n".join(lines))
    assert_valid(part)
    assert units(part.text) > MESSAGE_LIMIT // 2
    shown_lines = part.text.split("\n")
    assert shown_lines[0] == "…"
    assert shown_lines[-1] == "• 1999 слово"
    assert shown_lines[1].startswith("• ")
    assert look(part)[0][0] == "bold"


def test_a_frame_that_begins_inside_code_is_code() -> None:
    code = "\n".join(f"print({number})" for number in range(2000))
    part = render_draft(f"Look\n\n```text\nno\n```\n\n> ~~~\n> no\n> ~~~\n\n```python\n{code}")
    assert [(entity.type, entity.language) for entity in part.entities] == [("pre", "python")]
    assert part.text.startswith("…\nprint(")
    assert part.text.endswith("print(1999)")


@pytest.mark.parametrize("text", ["<", "<thi", "<think>", "  <think>so", "<Thinking>\nso</think"])
def test_thoughts_are_hidden_while_they_grow(text: str) -> None:
    assert render_draft(text) == Part("", [])


def test_a_frame_costs_the_same_however_long_the_answer() -> None:
    def cost(lines: int) -> float:
        text, costs = "Слово **важное** и `код`.\n" * lines, []
        for _ in range(10):
            began = time.process_time()
            render_draft(text)
            costs.append(time.process_time() - began)
        return min(costs)

    assert cost(8000) < 5 * cost(400)


def test_a_preview_is_the_beginning() -> None:
    assert preview("**Short**") == only("**Short**")
    part = preview("# Title\n\n" + "A **bold** sentence.\n" * 500)
    assert_valid(part, 1000)
    assert part.text.startswith("Title\n\nA bold sentence.\n")
    assert part.text.endswith("A bold sentence.\n…")
    assert preview("слово " * 400, 100).text.endswith("слово…")
    assert units(preview("👍" * 4000).text) <= 1000


@pytest.mark.parametrize(
    ("markdown", "needed"),
    [
        ("plain **bold** `code` | $5 and $6", False),
        ("|a|b|\n|-|-|\n|1|2|", True),
        ("$x^2$", True),
        (r"\[x^2\]", True),
        ("- [ ] a", True),
        ("<details><summary>a</summary>\n\nb\n\n</details>", True),
        ("```\n|a|\n|-|\n$x^2$ - [ ] <details>\n```", False),
        ("`<details>` and `$x$` and [ ]", False),
        ("<think>$x$</think> plain", False),
    ],
)
def test_what_needs_a_rich_message(markdown: str, needed: bool) -> None:
    assert needs_rich(markdown) is needed


@pytest.mark.parametrize(
    ("markdown", "rich"),
    [
        ("![a](https://b.c/d.png)", "[a](https://b.c/d.png)"),
        ("mcp__brain__auth a==b==c", r"mcp\_\_brain\_\_auth a\=\=b\=\=c"),
        ("**bold**ly ==mark== ||hidden||", "**bold**ly ==mark== ||hidden||"),
        ("a||b||c 1~~2~~3", r"a\|\|b\|\|c 1~~2~~3"),
        ("#tag\n> ##tag\n\n# Title", "\\#tag\n> \\##tag\n\n# Title"),
        ("List<String> \\<b> <b `<b>`", "List&lt;String> &lt;b> &lt;b `<b>`"),
        ("<div>\n**a**\n</div>", "&lt;div>\n**a**\n&lt;/div>"),
        ("x<sup>2</sup> <https://b.c>", "x<sup>2</sup> <https://b.c>"),
        ("<details open><summary>a</summary>", "<details open><summary>a</summary>"),
        ("```\n\ta\t<b>\n```", "```\n    a    <b>\n```"),
        ("[a](tg://user?id=1) [b](javascript:c) <tg://d>", "a b tg://d"),
        ('<a href="tg://user?id=1">a</a> <a href="https://b.c">d</a>', "a [d](<https://b.c>)"),
        (r"\(x^2\) and \[ y^2 \] `\(x\)`", r"$x^2$ and $$y^2$$ `\(x\)`"),
        ("from $5 to US$", r"from \$5 to US\$"),
        ("a[^1]\n\n[^1]: b", "a[^1]\n\n[^1]: b"),
        ("|a|b|\n|-|-|\n|1||2|", "|a|b| |\n|-|-|---|\n|1| |2|"),
        ("<think>a</think>b", "b"),
    ],
)
def test_rich_messages_are_made_safe(markdown: str, rich: str) -> None:
    assert render_rich(markdown) == rich
    assert render_rich(rich) == rich


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        ("a" * 32768, "a" * 32769),
        ("- a\n" * 200, "- a\n" * 201),
        ("a\n\n" * 450, "a\n\n" * 451),
        ("> " * 14 + "a", "> " * 15 + "a"),
        (f"{'|a' * 20}\n{'|-' * 20}", f"{'|a' * 21}\n{'|-' * 21}"),
        ("`a` " * 3000, "`a` " * 3001),
    ],
)
def test_what_is_too_much_for_a_rich_message(fits: str, too_much: str) -> None:
    assert render_rich(fits) is not None
    assert render_rich(too_much) is None


@given(st.text(max_size=200), st.integers(min_value=2, max_value=20))
def test_parts_join_to_the_text_and_fit(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert "".join(parts) == text
    assert all(0 < utf16_length(part) <= limit for part in parts)


def test_it_splits_behind_lines_then_behind_words_then_anywhere() -> None:
    assert split_text("one two\nthree four", 12) == ["one two\n", "three four"]
    assert split_text("one two three", 8) == ["one two ", "three"]
    assert split_text("abcdefgh", 3) == ["abc", "def", "gh"]
    assert split_text("👍👍👍", 5) == ["👍👍", "👍"]
    assert split_text("", 5) == []


@given(st.text(alphabet=st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010)))
def test_what_is_sendable_can_be_encoded_and_is_as_long(text: str) -> None:
    assert utf16_length(sendable(text)) == utf16_length(text)
    sendable(text).encode()


@pytest.mark.parametrize("signs", ["$", "$$"])
def test_roots_within_roots_are_shown_as_they_are_written(signs: str) -> None:
    """Twice the time for each more, in the library: sixty of them would never end."""
    roots = r"\sqrt" * 60
    assert roots in shown(render(f"a {signs}{roots} 2{signs} b"))
    assert roots in preview(f"a {signs}{roots} 2{signs} b").text
    assert "√" in shown(render(rf"a {signs}\sqrt{{\sqrt{{2}}}}{signs} b"))
