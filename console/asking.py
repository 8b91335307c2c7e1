"""How the console asks: the documents beside this file, at the API's own endpoint, as whoever visits.

The console is a client of the API inside its process. So every decision, refusal, rate and row in the ledger is the
API's own, and no page can show or do what its visitor could not ask for directly.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request

from resolvers.endpoint import Endpoint, within

_FOLDER = Path(__file__).parent / "documents"
_SPREAD, _FRAGMENT = re.compile(r"\.\.\.(\w+)"), re.compile(r"^fragment (\w+) on", re.MULTILINE)
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
    """The text of a document, with the fragments that several documents share."""
    text = (_FOLDER / f"{name}.graphql").read_text(encoding="utf-8")
    shared = sorted(set(_SPREAD.findall(text)) - set(_FRAGMENT.findall(text)))
    parts = [(_FOLDER / "fragments" / f"{one}.graphql").read_text(encoding="utf-8") for one in shared]
    return "\n".join((text, *parts))
