"""How the console asks: the documents beside this file, at the API's own endpoint, as whoever visits.

The console is a client of the API inside its process. So every decision, refusal, rate and row in the ledger is the
API's own, and no page can show or do what its visitor could not ask for directly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import Message

from resolvers.endpoint import GRAPHQL, Endpoint

_FOLDER = Path(__file__).parent / "documents"
_PURPOSE = "administration"


@dataclass(frozen=True, slots=True)
class Refused(Exception):  # noqa: N818 - a refusal, which ends a page
    """The API refused an operation as a whole."""

    status: int
    code: str
    message: str
    retry_after: str | None = None
    ours: bool = False
    """Is the message the console's own, in the reader's language?"""

    @property
    def problem(self) -> "Problem":
        """What a page says of it."""
        return Problem("" if self.ours else self.code, self.message)


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands in the way, as the API says it in English; `consequence` what follows from it.

    Without a code it is the console's own, in the reader's language.
    """

    code: str
    message: str
    consequence: str | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one endpoint for one request of a browser."""

    endpoint: Endpoint
    http: Request
    token: str | None = field(repr=False)
    purpose: str | None = _PURPOSE
    """Under which it asks; None leaves it to the operation."""

    async def __call__(self, name: str, /, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 - any variables
        """The data of a document by its file's name. Raises Refused."""
        body = {"query": document(name), "variables": variables}
        response = await self.endpoint(within(self.http, self.token, body, purpose=self.purpose))
        said = orjson.loads(response.body)
        if said.get("data") is None:
            first = said["errors"][0]
            extensions = first.get("extensions", {})
            code, retry = extensions.get("code", "INTERNAL"), response.headers.get("retry-after")
            raise Refused(response.status_code, code, first["message"], retry)
        data: dict[str, Any] = said["data"]
        return data

    async def write(self, name: str, given: Mapping[str, Any]) -> dict[str, Any] | Problem:
        """The payload of a mutation, or the problem that it names. Raises Refused."""
        (payload,) = (await self(name, input=given)).values()
        if payload["__typename"].endswith("Problem"):
            return Problem(payload["code"], payload["message"], payload.get("consequence"))
        found: dict[str, Any] = payload
        return found


@cache
def document(name: str) -> str:
    """The text of a document."""
    return (_FOLDER / f"{name}.graphql").read_text(encoding="utf-8")


def within(http: Request, token: str | None, body: Mapping[str, Any], *, purpose: str | None = None) -> Request:
    """A request to the API by whoever sent this one: from the same address, with a token if there is one."""
    text = orjson.dumps(body)
    headers = [(b"content-type", b"application/json"), (b"accept", GRAPHQL.encode())]
    if token is not None:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    if purpose is not None:
        headers.append((b"x-purpose", purpose.encode()))
    scope = {**http.scope, "method": "POST", "path": "/graphql", "raw_path": b"/graphql", "query_string": b""}
    sent = iter([{"type": "http.request", "body": text, "more_body": False}])

    async def receive() -> Message:
        return next(sent, {"type": "http.disconnect"})

    return Request({**scope, "headers": headers}, receive)
