"""Disclosure cases: opened by one officer, reviewed by another, read by whoever has it in hand, until it ends (C25).

What a case says is never changed: who needs more opens another. Whether it counts is looked up by every statement that
reads (`authz.scope.approved`, `authz.disclosures.opens`), so closing and expiry count from the next read on.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from authz.disclosures import opens, told_of
from models.disclosures import (
    DisclosureKind,
    DocumentKind,
    LawfulException,
    PublicManner,
    TransferBasis,
)
from models.vocabulary import BlindColumn, Purpose, Role

Fetch = Callable[..., Any]

MOST_PERSONS = 200
"""Of one case: an officer reads as many persons an hour."""

_ADD = """
INSERT INTO disclosure_case (id, kind, purpose, authority, document, categories, expires_at, exception, document_kind,
filed, justification, basis, undertaking, manner, items, receiver_id, opened_by_id, opened_at, secret_until,
secret_ground) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
"""
_ADD_PERSONS = """
INSERT INTO disclosure_person (id, case_id, person_id) SELECT gen_random_uuid(), $1, p FROM unnest($2::uuid[]) p
"""
_NUMBERED = """
SELECT b.digest, array_agg(DISTINCT b.person_id) AS persons FROM blind_index b
WHERE b."column" = $1 AND b.digest = ANY($2::bytea[]) GROUP BY b.digest
"""
_SECRET = f"""
SELECT dp.case_id FROM disclosure_person dp JOIN disclosure_case d ON d.id = dp.case_id
WHERE dp.person_id = $1 AND NOT {told_of("d")}
"""  # noqa: S608 - our own text
_KNOWN = "SELECT count(*) FROM person WHERE id = ANY($1::uuid[])"
_UNCHOSEN = """
SELECT count(*) FROM unnest($1::uuid[]) p WHERE NOT EXISTS (SELECT FROM disclosure_choice ch WHERE ch.person_id = p
AND ch.manner = $2 AND ch.items & $3 = $3 AND ch.withdrawn_at IS NULL)
"""
_OFFICER = f"SELECT id FROM staff WHERE username = $1 AND role = '{Role.PRIVACY_OFFICER}' AND left_at IS NULL"  # noqa: S608 - our own word
_COLUMNS = """
d.id, d.kind, d.exception, d.authority, o.code AS receiver, d.document_kind, d.document, d.filed, d.justification,
d.basis, d.undertaking, d.manner, d.items, d.categories, d.opened_by_id AS opened_by, d.opened_at,
d.approved_by_id AS approved_by, d.approved_at, d.rejected_by_id AS rejected_by, d.rejected_at, d.review_note,
d.closed_by_id AS closed_by, d.closed_at, d.expires_at, d.secret_until, d.secret_ground,
(SELECT array_agg(s.username ORDER BY s.username) FROM assignment a JOIN staff s ON s.id = a.staff_id
WHERE a.disclosure_case_id = d.id AND (a.ended_at IS NULL OR a.ended_at > now())) AS assigned
"""
_FROM = "disclosure_case d LEFT JOIN organization o ON o.id = coalesce(d.receiver_id, d.recipient_id)"
_LOCKED = f"SELECT {_COLUMNS} FROM {_FROM} WHERE d.id = $1 FOR UPDATE OF d"  # noqa: S608 - our own text
_PAGE = f"""
SELECT {_COLUMNS} FROM {_FROM} WHERE ($1::uuid IS NULL OR d.id = $1)
ORDER BY d.opened_at DESC NULLS LAST, d.id LIMIT $2
"""  # noqa: S608 - as above
_PERSONS = f"""
SELECT dp.case_id, count(*) AS persons, count(*) FILTER (WHERE {opens("d", "dp.person_id")} = 0) AS frozen
FROM disclosure_person dp JOIN disclosure_case d ON d.id = dp.case_id WHERE d.id = ANY($1::uuid[]) GROUP BY 1
"""  # noqa: S608 - as above
_WHO = "SELECT person_id FROM disclosure_person WHERE case_id = $1"
_VERDICT = {
    True: "UPDATE disclosure_case SET approved_by_id = $2, approved_at = $3, review_note = $4 WHERE id = $1",
    False: "UPDATE disclosure_case SET rejected_by_id = $2, rejected_at = $3, review_note = $4 WHERE id = $1",
}
_CLOSE = "UPDATE disclosure_case SET closed_by_id = $2, closed_at = $3 WHERE id = $1"
_RELEASE = "UPDATE assignment SET ended_at = $2 WHERE disclosure_case_id = $1 AND (ended_at IS NULL OR ended_at > $2)"
_ASSIGN = "INSERT INTO assignment (id, staff_id, disclosure_case_id, assigned_at) VALUES ($1, $2, $3, $4)"


class CaseState(StrEnum):
    """How a case stands; only what is APPROVED opens anything."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    CLOSED = "CLOSED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Document:
    """The document that a case rests on: what it is, its own reference, and where it is filed."""

    kind: DocumentKind
    reference: str
    filed: str


@dataclass(frozen=True, slots=True)
class Secrecy:
    """For how long the law keeps a case from its persons, and by which words."""

    until: datetime
    ground: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A case as it is asked for; `categories` and `items` are stored sets. `receiver`: an organization's id."""

    kind: DisclosureKind
    authority: str
    persons: Sequence[UUID]
    categories: int
    expires_at: datetime
    exception: LawfulException | None = None
    document: Document | None = None
    justification: str | None = None
    basis: TransferBasis | None = None
    undertaking: str | None = None
    receiver: UUID | None = None
    manner: PublicManner | None = None
    items: int | None = None
    secrecy: Secrecy | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case as it stands. `frozen`: of its persons those of whom it opens nothing, since they did not agree."""

    row: Mapping[str, Any]
    persons: int
    frozen: int

    @property
    def id(self) -> UUID:
        """Its id."""
        return UUID(bytes=self.row["id"].bytes)

    def state(self, now: datetime) -> CaseState:
        """How it stands at a moment."""
        if self.row["rejected_at"] is not None:
            return CaseState.REJECTED
        if self.row["closed_at"] is not None:
            return CaseState.CLOSED
        if self.row["expires_at"] <= now:
            return CaseState.EXPIRED
        return CaseState.PROPOSED if self.row["approved_at"] is None else CaseState.APPROVED


async def unknown_persons(connection: Any, persons: Sequence[UUID]) -> int:  # noqa: ANN401 - asyncpg's connection
    """How many of these are nobody."""
    found: int = await connection.fetchval(_KNOWN, list(set(persons)))
    return len(set(persons)) - found


async def numbered(connection: Any, digests: Collection[bytes]) -> tuple[list[UUID], int]:  # noqa: ANN401 - as above
    """Whose these numbers of documents are, by blind index; and how many are nobody's or of several records.

    Two records of one number: one of them took somebody else's, and nobody here can tell which.
    """
    found = await connection.fetch(_NUMBERED, int(BlindColumn.ID_NUMBER), list(set(digests)))
    persons = [UUID(bytes=row["persons"][0].bytes) for row in found if len(row["persons"]) == 1]
    return persons, len(set(digests)) - len(persons)


async def secret_from(fetch: Fetch, person: UUID) -> set[UUID]:
    """Cases that the law keeps from this person for now (C25)."""
    return {UUID(bytes=row["case_id"].bytes) for row in await fetch(_SECRET, person)}


async def not_chosen(connection: Any, persons: Sequence[UUID], manner: PublicManner, items: int) -> int:  # noqa: ANN401
    """How many of these did not choose all of these items to be made public in this manner (C44)."""
    found: int = await connection.fetchval(_UNCHOSEN, list(set(persons)), manner.value, items)
    return found


async def open_case(connection: Any, wanted: Wanted, *, by: UUID, now: datetime) -> UUID:  # noqa: ANN401 - as above
    """Keep a case that nothing refuses, in the hands of who opened it; nothing opens until another one approves."""
    made, document, secrecy = uuid4(), wanted.document, wanted.secrecy
    await connection.execute(
        _ADD,
        made,
        wanted.kind.value,
        Purpose.REGULATORY_DISCLOSURE.value,
        wanted.authority,
        document and document.reference,
        wanted.categories,
        wanted.expires_at,
        wanted.exception and wanted.exception.value,
        document and document.kind.value,
        document and document.filed,
        wanted.justification,
        wanted.basis and wanted.basis.value,
        wanted.undertaking,
        wanted.manner and wanted.manner.value,
        wanted.items,
        wanted.receiver,
        by,
        now,
        secrecy and secrecy.until,
        secrecy and secrecy.ground,
    )
    await connection.execute(_ADD_PERSONS, made, list(dict.fromkeys(wanted.persons)))
    await connection.execute(_ASSIGN, uuid4(), by, made, now)
    return made


async def locked(connection: Any, case: UUID) -> Case | None:  # noqa: ANN401 - as above
    """A case, locked until the transaction ends; None where there is none."""
    row = await connection.fetchrow(_LOCKED, case)
    return None if row is None else (await _counted(connection.fetch, [row]))[0]


async def cases(fetch: Fetch, case: UUID | None = None, *, most: int) -> list[Case]:
    """Cases, the last opened first; or one. Raises the database's error."""
    return await _counted(fetch, await fetch(_PAGE, case, most))


async def persons_of(fetch: Fetch, case: UUID) -> list[UUID]:
    """Of whom a case is."""
    return [UUID(bytes=row["person_id"].bytes) for row in await fetch(_WHO, case)]


async def review(  # noqa: PLR0913 - a verdict
    connection: Any,  # noqa: ANN401 - as above
    case: UUID,
    *,
    approved: bool,
    note: str,
    by: UUID,
    now: datetime,
) -> None:
    """Keep a verdict on a locked case that has none."""
    await connection.execute(_VERDICT[approved], case, by, now, note)


async def close(connection: Any, case: UUID, *, by: UUID | None, now: datetime) -> None:  # noqa: ANN401 - as above
    """End a locked case: nothing is read by it from the next read on."""
    await connection.execute(_CLOSE, case, by, now)
    await connection.execute(_RELEASE, case, now)


async def officer(connection: Any, username: str) -> UUID | None:  # noqa: ANN401 - as above
    """The privacy officer of this work name, if one works here."""
    found = await connection.fetchval(_OFFICER, username)
    return None if found is None else UUID(bytes=found.bytes)


async def assign(connection: Any, case: UUID, to: UUID, *, now: datetime) -> None:  # noqa: ANN401 - as above
    """Put a locked case into one officer's hands, and out of all others'."""
    await connection.execute(_RELEASE, case, now)
    await connection.execute(_ASSIGN, uuid4(), to, case, now)


async def _counted(fetch: Fetch, rows: Sequence[Any]) -> list[Case]:
    counted = {row["case_id"]: row for row in await fetch(_PERSONS, [row["id"] for row in rows])} if rows else {}
    return [
        Case(row, counted[row["id"]]["persons"], counted[row["id"]]["frozen"])
        if row["id"] in counted
        else Case(row, 0, 0)
        for row in rows
    ]
