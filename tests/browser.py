"""A real Chromium for the tests that press real buttons; the system's own, not a download."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this system")


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    playwright_api = pytest.importorskip("playwright.async_api")
    async with playwright_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class Phone:
    """The chat page, with a person's fingers on it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def be(self, user_id: int) -> None:
        """Be that one of the playground's two persons."""
        await self.page.get_by_test_id("user-switch").click()
        await self.page.get_by_test_id(f"user-{user_id}").click()

    async def start(self) -> None:
        await self.page.get_by_test_id("start").click()

    async def write(self, text: str) -> None:
        await self.page.get_by_test_id("composer").fill(text)
        await self.page.keyboard.press("Enter")

    @property
    def last(self) -> Locator:
        """The bot's newest message."""
        return self.page.locator('[data-testid="message"][data-out="false"]').last

    async def sees(self, text: str) -> None:
        from playwright.async_api import expect

        await expect(self.last).to_contain_text(text)

    async def press(self, label: str) -> None:
        await self.last.get_by_test_id("button").filter(has_text=label).first.click()

    async def screenshot(self, folder: Path, name: str) -> None:
        folder.mkdir(exist_ok=True)
        await self.page.screenshot(path=folder / f"{name}.png", animations="disabled")
