"""The straight way of `POST /graphql` from the server to the endpoint and back; everything else goes the long way.

What the long way does about such a request is done here too: timing it, telling of it, refusing plain HTTP from
elsewhere (by sending it the long way), and the fields of its rate and of HTTPS.
"""

from collections.abc import Callable
from time import perf_counter

from starlette.types import ASGIApp, Receive, Scope, Send

from authz.seen import seen_in
from resolvers.endpoint import Endpoint
from resolvers.operating.observing import Observers
from resolvers.serving.heads import Head
from resolvers.serving.transport import is_loopback
from resolvers.serving.whole_responses import send_whole

PATH = "/graphql"


class Direct:
    """ASGI application before `app`, which takes the long way; the others are there once it has started."""

    def __init__(
        self,
        app: ASGIApp,
        endpoint: Callable[[], Endpoint],
        observers: Callable[[], Observers],
        *,
        https: bool,
    ) -> None:
        """`https`: clients reach the service by HTTPS whatever this process sees."""
        self._app = app
        self._endpoint = endpoint
        self._observers = observers
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        secure = scope["scheme"] == "https"
        if not secure and not is_loopback(scope):
            await self._app(scope, receive, send)
            return
        begun, status, took = perf_counter(), 0, 0.0
        head = Head(scope)
        try:
            whole = await self._endpoint().respond(head, receive)
            status, took = whole.status, perf_counter() - begun - head.waited
            await send_whole(whole, scope, send, https=secure or self._https)
        finally:
            self._observers().tell(scope, seen_in(scope), status, took)
