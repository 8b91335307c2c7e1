"""Consents: each to one purpose, recipient and set of categories, under the notice that its person stands under.

What was agreed to is never changed: it is taken back, or something else takes its place at the same moment, and both
stay on record (C68). Whether a consent counts is looked up by every statement that reads, so that taking it back counts
from the next read on and touches nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from authz.subjects import active
from authz.vocabulary import Basis
from ledger.behaviour import SHANGHAI
from models.organizations import OrganizationKind
from models.vocabulary import Purpose, from_bits, to_bits
from privacy.bundles import Bundle
from privacy.notices import Version
from vault.blind import audience_id
from vault.keyring import Keyring

MOST_A_DAY = 200
"""Consents that one person gives: each stays on record, so there is an end to it."""
_DAY = timedelta(days=1)
_LAST_YEAR = 2199

_RECIPIENT = "SELECT id, kind FROM organization WHERE code = $1 AND kind <> 'BROKER'"
_LATELY = "SELECT count(*), min(granted_at) FROM consent WHERE person_id = $1 AND granted_at > $2"
_RUNNING = f"""
SELECT c.id, c.categories, c.notice_hash, c.guardian_id, c.expires_at FROM consent c
WHERE c.person_id = $1 AND c.purpose = $2 AND c.recipient_id IS NOT DISTINCT FROM $3 AND {active("c")}
ORDER BY c.id FOR NO KEY UPDATE
"""  # noqa: S608 - our own SQL
_TAKE_BACK = f"""
UPDATE consent c SET withdrawn_at = $2, withdrawn_by_id = $3 WHERE c.id = ANY($1::uuid[]) AND {active("c")}
"""  # noqa: S608 - as above
_INSERT = """
INSERT INTO consent (id, person_id, guardian_id, purpose, recipient_id, categories, notice_version, notice_hash,
granted_at, expires_at, audience_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


class Why(StrEnum):
    """Why a consent is not taken."""

    CONSENT_NO_BASIS = "CONSENT_NO_BASIS"
    CATEGORIES_INVALID = "CATEGORIES_INVALID"
    SEPARATE_CONSENT_REQUIRED = "SEPARATE_CONSENT_REQUIRED"
    NOTICE_MISMATCH = "NOTICE_MISMATCH"
    NOTICE_DOES_NOT_TELL = "NOTICE_DOES_NOT_TELL"
    EXPIRY_INVALID = "EXPIRY_INVALID"


@dataclass(frozen=True, slots=True)
class Refused:
    """A consent that is not taken: why, what to do, which input says it, and the clause."""

    why: Why
    text: str
    field: str
    clause: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is to process: an organization, or by None the brokerage itself."""

    id: UUID | None = None
    kind: OrganizationKind = OrganizationKind.BROKER


@dataclass(frozen=True, slots=True)
class Wanted:
    """A consent as it is asked for; `categories` is a stored set."""

    purpose: Purpose
    recipient: Recipient
    categories: int
    notice_hash: str
    expires_at: datetime | None = None


async def recipient_of(connection: Any, code: str | None) -> Recipient | None:  # noqa: ANN401 - asyncpg's connection
    """The recipient of a code; None for a code that nobody has. Without a code it is the brokerage."""
    if code is None:
        return Recipient()
    row = await connection.fetchrow(_RECIPIENT, code)
    return row and Recipient(row["id"], OrganizationKind(row["kind"]))


def refusal_of(wanted: Wanted, *, version: Version, bundle: Bundle, now: datetime) -> Refused | None:
    """Why this cannot be consented to under a bundle by somebody who stands under a version of the notice."""
    return (
        _no_basis(wanted, bundle)
        or _not_separate(wanted, bundle)
        or _not_told(wanted, version)
        or _bad_expiry(wanted, bundle, now)
    )


def _no_basis(wanted: Wanted, bundle: Bundle) -> Refused | None:
    if Basis.CONSENT not in bundle.bases[wanted.purpose]:
        message = f"No consent makes processing for {wanted.purpose.name} lawful, so none is taken."
        return Refused(Why.CONSENT_NO_BASIS, message, "purpose", "C24")
    if not wanted.categories:
        return Refused(Why.CATEGORIES_INVALID, "Name at least one category.", "categories", "C32")
    return None


def _not_separate(wanted: Wanted, bundle: Bundle) -> Refused | None:
    apart = to_bits(bundle.consent.apart)
    if not (wanted.categories & apart and wanted.categories & ~apart):
        return None
    message = (
        f"Sensitive data are consented to on their own. Ask twice: for [{_names(wanted.categories & apart)}]"
        f" and for [{_names(wanted.categories & ~apart)}]."
    )
    return Refused(Why.SEPARATE_CONSENT_REQUIRED, message, "categories", "C32")


def _not_told(wanted: Wanted, version: Version) -> Refused | None:
    if wanted.notice_hash != version.digest:
        message = (
            f"This person stands under the notice {version.version}. Show that one and give its hash, {version.digest};"
            " or agree to a later one first, with acknowledgeNotice."
        )
        return Refused(Why.NOTICE_MISMATCH, message, "noticeHash", "C82")
    missing = wanted.categories & ~version.functions.get((wanted.purpose, wanted.recipient.kind), 0)
    if missing:
        who = "the brokerage" if wanted.recipient.id is None else f"a recipient of the kind {wanted.recipient.kind}"
        message = (
            f"The notice {version.version} does not tell of [{_names(missing)}] for {wanted.purpose.name} by {who}."
            " Leave them out."
        )
        return Refused(Why.NOTICE_DOES_NOT_TELL, message, "categories", "C75")
    return None


def _bad_expiry(wanted: Wanted, bundle: Bundle, now: datetime) -> Refused | None:
    expires, days = wanted.expires_at, bundle.consent.longest_days
    if expires is None:
        return None
    message = None
    if expires.tzinfo is None:
        message = "A moment has an offset, as 2027-11-22T09:00:00+08:00."
    elif expires <= now:
        message = "A consent ends in the future. To have none, give none."
    elif days and expires > now + timedelta(days=days):
        message = f"A consent lasts {days} days at most. Name an earlier end, or none."
    elif expires.year > _LAST_YEAR:
        message = "Name an end within this century or the next, or none."
    return Refused(Why.EXPIRY_INVALID, message, "expiresAt", "C82") if message else None


async def retry_after(connection: Any, person: UUID, *, now: datetime) -> int | None:  # noqa: ANN401 - as above
    """Seconds until this person may give one more consent; None: now."""
    count, first = await connection.fetchrow(_LATELY, person, now - _DAY)
    return None if count < MOST_A_DAY else int((first + _DAY - now).total_seconds()) + 1


async def grant(  # noqa: PLR0913 - what a consent is made of
    connection: Any,  # noqa: ANN401 - as above
    person: UUID,
    wanted: Wanted,
    *,
    version: Version,
    bundle: Bundle,
    guardian: UUID | None,
    keyring: Keyring,
    clock: Callable[[], datetime],
) -> UUID:
    """Keep a consent that nothing refuses, in place of one to the same purpose and recipient; its id.

    The person's row is locked by then, so of two at once one comes first. Given already in the very same words, that
    one stands. Where sensitive data stand apart, so do consents to them: neither takes the other's place.
    """
    now = clock()
    wanted = replace(wanted, expires_at=wanted.expires_at or _usual_end(bundle, now))
    found = await connection.fetch(_RUNNING, person, wanted.purpose.value, wanted.recipient.id)
    apart = to_bits(bundle.consent.apart)
    earlier = [row for row in found if _is_apart(row["categories"], apart) == _is_apart(wanted.categories, apart)]
    if len(earlier) == 1 and _says(earlier[0], wanted, guardian):
        same: UUID = earlier[0]["id"]
        return same
    by = guardian or person
    await connection.execute(_TAKE_BACK, [row["id"] for row in earlier], now, by)
    made, recipient = uuid4(), wanted.recipient.id
    known_as = audience_id(keyring, recipient, person) if wanted.purpose is Purpose.MARKETING else None
    told = (version.version, version.digest, now, wanted.expires_at, known_as)
    await connection.execute(_INSERT, made, person, guardian, wanted.purpose.value, recipient, wanted.categories, *told)
    return made


async def withdraw(connection: Any, consent: UUID, *, by: UUID, now: datetime) -> None:  # noqa: ANN401 - as above
    """Take a consent back, and nothing else (C68). One that has ended stays as it ended."""
    await connection.execute(_TAKE_BACK, [consent], now, by)


def _usual_end(bundle: Bundle, now: datetime) -> datetime | None:
    """The midnight at which a consent ends that names no end: the same all day, so asking again changes nothing."""
    if not bundle.consent.longest_days:
        return None
    day = now.astimezone(SHANGHAI).date() + timedelta(days=bundle.consent.longest_days)
    return datetime.combine(day, time(), SHANGHAI)


def _is_apart(categories: int, apart: int) -> bool:
    """Is it a consent to sensitive data alone, which opens these? One to both, of an earlier law, is not."""
    return bool(apart) and categories & ~apart == 0


def _says(row: Mapping[str, Any], wanted: Wanted, guardian: UUID | None) -> bool:
    found = (row["categories"], row["notice_hash"], row["expires_at"], row["guardian_id"])
    return found == (wanted.categories, wanted.notice_hash, wanted.expires_at, guardian)


def _names(categories: int) -> str:
    return ", ".join(category.name for category in from_bits(categories))
