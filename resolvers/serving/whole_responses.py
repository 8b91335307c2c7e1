"""Responses that are there as a whole before anything of them is sent."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from starlette.responses import Response
from starlette.types import Scope, Send

from resolvers.rates import SCOPE_KEY, Verdict
from resolvers.serving.transport import HSTS

WRITE = "needful.write"
"""Where in an ASGI scope the server's own way stands to send a status, lines of the head and a body, all at once."""
Write = Callable[[int, bytes, bytes], Awaitable[None]]

_SAFE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A status, a media type, a body, and fields beside the usual ones."""

    status: int
    media: str
    text: bytes = field(repr=False)
    headers: Mapping[str, str] | None = None

    def response(self) -> Response:
        """The same for Starlette."""
        return Response(
            self.text,
            self.status,
            headers={**_SAFE, **(self.headers or {})},
            media_type=f"{self.media}; charset=utf-8",
        )


async def send_whole(whole: Whole, scope: Scope, send: Send, *, https: bool) -> None:
    """Send a response with the fields of its rate and, where clients come by HTTPS, the one that keeps them there."""
    write: Write | None = scope.get(WRITE)
    verdict: Verdict | None = scope.get(SCOPE_KEY)
    if write is not None and whole.headers is None and (verdict is None or verdict.allowed):
        lines = _lines(whole.media, https=https)
        await write(whole.status, lines if verdict is None else lines + verdict.lines(), whole.text)
        return
    headers = whole.response().raw_headers
    if verdict is not None:
        headers += [(name.lower().encode(), text.encode()) for name, text in verdict.headers().items()]
    if https:
        headers.append(HSTS)
    await send({"type": "http.response.start", "status": whole.status, "headers": headers})
    await send({"type": "http.response.body", "body": whole.text})


@cache
def _lines(media: str, *, https: bool) -> bytes:
    headers = [(b"cache-control", b"no-store"), (b"content-type", f"{media}; charset=utf-8".encode())]
    return b"".join(b"%b: %b\r\n" % one for one in (*headers, *((HSTS,) if https else ())))
