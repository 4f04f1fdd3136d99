"""Nasty answers, the same ones every time, each with the words that a person must get to see."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

STEMS = ("word", "слово", "Ёлка", "שלום", "مرحبا", "漢字", "e\u0301te\u0301", "straße", "नमस्ते")
EMOJI = ("👍", "👩‍💻", "🏳️‍🌈", "🇷🇺", "👨‍👩‍👧‍👦", "1️⃣", "𝄞")
NOISE: tuple[str, ...] = (
    *"*_~|`[](<>!\\$&=^{}+-§@/\t",
    *"\u202e\u200d\u00a0\u0301\x00\x07\u2028\u200f",  # bidi, joiners, controls
    *("**", "***", "__", "~~", "||", "==", "``", "$$", "...", r"\(", r"\)", r"\[", r"\]"),
    *("</", "/>", "<!--", "-->", "<?", "<br>", "<b>", "</div>", "<p>"),
    *("&amp;", "&lt;", "&#10;", "&#8238;"),
)
LANGUAGES = ("", "python", "c++", "objective-c", "rust,ignore", "py", "json")
ADDRESSES = (
    "https://example.com/a_(b)_c",
    "http://localhost:8080/x",
    "docs/read_me.md",
    "tg://user?id=42",
    "javascript:alert(1)",
    "https://пример.рф/путь?q=*x*&y=_z_",
    "mailto:somebody@example.com",
    "http://exa mple",
    "",
)


@dataclass(frozen=True)
class Sample:
    markdown: str
    words: list[str]


class Author:
    """Writes Markdown and remembers, in order, every word that it put where it can be seen."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.words: list[str] = []

    def sample(self) -> Sample:
        blocks = [self.block() for _ in range(self._random.randint(1, 7))]
        weights = {self.nothing: 900, self.open_fence: 80, self.long_line: 15, self.huge: 2}
        (ending,) = self._random.choices([*weights], [*weights.values()])
        return Sample("\n\n".join([*blocks, ending()]), self.words)

    def word(self) -> str:
        word = f"{self._random.choice(STEMS)}{len(self.words):05}"
        self.words.append(word)
        return word

    def text(self) -> str:
        inlines = (
            *(self.word,) * 4,
            *(self.noise,) * 3,
            *(self.marked, self.link, self.image, self.code, self.tag, self.formula, self.emoji),
            *(self.anchor, self.autolink, self.dunder, self.price, self.generic, self.reference),
        )
        pieces = [self._random.choice(inlines)() for _ in range(self._random.randint(1, 12))]
        return "".join(piece + self._random.choice(("", " ", " ", "\u00a0")) for piece in pieces)

    def nothing(self) -> str:
        return ""

    def noise(self) -> str:
        return self._random.choice(NOISE)

    def emoji(self) -> str:
        return self._random.choice(EMOJI)

    def marked(self) -> str:
        left, right = self._random.choices(("*", "**", "_", "__", "~~", "||", "==", "***"), k=2)
        return f"{left}{self.word()} {self.noise()}{self.word()}{right}"

    def link(self) -> str:
        return f"[{self.word()} **{self.word()}**]({self._random.choice(ADDRESSES)})"

    def image(self) -> str:
        return f"![{self.word()}]({self._random.choice(ADDRESSES)} 'title')"

    def reference(self) -> str:
        return f"[{self.word()}][{self._random.choice(('one', 'Two', 'missing'))}]"

    def autolink(self) -> str:
        return f"<{self._random.choice(ADDRESSES)}>"

    def anchor(self) -> str:
        return f'<a href="{self._random.choice(ADDRESSES)}">{self.word()}</a>'

    def code(self) -> str:
        mark = "`" * self._random.randint(1, 3)
        return f"{mark} {self.word()} {self.noise()} {self.word()} {mark}"

    def tag(self) -> str:
        return f"<{self.word()} class={self.word()}>"

    def generic(self) -> str:
        return f"{self.word()}<{self.word()}>"

    def dunder(self) -> str:
        return "__init__.py" if self._random.random() < 0.5 else "2*3*4"

    def price(self) -> str:
        return f"${self._random.randint(1, 99)} to ${self._random.randint(1, 99)}"

    def formula(self) -> str:
        shapes = (
            r"$\frac{\text{%s}}{2}$",
            r"$$\text{%s} = \sqrt{2$$",
            r"\(\alpha \text{%s}\)",
            r"\[x_1 + \text{%s}\]",
            r"$\begin{pmatrix} \text{%s} & b \\ c & d \end{pmatrix}$",
        )
        return self._random.choice(shapes) % self.word()

    def block(self) -> str:
        return self._random.choice(
            (
                *(self.paragraph,) * 3,
                *(self.heading, self.setext, self.bullets, self.numbers, self.tasks, self.quote),
                *(self.fence, self.fence, self.indented, self.table, self.html, self.definitions),
                *(self.footnote, self.display, self.rule, self.unbroken),
            )
        )()

    def paragraph(self) -> str:
        breaks = ("\n", "  \n", "\\\n", "\r\n", "\n    ")
        lines = [self.text() for _ in range(self._random.randint(1, 4))]
        return "".join(line + self._random.choice(breaks) for line in lines)

    def heading(self) -> str:
        return "#" * self._random.randint(1, 7) + f" {self.text()}"

    def setext(self) -> str:
        return f"{self.word()} {self.text()}\n{self._random.choice('=-') * 3}"

    def bullets(self) -> str:
        lines = []
        for _ in range(self._random.randint(1, 5)):
            depth = self._random.randint(0, 5)
            lines.append(" " * 2 * depth + f"{self._random.choice('-*+')} {self.text()}")
        return self._random.choice(("\n", "\n\n")).join(lines)

    def numbers(self) -> str:
        return "\n".join(f"{self._random.randint(0, 9)}. {self.text()}" for _ in range(3))

    def tasks(self) -> str:
        return "\n".join(f"- [{self._random.choice(' xX')}] {self.text()}" for _ in range(3))

    def quote(self) -> str:
        return "\n".join(f"> {line}" for line in self.block().split("\n"))

    def fence(self) -> str:
        mark = self._random.choice(("```", "~~~", "````"))
        language = self._random.choice(LANGUAGES)
        if self._random.random() < 0.1:
            language = f"{language or 'text'} {self.word()} {self.word()}"
        code = [self._random.choice(("", "\t", "    ")) + self.code_line() for _ in range(4)]
        inner = ["```python", self.word(), "```"] if mark == "````" else []
        indent = self._random.choice(("", "", "   "))
        lines = [f"{mark}{language}", *code, *inner]
        return "\n".join(indent + line for line in [*lines, mark])

    def code_line(self) -> str:
        return f"{self.word()} {self.noise()} {self.word()} <{self.word()}> {self.noise()}"

    def indented(self) -> str:
        return "\n".join(f"    {self.code_line()}" for _ in range(2))

    def open_fence(self) -> str:
        return "\n".join(["```go", *(self.code_line() for _ in range(3))])

    def table(self) -> str:
        columns = self._random.randint(1, 4)
        rows = [self.row(columns), "|" + "---|" * columns]
        rows += [
            self.row(columns + self._random.choice((0, 0, 0, 1, 2, -1)))
            for _ in range(self._random.randint(0, 3))
        ]
        return "\n".join(rows)

    def row(self, cells: int) -> str:
        return "|" + "".join(f"{self.cell()}|" for _ in range(max(cells, 1)))

    def cell(self) -> str:
        cells: tuple[Callable[[], str], ...] = (
            *(self.word, self.word, self.marked, self.link, self.image, self.formula, self.tag),
            *(self.nothing, self.emoji, lambda: f"`{self.word()}|{self.word()}`"),
            *(lambda: f"{self.word()}<br>{self.word()}",),
        )
        return self._random.choice(cells)()

    def html(self) -> str:
        shapes = (
            "<div>\n{}\n<p>{}\n</div>",
            "<details><summary>{}</summary>\n\n{}\n\n</details>",
            "<!-- {}\n\n{} -->",
            "<script>\n{}\n</script> {}",
            "<table>\n<tr><td>{}</td>\n<td>{}</td></tr>\n</table>",
        )
        return self._random.choice(shapes).format(self.text(), self.text())

    def definitions(self) -> str:
        used = self._random.choice(ADDRESSES[:5])
        return f"[one]: {used}\n[Two]: https://example.org\n\n[{self.word()}]: {self.word()}"

    def footnote(self) -> str:
        return f"{self.word()}[^1]\n\n[^1]: {self.text()}"

    def display(self) -> str:
        return f"$$\n\\text{{{self.word()}}} \\leq {self._random.randint(1, 9)}\n$$"

    def rule(self) -> str:
        return self._random.choice(("---", "***", "* * *"))

    def unbroken(self) -> str:
        return "".join(self.word() for _ in range(self._random.randint(2, 40)))

    def long_line(self) -> str:
        return " ".join(self.text() for _ in range(self._random.randint(20, 100)))

    def huge(self) -> str:
        return "\n\n".join(self.block() for _ in range(self._random.randint(30, 60)))


def samples(count: int) -> Iterator[Sample]:
    return (Author(seed).sample() for seed in range(count))


def giants() -> Iterator[Sample]:
    """Answers of about 60 000 characters: mixed, one line, one word, one block; many marks."""
    author = Author(-1)
    yield Sample("\n\n".join(author.block() for _ in range(300)), author.words)
    line = [f"слово{number:05}" for number in range(5500)]
    yield Sample(" ".join(line), line)
    yield Sample("".join(line), line)
    yield Sample("```python\n" + "\n".join(line) + "\n```", line)
    yield Sample("|a|\n|-|\n" + "\n".join(f"|{word}|" for word in line), line)
    yield Sample("".join(f"> {word}\n" for word in line), line)
    yield Sample("".join(f"**{word}** `{word}` " for word in line[:2500]), line[:2500])
    for marks in (*"*[`<|$~&", "![", "> ", "- ", "_a", "<a href=x>", "\\("):
        yield Sample(f"word\n\n{marks * (20_000 // len(marks))}\n\nend", ["word", "end"])
