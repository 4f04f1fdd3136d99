"""setMyCommands, setMyName and the like: what the bot says about itself."""

from typing import Any

from aiogram.methods import (
    DeleteMyCommands,
    GetChatMenuButton,
    GetMyCommands,
    SetChatMenuButton,
    SetMyCommands,
    SetMyDescription,
    SetMyName,
    SetMyShortDescription,
)
from aiogram.types import BotCommandScopeChat

from .calls import Request
from .dialogs import Wire
from .errors import BotApiError
from .profile import Command
from .world import World


async def set_my_commands(world: World, request: Request) -> bool:
    method: SetMyCommands = request.method
    commands = [c.model_dump(mode="json", exclude_none=True) for c in method.commands]
    world.profile.set_commands(_scope(world, method.scope), method.language_code or "", commands)
    world.profile_changed()
    return True


async def delete_my_commands(world: World, request: Request) -> bool:
    method: DeleteMyCommands = request.method
    world.profile.set_commands(_scope(world, method.scope), method.language_code or "", [])
    world.profile_changed()
    return True


async def get_my_commands(world: World, request: Request) -> list[Command]:
    method: GetMyCommands = request.method
    return world.profile.commands(_scope(world, method.scope), method.language_code or "")


async def set_my_name(world: World, request: Request) -> bool:
    method: SetMyName = request.method
    return _set_text(world, "name", method.language_code, method.name)


async def set_my_description(world: World, request: Request) -> bool:
    method: SetMyDescription = request.method
    return _set_text(world, "description", method.language_code, method.description)


async def set_my_short_description(world: World, request: Request) -> bool:
    method: SetMyShortDescription = request.method
    text = method.short_description
    return _set_text(world, "short_description", method.language_code, text)


async def get_my_name(world: World, request: Request) -> Wire:
    return {"name": world.profile.name(request.method.language_code or "")}


async def get_my_description(world: World, request: Request) -> Wire:
    return {"description": _text(world, "description", request)}


async def get_my_short_description(world: World, request: Request) -> Wire:
    return {"short_description": _text(world, "short_description", request)}


async def set_chat_menu_button(world: World, request: Request) -> bool:
    method: SetChatMenuButton = request.method
    button = method.menu_button.model_dump(mode="json") if method.menu_button else {}
    if button.get("type") == "web_app":
        raise BotApiError("the playground has no Web Apps")
    if method.chat_id is not None:
        world.dialog(method.chat_id)
    world.profile.set_menu_button(method.chat_id, {"type": button.get("type", "default")})
    world.profile_changed()
    return True


async def get_chat_menu_button(world: World, request: Request) -> Wire:
    method: GetChatMenuButton = request.method
    return world.profile.menu_button(method.chat_id)


def _set_text(world: World, kind: str, language: str | None, text: str | None) -> bool:
    world.profile.set_text(kind, language or "", text or "")
    world.profile_changed()
    return True


def _text(world: World, kind: str, request: Request) -> str:
    return world.profile.text(kind, request.method.language_code or "")


def _scope(world: World, scope: Any) -> str:
    """A scope as one word; commands for groups are kept like all others and never shown."""
    if scope is None:
        return "default"
    if isinstance(scope, BotCommandScopeChat):
        return f"chat:{world.dialog(scope.chat_id).person.user_id}"
    if "chat_id" in type(scope).model_fields:
        raise BotApiError("chat not found")
    return str(scope.type)
