"""Refusals of the Bot API and of the persons' API."""

from types import MappingProxyType
from typing import Final

_PREFIXES: Final = MappingProxyType(
    {
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        409: "Conflict",
        413: "Request Entity Too Large",
        429: "Too Many Requests",
        500: "Internal Server Error",
    }
)


class BotApiError(Exception):
    """A refusal in the server's words; ``reason`` comes without "Bad Request: "."""

    def __init__(self, reason: str, *, code: int = 400, retry_after: int | None = None) -> None:
        prefix = _PREFIXES.get(code, "Bad Request")
        self.code = code
        self.retry_after = retry_after
        self.description = f"{prefix}: {reason}" if reason else prefix
        super().__init__(self.description)

    def answer(self) -> dict[str, object]:
        answer: dict[str, object] = {
            "ok": False,
            "error_code": self.code,
            "description": self.description,
        }
        if self.retry_after is not None:
            answer["parameters"] = {"retry_after": self.retry_after}
        return answer


class PersonError(Exception):
    """What a person cannot do: press a button that is gone, edit a message of the bot."""

    def __init__(self, reason: str, *, code: int = 400) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)
