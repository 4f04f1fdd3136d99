"""Finding, copying and taking back: the rules of these verbs on what the model holds."""

from __future__ import annotations

import copy
import unicodedata
from datetime import datetime, timedelta

from tests.faults.model_rules import Facts, cleaned, newest_first, shown, time_of
from tests.faults.model_state import ModelState

_FORK = "🔀 "


class SearchableState(ModelState):
    def search_messages(self, user_id: int, words: str, limit: int) -> list[Facts]:
        """Look for words that have nothing but letters and digits in them."""
        sought = [word for word in folded(words).split() if word.isalnum()]
        if not sought or limit <= 0:
            return []
        chats = self._newest_first(user_id)
        names: list[Facts] = [
            {"chat": facts, "message": None}
            for facts in chats
            if facts["name_source"] != "default" and has_all(facts["name"], sought)
        ]
        messages = [
            {"chat": facts, "message": message}
            for facts in chats
            for message in reversed(self._messages(user_id, facts))
            if has_all(message["text"], sought)
        ]
        questions = [hit for hit in messages if hit["message"]["type"] == "user_question"]
        answers = [hit for hit in messages if hit["message"]["type"] != "user_question"]
        return [*names, *questions, *answers][:limit]

    def find_message(
        self, user_id: int, message_id: int, *, sent_at: datetime | None = None
    ) -> Facts | None:
        chats = self._newest_first(user_id)
        for facts in sorted(chats, key=lambda facts: not facts["is_active"]):
            for message in reversed(self._messages(user_id, facts)):
                if message_id and message["message_id"] == message_id:
                    time = time_of(message["timestamp"])
                    apart = abs(time - sent_at) if sent_at and time.year > 1 else timedelta(0)
                    if apart <= timedelta(days=1):
                        return {"chat": facts, "message": message}
        return None

    def fork_conversation(
        self, user_id: int, conversation_id: str, up_to_message_id: int | None
    ) -> str | None:
        user = self.user(user_id)
        if conversation_id not in user["chats"]:
            return None
        origin, messages = user["chats"][conversation_id], []
        if up_to_message_id is None:
            messages = list(origin["messages"])
        elif up_to_message_id:
            ids = [message["message_id"] for message in origin["messages"]]
            if up_to_message_id not in ids:
                return None
            last = len(ids) - 1 - ids[::-1].index(up_to_message_id)
            messages = origin["messages"][: last + 1]
        else:
            return None
        fork = self._new_chat(user_id, origin["facts"]["username"], "")
        kept = ("name_source", "mode", "instructions")
        fork["facts"] |= {key: origin["facts"][key] for key in kept}
        fork["facts"] |= {
            "name": name_of_fork(origin["facts"]["name"]),
            "forked_from": conversation_id,
        }
        fork |= {"messages": list(messages), "extra": copy.deepcopy(origin["extra"])}
        user["chats"][self.fresh] = fork
        user["active"] = self.fresh
        user["ever"].add(self.fresh)
        return self.fresh

    def remove_last_exchange(self, user_id: int, conversation_id: str) -> list[Facts]:
        chat = self.user(user_id)["chats"].get(conversation_id, {"messages": []})
        places = [n for n, m in enumerate(chat["messages"]) if m["type"] == "user_question"]
        if not places:
            return []
        question, *after = chat["messages"][places[-1] :]
        answers = [m for m in after if m["reply_to"] in {question["message_id"], None}]
        kept = [m for m in after if m["reply_to"] not in {question["message_id"], None}]
        chat["messages"] = [*chat["messages"][: places[-1]], *kept]
        return [question, *answers]

    def _newest_first(self, user_id: int) -> list[Facts]:
        user = self.user(user_id)
        return newest_first([shown(user, chat) for chat in user["chats"]])

    def _messages(self, user_id: int, facts: Facts) -> list[Facts]:
        messages: list[Facts] = self.user(user_id)["chats"][facts["conversation_id"]]["messages"]
        return messages


def folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text).replace("ё", "е")


def has_all(text: str, words: list[str]) -> bool:
    """Tell whether each of the words is the beginning of one in the text."""
    return all(_begins_a_word(folded(text), word) for word in words)


def _begins_a_word(text: str, word: str) -> bool:
    place = text.find(word)
    while place > 0 and unicodedata.category(text[place - 1])[0] in "LNM":
        place = text.find(word, place + 1)
    return place >= 0


def name_of_fork(name: str) -> str:
    text = cleaned(name).removeprefix(_FORK) or "New chat"
    if len(text) > 62:
        kept = text[:60].rpartition(" ")[0].rstrip() or text[:59]
        text = f"{kept}..."
    return _FORK + text
