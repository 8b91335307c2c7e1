"""How a Policy is stored."""

from models.global_ids import NodeType
from models.vocabulary import Retention
from resolvers.nouns import Children, Filter, Link, Noun, Order, Public, SealedColumn

BY_INSURER = "t.insurer_id = (SELECT o.id FROM organization o WHERE o.code = {value}::text)"

POLICY = Noun(
    name="Policy",
    table="policy",
    node_type=NodeType.POLICY,
    retention=Retention.CONTRACT,
    key_owner="t.holder_id",
    fields={
        "policyNumber": Public("t.policy_number"),
        "product": Link("Product", "t.product_id"),
        "insurer": Link("Organization", "t.insurer_id"),
        "status": Public("t.status"),
        "premium": SealedColumn("premium_sealed"),
        "sumInsured": SealedColumn("sum_insured_sealed"),
        "currency": Public("t.currency"),
        "startsOn": Public("t.starts_on"),
        "endsOn": Public("t.ends_on"),
        "version": Public("t.version"),
        "policyholder": Link("User", "t.holder_id"),
        "insured": Link("User", "t.insured_id"),
        "beneficiaries": Children("Beneficiary", ("policy_id",), paged=False),
        "claims": Children("Claim", ("policy_id",)),
    },
    orders={
        None: Order(("t.policy_number",), ("text",)),
        "POLICY_NUMBER": Order(("t.policy_number",), ("text",)),
        "STARTS_ON": Order(("coalesce(t.starts_on, 'infinity'::date)", "t.id"), ("date", "uuid")),
    },
    filters={
        "status": Filter("t.status = {value}::text"),
        "insurer": Filter(BY_INSURER),
        "policyNumber": Filter("t.policy_number = {value}::text"),
    },
)
