"""A person for end-to-end tests: acts in a playground over HTTP, as the chat page does.

    async with Playground(port=0) as playground, Person(playground.url, user_id=1001) as anna:
        greeting = await anna.ask("/start")               # the bot's next message
        await anna.press(greeting, "Chats")               # a button, by its label
        await anna.wait_text(greeting, "143 chats")       # the same message, edited

Messages are dictionaries as in the Bot API (``message_id``, ``text``, ``reply_markup``, …) with
more keys: ``reactions`` and ``force_reply`` (None or ``{"placeholder": …}``), and on rich messages
``formulas`` (in Unicode, by their LaTeX). A dialog is a
dictionary with ``version``, ``person``, ``bot`` (``commands``, ``description``, …), ``messages``,
``drafts`` (``draft_id`` as text, ``text``, ``can_stop``, ``frames``), ``chat_action``, ``pending``
(pressed, not answered) and ``answers`` (the last 50: ``id``, ``message_id``, ``text``,
``show_alert``).

Nothing here sleeps: waiting is a long poll that ends when the dialog changes. ``within`` is in
seconds; a wait in vain is a TimeoutError that tells the dialog.
"""

import asyncio
import base64
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession

from bot.playground import Playground
from tests.waiting import PATIENCE

Message = dict[str, Any]
Dialog = dict[str, Any]
Result = TypeVar("Result")


def client_of(playground: Playground) -> Bot:
    """Make aiogram's own client of a playground; whoever asks for it closes its session."""
    return Bot(playground.token, session=AiohttpSession(api=playground.api))


class Person:
    """Анна is 1001 and writes Russian, Ben is 1002 and writes English."""

    def __init__(self, url: str, user_id: int = 1001) -> None:
        self._base = f"{url.rstrip('/')}/person/{user_id}"
        self._http: aiohttp.ClientSession | None = None
        self.user_id = user_id

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    # What a person does. Each returns what was sent; a refusal is an AssertionError.

    async def send(self, text: str, *, reply_to: Message | None = None) -> Message:
        """The message, or the last one when the client had to split the text."""
        reply = {"reply_to": reply_to["message_id"]} if reply_to else {}
        return await self._sent("send", {"text": text, **reply})

    async def sticker(self, emoji: str = "👍") -> Message:
        return await self._sent("sticker", {"emoji": emoji})

    async def voice(self, duration: int = 3) -> Message:
        return await self._sent("voice", {"duration": duration})

    async def document(self, name: str, content: bytes, *, caption: str = "") -> Message:
        encoded = base64.b64encode(content).decode()
        return await self._sent("document", {"name": name, "content": encoded, "caption": caption})

    async def edit(self, message: Message, text: str) -> Message:
        return await self._sent("edit", {"message_id": message["message_id"], "text": text})

    async def press(self, message: Message, label: str) -> Message:
        """Presses the button with this label, else the only one with it in its label; a query."""
        current = await self.message(message)
        data = button(current, label)["callback_data"]
        return await self._post("press", {"message_id": current["message_id"], "data": data})

    async def stop(self, draft: Message) -> None:
        """Telegram's own stop on a growing answer."""
        await self._post("stop", {"draft_id": draft["draft_id"]})

    async def type(self, query: str, offset: str = "") -> Message:
        """Types behind the bot's name in some dialog; the bot's answer, as it gave it."""
        return await self._post("inline", {"query": query, "offset": offset})

    # What a person does and then sees.

    async def ask(self, text: str, containing: str = "", *, within: float = PATIENCE) -> Message:
        """Sends, and gives the first later message of the bot that contains this text."""
        sent = await self.send(text)
        return await self.wait_message(containing, after=sent, within=within)

    async def tap(self, message: Message, label: str, *, within: float = PATIENCE) -> Message:
        """Presses, and gives the bot's answer to it: ``text`` and ``show_alert``."""
        query = await self.press(message, label)

        def answer(dialog: Dialog) -> Message | None:
            return next((a for a in dialog["answers"] if a["id"] == query["id"]), None)

        return await self.wait_for(answer, within=within)

    # What a person sees.

    async def dialog(self) -> Dialog:
        return await self._get("dialog")

    async def message(self, message: Message | int) -> Message:
        """The message as it stands now. Raises LookupError when it is gone."""
        message_id = message if isinstance(message, int) else message["message_id"]
        for shown in (await self.dialog())["messages"]:
            if shown["message_id"] == message_id:
                return dict(shown)
        raise LookupError(f"message {message_id} is gone")

    async def download(self, message: Message) -> bytes:
        """The document of a message."""
        url = f"{self._base}/files/{message['document']['file_id']}"
        async with self._session().get(url) as response:
            assert response.status == 200, await response.text()
            return await response.read()

    async def wait_for(
        self, predicate: Callable[[Dialog], Result | None], *, within: float = PATIENCE
    ) -> Result:
        """What ``predicate`` says of the dialog, as soon as that is true; seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        dialog = await self.dialog()
        while not (result := predicate(dialog)):
            left = deadline - loop.time()
            if left <= 0:
                raise TimeoutError(f"not seen within {within} s in {summary(dialog)}")
            dialog = await self._get("dialog", since=dialog["version"], wait=f"{left:.3f}")
        return result

    async def wait_message(
        self, containing: str = "", *, after: Message | int = 0, within: float = PATIENCE
    ) -> Message:
        """The first message of the bot after this one whose text or caption contains this."""
        after_id = after if isinstance(after, int) else after["message_id"]

        def found(dialog: Dialog) -> Message | None:
            for message in dialog["messages"]:
                is_later = message["message_id"] > after_id and message["from"]["is_bot"]
                if is_later and containing in text_of(message):
                    return dict(message)
            return None

        return await self.wait_for(found, within=within)

    async def wait_text(
        self, message: Message, containing: str, *, within: float = PATIENCE
    ) -> Message:
        """The message, as soon as its text or caption contains this."""

        def found(dialog: Dialog) -> Message | None:
            for shown in dialog["messages"]:
                is_it = shown["message_id"] == message["message_id"]
                if is_it and containing in text_of(shown):
                    return dict(shown)
            return None

        return await self.wait_for(found, within=within)

    async def wait_gone(self, message: Message, *, within: float = PATIENCE) -> None:
        """Until the message is deleted."""

        def gone(dialog: Dialog) -> bool:
            return all(m["message_id"] != message["message_id"] for m in dialog["messages"])

        await self.wait_for(gone, within=within)

    async def wait_draft(self, containing: str = "", *, within: float = PATIENCE) -> Message:
        """The first growing answer whose text contains this."""

        def found(dialog: Dialog) -> Message | None:
            return next((d for d in dialog["drafts"] if containing in d["text"]), None)

        return await self.wait_for(found, within=within)

    async def _sent(self, action: str, body: dict[str, Any]) -> Message:
        answer = await self._post(action, body)
        return dict(answer["messages"][-1])

    async def _post(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._session().post(f"{self._base}/{action}", json=body) as response:
            assert response.status == 200, f"{action}: {await response.text()}"
            return dict(await response.json())

    async def _get(self, what: str, **query: str) -> Dialog:
        async with self._session().get(f"{self._base}/{what}", params=query) as response:
            assert response.status == 200, f"{what}: {await response.text()}"
            return dict(await response.json())

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=70))
        return self._http


def text_of(message: Message) -> str:
    return str(message.get("text") or message.get("caption") or "")


def buttons(message: Message) -> list[dict[str, Any]]:
    """All buttons of a message, row by row."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [shown for row in rows for shown in row]


def labels(message: Message) -> list[str]:
    return [shown["text"] for shown in buttons(message)]


def button(message: Message, label: str) -> dict[str, Any]:
    """By the whole label, else by a part that only one label has. Raises LookupError."""
    exact = [shown for shown in buttons(message) if shown["text"] == label]
    similar = exact or [shown for shown in buttons(message) if label in shown["text"]]
    if len(similar) != 1:
        raise LookupError(f"{len(similar)} buttons {label!r} among {labels(message)}")
    return similar[0]


def summary(dialog: Dialog) -> str:
    """The dialog as a person would read it, for failures."""
    lines = [f"the dialog of {dialog['person']['first_name']}:"]
    for message in dialog["messages"][-20:]:
        who = "bot" if message["from"]["is_bot"] else dialog["person"]["first_name"]
        lines.append(f"  {message['message_id']} {who}: {text_of(message)!r} {labels(message)}")
    lines += [f"  draft {draft['draft_id']}: {draft['text']!r}" for draft in dialog["drafts"]]
    lines += [f"  answer: {answer['text']!r}" for answer in dialog["answers"]]
    return "\n".join(lines)
