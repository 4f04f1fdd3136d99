"""Searching in the bot: by command, button, link and reply; from a hit to its message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import SendMessage
from aiogram.types import Message

from bot.callbacks import HitButton, SearchAction, SearchButton, message_mark, owner_mark
from bot.search_links import is_link, query_of_link, start_parameter
from conversations import ConversationManager, ConversationMessage
from tests.chats import fill, question
from tests.telegram import Client, FakeTelegram, MakeClient, keyboard_of

GROUP = -1001234


def answer(number: int, text: str, **facts: Any) -> ConversationMessage:
    time = datetime(2026, 11, 22, 12, number % 60, tzinfo=UTC)
    return ConversationMessage(time.isoformat(), number, "bot_answer", text, **facts)


def bold(message: Message) -> list[str]:
    """Give what is bold in a message, but for its first line."""
    entities = [e for e in message.entities or [] if e.type == "bold" and e.offset]
    return [e.extract_from(message.text or "") for e in entities]


def quoted(message: Message) -> list[str]:
    quotes = [e for e in message.entities or [] if e.type == "blockquote"]
    return [quote.extract_from(message.text or "") for quote in quotes]


async def travels(manager: ConversationManager, user_id: int = 1001) -> tuple[str, str]:
    """Two chats: one about Rome, and a newer one, active, about dinner."""
    rome, dinner = await fill(manager, user_id, 2)
    await manager.rename_conversation(user_id, rome, "Hotels in Rome")
    await manager.rename_conversation(user_id, dinner, "Dinner")
    await manager.add_message(user_id, rome, question(1, "Which HOTEL is near the station?"))
    await manager.add_message(user_id, rome, answer(2, "The **Hotel Roma**, and `Hostel 5`."))
    await manager.add_message(user_id, dinner, question(3, "Does the hotel have a kitchen?"))
    return rome, dinner


async def test_what_is_found_is_shown_where_it_is(
    client: Client, manager: ConversationManager
) -> None:
    await travels(manager)
    await client.send("/search  hotel ")
    assert client.text == (
        "🔎 hotel\n4 matches\n\n"
        "1. 💬 Hotels in Rome · the name\n\n"
        "2. 💬 Dinner · You · 01.01.2026\nDoes the hotel have a kitchen?\n\n"
        "3. 💬 Hotels in Rome · You · 01.01.2026\nWhich HOTEL is near the station?\n\n"
        "4. 💬 Hotels in Rome · Bot · 22.11.2026\nThe Hotel Roma, and Hostel 5."
    )
    assert bold(client.screen) == ["Hotel", "hotel", "HOTEL", "Hotel"]
    assert client.labels == [
        "1 · Hotels in Rome", "2 · Dinner", "3 · Hotels in Rome", "4 · Hotels in Rome",
        "🔎 Search", "‹ Chats",
    ]  # fmt: skip


async def test_a_tap_opens_the_chat_and_leads_to_the_message(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    rome, _ = await travels(manager)
    await client.send("/search hotel")
    results = client.screen
    await client.press("4 · ")
    assert await manager.get_active_conversation_id(1001) == rome
    assert client.toasts == ["“Hotels in Rome” is open"]
    hit = client.screen
    assert hit.text == "💬 Hotels in Rome\nBot · 22.11.2026\nThe Hotel Roma, and Hostel 5."
    assert bold(hit) == ["Hotel"]
    assert client.labels == ["Open “Hotels in Rome”"]
    reply = telegram.of(SendMessage)[-1].reply_parameters
    assert (reply.message_id, reply.allow_sending_without_reply) == (2, True)
    assert telegram.messages[1001, results.message_id]["text"] == results.text, "the rest stays"
    await client.press("3 · ", results)
    assert telegram.of(SendMessage)[-1].reply_parameters.message_id == 1


async def test_a_name_that_was_found_leads_to_its_chat(
    client: Client, manager: ConversationManager
) -> None:
    rome, _ = await travels(manager)
    await client.send("/search rome")
    await client.press("1 · ")
    assert await manager.get_active_conversation_id(1001) == rome
    assert client.text.startswith("💬 Hotels in Rome\n2 messages")
    assert client.toasts == ["“Hotels in Rome” is open"]


async def test_words_by_a_button_and_a_reply(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    await travels(manager)
    await client.send("/chats")
    await client.press("🔎 Search")
    prompt = client.screen
    assert prompt.text == (
        "🔎 What shall I look for?\n"
        "Answer this message with words from a name, a question or an answer."
    )
    assert keyboard_of(prompt).force_reply
    await client.reply("station\nHOTEL", prompt)
    assert client.text.startswith("🔎 station HOTEL\n1 match\n")
    assert (1001, prompt.message_id) not in telegram.messages, "the prompt has done its work"


async def test_a_search_can_be_given_up(client: Client, manager: ConversationManager) -> None:
    await travels(manager)
    await client.send("/search")
    prompt = client.screen
    await client.press("Cancel")
    assert client.text.startswith("💬 2 chats")
    assert client.screen.message_id == prompt.message_id
    await client.ask("station")
    assert "You wrote: station" in client.text, "a question is never eaten as words"


async def test_a_command_as_reply_is_a_command(
    client: Client, manager: ConversationManager
) -> None:
    await travels(manager)
    await client.send("/search")
    await client.reply("/chats", client.screen)
    assert client.text.startswith("💬 2 chats")


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("?!", "There is nothing to look for in that."),
        ("\u200b \u202e", "There is nothing to look for in that."),
        ("x" * 201, "That is too long to look for. Please send at most 200 characters."),
        ("слово " * 682, "That is too long to look for."),
    ],
)
async def test_what_cannot_be_looked_for_is_asked_anew(
    client: Client, manager: ConversationManager, words: str, refusal: str
) -> None:
    await travels(manager)
    await client.send(f"/search {words}")
    assert client.telegram.texts_in(1001)[-2].startswith(refusal)
    await client.reply(words, client.screen)
    assert client.telegram.texts_in(1001)[-2].startswith(refusal)
    await client.reply("station", client.screen)
    assert client.text.startswith("🔎 station\n1 match\n")


async def test_a_sticker_is_no_word(client: Client) -> None:
    sticker = {
        "file_id": "x", "file_unique_id": "x", "type": "regular", "width": 1, "height": 1,
        "is_animated": False, "is_video": False,
    }  # fmt: skip
    await client.send("/search")
    await client.reply(None, client.screen, sticker=sticker)
    assert client.telegram.texts_in(1001)[-2] == ("I can look for words only. Please write some.")


@pytest.mark.parametrize(
    "words", ["nothing.*", "(a|b", "50%_%", "'; drop", "*bold*", "<b>", "{ $x }"]
)
async def test_nothing_is_found(client: Client, manager: ConversationManager, words: str) -> None:
    await travels(manager)
    await client.send(f"/search {words}")
    assert client.text == (
        f"🔎 {words}\nNothing found. A shorter word finds more: the beginning is enough."
    )
    assert client.labels == ["🔎 Search", "‹ Chats"]


async def test_pages(client: Client, manager: ConversationManager) -> None:
    [chat] = await fill(manager, 1001, 1)
    for number in range(1, 13):
        await manager.add_message(1001, chat, question(number, f"word {number}"))
    await client.send("/search word")
    assert client.text.startswith(
        "🔎 word\n12 matches\n\n1. 💬 Chat 1 · You · 01.01.2026\nword 12"
    )
    assert client.labels[:5] == [f"{number} · Chat 1" for number in range(1, 6)]
    assert client.labels[5:] == ["1/3", "›", "🔎 Search", "‹ Chats"]
    await client.press("›")
    await client.press("›")
    assert client.labels == [
        "11 · Chat 1", "12 · Chat 1", "‹", "3/3", "🔎 Search", "‹ Chats",
    ]  # fmt: skip
    assert "12. 💬 Chat 1 · You · 01.01.2026\nword 1" in client.text
    await client.press("12 · ")
    assert client.telegram.of(SendMessage)[-1].reply_parameters.message_id == 1


async def test_a_page_that_is_gone_becomes_the_last_one(
    client: Client, manager: ConversationManager
) -> None:
    chats = await fill(manager, 1001, 12)
    await client.send("/search chat")
    results = client.screen
    for chat in chats[:9]:
        await manager.delete_conversation(1001, chat)
    await client.press("›")
    assert client.text.startswith("🔎 chat\n3 matches\n")
    assert client.labels[:3] == ["1 · Chat 12", "2 · Chat 11", "3 · Chat 10"]
    await client.press_data(SearchButton(action=SearchAction.PAGE, page=-3).pack(), results)
    assert client.labels[:3] == ["1 · Chat 12", "2 · Chat 11", "3 · Chat 10"]


async def test_a_page_of_no_results_is_outdated(
    client: Client, manager: ConversationManager
) -> None:
    await fill(manager, 1001, 1)
    await client.send("/help")
    await client.press_data(SearchButton(action=SearchAction.PAGE, page=1).pack())
    old = {"message_id": 5, "date": 0, "chat": {"id": 1001, "type": "private"}}
    await client.press_data(SearchButton(action=SearchAction.PAGE, page=1).pack(), old)
    assert client.toasts == ["This menu is outdated, here is a fresh one."] * 2
    assert client.text.startswith("💬 1 chat")


async def test_very_many_matches(client: Client, manager: ConversationManager) -> None:
    await fill(manager, 1001, 102)
    await client.send("/search chat")
    assert client.text.startswith("🔎 chat\nMore than 100 matches; the latest are shown\n")
    assert "1/20" in client.labels


async def test_a_chat_deleted_since_is_told(client: Client, manager: ConversationManager) -> None:
    rome, dinner = await travels(manager)
    await client.send("/search hotel")
    results = client.screen
    await manager.delete_conversation(1001, rome)
    for number in ("1 · ", "3 · "):
        await client.press_data(client.button(number, results).callback_data or "", results)
    assert client.toasts == ["That chat is deleted."] * 2
    assert client.text.startswith("💬 1 chat")
    assert await manager.get_active_conversation_id(1001) == dinner


async def test_a_message_that_is_gone_since_leads_to_its_chat(
    client: Client, manager: ConversationManager
) -> None:
    rome, _ = await travels(manager)
    await client.send("/search hostel")
    await manager.remove_last_exchange(1001, rome)
    await client.press("1 · ")
    assert client.text.startswith("💬 Hotels in Rome\n")
    assert await manager.get_active_conversation_id(1001) == rome


async def test_an_edited_question_is_still_led_to(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    await client.ask("Where is the station?")
    await client.send("/search station")
    results = client.screen
    message = client.message("Where is the stadium?") | {"message_id": 1}
    await client.feed(edited_message=message)
    await client.press("2 · ", results)
    assert quoted(client.screen) == ["Where is the stadium?"]
    assert telegram.of(SendMessage)[-1].reply_parameters.message_id == 1


async def test_a_message_of_another_dialog_is_quoted_only(
    make_client: MakeClient, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await manager.add_message(1001, chat, answer(5, "found in a group", dialog_id=GROUP))
    await manager.add_message(1001, chat, answer(0, "found unsent"))
    private, group = make_client(1001), make_client(1001, chat_id=GROUP)
    for client, place, replied in (
        (private, "2 · ", None), (private, "1 · ", None),
        (group, "2 · ", 5), (group, "1 · ", None),
    ):  # fmt: skip
        await client.send("/search found")
        await client.press(place)
        reply = telegram.of(SendMessage)[-1].reply_parameters
        assert (reply.message_id if reply else None) == replied
        assert quoted(client.screen)[0].startswith("found")


async def test_where_telegram_refuses_the_reply_the_quote_is_there(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    await travels(manager)
    await client.send("/search hostel")
    method = SendMessage(chat_id=1001, text="x")
    telegram.refuse(SendMessage, TelegramBadRequest(method, "Bad Request: TOPIC_CLOSED"))
    await client.press("1 · ")
    assert quoted(client.screen) == ["The Hotel Roma, and Hostel 5."]
    assert telegram.of(SendMessage)[-1].reply_parameters is None


@pytest.mark.parametrize(("days", "is_it"), [(0, True), (400, False)])
async def test_another_message_of_the_same_number_is_not_led_to(
    client: Client, manager: ConversationManager, telegram: FakeTelegram, days: int, is_it: bool
) -> None:
    """A chat that came from elsewhere has the numbers of another dialog."""
    await client.send("/help")
    number = client.screen.message_id
    [chat] = await fill(manager, 1001, 1)
    time = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    said = ConversationMessage(time, number, "bot_answer", "from elsewhere")
    await manager.add_message(1001, chat, said)
    await client.send("/search elsewhere")
    before = len(telegram.texts_in(1001))
    await client.press("1 · ")
    assert quoted(client.screen) == ["from elsewhere"]
    replied = telegram.of(SendMessage)[-1].reply_parameters
    assert (replied is not None) == is_it
    assert len(telegram.texts_in(1001)) == before + 1, "nothing misleading is left"


class TestOthers:
    async def test_forged_hits_change_and_show_nothing(
        self, client: Client, manager: ConversationManager
    ) -> None:
        rome, _ = await travels(manager, 2002)
        [mine] = await fill(manager, 1001, 1)
        await client.send("/chats")
        [foreign] = await manager.search_messages(2002, "hostel")
        mark = message_mark(foreign.message) if foreign.message else ""
        for chat in (rome, "unknown", "index", "../x", ""):
            await client.press_data(HitButton(chat=chat, message=mark).pack())
        await client.press_data(HitButton(chat=mine, message=mark).pack())
        shown = "".join(client.telegram.texts_in(1001))
        assert "Rome" not in shown
        assert "Hostel" not in shown
        assert client.toasts == ["There is no such chat."] * 5 + ["“Chat 1” is open"]
        assert await manager.get_active_conversation_id(2002) != rome

    async def test_a_forged_page_shows_only_ones_own_chats(
        self, make_client: MakeClient, manager: ConversationManager
    ) -> None:
        await travels(manager)
        await fill(manager, 2002, 1)
        owner, other = make_client(1001, chat_id=GROUP), make_client(2002, chat_id=GROUP)
        await owner.send("/search hotel")
        data = SearchButton(action=SearchAction.PAGE, owner=owner_mark(2002, GROUP))
        await other.press_data(data.pack(), owner.screen)
        assert other.text.startswith("🔎 hotel\nNothing found.")
        assert len(await manager.list_conversations(1001)) == 2

    async def test_in_a_group_results_are_for_the_one_who_searched(
        self, make_client: MakeClient, manager: ConversationManager
    ) -> None:
        _, dinner = await travels(manager)
        await fill(manager, 2002, 1)
        owner, other = make_client(1001, chat_id=GROUP), make_client(2002, chat_id=GROUP)
        await owner.send("/search")
        prompt = owner.screen
        await other.reply("chat", prompt)
        assert other.text == "This is somebody else's menu. /chats shows yours."
        await owner.reply("hotel", prompt)
        results = owner.screen
        for label in ("1 · ", "🔎 Search", "‹ Chats"):
            await other.press(label, results)
        assert other.toasts == ["This is somebody else's menu. /chats shows yours."] * 3
        assert await manager.get_active_conversation_id(1001) == dinner
        await owner.press("3 · ", results)
        assert owner.text.startswith("💬 Hotels in Rome\nYou")


async def test_names_and_words_with_markup_stay_inert(
    client: Client, manager: ConversationManager
) -> None:
    await manager.create_conversation(1001, "x", "<b>bold</b> *star* @anna")
    await manager.create_conversation(1001, "x", "שלום עולם")
    await client.send("/search *star* <b>bold</b> @anna")
    assert "1. 💬 <b>bold</b> *star* @anna · the name" in client.text
    assert {entity.type for entity in client.screen.entities or []} == {"bold"}
    await client.send("/search \u202eשלום")
    assert client.text.startswith("🔎 שלום\n1 match\n")
    await client.press("1 · ")
    assert client.text.startswith("💬 שלום עולם")


async def test_bold_is_where_the_words_are_behind_emoji(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    text = "😀" * 300 + " начало 👨‍👩‍👧‍👦 Отель №1 и ещё отели " + "👨‍👩‍👧‍👦" * 300
    await manager.add_message(1001, chat, question(1, text))
    await client.send("/search отел no1")
    assert bold(client.screen) == ["Отел", "№1", "отел"]
    [excerpt] = quoted(client.screen)
    assert len(excerpt) <= 162
    assert excerpt.startswith("…")
    assert excerpt.endswith("👨‍👩‍👧‍👦…"), "cut between characters as a person sees them"
    await client.press("1 · ")
    assert bold(client.screen)[-3:] == ["Отел", "№1", "отел"]


@pytest.mark.parametrize(
    ("text", "words", "excerpt"),
    [
        ("x" * 5000 + " слово", "слово", None),
        ("слово" + "x" * 5000, "слово", "слово" + "x" * 155 + "…"),
        ("a\u0301" * 3000 + " слово", "слово", None),
        ("e" + "\u0301" * 4000 + " слово", "слово", None),
        ("one two " * 500 + "слово один слово два", "слово", None),
    ],
)
async def test_long_texts_are_cut_around_the_words(
    client: Client, manager: ConversationManager, text: str, words: str, excerpt: str | None
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await manager.add_message(1001, chat, question(1, text))
    await client.send(f"/search {words}")
    [shown] = quoted(client.screen)
    assert "слово" in shown or excerpt
    assert len(shown) <= 170
    if excerpt:
        assert shown == excerpt


async def test_a_long_answer_in_markdown_is_quoted_as_it_looked(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    table = "\n\n".join(
        f"## Part {n}\n\n- **item** `{n}` [link](https://x.org/{n})" for n in range(200)
    )
    await manager.add_message(
        1001, chat, answer(1, table + "\n\nA **rare** _word_ here\n\n" + table)
    )
    await client.send("/search rare word")
    [shown] = quoted(client.screen)
    assert "A rare word here" in shown
    assert "**" not in shown
    assert bold(client.screen) == ["rare", "word"]


async def test_words_that_only_the_markdown_has_are_shown_too(
    client: Client, manager: ConversationManager
) -> None:
    [chat] = await fill(manager, 1001, 1)
    await manager.add_message(1001, chat, answer(1, "see [here](https://example.org/rare)"))
    await client.send("/search rare")
    assert bold(client.screen) == ["rare"]


async def test_many_long_hits_fit_into_one_message(
    client: Client, manager: ConversationManager
) -> None:
    for number in range(5):
        chat = await manager.create_conversation(1001, "x", "x")
        await manager.rename_conversation(1001, chat, "😀" * 64)
        await manager.add_message(1001, chat, question(number, "слово " + "👍🏽" * 2000))
    await client.send("/search " + "слово " * 33)  # the wire refuses more than 4096 UTF-16 units
    assert "5 matches" in client.text


async def test_russian_people_read_russian(
    make_client: MakeClient, manager: ConversationManager
) -> None:
    anna = make_client(2002, "ru")
    await fill(manager, 2002, 22)
    await anna.send("/search chat")
    assert anna.text.startswith("🔎 chat\n22 совпадения\n\n1. 💬 Chat 22 · имя\n")
    await anna.send("/search")
    assert anna.text.startswith("🔎 Что найти?\n")


class TestLinks:
    @pytest.mark.parametrize("query", ["отель у вокзала", "hotel", "", "x" * 45, "😀"])
    def test_words_go_there_and_back(self, query: str) -> None:
        parameter = start_parameter(query)
        assert is_link(parameter)
        assert len(parameter) <= 64
        assert query_of_link(parameter) == query

    def test_what_is_too_long_is_left_out(self) -> None:
        assert query_of_link(start_parameter("x" * 46)) == ""

    @pytest.mark.parametrize("parameter", ["cvs", "cvs!", "cvsA", "cvs____", "cvs" + "é"])
    async def test_a_link_of_somebody_else_asks_for_words(
        self, client: Client, parameter: str
    ) -> None:
        await client.send(f"/start {parameter}")
        assert client.text.startswith("🔎 What shall I look for?")

    async def test_a_link_searches(self, client: Client, manager: ConversationManager) -> None:
        await travels(manager)
        await client.send(f"/start {start_parameter('hostel')}")
        assert client.text.startswith("🔎 hostel\n1 match\n")
        await client.send("/start other")
        assert client.text.startswith("👋")


def test_the_longest_button_of_a_hit_fits_into_64_bytes() -> None:
    owner = owner_mark(78_364_164_095, -1)
    for length in range(1, 49):
        data = HitButton.to("x" * length, question(2**53, "x"), owner).pack()
        assert len(data) <= 64
        assert bool(HitButton.unpack(data).message) == (length <= 43)
