"""Request bodies: read no further than a limit, whatever was declared."""

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive


class BodyTooLargeError(Exception):
    """The body is larger than the limit; the rest of it has not been read."""


async def read_body(request: Request, *, most: int) -> bytes:
    """A body of at most `most` bytes. Raises BodyTooLargeError, and Starlette's ClientDisconnect."""
    return await receive_body(request.receive, declared=request.headers.get("content-length", ""), most=most)


async def receive_body(receive: Receive, *, declared: str, most: int) -> bytes:
    """The same from where ASGI gives it; `declared` is its length by the head, as text, and may be wrong."""
    if declared.isdecimal() and int(declared) > most:
        raise BodyTooLargeError
    message = await _received(receive)
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(first) <= most:
        return first
    body = bytearray(first)
    while len(body) <= most and message.get("more_body", False):
        message = await _received(receive)
        body += message.get("body", b"")
    if len(body) > most:
        raise BodyTooLargeError
    return bytes(body)


async def _received(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message
