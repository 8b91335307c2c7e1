"""The data map: what keeps and ends data (C27-C29)."""

from models.vocabulary import Retention
from privacy.holding import OF_STAFF, PERSON, Holding

OF_ERASURE: tuple[Holding, ...] = (
    Holding(
        "retention_agreement",
        PERSON,
        plain=("policy_id", "retention", "kind", "until", "reference", "recorded_at", "ended_at"),
        inner=("id", "person_id", "recorded_by"),
    ),
    Holding(
        "legal_hold",
        PERSON,
        plain=("classes", "placed_at", "until", "lifted_at", "reference", "placed_by", "lifted_by"),
        inner=("id", "person_id"),
        withheld={
            "reference": "It names the file of a proceeding, which may have to stay confidential: ask the officer.",
            "placed_by": OF_STAFF,
            "lifted_by": OF_STAFF,
        },
    ),
    Holding(
        "erasure_order",
        PERSON,
        plain=("classes", "ground", "ordered_at", "due_on", "done_at", "request_id"),
        inner=("id", "person_id"),
    ),
    Holding(
        "restricted_record",
        PERSON,
        Retention.RESTRICTED,
        "t.person_id",
        {"sealed": "t.person_id"},
        plain=("law", "until", "made_at"),
        inner=("person_id",),
        exported=False,
        why_not="It is what the law wants kept of who had an account that is gone, and opens under a case only.",
    ),
)
