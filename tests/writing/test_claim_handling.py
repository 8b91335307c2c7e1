"""Claims as the desk, the insurer and the loss adjuster have them: assigned, asked about, decided, paid (C16, C17)."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from models.global_ids import NodeType, to_global
from tests.recorded import ROW, came_of, said
from tests.writing.claiming import (
    ADJUSTER,
    COLLEAGUE,
    HANDLER,
    HANDLING,
    ITEMS,
    LEAVER,
    OTHER_ADJUSTER,
    OTHER_INSURER,
    Caller,
    cast_of,
)
from tests.writing.conftest import row_id

SEEN = "reporterPhone incidentDescription diagnosis expenses amountClaimed amountPaid bankCard"
SHOWN = f"... on Claim {{ id {SEEN} }}"
PAY = "mutation($input: RecordClaimPaymentInput!) { recordClaimPayment(input: $input) { %s } }"


@pytest.fixture(scope="module")
def cast(office):
    return cast_of(office)


@pytest.fixture(scope="module")
def policy(cast):
    cast.office.know(cast.insured.person, occupation="会计")
    return cast.policy(cast.insured, cast.insured)


@pytest.fixture(scope="module")
def handler(cast):
    return cast.handler()


@pytest.fixture(scope="module")
def colleague(cast):
    return cast.handler(COLLEAGUE)


@pytest.fixture(scope="module")
def insurer(cast):
    return cast.insurer()


@pytest.fixture(scope="module")
def adjuster(cast):
    return cast.partner("loss_adjuster", ADJUSTER)


@pytest.fixture
def taken(cast, policy):
    """A claim that the first handler is reviewing."""
    claim = cast.claim(policy, "REVIEWING")
    cast.assign(claim, staff=HANDLER)
    return claim


def assign(cast, caller, claim, show=None, **to):
    return cast.write(caller, "assignClaim", {"id": claim, **to}, *([show] if show else []))


def live(cast, claim):
    """Who has a claim now, by work name or code."""
    rows = cast.office.rows(
        "SELECT coalesce(s.username, o.code) FROM assignment a LEFT JOIN staff s ON s.id = a.staff_id"
        " LEFT JOIN organization o ON o.id = a.organization_id WHERE a.claim_id = $1 AND a.ended_at IS NULL",
        row_id(claim),
    )
    return sorted(row[0] for row in rows)


# Assigning.


def test_a_handler_takes_a_claim_that_nobody_handles_and_sees_what_they_need_from_then_on(cast, policy, handler):
    claim = cast.claim(policy, "REPORTED")
    assert cast.ask(handler, claim, SEEN)["diagnosis"] is None
    payload = assign(cast, handler, claim, f"... on Claim {{ id state: status {SEEN} }}", handler=HANDLER)
    assert (payload["state"], payload["diagnosis"]) == ("REVIEWING", ITEMS["diagnosis"])
    assert live(cast, claim) == [HANDLER]


def test_a_claim_that_a_colleague_handles_is_neither_taken_nor_handed_on_nor_given_to_an_adjuster(
    cast, colleague, taken
):
    for to in ({"handler": COLLEAGUE}, {"handler": HANDLER}, {"lossAdjuster": ADJUSTER}):
        assert assign(cast, colleague, taken, **to)["code"] == "CLAIM_IS_HANDLED"
    assert (live(cast, taken), cast.row(taken)["version"]) == ([HANDLER], 1)


def test_who_hands_a_claim_over_has_it_no_longer(cast, handler, colleague, taken):
    payload = assign(cast, handler, taken, SHOWN, handler=COLLEAGUE)
    assert payload["diagnosis"] is None
    assert cast.ask(handler, taken, SEEN)["diagnosis"] is None
    assert cast.ask(colleague, taken, SEEN)["diagnosis"] == ITEMS["diagnosis"]
    assert assign(cast, handler, taken, handler=HANDLER)["code"] == "CLAIM_IS_HANDLED"
    ended = cast.office.rows("SELECT count(*) FROM assignment WHERE claim_id = $1 AND ended_at < now()", row_id(taken))
    assert ended[0][0] == 1


def test_of_two_handlers_that_take_a_claim_at_once_one_gets_it(cast, policy, handler, colleague):
    for _ in range(5):
        claim = cast.claim(policy, "REPORTED")

        def take(who, claim=claim):
            return assign(cast, {HANDLER: handler, COLLEAGUE: colleague}[who], claim, handler=who)

        with ThreadPoolExecutor(2) as pool:
            found = dict(zip((HANDLER, COLLEAGUE), pool.map(take, (HANDLER, COLLEAGUE)), strict=True))
        (winner,) = [name for name, one in found.items() if "code" not in one]
        assert {one.get("code") for one in found.values()} == {None, "CLAIM_IS_HANDLED"}
        assert live(cast, claim) == [winner]


def test_a_claim_of_somebody_who_left_is_to_be_taken(cast, policy, handler):
    for status in ("REVIEWING", "PAID"):
        claim = cast.claim(policy, status)
        cast.assign(claim, staff=LEAVER)
        assert assign(cast, handler, claim, lossAdjuster=ADJUSTER)["code"] in {"WRITE_DENIED", "WRONG_STATUS"}
        assert assign(cast, handler, claim, handler=HANDLER)["state"] == status
        assert live(cast, claim) == [HANDLER]


@pytest.mark.parametrize(
    "to, field",
    [
        ({"handler": LEAVER}, "handler"),
        ({"handler": "agent01"}, "handler"),
        ({"handler": "nobody"}, "handler"),
        ({"handler": ""}, "handler"),
        ({"handler": "x" * 5_000}, "handler"),
        ({"lossAdjuster": "INS01"}, "lossAdjuster"),
        ({"lossAdjuster": "LA99"}, "lossAdjuster"),
    ],
)
def test_nobody_gets_a_claim_who_is_no_handler_here_and_no_loss_adjuster(cast, handler, taken, to, field):
    refused = assign(cast, handler, taken, **to)
    assert (refused["code"], refused["field"]) == ("ASSIGNEE_UNKNOWN", field)
    assert live(cast, taken) == [HANDLER]


def test_a_claim_is_assigned_to_exactly_one(cast, handler, taken):
    for to, code, field in (
        ({}, "NOTHING_GIVEN", "handler"),
        ({"handler": None, "lossAdjuster": None}, "NOTHING_GIVEN", "handler"),
        ({"handler": COLLEAGUE, "lossAdjuster": ADJUSTER}, "ITEM_INVALID", "lossAdjuster"),
    ):
        refused = assign(cast, handler, taken, **to)
        assert (refused["__typename"], refused["code"], refused["field"]) == ("InputProblem", code, field)
    assert live(cast, taken) == [HANDLER]


def test_a_loss_adjuster_is_engaged_by_who_handles_the_claim_and_nobody_else(cast, policy, handler, colleague):
    claim = cast.claim(policy, "REVIEWING")
    refused = assign(cast, handler, claim, lossAdjuster=ADJUSTER)
    assert (refused["code"], refused["reason"]) == ("WRITE_DENIED", "RELATION")
    assert live(cast, claim) == []
    assign(cast, handler, claim, handler=HANDLER)
    assert assign(cast, colleague, claim, lossAdjuster=ADJUSTER)["code"] == "CLAIM_IS_HANDLED"
    assert assign(cast, handler, claim, lossAdjuster=ADJUSTER)["state"] == "INVESTIGATING"
    assert live(cast, claim) == [ADJUSTER, HANDLER]


def test_c17_a_loss_adjuster_sees_the_claim_they_are_engaged_on_and_no_other(cast, policy, handler, adjuster, taken):
    other = cast.claim(policy, "INVESTIGATING")
    unknown = to_global(NodeType.CLAIM, UUID(int=17))
    assert cast.ask(adjuster, taken) is None
    assign(cast, handler, taken, lossAdjuster=ADJUSTER)
    seen = cast.ask(adjuster, taken, SEEN)
    assert (seen["diagnosis"], seen["expenses"], seen["bankCard"]) == (ITEMS["diagnosis"], ITEMS["expenses"], None)
    document = "query($id: ID!) { claim(id: $id) { claimNumber diagnosis } }"

    def answer(claim):
        body = cast.office.post(document, {"id": claim}, token=adjuster.token, purpose=HANDLING).json()
        del body["extensions"]["authorization"]["decisionId"]
        return body

    assert answer(other) == answer(unknown)
    assert answer(taken) != answer(unknown)
    listed = cast.office.post(
        "{ claims(first: 100) { edges { node { id } } } }", token=adjuster.token, purpose=HANDLING
    ).json()["data"]["claims"]["edges"]
    engaged = cast.office.rows(
        "SELECT claim_id FROM assignment a JOIN organization o ON o.id = a.organization_id"
        " WHERE o.code = $1 AND a.ended_at IS NULL AND claim_id IS NOT NULL",
        ADJUSTER,
    )
    assert listed
    assert {edge["node"]["id"] for edge in listed} <= {to_global(NodeType.CLAIM, row[0]) for row in engaged}
    # What they see they do not write.
    for name, given in (("requestMaterials", {"items": ["HOSPITAL"]}), ("recordClaimPayment", {"amount": "1"})):
        assert cast.write(adjuster, name, {"id": taken, **given})["reason"] == "ROLE"
        assert cast.write(adjuster, name, {"id": other, **given})["code"] == "WRITE_DENIED"


def test_c17_another_loss_adjuster_takes_the_place_of_the_one_before(cast, handler, adjuster, taken):
    assign(cast, handler, taken, lossAdjuster=ADJUSTER)
    assign(cast, handler, taken, lossAdjuster=ADJUSTER)
    assert live(cast, taken) == [ADJUSTER, HANDLER]
    assign(cast, handler, taken, lossAdjuster=OTHER_ADJUSTER)
    assert live(cast, taken) == [OTHER_ADJUSTER, HANDLER]
    assert cast.ask(adjuster, taken) is None


# Materials.


def test_what_is_asked_for_is_shown_and_handed_in_item_by_item(cast, policy, handler, taken):
    customer = cast.customer(cast.insured)
    asked = cast.write(
        handler, "requestMaterials", {"id": taken, "items": ["MEDICAL_RECORD", "EXPENSES", "MEDICAL_RECORD"]}
    )
    assert (asked["state"], asked["requestedItems"]) == ("MATERIALS_PENDING", ["medicalRecord", "expenses"])
    assert cast.ask(customer, taken)["requestedItems"] == ["medicalRecord", "expenses"]
    # Both are there already; they were asked for anew.
    refused = cast.write(customer, "submitClaim", {"id": taken})
    assert [one["field"] for one in refused["items"]] == ["expenses", "medicalRecord"]
    given = cast.write(customer, "draftClaim", {"id": taken, "expenses": ITEMS["expenses"]})
    assert (given["state"], given["requestedItems"]) == ("MATERIALS_PENDING", ["medicalRecord"])
    assert cast.write(customer, "submitClaim", {"id": taken})["items"] == [{"field": "medicalRecord", "clause": "C08"}]
    cast.write(customer, "draftClaim", {"id": taken, "medicalRecord": "住院号12345678；补充影像报告"})
    before = cast.row(taken)["reported_at"]
    handed_in = cast.write(customer, "submitClaim", {"id": taken})
    assert (handed_in["state"], handed_in["requestedItems"]) == ("SUBMITTED", [])
    assert cast.row(taken)["reported_at"] == before
    assert assign(cast, handler, taken, handler=HANDLER)["state"] == "REVIEWING"


def test_the_code_of_a_diagnosis_can_be_asked_for(cast, handler, taken):
    customer = cast.customer(cast.insured)
    cast.write(handler, "requestMaterials", {"id": taken, "items": ["DIAGNOSIS_CODE"]})
    refused = cast.write(customer, "submitClaim", {"id": taken})
    assert refused["items"] == [{"field": "diagnosisCode", "clause": "C08"}]
    assert cast.write(customer, "draftClaim", {"id": taken, "diagnosisCode": "S52.5"})["requestedItems"] == []


def test_nothing_is_asked_for_that_the_product_does_not_need(cast, handler, insurer, taken):
    product = cast.office.rows(
        "SELECT p.product_id FROM claim c JOIN policy p ON p.id = c.policy_id WHERE c.id = $1", row_id(taken)
    )[0][0]
    forget = "DELETE FROM product_item WHERE product_id = $1 AND item = 'hospital' AND part = 'claim' RETURNING id"
    hospital = cast.office.rows(forget, product)[0][0]
    try:
        for caller in (handler, insurer):
            refused = cast.write(caller, "requestMaterials", {"id": taken, "items": ["HOSPITAL", "DIAGNOSIS"]})
            assert (refused["code"], [one["field"] for one in refused["items"]]) == ("ITEM_NOT_DECLARED", ["hospital"])
            assert cast.write(caller, "requestMaterials", {"id": taken, "items": []})["code"] == "NOTHING_GIVEN"
    finally:
        back = (
            "INSERT INTO product_item (id, product_id, part, item, clause) VALUES ($1, $2, 'claim', 'hospital', 'C08')"
        )
        cast.office.execute(back, hospital, product)
    assert cast.row(taken)["version"] == 1


# The end of a claim.


def test_a_claim_is_decided_paid_and_closed_and_each_sees_what_they_may_of_it(cast, handler, insurer, taken):
    approved = cast.write(insurer, "recordClaimDecision", {"id": taken, "decision": "APPROVE"}, SHOWN)
    assert approved["bankCard"] == ITEMS["bankCard"]
    paid = cast.write(insurer, "recordClaimPayment", {"id": taken, "amount": "12000"}, SHOWN)
    # The claim is open no more: of what it was about the insurer keeps the sums and a masked card.
    assert {item for item in SEEN.split() if paid[item] is None} == {
        *("reporterPhone", "incidentDescription", "diagnosis", "expenses")
    }
    assert (paid["amountPaid"], paid["bankCard"][0]) == ("12000.00", "*")
    row = cast.row(taken)
    assert (row["status"], cast.stored(taken)["amountPaid"]) == ("PAID", "12000.00")
    assert row["closed_at"] is not None
    assert b"12000" not in row["amount_paid_sealed"]
    closed = cast.write(handler, "closeClaim", {"id": taken})
    assert (closed["state"], closed["version"]) == ("CLOSED", 4)
    assert cast.row(taken)["closed_at"] > row["closed_at"]
    again = cast.write(handler, "closeClaim", {"id": taken})
    assert (again["code"], again["at"], again["version"]) == ("WRONG_STATUS", "CLOSED", 4)


def test_a_rejected_claim_is_open_no_more(cast, handler, insurer, taken):
    rejected = cast.write(insurer, "recordClaimDecision", {"id": taken, "decision": "REJECT"})
    assert rejected["state"] == "REJECTED"
    assert rejected["closedAt"] is not None
    assert cast.write(insurer, "recordClaimDecision", {"id": taken, "decision": "APPROVE"})["reason"] == "BASIS"
    assert cast.ask(handler, taken, SEEN)["diagnosis"] is None


@pytest.mark.parametrize("amount", ["0", "0.00", "-5", "NaN", "Infinity", "1e300", "0.001", "10000000000"])
def test_nothing_is_recorded_as_paid_that_is_no_sum(cast, insurer, policy, amount):
    claim = cast.claim(policy, "APPROVED")
    refused = cast.write(insurer, "recordClaimPayment", {"id": claim, "amount": amount})
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "amount")
    assert cast.row(claim)["amount_paid_sealed"] is None


def test_who_handles_an_approved_claim_may_record_its_payment_too(cast, handler, colleague, policy):
    claim = cast.claim(policy, "APPROVED")
    cast.assign(claim, staff=HANDLER)
    given = {"id": claim, "amount": "99.50"}
    assert cast.write(colleague, "recordClaimPayment", given)["reason"] == "RELATION"
    assert cast.write(handler, "recordClaimPayment", given)["state"] == "PAID"
    assert cast.stored(claim)["amountPaid"] == "99.50"


def test_a_sum_is_recorded_by_nobody_whose_token_lists_no_sums(cast, policy):
    claim = cast.claim(policy, "APPROVED")
    token = cast.office.token("insurer", org="INS01", purposes=[HANDLING], categories=["name"])
    refused = cast.write(Caller(token, HANDLING), "recordClaimPayment", {"id": claim, "amount": "1"})
    assert (refused["code"], refused["reason"], refused["field"]) == ("WRITE_DENIED", "TOKEN_SCOPE", "amount")


def test_another_insurer_has_nothing_to_do_with_it(cast, taken):
    other = cast.insurer(OTHER_INSURER)
    given = {"id": taken, "decision": "APPROVE"}
    unknown = {**given, "id": to_global(NodeType.CLAIM, UUID(int=3))}
    found = [cast.write(other, "recordClaimDecision", one) for one in (given, unknown)]
    assert found[0] == found[1]
    assert found[0]["code"] == "NOT_FOUND"


def test_a_claim_that_was_changed_meanwhile_is_not_decided_on_an_older_version(cast, insurer, taken):
    customer = cast.customer(cast.insured)
    cast.write(insurer, "requestMaterials", {"id": taken, "items": ["DIAGNOSIS"]})
    cast.write(customer, "draftClaim", {"id": taken, "diagnosis": "扭伤"})
    cast.write(customer, "submitClaim", {"id": taken})
    refused = cast.write(insurer, "recordClaimDecision", {"id": taken, "ifVersion": 2, "decision": "APPROVE"})
    assert (refused["code"], refused["version"], refused["at"]) == ("VERSION_CONFLICT", 4, "SUBMITTED")
    decided = cast.write(insurer, "recordClaimDecision", {"id": taken, "ifVersion": 4, "decision": "APPROVE"})
    assert decided["state"] == "APPROVED"


def test_in_strict_mode_a_payment_whose_payload_would_hide_something_is_not_recorded(cast, insurer, policy):
    claim = cast.claim(policy, "APPROVED")
    strict = {"X_Authorization_Mode": "strict"}
    given = {"input": {"id": claim, "amount": "5"}}
    answer = cast.office.post(
        PAY % "... on Claim { diagnosis }", given, token=insurer.token, purpose=HANDLING, **strict
    )
    assert (answer.status_code, answer.json()["data"]) == (403, None)
    assert (cast.row(claim)["status"], cast.row(claim)["amount_paid_sealed"]) == ("APPROVED", None)
    decision = answer.json()["extensions"]["authorization"]["decisionId"]
    (row,) = said(cast.office.rows(ROW, decision))
    assert came_of(row) == ("Mutation.recordClaimPayment", "REFUSED", "FIELD_DENIED")


def test_every_write_stands_in_the_ledger_with_its_outcome_and_without_a_value(cast, insurer, policy):
    claim = cast.claim(policy, "APPROVED")
    for outcome in (["DONE", None], ["REFUSED", "WRITE_DENIED"]):
        given = {"input": {"id": claim, "amount": "4711.11"}}
        answer = cast.office.post(PAY % "__typename", given, token=insurer.token, purpose=HANDLING).json()
        decision = answer["extensions"]["authorization"]["decisionId"]
        (row,) = said(cast.office.rows(ROW, decision))
        assert came_of(row) == ("Mutation.recordClaimPayment", *outcome)
        assert "4711.11" not in str(row)
