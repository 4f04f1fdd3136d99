"""Links as Telegram's server takes them: a scheme that it knows, a host, and a path."""

from typing import Final
from urllib.parse import urlsplit

_SCHEMES: Final = frozenset({"http", "https", "tg", "ton"})


def checked_link(url: str) -> str | None:
    """The link as the server stores it, or None when the server would not take it."""
    url = url.strip()
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if not host or parts.scheme.lower() not in _SCHEMES or any(c.isspace() for c in url):
        return None
    if parts.scheme.lower() in {"tg", "ton"}:
        return url
    if "." not in host or parts.username is not None:
        return None
    netloc = host if port is None else f"{host}:{port}"
    return parts._replace(
        scheme=parts.scheme.lower(), netloc=netloc, path=parts.path or "/"
    ).geturl()


def mentioned_user(url: str) -> int | None:
    """The user id in ``tg://user?id=…``."""
    prefix = "tg://user?id="
    digits = url[len(prefix) :]
    return (
        int(digits) if url.startswith(prefix) and digits.isdecimal() and digits.isascii() else None
    )
