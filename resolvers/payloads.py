"""What a write works with and what it may answer: its result, or a problem that the client can act on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from authz.attempts import Patience
from authz.compile import Snapshot
from authz.glass import MOST_MINUTES
from authz.passwords import Hasher
from authz.rules import Ruleset
from authz.sessions import Sessions
from authz.subjects import Subject
from authz.vocabulary import Reason
from models.vocabulary import Purpose
from privacy.tombstones import Tombstone
from resolvers.reading import Reader
from resolvers.times import SHANGHAI
from resolvers.wards import is_minor
from vault.keyring import Keyring
from vault.sealing import KeyCache


class ProblemCode(StrEnum):
    """Every problem that a payload may hold; more will come."""

    PHONE_REQUIRED = "PHONE_REQUIRED"
    PHONE_INVALID = "PHONE_INVALID"
    PHONE_TAKEN = "PHONE_TAKEN"
    USERNAME_REQUIRED = "USERNAME_REQUIRED"
    USERNAME_INVALID = "USERNAME_INVALID"
    USERNAME_TAKEN = "USERNAME_TAKEN"
    PASSWORD_REQUIRED = "PASSWORD_REQUIRED"  # noqa: S105 - a code, not a secret
    PASSWORD_WEAK = "PASSWORD_WEAK"  # noqa: S105 - as above
    PASSWORD_WRONG = "PASSWORD_WRONG"  # noqa: S105 - as above
    PASSWORD_CHANGE_REQUIRED = "PASSWORD_CHANGE_REQUIRED"  # noqa: S105 - as above
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    TRY_LATER = "TRY_LATER"
    CODE_REQUIRED = "CODE_REQUIRED"
    CODE_WRONG = "CODE_WRONG"
    SECOND_FACTOR_NOT_SET_UP = "SECOND_FACTOR_NOT_SET_UP"
    NOT_A_GUARDIAN = "NOT_A_GUARDIAN"
    SESSION_CEILING = "SESSION_CEILING"
    SESSION_ENDED = "SESSION_ENDED"
    SESSION_REQUIRED = "SESSION_REQUIRED"
    SESSION_UNKNOWN = "SESSION_UNKNOWN"
    WRITE_DENIED = "WRITE_DENIED"
    NOT_FOUND = "NOT_FOUND"
    WRONG_STATUS = "WRONG_STATUS"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    ITEM_MISSING = "ITEM_MISSING"
    ITEM_NOT_DECLARED = "ITEM_NOT_DECLARED"
    ITEM_INVALID = "ITEM_INVALID"
    ITEM_ON_RECORD = "ITEM_ON_RECORD"
    NEVER_COLLECTED = "NEVER_COLLECTED"
    NOTHING_GIVEN = "NOTHING_GIVEN"
    MINOR_NEEDS_GUARDIAN = "MINOR_NEEDS_GUARDIAN"
    AGE_UNKNOWN = "AGE_UNKNOWN"
    REPORTER_IS_INSURED = "REPORTER_IS_INSURED"
    SHARES_NOT_WHOLE = "SHARES_NOT_WHOLE"
    PERMISSION_REQUIRED = "PERMISSION_REQUIRED"
    DRAFT_CEILING = "DRAFT_CEILING"
    DEVICE_CEILING = "DEVICE_CEILING"
    PRODUCT_UNKNOWN = "PRODUCT_UNKNOWN"
    AGENT_UNKNOWN = "AGENT_UNKNOWN"
    ASSIGNEE_UNKNOWN = "ASSIGNEE_UNKNOWN"
    CLAIM_IS_HANDLED = "CLAIM_IS_HANDLED"
    GRANT_UNKNOWN = "GRANT_UNKNOWN"
    GRANT_LAPSED = "GRANT_LAPSED"
    GRANT_NOT_LAPSED = "GRANT_NOT_LAPSED"
    DAYS_INVALID = "DAYS_INVALID"
    NOT_YOURS = "NOT_YOURS"
    NOT_STAFF = "NOT_STAFF"
    DRAFT_UNKNOWN = "DRAFT_UNKNOWN"
    RULESET_UNKNOWN = "RULESET_UNKNOWN"
    DRAFT_STATE = "DRAFT_STATE"
    TEXT_INVALID = "TEXT_INVALID"
    RULES_INVALID = "RULES_INVALID"
    NOTHING_CHANGED = "NOTHING_CHANGED"
    NOTICE_INVALID = "NOTICE_INVALID"
    NOTICE_DATE = "NOTICE_DATE"
    NOTICE_UNKNOWN = "NOTICE_UNKNOWN"
    NOTICE_AGREED = "NOTICE_AGREED"
    ASSESSMENT_UNKNOWN = "ASSESSMENT_UNKNOWN"
    PARENT_STALE = "PARENT_STALE"
    ROLLBACK_FIXED = "ROLLBACK_FIXED"
    FINDINGS = "FINDINGS"
    CASES_FAIL = "CASES_FAIL"
    IMPACT_MISSING = "IMPACT_MISSING"
    OWN_DRAFT = "OWN_DRAFT"
    PROPOSAL_CHANGED = "PROPOSAL_CHANGED"
    NOT_APPROVED = "NOT_APPROVED"
    GLASS_UNKNOWN = "GLASS_UNKNOWN"
    GLASS_STATE = "GLASS_STATE"
    MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
    ROLE_SEES_NOTHING = "ROLE_SEES_NOTHING"
    PURPOSE_UNKNOWN = "PURPOSE_UNKNOWN"
    MINUTES_INVALID = "MINUTES_INVALID"
    CATEGORIES_INVALID = "CATEGORIES_INVALID"
    GLASS_OPEN = "GLASS_OPEN"
    GLASS_YOURS = "GLASS_YOURS"
    OPERATION_INVALID = "OPERATION_INVALID"
    OPERATION_CEILING = "OPERATION_CEILING"
    OPERATION_UNKNOWN = "OPERATION_UNKNOWN"
    RECIPIENT_UNKNOWN = "RECIPIENT_UNKNOWN"
    TAGS_INVALID = "TAGS_INVALID"
    TIMES_INVALID = "TIMES_INVALID"
    CAMPAIGN_UNKNOWN = "CAMPAIGN_UNKNOWN"
    CONSENT_NO_BASIS = "CONSENT_NO_BASIS"
    SEPARATE_CONSENT_REQUIRED = "SEPARATE_CONSENT_REQUIRED"
    NOTICE_MISMATCH = "NOTICE_MISMATCH"
    NOTICE_DOES_NOT_TELL = "NOTICE_DOES_NOT_TELL"
    EXPIRY_INVALID = "EXPIRY_INVALID"
    LINK_UNKNOWN = "LINK_UNKNOWN"
    LINK_STATE = "LINK_STATE"
    LINK_CEILING = "LINK_CEILING"
    LINK_CIRCLE = "LINK_CIRCLE"
    GUARDIAN_UNKNOWN = "GUARDIAN_UNKNOWN"
    GUARDIAN_UNDER_AGE = "GUARDIAN_UNDER_AGE"
    CHILD_OF_AGE = "CHILD_OF_AGE"
    CHILD_CEILING = "CHILD_CEILING"
    GUARDIAN_CONTESTED = "GUARDIAN_CONTESTED"
    DOCUMENT_DIFFERS = "DOCUMENT_DIFFERS"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"
    SOURCE_UNKNOWN = "SOURCE_UNKNOWN"
    SOURCE_DIFFERS = "SOURCE_DIFFERS"
    CASE_CLOSED = "CASE_CLOSED"
    PERSON_UNKNOWN = "PERSON_UNKNOWN"
    ITEM_NOT_CHOSEN = "ITEM_NOT_CHOSEN"
    CASE_UNKNOWN = "CASE_UNKNOWN"
    CASE_STATE = "CASE_STATE"
    OWN_CASE = "OWN_CASE"
    CHOICE_CEILING = "CHOICE_CEILING"
    CORRECTION_UNKNOWN = "CORRECTION_UNKNOWN"
    IDENTITY_NOT_VERIFIED = "IDENTITY_NOT_VERIFIED"
    CANCELLATION_BLOCKED = "CANCELLATION_BLOCKED"
    DELETION_BLOCKED = "DELETION_BLOCKED"
    ACCOUNT_UNKNOWN = "ACCOUNT_UNKNOWN"
    ACCOUNT_CANCELLED = "ACCOUNT_CANCELLED"
    REQUEST_UNKNOWN = "REQUEST_UNKNOWN"
    REQUEST_STATE = "REQUEST_STATE"
    REQUEST_OPEN = "REQUEST_OPEN"
    REQUEST_NOT_YOURS = "REQUEST_NOT_YOURS"
    OFFICER_UNKNOWN = "OFFICER_UNKNOWN"
    EXTENSION_INVALID = "EXTENSION_INVALID"
    CLASSES_INVALID = "CLASSES_INVALID"
    DUTY_UNKNOWN = "DUTY_UNKNOWN"
    DUTY_FOLLOWED = "DUTY_FOLLOWED"
    DUTY_MEMBER = "DUTY_MEMBER"
    DAY_INVALID = "DAY_INVALID"
    INCIDENT_UNKNOWN = "INCIDENT_UNKNOWN"
    INCIDENT_CLOSED = "INCIDENT_CLOSED"
    INCIDENT_TOLD = "INCIDENT_TOLD"
    INCIDENT_UNTOLD = "INCIDENT_UNTOLD"
    INCIDENT_UNREPORTED = "INCIDENT_UNREPORTED"
    INCIDENT_UNREAD = "INCIDENT_UNREAD"
    WITHHOLDING_UNLAWFUL = "WITHHOLDING_UNLAWFUL"
    NOTICED_LATER = "NOTICED_LATER"
    AGREEMENT_UNKNOWN = "AGREEMENT_UNKNOWN"
    HOLD_UNKNOWN = "HOLD_UNKNOWN"
    RETENTION_NOT_LONGER = "RETENTION_NOT_LONGER"
    CEASED = "CEASED"
    CEASING_DAY = "CEASING_DAY"
    CEASING_STATE = "CEASING_STATE"
    CEASING_UNKNOWN = "CEASING_UNKNOWN"
    CEASING_YOURS = "CEASING_YOURS"


@dataclass(frozen=True, slots=True)
class Item:
    """One data item that is missing, or that must not be given: its path in the input, and the clause about it."""

    field: str
    clause: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a row stands whose status or version does not fit a write."""

    status: str | None
    version: int
    allowed: tuple[str, ...] = ()
    """The statuses in which the write can be done."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a write did nothing: what to do (`message`), which input, under which clause, and what follows from it."""

    code: ProblemCode
    message: str
    field: str | None = None
    clause: str | None = None
    consequence: str | None = None
    retry_after: int | None = None
    """Seconds until it makes sense to try again."""
    reason: Reason | None = None
    """Why the rules refuse it."""
    items: tuple[Item, ...] = ()
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The row that a write made or changed, by the name of its noun."""

    noun: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Once:
    """A client's idempotency key, and the request it came with, both as keyed hashes."""

    key_digest: bytes
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class Accounts:
    """What accounts and logins are kept with."""

    keyring: Keyring
    sessions: Sessions
    hasher: Hasher
    patience: Patience


Attempt = Callable[[], Awaitable[None]]
"""Counts an attempt by the address it comes from, whoever is said to ask. Raises RATE_LIMITED."""


@dataclass(slots=True)
class Write:
    """One mutation as it runs: its transaction's connection, the caller, the moment; and what came of it."""

    connection: Any
    name: str
    subject: Subject
    purpose: Purpose
    now: datetime
    snapshot: Snapshot
    accounts: Accounts
    reader: Reader
    attempt: Attempt | None = None
    """Counts an attempt to learn something: whether a phone has an account, whether somebody works here."""
    once: Once | None = None
    refused: str | None = None
    """The code of what came instead, for the ledger."""
    repeated: bool = False
    """Was it done before, under the same idempotency key?"""
    written: Written | None = None
    people: list[UUID] = field(default_factory=list)
    """Whom it was about, beside those of the row that it wrote: each finds it in their access history."""
    record: str | None = None
    """By which record it was about them, as the ledger names records: a letter and an id."""
    actor: UUID | None = None
    """The account or member of staff that it turned out to be, for the ledger."""
    broken_glass: UUID | None = None
    """The broken glass that its rules owe something to."""
    most_glass: int = MOST_MINUTES
    """Minutes for which the glass may be broken."""
    erased: list[Tombstone] = field(default_factory=list)
    """Whom it has erased: once that is committed, no backup may bring them back."""
    published: int | None = None
    """The ruleset that it published, which the answer waits for in every worker."""
    decision: UUID = field(default_factory=uuid4)
    """The id that the client gets, and that every row of the ledger about this write has."""

    async def count_attempt(self) -> None:
        """Count one. Raises RATE_LIMITED."""
        if self.attempt is not None:
            await self.attempt()

    @property
    def ruleset(self) -> Ruleset:
        """The rules in force, the same from start to end."""
        return self.snapshot.ruleset

    @property
    def keys(self) -> KeyCache:
        """Data keys, unwrapped."""
        return self.reader.keys

    def is_minor(self, birth: str) -> bool:
        """Is somebody born on this day (ISO 8601) under age?"""
        return is_minor(birth, self.today, self.reader.bundle.age_of_majority)

    @property
    def today(self) -> date:
        """The day it is where the brokerage is."""
        return self.now.astimezone(SHANGHAI).date()
