"""Request bodies: read no further than a limit, whatever was declared."""

from starlette.requests import Request


class BodyTooLargeError(Exception):
    """The body is larger than the limit; the rest of it has not been read."""


async def read_body(request: Request, *, most: int) -> bytes:
    """A body of at most `most` bytes. Raises BodyTooLargeError, and Starlette's ClientDisconnect."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise BodyTooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise BodyTooLargeError
    return bytes(body)
