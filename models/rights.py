"""Requests about one's own data: their kinds, states and grounds, and the tables beside `rights_request` (C65, C80)."""

from enum import StrEnum


class RightsRequestKind(StrEnum):
    """What a person asks for."""

    ACCESS = "access"
    EXPORT = "export"
    CORRECTION = "correction"
    DELETION = "deletion"
    CANCELLATION = "cancellation"
    WITHDRAWAL = "withdrawal"
    COMPLAINT = "complaint"


class RequestState(StrEnum):
    """How a request stands."""

    OPEN = "OPEN"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    CLOSED = "CLOSED"
    """Ended without an answer: before answers were kept, or because nobody came for the archive that was ready."""


class DeletionGround(StrEnum):
    """On what ground deletion may be asked for: the five of 七(二), and no other (C65)."""

    NOT_CONSENTED = "NOT_CONSENTED"
    UNLAWFUL = "UNLAWFUL"
    AGREEMENT_BREACHED = "AGREEMENT_BREACHED"
    NOT_USED_ANY_MORE = "NOT_USED_ANY_MORE"
    SERVICE_ENDED = "SERVICE_ENDED"


class ComplaintMatter(StrEnum):
    """What a complaint or question is about (C80)."""

    PRIVACY_POLICY = "PRIVACY_POLICY"
    PROCESSING = "PROCESSING"
    SHARING = "SHARING"
    MARKETING = "MARKETING"
    SECURITY = "SECURITY"
    ANSWER_OF_A_REQUEST = "ANSWER_OF_A_REQUEST"
    OTHER = "OTHER"


class EscalationBody(StrEnum):
    """To whom else one may turn, by 十: four regulators, and the court that has jurisdiction (C81)."""

    INTERNET_INFORMATION_OFFICE = "INTERNET_INFORMATION_OFFICE"
    TELECOM_AUTHORITY = "TELECOM_AUTHORITY"
    POLICE = "POLICE"
    MARKET_REGULATOR = "MARKET_REGULATOR"
    COURT = "COURT"


class BlockerKind(StrEnum):
    """What keeps an account from being cancelled, by 七(四) (C69)."""

    PURCHASE_OPEN = "PURCHASE_OPEN"
    CLAIM_OPEN = "CLAIM_OPEN"
    POLICY_IN_FORCE = "POLICY_IN_FORCE"
    HEALTH_SERVICE_RUNNING = "HEALTH_SERVICE_RUNNING"


TABLES: tuple[str, ...] = (
    # Of what is asked for through the service, one open request of a kind for each person; of archives, which their
    # requester alone may fetch, one for each requester.
    (
        "CREATE UNIQUE INDEX rights_request_open ON rights_request"
        " (person_id, kind, (CASE WHEN kind = 'export' THEN requester_id ELSE person_id END))"
        " WHERE closed_at IS NULL AND state IS NOT NULL"
    ),
    "CREATE INDEX rights_request_due ON rights_request (due_on, id) WHERE closed_at IS NULL",
    (
        "ALTER TABLE rights_request ADD CONSTRAINT rights_request_closed CHECK"
        " (state IS NULL OR (state = 'OPEN') = (closed_at IS NULL))"
    ),
    (
        "ALTER TABLE rights_request ADD CONSTRAINT rights_request_extended CHECK"
        " (num_nonnulls(extended_until, extension_reason) IN (0, 2))"
    ),
    # What was asked for before this was asked has neither.
    (
        "ALTER TABLE rights_request ADD CONSTRAINT rights_request_ground CHECK"
        " (identity_checked_at IS NULL"
        " OR (kind = 'deletion') = (ground IS NOT NULL) AND (kind = 'complaint') = (matter IS NOT NULL))"
    ),
    # What a change of the calendar did to a date that somebody was told.
    (
        "CREATE TABLE rights_due_change (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " request_id uuid NOT NULL REFERENCES rights_request, was date, due_on date NOT NULL,"
        " provisional boolean NOT NULL, changed_at timestamptz NOT NULL)"
    ),
    "CREATE INDEX rights_due_change_request ON rights_due_change (request_id)",
)
