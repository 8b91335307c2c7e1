"""HTTP as uvicorn speaks it, with an end to what comes before a body: httptools reads heads of any size, slowly."""

import asyncio
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from resolvers.serving.whole_responses import WRITE

MOST_HEAD_BYTES = 64 * 1024
"""Request line and headers together; what the largest GET and a token with its proof need, several times over."""
HEAD_SECONDS = 15.0
"""How long they may take to come."""

_TOO_LARGE = b'{"errors":[{"message":"The headers are too large.","extensions":{"code":"BAD_REQUEST"}}]}'


class BoundedHttp(HttpToolsProtocol):
    """Answers 431 (RFC 6585) to a head that is too large, and hangs up on one that does not come.

    Applications find a way to send a response that is there as a whole in the scope.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """As uvicorn makes its protocols."""
        super().__init__(*arguments, **named)
        self._head = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None
        self._usual_of: list[tuple[bytes, bytes]] | None = None
        self._usual_lines = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head begins."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count a head as it comes; what comes at once is a few hundred KiB at most, and may be mostly body."""
        if self._in_head:
            if self._head > MOST_HEAD_BYTES:
                self._refuse()
                return
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """The head is whole."""
        super().on_headers_complete()
        self._in_head = False
        self._head = 0
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's own
        scope: Any = cycle.scope
        scope[WRITE] = partial(self._write, cycle)
        super()._start_asgi_task(cycle, app)

    async def _write(self, cycle: RequestResponseCycle, status: int, lines: bytes, body: bytes) -> None:
        """As the cycle's own `send` does with a start and a body, in one piece; our own lines need no check."""
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        length = b"content-length: %d\r\n%b\r\n" % (len(body), close)
        self.transport.write(b"".join((STATUS_LINE[status], self._usual(cycle), lines, length, body)))
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _usual(self, cycle: RequestResponseCycle) -> bytes:
        """The lines that every response has; the server makes them anew each second, for the date."""
        found = cycle.default_headers
        if found is not self._usual_of:
            self._usual_of = found
            self._usual_lines = b"".join(b"%b: %b\r\n" % one for one in found)
        return self._usual_lines

    def _refuse(self) -> None:
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(_TOO_LARGE)).encode()),
            (b"connection", b"close"),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + lines + b"\r\n" + _TOO_LARGE)
        self.transport.close()
