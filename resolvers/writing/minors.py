"""Minors: a person under age acts, and is insured, with a guardian's verifiable consent or not at all (C71).

A guardian is who has a verified link to the child. What a guardian does for the child is their consent to that and to
nothing more; a minor acts alone only under a consent that a guardian has given for the purpose, in so many words.
"""

from typing import Any
from uuid import UUID

from models.vocabulary import Purpose
from privacy.guardianship import STANDS, agreed
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.registry import NOUNS
from resolvers.writing.rows import opened

_GUARDED = f"SELECT EXISTS (SELECT FROM guardian_link g WHERE g.guardian_id = $1 AND g.child_id = $2 AND {STANDS})"
_AGREED = f"SELECT EXISTS (SELECT FROM guardian_link g WHERE g.child_id = $1 AND {STANDS} AND {agreed('$2::text[]')})"
_CONSEQUENCE = "Nothing is collected from a minor without it."
_STAYS = "Your terms stay as they are."


async def guarded(write: Write, person: Any, purpose: Purpose, *, field: str | None = None) -> Problem | None:  # noqa: ANN401 - asyncpg's row
    """Is this person of age, or does a guardian agree to `purpose`? AGE_UNKNOWN or MINOR_NEEDS_GUARDIAN if not."""
    birth = await _birth(write, person)
    if birth is None:
        message = "It is not known whether this person is of age. Give their ID number or birth date."
        return Problem(ProblemCode.AGE_UNKNOWN, message, field=field, clause="C71", consequence=_CONSEQUENCE)
    return await _agreed(write, person["id"], purpose, field=field) if write.is_minor(birth) else None


async def guarded_profile(
    write: Write,
    person: Any,  # noqa: ANN401 - as above
    *,
    becomes: str | None = None,
    purpose: Purpose = Purpose.ACCOUNT_SERVICE,
) -> Problem | None:
    """May this person act alone, as far as their age is known: are they no minor, or does a guardian agree?

    `becomes`: the birth date (ISO 8601) that the write would put on record. A minor cannot come of age by it alone, nor
    anybody become a minor without a guardian. An account knows no age at first (C01); that is no obstacle.
    """
    births = (await _birth(write, person), becomes)
    if not any(birth and write.is_minor(birth) for birth in births):
        return None
    return await _agreed(write, person["id"], purpose, field="birthDate" if becomes else None)


async def _birth(write: Write, person: Any) -> str | None:  # noqa: ANN401 - as above
    return (await opened(write, NOUNS["User"], person, owner=person["id"], fields=("birthDate",)))["birthDate"]


async def _agreed(write: Write, child: UUID, purpose: Purpose, *, field: str | None) -> Problem | None:
    """Is the caller a guardian of this minor, or has one agreed?"""
    caller = write.subject.person
    if caller is not None and caller != child and await write.connection.fetchval(_GUARDED, caller, child):
        return None
    if await write.connection.fetchval(_AGREED, child, [purpose.value]):
        return None
    message = "This person is under age: a guardian whose link is verified has to do this, or to have agreed to it."
    return Problem(ProblemCode.MINOR_NEEDS_GUARDIAN, message, field=field, clause="C71", consequence=_CONSEQUENCE)


async def not_alone(write: Write, person: Any, *, consequence: str = _STAYS) -> Problem | None:  # noqa: ANN401 - as above
    """MINOR_NEEDS_GUARDIAN where a minor does for themselves what only a guardian does, whatever one agreed to before.

    An account knows no age at first; that is no obstacle.
    """
    if write.subject.person != person["id"]:
        return None
    birth = await _birth(write, person)
    if birth is None or not write.is_minor(birth):
        return None
    message = "You are under age: a guardian whose link is verified has to do this for you."
    return Problem(ProblemCode.MINOR_NEEDS_GUARDIAN, message, clause="C71", consequence=consequence)
