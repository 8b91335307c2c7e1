"""Verification with third parties: a case names a consent, a source and what is verified, and lives by them (C11).

A consent opens what it is to: where sensitive categories stand apart, one case rests on a consent to those alone and
another on a consent to the rest, and each may verify its part of an aspect.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from authz.subjects import active
from models.cases import Aspect, VerificationOutcome
from models.vocabulary import Category, to_bits
from privacy.guardianship import STANDS

Fetch = Callable[..., Any]

NEEDED: Mapping[Aspect, int] = {
    Aspect.IDENTITY: to_bits({Category.NAME, Category.GOVERNMENT_ID, Category.PHONE}),
    Aspect.ASSETS: to_bits({Category.BANK_ACCOUNT, Category.FINANCIAL}),
    Aspect.HEALTH: to_bits({Category.HEALTH}),
}
"""The categories that each aspect needs, as stored sets."""
_ORDER = tuple(Aspect)

_CONSENTS = f"""
SELECT n.id, n.categories, EXISTS (SELECT FROM guardian_link g WHERE g.guardian_id = n.guardian_id
AND g.child_id = n.person_id AND {STANDS}) AS by_guardian FROM consent n
WHERE n.person_id = $1 AND n.purpose = 'verification' AND n.recipient_id IS NOT DISTINCT FROM $2
AND ($3::uuid IS NULL OR n.id = $3) AND {active("n")} ORDER BY n.granted_at DESC, n.id
"""  # noqa: S608 - our own text
# One alone: whoever gives or takes back consents locks several, in an order of their own.
_HOLD = f"SELECT n.id FROM consent n WHERE n.id = $1 AND {active('n')} FOR SHARE"  # noqa: S608 - as above
_ADD = """
INSERT INTO verification_case
(id, person_id, claim_id, policy_id, source_id, source_name, aspects, opened_by, consent_id, opened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_ASSIGN = """
INSERT INTO assignment (id, staff_id, organization_id, verification_case_id, assigned_at) VALUES ($1, $2, $3, $4, $5)
"""
_ASSIGNED = """
EXISTS (SELECT FROM assignment a WHERE a.verification_case_id = v.id
AND (a.staff_id = $2 OR a.organization_id = $2) AND (a.ended_at IS NULL OR a.ended_at > now()))
"""
_MATTER_IS_THEIRS = """
v.opened_by = $2 AND EXISTS (SELECT FROM assignment a WHERE (a.claim_id = v.claim_id OR a.policy_id = v.policy_id)
AND a.staff_id = $2 AND (a.ended_at IS NULL OR a.ended_at > now()))
"""
_COLUMNS = f"""
v.id, v.person_id, v.claim_id, v.policy_id, coalesce(v.aspects, 0) AS aspects, o.code AS source_code,
v.source_id, v.source_name, v.opened_by, v.opened_at, v.closed_at, n.recipient_id,
(n.purpose = 'verification' AND n.person_id = v.person_id AND {active("n")}) AS consented, {_ASSIGNED} AS assigned
"""
_JOINED = "verification_case v JOIN consent n ON n.id = v.consent_id LEFT JOIN organization o ON o.id = v.source_id"
_CASE = f"SELECT {_COLUMNS} FROM {_JOINED} WHERE v.id = $1 FOR UPDATE OF v"  # noqa: S608 - our own text
_PAGE = f"""
SELECT {_COLUMNS} FROM {_JOINED}
WHERE CASE WHEN $3::boolean THEN {_MATTER_IS_THEIRS} ELSE {_ASSIGNED} END
AND ($1::boolean IS NULL OR (v.closed_at IS NULL) = $1) ORDER BY v.opened_at DESC, v.id LIMIT $4
"""  # noqa: S608 - as above
_RESULT = """
INSERT INTO verification_result (id, case_id, aspect, outcome, note, recorded_at, recorded_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_RESULTS = """
SELECT case_id, aspect, outcome, note, recorded_at FROM verification_result
WHERE case_id = ANY($1::uuid[]) ORDER BY recorded_at, id
"""
_CLOSE = "UPDATE verification_case SET closed_at = $2 WHERE id = $1"
_END = "UPDATE assignment SET ended_at = $2 WHERE verification_case_id = $1 AND ended_at IS NULL"


@dataclass(frozen=True, slots=True)
class Source:
    """Who is asked: an organization by id and code, or an authority or institution by name."""

    name: str
    organization: UUID | None = None


@dataclass(frozen=True, slots=True)
class Matter:
    """What it is for: one claim, or one policy that is applied for."""

    claim: UUID | None = None
    policy: UUID | None = None


@dataclass(frozen=True, slots=True)
class Assignee:
    """Who verifies: a member of staff or an organization."""

    staff: UUID | None = None
    organization: UUID | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case; `consented`: does the consent that it names stand? `assigned`: to whoever asks."""

    id: UUID
    person: UUID
    matter: Matter
    aspects: tuple[Aspect, ...]
    source: Source | None
    opened_by: UUID | None
    opened_at: datetime
    closed_at: datetime | None
    recipient: UUID | None
    consented: bool
    assigned: bool

    @property
    def live(self) -> bool:
        """May anything be read or recorded through it?"""
        return self.closed_at is None and self.consented


@dataclass(frozen=True, slots=True)
class Result:
    """What the source said of one aspect."""

    aspect: Aspect
    outcome: VerificationOutcome
    note: str | None
    recorded_at: datetime


def covers(aspects: Iterable[Aspect], categories: int, *, apart: int) -> bool:
    """Does a consent to these categories let all these aspects be verified? `apart`: what is not opened with others."""
    opened = categories if categories & ~apart == 0 else categories & ~apart
    return all(_covers(NEEDED[aspect], opened, apart) for aspect in aspects)


def _covers(needed: int, opened: int, apart: int) -> bool:
    return any(part and part & ~opened == 0 for part in (needed & ~apart, needed & apart))


async def consent_for(  # noqa: PLR0913 - what a consent has to fit
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy
    person: UUID,
    *,
    named: UUID | None,
    recipient: UUID | None,
    aspects: Sequence[Aspect],
    apart: int,
    of_age: bool,
) -> UUID | None:
    """The live consent that a case can rest on, None where there is none.

    Of whoever is not known to be of age it is one of a guardian whose verified link stands. It cannot be withdrawn
    before the transaction ends.
    """
    for row in await connection.fetch(_CONSENTS, person, recipient, named):
        if covers(aspects, row["categories"], apart=apart) and (of_age or row["by_guardian"]):
            held: UUID | None = await connection.fetchval(_HOLD, row["id"])
            if held is not None:
                return held
    return None


async def open_case(  # noqa: PLR0913 - the parts of a case
    connection: Any,  # noqa: ANN401 - as above
    person: UUID,
    matter: Matter,
    *,
    consent: UUID,
    source: Source,
    aspects: Sequence[Aspect],
    assignee: Assignee,
    by: UUID,
    now: datetime,
) -> UUID:
    """A new case in somebody's hands; its id."""
    case = uuid4()
    named = (source.organization, None) if source.organization else (None, source.name)
    bits = sum(1 << _ORDER.index(aspect) for aspect in set(aspects))
    await connection.execute(_ADD, case, person, matter.claim, matter.policy, *named, bits, by, consent, now)
    await connection.execute(_ASSIGN, uuid4(), assignee.staff, assignee.organization, case, now)
    return case


async def locked_case(connection: Any, case: UUID, caller: UUID | None) -> Case | None:  # noqa: ANN401 - as above
    """One case, locked, as it stands for a caller: an account or an organization."""
    row = await connection.fetchrow(_CASE, case, caller)
    return row and _case(row)


async def cases(fetch: Fetch, caller: UUID, *, opened: bool, is_open: bool | None, most: int) -> list[Case]:
    """Cases that a caller opened on a matter still theirs, or has in hand, the latest first.

    Raises the database's error.
    """
    return [_case(row) for row in await fetch(_PAGE, is_open, caller, opened, most)]


async def results_of(fetch: Fetch, ids: Sequence[UUID]) -> dict[UUID, list[Result]]:
    """What was recorded in some cases, by case, the first before all. Raises the database's error."""
    found: dict[UUID, list[Result]] = {one: [] for one in ids}
    for row in await fetch(_RESULTS, list(ids)):
        said = Aspect(row["aspect"]), VerificationOutcome(row["outcome"]), row["note"], row["recorded_at"]
        found[row["case_id"]].append(Result(*said))
    return found


async def record(connection: Any, case: UUID, result: Result, *, by: UUID) -> None:  # noqa: ANN401 - as above
    """Keep what the source said; it is never changed."""
    said = result.aspect.value, result.outcome.value, result.note, result.recorded_at
    await connection.execute(_RESULT, uuid4(), case, *said, by)


async def close_case(connection: Any, case: UUID, *, now: datetime) -> None:  # noqa: ANN401 - as above
    """End a case and every assignment to it: nothing is read through it from the next read on."""
    await connection.execute(_CLOSE, case, now)
    await connection.execute(_END, case, now)


def _case(row: Any) -> Case:  # noqa: ANN401 - asyncpg's row
    name = row["source_code"] or row["source_name"]
    source = Source(name, row["source_id"]) if name else None
    return Case(
        row["id"],
        row["person_id"],
        Matter(row["claim_id"], row["policy_id"]),
        tuple(aspect for place, aspect in enumerate(_ORDER) if row["aspects"] >> place & 1),
        source,
        row["opened_by"],
        row["opened_at"],
        row["closed_at"],
        row["recipient_id"],
        bool(row["consented"]),
        row["assigned"],
    )
