"""The whole tour as a person does it: `python -m bot`, a browser, real typing and real presses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.browser import Phone, needs_browser, open_browser
from tests.program import ROOT, Program

expect = pytest.importorskip("playwright.async_api", reason="playwright is not installed").expect

pytestmark = [pytest.mark.browser, needs_browser]

SCREENSHOTS = ROOT / "test-results"


async def test_the_whole_tour(tmp_path: Path) -> None:
    async with Program(tmp_path) as program, open_browser() as browser:
        page = await browser.new_page(viewport={"width": 390, "height": 844})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda line: problems.append(line.text) if line.type == "error" else None
        )
        await page.goto(program.url)
        phone = Phone(page)
        await phone.be(1002)

        await phone.start()
        await phone.sees("👋 Hello!")
        await phone.write("Where shall we travel this summer?")
        await phone.sees("You wrote: Where shall we travel this summer?")
        await phone.write("/new")
        await phone.sees("What shall we talk about?")
        await phone.write("What is for dinner?")
        await phone.sees("This is the first message that I see in this chat.")
        await phone.write("/chats")
        await phone.sees("2 chats")
        await phone.screenshot(SCREENSHOTS, "chats")
        await phone.press("Where shall we travel")
        await phone.sees("This chat is open")
        await phone.screenshot(SCREENSHOTS, "chat")
        await phone.press("Rename")
        await phone.sees("How shall “Where shall we travel this...” be called?")
        await expect(page.get_by_test_id("reply-bar")).to_be_visible()
        await phone.write("Holidays")
        await phone.sees("Now it is called “Holidays”.")
        await phone.press("Open “Holidays”")
        await phone.sees("💬 Holidays")
        await phone.press("🗑 Delete")
        await phone.sees("Delete “Holidays”?")
        await phone.screenshot(SCREENSHOTS, "delete")
        await phone.press("Delete")
        await phone.sees("“Holidays” is deleted.")
        await phone.press("Undo")
        await phone.sees("💬 Holidays")
        await phone.press("‹ Chats")
        await phone.sees("2 chats")

        await phone.be(1001)
        await phone.start()
        await phone.sees("Здравствуйте!")
        await phone.write("/chats")
        await phone.sees("Чатов пока нет.")
        await page.get_by_test_id("theme-toggle").click()
        await phone.screenshot(SCREENSHOTS, "dark")
        assert problems == []
    stored = (tmp_path / "data" / "conversations" / "user_1002").glob("*-*.json")
    names = {json.loads(path.read_text())["metadata"]["name"] for path in stored}
    assert names == {"Holidays", "What is for dinner?"}
