"""Who got, or may get, data of one person: by the ledger, contracts, consents, disclosures and corrections (C33, C64).

A disclosure that the law keeps secret for a time is left out until its day, and nothing else ever is.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from authz.catalogue import Coordinate
from authz.disclosures import agreed_ever, told_of
from ledger.bodies import SHOWN, Said, read_body, record_of
from models.vocabulary import Category, Purpose, from_bits
from privacy.disclosures import secret_from

MOST_ROWS = 20_000
"""Rows of partners in the ledger that are looked through, the newest first: years of one person's."""
_BATCH = 1_000

_REFERENCE = "SELECT reference FROM person_reference WHERE person_id = $1"
_ANSWERS = """
SELECT r.index FROM ledger_access a CROSS JOIN LATERAL unnest(coalesce(a.shown, a.indexes)) AS leaf
JOIN ledger_leaf f ON f.index = leaf JOIN ledger_record r ON r.index = f.index AND r.at = f.at
WHERE a.reference = $1 AND r.organization IS NOT NULL ORDER BY r.index DESC LIMIT $2
"""
_TEXTS = "SELECT at, body FROM ledger_sealed WHERE index = ANY($1::bigint[])"
_PARTY = "(w.holder_id = $1 OR w.insured_id = $1)"
_NO_DRAFT = "w.status <> 'DRAFT'"
# Of each source: who, by what basis, for which purpose, which categories (a stored set), of which coordinate; when.
_OTHERS = f"""
SELECT w.insurer_id AS organization, NULL AS authority, 'CONTRACT' AS basis, NULL AS purpose, 0 AS categories,
  NULL AS coordinate, NULL::timestamptz AS first, NULL::timestamptz AS last
FROM policy w WHERE {_PARTY} AND {_NO_DRAFT}
UNION SELECT h.provider_id, NULL, 'CONTRACT', 'health_service', 0, NULL, h.starts_at, h.ends_at
FROM health_service h JOIN policy w ON w.id = h.policy_id WHERE {_PARTY}
UNION SELECT a.organization_id, NULL, 'CONTRACT', 'claim_handling', 0, NULL, a.assigned_at, a.ended_at
FROM assignment a JOIN claim w ON w.id = a.claim_id WHERE {_PARTY} AND a.organization_id IS NOT NULL
UNION SELECT a.organization_id, NULL, 'CONSENT', 'verification', 0, NULL, a.assigned_at, a.ended_at
FROM assignment a JOIN verification_case v ON v.id = a.verification_case_id
WHERE v.person_id = $1 AND a.organization_id IS NOT NULL
UNION SELECT recipient_id, NULL, 'CONSENT', purpose, categories, NULL, granted_at, least(withdrawn_at, expires_at)
FROM consent WHERE person_id = $1 AND recipient_id IS NOT NULL
UNION SELECT coalesce(d.receiver_id, d.recipient_id), CASE WHEN d.receiver_id IS NULL AND d.recipient_id IS NULL
  THEN d.authority END, 'EXCEPTION', d.purpose, e.categories, NULL, d.approved_at, least(d.closed_at, d.expires_at)
FROM disclosure_case d JOIN disclosure_person dp ON dp.case_id = d.id
CROSS JOIN LATERAL (SELECT {agreed_ever("d", "dp.person_id")} AS categories) e
WHERE dp.person_id = $1 AND d.approved_at IS NOT NULL AND {told_of("d")} AND e.categories IS NOT NULL
UNION SELECT r.organization_id, NULL, 'CORRECTION', NULL, 0, c.coordinate, c.corrected_at, c.corrected_at
FROM correction_recipient r JOIN correction c ON c.id = r.correction_id WHERE c.person_id = $1
"""  # noqa: S608 - our own SQL
_ORGANIZATIONS = "SELECT id, code, name, kind, privacy_policy FROM organization WHERE id = ANY($1::uuid[])"


class Ground(StrEnum):
    """By what an organization got, or may get, data of a person."""

    CONTRACT = "CONTRACT"
    """A contract, claim or service of the person is carried out with it (C38)."""
    CONSENT = "CONSENT"
    EXCEPTION = "EXCEPTION"
    """An approved disclosure case (C25, C33, C45)."""
    CORRECTION = "CORRECTION"
    """It may have had a value that was corrected, and is to be told (C64)."""


_GROUNDS: Mapping[str, Ground] = {
    "p": Ground.CONTRACT,
    "c": Ground.CONTRACT,
    "h": Ground.CONTRACT,
    "n": Ground.CONSENT,
    "v": Ground.CONSENT,
    "d": Ground.EXCEPTION,
}
"""By the letter of the record that witnessed an answer."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One organization, or by `authority` somebody who is none of ours: an authority, a court.

    `coordinates` are what the ledger says it was shown; `categories` hold what it was, or may be, shown, as far as a
    consent, a case or the catalogue tells. `times`: answers in which it was shown something; 0: so far it only may be.
    `first`, `last`: of all that stands here; None where that is not known, or goes on.
    """

    organization: UUID | None
    code: str | None
    name: str
    kind: str | None
    policy: str | None
    """Where an organization of ours publishes its own privacy policy (C74)."""
    grounds: frozenset[Ground]
    purposes: frozenset[Purpose]
    categories: frozenset[Category]
    coordinates: frozenset[str]
    times: int
    first: datetime | None
    last: datetime | None


@dataclass(slots=True)
class _Gathered:
    grounds: set[Ground] = field(default_factory=set)
    purposes: set[Purpose] = field(default_factory=set)
    categories: set[Category] = field(default_factory=set)
    coordinates: set[str] = field(default_factory=set)
    times: int = 0
    moments: list[datetime] = field(default_factory=list)

    def purpose(self, stored: str | None) -> None:
        """Take a purpose, if it is one."""
        if stored in list(Purpose):
            self.purposes.add(Purpose(stored))


_Who = UUID | str
_All = dict[_Who, _Gathered]


async def recipients_of(
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy, or what fetches
    person: UUID,
    *,
    catalogue: Mapping[str, Coordinate] | None = None,
) -> list[Recipient]:
    """Everybody outside the brokerage who got or may get data of a person, by name. Raises the database's error.

    `catalogue` tells the category of what the ledger says was shown. Rows that are not sealed yet come later.
    """
    found: _All = {}
    secret = await secret_from(connection.fetch, person)
    await _answered(connection.fetch, person, found, catalogue or {}, secret)
    for row in await connection.fetch(_OTHERS, person):
        who = row["organization"] or row["authority"]
        if who is not None:
            one = found.setdefault(_plain(who), _Gathered())
            one.grounds.add(Ground(row["basis"]))
            one.purpose(row["purpose"])
            one.categories.update(from_bits(row["categories"]))
            one.categories.update(_categories((row["coordinate"],), catalogue or {}))
            one.moments += [moment for moment in (row["first"], row["last"]) if moment is not None]
    ids = [one for one in found if isinstance(one, UUID)]
    named = {_plain(row["id"]): row for row in await connection.fetch(_ORGANIZATIONS, ids)} if ids else {}
    return sorted((_recipient(who, one, named.get(who)) for who, one in found.items()), key=lambda one: one.name)


def _plain(who: Any) -> _Who:  # noqa: ANN401 - asyncpg has a UUID of its own
    return UUID(bytes=who.bytes) if isinstance(who, UUID) else str(who)


def _recipient(who: _Who, one: _Gathered, named: Any) -> Recipient:  # noqa: ANN401 - asyncpg's row
    is_ours = named is not None
    return Recipient(
        organization=who if isinstance(who, UUID) else None,
        code=named["code"] if is_ours else None,
        name=named["name"] if is_ours else str(who),
        kind=named["kind"] if is_ours else None,
        policy=named["privacy_policy"] if is_ours else None,
        grounds=frozenset(one.grounds),
        purposes=frozenset(one.purposes),
        categories=frozenset(one.categories),
        coordinates=frozenset(one.coordinates),
        times=one.times,
        first=min(one.moments, default=None),
        last=max(one.moments, default=None),
    )


async def _answered(
    fetch: Callable[..., Any], person: UUID, found: _All, catalogue: Mapping[str, Coordinate], secret: Container[UUID]
) -> None:
    """Partners that the ledger says were shown something of the person; of secret cases nothing."""
    references = [row["reference"] for row in await fetch(_REFERENCE, person)]
    if not references:
        return
    indexes = [row["index"] for row in await fetch(_ANSWERS, references[0], MOST_ROWS)]
    for start in range(0, len(indexes), _BATCH):
        for row in await fetch(_TEXTS, indexes[start : start + _BATCH]):
            said = read_body(row["body"])
            _note(said, row["at"], _shown(said, references[0], secret), found, catalogue)


_Shown = list[tuple[Sequence[str], tuple[str, UUID] | None]]


def _shown(said: Said, reference: int, secret: Container[UUID]) -> _Shown:
    """Coordinates that were shown of one person, each time with the record that witnessed it."""
    found = [
        (entry.coordinates, record_of(record))
        for entry in said.entries
        if entry.effect in SHOWN and said.left
        for who, record in entry.of
        if who == reference
    ]
    return [one for one in found if one[1] is None or one[1][0] != "d" or one[1][1] not in secret]


def _note(said: Said, at: datetime, shown: _Shown, found: _All, catalogue: Mapping[str, Coordinate]) -> None:
    if said.organization is None or not shown:
        return
    one = found.setdefault(said.organization, _Gathered())
    one.times += 1
    one.moments.append(at)
    one.purpose(said.purpose)
    for coordinates, record in shown:
        one.coordinates.update(coordinates)
        one.categories.update(_categories(coordinates, catalogue))
        if record is not None and record[0] in _GROUNDS:
            one.grounds.add(_GROUNDS[record[0]])


def _categories(coordinates: Iterable[str | None], catalogue: Mapping[str, Coordinate]) -> list[Category]:
    return [catalogue[name].category for name in coordinates if name is not None and name in catalogue]
