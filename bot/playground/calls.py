"""A request to the Bot API: its parameters, checked with aiogram's own classes."""

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Union, get_args, get_origin

from aiogram.client.default import Default
from aiogram.methods import TelegramMethod
from aiohttp import web
from aiohttp.web_request import FileField
from pydantic import BaseModel, ValidationError

from .errors import BotApiError

QUERY_INVALID: Final = "query is too old and response timeout expired or query ID is invalid"
_ATTACHED: Final = "attach://"
# Checked by keyboards.py: aiogram's union of markups would take a broken one for another kind.
_RAW: Final = frozenset({"reply_markup"})
# Parameters of a sendMessage and its like which have no meaning in two private dialogs.
_ELSEWHERE: Final = frozenset(
    {
        "allow_paid_broadcast",
        "business_connection_id",
        "direct_messages_topic_id",
        "ephemeral_message_parameters",
        "inline_message_id",
        "message_thread_id",
        "receiver_user_id",
        "rich_message",
        "suggested_post_parameters",
        "thumbnail",
    }
)
# What Telegram says when a parameter is not there; aiogram leaves empty ones out.
_MISSING: Final = types.MappingProxyType(
    {
        "action": "wrong parameter action in request",
        "callback_query_id": QUERY_INVALID,
        "chat_id": "chat_id is empty",
        "document": "there is no document in the request",
        "draft_id": "RANDOM_ID_INVALID",
        "file_id": "file_id not specified",
        "inline_query_id": QUERY_INVALID,
        "message_id": "message identifier is not specified",
        "text": "message text is empty",
    }
)


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    mime_type: str | None
    content: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What a method's function gets: checked parameters, the markup as it came, files."""

    method: Any
    reply_markup: Any
    uploads: Mapping[str, Upload]

    def upload(self, reference: str) -> Upload | None:
        """The file that came along as ``attach://<field>``."""
        return self.uploads.get(reference.removeprefix(_ATTACHED))


def given(value: Any) -> Any:
    """A parameter's value; None where aiogram only keeps a place for a default."""
    return None if isinstance(value, Default) else value


async def read_parameters(request: web.Request) -> tuple[dict[str, Any], dict[str, Upload]]:
    """From query, form, multipart form or JSON: the Bot API takes all of them."""
    values: dict[str, Any] = dict(request.query)
    uploads: dict[str, Upload] = {}
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except (ValueError, RecursionError):
            raise BotApiError("can't parse JSON object") from None
        if not isinstance(body, dict):
            raise BotApiError("object expected")
        return values | body, uploads
    for name, value in (await request.post()).items():
        if isinstance(value, FileField):
            uploads[name] = Upload(value.filename, value.content_type, value.file.read())
        else:
            values[name] = value
    return values, uploads


def checked_request(
    model: type[TelegramMethod[Any]], values: dict[str, Any], uploads: dict[str, Upload]
) -> Request:
    """Raises BotApiError for what is missing, mistyped, unknown, or has no meaning here."""
    values = {name: _decoded(model, name, value) for name, value in values.items()}
    for name in uploads.keys() & model.model_fields.keys():
        values.setdefault(name, f"{_ATTACHED}{name}")
    raw = {name: values.pop(name) for name in _RAW & values.keys()}
    if "reply_markup" in raw and "reply_markup" not in model.model_fields:
        raise BotApiError('unknown parameter "reply_markup"')
    try:
        method = model.model_validate(values)
    except ValidationError as error:
        raise BotApiError(_first_problem(error)) from None
    for path in _unknown(method):
        raise BotApiError(f'unknown parameter "{path}"')
    # A rich message has no use in an edit, but sendRichMessage cannot do without.
    optional = {name for name in values if not model.model_fields[name].is_required()}
    if elsewhere := sorted(_ELSEWHERE & optional):
        raise BotApiError(f'the playground has no use for the parameter "{elsewhere[0]}"')
    return Request(method, raw.get("reply_markup"), uploads)


def _decoded(model: type[BaseModel], name: str, value: Any) -> Any:
    field = model.model_fields.get(name)
    if not isinstance(value, str) or field is None or not _holds_json(field.annotation):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise BotApiError(f"can't parse {name.replace('_', ' ')} JSON object") from None


def _holds_json(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in {list, dict}:
        return True
    if origin in {Union, types.UnionType} or hasattr(annotation, "__metadata__"):
        return any(_holds_json(part) for part in get_args(annotation))
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    name = str(problem["loc"][0])
    if problem["type"] != "missing":
        return f'parameter "{name}" is wrong: {problem["msg"]}'
    return _MISSING.get(name, f'parameter "{name}" is required')


def _unknown(model: BaseModel, path: str = "") -> Iterator[str]:
    """Names that aiogram keeps although the Bot API has none such: mostly misspelt ones."""
    for name in model.model_extra or {}:
        yield f"{path}{name}"
    for name in model.model_fields_set & type(model).model_fields.keys():
        value = getattr(model, name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from _unknown(item, f"{path}{name}.")
