"""Rich messages in the playground: Markdown becomes blocks that aiogram reads as Telegram's."""

from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputRichMessage,
    ReplyParameters,
    RichBlockTable,
)

from bot.playground import Playground
from bot.playground.errors import BotApiError
from bot.playground.rich import rich_content
from tests.playground_client import Person


def blocks(markdown: str) -> list[dict[str, Any]]:
    content = rich_content(InputRichMessage(markdown=markdown))
    return list(content["rich_message"]["blocks"])


def paragraph(text: Any) -> dict[str, Any]:
    return {"type": "paragraph", "text": text}


def formula(expression: str) -> dict[str, Any]:
    return {"type": "mathematical_expression", "expression": expression}


SPANS: list[tuple[str, Any]] = [
    ("plain", "plain"),
    ("**b** *i*", [{"type": "bold", "text": "b"}, " ", {"type": "italic", "text": "i"}]),
    ("~~s~~", {"type": "strikethrough", "text": "s"}),
    ("***both***", {"type": "italic", "text": {"type": "bold", "text": "both"}}),
    ("`<b>`", {"type": "code", "text": "<b>"}),
    ("a &lt;b> \\*c\\*", "a <b> *c*"),
    ("$x^2$", formula("x^2")),
    ("H<sub>2</sub>O", ["H", {"type": "subscript", "text": "2"}, "O"]),
    ("<u>a *b*</u>", {"type": "underline", "text": ["a ", {"type": "italic", "text": "b"}]}),
    (
        "*a <sup>b* c",
        [{"type": "italic", "text": ["a ", {"type": "superscript", "text": "b"}]}, " c"],
    ),
    ("a <font>b</font>", "a b"),
    ("a\nb\\\nc<br>d", "a b\nc\nd"),
    ("[x](https://e.com)", {"type": "url", "text": "x", "url": "https://e.com/"}),
    ("[x](javascript:alert)", "x"),
]


@pytest.mark.parametrize(("markdown", "text"), SPANS)
def test_spans(markdown: str, text: Any) -> None:
    [found] = blocks(markdown)

    assert found["type"] == "paragraph"
    assert merged(found["text"]) == text


def merged(text: Any) -> Any:
    """With strings that stand side by side as one."""
    if not isinstance(text, list):
        return text
    pieces: list[Any] = []
    for piece in text:
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return [piece for piece in pieces if piece] if len(pieces) > 1 else pieces[0]


BLOCKS: list[tuple[str, list[Any]]] = [
    ("### H", [{"type": "heading", "text": "H", "size": 3}]),
    ("a\n\n---\n\nb", [paragraph("a"), {"type": "divider"}, paragraph("b")]),
    ("```py x\n1\n\n2\n```", [{"type": "pre", "text": "1\n\n2", "language": "py"}]),
    ("    1", [{"type": "pre", "text": "1"}]),
    ("```math\nx\n```", [formula("x")]),
    ("a $$x$$ b", [paragraph("a"), formula("x"), paragraph("b")]),
    ("> a\n>> b", [{"type": "blockquote", "blocks": [
        paragraph("a"), {"type": "blockquote", "blocks": [paragraph("b")]}]}]),
    ("a[^n]\n\n[^n]: b", [
        paragraph(["a", {"type": "superscript", "text": "n"}]),
        paragraph([{"type": "superscript", "text": "n"}, " ", "b"])]),
    ("- a\n  1. b", [{"type": "list", "items": [{"label": "•", "blocks": [
        paragraph("a"),
        {"type": "list", "items": [
            {"label": "1.", "value": 1, "type": "1", "blocks": [paragraph("b")]}]}]}]}]),
    ("7. a\n\n8. b", [{"type": "list", "items": [
        {"label": "7.", "value": 7, "type": "1", "blocks": [paragraph("a")]},
        {"label": "8.", "value": 8, "type": "1", "blocks": [paragraph("b")]}]}]),
    ("- [x] a\n\n- [ ] b", [{"type": "list", "items": [
        {"label": "•", "has_checkbox": True, "is_checked": True, "blocks": [paragraph("a")]},
        {"label": "•", "has_checkbox": True, "blocks": [paragraph("b")]}]}]),
    ("|a|b|\n|-:|:-:|\n|$x$|", [{"type": "table", "is_bordered": True, "cells": [
        [{"align": "right", "valign": "middle", "text": "a", "is_header": True},
         {"align": "center", "valign": "middle", "text": "b", "is_header": True}],
        [{"align": "right", "valign": "middle", "text": formula("x")},
         {"align": "center", "valign": "middle", "text": ""}]]}]),
    ("<details><summary>S &amp; <b>T</b></summary>\n\n*a*\n\n<details open>\nb\n</details>\n"
     "</details>\n</details>\n\nc", [
        {"type": "details", "summary": "S & T", "blocks": [
            paragraph({"type": "italic", "text": "a"}),
            {"type": "details", "summary": "", "is_open": True, "blocks": [paragraph("b")]}]},
        paragraph("c")]),
]  # fmt: skip


@pytest.mark.parametrize(("markdown", "found"), BLOCKS)
def test_blocks(markdown: str, found: list[Any]) -> None:
    assert blocks(markdown) == found


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"markdown": ""}, "RICH_MESSAGE_MARKDOWN_INVALID"),
    ({"markdown": "[x]: https://e.com"}, "RICH_MESSAGE_EMPTY"),
    ({"markdown": "x" * 32769}, "RICH_MESSAGE_TEXT_TOO_LONG"),
    ({"markdown": "x\n\n" * 501}, "RICH_MESSAGE_BLOCKS_TOO_MANY"),
    ({"markdown": "- x\n" * 251}, "RICH_MESSAGE_BLOCKS_TOO_MANY"),
    ({"markdown": "|x|\n|-|\n" + "|x|\n" * 500}, "RICH_MESSAGE_BLOCKS_TOO_MANY"),
    ({"markdown": ">" * 17 + "x"}, "RICH_MESSAGE_DEPTH_INVALID"),
    ({"markdown": "<details>\n" * 20}, "RICH_MESSAGE_DEPTH_INVALID"),
    ({"markdown": "*a " * 17 + "x* " * 17}, "RICH_MESSAGE_DEPTH_INVALID"),
    ({"markdown": "<u>" * 10_000}, "RICH_MESSAGE_DEPTH_INVALID"),
    ({"markdown": "|x" * 21 + "|\n" + "|-" * 21 + "|"}, "RICH_MESSAGE_TABLE_COLS_TOO_MANY"),
    ({"markdown": "![x](https://e.com/x.png)"}, "RICH_MESSAGE_PHOTO_NO_MEDIA_FOUND"),
    ({"html": "<b>x</b>"}, "the playground takes rich messages as Markdown"),
    ({"markdown": "\ud800"}, "strings must be encoded in UTF-8"),
]


@pytest.mark.parametrize(("fields", "refusal"), REFUSED)
def test_what_is_refused(fields: dict[str, Any], refusal: str) -> None:
    with pytest.raises(BotApiError, match=refusal):
        rich_content(InputRichMessage(**fields))


def test_the_most_that_fits() -> None:
    assert len(blocks("x\n\n" * 500)) == 500
    assert len(blocks(">" * 16 + "x")) == 1
    assert len(blocks("|x" * 20 + "|\n" + "|-" * 20 + "|")[0]["cells"][0]) == 20


EVERYTHING = "\n\n".join(markdown for markdown, _ in [*SPANS, *BLOCKS])


FORMULAS = {
    r"\frac{1}{2} x^2": "½ x²",
    r"\unknown{a}": r"\unknown{a}",
    "{" * 51 + "}" * 51: "{" * 51 + "}" * 51,
    "x" * 501: "x" * 501,
    r"\sqrt" * 60: r"\sqrt" * 60,
}


async def test_a_person_sees_formulas_in_unicode(playground: Playground, api: Bot) -> None:
    markdown = "\n\n".join(f"- a ${latex}$" for latex in FORMULAS)
    sent = await api.send_rich_message(1001, InputRichMessage(markdown=markdown))

    async with Person(playground.url) as anna:
        shown = await anna.message(sent.message_id)
    assert shown["formulas"] == FORMULAS
    assert "formulas" not in (sent.model_extra or {})


async def test_aiogram_reads_what_was_sent(playground: Playground, api: Bot) -> None:
    key = InlineKeyboardButton(text="Again", callback_data="again")
    async with Person(playground.url) as anna:
        asked = await anna.send("A table?")
        sent = await api.send_rich_message(
            1001,
            InputRichMessage(markdown=f"|a|\n|-|\n|1|\n\n{EVERYTHING}"),
            reply_parameters=ReplyParameters(message_id=asked["message_id"]),
            reply_markup=InlineKeyboardMarkup(inline_keyboard=[[key]]),
        )

        assert sent.text is None
        assert sent.rich_message is not None
        table = sent.rich_message.blocks[0]
        assert isinstance(table, RichBlockTable)
        assert [[cell.text for cell in row] for row in table.cells] == [["a"], ["1"]]
        assert sent.reply_to_message is not None
        await anna.press(await anna.message(sent.message_id), "Again")
        await anna.send("And?", reply_to=await anna.message(sent.message_id))
    _, _, answered = await api.get_updates()
    assert answered.message is not None
    assert answered.message.reply_to_message is not None
    assert answered.message.reply_to_message.rich_message == sent.rich_message


async def test_a_refusal_sends_nothing(playground: Playground, api: Bot) -> None:
    with pytest.raises(TelegramBadRequest, match="RICH_MESSAGE_EMPTY"):
        await api.send_rich_message(1001, InputRichMessage(markdown="[x]: https://e.com"))
    await api.send_message(1001, "x")
    with pytest.raises(TelegramBadRequest, match='no use for the parameter "rich_message"'):
        await api.edit_message_text(
            chat_id=1001, message_id=1, text="y", rich_message=InputRichMessage(markdown="y")
        )
    async with Person(playground.url) as anna:
        assert [m["text"] for m in (await anna.dialog())["messages"]] == ["x"]
