"""What the chats should be after any calls: the rules once more, on plain dictionaries.

It has the manager's verbs and gives their results as plain data. No files, no concurrency, no
code of the package: where the two differ, one of them is wrong.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from conversations import Conversation, ConversationMessage
from tests.faults.model_persons import PersonModel
from tests.faults.model_rules import (
    Facts,
    counts,
    is_id,
    is_untouched,
    is_visible,
    name_of,
    newest_first,
    shown,
    time_of,
    written,
    written_message,
)
from tests.faults.model_search import SearchableState

TRASH_KEPT = timedelta(days=30)


class Model(SearchableState, PersonModel):
    def look(self, user_id: int) -> dict[str, Any]:
        """Give everything that a user can see."""
        user = self.user(user_id)
        return {
            "index": self.load_index(user_id),
            "listed": self.list_conversations(user_id),
            "chats": {chat: self.load_conversation(user_id, chat) for chat in user["chats"]},
            "trash": {chat: shown(user, chat) for chat in user["trash"]},
        }

    def create_conversation(self, user_id: int, username: str, first_question: str) -> str:
        user = self.user(user_id)
        user["username"] = username or user["username"]
        user["chats"][self.fresh] = self._new_chat(user_id, username, first_question)
        user["active"] = self.fresh
        user["ever"].add(self.fresh)
        return self.fresh

    def start_conversation(self, user_id: int, username: str) -> str:
        active: str | None = self.user(user_id)["active"]
        if active is not None and is_untouched(self.user(user_id)["chats"][active]):
            return active
        return self.create_conversation(user_id, username, "")

    def load_conversation(self, user_id: int, conversation_id: str) -> Facts | None:
        user = self.user(user_id)
        if conversation_id not in user["chats"]:
            return None
        chat = user["chats"][conversation_id]
        return {
            "metadata": shown(user, conversation_id),
            "messages": list(chat["messages"]),
            "extra": chat["extra"],
        }

    def save_conversation(self, conversation: Conversation) -> tuple[bool, Facts]:
        """Give besides what the object's metadata are afterwards."""
        facts = asdict(conversation.metadata)
        messages = [asdict(message) for message in conversation.messages]
        if not is_id(facts["conversation_id"]):
            return False, facts
        if not facts["name"].strip():
            questions = [m["text"] for m in messages if m["type"] == "user_question"]
            facts["name"] = name_of("".join(questions[:1])) or "New chat"
        facts["created_at"] = facts["created_at"] or self.now.isoformat()
        facts["updated_at"] = facts["updated_at"] or facts["created_at"]
        if not self._may_save(facts, messages):
            return False, facts
        user, conversation_id = self.user(facts["user_id"]), facts["conversation_id"]
        user["chats"][conversation_id] = {
            "facts": copy.deepcopy(facts) | {"deleted_at": None},
            "messages": messages,
            "extra": copy.deepcopy(conversation.extra),
        }
        user["username"] = user["username"] or facts["username"]
        user["ever"].add(conversation_id)
        self._mend_pointer(user)
        return True, facts | counts(messages)

    def delete_conversation(self, user_id: int, conversation_id: str) -> bool:
        user = self.user(user_id)
        if conversation_id not in user["chats"]:
            return False
        chat = user["chats"].pop(conversation_id)
        chat["facts"]["deleted_at"] = self.now.isoformat()
        chat["facts"]["is_active"] = conversation_id == user["active"]
        user["trash"][conversation_id] = chat
        if not user["chats"]:
            self.create_conversation(user_id, user["username"], "")
        self._mend_pointer(user)
        return True

    def get_active_conversation_id(self, user_id: int) -> str | None:
        active: str | None = self.user(user_id)["active"]
        return active

    def set_active_conversation(self, user_id: int, conversation_id: str) -> bool:
        user = self.user(user_id)
        if conversation_id not in user["chats"]:
            return False
        user["active"] = conversation_id
        return True

    def add_message(
        self,
        user_id: int,
        conversation_id: str,
        message: ConversationMessage,
        *,
        include_deleted: bool = False,
    ) -> bool:
        chat = self._find(user_id, conversation_id, include_deleted=include_deleted)
        if chat is None:
            return False
        self._add(chat, asdict(message))
        return True

    def add_question(self, user_id: int, username: str, message: ConversationMessage) -> Facts:
        user = self.user(user_id)
        if user["active"] is None:
            self.create_conversation(user_id, username, "")
        chat = user["chats"][user["active"]]
        self._add(chat, asdict(message) | {"search_type": chat["facts"]["mode"]})
        return shown(user, user["active"])

    def replace_message(
        self,
        user_id: int,
        conversation_id: str,
        old: ConversationMessage,
        new: ConversationMessage,
        *,
        include_deleted: bool = False,
    ) -> bool:
        chat = self._find(user_id, conversation_id, include_deleted=include_deleted)
        if chat is None:
            return False
        messages = chat["messages"]
        places = [n for n, message in enumerate(messages) if message == asdict(old)]
        if places:
            messages[places[-1]] = asdict(new)
        return bool(places) or asdict(new) in messages

    def get_messages(self, user_id: int, conversation_id: str, limit: int = 20) -> list[Facts]:
        chat = self._find(user_id, conversation_id)
        if chat is None or limit <= 0:
            return []
        messages: list[Facts] = chat["messages"]
        return messages[max(0, len(messages) - limit) :]

    def load_index(self, user_id: int) -> Facts:
        user = self.user(user_id)
        return {
            "user_id": user_id,
            "username": user["username"],
            "last_active_conversation_id": user["active"],
            **({"settings": dict(user["settings"])} if user["settings"] else {}),
            "conversations": [written(shown(user, chat)) for chat in sorted(user["chats"])],
        }

    def list_conversations(self, user_id: int) -> list[Facts]:
        user = self.user(user_id)
        chats = newest_first([shown(user, chat) for chat in user["chats"]])
        return sorted(chats, key=lambda facts: not facts["pinned"])

    def rename_conversation(self, user_id: int, conversation_id: str, name: str) -> bool | str:
        return self._rename(user_id, conversation_id, name, "user")

    def name_conversation(self, user_id: int, conversation_id: str, name: str) -> bool | str:
        return self._rename(user_id, conversation_id, name, "model")

    def set_mode(self, user_id: int, conversation_id: str, mode: str) -> bool | str:
        if mode not in {"fast", "deep"}:
            return "ValueError"
        return self._set(user_id, conversation_id, mode=mode)

    def pin_conversation(
        self, user_id: int, conversation_id: str, *, pinned: bool = True
    ) -> bool | str:
        return self._set(user_id, conversation_id, pinned=pinned)

    def get_active_conversation(self, user_id: int) -> Facts | None:
        return next((f for f in self.list_conversations(user_id) if f["is_active"]), None)

    def get_conversation(self, user_id: int, conversation_id: str) -> Facts | None:
        user = self.user(user_id)
        return shown(user, conversation_id) if conversation_id in user["chats"] else None

    def list_deleted(self, user_id: int) -> list[Facts]:
        user = self.user(user_id)
        for chat, deleted in list(user["trash"].items()):
            if time_of(deleted["facts"]["deleted_at"]) < self.now - TRASH_KEPT:
                del user["trash"][chat]
        return [shown(user, chat) for chat in user["trash"]]

    def get_deleted_conversation(self, user_id: int, conversation_id: str) -> Facts | None:
        deleted = self.list_deleted(user_id)
        return next((f for f in deleted if f["conversation_id"] == conversation_id), None)

    def restore_conversation(
        self, user_id: int, conversation_id: str, *, activate: bool = False
    ) -> bool:
        user = self.user(user_id)
        if conversation_id not in user["trash"]:
            return False
        chat = user["trash"].pop(conversation_id)
        chat["facts"]["deleted_at"] = None
        if activate:
            stand_in = user["active"]
            if stand_in is not None and is_untouched(user["chats"][stand_in]):
                del user["chats"][stand_in]
            user["active"] = conversation_id
        user["chats"][conversation_id] = chat
        self._mend_pointer(user)
        return True

    def empty_trash(self, user_id: int) -> int:
        count = len(self.user(user_id)["trash"])
        self.user(user_id)["trash"].clear()
        return count

    def export_conversation(
        self, user_id: int, conversation_id: str, export_format: str
    ) -> Facts | str | None:
        if export_format != "json":
            return "ValueError"
        chat = self.load_conversation(user_id, conversation_id)
        if chat is None:
            return None
        messages = [written_message(message) for message in chat["messages"]]
        return {"metadata": written(chat["metadata"]), **chat["extra"], "messages": messages}

    def import_conversations(self, user_id: int, username: str, file: bytes) -> list[int]:
        """Take one chat of our own form, in which nothing is missing; tell what came in."""
        user, document = self.user(user_id), json.loads(file)
        user["username"] = user["username"] or username
        chat = self._new_chat(user_id, username, "Imported")
        own = {key: chat["facts"][key] for key in ("conversation_id", "user_id", "username")}
        chat["facts"] |= document["metadata"] | own
        chat["messages"] = [asdict(ConversationMessage(**m)) for m in document["messages"]]
        is_deleted = chat["facts"]["deleted_at"] is not None
        if is_deleted:
            chat["facts"]["deleted_at"] = self.now.isoformat()
        user["trash" if is_deleted else "chats"][self.fresh] = chat
        user["ever"].add(self.fresh)
        self._mend_pointer(user)
        return [1, int(is_deleted), len(chat["messages"])]

    def set_instructions(
        self, user_id: int, conversation_id: str, instructions: str
    ) -> bool | str:
        told = instructions.strip()
        if len(told) > 2000:
            return "InstructionsTooLongError"
        return self._set(user_id, conversation_id, instructions=told if is_visible(told) else "")

    def delete_conversations(self, user_id: int, conversation_ids: list[str]) -> int:
        """The active one goes last, so that none of the others becomes active in between."""
        active = self.user(user_id)["active"]
        chats = sorted(conversation_ids, key=lambda chat: chat == active)
        return sum(self.delete_conversation(user_id, chat) for chat in chats)

    def restore_deletion(self, user_id: int, deleted_at: datetime) -> int:
        """Who has gone on in another chat meanwhile stays there."""
        moment = deleted_at.isoformat()
        user = self.user(user_id)
        has_gone_on = user["active"] is not None and user["chats"][user["active"]]["messages"]
        deleted = [f for f in self.list_deleted(user_id) if f["deleted_at"] == moment]
        for facts in sorted(deleted, key=lambda facts: bool(facts["is_active"])):
            chat, activate = facts["conversation_id"], facts["is_active"] and not has_gone_on
            self.restore_conversation(user_id, chat, activate=activate)
        return len(deleted)
