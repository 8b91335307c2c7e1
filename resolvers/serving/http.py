"""HTTP as uvicorn speaks it, with an end to what comes before a body: httptools reads heads of any size, slowly."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 * 1024
"""Request line and headers together; what the largest GET and a token with its proof need, several times over."""
HEAD_SECONDS = 15.0
"""How long they may take to come."""

_TOO_LARGE = b'{"errors":[{"message":"The headers are too large.","extensions":{"code":"BAD_REQUEST"}}]}'


class BoundedHttp(HttpToolsProtocol):
    """Answers 431 (RFC 6585) to a head that is too large, and hangs up on one that does not come."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """As uvicorn makes its protocols."""
        super().__init__(*arguments, **named)
        self._head = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None

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

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

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
