"""How a Claim is stored."""

import orjson

from models.global_ids import NodeType
from models.vocabulary import Retention
from resolvers.nouns import Filter, Link, Noun, Order, Public, SealedColumn
from resolvers.policies import BY_INSURER
from resolvers.times import in_shanghai

CLAIM = Noun(
    name="Claim",
    table="claim",
    node_type=NodeType.CLAIM,
    retention=Retention.CLAIM,
    key_owner="t.insured_id",
    fields={
        "claimNumber": Public("t.claim_number"),
        "policy": Link("Policy", "t.policy_id"),
        "status": Public("t.status"),
        "reporterName": SealedColumn("reporter_name_sealed"),
        "reporterPhone": SealedColumn("reporter_phone_sealed"),
        "incidentDate": SealedColumn("incident_date_sealed"),
        "incidentDescription": SealedColumn("incident_description_sealed"),
        "hospital": SealedColumn("hospital_sealed"),
        "diagnosis": SealedColumn("diagnosis_sealed"),
        "diagnosisCode": SealedColumn("diagnosis_code_sealed"),
        "medicalRecord": SealedColumn("medical_record_sealed"),
        "expenses": SealedColumn("expenses_sealed"),
        "amountClaimed": SealedColumn("amount_claimed_sealed"),
        "amountPaid": SealedColumn("amount_paid_sealed"),
        "bankCard": SealedColumn("bank_card_sealed"),
        "reportedAt": Public("t.reported_at", in_shanghai),
        "closedAt": Public("t.closed_at", in_shanghai),
        "reporterRelation": Public("t.reporter_relation"),
        "requestedItems": Public("coalesce(t.requested_items, '[]')", orjson.loads),
        "version": Public("t.version"),
    },
    orders={
        None: Order(("t.claim_number",), ("text",)),
        "CLAIM_NUMBER": Order(("t.claim_number",), ("text",)),
        "REPORTED_AT": Order(("t.reported_at", "t.id"), ("timestamptz", "uuid")),
    },
    filters={
        "status": Filter("t.status = {value}::text"),
        "insurer": Filter(BY_INSURER),
        "claimNumber": Filter("t.claim_number = {value}::text"),
    },
)
