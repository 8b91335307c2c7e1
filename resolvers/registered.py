"""Registered operations: the documents that anonymous callers may run, found by hash before anything is parsed.

Those of the house stand as files beside this one; the operator registers more (`scripts/needful operations`). Whoever
has a token may name documents of client teams too (`resolvers.client_operations`), and may send any text instead.
A hash is the hex SHA-256 of the document's UTF-8 text, byte for byte.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg

from models.faults import NO_ANSWER
from models.vocabulary import Purpose, Role
from resolvers.problems import Code, RequestRefusedError, unavailable

_HOUSE = Path(__file__).parent / "registered_documents"
_HASH = re.compile("[0-9a-f]{64}")
_DOCUMENT_ID = "sha256:"
_KEPT = 500
_FIND = "SELECT document FROM registered_operation WHERE hash = $1"
_FIND_OF_CLIENTS = "SELECT document FROM client_operation WHERE hash = $1 LIMIT 1"
ANYBODYS = Role.ANONYMOUS, Purpose.PRODUCT_DISPLAY
"""As whom and for what registered documents are run without a token."""
_ADD = """
INSERT INTO registered_operation (hash, name, document, registered_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (hash) DO NOTHING
"""
_NAME = re.compile(r"(?:query|mutation) (\w+)")


def hash_of(text: str) -> str:
    """The hash that a document goes by."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def house_documents() -> Mapping[str, str]:
    """The documents that come with the service, by hash."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(_HOUSE.glob("*.graphql")))
    return {hash_of(text): text for text in texts}


def house_names() -> list[tuple[str, str]]:
    """Hash and operation name of those documents."""
    return [(one, found[1] if (found := _NAME.match(text)) else "") for one, text in house_documents().items()]


def hash_named(given: Mapping[str, Any]) -> str | None:
    """The hash that a request names: `documentId` (GraphQL over HTTP) or `extensions.persistedQuery` (Apollo).

    Raises BAD_REQUEST for one that cannot be, or two that differ.
    """
    extensions = given.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    named = []
    if given.get("documentId") is not None:
        named.append(_after_prefix(given["documentId"]))
    if persisted is not None:
        named.append(_of_apollo(persisted))
    if not named:
        return None
    if not _HASH.fullmatch(named[0]) or len(set(named)) > 1:
        message = "Name a document by its SHA-256: documentId 'sha256:<64 hex digits>', or persistedQuery version 1."
        raise RequestRefusedError(Code.BAD_REQUEST, message)
    return named[0]


def _after_prefix(document_id: object) -> str:
    text = document_id if isinstance(document_id, str) else ""
    return text.removeprefix(_DOCUMENT_ID).lower() if text.startswith(_DOCUMENT_ID) else ""


def _of_apollo(persisted: object) -> str:
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        return ""
    found = persisted.get("sha256Hash")
    return found.lower() if isinstance(found, str) else ""


class Registered:
    """Finds registered documents; the latest found are kept, a hash that is not among them is looked up each time."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        """Start with those of the house."""
        self._pool = pool
        self._kept: OrderedDict[str, str] = OrderedDict()

    async def find(self, named: str, *, known: bool = False) -> str | None:
        """The document of a hash; of who is `known` those of client teams too, which may be taken back at any time.

        Raises UNAVAILABLE if it cannot be looked up.
        """
        text = house_documents().get(named) or self._kept.get(named)
        if text is None:
            text = await self._looked_up(_FIND, named)
            if text is not None:
                self._kept[named] = text
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        if text is None and known:
            text = await self._looked_up(_FIND_OF_CLIENTS, named)
        return text

    async def _looked_up(self, statement: str, named: str) -> str | None:
        try:
            found: str | None = await self._pool.fetchval(statement, named)
        except NO_ANSWER as fault:
            raise unavailable() from fault
        return found


async def register(connection: Any, text: str, *, name: str, now: datetime) -> str:  # noqa: ANN401 - asyncpg's proxy
    """Register a document that has been checked; its hash."""
    found = hash_of(text)
    await connection.execute(_ADD, found, name, text, now)
    return found
