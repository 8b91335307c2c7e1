"""Parties of an application: policyholder and insured, who may be named, and what is put on their record.

An application is never tied to somebody who is on record already because a number is the same: who knows an ID number
would get at that person's data. Somebody known is named by an id that the caller has anyway, anybody else is new.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from models.people import IdType, PersonSource
from models.products import Part
from models.vocabulary import Purpose, Retention
from privacy.tombstones import Tombstone
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.writing.items import PERSON_ITEMS, Declared, Given, acceptable, cleaned
from resolvers.writing.minors import guarded
from resolvers.writing.people import complete, locked_person, new_person
from resolvers.writing.targets import Target, exists, not_found

POLICYHOLDER, INSURED = "policyholder", "insured"
"""Where they stand in the input; their items stand in `details` below."""

_INSURED_BY = """
SELECT EXISTS (SELECT FROM policy WHERE holder_id = $1 AND insured_id = $2
AND status IN ('DRAFT', 'SUBMITTED', 'UNDERWRITING', 'AWAITING_PAYMENT', 'IN_FORCE', 'GRACE'))
"""
"""By another policy of the same holder that is not at its end: whoever insured somebody once knows them no more."""
_CANCELLED = "SELECT EXISTS (SELECT FROM account WHERE person_id = $1 AND cancelled_at IS NOT NULL)"
_HAS_ACCOUNT = "SELECT EXISTS (SELECT FROM account WHERE person_id = $1)"
_PERSON = "SELECT * FROM person WHERE id = $1"
_KNOWN_ELSEWHERE = """
SELECT EXISTS (SELECT FROM account WHERE person_id = $1)
OR EXISTS (SELECT FROM policy WHERE (holder_id = $1 OR insured_id = $1) AND id IS DISTINCT FROM $2)
OR EXISTS (SELECT FROM guardian_link WHERE child_id = $1 OR guardian_id = $1)
"""
_NAMED_ONLY = f"SELECT EXISTS (SELECT FROM person WHERE id = $1 AND source = '{PersonSource.APPLICATION.value}')"
_FORGET_BLIND = "DELETE FROM blind_index WHERE person_id = $1"
_DESTROY_KEYS = """
UPDATE data_key SET wrapped = NULL, erased_at = $2 WHERE person_id = $1 AND wrapped IS NOT NULL RETURNING retention
"""


@dataclass(frozen=True, slots=True)
class Described:
    """A party as the input has it: who, if it is somebody known, and what is said of them, by schema field."""

    id: UUID | None = None
    items: Mapping[str, Any] = field(default_factory=dict, repr=False)
    id_type: IdType | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """Who the two are. A new application is on its policyholder's own life until it says otherwise."""

    policyholder: UUID
    insured: UUID
    policy: UUID | None = None


def told_of(write: Write, found: Target, described: Described, part: Part, declared: Declared) -> Given | Problem:
    """What is said of a party, if it can be, the product needs it, and the caller may give it."""
    path = f"{part.value}.details"
    given = cleaned(described.items, PERSON_ITEMS, path=path, today=write.today, id_type=described.id_type)
    if isinstance(given, Problem):
        return given
    return acceptable(write, found, given, part, declared) or given


def insures_another(sides: Sides, described: Described) -> bool:
    """Are the insured's items somebody else's than the policyholder's?"""
    if described.id is not None:
        return described.id != sides.policyholder
    return sides.insured != sides.policyholder or any(value is not None for value in described.items.values())


async def is_cancelled(write: Write, person: UUID) -> bool:
    """Was their account cancelled? Then their record is about to be erased, and nothing new rests on it (C70)."""
    return bool(await write.connection.fetchval(_CANCELLED, person))


async def insured_of(write: Write, sides: Sides, described: Described, given: Given) -> UUID | Problem:
    """Whom the application insures now: as before, somebody the caller may name, or somebody new.

    Who has cancelled their account is nobody who could be named by an id; by their items they are somebody new.
    """
    named = described.id
    if named is not None:
        known = named in (sides.policyholder, sides.insured) or await _may_be_named(write, sides, named)
        if known and not await is_cancelled(write, named):
            return named
        return replace(not_found(), field=f"{INSURED}.id")
    if given.values and (sides.insured == sides.policyholder or await is_cancelled(write, sides.insured)):
        return await new_person(write, given)
    return sides.insured


async def _may_be_named(write: Write, sides: Sides, person: UUID) -> bool:
    if person in await _wards(write):
        return True
    if not await exists(write, "User", person):
        return False
    return bool(await write.connection.fetchval(_INSURED_BY, sides.policyholder, person))


async def let_go(write: Write, sides: Sides, person: UUID) -> None:
    """Erase somebody whom this draft named and names no more, and whom nothing else knows (C29)."""
    if person == sides.policyholder or await write.connection.fetchval(_KNOWN_ELSEWHERE, person, sides.policy):
        return
    if await write.connection.fetchval(_NAMED_ONLY, person):
        # In this order: whoever holds the key has its entries written by the time that these are forgotten.
        gone = [row["retention"] for row in await write.connection.fetch(_DESTROY_KEYS, person, write.now)]
        write.erased.append(Tombstone(person, frozenset(map(Retention, gone)), write.now))
        await write.connection.execute(_FORGET_BLIND, person)


async def put_on_record(write: Write, sides: Sides, person: UUID, given: Given, *, field: str) -> Problem | None:
    """Add to a party's record, or correct it where it is the caller's to correct.

    One's own and one's ward's is; so is that of an insured who is known from this application alone. A minor who has
    no guardian's consent is refused as soon as the age is known, before and after what is said now (C71).
    """
    # Nobody is locked who is only named: two who insure each other do not wait for each other.
    named_only = not given.values
    row = await (write.connection.fetchrow(_PERSON, person) if named_only else locked_person(write, person))
    refused = await _guarded(write, row, field)
    if refused or named_only:
        return refused
    own = await _is_own(write, sides, person)
    if not own and write.subject.person is not None and await write.connection.fetchval(_HAS_ACCOUNT, person):
        message = "They have an account: only they say this, with updateProfile. Leave it out."
        return Problem(ProblemCode.ITEM_ON_RECORD, message, field=given.field(next(iter(given.values))), clause="C64")
    refused = await complete(write, row, given, own=own)
    return refused or await _guarded(write, await locked_person(write, person), field)


async def _guarded(write: Write, row: Any, field: str) -> Problem | None:  # noqa: ANN401 - asyncpg's row
    if row["birth_date_sealed"] is None:
        return None
    return await guarded(write, row, Purpose.APPLICATION, field=field)


async def _is_own(write: Write, sides: Sides, person: UUID) -> bool:
    if person == write.subject.person or person in await _wards(write):
        return True
    if person == sides.policyholder:
        return False
    return not await write.connection.fetchval(_KNOWN_ELSEWHERE, person, sides.policy)


async def _wards(write: Write) -> list[UUID]:
    guardian = write.subject.person
    return await write.reader.wards(write.connection, guardian, now=write.now) if guardian else []
