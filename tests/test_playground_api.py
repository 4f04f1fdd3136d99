"""The local Bot API over HTTP: answers written by hand, refusals in Telegram's words."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramConflictError
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    BufferedInputFile,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MenuButtonCommands,
    MessageEntity,
    ReactionTypeEmoji,
    ReplyParameters,
)

from bot.playground import Playground
from tests.playground_client import Person, labels

Answer = dict[str, Any]
Call = Callable[..., Awaitable[tuple[int, Answer]]]

ANNA = {"id": 1001, "first_name": "Анна", "username": "anna", "type": "private"}
BOT = {
    "id": 7_000_000_001,
    "is_bot": True,
    "first_name": "Playground bot",
    "username": "playground_bot",
}


@pytest.fixture
async def call(playground: Playground) -> AsyncIterator[Call]:
    """A call without aiogram: status and JSON as they are."""
    async with aiohttp.ClientSession() as http:

        async def call(method: str, **parameters: Any) -> tuple[int, Answer]:
            form = {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in parameters.items()
            }
            url = f"{playground.url}bot{playground.token}/{method}"
            async with http.post(url, data=form) as response:
                return response.status, await response.json()

        yield call


def refusal(description: str, code: int = 400) -> tuple[int, Answer]:
    return code, {"ok": False, "error_code": code, "description": description}


KEYBOARD = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}


async def test_get_me_knows_the_id_of_the_token(call: Call, playground: Playground) -> None:
    status, answer = await call("getMe")

    assert status == 200
    assert answer == {
        "ok": True,
        "result": {
            **BOT,
            "can_join_groups": False,
            "can_read_all_group_messages": False,
            "supports_inline_queries": True,
            "can_connect_to_business": False,
            "has_main_web_app": False,
            "has_topics_enabled": False,
        },
    }
    assert playground.token.split(":")[0] == str(BOT["id"])


async def test_a_sent_message_comes_back_as_telegram_gives_it(call: Call) -> None:
    status, answer = await call(
        "sendMessage",
        chat_id=1001,
        text=" <b>Hi</b> /help ",
        parse_mode="HTML",
        reply_markup=KEYBOARD,
    )

    date = answer["result"].pop("date")
    assert status == 200
    assert isinstance(date, int)
    assert answer == {
        "ok": True,
        "result": {
            "message_id": 1,
            "from": BOT,
            "chat": ANNA,
            "text": "Hi /help",
            "entities": [
                {"type": "bold", "offset": 0, "length": 2},
                {"type": "bot_command", "offset": 3, "length": 5},
            ],
            "reply_markup": KEYBOARD,
        },
    }


async def test_every_form_of_a_request_is_understood(playground: Playground) -> None:
    url = f"{playground.url}bot{playground.token}/SENDMESSAGE"
    parameters = {"chat_id": "1001", "text": "hi"}
    multipart = aiohttp.FormData(default_to_multipart=True)
    for name, value in parameters.items():
        multipart.add_field(name, value)
    async with aiohttp.ClientSession() as http:
        answers = [
            await (await http.get(url, params=parameters)).json(),
            await (await http.post(url, data=parameters)).json(),
            await (await http.post(url, data=multipart)).json(),
            await (await http.post(url, json={"chat_id": 1001, "text": "hi"})).json(),
        ]

    assert [answer["result"]["message_id"] for answer in answers] == [1, 2, 3, 4]


async def test_message_ids_grow_in_each_dialog(call: Call) -> None:
    for chat_id, message_id in [(1001, 1), (1001, 2), (1002, 1), (1001, 3)]:
        _, answer = await call("sendMessage", chat_id=chat_id, text="x")
        assert answer["result"]["message_id"] == message_id


async def test_a_text_like_json_stays_a_text(call: Call) -> None:
    _, answer = await call("sendMessage", chat_id=1001, text='{"a": [1]}')

    assert answer["result"]["text"] == '{"a": [1]}'


@pytest.mark.parametrize(
    ("parameters", "description"),
    [
        ({"chat_id": 1001}, "message text is empty"),
        ({"chat_id": 1001, "text": " \n "}, "text must be non-empty"),
        ({"text": "x"}, "chat_id is empty"),
        ({"chat_id": 5, "text": "x"}, "chat not found"),
        ({"chat_id": "@anna", "text": "x"}, "chat not found"),
        ({"chat_id": 1001, "text": "x" * 4097}, "message is too long"),
        ({"chat_id": 1001, "text": "𝄞" * 2049}, "message is too long"),
        ({"chat_id": 1001, "text": "ж" * 20000}, "text is too long"),
        (
            {"chat_id": 1001, "text": "<b>x", "parse_mode": "HTML"},
            "can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        ({"chat_id": 1001, "text": "x", "txet": "y"}, 'unknown parameter "txet"'),
        (
            {"chat_id": 1001, "text": "x", "reply_parameters": {"message_id": 1, "qoute": "x"}},
            'unknown parameter "reply_parameters.qoute"',
        ),
        (
            {"chat_id": 1001, "text": "x", "message_thread_id": 4},
            'the playground has no use for the parameter "message_thread_id"',
        ),
        (
            {"chat_id": 1001, "text": "x", "entities": "[{"},
            "can't parse entities JSON object",
        ),
        (
            {"chat_id": 1001, "text": "x", "reply_parameters": {"message_id": 9}},
            "message to be replied not found",
        ),
        (
            {"chat_id": 1001, "text": "x", "reply_to_message_id": 9},
            "message to be replied not found",
        ),
    ],
)
async def test_wrong_messages_are_refused(
    call: Call, parameters: Answer, description: str
) -> None:
    assert await call("sendMessage", **parameters) == refusal(f"Bad Request: {description}")


async def test_4096_units_after_parsing_are_not_too_many(call: Call) -> None:
    status, _ = await call(
        "sendMessage", chat_id=1001, text=f" <b>{'x' * 4096}</b> ", parse_mode="HTML"
    )

    assert status == 200


@pytest.mark.parametrize(
    ("markup", "description"),
    [
        ({"inline_keyboard": [{"text": "A"}]}, 'field "inline_keyboard" of the InlineKeyboard'),
        (
            {"inline_keyboard": [[{"txt": "A"}]]},
            "can't parse inline keyboard button: Can't find field \"text\"",
        ),
        (
            {"inline_keyboard": [[{"text": "A"}]]},
            "can't parse inline keyboard button: Text buttons are unallowed in the inline",
        ),
        (
            {"inline_keyboard": [[{"text": " ", "callback_data": "x"}]]},
            "inline keyboard button text must be non-empty",
        ),
        ({"inline_keyboard": [[{"text": "A", "callback_data": "ж" * 33}]]}, "BUTTON_DATA_INVALID"),
        (
            {"inline_keyboard": [[{"text": "A", "callback_data": "x", "style": "pink"}]]},
            "can't parse inline keyboard button: invalid button style specified",
        ),
        (
            {"inline_keyboard": [[{"text": "A", "callback_data": "x", "colour": "red"}]]},
            'can\'t parse inline keyboard button: unknown field "colour"',
        ),
        (
            {"inline_keyboard": [[{"text": "A", "url": "not a link"}]]},
            "inline keyboard button URL 'not a link' is invalid: Wrong HTTP URL",
        ),
        (
            {"inline_keyboard": [[{"text": "A", "pay": True}]]},
            'the playground has no "pay" buttons',
        ),
        (
            {"inline_keyboard": [[{"text": "A", "callback_data": "x", "url": "https://a.bc"}]]},
            "can't parse inline keyboard button: a button does one thing, not callback_data",
        ),
        ({"keyboard": [[{"text": "A"}]]}, "the playground draws inline keyboards and forced"),
        ([1], "object expected as reply markup"),
        ({"inline_keyboard": [], "resize": True}, 'unknown field "resize" in the reply markup'),
    ],
)
async def test_broken_keyboards_are_refused(call: Call, markup: Any, description: str) -> None:
    status, answer = await call("sendMessage", chat_id=1001, text="x", reply_markup=markup)

    assert status == answer["error_code"] == 400
    assert answer["description"].startswith(f"Bad Request: {description}")


async def test_64_bytes_of_callback_data_and_styles_are_taken(api: Bot) -> None:
    keyboard = InlineKeyboardMarkup(
        inline_keyboard=[
            [
                InlineKeyboardButton(text="Yes", callback_data="ж" * 32, style="success"),
                InlineKeyboardButton(text="No", callback_data="n", style="danger"),
            ]
        ],
        force_reply=True,
    )

    sent = await api.send_message(1001, "x", reply_markup=keyboard)

    assert sent.reply_markup is not None
    assert sent.reply_markup.model_dump() == keyboard.model_dump()


async def test_other_buttons_and_a_removed_keyboard(call: Call) -> None:
    row: list[Answer] = [
        {"text": "Site", "url": "https://example.com"},
        {"text": "Copy", "copy_text": {"text": "x"}},
        {"text": "1/3", "disabled": {}},
        {"text": "Who", "url": "tg://user?id=1002"},
    ]

    _, answer = await call(
        "sendMessage", chat_id=1001, text="x", reply_markup={"inline_keyboard": [row, []]}
    )

    row[0]["url"] = "https://example.com/"
    assert answer["result"]["reply_markup"] == {"inline_keyboard": [row]}
    nothing: list[Answer] = [{"remove_keyboard": True}, {"inline_keyboard": []}, {}]
    for markup in nothing:
        _, answer = await call("sendMessage", chat_id=1001, text="x", reply_markup=markup)
        assert "reply_markup" not in answer["result"]
    wrong = {"inline_keyboard": [[{"text": "Copy", "copy_text": {"text": "x" * 257}}]]}
    assert await call("sendMessage", chat_id=1001, text="x", reply_markup=wrong) == refusal(
        "Bad Request: BUTTON_COPY_TEXT_INVALID"
    )


async def test_a_forced_reply_reaches_the_person(api: Bot, anna: Person) -> None:
    markup = ForceReply(input_field_placeholder="A new name")

    sent = await api.send_message(1001, "Name?", reply_markup=markup)

    assert sent.reply_markup is None
    shown = await anna.message(sent.message_id)
    assert shown["force_reply"] == {"placeholder": "A new name"}
    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await sent.edit_text("Name!")


async def test_entities_go_out_as_they_came(api: Bot) -> None:
    entities = [
        MessageEntity(type="bold", offset=0, length=2),
        MessageEntity(type="pre", offset=3, length=1, language="python"),
        MessageEntity(type="text_link", offset=5, length=1, url="https://example.com/x"),
        MessageEntity(type="bot_command", offset=0, length=2),
    ]

    sent = await api.send_message(1001, "𝄞 x y", entities=entities)

    assert sent.entities is not None
    assert [e.model_dump() for e in sent.entities] == [e.model_dump() for e in entities[:3]]


async def test_a_reply_carries_the_replied_message(api: Bot) -> None:
    first = await api.send_message(1001, "first one")

    second = await api.send_message(
        1001, "second", reply_parameters=ReplyParameters(message_id=1, quote="one")
    )

    assert second.reply_to_message is not None
    assert second.reply_to_message.text == first.text
    assert second.quote is not None
    assert (second.quote.text, second.quote.position) == ("one", 6)


async def test_a_reply_to_nothing_is_sent_when_that_is_allowed(api: Bot) -> None:
    gone = ReplyParameters(message_id=99, allow_sending_without_reply=True)

    sent = await api.send_message(1001, "x", reply_parameters=gone)

    assert sent.reply_to_message is None


async def test_a_wrong_quote_is_refused(api: Bot) -> None:
    await api.send_message(1001, "first")

    with pytest.raises(TelegramBadRequest, match="QUOTE_TEXT_INVALID"):
        await api.send_message(
            1001, "x", reply_parameters=ReplyParameters(message_id=1, quote="second")
        )


async def test_an_edit_changes_the_message_in_place(call: Call) -> None:
    await call("sendMessage", chat_id=1001, text="old", reply_markup=KEYBOARD)

    status, answer = await call(
        "editMessageText", chat_id=1001, message_id=1, text="new", reply_markup=KEYBOARD
    )

    result = answer["result"]
    assert status == 200
    assert result["edit_date"] >= result["date"]
    assert (result["message_id"], result["text"], result["reply_markup"]) == (1, "new", KEYBOARD)


async def test_an_edit_without_markup_removes_the_keyboard(call: Call) -> None:
    await call("sendMessage", chat_id=1001, text="old", reply_markup=KEYBOARD)

    _, answer = await call("editMessageText", chat_id=1001, message_id=1, text="old")

    assert "reply_markup" not in answer["result"]


async def test_an_edit_of_the_markup_alone(call: Call) -> None:
    await call("sendMessage", chat_id=1001, text="old")

    _, answer = await call(
        "editMessageReplyMarkup", chat_id=1001, message_id=1, reply_markup=KEYBOARD
    )

    assert answer["result"]["reply_markup"] == KEYBOARD
    assert answer["result"]["text"] == "old"


async def test_a_forced_reply_survives_an_edit_of_its_keyboard(call: Call) -> None:
    await call(
        "sendMessage", chat_id=1001, text="x", reply_markup=KEYBOARD | {"force_reply": True}
    )

    _, answer = await call(
        "editMessageText", chat_id=1001, message_id=1, text="y", reply_markup=KEYBOARD
    )

    assert answer["result"]["reply_markup"]["force_reply"] is True


NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)


@pytest.mark.parametrize(
    ("method", "parameters", "description"),
    [
        ("editMessageText", {"message_id": 1, "text": " <b>bot's</b> "}, NOT_MODIFIED),
        ("editMessageReplyMarkup", {"message_id": 1}, NOT_MODIFIED),
        ("editMessageText", {"message_id": 1}, "message text is empty"),
        ("editMessageText", {"message_id": 1, "text": "  "}, "text must be non-empty"),
        ("editMessageText", {"message_id": 1, "text": "x" * 4097}, "MESSAGE_TOO_LONG"),
        ("editMessageText", {"message_id": 9, "text": "x"}, "message to edit not found"),
        ("editMessageText", {"message_id": 2, "text": "x"}, "message can't be edited"),
        ("editMessageReplyMarkup", {"message_id": 2}, "message can't be edited"),
        (
            "editMessageText",
            {"message_id": 3, "text": "x"},
            "there is no text in the message to edit",
        ),
        (
            "editMessageText",
            {"message_id": 1, "text": "x", "reply_markup": {"force_reply": True}},
            "inline keyboard expected",
        ),
        ("deleteMessage", {"message_id": 9}, "message to delete not found"),
        ("deleteMessage", {}, "message identifier is not specified"),
        ("deleteMessages", {"message_ids": []}, "message identifiers are not specified"),
        ("setMessageReaction", {"message_id": 9}, "message to react not found"),
        (
            "setMessageReaction",
            {"message_id": 1, "reaction": [{"type": "emoji", "emoji": "🥑"}]},
            "REACTION_INVALID",
        ),
        ("sendChatAction", {"action": "dancing"}, "wrong parameter action in request"),
        ("sendDocument", {}, "there is no document in the request"),
        ("sendDocument", {"document": "https://a.bc/d"}, "failed to get HTTP URL content"),
        (
            "sendDocument",
            {"document": "nonsense"},
            "wrong remote file identifier specified: Wrong string length",
        ),
        (
            "sendDocument",
            {"document": "nonsense", "caption": "x" * 1025},
            "message caption is too long",
        ),
        ("sendMessageDraft", {"draft_id": 0, "text": "x"}, "RANDOM_ID_INVALID"),
        ("sendMessageDraft", {"text": "x"}, "RANDOM_ID_INVALID"),
        ("sendMessageDraft", {"draft_id": 1, "text": "x" * 4097}, "MESSAGE_TOO_LONG"),
        ("setMyName", {"name": "x" * 65}, "BOT_NAME_TOO_LONG"),
    ],
)
async def test_refusals_in_telegrams_words(
    call: Call, anna: Person, method: str, parameters: Answer, description: str
) -> None:
    await call("sendMessage", chat_id=1001, text="<b>bot's</b>", parse_mode="HTML")
    await anna.send("Анна's")
    await anna.document("a.txt", b"x")
    _, sent = await call("sendDocument", chat_id=1001, document=await _file_id(anna))
    target = {} if method.startswith("setMy") else {"chat_id": 1001}
    if parameters.get("message_id") == 3:
        parameters = parameters | {"message_id": sent["result"]["message_id"]}
    if method == "editMessageText":
        parameters = parameters | {"parse_mode": "HTML"}

    answer = await call(method, **target, **parameters)

    assert answer == refusal(f"Bad Request: {description}")


async def _file_id(person: Person) -> str:
    messages = (await person.dialog())["messages"]
    return str(messages[-1]["document"]["file_id"])


async def test_drafts_are_for_private_chats(call: Call) -> None:
    answer = await call("sendMessageDraft", chat_id=-100500, draft_id=1, text="x")

    assert answer == refusal("Bad Request: TEXTDRAFT_PEER_INVALID")


async def test_an_unknown_method_and_a_wrong_token(
    call: Call, playground: Playground, caplog: pytest.LogCaptureFixture
) -> None:
    assert await call("sendWidget") == refusal("Not Found: method not found", 404)
    assert "the playground has no method sendWidget" in caplog.text
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{playground.url}bot7000000001:wrong/getMe") as response,
    ):
        answer = response.status, await response.json()
    assert answer == refusal("Unauthorized", 401)


async def test_deleted_messages_are_gone(call: Call, anna: Person) -> None:
    for text in ("a", "b", "c"):
        await call("sendMessage", chat_id=1001, text=text)

    assert (await call("deleteMessage", chat_id=1001, message_id=1))[1]["result"] is True
    assert (await call("deleteMessages", chat_id=1001, message_ids=[2, 77]))[1]["result"] is True

    assert [m["text"] for m in (await anna.dialog())["messages"]] == ["c"]


async def test_messages_of_the_day_before_yesterday_stay(
    call: Call, playground: Playground
) -> None:
    await call("sendMessage", chat_id=1001, text="old")
    playground._world.dialogs[1001].messages[1].date -= 49 * 60 * 60

    expected = refusal("Bad Request: message can't be deleted")
    assert await call("deleteMessage", chat_id=1001, message_id=1) == expected
    assert await call("deleteMessages", chat_id=1001, message_ids=[1]) == expected


async def test_a_document_goes_up_and_down(api: Bot, anna: Person) -> None:
    content = bytes(range(256)) * 40

    sent = await api.send_document(
        1001, BufferedInputFile(content, "Отчёт.md"), caption="<i>here</i>", parse_mode="HTML"
    )

    assert sent.document is not None
    assert sent.document.file_name == "Отчёт.md"
    assert (sent.document.file_size, sent.caption) == (len(content), "here")
    file = await api.get_file(sent.document.file_id)
    assert file.file_path == "documents/file_1.md"
    downloaded = await api.download(file)
    assert downloaded is not None
    assert downloaded.read() == content
    assert await anna.download(await anna.message(sent.message_id)) == content
    again = await api.send_document(1001, sent.document.file_id)
    assert again.document is not None
    assert again.document.file_id == sent.document.file_id


async def test_a_document_of_a_person_reaches_the_bot(api: Bot, anna: Person) -> None:
    await anna.document("notes.txt", b"milk", caption="see /this")

    [update] = await api.get_updates(timeout=5)

    assert update.message is not None
    assert update.message.document is not None
    assert update.message.caption == "see /this"
    assert update.message.document.mime_type == "text/plain"
    downloaded = await api.download(update.message.document)
    assert downloaded is not None
    assert downloaded.read() == b"milk"


async def test_files_that_are_too_big_for_a_bot(api: Bot, anna: Person) -> None:
    sent = await api.send_document(1001, BufferedInputFile(bytes(20 * 1024 * 1024 + 1), "big"))

    assert sent.document is not None
    with pytest.raises(TelegramBadRequest, match="file is too big"):
        await api.get_file(sent.document.file_id)
    with pytest.raises(TelegramBadRequest, match="wrong file_id"):
        await api.get_file("nonsense")


async def test_commands_by_scope_and_language(api: Bot, anna: Person) -> None:
    new, chats = (
        BotCommand(command="new", description="New"),
        BotCommand(command="chats", description="Чаты"),
    )
    private = BotCommandScopeAllPrivateChats()

    await api.set_my_commands([new])
    await api.set_my_commands([chats], scope=private, language_code="ru")

    [got] = await api.get_my_commands()
    assert (got.command, got.description) == ("new", "New")
    [got] = await api.get_my_commands(scope=private, language_code="ru")
    assert (got.command, got.description) == ("chats", "Чаты")
    assert await api.get_my_commands(scope=private) == []
    assert [c["command"] for c in (await anna.dialog())["bot"]["commands"]] == ["chats"]
    await api.set_my_commands([new, chats], scope=BotCommandScopeChat(chat_id=1001))
    assert [c["command"] for c in (await anna.dialog())["bot"]["commands"]] == ["new", "chats"]
    await api.delete_my_commands(scope=BotCommandScopeChat(chat_id=1001))
    await api.delete_my_commands(scope=private, language_code="ru")
    assert [c["command"] for c in (await anna.dialog())["bot"]["commands"]] == ["new"]


@pytest.mark.parametrize(
    ("command", "description", "problem"),
    [
        ("New", "x", "BOT_COMMAND_INVALID"),
        ("", "x", "command must be non-empty"),
        ("x" * 33, "x", "command length must not exceed 32"),
        ("new", " ", "command description must be non-empty"),
        ("new", "x" * 257, "command description length must not exceed 256"),
    ],
)
async def test_wrong_commands_are_refused(
    call: Call, command: str, description: str, problem: str
) -> None:
    commands = [{"command": command, "description": description}]

    assert await call("setMyCommands", commands=commands) == refusal(f"Bad Request: {problem}")


async def test_names_and_descriptions_by_language(api: Bot, anna: Person) -> None:
    await api.set_my_name("Chats")
    await api.set_my_name("Чаты", language_code="ru")
    await api.set_my_description("Many chats")
    await api.set_my_short_description("Short")
    await api.set_chat_menu_button(menu_button=MenuButtonCommands())

    assert (await api.get_my_name()).name == "Chats"
    assert (await api.get_my_name(language_code="ru")).name == "Чаты"
    assert (await api.get_my_description(language_code="ru")).description == "Many chats"
    assert (await api.get_my_short_description()).short_description == "Short"
    assert (await api.get_chat_menu_button(chat_id=1001)).type == "commands"
    shown = (await anna.dialog())["bot"]
    assert (shown["first_name"], shown["description"]) == ("Чаты", "Many chats")
    assert (await api.me()).first_name == "Chats"


async def test_a_reaction_is_shown(api: Bot, anna: Person) -> None:
    sent = await anna.send("hi")

    await api.set_message_reaction(1001, sent["message_id"], [ReactionTypeEmoji(emoji="👀")])

    shown = await anna.message(sent)
    assert shown["reactions"] == [{"type": "emoji", "emoji": "👀"}]


async def test_get_chat(api: Bot) -> None:
    chat = await api.get_chat(1002)

    assert (chat.id, chat.type, chat.first_name, chat.username) == (1002, "private", "Ben", "ben")


async def test_a_webhook_takes_the_place_of_polling(api: Bot) -> None:
    with pytest.raises(TelegramBadRequest, match="unallowed characters"):
        await api.set_webhook("https://example.com/hook", secret_token="a b")
    assert await api.set_webhook("https://example.com/hook", secret_token="a-b")
    assert (await api.get_webhook_info()).url == "https://example.com/hook"
    with pytest.raises(TelegramConflictError, match="while webhook is active"):
        await api.get_updates()
    assert await api.delete_webhook() is True
    assert (await api.get_webhook_info()).url == ""
    assert await api.get_updates() == []


async def test_there_is_nothing_to_leave(api: Bot) -> None:
    assert await api.log_out() is True
    assert await api.close() is True


async def test_typing_is_shown_until_the_message_comes(api: Bot, anna: Person) -> None:
    await api.send_chat_action(1001, "typing")
    assert (await anna.dialog())["chat_action"] == "typing"

    await api.send_message(1001, "x")

    assert (await anna.dialog())["chat_action"] is None


async def test_the_labels_of_a_message(api: Bot, anna: Person) -> None:
    keyboard = InlineKeyboardMarkup.model_validate(KEYBOARD)
    sent = await api.send_message(1001, "x", reply_markup=keyboard)

    assert labels(await anna.message(sent.message_id)) == ["Go"]


async def test_a_message_without_a_link_preview(api: Bot) -> None:
    options = LinkPreviewOptions(is_disabled=True)
    sent = await api.send_message(1001, "https://example.com", link_preview_options=options)
    assert sent.link_preview_options is not None
    assert sent.link_preview_options.is_disabled
