"""What the model has of a person besides their chats: settings, files, and all of it."""

from __future__ import annotations

import re

from tests.faults.model_rules import Facts
from tests.faults.model_state import ModelState


class PersonModel(ModelState):
    def keep_file(self, user_id: int, name: str, text: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}", name):
            return "ValueError"
        self.user(user_id)["files"][name] = text.encode("utf-8", "replace")
        return f"files/{name}"

    def take_damage_report(self, user_id: int) -> int:
        return 0  # nothing here damages a file

    def get_settings(self, user_id: int) -> Facts:
        return dict(self.user(user_id)["settings"])

    def update_settings(self, user_id: int, changes: Facts) -> bool:
        merged = self.user(user_id)["settings"] | changes
        settings = {name: value for name, value in merged.items() if value is not None}
        self.user(user_id)["settings"] = settings
        return True

    def measure_user(self, user_id: int) -> Facts:
        user = self.user(user_id)
        chats = [*user["chats"].values(), *user["trash"].values()]
        return {
            "chats": len(user["chats"]),
            "deleted_chats": len(user["trash"]),
            "messages": sum(len(chat["messages"]) for chat in chats),
            "files": len(user["files"]),
            "size": None,
        }

    def erase_user(self, user_id: int) -> Facts:
        footprint = self.measure_user(user_id)
        del self.users[user_id]
        return footprint
