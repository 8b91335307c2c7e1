"""Guardian links: asked for by the guardian, verified by somebody who has seen the document, revoked (C71, C73).

Nobody learns by asking whether a child is on record: what the request says is sealed and compared with nothing until
it is decided. Whoever decides is shown no datum either. They hold the document, say what stands in it, and are told
whether that is what the request and the records say (docs/decisions/013-guardians.md).
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import orjson

from models.formats import FormatError, person_name
from models.guardian_links import EvidenceKind, LinkState
from models.identity_numbers import identity_number
from models.people import IdType, PersonSource, age
from models.vocabulary import BlindColumn, Retention
from privacy.guardianship import take_back
from privacy.notices import collected_under
from privacy.records import account_key, on_record, open_value, put_on_record
from privacy.relays import Relays
from vault.blind import blind, normalise
from vault.keyring import Keyring
from vault.sealing import column_label, seal

MOST_PENDING = 10
"""Requests of one guardian that wait at once."""
MOST_DIFFERING = 5
"""Documents that say something else; with the last of them the request is refused: who guesses has no more tries."""
_MOST_CHILDREN = 100
"""Records of one child that a link is made to: each form that names somebody anew makes a record of its own."""
_CORRECTED = "corrected"
"""Who withdrew a request that the guardian made anew with other words."""
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_LABEL = column_label("guardian_request", "stated_sealed")

_PENDING = """
SELECT r.*, k.wrapped FROM guardian_request r LEFT JOIN data_key k ON k.person_id = r.guardian_id AND k.retention = $2
WHERE r.guardian_id = $1 AND r.state = 'PENDING' FOR UPDATE OF r
"""
_ADD = """
INSERT INTO guardian_request
(id, guardian_id, child_digest, stated_sealed, evidence_kind, reference, requested_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'PENDING')
"""
_LOCKED = """
SELECT r.*, k.wrapped FROM guardian_request r
LEFT JOIN data_key k ON k.person_id = r.guardian_id AND k.retention = $2 WHERE r.id = $1 FOR UPDATE OF r
"""
# What it says of the child has served its end.
_DECIDE = """
UPDATE guardian_request SET state = $2, decided_at = $3, decided_by = $4, note = $5, stated_sealed = NULL,
child_digest = NULL WHERE id = $1
"""
_DIFFERED = "UPDATE guardian_request SET differing = differing + 1 WHERE id = $1 RETURNING differing"
# Whoever links the same child comes before or after: one of them makes the record that the other finds.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 11))"
_CHILDREN = """
SELECT b.person_id FROM blind_index b JOIN person p ON p.id = b.person_id
WHERE b."column" = $1 AND b.digest = $2 AND p.id_type = $3 AND p.id <> $4 ORDER BY b.person_id LIMIT $5
"""
# An account that took somebody else's number must not become a guardian in their name.
_CONTESTED = """
SELECT EXISTS (SELECT FROM blind_index b JOIN account a ON a.person_id = b.person_id
WHERE b."column" = $1 AND b.digest = $2 AND b.person_id <> $3)
"""
_LINK = """
INSERT INTO guardian_link (id, guardian_id, child_id, request_id, verified_at, verified_by)
SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (SELECT FROM guardian_link
WHERE guardian_id = $2 AND child_id = $3 AND verified_at IS NOT NULL AND revoked_at IS NULL)
"""
# Is somebody, through whomever, a ward of the other? One link each way would make both their own guardians.
_CIRCLE = """
WITH RECURSIVE ward (id) AS (SELECT $1::uuid UNION SELECT g.child_id FROM guardian_link g JOIN ward w
ON w.id = g.guardian_id WHERE g.verified_at IS NOT NULL AND g.revoked_at IS NULL)
SELECT EXISTS (SELECT FROM ward WHERE id = $2)
"""
_STANDING = "SELECT * FROM guardian_link WHERE (id = $1 OR request_id = $1) ORDER BY id FOR UPDATE"
_REVOKE = "UPDATE guardian_link SET revoked_at = $2, revoked_by = $3 WHERE id = ANY($1::uuid[])"
_ID_TYPE = "SELECT id_type FROM person WHERE id = $1"
_NEW_PERSON = "INSERT INTO person (id, source, id_type) VALUES ($1, $2, $3)"
_FOUND_BY = 'INSERT INTO blind_index ("column", digest, person_id) VALUES ($1, $2, $3)'


class LinkRefusal(StrEnum):
    """Why nothing was done about a guardian link."""

    LINK_UNKNOWN = "LINK_UNKNOWN"
    LINK_STATE = "LINK_STATE"
    LINK_CEILING = "LINK_CEILING"
    LINK_CIRCLE = "LINK_CIRCLE"
    GUARDIAN_UNKNOWN = "GUARDIAN_UNKNOWN"
    GUARDIAN_UNDER_AGE = "GUARDIAN_UNDER_AGE"
    GUARDIAN_CONTESTED = "GUARDIAN_CONTESTED"
    CHILD_OF_AGE = "CHILD_OF_AGE"
    CHILD_CEILING = "CHILD_CEILING"
    DOCUMENT_DIFFERS = "DOCUMENT_DIFFERS"

    @property
    def message(self) -> str:
        """What to do."""
        return _MESSAGES[self]


_MESSAGES: Mapping[LinkRefusal, str] = {
    LinkRefusal.LINK_UNKNOWN: "There is no such guardian link for you: take its id from the list of links.",
    LinkRefusal.LINK_STATE: "That has been decided already, or is over: look at the list of links.",
    LinkRefusal.LINK_CEILING: f"{MOST_PENDING} requests wait already: withdraw one, or wait for a decision.",
    LinkRefusal.LINK_CIRCLE: "Nobody is their own guardian, nor a guardian of their own guardian.",
    LinkRefusal.GUARDIAN_UNKNOWN: "A guardian's own name, ID number and birth date are on record first: the guardian"
    " adds them with updateProfile.",
    LinkRefusal.GUARDIAN_UNDER_AGE: "A guardian is of age.",
    LinkRefusal.GUARDIAN_CONTESTED: "Another account has the guardian's ID number too: find out whose it is, and have"
    " the other corrected, before a link is made.",
    LinkRefusal.CHILD_OF_AGE: "Somebody of age has no guardian: they act themselves.",
    LinkRefusal.CHILD_CEILING: f"More than {_MOST_CHILDREN} records have this child's number: a link cannot be made to"
    " all of them. Tell whoever runs the service.",
    LinkRefusal.DOCUMENT_DIFFERS: "The document does not say what the request and the records say. Compare it letter by"
    " letter, and give the birth date of whose number tells none; if it is another person's, refuse the request."
    f" With the {MOST_DIFFERING}th such document it is refused.",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where links are made: a connection in a transaction, the keys, the moment, the age of majority, relay numbers."""

    connection: Any
    keyring: Keyring
    now: datetime
    age_of_majority: int
    relays: Relays

    @property
    def today(self) -> date:
        """The day it is where the brokerage is."""
        return self.now.astimezone(_SHANGHAI).date()

    def is_minor(self, birth: str) -> bool:
        """Is somebody born on this day (ISO 8601) under age?"""
        return age(date.fromisoformat(birth), self.today) < self.age_of_majority


@dataclass(frozen=True, slots=True)
class Child:
    """A child as their document names them; the birth date in ISO 8601."""

    name: str = field(repr=False)
    id_type: IdType
    id_number: str = field(repr=False)
    birth_date: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which document shows it, and where that is filed."""

    kind: EvidenceKind
    reference: str


@dataclass(frozen=True, slots=True)
class Document:
    """What stands in the document that somebody has seen; a birth date (ISO 8601) where the number tells none."""

    guardian_name: str = field(repr=False)
    guardian_id_number: str = field(repr=False)
    child_name: str = field(repr=False)
    child_id_number: str = field(repr=False)
    guardian_birth_date: str | None = field(default=None, repr=False)
    child_birth_date: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a link; `people`: whose data it is about."""

    id: UUID
    state: LinkState
    people: tuple[UUID, ...] = ()


Found = Decided | LinkRefusal


async def request(desk: Desk, guardian: UUID, child: Child, evidence: Evidence) -> Found:
    """Ask for a link; the guardian's row is locked. Raises SealedValueError.

    The same again is the same request; other words about the same child take its place.
    """
    refused = await _no_guardian(desk, guardian) or _no_child(desk, child)
    if refused:
        return refused
    own = await on_record(desk.connection, desk.keyring, guardian, "id_number")
    if _same(own["id_number"], child.id_number):
        return LinkRefusal.LINK_CIRCLE
    digest = blind(desk.keyring, "id_number", child.id_number)
    pending = await desk.connection.fetch(_PENDING, guardian, int(Retention.ACCOUNT))
    earlier = next((row for row in pending if row["child_digest"] == digest), None)
    if earlier is not None:
        shown = Evidence(EvidenceKind(earlier["evidence_kind"]), earlier["reference"])
        if (_stated(desk, earlier), shown) == (child, evidence):
            return Decided(earlier["id"], LinkState.PENDING, (guardian,))
        # Said otherwise now: what was wrong then is not to be compared with any document.
        await desk.connection.execute(_DECIDE, earlier["id"], LinkState.WITHDRAWN.value, desk.now, _CORRECTED, None)
    elif len(pending) >= MOST_PENDING:
        return LinkRefusal.LINK_CEILING
    key = await account_key(desk.connection, desk.keyring, guardian)
    if key is None:
        return LinkRefusal.GUARDIAN_UNKNOWN
    made = uuid4()
    stated = orjson.dumps([child.name, child.id_type.value, child.id_number, child.birth_date]).decode()
    sealed = seal(key, stated, label=_LABEL, row=made.bytes)
    said = evidence.kind.value, evidence.reference, desk.now
    await desk.connection.execute(_ADD, made, guardian, digest, sealed, *said)
    return Decided(made, LinkState.PENDING, (guardian,))


async def verify(desk: Desk, named: UUID, document: Document, *, by: str, note: str | None) -> Found:
    """Make the link that a request asks for, to every record of that child; one is made where there is none."""
    row = await _pending(desk, named)
    if isinstance(row, LinkRefusal):
        return row
    guardian = row["guardian_id"]
    child = _stated(desk, row)
    refused = await _no_guardian(desk, guardian) or (_no_child(desk, child) if child else LinkRefusal.LINK_STATE)
    if refused or child is None:
        return refused or LinkRefusal.LINK_STATE
    if not await _tells(desk, document, guardian, child):
        return await _differs(desk, named, by=by, note=note)
    if await _contested(desk, guardian):
        return LinkRefusal.GUARDIAN_CONTESTED
    children = await _children(desk, guardian, row["child_digest"], child)
    if isinstance(children, LinkRefusal):
        return children
    children = children or [await _new_child(desk, child)]
    for one in children:
        await desk.connection.execute(_LINK, uuid4(), guardian, one, named, desk.now, by)
    await desk.connection.execute(_DECIDE, named, LinkState.VERIFIED.value, desk.now, by, note)
    return Decided(named, LinkState.VERIFIED, (guardian, *children))


async def _differs(desk: Desk, named: UUID, *, by: str, note: str | None) -> LinkRefusal:
    if await desk.connection.fetchval(_DIFFERED, named) >= MOST_DIFFERING:
        await desk.connection.execute(_DECIDE, named, LinkState.REFUSED.value, desk.now, by, note)
    return LinkRefusal.DOCUMENT_DIFFERS


async def refuse(desk: Desk, named: UUID, *, by: str, note: str | None) -> Found:
    """Refuse what a request asks for; the guardian may ask anew."""
    row = await _pending(desk, named)
    if isinstance(row, LinkRefusal):
        return row
    await desk.connection.execute(_DECIDE, named, LinkState.REFUSED.value, desk.now, by, note)
    return Decided(named, LinkState.REFUSED, (row["guardian_id"],))


async def revoke(desk: Desk, named: UUID, *, by: str, person: UUID | None) -> Found:
    """End a link by its own id, or by its request's, from the next read on; a request that waits is withdrawn.

    `person`: whoever asks, a guardian about their own, or a child that has come of age; None: somebody who may end any,
    an officer or the operator. They say that it should not have been, so what the guardian agreed to ends with it;
    otherwise a guardian's word outlives their office until it is taken back.
    """
    links = [row for row in await desk.connection.fetch(_STANDING, named) if await _may_end(desk, row, person)]
    ids = [row["id"] for row in links if row["revoked_at"] is None]
    if ids:
        await desk.connection.execute(_REVOKE, ids, desk.now, by)
        if person is None:
            wards = [row["child_id"] for row in links]
            await take_back(desk.connection, desk.relays, links[0]["guardian_id"], wards, now=desk.now)
        people = dict.fromkeys(one for row in links for one in (row["guardian_id"], row["child_id"]))
        return Decided(named, LinkState.REVOKED, tuple(people))
    if links:
        return LinkRefusal.LINK_STATE
    row = await desk.connection.fetchrow(_LOCKED, named, int(Retention.ACCOUNT))
    if row is None or (person is not None and row["guardian_id"] != person):
        return LinkRefusal.LINK_UNKNOWN
    if row["state"] != LinkState.PENDING:
        return LinkRefusal.LINK_STATE
    await desk.connection.execute(_DECIDE, named, LinkState.WITHDRAWN.value, desk.now, by, None)
    return Decided(named, LinkState.WITHDRAWN, (row["guardian_id"],))


async def _may_end(desk: Desk, row: Any, person: UUID | None) -> bool:  # noqa: ANN401 - asyncpg's row
    if person is None or person == row["guardian_id"]:
        return True
    if person != row["child_id"]:
        return False
    birth = (await on_record(desk.connection, desk.keyring, person, "birth_date"))["birth_date"]
    return birth is not None and not desk.is_minor(birth)


async def _pending(desk: Desk, named: UUID) -> Any:  # noqa: ANN401 - asyncpg's row, or a refusal
    row = await desk.connection.fetchrow(_LOCKED, named, int(Retention.ACCOUNT))
    if row is None:
        return LinkRefusal.LINK_UNKNOWN
    return row if row["state"] == LinkState.PENDING else LinkRefusal.LINK_STATE


async def _no_guardian(desk: Desk, guardian: UUID) -> LinkRefusal | None:
    """Why somebody can be nobody's guardian."""
    own = await on_record(desk.connection, desk.keyring, guardian, "name", "id_number", "birth_date")
    birth = own["birth_date"]
    if birth is None or None in own.values():
        return LinkRefusal.GUARDIAN_UNKNOWN
    return LinkRefusal.GUARDIAN_UNDER_AGE if desk.is_minor(birth) else None


async def _contested(desk: Desk, guardian: UUID) -> bool:
    own = await on_record(desk.connection, desk.keyring, guardian, "id_number")
    digest = blind(desk.keyring, "id_number", own["id_number"] or "")
    return bool(await desk.connection.fetchval(_CONTESTED, int(BlindColumn.ID_NUMBER), digest, guardian))


def _no_child(desk: Desk, child: Child) -> LinkRefusal | None:
    return None if desk.is_minor(child.birth_date) else LinkRefusal.CHILD_OF_AGE


def _stated(desk: Desk, row: Any) -> Child | None:  # noqa: ANN401 - asyncpg's row
    text = open_value(
        desk.keyring, row["wrapped"], row["stated_sealed"], person=row["guardian_id"], row=row["id"], label=_LABEL
    )
    if text is None:
        return None
    name, id_type, number, birth = orjson.loads(text)
    return Child(name, IdType(id_type), number, birth)


async def _tells(desk: Desk, document: Document, guardian: UUID, child: Child) -> bool:
    """Does the document name these two people, and tell when they were born?"""
    own = await on_record(desk.connection, desk.keyring, guardian, "name", "id_number", "birth_date")
    kind = await desk.connection.fetchval(_ID_TYPE, guardian)
    try:
        names = person_name(document.guardian_name), person_name(document.child_name)
    except FormatError:
        return False
    numbers = _same(own["id_number"], document.guardian_id_number) and _same(child.id_number, document.child_id_number)
    return (
        numbers
        and names == (own["name"], child.name)
        and _born(desk, kind and IdType(kind), own["id_number"], document.guardian_birth_date) == {own["birth_date"]}
        and _born(desk, child.id_type, child.id_number, document.child_birth_date) == {child.birth_date}
    )


def _born(desk: Desk, id_type: IdType | None, number: str | None, stated: str | None) -> set[str]:
    """What a document tells of a birth date, by its number and in so many words; nothing where neither does."""
    told = set() if stated is None else {stated}
    if id_type is not None and number is not None:
        with suppress(FormatError):
            birth = identity_number(id_type, number, today=desk.today).birth_date
            told |= set() if birth is None else {birth.isoformat()}
    return told


def _same(number: str | None, other: str) -> bool:
    return number is not None and normalise(number) == normalise(other)


async def _children(desk: Desk, guardian: UUID, digest: bytes, child: Child) -> list[UUID] | LinkRefusal:
    """Records of this very child: the document's number, name and birth date. One that lacks the last may be anybody's.

    Nobody else looks for the same child before the transaction ends.
    """
    await desk.connection.execute(_ALONE, digest)
    kind = int(BlindColumn.ID_NUMBER)
    found = await desk.connection.fetch(_CHILDREN, kind, digest, child.id_type.value, guardian, _MOST_CHILDREN + 1)
    if len(found) > _MOST_CHILDREN:
        return LinkRefusal.CHILD_CEILING
    children = []
    for row in found:
        stored = await on_record(desk.connection, desk.keyring, row["person_id"], "name", "birth_date")
        if (stored["name"], stored["birth_date"]) != (child.name, child.birth_date):
            continue
        if await desk.connection.fetchval(_CIRCLE, row["person_id"], guardian):
            return LinkRefusal.LINK_CIRCLE
        children.append(row["person_id"])
    return children


async def _new_child(desk: Desk, child: Child) -> UUID:
    """A record of who is not known yet, from what their guardian has said of them."""
    person = uuid4()
    await desk.connection.execute(_NEW_PERSON, person, PersonSource.APPLICATION.value, child.id_type.value)
    items = {"name": child.name, "id_number": child.id_number, "birth_date": child.birth_date}
    await put_on_record(desk.connection, desk.keyring, person, items)
    digest = blind(desk.keyring, "id_number", child.id_number)
    await desk.connection.execute(_FOUND_BY, int(BlindColumn.ID_NUMBER), digest, person)
    await collected_under(desk.connection, person, now=desk.now)
    return person
