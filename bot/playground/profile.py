"""What a bot says about itself: names and descriptions by language, commands by scope too."""

from typing import Any, Final

from .errors import BotApiError

_DEFAULT_NAME: Final = "Playground bot"
_LIMITS: Final = (("name", 64), ("description", 512), ("short_description", 120))
_MAX_COMMANDS: Final = 100
_COMMAND_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_MAX_COMMAND: Final = 32
_MAX_COMMAND_DESCRIPTION: Final = 256

Command = dict[str, Any]


class BotProfile:
    def __init__(self) -> None:
        self._texts: dict[str, dict[str, str]] = {name: {} for name, _ in _LIMITS}
        self._commands: dict[str, list[Command]] = {}
        self._menu_buttons: dict[str, dict[str, Any]] = {}

    def text(self, kind: str, language: str) -> str:
        """The text for a language, else the one for all, else an empty one."""
        texts = self._texts[kind]
        return texts.get(language) or texts.get("", "")

    def name(self, language: str) -> str:
        return self.text("name", language) or _DEFAULT_NAME

    def set_text(self, kind: str, language: str, text: str) -> None:
        if len(text) > dict(_LIMITS)[kind]:
            raise BotApiError(f"BOT_{kind.upper()}_TOO_LONG")
        self._texts[kind][_language(language)] = text

    def commands(self, scope: str, language: str) -> list[Command]:
        return self._commands.get(f"{scope}/{_language(language)}", [])

    def set_commands(self, scope: str, language: str, commands: list[Command]) -> None:
        if len(commands) > _MAX_COMMANDS:
            raise BotApiError("BOT_COMMANDS_TOO_MUCH")
        key = f"{scope}/{_language(language)}"
        checked = [_checked(command) for command in commands]
        if checked:
            self._commands[key] = checked
        else:
            self._commands.pop(key, None)

    def commands_for(self, chat_id: int, language: str) -> list[Command]:
        """What a client shows in a private dialog: the narrowest scope that has commands wins."""
        for scope in (f"chat:{chat_id}", "all_private_chats", "default"):
            for code in (language, ""):
                if commands := self.commands(scope, code):
                    return commands
        return []

    def menu_button(self, chat_id: int | None) -> dict[str, Any]:
        default = self._menu_buttons.get("", {"type": "default"})
        return self._menu_buttons.get(str(chat_id), default) if chat_id else default

    def set_menu_button(self, chat_id: int | None, button: dict[str, Any]) -> None:
        self._menu_buttons[str(chat_id) if chat_id else ""] = button

    def to_json(self) -> dict[str, Any]:
        return {
            "texts": self._texts,
            "commands": self._commands,
            "menu_buttons": self._menu_buttons,
        }

    def restore(self, data: dict[str, Any]) -> None:
        self._texts = {name: dict(data["texts"][name]) for name, _ in _LIMITS}
        self._commands = dict(data["commands"])
        self._menu_buttons = dict(data["menu_buttons"])


def _language(code: str) -> str:
    if code and not (len(code) == 2 and code.isascii() and code.islower()):
        raise BotApiError("invalid language code specified")
    return code


def _checked(raw: Command) -> Command:
    command = raw["command"].strip().removeprefix("/")
    description = raw["description"].strip()
    if not command:
        raise BotApiError("command must be non-empty")
    if len(command) > _MAX_COMMAND:
        raise BotApiError(f"command length must not exceed {_MAX_COMMAND}")
    if not description:
        raise BotApiError("command description must be non-empty")
    if len(description) > _MAX_COMMAND_DESCRIPTION:
        raise BotApiError(f"command description length must not exceed {_MAX_COMMAND_DESCRIPTION}")
    if not _COMMAND_CHARACTERS.issuperset(command):
        raise BotApiError("BOT_COMMAND_INVALID")
    return raw | {"command": command, "description": description}
