"""The chat page in a real browser: a person types, presses, switches, and a server restarts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiogram import Bot, Dispatcher, F
from aiogram.enums import ContentType
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputRichMessage,
    Message,
)

from bot.playground import Playground
from tests.browser import needs_browser, open_browser
from tests.playground_client import Person, client_of
from tests.polled import polling

if TYPE_CHECKING:
    from playwright.async_api import Browser, FilePayload, Page

playwright_api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
expect = playwright_api.expect

ONLINE = '[data-testid="status"][data-connected="true"]'

pytestmark = [
    pytest.mark.browser,
    needs_browser,
]


def button(text: str, data: str, style: str | None = None) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data, style=style)


def keyboard(*row: InlineKeyboardButton, force_reply: bool | None = None) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[list(row)], force_reply=force_reply)


def tiny_bot() -> Dispatcher:
    """Greets, opens, warns, asks for a name; everything else it says back."""
    dispatcher = Dispatcher()

    @dispatcher.message(F.text == "/start")
    async def start(message: Message) -> None:
        row = keyboard(button("Open", "open", "primary"), button("Warn", "warn", "danger"))
        await message.answer("<b>Hello</b> & /help", parse_mode="HTML", reply_markup=row)

    @dispatcher.message(F.text == "/rename")
    async def rename(message: Message) -> None:
        row = keyboard(button("Cancel", "cancel"), force_reply=True)
        await message.answer("New name?", reply_markup=row)

    @dispatcher.message(F.reply_to_message.text == "New name?")
    async def renamed(message: Message) -> None:
        await message.answer(f"Renamed to {message.text}")

    @dispatcher.message(F.text)
    async def echo(message: Message) -> None:
        await message.answer(message.text or "")

    @dispatcher.message()
    async def other(message: Message) -> None:
        await message.answer(f"That is a {ContentType(message.content_type).value}")

    @dispatcher.callback_query(F.data == "open")
    async def open_it(query: CallbackQuery) -> None:
        await query.answer("Opened")
        assert isinstance(query.message, Message)
        await query.message.edit_text("It is open")

    @dispatcher.callback_query(F.data == "warn")
    async def warn(query: CallbackQuery) -> None:
        await query.answer("Mind the gap", show_alert=True)

    return dispatcher


@asynccontextmanager
async def running(
    playground: Playground, dispatcher: Dispatcher, *commands: BotCommand
) -> AsyncIterator[Bot]:
    bot = client_of(playground)
    if commands:
        await bot.set_my_commands(list(commands))
    async with polling(dispatcher, bot):
        await playground.wait_for_call("getUpdates")
        yield bot


@pytest.fixture
async def browser() -> AsyncIterator["Browser"]:
    async with open_browser() as browser:
        yield browser


@pytest.fixture
async def page(browser: "Browser") -> AsyncIterator["Page"]:
    """A page whose console must stay empty, and which may talk to this computer alone."""
    context = await browser.new_context(color_scheme="light", accept_downloads=True)
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.extend(foreign(request.url)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    yield page
    await context.close()
    # A stopped server is noticed as a failed request, which is no fault of the page.
    assert [problem for problem in problems if "ERR_" not in problem] == []


def foreign(url: str) -> list[str]:
    own = url.startswith(("http://127.0.0.1:", "data:", "blob:"))
    return [] if own else [f"a request to {url}"]


async def test_a_person_types_and_presses(playground: Playground, page: "Page") -> None:
    async with running(playground, tiny_bot()):
        await page.goto(playground.url, wait_until="domcontentloaded")
        await page.get_by_test_id("start").click()
        greeting = page.locator('[data-message-id="2"]')
        await expect(greeting.get_by_test_id("text")).to_have_text("Hello & /help")
        await expect(greeting.locator("b")).to_have_text("Hello")

        await page.get_by_test_id("composer").fill("<img src=x onerror=alert(1)>")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("second line")
        await page.keyboard.press("Enter")
        said = page.locator('[data-message-id="4"]').get_by_test_id("text")
        await expect(said).to_have_text("<img src=x onerror=alert(1)>\nsecond line")
        await expect(page.locator("img")).to_have_count(0)
        await expect(page.get_by_test_id("composer")).to_have_value("")

        await greeting.get_by_test_id("button").filter(has_text="Warn").click()
        await expect(page.get_by_test_id("alert")).to_contain_text("Mind the gap")
        await page.get_by_test_id("alert-ok").click()
        await expect(page.get_by_test_id("alert")).to_be_hidden()

        await greeting.get_by_test_id("button").filter(has_text="Open").click()
        await expect(page.get_by_test_id("toast")).to_have_text("Opened")
        await expect(greeting.get_by_test_id("text")).to_have_text("It is open")
        await expect(greeting.get_by_test_id("button")).to_have_count(0)


async def test_the_spinner_turns_until_the_answer(
    playground: Playground, api: Bot, page: "Page"
) -> None:
    await api.send_message(1001, "x", reply_markup=keyboard(button("Go", "go")))
    await page.goto(playground.url, wait_until="domcontentloaded")

    await page.get_by_test_id("button").click()

    await expect(page.locator('[data-testid="button"][data-waiting="true"]')).to_have_count(1)
    [update] = await api.get_updates()
    assert update.callback_query is not None
    await api.answer_callback_query(update.callback_query.id)
    await expect(page.locator('[data-testid="button"][data-waiting="true"]')).to_have_count(0)


async def test_a_forced_reply_opens_the_composer(playground: Playground, page: "Page") -> None:
    async with running(playground, tiny_bot()), Person(playground.url) as anna:
        await page.goto(playground.url, wait_until="domcontentloaded")
        await page.get_by_test_id("start").click()
        await page.get_by_test_id("composer").fill("/rename")
        await page.get_by_test_id("send").click()
        await expect(page.get_by_test_id("reply-bar")).to_contain_text("New name?")

        await page.get_by_test_id("composer").fill("Hotel")
        await page.keyboard.press("Enter")

        await anna.wait_message("Renamed to Hotel")
        await expect(page.get_by_test_id("reply-bar")).to_be_hidden()
        await expect(page.get_by_test_id("quoted")).to_contain_text("New name?")

        await page.locator('[data-message-id="2"]').hover()
        await page.locator('[data-message-id="2"]').get_by_test_id("reply").click()
        await expect(page.get_by_test_id("reply-bar")).to_contain_text("Hello")
        await page.get_by_test_id("reply-cancel").click()
        await expect(page.get_by_test_id("reply-bar")).to_be_hidden()


async def test_two_persons_and_two_themes(playground: Playground, page: "Page") -> None:
    async with running(playground, tiny_bot()) as bot:
        await bot.set_my_commands([BotCommand(command="help", description="What I can do")])
        await bot.set_my_commands(
            [BotCommand(command="help", description="Что я умею")], language_code="ru"
        )
        await page.goto(playground.url, wait_until="domcontentloaded")
        await page.get_by_test_id("start").click()
        await expect(page.get_by_test_id("message")).to_have_count(2)

        await page.get_by_test_id("user-1002").click()

        await expect(page.get_by_test_id("start")).to_have_text("START")
        await expect(page.get_by_test_id("message")).to_have_count(0)
        await expect(page.get_by_test_id("notice")).to_have_text(
            "Local playground — nothing leaves this computer"
        )
        await page.get_by_test_id("start").click()
        await page.get_by_test_id("composer").fill("/he")
        await expect(page.get_by_test_id("commands")).to_contain_text("What I can do")
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("message")).to_have_count(4)
        await page.get_by_test_id("user-1001").click()
        await expect(page.get_by_test_id("message")).to_have_count(2)
        await page.get_by_test_id("menu-button").click()
        await expect(page.get_by_test_id("commands")).to_contain_text("Что я умею")
        await page.keyboard.press("Escape")

        light = await background(page)
        await page.get_by_test_id("theme-toggle").click()
        assert await background(page) != light
        await page.reload(wait_until="domcontentloaded")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await page.get_by_test_id("theme-toggle").click()
        assert await background(page) == light


async def background(page: "Page") -> str:
    return str(await page.evaluate("getComputedStyle(document.body).backgroundColor"))


async def test_attachments_both_ways(playground: Playground, page: "Page", tmp_path: Path) -> None:
    async with running(playground, tiny_bot()) as bot, Person(playground.url) as anna:
        await page.goto(playground.url, wait_until="domcontentloaded")
        await page.get_by_test_id("start").click()
        await page.get_by_test_id("attach").click()
        await page.get_by_test_id("sticker").first.click()
        await anna.wait_message("That is a sticker")
        await page.get_by_test_id("attach").click()
        await page.get_by_test_id("attach-mic").click()
        await anna.wait_message("That is a voice")
        await page.get_by_test_id("file").set_input_files(
            files={"name": "list.txt", "mimeType": "text/plain", "buffer": b"milk"}
        )
        await anna.wait_message("That is a document")

        await bot.send_document(1001, BufferedInputFile("молоко".encode(), "Список.md"))

        await expect(page.get_by_test_id("document")).to_have_count(2)
        async with page.expect_download() as waiting:
            await page.get_by_test_id("document").last.click()
        download = await waiting.value
        assert download.suggested_filename == "Список.md"
        saved = tmp_path / "saved"
        await download.save_as(saved)
        assert await asyncio.to_thread(saved.read_text, encoding="utf-8") == "молоко"


async def test_a_growing_answer_can_be_stopped(
    playground: Playground, api: Bot, page: "Page"
) -> None:
    await api.send_message(1001, "hi")
    await page.goto(playground.url, wait_until="domcontentloaded")
    await expect(page.locator(ONLINE)).to_be_visible()
    await api.send_chat_action(1001, "typing")
    await expect(page.get_by_test_id("typing")).to_be_visible()
    await api.send_message_draft(1001, 2**60 + 1, can_stop=True)
    await expect(page.get_by_test_id("draft")).to_contain_text("Думает")
    await api.send_message_draft(1001, 2**60 + 1, text="One two", can_stop=True)
    await expect(page.get_by_test_id("draft")).to_contain_text("One two")

    await page.get_by_test_id("draft-stop").click()

    await expect(page.get_by_test_id("draft")).to_have_count(0)
    [update] = await api.get_updates()
    assert update.stopped_message_generation is not None
    assert update.stopped_message_generation.draft_id == 2**60 + 1


async def test_the_page_comes_back_after_a_restart(page: "Page", tmp_path: Path) -> None:
    state = tmp_path / "playground.json"
    first = Playground(port=0, state_path=state)
    await first.start()
    async with Person(first.url) as anna:
        await anna.send("before")
    await page.goto(first.url, wait_until="domcontentloaded")
    await expect(page.get_by_test_id("message")).to_have_count(1)
    await first.close()
    await expect(page.get_by_test_id("status")).to_have_attribute("data-connected", "false")

    port = int(first.url.rsplit(":", 1)[1].rstrip("/"))
    async with Playground(port=port, state_path=state) as second, Person(second.url) as anna:
        await expect(page.locator(ONLINE)).to_be_visible()
        await anna.send("after")
        await expect(page.get_by_test_id("text")).to_have_text(["before", "after"])


EVERY_ENTITY = """<b>bold <i>both</i></b> <u>under</u> <s>strike</s>
<tg-spoiler>hidden</tg-spoiler>
<code>inline</code> <a href="https://example.com/x">link</a> /help @durov
<pre><code class="language-python">print("&lt;b&gt;")</code></pre>
<blockquote>quote</blockquote>
<blockquote expandable>one
two
three
four
five</blockquote>"""


async def test_texts_are_drawn_by_their_entities(playground: Playground, page: "Page") -> None:
    async with running(playground, tiny_bot()) as bot, Person(playground.url) as anna:
        sent = await bot.send_message(1001, EVERY_ENTITY, parse_mode="HTML")
        await page.goto(playground.url, wait_until="domcontentloaded")
        text = page.locator(f'[data-message-id="{sent.message_id}"]').get_by_test_id("text")

        await expect(text.locator("b > i")).to_have_text("both")
        await expect(text.locator("u")).to_have_text("under")
        await expect(text.locator("s")).to_have_text("strike")
        await expect(text.locator("code")).to_have_text("inline")
        await expect(text.locator("pre")).to_have_text('print("<b>")')
        await expect(text.locator(".block-head")).to_have_text("python")
        await expect(text.locator("blockquote").first).to_have_text("quote")
        link = text.get_by_role("link")
        await expect(link).to_have_attribute("href", "https://example.com/x")
        await expect(link).to_have_attribute("rel", "noopener noreferrer")

        await text.locator(".spoiler").click()
        await expect(text.locator(".spoiler.open")).to_have_text("hidden")
        more = text.locator(".expandable button")
        await expect(more).to_have_attribute("aria-expanded", "false")
        await more.click()
        await expect(more).to_have_attribute("aria-expanded", "true")
        await text.get_by_test_id("command").click()
        await anna.wait_message("/help", after=sent.message_id)


async def test_the_last_own_text_is_edited_with_the_arrow(
    playground: Playground, page: "Page"
) -> None:
    async with Person(playground.url) as anna:
        sent = await anna.send("tpyo")
        await page.goto(playground.url, wait_until="domcontentloaded")
        await expect(page.get_by_test_id("message")).to_have_count(1)
        await page.get_by_test_id("composer").press("ArrowUp")
        await expect(page.get_by_test_id("composer")).to_have_value("tpyo")

        await page.get_by_test_id("composer").fill("typo")
        await page.keyboard.press("Enter")

        await anna.wait_text(sent, "typo")
        await expect(page.get_by_test_id("message")).to_contain_text("изменено")
        await expect(page.get_by_test_id("reply-bar")).to_be_hidden()


async def test_nothing_sticks_out_on_a_narrow_phone(playground: Playground, page: "Page") -> None:
    async with running(playground, tiny_bot()) as bot:
        await page.set_viewport_size({"width": 360, "height": 640})
        long = "w" * 300
        row = keyboard(button(long, "a"), button("B", "b"), button("C", "c"))
        await bot.send_message(1001, f"<pre>{long}</pre> {long}", parse_mode="HTML")
        await bot.send_message(1001, long, reply_markup=row)
        await page.goto(playground.url, wait_until="domcontentloaded")
        await expect(page.get_by_test_id("message")).to_have_count(2)
        await page.get_by_test_id("composer").fill("line\n" * 40)

        width = await page.evaluate("""() => Math.max(...[...document.querySelectorAll(
            "header, header *, .message, .bubble, .key, .composer, .composer *"
        )].map((node) => node.getBoundingClientRect().right))""")

        assert width <= 360
        await expect(page.get_by_test_id("user-switch")).to_be_visible()
        await expect(page.get_by_test_id("send")).to_be_in_viewport()


REPLY = "reply-bar"
COMMANDS = (
    BotCommand(command="fork", description="Copy"),
    BotCommand(command="list", description="All"),
)


def quotes(message: Message) -> str:
    quoted = message.reply_to_message
    what = message.text or ContentType(message.content_type).value
    return f"{what} > {quoted.text if quoted else None}"


def asking_bot() -> Dispatcher:
    """Make a bot that says what a message was and what it answered; /ask opens a reply."""
    dispatcher = Dispatcher()

    @dispatcher.message(F.text == "/ask")
    async def ask(message: Message) -> None:
        row = keyboard(button("Cancel", "cancel"), force_reply=True)
        await message.answer("New name?", reply_markup=row)

    @dispatcher.message()
    async def say(message: Message) -> None:
        await message.answer(quotes(message))

    @dispatcher.callback_query()
    async def cancel(query: CallbackQuery) -> None:
        await query.answer()
        assert isinstance(query.message, Message)
        row = keyboard(button("Back", "back"))
        await query.message.edit_text("The name stays", reply_markup=row)

    return dispatcher


async def is_asked(page: "Page") -> None:
    await page.get_by_test_id("composer").fill("/ask")
    await page.get_by_test_id("send").click()
    await expect(page.get_by_test_id(REPLY)).to_contain_text("New name?")


async def said(page: "Page", text: str) -> None:
    last = page.locator('[data-testid="message"][data-out="false"]').last
    await expect(last.get_by_test_id("text")).to_have_text(text)


async def test_a_command_from_the_list_is_sent_as_the_reply(
    playground: Playground, page: "Page"
) -> None:
    async with running(playground, asking_bot(), *COMMANDS) as bot:
        sent = await bot.send_message(1001, "An answer with /list")
        await page.goto(playground.url, wait_until="domcontentloaded")
        answer = page.locator(f'[data-message-id="{sent.message_id}"]')
        await answer.hover()
        await answer.get_by_test_id("reply").click()
        await page.get_by_test_id("composer").fill("/fork")
        await expect(page.get_by_test_id("commands")).to_be_visible()
        await page.keyboard.press("Enter")

        await said(page, "/fork > An answer with /list")
        await expect(page.get_by_test_id(REPLY)).to_be_hidden()
        await expect(page.get_by_test_id("composer")).to_have_value("")

        await is_asked(page)
        await answer.get_by_test_id("command").click()
        await said(page, "/list > New name?")
        await expect(page.get_by_test_id(REPLY)).to_be_hidden()

        await page.get_by_test_id("composer").fill("And a question")
        await page.get_by_test_id("menu-button").click()
        await page.get_by_test_id("command-option").first.click()
        await said(page, "/fork > None")
        await expect(page.get_by_test_id("composer")).to_have_value("And a question")
        await page.get_by_test_id("composer").press("Enter")
        await said(page, "And a question > None")


async def test_attachments_are_sent_as_the_reply(playground: Playground, page: "Page") -> None:
    file: FilePayload = {"name": "chats", "mimeType": "text/plain", "buffer": b"{}"}
    async with running(playground, asking_bot(), *COMMANDS):
        await page.goto(playground.url, wait_until="domcontentloaded")
        await page.get_by_test_id("start").click()
        await is_asked(page)
        await page.get_by_test_id("file").set_input_files(files=file)
        await said(page, "document > New name?")
        await expect(page.get_by_test_id(REPLY)).to_be_hidden()

        for kind, attached in (("sticker", "sticker"), ("voice", "attach-mic")):
            await is_asked(page)
            await page.get_by_test_id("attach").click()
            await page.get_by_test_id(attached).first.click()
            await said(page, f"{kind} > New name?")
            await expect(page.get_by_test_id(REPLY)).to_be_hidden()

        await page.get_by_test_id("attach").click()
        await page.get_by_test_id("sticker").first.click()
        await said(page, "sticker > None")


async def test_what_did_not_go_out_can_be_sent_again_as_the_same_reply(
    playground: Playground, page: "Page"
) -> None:
    file: FilePayload = {"name": "chats.json", "mimeType": "application/json", "buffer": b"{}"}
    await page.route("**/document", lambda route: route.abort())
    async with running(playground, asking_bot(), *COMMANDS):
        await page.goto(playground.url, wait_until="domcontentloaded")
        await page.get_by_test_id("start").click()
        await is_asked(page)
        await page.get_by_test_id("composer").fill("all of them")
        await page.get_by_test_id("file").set_input_files(files=file)

        await expect(page.get_by_test_id("toast")).to_be_visible()
        await expect(page.get_by_test_id(REPLY)).to_contain_text("New name?")
        await expect(page.get_by_test_id("composer")).to_have_value("all of them")
        await page.get_by_test_id("composer").press("Enter")
        await said(page, "all of them > New name?")


async def test_a_cancelled_question_closes_the_reply(playground: Playground, page: "Page") -> None:
    async with running(playground, asking_bot(), *COMMANDS) as bot:
        await page.goto(playground.url, wait_until="domcontentloaded")
        await page.get_by_test_id("start").click()
        await is_asked(page)
        await page.get_by_test_id("composer").fill("A question")
        question = page.locator('[data-testid="message"][data-out="false"]').last

        await question.get_by_test_id("button").click()

        await expect(question.get_by_test_id("text")).to_have_text("The name stays")
        await expect(page.get_by_test_id(REPLY)).to_be_hidden()
        await page.get_by_test_id("composer").press("Enter")
        await said(page, "A question > None")
        await page.reload(wait_until="domcontentloaded")
        await expect(page.locator(ONLINE)).to_be_visible()
        await expect(page.get_by_test_id(REPLY)).to_be_hidden()

        # One who answers an edited message of another kind still does so.
        sent = await bot.send_message(1001, "On its way")
        answer = page.locator(f'[data-message-id="{sent.message_id}"]')
        await answer.hover()
        await answer.get_by_test_id("reply").click()
        await bot.edit_message_text("Here it is", chat_id=1001, message_id=sent.message_id)
        await expect(page.get_by_test_id(REPLY)).to_contain_text("Here it is")
        await bot.delete_message(1001, sent.message_id)
        await expect(page.get_by_test_id(REPLY)).to_be_hidden()


async def test_an_open_question_is_asked_again_after_a_reload(
    playground: Playground, page: "Page"
) -> None:
    async with running(playground, asking_bot(), *COMMANDS) as bot:
        await page.goto(playground.url, wait_until="domcontentloaded")
        await page.get_by_test_id("start").click()
        await is_asked(page)
        await bot.send_message(1001, "By the way")

        await page.reload(wait_until="domcontentloaded")

        await expect(page.get_by_test_id(REPLY)).to_contain_text("New name?")
        await page.get_by_test_id("composer").fill("Hotel")
        await page.keyboard.press("Enter")
        await said(page, "Hotel > New name?")
        await page.reload(wait_until="domcontentloaded")
        await expect(page.locator(ONLINE)).to_be_visible()
        await expect(page.get_by_test_id(REPLY)).to_be_hidden()

        await is_asked(page)
        await page.get_by_test_id("user-1002").click()
        await expect(page.get_by_test_id(REPLY)).to_be_hidden()
        await page.get_by_test_id("user-1001").click()
        await expect(page.get_by_test_id(REPLY)).to_contain_text("New name?")


async def test_a_dismissed_question_stays_so_over_a_lost_connection(
    page: "Page", tmp_path: Path
) -> None:
    state = tmp_path / "playground.json"
    first = Playground(port=0, state_path=state)
    await first.start()
    async with running(first, asking_bot(), *COMMANDS):
        await page.goto(first.url, wait_until="domcontentloaded")
        await page.get_by_test_id("start").click()
        await is_asked(page)
        await page.get_by_test_id("reply-cancel").click()
    await first.close()
    await expect(page.get_by_test_id("status")).to_have_attribute("data-connected", "false")

    port = int(first.url.rsplit(":", 1)[1].rstrip("/"))
    async with Playground(port=port, state_path=state):
        await expect(page.locator(ONLINE)).to_be_visible()
        await expect(page.get_by_test_id(REPLY)).to_be_hidden()
        await page.reload(wait_until="domcontentloaded")
        await expect(page.get_by_test_id(REPLY)).to_contain_text("New name?")


RICH = r"""# Head &lt;img src=x onerror=alert(1)>

A **bold** [link](https://example.com/x) with $x<y$

| Place | <u>Hours</u> |
|:--|--:|
| &lt;script>alert(1)&lt;/script> | 6 |

- [x] done
- [ ] open
  1. first

```python
print("<b>")
```

$$\int_0^1$$

> quote

---

<details><summary>More &lt;b></summary>

hidden *words*

</details>
"""


async def test_a_rich_message_is_drawn_by_its_blocks(playground: Playground, page: "Page") -> None:
    async with running(playground, tiny_bot()) as bot:
        await page.set_viewport_size({"width": 360, "height": 640})
        wide = "|x" * 20 + "|\n" + "|-" * 20 + "|\n" + f"|{'word ' * 4}" * 20 + "|"
        message = InputRichMessage(markdown=f"{RICH}\n\n{wide}\n\n{'w' * 300}")
        await bot.send_rich_message(1001, message, reply_markup=keyboard(button("Go", "go")))
        await page.goto(playground.url, wait_until="domcontentloaded")
        text = page.get_by_test_id("text")

        await expect(text.locator("h1")).to_have_text("Head <img src=x onerror=alert(1)>")
        await expect(text.locator("p > b")).to_have_text("bold")
        await expect(text.get_by_role("link")).to_have_attribute("href", "https://example.com/x")
        await expect(text.locator("p > code")).to_have_text("x<y")
        await expect(text.locator(".formula")).to_have_text("∫₀¹")
        table = text.get_by_role("table").first
        await expect(table.get_by_role("columnheader")).to_have_text(["Place", "Hours"])
        await expect(table.get_by_role("cell")).to_have_text(["<script>alert(1)</script>", "6"])
        await expect(table.get_by_role("cell").last).to_have_css("text-align", "right")
        await expect(text.get_by_role("checkbox").first).to_be_checked()
        await expect(text.get_by_role("checkbox").last).not_to_be_checked()
        await expect(text.get_by_role("listitem").last).to_have_text("1.first")
        await expect(text.locator("pre")).to_have_text('print("<b>")')
        await expect(text.locator("blockquote")).to_have_text("quote")
        await expect(text.locator("hr")).to_have_count(1)
        await expect(text.locator("details i")).to_be_hidden()
        await text.get_by_text("More <b>").click()
        await expect(text.locator("details i")).to_have_text("words")
        await expect(page.locator("img, script:not([src])")).to_have_count(0)
        right = await page.evaluate("""() => Math.max(...[...document.querySelectorAll(
            ".message, .bubble, .bubble > *, .rich > *"
        )].map((node) => node.getBoundingClientRect().right))""")
        assert right <= 360

        await page.locator('[data-message-id="1"]').hover()
        await page.get_by_test_id("reply").click()
        await expect(page.get_by_test_id(REPLY)).to_contain_text(
            "Head <img src=x onerror=alert(1)>"
        )
        await page.get_by_test_id("composer").fill("And?")
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("quoted")).to_contain_text("A bold link with x<y Place")
