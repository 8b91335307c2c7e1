"""People as writes make, complete and correct them; what a datum was before is kept, with who may have had it (C64).

The login of an account follows its person's phone, wherever that changes (C01).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from models.formats import FormatError, mobile_number
from models.identity_numbers import Identity, identity_number
from models.people import IdType, PersonSource
from models.vocabulary import PARTNER_ROLES, BlindColumn, Purpose, Retention
from privacy.notices import collected_under
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.registry import NOUNS
from resolvers.writing.items import Given
from resolvers.writing.rows import data_key, index_blindly, insert, opened, sealed, sealed_column
from vault.blind import blind
from vault.sealing import column_label, seal

MOST_CORRECTIONS_A_DAY = 500
"""Of one person: every earlier value is kept, so there is an end to it."""
_DAY = timedelta(days=1)

_LOCKED = "SELECT * FROM person WHERE id = $1 FOR NO KEY UPDATE"
_FOUND_BY = {
    "phone": BlindColumn.PHONE,
    "idNumber": BlindColumn.ID_NUMBER,
    "bankCard": BlindColumn.BANK_CARD,
}
_EARLIER = column_label("correction", "earlier_sealed")
_RECIPIENTS = """
SELECT id FROM organization WHERE kind = ANY($3) AND id IN (
SELECT insurer_id FROM policy WHERE (holder_id = $1 OR insured_id = $1) AND status <> 'DRAFT'
UNION SELECT h.provider_id FROM health_service h JOIN policy w ON w.id = h.policy_id
WHERE w.holder_id = $1 OR w.insured_id = $1
UNION SELECT a.organization_id FROM assignment a JOIN claim c ON c.id = a.claim_id
WHERE c.holder_id = $1 OR c.insured_id = $1
UNION SELECT a.organization_id FROM assignment a JOIN verification_case v ON v.id = a.verification_case_id
WHERE v.person_id = $1
UNION SELECT recipient_id FROM consent WHERE person_id = $1 AND categories & $2 <> 0
)
UNION SELECT coalesce(d.receiver_id, d.recipient_id)
FROM disclosure_case d JOIN disclosure_person p ON p.case_id = d.id WHERE p.person_id = $1
AND d.categories & $2 <> 0 AND num_nonnulls(d.receiver_id, d.recipient_id) > 0 AND d.approved_at IS NOT NULL
"""
"""Who may have had a datum of the person $1 and the category $2 (C64): organizations of a kind ($3) that is shown it
at all, tied to the person by a policy, service, engagement or consent, now or earlier; and recipients of disclosures.

Rather one too many than one too few: whether an application that was withdrawn had been submitted is not stored, so
the insurer of every policy that is not a draft counts.
"""
_LATELY = "SELECT count(*), min(corrected_at) FROM correction WHERE person_id = $1 AND corrected_at > $2"
_HAS_ACCOUNT = "SELECT EXISTS (SELECT FROM account WHERE person_id = $1)"
_LOGS_IN_WITH = 'SELECT EXISTS (SELECT FROM blind_index WHERE "column" = $1 AND digest = $2 AND person_id <> $3)'


async def new_person(write: Write, given: Given, source: PersonSource = PersonSource.APPLICATION) -> UUID:
    """Somebody who is named in an application: a person of their own, found by nobody's account."""
    person = uuid4()
    await insert(write, "person", {"id": person, "source": source.value})
    await collected_under(write.connection, person, now=write.now)
    await _store(write, person, given)
    return person


async def locked_person(write: Write, person: UUID) -> Any:  # noqa: ANN401 - asyncpg's row
    """The row of a person, locked."""
    return await write.connection.fetchrow(_LOCKED, person)


def on_record(person: Any) -> set[str]:  # noqa: ANN401 - asyncpg's row
    """The items that are stored of a person."""
    fields = ("name", "idNumber", "gender", "birthDate", "phone", "email", "address", "bankCard", "occupation")
    further = ("healthDeclaration", "region", "nickname", "avatar", "profileSource")
    return {item for item in (*fields, *further) if person[sealed_column(NOUNS["User"], item)] is not None}


async def complete(write: Write, person: Any, given: Given, *, own: bool) -> Problem | None:  # noqa: ANN401 - as above
    """Add to a person's record what is not on it. Only on one's `own` are other values than before corrections.

    Somebody else cannot overwrite what is there, nor learn by trying what it is: ITEM_ON_RECORD for all of it.
    """
    if own:
        return await _would_move_login(write, person, given) or await _corrected(write, person, given)
    there = on_record(person)
    # An ID number tells a birth date, which nobody gave.
    told = {"birthDate"} if "idNumber" in given.values else set()
    known = [item for item in given.values if item in there and item not in told]
    if known:
        message = "This is on record already, and theirs to correct. Leave it out."
        return Problem(ProblemCode.ITEM_ON_RECORD, message, field=given.field(known[0]), clause="C64")
    refused = await _contradicts(write, person, given, born=told <= there)
    if refused:
        return refused
    if "phone" in given.values and await write.connection.fetchval(_HAS_ACCOUNT, person["id"]):
        message = "They log in with a phone of their own. Leave this out."
        return Problem(ProblemCode.ITEM_ON_RECORD, message, field=given.field("phone"), clause="C01")
    fresh = {item: value for item, value in given.values.items() if item not in there}
    await _store(write, person["id"], Given(given.path, fresh, given.id_type))
    return None


async def _would_move_login(write: Write, person: Any, given: Given) -> Problem | None:  # noqa: ANN401 - asyncpg's row
    """A form about something else must not change by which phone somebody logs in."""
    if "phone" not in given.values or not await write.connection.fetchval(_HAS_ACCOUNT, person["id"]):
        return None
    stored = (await opened(write, NOUNS["User"], person, owner=person["id"], fields=("phone",)))["phone"]
    if stored in (None, given.values["phone"]):
        return None
    message = "One logs in with the phone on record. Leave this out, or change it with updateProfile first."
    return Problem(ProblemCode.ITEM_ON_RECORD, message, field=given.field("phone"), clause="C01")


async def _corrected(write: Write, person: Any, given: Given) -> Problem | None:  # noqa: ANN401 - as above
    outcome = await correct(write, person, given)
    return outcome if isinstance(outcome, Problem) else None


async def correct(write: Write, person: Any, given: Given) -> bool | Problem:  # noqa: ANN401 - asyncpg's row
    """Replace what differs; its earlier value is kept sealed, with who may have had it. Did anything?

    Problems: PHONE_INVALID and PHONE_TAKEN where an account logs in with the phone (C01), TRY_LATER for too many.
    """
    refused = await _contradicts(write, person, given, born=False)
    if refused:
        return refused
    user = NOUNS["User"]
    there = on_record(person)
    fields = tuple(item for item in given.values if item in there)
    # Before anything is compared: nobody learns from a ceiling whether a guess was right.
    refused = await _too_many(write, person["id"], len(fields))
    if refused:
        return refused
    earlier = await opened(write, user, person, owner=person["id"], fields=fields)
    changed = {item: value for item, value in given.values.items() if earlier.get(item) != value}
    if given.id_type and person["id_type"] != given.id_type.value:
        changed["idNumber"] = given.values["idNumber"]
    if not changed:
        return False
    corrected = {item: earlier[item] for item in changed if item in earlier}
    after = Given(given.path, changed, given.id_type)
    problem = _of_another_age(write, person, corrected, after) or await _move_login(write, person["id"], after)
    if problem:
        return problem
    if corrected:
        await _remember(write, person["id"], corrected)
    await _store(write, person["id"], after)
    return True


async def identity_of(write: Write, person: Any) -> Identity | None:  # noqa: ANN401 - asyncpg's row
    """What the ID number on record tells."""
    number = (await opened(write, NOUNS["User"], person, owner=person["id"], fields=("idNumber",)))["idNumber"]
    if number is None or person["id_type"] is None:
        return None
    try:
        return identity_number(IdType(person["id_type"]), number, today=write.today)
    except FormatError:
        return None


async def _contradicts(write: Write, person: Any, given: Given, *, born: bool) -> Problem | None:  # noqa: ANN401 - as above
    """A birth date that is not the ID number's on record; with `born`, an ID number that tells another than is stored.

    Age decides what somebody may do alone (C71): nobody comes of it by a contradiction.
    """
    birth = given.values.get("birthDate")
    if birth is None:
        return None
    stored = None
    if "idNumber" not in given.values:
        identity = await identity_of(write, person)
        if identity and identity.birth_date:
            stored = identity.birth_date.isoformat()
    elif born:
        fields = ("birthDate",)
        stored = (await opened(write, NOUNS["User"], person, owner=person["id"], fields=fields))["birthDate"]
    if stored in (None, birth):
        return None
    message = "This and what is on record tell two birth dates. Correct the ID number, if that is wrong."
    where = given.field("idNumber" if "idNumber" in given.values else "birthDate")
    return Problem(ProblemCode.ITEM_INVALID, message, field=where, clause="C71")


def _of_another_age(write: Write, person: Any, earlier: Mapping[str, str | None], after: Given) -> Problem | None:  # noqa: ANN401 - as above
    """A minor comes of age by no correction of their own, nor does a guardian's make one a minor for longer (C71)."""
    birth = earlier.get("birthDate")
    if birth is None or not write.is_minor(birth):
        return None
    where = after.field("idNumber" if "idNumber" in after.values else "birthDate")
    if write.subject.person == person["id"]:
        message = "This tells another age: a guardian has to correct it."
        return Problem(ProblemCode.MINOR_NEEDS_GUARDIAN, message, field=where, clause="C71")
    if after.values["birthDate"] > birth:
        message = "This would make the child younger. Ask for that in a rights request."
        return Problem(ProblemCode.ITEM_INVALID, message, field=where, clause="C71")
    return None


async def _too_many(write: Write, person: UUID, more: int) -> Problem | None:
    lately, first = await write.connection.fetchrow(_LATELY, person, write.now - _DAY)
    if lately + more <= MOST_CORRECTIONS_A_DAY:
        return None
    message = "So much was corrected today that no more is taken. Try again later."
    wait = int(((first or write.now) + _DAY - write.now).total_seconds()) + 1
    return Problem(ProblemCode.TRY_LATER, message, clause="C64", retry_after=wait)


async def _move_login(write: Write, person: UUID, given: Given) -> Problem | None:
    """Where an account logs in with a phone that changes, let the login follow: a mobile, and nobody else's (C01)."""
    phone = given.values.get("phone")
    if phone is None or not await write.connection.fetchval(_HAS_ACCOUNT, person):
        return None
    where = given.field("phone")
    try:
        mobile = mobile_number(phone)
    except FormatError as expected:
        message = f"One logs in with this phone. {expected}"
        return Problem(ProblemCode.PHONE_INVALID, message, field=where, clause="C01")
    message = (
        "Somebody else logs in with this phone number. Give another, or log in with it."
        " An account that was cancelled keeps it until the erasure."
    )
    taken = Problem(ProblemCode.PHONE_TAKEN, message, field=where, clause="C01", consequence="Nothing was changed.")
    digest = blind(write.accounts.keyring, "phone", mobile)
    # Whether a phone has an account can be learned here as it can at sign-up: one limit for both.
    await write.count_attempt()
    if await write.connection.fetchval(_LOGS_IN_WITH, int(BlindColumn.LOGIN_PHONE), digest, person):
        return taken
    try:
        async with write.connection.transaction():
            await index_blindly(write, person, BlindColumn.LOGIN_PHONE, mobile)
    except asyncpg.UniqueViolationError:
        # Somebody else was first since we looked.
        return taken
    return None


async def _remember(write: Write, person: UUID, earlier: Mapping[str, str | None]) -> None:
    key = await data_key(write, person, Retention.ACCOUNT)
    for item, value in earlier.items():
        coordinate = f"User.{item}"
        correction = uuid4()
        blob = None if value is None else seal(key, value, label=_EARLIER, row=correction.bytes)
        row = {
            "id": correction,
            "person_id": person,
            "coordinate": coordinate,
            "earlier_sealed": blob,
            "corrected_at": write.now,
        }
        await insert(write, "correction", row)
        for organization in await _recipients(write, person, coordinate):
            told = {"id": uuid4(), "correction_id": correction, "organization_id": organization}
            await insert(write, "correction_recipient", told)


async def _recipients(write: Write, person: UUID, coordinate: str) -> list[UUID]:
    """Who may have had this datum, as far as the rules in force and what is stored can tell (C64)."""
    kinds = [
        role.name
        for role in PARTNER_ROLES
        if any(write.snapshot.slice(role, purpose).could_show(coordinate) for purpose in Purpose)
    ]
    category = write.snapshot.catalogue[coordinate].category
    return [row["id"] for row in await write.connection.fetch(_RECIPIENTS, person, category.bit, kinds)]


async def _store(write: Write, person: UUID, given: Given) -> None:
    columns: dict[str, Any] = dict(await sealed(write, NOUNS["User"], person, owner=person, values=given.values))
    if "idNumber" in given.values:
        columns["id_type"] = (given.id_type or IdType.RESIDENT_ID).value
    if columns:
        sets = ", ".join(f'"{name}" = ${place}' for place, name in enumerate(columns, start=2))
        statement = f"UPDATE person SET version = version + 1, {sets} WHERE id = $1"
        await write.connection.execute(statement, person, *columns.values())
    for item, column in _FOUND_BY.items():
        if item in given.values:
            await index_blindly(write, person, column, given.values[item])
