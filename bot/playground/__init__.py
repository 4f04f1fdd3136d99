"""Telegram on this computer: a Bot API over HTTP and a chat page, for running without a token."""

from .bot_api import Call
from .server import Playground

__all__ = ["Call", "Playground"]
