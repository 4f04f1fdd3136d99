"""`@our_bot words` in any dialog: hits while one types, and the way from one to its chat."""

from __future__ import annotations

from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import AnswerInlineQuery, SendMessage

from bot import create_router
from bot.search_links import hit_of_link, hit_parameter, query_of_link
from conversations import ConversationManager, SearchHit, StorageError
from tests.chats import fill, question
from tests.storages import new_chat
from tests.telegram import Client, FakeTelegram, MakeClient


async def travels(manager: ConversationManager, user_id: int = 1001) -> tuple[str, str]:
    rome, dinner = await fill(manager, user_id, 2)
    await manager.rename_conversation(user_id, rome, "Hotels in Rome")
    await manager.add_message(user_id, rome, question(1, "Which *HOTEL* is near?"))
    return rome, dinner


async def typed(client: Client, query: str, offset: str = "") -> Any:
    """Give the answer to an inline query."""
    *_, answer = await client.type(query, offset)
    return answer


def link_of(result: Any) -> str:
    """Give what the button of a result hands to the bot."""
    [[button]] = result.reply_markup.inline_keyboard
    address, _, parameter = button.url.partition("?start=")
    assert address == "https://t.me/test_bot"
    return str(parameter)


async def test_hits_while_one_types(client: Client, manager: ConversationManager) -> None:
    rome, _ = await travels(manager)
    answer = await typed(client, " hotel")
    assert (answer.is_personal, answer.next_offset) == (True, "")
    assert 0 < answer.cache_time <= 10
    assert query_of_link(answer.button.start_parameter) == "hotel"
    name, found = answer.results
    assert (name.title, name.description) == ("Hotels in Rome", "the name")
    assert (found.title, found.description) == ("Hotels in Rome", "Which *HOTEL* is near?")
    sent = found.input_message_content
    assert sent.message_text == "Which *HOTEL* is near?"
    assert [entity.type for entity in sent.entities] == ["blockquote", "bold"]
    assert sent.parse_mode is None
    assert link_of(name) == f"cvh-{rome}"
    assert link_of(found).endswith(f"-{rome}")


async def test_nothing_to_look_for_finds_nothing(
    client: Client, manager: ConversationManager
) -> None:
    await travels(manager)
    for query in ("", " ", "?!", "nothing.*"):
        assert (await typed(client, query)).results == []


async def test_a_chosen_hit_leads_to_its_message(
    client: Client, manager: ConversationManager, telegram: FakeTelegram
) -> None:
    rome, _ = await travels(manager)
    answer = await typed(client, "hotel")
    await client.send(f"/start {link_of(answer.results[1])}")
    assert client.text == "💬 Hotels in Rome\nYou · 01.01.2026\nWhich *HOTEL* is near?"
    assert telegram.of(SendMessage)[-1].reply_parameters.message_id == 1
    assert await manager.get_active_conversation_id(1001) == rome


async def test_a_chosen_name_leads_to_its_chat(
    client: Client, manager: ConversationManager
) -> None:
    rome, _ = await travels(manager)
    answer = await typed(client, "hotel")
    await client.send(f"/start {link_of(answer.results[0])}")
    assert client.text.startswith("💬 Hotels in Rome\n1 message\n")
    assert await manager.get_active_conversation_id(1001) == rome
    await manager.delete_conversation(1001, rome)
    await client.send(f"/start {link_of(answer.results[0])}")
    assert client.text == "That chat is deleted."


async def test_others_find_and_open_nothing_of_it(
    make_client: MakeClient, manager: ConversationManager
) -> None:
    rome, _ = await travels(manager)
    other = make_client(2002)
    answer = await typed(other, "hotel")
    assert answer.results == []
    [hit, *_] = await manager.search_messages(1001, "near")
    for parameter in (hit_parameter(hit), f"cvh-{rome}", "cvh", "cvh-", "cvhx-../x", "cvh-index"):
        await other.send(f"/start {parameter}")
        assert other.text == "There is no such chat.", parameter
    assert await manager.get_active_conversation_id(1001) != rome
    assert await manager.list_conversations(2002) == []


async def test_pages(client: Client, manager: ConversationManager) -> None:
    await fill(manager, 1001, 110)
    offset, titles = "", []
    for _ in range(5):
        answer = await typed(client, "chat", offset)
        titles += [result.title for result in answer.results]
        offset = answer.next_offset
    assert offset == ""
    assert titles == [f"Chat {number}" for number in range(110, 10, -1)]
    for forged in ("-5", "x", "²", "9" * 50):
        answer = await typed(client, "chat", forged)
        assert len(answer.results) in {0, 20}


@pytest.mark.parametrize("length", [1, 36, 48])
def test_a_link_to_a_hit_goes_there_and_back(length: int) -> None:
    chat = new_chat("-" * (length - 1) + "x")
    for message in (question(2**53, "x"), None):
        parameter = hit_parameter(SearchHit(chat, message))
        assert len(parameter) <= 64
        found = hit_of_link(parameter)
        assert found is not None
        assert found[0] == chat.conversation_id
        assert bool(found[1]) == (message is not None)


async def test_a_storage_that_fails_is_no_error_of_telegram(
    client: Client, manager: ConversationManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: object) -> None:
        raise StorageError("full")

    monkeypatch.setattr(manager, "search_messages", fail)
    assert await client.type("hotel") == []


async def test_who_is_not_let_in_finds_nothing(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram
) -> None:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager, exclusive=True, allowed_user_ids={2002}))
    await travels(manager)
    assert await Client(dispatcher, bot, telegram).type("hotel") == []


async def test_a_host_keeps_its_own_inline_queries(
    manager: ConversationManager, bot: Bot, telegram: FakeTelegram
) -> None:
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(create_router(manager))
    assert "inline_query" not in dispatcher.resolve_used_update_types()
    await Client(dispatcher, bot, telegram).type("hotel")
    assert telegram.of(AnswerInlineQuery) == []
