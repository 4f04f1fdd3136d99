"""Reply markup, checked by itself: aiogram's union takes a broken keyboard for another kind."""

from types import MappingProxyType
from typing import Any, Final

from .errors import BotApiError
from .links import checked_link, mentioned_user

Markup = dict[str, Any]

_STYLES: Final = frozenset({"danger", "success", "primary"})
_ACTIONS: Final = ("callback_data", "url", "copy_text", "disabled")
_ACTIONS_ELSEWHERE: Final = (
    "callback_game",
    "login_url",
    "pay",
    "switch_inline_query",
    "switch_inline_query_chosen_chat",
    "switch_inline_query_current_chat",
    "web_app",
)
_MARKUP_FIELDS: Final = MappingProxyType(
    {
        "inline_keyboard": frozenset({"inline_keyboard", "force_reply"}),
        "force_reply": frozenset({"force_reply", "input_field_placeholder", "selective"}),
        "remove_keyboard": frozenset({"remove_keyboard", "selective"}),
    }
)
_MAX_CALLBACK_DATA_BYTES: Final = 64
_MAX_COPIED_CHARACTERS: Final = 256
_MAX_PLACEHOLDER_CHARACTERS: Final = 64


def checked_markup(raw: Any, *, inline_only: bool = False) -> Markup | None:
    """The markup as a message keeps it; an empty or a removed keyboard is None."""
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise BotApiError("object expected as reply markup")
    if not raw:
        return None
    if "inline_keyboard" in raw:
        return _inline_keyboard(_known(raw, "inline_keyboard"))
    if inline_only:
        raise BotApiError("inline keyboard expected")
    if "remove_keyboard" in raw:
        _known(raw, "remove_keyboard")
        return None
    if raw.get("force_reply") is True:
        return _forced_reply(_known(raw, "force_reply"))
    raise BotApiError("the playground draws inline keyboards and forced replies only")


def _known(raw: Markup, kind: str) -> Markup:
    if unknown := sorted(raw.keys() - _MARKUP_FIELDS[kind]):
        raise BotApiError(f'unknown field "{unknown[0]}" in the reply markup')
    return raw


def _forced_reply(raw: Markup) -> Markup:
    placeholder = raw.get("input_field_placeholder") or ""
    if not isinstance(placeholder, str) or len(placeholder) > _MAX_PLACEHOLDER_CHARACTERS:
        raise BotApiError("REPLY_MARKUP_PLACEHOLDER_INVALID")
    return {"force_reply": True} | (
        {"input_field_placeholder": placeholder} if placeholder else {}
    )


def _inline_keyboard(raw: Markup) -> Markup | None:
    rows = raw["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise BotApiError(
            'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays'
        )
    keyboard = [[_button(button) for button in row] for row in rows if row]
    if not keyboard:
        return None
    return {"inline_keyboard": keyboard} | (
        {"force_reply": True} if raw.get("force_reply") else {}
    )


def _button(raw: Any) -> Markup:
    if not isinstance(raw, dict):
        raise _unreadable("InlineKeyboardButton must be an Object")
    text = raw.get("text")
    if not isinstance(text, str):
        raise _unreadable('Can\'t find field "text"')
    button: Markup = {"text": text.strip()}
    if not button["text"]:
        raise BotApiError("inline keyboard button text must be non-empty")
    if style := raw.get("style"):
        if style not in _STYLES:
            raise _unreadable("invalid button style specified")
        button["style"] = style
    if icon := raw.get("icon_custom_emoji_id"):
        button["icon_custom_emoji_id"] = icon
    return button | _action(raw)


def _action(raw: Markup) -> Markup:
    if elsewhere := [name for name in _ACTIONS_ELSEWHERE if name in raw]:
        raise BotApiError(f'the playground has no "{elsewhere[0]}" buttons')
    if unknown := sorted(raw.keys() - {"text", "style", "icon_custom_emoji_id", *_ACTIONS}):
        raise _unreadable(f'unknown field "{unknown[0]}"')
    actions = [name for name in _ACTIONS if name in raw and raw[name] != ""]
    if not actions:
        raise _unreadable("Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise _unreadable(f"a button does one thing, not {' and '.join(actions)}")
    name = actions[0]
    return {name: _action_value(name, raw[name])}


def _action_value(name: str, value: Any) -> Any:
    if name == "callback_data":
        if not isinstance(value, str) or len(value.encode()) > _MAX_CALLBACK_DATA_BYTES:
            raise BotApiError("BUTTON_DATA_INVALID")
        return value
    if name == "url":
        link = (
            value if isinstance(value, str) and mentioned_user(value) else checked_link(str(value))
        )
        if link is None:
            raise BotApiError(f"inline keyboard button URL '{value}' is invalid: Wrong HTTP URL")
        return link
    if not isinstance(value, dict):
        raise _unreadable(f'Field "{name}" must be of type Object')
    if name == "copy_text" and not 0 < len(str(value.get("text", ""))) <= _MAX_COPIED_CHARACTERS:
        raise BotApiError("BUTTON_COPY_TEXT_INVALID")
    return value


def _unreadable(problem: str) -> BotApiError:
    return BotApiError(f"can't parse inline keyboard button: {problem}")
