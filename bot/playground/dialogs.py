"""Two persons, and what stands in the dialog of each with the bot."""

import asyncio
import hashlib
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from .entities import Entity
from .feed import Feed
from .formulas import readable_formulas
from .keyboards import Markup

Wire = dict[str, Any]

MAX_MESSAGES: Final = 2000
_DRAFT_SECONDS: Final = 30.0
_ACTION_SECONDS: Final = 5.0
_MAX_ANSWERS: Final = 50


@dataclass(frozen=True, slots=True)
class Person:
    user_id: int
    first_name: str
    username: str
    language_code: str

    def user(self) -> Wire:
        return {
            "id": self.user_id,
            "is_bot": False,
            "first_name": self.first_name,
            "username": self.username,
            "language_code": self.language_code,
        }

    def chat(self) -> Wire:
        return {
            "id": self.user_id,
            "first_name": self.first_name,
            "username": self.username,
            "type": "private",
        }


PERSONS: Final = (Person(1001, "Анна", "anna", "ru"), Person(1002, "Ben", "ben", "en"))


@dataclass(slots=True)
class Message:
    message_id: int
    from_bot: bool
    date: int
    content: Wire
    """What differs by kind, as on the wire: text and entities, a document and its caption, …"""
    reply_to: int | None = None
    quote: Wire | None = None
    reply_markup: Markup | None = None
    edit_date: int | None = None
    reactions: list[Wire] = field(default_factory=list)

    @property
    def file_id(self) -> str | None:
        file_id = self.content.get("document", {}).get("file_id")
        return str(file_id) if file_id else None


@dataclass(slots=True)
class Draft:
    """A growing answer, shown for 30 seconds after its last frame."""

    draft_id: int
    text: str
    entities: list[Entity]
    can_stop: bool
    keep_on_stop: bool
    frames: int = 1

    def view(self) -> Wire:
        """The id goes out as text: it may be longer than a number in JavaScript."""
        return asdict(self) | {"draft_id": str(self.draft_id)}


@dataclass(frozen=True, slots=True)
class Query:
    """A pressed button that the bot has not answered yet."""

    query_id: str
    message_id: int
    data: str

    def view(self) -> Wire:
        return {"id": self.query_id, "message_id": self.message_id, "data": self.data}


class Dialog:
    """The messages (these survive a restart) and what is in the air (this does not)."""

    def __init__(self, person: Person, bot_user: Wire) -> None:
        self.person = person
        self.bot_user = bot_user
        self.messages: dict[int, Message] = {}
        self.next_id = 1
        self.drafts: dict[int, Draft] = {}
        self.stopped_drafts: deque[int] = deque(maxlen=_MAX_ANSWERS)
        self.chat_action: str | None = None
        self.queries: dict[str, Query] = {}
        self.answers: deque[Wire] = deque(maxlen=_MAX_ANSWERS)
        self.feed = Feed()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def chat_instance(self) -> str:
        digest = hashlib.sha256(f"playground {self.person.user_id}".encode()).digest()
        return str(int.from_bytes(digest[:8], signed=True))

    def add(self, content: Wire, *, from_bot: bool, **more: Any) -> tuple[Message, list[Message]]:
        """The new message, and the oldest ones that had to go for it."""
        message = Message(self.next_id, from_bot, int(time.time()), content, **more)
        self.next_id += 1
        self.messages[message.message_id] = message
        gone = [self.messages.pop(i) for i in list(self.messages)[:-MAX_MESSAGES]]
        if from_bot:
            # A client shows no draft and no "typing" beside the message that they announced.
            for draft_id in list(self.drafts):
                self.end_draft(draft_id)
            self.set_action(None)
        self.show(message)
        return message, gone

    def remove(self, message_ids: list[int]) -> list[Message]:
        gone = [self.messages.pop(i) for i in message_ids if i in self.messages]
        if gone:
            self.feed.publish({"type": "deleted", "message_ids": [m.message_id for m in gone]})
        return gone

    def wire(self, message: Message, *, with_reply: bool = True) -> Wire:
        """The message as the Bot API gives it."""
        wire: Wire = {
            "message_id": message.message_id,
            "from": self.bot_user if message.from_bot else self.person.user(),
            "chat": self.person.chat(),
            "date": message.date,
        }
        if message.edit_date is not None:
            wire["edit_date"] = message.edit_date
        replied = self.messages.get(message.reply_to) if message.reply_to else None
        if with_reply and replied is not None:
            wire["reply_to_message"] = self.wire(replied, with_reply=False)
            if message.quote is not None:
                wire["quote"] = message.quote
        wire |= message.content
        if message.reply_markup and "inline_keyboard" in message.reply_markup:
            wire["reply_markup"] = message.reply_markup
        return wire

    def view(self, message: Message) -> Wire:
        """The wire form, and what the Bot API does not give back but a page draws."""
        markup = message.reply_markup or {}
        placeholder = markup.get("input_field_placeholder", "")
        view = self.wire(message) | {
            "reactions": message.reactions,
            "force_reply": {"placeholder": placeholder} if markup.get("force_reply") else None,
        }
        if rich := message.content.get("rich_message"):
            view["formulas"] = readable_formulas(rich["blocks"])
        return view

    def show(self, message: Message) -> None:
        self.feed.publish({"type": "message", "message": self.view(message)})

    def show_draft(self, draft: Draft) -> None:
        if draft.draft_id in self.stopped_drafts:
            return
        if known := self.drafts.get(draft.draft_id):
            draft.frames = known.frames + 1
        self.drafts[draft.draft_id] = draft
        self._later(f"draft {draft.draft_id}", _DRAFT_SECONDS, self.end_draft, draft.draft_id)
        self.feed.publish({"type": "draft", "draft": draft.view()})

    def end_draft(self, draft_id: int) -> None:
        self._forget_timer(f"draft {draft_id}")
        if self.drafts.pop(draft_id, None):
            self.feed.publish({"type": "draft_gone", "draft_id": str(draft_id)})

    def set_action(self, action: str | None) -> None:
        self._forget_timer("action")
        if action is not None:
            self._later("action", _ACTION_SECONDS, self.set_action, None)
        if action != self.chat_action:
            self.chat_action = action
            self.feed.publish({"type": "action", "action": action})

    def ask(self, query: Query) -> None:
        self.queries[query.query_id] = query
        self.feed.publish({"type": "pressed", "query": query.view()})

    def answer(self, query: Query, answer: Wire) -> None:
        del self.queries[query.query_id]
        shown = query.view() | answer
        self.answers.append(shown)
        self.feed.publish({"type": "answer", "answer": shown})

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self.feed.close()

    def to_json(self) -> Wire:
        messages = [asdict(message) for message in self.messages.values()]
        return {"messages": messages, "next_id": self.next_id}

    def restore(self, data: Wire) -> None:
        messages = [Message(**message) for message in data["messages"]]
        self.messages = {message.message_id: message for message in messages}
        self.next_id = int(data["next_id"])

    def _later(self, name: str, seconds: float, call: Any, *args: Any) -> None:
        self._forget_timer(name)
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, call, *args)

    def _forget_timer(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()
