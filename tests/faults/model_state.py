"""What the model holds of its users, and the steps that its verbs are made of."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any, Self

from tests.faults.model_rules import (
    Chat,
    Facts,
    User,
    cleaned,
    is_visible,
    name_of,
    newest_first,
    time_of,
)


class ModelState:
    def __init__(self) -> None:
        self.users: dict[int, User] = {}
        self.now = datetime.min.replace(tzinfo=UTC)  # of the call that is made
        self.fresh = ""  # the id of the chat that this call may create
        self.seen: list[Facts] | None = None  # the messages that an object to save has seen

    def copy(self) -> Self:
        """Copy it with all that it knows; ten times as fast as `deepcopy`."""
        copied: Self = pickle.loads(pickle.dumps(self))
        return copied

    def user(self, user_id: int) -> User:
        empty: User = {
            "username": "",
            "active": None,
            "chats": {},
            "trash": {},
            "files": {},
            "settings": {},
            "ever": set(),
            "is_doubtful": False,
        }
        return self.users.setdefault(user_id, empty)

    def doubt(self, user_id: int) -> None:
        """After a kill: a username that only chats know is the user's sooner or later."""
        user = self.user(user_id)
        chats = [*user["chats"].values(), *user["trash"].values()]
        is_known = user["username"] or not any(chat["facts"]["username"] for chat in chats)
        user["is_doubtful"] = user["is_doubtful"] or not is_known

    def gone(self, user_id: int) -> set[str]:
        """Give the chats that were there once and are not even in the trash."""
        user = self.user(user_id)
        gone: set[str] = user["ever"] - user["chats"].keys() - user["trash"].keys()
        return gone

    def _new_chat(self, user_id: int, username: str, question: str) -> Chat:
        name = name_of(question)
        facts = {
            "conversation_id": self.fresh,
            "user_id": user_id,
            "username": username,
            "name": name or "New chat",
            "created_at": self.now.isoformat(),
            "updated_at": self.now.isoformat(),
            "pinned": False,
            "name_source": "question" if name else "default",
            "mode": "fast",
            "instructions": "",
            "deleted_at": None,
            "forked_from": None,
            "extra": {},
        }
        return {"facts": facts, "messages": [], "extra": {}}

    def _find(
        self, user_id: int, conversation_id: str, *, include_deleted: bool = False
    ) -> Chat | None:
        user = self.user(user_id)
        deleted = user["trash"] if include_deleted else {}
        found: Chat | None = user["chats"].get(conversation_id) or deleted.get(conversation_id)
        return found

    def _add(self, chat: Chat, message: Facts) -> None:
        facts = chat["facts"]
        if message not in chat["messages"]:
            chat["messages"].append(message)
            if self.now > time_of(facts["updated_at"]):
                facts["updated_at"] = self.now.isoformat()
        name = name_of(message["text"]) if message["type"] == "user_question" else ""
        if name and facts["name_source"] == "default":
            facts |= {"name": name, "name_source": "question"}

    def _rename(self, user_id: int, conversation_id: str, name: str, source: str) -> bool | str:
        name = cleaned(name)
        if not 1 <= len(name) <= 64 or not is_visible(name):
            return "InvalidNameError"
        chat = self._find(user_id, conversation_id)
        if chat is None or (source == "model" and chat["facts"]["name_source"] == "user"):
            return False
        return self._set(user_id, conversation_id, name=name, name_source=source)

    def _set(self, user_id: int, conversation_id: str, **changes: Any) -> bool:
        chat = self._find(user_id, conversation_id)
        if chat is None:
            return False
        chat["facts"] |= changes
        return True

    def _may_save(self, facts: Facts, messages: list[Facts]) -> bool:
        """Nothing unseen is overwritten, nothing that is gone comes back."""
        user, conversation_id = self.user(facts["user_id"]), facts["conversation_id"]
        if conversation_id not in user["chats"]:
            return self.seen is None and conversation_id not in user["trash"]
        stored = list(user["chats"][conversation_id]["messages"])
        if self.seen == stored:
            return True
        return all(messages.count(message) >= stored.count(message) for message in stored)

    def _mend_pointer(self, user: User) -> None:
        if user["active"] not in user["chats"]:
            left = newest_first([chat["facts"] for chat in user["chats"].values()])
            user["active"] = left[0]["conversation_id"] if left else None
