"""Telegram on this computer: a Bot API over HTTP and a chat page, for running without a token."""

from .bot_api import Call
from .dialogs import Person
from .server import Playground

__all__ = ["Call", "Person", "Playground"]
