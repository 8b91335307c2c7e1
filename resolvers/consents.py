"""How a Consent is stored; whether it counts is computed, never kept."""

from models.global_ids import NodeType
from models.vocabulary import from_bits
from resolvers.consent_receipts import CONSENT_RECEIPT
from resolvers.global_ids import row_of
from resolvers.nouns import Filter, Link, Noun, Order, Public
from resolvers.times import in_shanghai

_STATUS = (
    "CASE WHEN t.withdrawn_at IS NOT NULL THEN 'WITHDRAWN' WHEN t.expires_at <= now() OR (:consent_days::int > 0"
    " AND t.granted_at <= now() - make_interval(days => :consent_days::int)) THEN 'EXPIRED' ELSE 'ACTIVE' END"
)


def _names(bits: int) -> list[str]:
    return [category.name for category in from_bits(bits)]


CONSENT = Noun(
    name="Consent",
    table="consent",
    node_type=NodeType.CONSENT,
    fields={
        "user": Link("User", "t.person_id"),
        "purpose": Public("upper(t.purpose)"),
        "recipient": Link("Organization", "t.recipient_id"),
        "categories": Public("t.categories", convert=_names),
        "status": Public(_STATUS),
        "noticeVersion": Public("t.notice_version"),
        "noticeHash": Public("t.notice_hash"),
        "givenByGuardian": Public("t.guardian_id IS NOT NULL"),
        "grantedAt": Public("t.granted_at", in_shanghai),
        "withdrawnAt": Public("t.withdrawn_at", in_shanghai),
        "withdrawnByGuardian": Public("coalesce(t.withdrawn_by_id <> t.person_id, FALSE)"),
        "expiresAt": Public("t.expires_at", in_shanghai),
        "receipt": CONSENT_RECEIPT,
    },
    orders={None: Order(("t.id",), ("uuid",))},
    filters={
        "user": Filter("t.person_id = {value}::uuid", convert=row_of(NodeType.USER), visible="User"),
        "purpose": Filter("t.purpose = lower({value}::text)"),
        "status": Filter(f"{_STATUS} = {{value}}::text"),
    },
)
