"""What every response says to a browser, and that nothing passes a network in the clear (C52)."""

from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from authz.seen import seen_in
from resolvers.problems import Code

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""On every response, given to the HTTP server itself so that its own error answers have them too.

A page's own Content-Security-Policy stands beside this one and narrows it.
"""

HSTS = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
_PROBES = frozenset({"/livez", "/readyz"})
_MESSAGE = "This service answers over HTTPS only. Use https://, or have the proxy set X-Forwarded-Proto."


class Transport:
    """ASGI middleware: HTTPS responses carry HSTS (RFC 6797); plain HTTP from another machine is refused.

    Stands behind the handling of trusted proxies, so scheme and client are the outermost hop's. A proxy's probes of
    `/livez` and `/readyz` carry nothing worth hiding and pass.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """`https`: clients reach the service by HTTPS whatever this process sees."""
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, refuse, or add the header."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        secure = scope["scheme"] == "https"
        if secure or self._https:
            send = _with_hsts(send)
        if secure or is_loopback(scope) or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        seen_in(scope).code = Code.BAD_REQUEST.name
        refusal = {"message": _MESSAGE, "extensions": {"code": Code.BAD_REQUEST.name}}
        response = JSONResponse({"errors": [refusal]}, status_code=400, headers={"Cache-Control": "no-store"})
        await response(scope, receive, send)


def is_loopback(scope: Scope) -> bool:
    """Does this request come from this machine itself?"""
    host = scope["client"][0] if scope.get("client") else ""
    if host == "127.0.0.1":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _with_hsts(send: Send) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), HSTS]
        await send(message)

    return sent
