"""What keeps other web sites out: the playground is for this computer's own browser and bot."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from .errors import PersonError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SECURITY_HEADERS: Final = (
    (
        "Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses foreign hosts (DNS rebinding), foreign origins, and forms that pose as JSON."""
    port = _own_port(request)
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    if request.headers.get("Host", "") not in hosts:
        return _refusal("this host is not served here", 403)
    origin = request.headers.get("Origin")
    if origin is not None and origin not in {f"http://{host}" for host in hosts}:
        return _refusal("other sites have no access", 403)
    is_action = request.method == "POST" and request.path.startswith("/person/")
    if is_action and request.content_type != "application/json":
        return _refusal("send JSON", 415)
    try:
        return await handler(request)
    except PersonError as error:
        return _refusal(error.reason, error.code)
    except web.HTTPRequestEntityTooLarge:
        return _refusal("this is too large", 413)


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Runs before the headers of any answer go out."""
    for name, value in _SECURITY_HEADERS:
        response.headers[name] = value
    if request.path == "/" or request.path.startswith("/page/"):
        # After an update of the bot nobody shall sit before the old page.
        response.headers["Cache-Control"] = "no-cache"


def _own_port(request: web.Request) -> int | None:
    address = request.transport.get_extra_info("sockname") if request.transport else None
    return int(address[1]) if address else None


def _refusal(reason: str, status: int) -> web.Response:
    return web.json_response({"error": reason}, status=status)
