"""A chat's name as a person sees it; pure."""

from __future__ import annotations

from conversations import ConversationMetadata, clean_text, shorten

from .texts import Texts

_ON_BUTTON = 30  # characters, as many as an automatic name has; phones cut at 30-40


def display_name(chat: ConversationMetadata, texts: Texts) -> str:
    """Give a chat's name, fit to be shown: one line that does nothing to the text around it."""
    if chat.name_source == "default":
        return texts("default-name")
    return shorten(clean_text(chat.name), 64) or texts("default-name")


def button_name(chat: ConversationMetadata, texts: Texts) -> str:
    """Give as much of the name as a button has room for."""
    return shorten(display_name(chat, texts), _ON_BUTTON)
