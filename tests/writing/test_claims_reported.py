"""What a claim's report rests on, and what stands once it is made: for the insured, who is paid, and against others."""

from datetime import date

import pytest

from tests.writing.claiming import HANDLER, INCIDENT, ITEMS, OWN, REPORTER, Caller, cast_of
from tests.writing.conftest import row_id

THEIR_CARD, HOLDERS_CARD = "5500005555555559", "4111111111111111"
STORY = {item: value for item, value in ITEMS.items() if item not in ("occupation", "bankCard")}
STANDS = "What was reported stands; the handler asks for what is to be given anew. Leave it out."
DECLARED = (*STORY, "occupation", "bankCard")


@pytest.fixture(scope="module")
def cast(office):
    return cast_of(office)


@pytest.fixture(scope="module")
def insured(cast):
    return cast.customer(cast.insured)


@pytest.fixture(scope="module")
def holder(cast):
    return cast.customer(cast.holder)


@pytest.fixture(scope="module")
def held(cast):
    """A policy that the holder holds on the insured, whose occupation is known."""
    cast.office.know(cast.insured.person, occupation="会计")
    return cast.policy(cast.holder, cast.insured)


def asked_anew(cast, policy, *names, **columns):
    """A reported claim whose handler asks for some items anew."""
    claim = cast.claim(policy, "REVIEWING", **columns)
    cast.assign(claim, staff=HANDLER)
    assert cast.write(cast.handler(), "requestMaterials", {"id": claim, "items": list(names)})["requestedItems"]
    return claim


# Whose card it is.


def test_c08_who_reports_for_themself_is_paid_on_no_card_that_somebody_else_gave(cast, insured, holder, held):
    draft = cast.draft(holder, held, bankCard=HOLDERS_CARD)
    cast.write(insured, "draftClaim", {"id": draft["id"], **STORY})
    refused = cast.write(insured, "submitClaim", {"id": draft["id"]})
    assert (refused["code"], refused["items"]) == ("ITEM_MISSING", [{"field": "bankCard", "clause": "C08"}])
    assert cast.row(draft["id"])["payee_id"] is None
    cast.write(insured, "draftClaim", {"id": draft["id"], "bankCard": THEIR_CARD})
    assert cast.write(insured, "submitClaim", {"id": draft["id"]})["state"] == "REPORTED"
    assert cast.row(draft["id"])["payee_id"] == cast.insured.person
    assert cast.stored(draft["id"])["bankCard"] == THEIR_CARD


def test_c08_nor_is_a_child_whose_guardian_reports(cast):
    child = cast.office.customer()
    cast.office.know(child.person, birthDate="2016-05-05", occupation="学生")
    parent = cast.office.guardian(child.person)
    cast.office.know(parent.person, birthDate="1983-02-03")
    guardian = Caller(parent.token, OWN)
    claim = cast.claim(cast.policy(cast.holder, child), "DRAFT", payee_id=None, payee_verified_at=None, reporter=parent)
    refused = cast.write(guardian, "submitClaim", {"id": claim})
    assert [one["field"] for one in refused["items"]] == ["bankCard"]
    cast.write(guardian, "draftClaim", {"id": claim, "bankCard": THEIR_CARD})
    assert cast.row(claim)["payee_id"] == child.person
    assert cast.write(guardian, "submitClaim", {"id": claim})["state"] == "REPORTED"


def test_c09_a_holder_who_reports_for_the_insured_gives_a_card_that_is_nobodys_until_the_insured_gives_theirs(
    cast, insured, holder, held
):
    draft = cast.draft(holder, held, **STORY, bankCard=HOLDERS_CARD, reporter=REPORTER)
    assert cast.write(holder, "submitClaim", {"id": draft["id"]})["state"] == "REPORTED"
    row = cast.row(draft["id"])
    assert (row["payee_id"], row["payee_verified_at"]) == (None, None)
    # While materials are pending, it is as good as absent for the insured; for the holder it stands.
    cast.assign(draft["id"], staff=HANDLER)
    cast.write(cast.handler(), "assignClaim", {"id": draft["id"], "handler": HANDLER})
    cast.write(cast.handler(), "requestMaterials", {"id": draft["id"], "items": ["HOSPITAL"]})
    refused = cast.write(holder, "draftClaim", {"id": draft["id"], "bankCard": HOLDERS_CARD})
    assert (refused["code"], refused["message"]) == ("ITEM_ON_RECORD", STANDS)
    cast.write(insured, "draftClaim", {"id": draft["id"], "bankCard": THEIR_CARD})
    assert cast.row(draft["id"])["payee_id"] == cast.insured.person


# What was reported stands.


@pytest.mark.parametrize("item", [*DECLARED, "diagnosisCode"])
def test_of_a_reported_claim_nobody_replaces_an_item_that_is_there_and_was_not_asked_for(
    cast, insured, holder, held, item
):
    asked = "HOSPITAL" if item != "hospital" else "DIAGNOSIS"
    given = {"diagnosisCode": "S52.5", "incidentDate": INCIDENT, "bankCard": THEIR_CARD}.get(item, ITEMS.get(item))
    for reporter in (None, cast.holder):
        claim = asked_anew(cast, held, asked, reporter=reporter)
        before = cast.stored(claim)
        if item == "diagnosisCode":
            # What is absent is taken, once.
            assert cast.write(insured, "draftClaim", {"id": claim, item: "S52.6"})["version"] == 3
            before = cast.stored(claim)
        for caller in (insured, holder):
            refused = cast.write(caller, "draftClaim", {"id": claim, item: given})
            assert (refused["code"], refused["field"]) == ("ITEM_ON_RECORD", item)
            settled = caller is holder and item in ("occupation", "bankCard")
            assert settled or refused["message"] == STANDS
        assert cast.stored(claim) == before


def test_one_item_that_stands_keeps_back_those_that_were_asked_for(cast, insured, held):
    claim = asked_anew(cast, held, "HOSPITAL")
    given = {"id": claim, "hospital": "浙大一院", "diagnosis": "扭伤"}
    assert cast.write(insured, "draftClaim", given)["field"] == "diagnosis"
    assert (cast.row(claim)["version"], cast.stored(claim)["hospital"]) == (2, ITEMS["hospital"])


def test_c09_a_holder_gives_what_is_asked_for_or_absent_of_a_claim_that_the_insured_reported(cast, holder, held):
    claim = asked_anew(cast, held, "HOSPITAL")
    given = cast.write(holder, "draftClaim", {"id": claim, "hospital": "浙大一院", "diagnosisCode": "S52.5"})
    assert given["requestedItems"] == []
    assert cast.write(holder, "draftClaim", {"id": claim, "hospital": "别的医院"})["code"] == "ITEM_ON_RECORD"
    assert cast.write(holder, "submitClaim", {"id": claim})["state"] == "SUBMITTED"
    assert cast.stored(claim)["hospital"] == "浙大一院"


def test_what_only_the_insured_may_give_is_missing_until_they_give_it_whoever_hands_in_the_rest(
    cast, insured, holder, held
):
    claim = asked_anew(cast, held, "OCCUPATION", "BANK_CARD", reporter=cast.holder)
    both = {"bankCard", "occupation"}
    for item in both:
        refused = cast.write(holder, "draftClaim", {"id": claim, item: ITEMS[item]})
        assert (refused["code"], refused["field"]) == ("ITEM_ON_RECORD", item)
    for caller in (holder, insured):
        refused = cast.write(caller, "submitClaim", {"id": claim})
        assert (refused["code"], {one["field"] for one in refused["items"]}) == ("ITEM_MISSING", both)
    assert set(cast.ask(holder, claim)["requestedItems"]) == both
    cast.write(insured, "draftClaim", {"id": claim, "occupation": "会计", "bankCard": THEIR_CARD})
    assert cast.write(holder, "submitClaim", {"id": claim})["state"] == "SUBMITTED"


@pytest.mark.parametrize("status", ["REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING"])
def test_c09_a_holder_takes_back_what_they_reported_themself_and_nothing_else(cast, insured, holder, held, status):
    for columns in ({}, {"reporter_id": None, "reporter_verified_at": None}, {"reporter": cast.guardian}):
        claim = cast.claim(held, status, **columns)
        refused = cast.write(holder, "withdrawClaim", {"id": claim})
        assert (refused["code"], refused["reason"]) == ("WRITE_DENIED", "RELATION")
        assert "the insured and their guardian" in refused["message"]
        assert (cast.row(claim)["status"], cast.row(claim)["version"]) == (status, 1)
        assert cast.write(insured, "withdrawClaim", {"id": claim})["state"] == "WITHDRAWN"
    theirs = cast.claim(held, status, reporter=cast.holder)
    assert cast.write(holder, "withdrawClaim", {"id": theirs})["state"] == "WITHDRAWN"


# The policy's term.


@pytest.mark.parametrize("status", ["LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"])
def test_a_claim_begun_while_the_policy_ran_is_reported_after_its_end_for_what_happened_within_its_term(cast, status):
    somebody = cast.office.customer()
    cast.office.know(somebody.person, birthDate="1990-02-28", occupation="会计")
    policy, caller = cast.policy(somebody, somebody), cast.customer(somebody)
    late, within = (
        cast.draft(caller, policy, **{**STORY, "bankCard": THEIR_CARD, "incidentDate": day})["id"]
        for day in ("2026-02-01", "2026-01-31")
    )
    # A product that declares no incident date needs one all the same where its policy has ended.
    lean = cast.policy(somebody, somebody, **cast.product("hospital"))
    reported, undated = (cast.draft(caller, lean, hospital="浙大一院")["id"] for _ in range(2))
    assert cast.write(caller, "submitClaim", {"id": reported})["state"] == "REPORTED"
    for one in (policy, lean):
        end = "UPDATE policy SET status = $2, ends_on = $3 WHERE id = $1"
        cast.office.execute(end, row_id(one), status, date(2026, 1, 31))
    refused = cast.write(caller, "submitClaim", {"id": undated})
    assert (refused["code"], [one["field"] for one in refused["items"]]) == ("ITEM_MISSING", ["incidentDate"])
    refused = cast.write(caller, "submitClaim", {"id": late})
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "incidentDate")
    assert cast.row(late)["status"] == "DRAFT"
    assert cast.write(caller, "submitClaim", {"id": within})["state"] == "REPORTED"
