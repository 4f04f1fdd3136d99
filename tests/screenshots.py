"""Pictures of the real bot for the README, light and dark: `python -m tests.screenshots`.

The bot, the page and the browser are the real ones; what the model says is written here.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.async_api import expect

from tests.browser import Phone, open_browser
from tests.fake_providers import FakeProviders
from tests.program import ROOT, Program

if TYPE_CHECKING:
    from playwright.async_api import ViewportSize

PICTURES = ROOT / "docs" / "images"
_SIZE: ViewportSize = {"width": 390, "height": 720}
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
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


async def _picture(phone: Phone, folder: Path, name: str) -> None:
    await expect(phone.page.get_by_test_id("toast")).to_have_count(0)
    await phone.page.mouse.move(0, 0)
    for scheme in _SCHEMES:
        await phone.page.emulate_media(color_scheme=scheme)
        await phone.screenshot(folder, f"{name}-{scheme}")


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
                await _act(Phone(page), folder, fake)


async def _act(phone: Phone, folder: Path, fake: FakeProviders) -> None:
    await phone.be(1002)
    await phone.start()
    await phone.sees("👋 Hello!")
    for question, answer, _ in _TALKS:
        await phone.write("/new")
        await phone.sees("What shall we talk about?")
        await phone.write(question)
        await phone.sees(answer.split()[-2].strip("|*`"))
        await (await fake.next_request()).finished()
        await (await fake.next_request()).finished()
    await _picture(phone, folder, "answer")
    await phone.write("/chats")
    await phone.sees("3 chats")
    await _picture(phone, folder, "chats")
    await phone.press("Risotto")
    await phone.sees("This chat is open")
    await phone.press("Delete")
    await phone.sees("Delete “Risotto for four”?")
    await phone.press("Delete")
    await phone.sees("is deleted")
    await _picture(phone, folder, "undo")


if __name__ == "__main__":
    asyncio.run(take(PICTURES))
