"""Client operations: what teams ask, as whom and for what; kept so that impact and previews can speak of them.

Whoever has a token may name one by its hash. They let no one in: what callers without a token may run is registered by
the operator alone (`resolvers.registered`). Whoever registered one, or the operator, renames it or takes it back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from authz.reviews import OPERATOR
from models.vocabulary import Purpose, Role
from resolvers.access_records import audits
from resolvers.aside_pages import read_page
from resolvers.asides import Question, RootAside
from resolvers.nouns import Order
from resolvers.paging import LARGEST_PAGE
from resolvers.registered import ANYBODYS, hash_of, house_documents, house_names
from resolvers.times import in_shanghai

LONGEST_NAME = 120
LONGEST_TEAM = 60
LONGEST_DOCUMENT = 20_000
MOST_OF_A_TEAM = 500
MOST = 2_000
"""So many in all: an impact plans those twice that a change could touch."""

_PLACE = "Query.registeredOperations"
_WEIGHT = 2_000
_READERS = (Role.DEVELOPER, Role.SECURITY_ADMIN, Role.AUDITOR, Role.PRIVACY_OFFICER)
_ORDER = Order(("team", "name", "hash", "role", "purpose"), ("text",) * 5)
_WORDS = re.compile(r"\w(?:[\w .,&()/+-]*[\w.)+])?")

# Whoever looks and then changes something does so alone.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('client_operation'))"
_COUNT = "SELECT count(*), count(*) FILTER (WHERE team = $1) FROM client_operation"
_FIND = "SELECT name, registered_by FROM client_operation WHERE team = $1 AND hash = $2 AND role = $3 AND purpose = $4"
_ADD = """
INSERT INTO client_operation (team, hash, role, purpose, name, document, registered_by, registered_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (team, hash, role, purpose) DO UPDATE SET name = excluded.name
RETURNING registered_at
"""
_DROP = "DELETE FROM client_operation WHERE team = $1 AND hash = $2 AND role = $3 AND purpose = $4"
_EVERY = f"""
SELECT team, name, hash::text AS hash, role, purpose, document, registered_at FROM client_operation
UNION ALL
SELECT '', name, hash, '{ANYBODYS[0]}', '{ANYBODYS[1]}', document, registered_at FROM registered_operation
UNION ALL
SELECT '', *, '{ANYBODYS[0]}', '{ANYBODYS[1]}', NULL, NULL
FROM unnest($1::text[], $2::text[])
"""
_PAGE = f"""
SELECT * FROM ({_EVERY}) o
WHERE ($3::text IS NULL OR team = $3) AND (team, name, hash, role, purpose) > ($4, $5, $6, $7, $8)
ORDER BY team, name, hash, role, purpose LIMIT $9
"""


class Refusal(StrEnum):
    """Why an operation is not registered, or not taken back."""

    OPERATION_INVALID = "OPERATION_INVALID"
    OPERATION_CEILING = "OPERATION_CEILING"
    OPERATION_UNKNOWN = "OPERATION_UNKNOWN"
    NOT_YOURS = "NOT_YOURS"


@dataclass(frozen=True, slots=True)
class ClientOperation:
    """One registered document: whose it is, as which role and for which purpose it is asked.

    `team` is empty for what anonymous callers may run.
    """

    team: str
    name: str
    role: Role
    purpose: Purpose
    document: str
    registered_at: datetime | None = None

    @property
    def hash(self) -> str:
        """Hex SHA-256 of the document."""
        return hash_of(self.document)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is known by."""
        return self.team, self.hash, self.role.value, self.purpose.value


def words_refused(operation: ClientOperation) -> tuple[str, str] | None:
    """Which word of an operation is wrong, and a sentence that says what to do; the document is not read."""
    for what, text, longest in (("team", operation.team, LONGEST_TEAM), ("name", operation.name, LONGEST_NAME)):
        if len(text) > longest or not _WORDS.fullmatch(text):
            return what, f"A {what} has 1 to {longest} letters, digits, spaces and marks such as - and _."
    if len(operation.document) > LONGEST_DOCUMENT or "\0" in operation.document:
        return "document", f"A document has at most {LONGEST_DOCUMENT} characters, none of them NUL."
    if operation.role == Role.ANONYMOUS:
        message = (
            "What anonymous callers may run is registered by the operator: scripts/needful operations register FILE."
        )
        return "role", message
    return None


async def register(connection: Any, operation: ClientOperation, *, by: str, now: datetime) -> datetime | Refusal:  # noqa: ANN401 - asyncpg
    """Keep a checked operation; when it was registered, once however often. In the caller's transaction.

    `by`: an account's id or `operator`. The same again is nothing new, whoever says it; another name is.
    """
    await connection.execute(_LOCK)
    known = await connection.fetchrow(_FIND, *operation.key)
    if known is None:
        every, of_team = await connection.fetchrow(_COUNT, operation.team)
        if every >= MOST or of_team >= MOST_OF_A_TEAM:
            return Refusal.OPERATION_CEILING
    elif known["name"] != operation.name and not _may_change(known, by):
        return Refusal.NOT_YOURS
    row = *operation.key, operation.name, operation.document, by, now
    registered_at: datetime = await connection.fetchval(_ADD, *row)
    return registered_at


async def unregister(connection: Any, key: tuple[str, str, str, str], *, by: str) -> str | Refusal:  # noqa: ANN401 - as above
    """Take an operation back; its name. In the caller's transaction."""
    await connection.execute(_LOCK)
    known = await connection.fetchrow(_FIND, *key)
    if known is None:
        return Refusal.OPERATION_UNKNOWN
    if not _may_change(known, by):
        return Refusal.NOT_YOURS
    await connection.execute(_DROP, *key)
    name: str = known["name"]
    return name


def _may_change(known: Mapping[str, Any], by: str) -> bool:
    """Otherwise anybody could silence what a change of rules says about another team's client."""
    return by in (OPERATOR, known["registered_by"])


async def every_operation(connection: Any) -> list[ClientOperation]:  # noqa: ANN401 - as above
    """Whatever is registered, those of the house too, in order."""
    house = house_documents()
    rows = await connection.fetch(f"SELECT * FROM ({_EVERY}) o ORDER BY team, name, hash, role, purpose", *_house())
    return [_operation(row, house) for row in rows]


def _house() -> tuple[list[str], list[str]]:
    names = house_names()
    return [name for _, name in names], [one for one, _ in names]


def _operation(row: Mapping[str, Any], house: Mapping[str, str]) -> ClientOperation:
    document = row["document"] if row["document"] is not None else house[row["hash"]]
    role, purpose = Role(row["role"]), Purpose(row["purpose"])
    return ClientOperation(row["team"], row["name"], role, purpose, document, row["registered_at"])


async def registered_operations(question: Question) -> Any:  # noqa: ANN401 - plain values
    """A page of what is registered. None for who neither writes clients nor watches over rules."""
    if not audits(question, *_READERS):
        return None
    page = read_page(question, _PLACE, order=_ORDER, largest=LARGEST_PAGE)
    team = question.arguments.get("team")
    question.notes.ask(_PLACE, {})
    after = page.after or ("",) * 5
    rows = await question.fetch(_PAGE, *_house(), team, *after, page.size + 1)
    shown, house = rows[: page.size], house_documents()
    return page.connection(
        shown,
        lambda row: tuple(row[name] for name in _ORDER.keys),
        lambda row: said(_operation(row, house)),
        more=len(rows) > page.size,
    )


REGISTERED_OPERATIONS = RootAside(_PLACE, registered_operations, LARGEST_PAGE, _WEIGHT)


def said(one: ClientOperation) -> dict[str, Any]:
    """By the schema's names."""
    return {
        "hash": one.hash,
        "name": one.name,
        "team": one.team or None,
        "role": one.role.value,
        "purpose": one.purpose.name,
        "document": one.document,
        "registeredAt": one.registered_at and in_shanghai(one.registered_at),
    }
