"""Claims as customers and guardians write them: what may be given, what is missing, what is kept (C08, C10, C71)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from models.global_ids import NodeType, to_global
from tests.recorded import ROW, came_of, said
from tests.writing.claiming import (
    ENDS,
    INCIDENT,
    ITEMS,
    OWN,
    REPORTER,
    SEVEN,
    STARTED,
    Caller,
    cast_of,
)

ALL_STATUSES = (
    *("DRAFT", "SUBMITTED", "UNDERWRITING", "DECLINED", "AWAITING_PAYMENT", "IN_FORCE"),
    *("GRACE", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"),
)
CLAIMABLE = ["IN_FORCE", "GRACE", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"]
TEXTS = ("incidentDescription", "hospital", "occupation", "diagnosis", "medicalRecord")


@pytest.fixture(scope="module")
def cast(office):
    return cast_of(office)


@pytest.fixture(scope="module")
def insured(cast):
    return cast.customer(cast.insured)


@pytest.fixture(scope="module")
def own(cast):
    """A policy of the insured's own."""
    return cast.policy(cast.insured, cast.insured)


@pytest.fixture(scope="module")
def held(cast):
    """A policy that the holder holds on the insured."""
    return cast.policy(cast.holder, cast.insured)


def newcomer(cast):
    """Somebody of age, of whom nothing else is known, and a policy of theirs."""
    made = cast.office.customer()
    cast.office.know(made.person, birthDate="1990-02-28")
    return made, cast.policy(made, made)


def without(*left_out):
    return {item: value for item, value in ITEMS.items() if item not in left_out}


# What a claim needs.


def test_c08_a_claim_is_reported_once_the_last_of_its_seven_items_is_there_each_named_until_then(cast):
    somebody, policy = newcomer(cast)
    caller = cast.customer(somebody)
    # The occupation comes first: once given, it is on record.
    for left_out in sorted(SEVEN, key=lambda item: item != "occupation"):
        draft = cast.draft(caller, policy, **without(left_out, *(["occupation"] if left_out != "occupation" else [])))
        refused = cast.write(caller, "submitClaim", {"id": draft["id"]})
        assert refused["code"] == "ITEM_MISSING"
        assert refused["items"] == [{"field": left_out, "clause": "C08"}]
        given = cast.write(caller, "draftClaim", {"id": draft["id"], left_out: ITEMS[left_out]})
        assert given["state"] == "DRAFT"
        assert cast.write(caller, "submitClaim", {"id": draft["id"]})["state"] == "REPORTED"


def test_c08_everything_that_is_missing_is_named_at_once(cast):
    somebody, policy = newcomer(cast)
    draft = cast.write(cast.customer(somebody), "draftClaim", {"policy": policy})
    refused = cast.write(cast.customer(somebody), "submitClaim", {"id": draft["id"]})
    assert {one["field"] for one in refused["items"]} == set(ITEMS)


def test_c08_an_item_that_the_product_does_not_need_is_refused_and_not_stored(cast, insured):
    policy = cast.policy(cast.insured, cast.insured, **cast.product("incidentDate", "expenses"))
    for beyond in ("hospital", "occupation", "diagnosisCode"):
        refused = cast.draft(insured, policy, expenses="10", **{beyond: ITEMS.get(beyond, "S52.5")})
        assert (refused["code"], refused["items"]) == ("ITEM_NOT_DECLARED", [{"field": beyond, "clause": "C08"}])
    assert cast.count(policy) == 0
    draft = cast.draft(insured, policy, expenses="10", incidentDate=INCIDENT)
    assert cast.write(insured, "submitClaim", {"id": draft["id"]})["state"] == "REPORTED"


def test_a_diagnosis_may_be_given_as_its_code_too_but_the_code_alone_is_none(cast, insured, own):
    draft = cast.draft(insured, own, **without("diagnosis"), diagnosisCode="s52.500x001")
    assert cast.stored(draft["id"])["diagnosisCode"] == "S52.500x001"
    refused = cast.write(insured, "submitClaim", {"id": draft["id"]})
    assert [one["field"] for one in refused["items"]] == ["diagnosis"]


def test_c10_who_refuses_an_item_gets_no_claim_filed_and_keeps_the_draft_as_it_was(cast, insured, own):
    draft = cast.draft(insured, own, **without("medicalRecord"))
    before = cast.stored(draft["id"])
    refused = cast.write(insured, "submitClaim", {"id": draft["id"]})
    assert refused["consequence"] == "Without it no claim is filed on your behalf; the draft is kept."
    assert cast.ask(insured, draft["id"])["state"] == "DRAFT"
    assert (cast.row(draft["id"])["version"], cast.stored(draft["id"])) == (1, before)
    assert cast.ask(cast.handler(), draft["id"]) is None
    assert cast.ask(cast.insurer(), draft["id"]) is None


def test_c10_a_draft_that_is_withdrawn_stays_its_drafters_alone(cast):
    somebody, policy = newcomer(cast)
    caller = cast.customer(somebody)
    dropped = cast.write(caller, "withdrawClaim", {"id": cast.draft(caller, policy)["id"]})
    assert (dropped["state"], dropped["closedAt"]) == ("WITHDRAWN", None)
    assert cast.ask(caller, dropped["id"])["state"] == "WITHDRAWN"
    others = (cast.handler(), cast.insurer())
    for other, name, given in zip(
        others, ("assignClaim", "recordClaimPayment"), ({"handler": "handler01"}, {"amount": 1}), strict=True
    ):
        assert cast.ask(other, dropped["id"]) is None
        assert cast.write(other, name, {"id": dropped["id"], **given})["code"] == "NOT_FOUND"
    # Nor does it open the policy and its people to the insurer, who handles no claim of theirs.
    document = "query($id: ID!) { policy(id: $id) { id } }"
    insurer = others[1]
    answer = cast.office.post(document, {"id": policy}, token=insurer.token, purpose=insurer.purpose)
    assert answer.json()["data"]["policy"] is None
    reported = cast.claim(policy, "REPORTED")
    assert cast.write(caller, "withdrawClaim", {"id": reported})["closedAt"] is not None
    assert all(cast.ask(other, reported)["state"] == "WITHDRAWN" for other in others)


# What is stored.


def test_a_draft_repeats_its_policys_parties_and_seals_every_item_under_the_insureds_key(cast):
    somebody, policy = newcomer(cast)
    draft = cast.draft(cast.customer(somebody), policy)
    row, stored = cast.row(draft["id"]), cast.stored(draft["id"])
    assert (row["holder_id"], row["insured_id"]) == (somebody.person, somebody.person)
    assert {item: stored[item] for item in without("occupation")} == without("occupation")
    assert cast.office.stored("User", somebody.person, owner=somebody.person)["occupation"] == ITEMS["occupation"]
    whole = "".join(map(str, row.values()))
    assert not [item for item, text in ITEMS.items() if text in whole]
    assert draft["claimNumber"][0] == "C"
    assert draft["claimNumber"][1:].isdecimal()
    assert len(draft["claimNumber"]) == 13


def test_a_null_item_keeps_what_is_stored_and_every_change_counts(cast, insured, own):
    draft = cast.draft(insured, own)
    nothing = dict.fromkeys(without("occupation", "hospital"))
    changed = cast.write(insured, "draftClaim", {"id": draft["id"], "ifVersion": 1, "hospital": "浙大一院", **nothing})
    assert changed["version"] == 2
    assert cast.stored(draft["id"])["hospital"] == "浙大一院"
    assert cast.stored(draft["id"])["diagnosis"] == ITEMS["diagnosis"]
    refused = cast.write(insured, "draftClaim", {"id": draft["id"], **nothing, "reporter": {}})
    assert refused["code"] == "NOTHING_GIVEN"
    assert cast.row(draft["id"])["version"] == 2


def test_a_draft_is_reported_when_it_is_submitted_not_when_it_was_begun(cast, insured, own):
    draft = cast.draft(insured, own)
    assert cast.write(insured, "submitClaim", {"id": draft["id"]})["reportedAt"] > draft["reportedAt"]


def test_the_insureds_card_is_verified_as_theirs_only_when_they_gave_it_themself(cast, insured, held):
    holder = cast.customer(cast.holder)
    draft = cast.draft(holder, held, bankCard="4111111111111111")
    row = cast.row(draft["id"])
    assert (row["payee_id"], row["payee_verified_at"]) == (None, None)
    cast.write(insured, "draftClaim", {"id": draft["id"], "bankCard": "5500005555555559"})
    row = cast.row(draft["id"])
    assert row["payee_id"] == cast.insured.person
    assert row["payee_verified_at"] is not None
    for card in ("4111111111111111", "5500005555555559"):
        refused = cast.write(holder, "draftClaim", {"id": draft["id"], "bankCard": card})
        assert (refused["code"], refused["field"]) == ("ITEM_ON_RECORD", "bankCard")
    assert cast.stored(draft["id"])["bankCard"] == "5500005555555559"


def test_an_occupation_is_the_insureds_own_others_add_it_where_there_is_none_and_learn_nothing_by_trying(cast):
    somebody, _ = newcomer(cast)
    policy, holder = cast.policy(cast.holder, somebody), cast.customer(cast.holder)
    draft = cast.draft(holder, policy, occupation="教师")
    for guess in ("教师", "司机"):
        refused = cast.write(holder, "draftClaim", {"id": draft["id"], "occupation": guess})
        assert (refused["code"], refused["field"]) == ("ITEM_ON_RECORD", "occupation")
    assert cast.office.stored("User", somebody.person, owner=somebody.person)["occupation"] == "教师"
    corrected = cast.write(cast.customer(somebody), "draftClaim", {"id": draft["id"], "occupation": "司机"})
    assert corrected["state"] == "DRAFT"
    assert cast.office.stored("User", somebody.person, owner=somebody.person)["occupation"] == "司机"
    kept = cast.office.rows("SELECT coordinate FROM correction WHERE person_id = $1", somebody.person)
    assert [row[0] for row in kept] == ["User.occupation"]


# What is refused.


@pytest.mark.parametrize("item", [*TEXTS, "reporter"])
def test_a_cards_code_is_collected_in_no_text_of_a_claim(cast, item):
    policy = cast.policy(cast.holder, cast.insured)
    secret = "付款的卡背面三位 123"
    given = {item: secret} if item != "reporter" else {"reporter": {**REPORTER, "name": secret}}
    refused = cast.draft(cast.customer(cast.holder), policy, **{**without("occupation"), **given})
    assert refused["code"] == "NEVER_COLLECTED"
    assert refused["field"] == ("reporter.name" if item == "reporter" else item)
    assert cast.count(policy) == 0


@pytest.mark.parametrize(
    "item, value",
    [
        *(
            ("expenses", amount)
            for amount in ("NaN", "-NaN", "Infinity", "-1", "1e400", "1e-999999", "10000000000", "1.005")
        ),
        ("amountClaimed", "99999999999999999999999999"),
        ("diagnosis", "痛" * 5_000),
        ("hospital", "院" * 121),
        ("incidentDescription", " \n "),
        ("bankCard", "4111111111111112"),
        ("diagnosisCode", "broken"),
        ("incidentDate", (date.today() + timedelta(days=2)).isoformat()),  # noqa: DTZ011 - a day more or less
        ("incidentDate", (STARTED - timedelta(days=1)).isoformat()),
        ("incidentDate", (ENDS + timedelta(days=1)).isoformat()),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_field_and_nothing_is_stored(cast, insured, own, item, value):
    before = cast.count(own)
    refused = cast.draft(insured, own, **{**without("occupation"), item: value})
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", item)
    assert cast.count(own) == before


def test_masked_values_that_are_posted_back_are_refused_and_change_nothing(cast, insured, own):
    draft = cast.draft(insured, own)
    masked = cast.ask(insured, draft["id"], "bankCard")["bankCard"]
    assert masked.startswith("*")
    for given in ({"bankCard": masked}, {"reporter": {"phone": "139****5678"}}, {"reporter": {"name": "王*"}}):
        assert cast.write(insured, "draftClaim", {"id": draft["id"], **given})["code"] == "ITEM_INVALID"
    assert cast.stored(draft["id"])["bankCard"] == ITEMS["bankCard"]


@pytest.mark.parametrize("status", ALL_STATUSES)
def test_a_policy_is_claimed_on_while_it_runs_and_afterwards_for_what_happened_within_its_term(cast, insured, status):
    issued = status in CLAIMABLE
    running = status in ("IN_FORCE", "GRACE")
    dates = {"starts_on": STARTED, "ends_on": ENDS if running else date(2026, 1, 31)} if issued else {}
    dates = dates or {"starts_on": None, "ends_on": None}
    policy = cast.policy(cast.insured, cast.insured, status, **dates)
    undated = cast.draft(insured, policy, hospital="浙大一院")
    within = cast.draft(insured, policy, incidentDate="2026-01-15")
    after = cast.draft(insured, policy, incidentDate="2026-02-01")
    if not issued:
        assert [one["code"] for one in (undated, within, after)] == ["WRONG_STATUS"] * 3
        assert (undated["at"], undated["allowed"]) == (status, CLAIMABLE)
        return
    assert within["state"] == "DRAFT"
    assert undated.get("state") == ("DRAFT" if running else None)
    assert running or [one["field"] for one in undated["items"]] == ["incidentDate"]
    assert running or (after["code"], after["field"]) == ("ITEM_INVALID", "incidentDate")


def test_an_application_that_was_withdrawn_cannot_be_claimed_on(cast, insured):
    policy = cast.policy(cast.insured, cast.insured, "TERMINATED", starts_on=None, ends_on=None)
    assert cast.draft(insured, policy)["code"] == "WRONG_STATUS"


def test_a_policy_or_claim_of_somebody_else_is_as_if_it_did_not_exist(cast, own, held):
    claim = cast.claim(own, "DRAFT")
    stranger = cast.customer(cast.stranger)
    nowhere = to_global(NodeType.POLICY, UUID(int=5))
    assert cast.draft(stranger, own) == cast.draft(stranger, nowhere)
    assert cast.draft(stranger, held)["field"] == "policy"
    unknown = to_global(NodeType.CLAIM, UUID(int=5))
    for name, given in (("draftClaim", {"hospital": "浙大一院"}), ("submitClaim", {}), ("withdrawClaim", {})):
        assert cast.write(stranger, name, {"id": claim, **given}) == cast.write(
            stranger, name, {"id": unknown, **given}
        )
    # The holder of other policies has nothing to do with what the insured holds alone.
    assert cast.draft(cast.customer(cast.holder), own)["code"] == "NOT_FOUND"


def test_ids_of_another_type_and_drafts_that_fit_no_claim_are_refused(cast, insured, own, held):
    claim = cast.claim(own, "DRAFT")
    document = "mutation($input: DraftClaimInput!) { draftClaim(input: $input) { __typename } }"
    for given in ({"policy": claim}, {"id": own}, {"id": "nonsense"}, {"policy": ""}):
        answer = cast.office.post(document, {"input": given}, token=insured.token, purpose=OWN)
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_ID"
    for given, code, field in (
        ({}, "ITEM_MISSING", "policy"),
        ({"id": claim, "policy": held, "hospital": "浙大一院"}, "ITEM_INVALID", "policy"),
        ({"policy": own, "ifVersion": 1}, "ITEM_INVALID", "ifVersion"),
    ):
        refused = cast.write(insured, "draftClaim", given)
        assert (refused["code"], refused["field"]) == (code, field)
    assert cast.write(insured, "draftClaim", {"id": claim, "policy": own, "hospital": "浙大一院"})["version"] == 2


# Others at the same time.


def test_of_two_clients_that_submit_at_once_one_does(cast, insured, own):
    for _ in range(5):
        claim = cast.draft(insured, own)["id"]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(partial(cast.write, insured, "submitClaim"), [{"id": claim}] * 4))
        assert sorted(one.get("code", "") for one in found) == ["", *["WRONG_STATUS"] * 3]
        assert cast.row(claim)["version"] == 2


def test_of_two_clients_that_change_the_same_version_one_does(cast, insured, own):
    for _ in range(5):
        claim = cast.draft(insured, own)["id"]

        def change(hospital, claim=claim):
            return cast.write(insured, "draftClaim", {"id": claim, "ifVersion": 1, "hospital": hospital})

        with ThreadPoolExecutor(2) as pool:
            found = dict(zip("甲乙", pool.map(change, "甲乙"), strict=True))
        (winner,) = [name for name, one in found.items() if "code" not in one]
        assert {one.get("code") for one in found.values()} == {None, "VERSION_CONFLICT"}
        assert cast.stored(claim)["hospital"] == winner


def test_a_draft_under_one_idempotency_key_is_one_claim(cast):
    somebody, policy = newcomer(cast)
    once = {"Idempotency_Key": f"draft-{uuid4()}"}
    found = [cast.write(cast.customer(somebody), "draftClaim", {"policy": policy, **ITEMS}, **once) for _ in range(3)]
    assert found[0] == found[1] == found[2]
    assert cast.count(policy) == 1


# What the payload shows.

SEEN = "incidentDescription hospital diagnosis expenses amountClaimed bankCard"


def test_the_insured_reads_what_they_wrote_and_a_holder_only_the_sums(cast, insured, held):
    payload = cast.draft(cast.customer(cast.holder), held, **without("occupation"))
    shown = f"... on Claim {{ id {SEEN} }}"
    given = {"id": payload["id"], "hospital": "浙大一院"}
    by_holder = cast.write(cast.customer(cast.holder), "draftClaim", given, shown)
    assert {item for item in SEEN.split() if by_holder[item] is not None} == {"amountClaimed"}
    by_insured = cast.write(insured, "draftClaim", given, shown)
    # The holder gave the card: nobody has verified that it is the insured's.
    assert {item for item in SEEN.split() if by_insured[item] is None} == {"bankCard"}
    own_card = cast.write(insured, "draftClaim", {"id": payload["id"], "bankCard": ITEMS["bankCard"]}, shown)
    assert own_card["bankCard"] == "*" * 15 + "1111"


def test_in_strict_mode_a_draft_whose_payload_would_hide_something_is_not_stored_and_stands_in_the_ledger(cast):
    policy = cast.policy(cast.holder, cast.insured)
    document = "mutation($input: DraftClaimInput!) { draftClaim(input: $input) { ... on Claim { diagnosis } } }"
    given = {"input": {"policy": policy, **without("occupation")}}
    strict = {"X_Authorization_Mode": "strict"}
    answer = cast.office.post(document, given, token=cast.holder.token, purpose=OWN, **strict)
    assert (answer.status_code, answer.json()["data"]) == (403, None)
    assert cast.count(policy) == 0
    decision = answer.json()["extensions"]["authorization"]["decisionId"]
    (row,) = said(cast.office.rows(ROW, decision))
    assert came_of(row) == ("Mutation.draftClaim", "REFUSED", "FIELD_DENIED")


@pytest.mark.parametrize(
    "category, item", [("health", "hospital"), ("occupation", "occupation"), ("name", "reporter.name")]
)
def test_a_token_that_does_not_list_a_category_gives_nothing_of_it(cast, held, category, item):
    categories = sorted({"name", "phone", "incident", "health", "occupation"} - {category})
    token = cast.office.token("customer", user=cast.holder.username, purposes=[OWN], categories=categories)
    before, narrow = cast.count(held), Caller(token, OWN)
    given = {"reporter": {"name": "王小明"}} if item == "reporter.name" else {item: ITEMS[item]}
    refused = cast.draft(narrow, held, **given)
    assert (refused["code"], refused["reason"], refused["field"]) == ("WRITE_DENIED", "TOKEN_SCOPE", item)
    assert cast.count(held) == before
    assert cast.draft(narrow, held, incidentDate=INCIDENT)["state"] == "DRAFT"
