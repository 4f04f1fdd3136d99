"""In a real browser: nothing that a person, a model or a bot says becomes a part of the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    MessageEntity,
    ReplyParameters,
)

from bot.playground import Playground
from bot.playground.dialogs import Person as Somebody
from tests.browser import needs_browser, open_browser
from tests.playground_client import Person

if TYPE_CHECKING:
    from playwright.async_api import Page

expect = pytest.importorskip("playwright.async_api", reason="playwright is not installed").expect

pytestmark = [pytest.mark.browser, needs_browser]

EVIL = "<img src=x onerror=evil()><script>evil()</script>\"'><svg onload=evil()>&lt;b&gt;${evil()}"
SHORT = "<b onclick=evil()>x</b>"
FILE = "<b onclick=evil()>x.svg"
WATCH = """
window.evils = 0;
window.evil = () => { window.evils += 1; };
window.alert = window.confirm = window.prompt = window.evil;
"""


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    persons = [Somebody(1001, SHORT, "anna", "en"), Somebody(1002, "Ben", "ben", "en")]
    async with Playground(port=0, persons=persons) as playground:
        yield playground


@pytest.fixture
async def page(playground: Playground) -> AsyncIterator[Page]:
    """A page that nobody may call evil() on, nor show anything of their own on."""
    async with open_browser() as browser:
        page = await browser.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(f"{line.type}: {line.text}"))
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(playground.url) else problems.append(request.url)
            ),
        )
        await page.add_init_script(WATCH)
        yield page
        assert await page.evaluate("window.evils") == 0
        assert await page.locator("img, iframe, object, embed, [onclick], [onload]").count() == 0
        assert await page.locator("script").count() == 1, "the page's own"
        assert await page.locator('a[href^="javascript:"], a[href^="data:"]').count() == 0
        assert problems == []


async def shown(page: Page, test_id: str, text: str) -> None:
    await expect(page.get_by_test_id(test_id).filter(has_text=text).first).to_be_visible()


def keyboard(*labels: str) -> InlineKeyboardMarkup:
    row = [
        InlineKeyboardButton(text=label, callback_data=str(n)) for n, label in enumerate(labels)
    ]
    return InlineKeyboardMarkup(inline_keyboard=[row], force_reply=True)


async def test_messages_names_buttons_and_files(
    playground: Playground, api: Bot, page: Page
) -> None:
    await api.set_my_name(SHORT)
    await api.set_my_description(EVIL)
    await api.set_my_commands([BotCommand(command="new", description=EVIL)])
    await page.goto(playground.url, wait_until="domcontentloaded")
    await expect(page.locator("#about-text")).to_have_text(EVIL)
    async with Person(playground.url) as anna:
        said = await anna.send(EVIL)
        await anna.document(FILE, EVIL.encode(), caption=EVIL)
        await anna.sticker("<b>x</b>")
    kinds = ("bold", "code", "spoiler", "blockquote", "expandable_blockquote", "underline")
    for kind in kinds:
        entity = MessageEntity(type=kind, offset=0, length=len(EVIL))
        await api.send_message(1001, EVIL, entities=[entity])
    code = MessageEntity(type="pre", offset=0, length=len(EVIL), language=SHORT)
    await api.send_message(1001, EVIL, entities=[code], reply_markup=keyboard(EVIL, SHORT))
    reply = ReplyParameters(message_id=said["message_id"])
    await api.send_message(1001, EVIL, reply_parameters=reply)
    await api.send_document(1001, BufferedInputFile(EVIL.encode(), FILE), caption=EVIL)
    await api.send_message_draft(1001, 7, text=EVIL, can_stop=True)

    await shown(page, "draft", EVIL)
    await expect(page.get_by_test_id("text").filter(has_text=EVIL)).to_have_count(11)
    await shown(page, "button", EVIL)
    await expect(page.get_by_test_id("document").filter(has_text=FILE)).to_have_count(2)
    await shown(page, "quoted", EVIL[:40])
    await shown(page, "reply-bar", EVIL[:40])
    await expect(page.locator("#bot-name")).to_have_text(SHORT)
    await expect(page.locator(".block-head")).to_have_text(SHORT)
    await page.get_by_test_id("menu-button").click()
    await shown(page, "command-option", EVIL)
    await expect(page).to_have_title(SHORT)


async def test_toasts_alerts_and_refusals(playground: Playground, api: Bot, page: Page) -> None:
    await api.send_message(1001, "menu", reply_markup=keyboard("toast", "alert"))
    await page.goto(playground.url, wait_until="domcontentloaded")
    await page.get_by_test_id("button").filter(has_text="toast").click()
    [update] = await api.get_updates(timeout=10)
    assert update.callback_query is not None
    await api.answer_callback_query(update.callback_query.id, text=EVIL)
    await expect(page.get_by_test_id("toast")).to_have_text(EVIL)
    await page.get_by_test_id("button").filter(has_text="alert").click()
    [update] = await api.get_updates(offset=update.update_id + 1, timeout=10)
    assert update.callback_query is not None
    await api.answer_callback_query(update.callback_query.id, text=EVIL, show_alert=True)
    await expect(page.get_by_test_id("alert")).to_contain_text(EVIL)


async def test_links_lead_to_the_web_alone(playground: Playground, api: Bot, page: Page) -> None:
    for url in (
        "javascript:evil()",
        "data:text/html,x",
        "JaVaScRiPt:evil()",
        " javascript:evil()",
    ):
        link = MessageEntity(type="text_link", offset=0, length=1, url=url)
        with pytest.raises(TelegramBadRequest):
            await api.send_message(1001, "x", entities=[link])
        button = InlineKeyboardButton(text="x", url=url)
        markup = InlineKeyboardMarkup(inline_keyboard=[[button]])
        with pytest.raises(TelegramBadRequest):
            await api.send_message(1001, "x", reply_markup=markup)
    await api.send_message(1001, "javascript:evil() javascript://evil.com/%0aevil() tg://x?y=1")
    tg = MessageEntity(type="text_link", offset=0, length=1, url="tg://resolve?domain=x")
    await api.send_message(1001, "x", entities=[tg])
    await page.goto(playground.url, wait_until="domcontentloaded")
    await expect(page.get_by_test_id("text")).to_have_count(2)
    for shown_link in await page.get_by_role("link").all():
        assert (await shown_link.get_attribute("href") or "").startswith(("http://", "https://"))
        assert await shown_link.get_attribute("rel") == "noopener noreferrer"
    await page.locator(".tappable").last.click()
