"""Pictures of the real bot for the README, light and dark: `python -m tests.screenshots`.

The bot, the page and the browser are the real ones; what the model says is written here.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser import open_browser
from tests.fake_providers import FakeProviders
from tests.program import ROOT, Program

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page, ViewportSize

PICTURES = ROOT / "docs" / "images"
_SIZE: ViewportSize = {"width": 390, "height": 720}
_TALKS = (  # a question, its answer, the name that the model finds for the chat
    (
        "A risotto for four, quickly?",
        "**Mushroom risotto**, 25 minutes:\n\n1. Fry 300 g of mushrooms\n2. Toast 350 g of rice\n"
        "3. Ladle by ladle, a litre of *hot* broth\n4. Butter, parmesan, a minute of rest",
        "Risotto for four",
    ),
    (
        "How do I undo my last commit but keep the changes?",
        "```bash\ngit reset --soft HEAD~1\n```\nThe changes stay, staged.",
        "Undo a commit",
    ),
    (
        "Where could we go in June, by train from Vienna?",
        "Three places **without a flight**:\n\n| Place | Hours | For |\n|---|--:|---|\n"
        "| Ljubljana | 6 | rivers |\n| Trieste | 9 | the sea |\n| Kraków | 7 | the old town |",
        "June by train",
    ),
)


class Scene:
    def __init__(self, page: Page, folder: Path) -> None:
        self._page = page
        self._folder = folder

    async def write(self, text: str) -> None:
        await self._page.get_by_test_id("composer").fill(text)
        await self._page.keyboard.press("Enter")

    async def sees(self, text: str) -> None:
        await expect(self._last).to_contain_text(text)

    async def press(self, label: str) -> None:
        await self._last.get_by_test_id("button").filter(has_text=label).first.click()

    async def picture(self, name: str) -> None:
        await expect(self._page.get_by_test_id("toast")).to_have_count(0)
        await self._page.mouse.move(0, 0)
        for scheme in ("light", "dark"):
            await self._page.emulate_media(color_scheme=scheme)
            path = self._folder / f"{name}-{scheme}.png"
            await self._page.screenshot(path=path, animations="disabled")

    @property
    def _last(self) -> Locator:
        return self._page.locator('[data-testid="message"][data-out="false"]').last


async def take(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        async with FakeProviders() as fake:
            for _, answer, name in _TALKS:
                fake.answers(answer)
                fake.answers(name)
            settings = {
                "MODEL": "openai:model",
                "OPENAI_API_KEY": "none",
                "OPENAI_BASE_URL": fake.openai_url,
            }
            async with Program(Path(data), **settings) as program, open_browser() as browser:
                page = await browser.new_page(viewport=_SIZE, device_scale_factor=1.5)
                await page.goto(program.url)
                await _act(Scene(page, folder), page, fake)


async def _act(scene: Scene, page: Page, fake: FakeProviders) -> None:
    await page.get_by_test_id("user-switch").click()
    await page.get_by_test_id("user-1002").click()
    await page.get_by_test_id("start").click()
    await scene.sees("👋 Hello!")
    for question, answer, _ in _TALKS:
        await scene.write("/new")
        await scene.sees("What shall we talk about?")
        await scene.write(question)
        await scene.sees(answer.split()[-2].strip("|*`"))
        await (await fake.next_request()).finished()
        await (await fake.next_request()).finished()
    await scene.picture("answer")
    await scene.write("/chats")
    await scene.sees("3 chats")
    await scene.picture("chats")
    await scene.press("Risotto")
    await scene.sees("This chat is open")
    await scene.press("Delete")
    await scene.sees("Delete “Risotto for four”?")
    await scene.press("Delete")
    await scene.sees("is deleted")
    await scene.picture("undo")


if __name__ == "__main__":
    asyncio.run(take(PICTURES))
