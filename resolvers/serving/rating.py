"""Rate limits by path, before anything else is done, and their fields on every response that was counted."""

from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from authz.oauth.metadata import KEYS_PATH
from authz.seen import seen_in
from resolvers.problems import Code
from resolvers.rates import SCOPE_KEY, Limited, Rates, client_address, too_many

_PATHS = (
    (KEYS_PATH, Limited.ANONYMOUS),
    ("/.well-known/", Limited.ANONYMOUS),
    ("/ledger/", Limited.ANONYMOUS),
    ("/console", Limited.ANONYMOUS),
    ("/oauth/", Limited.TOKEN),
    ("/oidc/", Limited.TOKEN),
)
"""What is counted here, by address; the first that fits. `/graphql` counts for itself once it knows who asks."""


class Rating:
    """ASGI middleware over the rates that `rates` gives once the application has started."""

    def __init__(self, app: ASGIApp, rates: Callable[[], Rates]) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count by path, then pass on or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limited = _limited(scope["path"])
        if limited is not None:
            verdict = await self._rates().count(scope, limited, client_address(scope))
            if not verdict.allowed:
                seen_in(scope).code = Code.RATE_LIMITED.name
                await _refusal(too_many(verdict))(scope, receive, _with_fields(scope, send))
                return
        await self._app(scope, receive, _with_fields(scope, send))


def _limited(path: str) -> Limited | None:
    if path == "/graphql":
        return None
    return next((limited for prefix, limited in _PATHS if path.startswith(prefix)), None)


def _refusal(message: str) -> JSONResponse:
    """As every refusal here, and as an OAuth client expects it (RFC 6749, 5.2)."""
    error = {"message": message, "extensions": {"code": Code.RATE_LIMITED.name}}
    body = {"errors": [error], "error": "temporarily_unavailable", "error_description": message}
    return JSONResponse(body, status_code=Code.RATE_LIMITED.status, headers={"Cache-Control": "no-store"})


def _with_fields(scope: Scope, send: Send) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        verdict = scope.get(SCOPE_KEY)
        if verdict is not None and message["type"] == "http.response.start":
            fields = [(name.lower().encode(), text.encode()) for name, text in verdict.headers().items()]
            message["headers"] = [*message.get("headers", ()), *fields]
        await send(message)

    return sent
