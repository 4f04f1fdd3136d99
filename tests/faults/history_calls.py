"""One call of the manager, made on the manager and on the model."""

from __future__ import annotations

import copy
import json
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any
from unittest import mock

from conversations import (
    Conversation,
    ConversationManager,
    ConversationMessage,
    ConversationMetadata,
    ConversationStorage,
    ExportedFile,
    Footprint,
    ImportReport,
    InstructionsTooLongError,
    InvalidNameError,
)
from conversations.rules import Rules
from conversations.transfer import our_format
from tests.faults.model import TRASH_KEPT, Model

# What is shown for the time of a file, which is not the time of a history.
TIME_OF_A_FILE = "3000-01-01T00:00:00+00:00"

Held = tuple[Conversation, list[dict[str, Any]]]  # an object, and the messages it has seen


@dataclass(frozen=True)
class Call:
    """A call with all that it depends on: the time, and the id of the chat it may create."""

    verb: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    now: datetime
    fresh: str
    seen: list[dict[str, Any]] | None = None  # what the object to save has seen of its chat

    @property
    def user_id(self) -> int:
        first = self.arguments[0]
        return first.metadata.user_id if isinstance(first, Conversation) else int(first)

    async def make(self, manager: HistoryManager, held: list[Held] | None = None) -> Any:
        """Make the call; give its result, or the name of its error, as plain data.

        An object that was loaded or saved goes to `held`.
        """
        arguments = copy.deepcopy(self.arguments)
        _CALL.set(self)
        try:
            with self._import_ids():
                result = await getattr(manager, self.verb)(*arguments, **self.options)
        except (InvalidNameError, InstructionsTooLongError, ValueError) as error:
            return type(error).__name__
        if isinstance(result, Conversation) and held is not None:
            held.append((result, plain(result.messages)))
        if self.verb == "save_conversation":
            if result and held is not None:
                held.append((arguments[0], plain(arguments[0].messages)))
            return result, plain(arguments[0].metadata)
        if isinstance(result, ImportReport):
            return [result.chats, result.deleted, result.messages]
        if isinstance(result, ExportedFile):
            return json.loads(b"".join([piece async for piece in result]))
        if isinstance(result, Footprint):
            return plain(result) | {"size": None}  # that is a matter of the storage
        return self._sorted(plain(result))

    def predict(self, model: Model) -> Any:
        """Make the call on the model; give what its result has to be."""
        model.now, model.fresh, model.seen = self.now, self.fresh, self.seen
        return self._sorted(getattr(model, self.verb)(*self.arguments, **self.options))

    def _import_ids(self) -> AbstractContextManager[object]:
        if self.verb != "import_conversations":  # alone, because a patch is for all
            return nullcontext()
        return mock.patch.object(our_format, "_new_id", return_value=self.fresh)

    def _sorted(self, result: Any) -> Any:
        """Sort what is promised in no particular order."""
        if self.verb == "load_index":
            return result | {"conversations": _by_id(result["conversations"])}
        return _by_id(result) if self.verb == "list_deleted" else result


_CALL: ContextVar[Call] = ContextVar("call")


class HistoryRules(Rules):
    """The rules with the time and the ids of the call that is made, in whatever task."""

    def now(self) -> datetime:
        return self._clock()  # also where it stands still or goes back: what is stored is told

    def new_chat(self, user_id: int, username: str, question: str) -> ConversationMetadata:
        metadata = super().new_chat(user_id, username, question)
        metadata.conversation_id = _CALL.get().fresh
        return metadata


class HistoryManager(ConversationManager):
    def __init__(self, storage: ConversationStorage) -> None:
        super().__init__(storage, raise_errors=True)
        self._rules = HistoryRules(storage, TRASH_KEPT, lambda: _CALL.get().now)


def plain(result: Any) -> Any:
    """Turn what the manager gives into dictionaries, lists and values."""
    if isinstance(result, list):
        return [plain(item) for item in result]
    if not is_dataclass(result):
        return result
    # Without `revision`, which is opaque.
    names = (field.name for field in fields(result) if field.name != "revision")
    facts = {name: plain(getattr(result, name)) for name in names}
    if (facts.get("deleted_at") or "") > "2020":
        facts["deleted_at"] = TIME_OF_A_FILE
    return facts


def _by_id(chats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(chats, key=lambda facts: str(facts["conversation_id"]))


async def look(manager: HistoryManager, storage: ConversationStorage, user_id: int) -> Any:
    """Give everything that a user can see, as `Model.look` does; changes nothing."""
    index = await manager.load_index(user_id)
    chats = [entry["conversation_id"] for entry in index["conversations"]]
    index["conversations"] = _by_id(index["conversations"])
    return {
        "index": index,
        "listed": plain(await manager.list_conversations(user_id)),
        "chats": {chat: plain(await manager.load_conversation(user_id, chat)) for chat in chats},
        "trash": {chat.conversation_id: plain(chat) for chat in await storage.read_trash(user_id)},
    }


async def told_apart(models: list[Model], storage: ConversationStorage, users: set[int]) -> Model:
    """Give the one of models that look alike which knows the messages in the trash as well.

    No verb shows those. But to replace one by itself changes nothing, and tells whether it stands
    there.
    """
    for user_id in users if len(models) > 1 else ():
        for chat in models[0].user(user_id)["trash"]:
            known = [model.user(user_id)["trash"][chat]["messages"] for model in models]
            for message in [m for messages in known for m in messages]:
                if all(message in messages for messages in known):
                    continue
                same = ConversationMessage(**message)
                is_there = await storage.replace(
                    user_id, chat, old=same, new=same, include_deleted=True
                )
                fitting = [
                    model
                    for model, messages in zip(models, known, strict=True)
                    if (message in messages) == is_there
                ]
                return await told_apart(fitting, storage, users)
    return models[0]
