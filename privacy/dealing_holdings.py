"""The data map of dealings: devices, contracts, claims, consents, cases, requests, and who was told."""

from authz.disclosures import told_of
from models.vocabulary import Retention
from privacy.holding import (
    BENEFICIARY,
    CASES,
    CLAIMS,
    DISCLOSED,
    OF_STAFF,
    PAYEE,
    PERSON,
    POLICIES,
    REPORTER,
    REQUESTS,
    Holding,
    sealed_of,
)

_OF_THE_CASE = "It is the paper of a case that may speak of others: the privacy officer tells what may be told."
_TOLD = f"d.approved_at IS NOT NULL AND {told_of('d')}"
_KNOWN = f"t.case_id IN (SELECT d.id FROM disclosure_case d WHERE {_TOLD})"  # noqa: S608 - our own names

OF_DEALINGS: tuple[Holding, ...] = (
    Holding(
        "device",
        PERSON,
        Retention.DEVICE,
        "t.person_id",
        sealed_of("t.person_id", "model", "ip_address", "push_id", "last_seen_at"),
        plain=("push_id_kind", "changed_on"),
        inner=("id", "person_id"),
    ),
    Holding("permission", PERSON, plain=("kind", "granted", "decided_at"), inner=("id", "person_id")),
    Holding(
        "policy",
        "(t.holder_id = $1 OR t.insured_id = $1)",
        Retention.CONTRACT,
        "t.holder_id",
        sealed_of("t.holder_id", "premium", "sum_insured"),
        plain=(
            *("policy_number", "product_id", "insurer_id", "status", "currency", "starts_on", "ends_on"),
            *("holder_id", "insured_id", "changed_on"),
        ),
        inner=("id", "version"),
    ),
    Holding(
        "beneficiary",
        "(t.holder_id = $1 OR t.person_id = $1)",
        Retention.CONTRACT,
        "t.holder_id",
        sealed_of(BENEFICIARY, "name", "id_number", "phone"),
        plain=("relation", "position", "share", "person_verified_at"),
        inner=("id", "policy_id", "holder_id", "person_id"),
    ),
    Holding(
        "claim",
        "(t.holder_id = $1 OR t.insured_id = $1 OR t.reporter_id = $1 OR t.payee_id = $1)",
        Retention.CLAIM,
        "t.insured_id",
        {
            **sealed_of(REPORTER, "reporter_name", "reporter_phone"),
            **sealed_of(
                "t.insured_id",
                *("incident_date", "incident_description", "hospital", "diagnosis", "diagnosis_code"),
                *("medical_record", "expenses", "amount_claimed", "amount_paid"),
            ),
            **sealed_of(PAYEE, "bank_card"),
        },
        plain=(
            *("claim_number", "policy_id", "insurer_id", "status", "reporter_relation", "reporter_verified_at"),
            *("payee_verified_at", "reported_at", "closed_at", "requested_items"),
            "changed_on",
        ),
        inner=("id", "holder_id", "insured_id", "reporter_id", "payee_id", "version"),
    ),
    Holding(
        "health_service",
        f"t.policy_id IN {POLICIES}",
        plain=("policy_id", "provider_id", "starts_at", "ends_at"),
        inner=("id",),
    ),
    Holding(
        "consent",
        "(t.person_id = $1 OR t.guardian_id = $1 OR t.withdrawn_by_id = $1)",
        about=PERSON,
        plain=(
            *("purpose", "recipient_id", "categories", "notice_version", "notice_hash", "granted_at", "withdrawn_at"),
            *("expires_at", "person_id", "guardian_id", "withdrawn_by_id", "audience_id"),
        ),
        inner=("id",),
        withheld={"audience_id": "Only one recipient knows the person by it: with it others could match their lists."},
    ),
    Holding(
        "notice_agreement",
        "(t.person_id = $1 OR t.guardian_id = $1)",
        about=PERSON,
        plain=("notice", "agrees", "said_at", "person_id", "guardian_id"),
        inner=("id",),
    ),
    Holding(
        "marketing_refusal",
        "(t.person_id = $1 OR t.said_by = $1 OR t.allowed_by = $1)",
        about=PERSON,
        plain=("channel", "refused_at", "allowed_at", "person_id", "said_by", "allowed_by"),
        inner=("id",),
    ),
    Holding(
        "virtual_phone",
        PERSON,
        Retention.ACCOUNT,
        "t.person_id",
        sealed_of("t.person_id", "number"),
        plain=("organization_id", "issued_at", "ended_at"),
        inner=("id", "person_id", "number_digest"),
    ),
    Holding(
        "correction",
        PERSON,
        Retention.ACCOUNT,
        "t.person_id",
        sealed_of("t.person_id", "earlier"),
        plain=("coordinate", "corrected_at"),
        inner=("id", "person_id"),
    ),
    Holding(
        "correction_recipient",
        "t.correction_id IN (SELECT c.id FROM correction c WHERE c.person_id = $1)",
        plain=("correction_id", "organization_id"),
        inner=("id",),
    ),
    Holding(
        "correction_handover",
        "t.correction_id IN (SELECT c.id FROM correction c WHERE c.person_id = $1)",
        plain=("correction_id", "organization_id", "step", "at"),
    ),
    Holding(
        "export_link",
        "(t.person_id = $1 OR t.requester_id = $1)",
        about=PERSON,
        plain=("person_id", "requester_id", "issued_at", "expires_at", "fetched_at"),
        inner=("id", "digest", "request_id"),
    ),
    Holding(
        "guardian_link",
        "(t.guardian_id = $1 OR t.child_id = $1)",
        plain=("guardian_id", "child_id", "verified_at", "revoked_at", "verified_by", "revoked_by"),
        inner=("id", "request_id"),
        withheld={"verified_by": OF_STAFF, "revoked_by": OF_STAFF},
    ),
    Holding(
        "guardian_request",
        "t.guardian_id = $1",
        Retention.ACCOUNT,
        "t.guardian_id",
        # What the guardian stated is the child's, of whom nobody has seen a document yet.
        {"stated_sealed": "NULL::uuid"},
        plain=("evidence_kind", "reference", "requested_at", "decided_at", "decided_by", "state", "note"),
        inner=("id", "guardian_id", "child_digest", "differing"),
        withheld={
            "stated_sealed": "It is about the child that the guardian named, until somebody has seen the document.",
            "decided_by": OF_STAFF,
        },
    ),
    Holding(
        "minor_case",
        PERSON,
        plain=("opened_at", "due_at", "closed_at", "outcome", "closed_by"),
        inner=("id", "person_id"),
        withheld={"closed_by": OF_STAFF},
    ),
    Holding(
        "verification_case",
        PERSON,
        plain=(
            *("claim_id", "policy_id", "source_id", "source_name", "aspects", "consent_id", "opened_at", "closed_at"),
            "opened_by",
        ),
        inner=("id", "person_id"),
        withheld={"opened_by": OF_STAFF},
    ),
    Holding(
        "verification_result",
        f"t.case_id IN {CASES}",
        plain=("case_id", "aspect", "outcome", "note", "recorded_at", "recorded_by"),
        inner=("id",),
        withheld={"recorded_by": OF_STAFF},
    ),
    Holding(
        "rights_request",
        "(t.person_id = $1 OR t.requester_id = $1)",
        Retention.ACCOUNT,
        "t.person_id",
        sealed_of("t.person_id", "statement", "answer"),
        about=PERSON,
        plain=(
            *("kind", "state", "opened_at", "closed_at", "person_id", "requester_id", "ground", "matter"),
            *("due_on", "provisional", "extended_until", "extension_reason", "identity_checked_at", "decided_at"),
            "decided_by",
        ),
        inner=("id", "deadline_days"),
        withheld={"decided_by": OF_STAFF},
    ),
    Holding(
        "rights_due_change",
        "t.request_id IN (SELECT r.id FROM rights_request r WHERE r.person_id = $1)",
        plain=("request_id", "was", "due_on", "provisional", "changed_at"),
        inner=("id",),
    ),
    Holding("disclosure_person", PERSON, about=f"{PERSON} AND {_KNOWN}", plain=("case_id",), inner=("id", "person_id")),
    Holding(
        "disclosure_case",
        f"t.id IN {DISCLOSED}",
        # What the law keeps secret for a time is told after it.
        about=f"t.id IN {DISCLOSED} AND t.approved_at IS NOT NULL AND {told_of('t')}",
        plain=(
            *("kind", "purpose", "recipient_id", "authority", "categories", "approved_at", "expires_at", "closed_at"),
            *("exception", "document_kind", "basis", "manner", "receiver_id", "opened_at", "secret_until"),
            *("document", "filed", "justification", "undertaking", "secret_ground", "review_note"),
            *("opened_by_id", "approved_by_id", "rejected_by_id", "closed_by_id"),
        ),
        inner=("id", "items", "rejected_at", "reminded_at", "secrecy_ended_at"),
        withheld={
            **dict.fromkeys(("document", "filed", "justification", "undertaking", "secret_ground"), _OF_THE_CASE),
            **dict.fromkeys(("opened_by_id", "approved_by_id", "rejected_by_id", "closed_by_id"), OF_STAFF),
            "review_note": OF_STAFF,
        },
    ),
    Holding(
        "disclosure_choice",
        "(t.person_id = $1 OR t.chosen_by = $1 OR t.withdrawn_by = $1)",
        about=PERSON,
        plain=(
            *("person_id", "manner", "receiver_id", "categories", "chosen_by", "chosen_at", "withdrawn_at"),
            *("withdrawn_by", "items"),
        ),
        inner=("id",),
    ),
    Holding(
        "assignment",
        f"(t.policy_id IN {POLICIES} OR t.claim_id IN {CLAIMS} OR t.verification_case_id IN {CASES}"
        f" OR t.rights_request_id IN {REQUESTS} OR t.disclosure_case_id IN {DISCLOSED})",
        about=(
            f"(t.policy_id IN {POLICIES} OR t.claim_id IN {CLAIMS} OR t.verification_case_id IN {CASES}"
            f" OR t.rights_request_id IN {REQUESTS})"
        ),
        plain=(
            *("organization_id", "policy_id", "claim_id", "verification_case_id", "rights_request_id"),
            *("assigned_at", "ended_at", "staff_id"),
        ),
        inner=("id", "disclosure_case_id"),
        withheld={"staff_id": OF_STAFF},
    ),
)
