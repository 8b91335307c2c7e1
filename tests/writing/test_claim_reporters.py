"""Who reports a claim, and who must be of age for it (C09, C71)."""

import pytest

from tests.writing.claiming import CLAIM, ITEMS, OWN, REPORTER, Caller, cast_of

REPORTER_COLUMNS = ("reporter_relation", "reporter_name_sealed", "reporter_phone_sealed")


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


STORY = {item: value for item, value in ITEMS.items() if item != "occupation"}


def test_c09_the_insured_gives_nothing_more_as_the_reporter_and_what_they_give_is_not_stored(cast, insured):
    policy = cast.policy(cast.insured, cast.insured)
    for some in ({"name": "王小明"}, {"phone": "13912345678"}, {"relation": "SELF"}, REPORTER):
        refused = cast.draft(insured, policy, **STORY, reporter=some)
        assert (refused["code"], refused["field"], refused["clause"]) == ("REPORTER_IS_INSURED", "reporter", "C09")
    assert cast.count(policy) == 0
    draft = cast.draft(insured, policy, **ITEMS, reporter={"name": None})
    reported = cast.write(insured, "submitClaim", {"id": draft["id"]})
    assert (reported["state"], reported["reporterRelation"]) == ("REPORTED", None)
    row = cast.row(draft["id"])
    assert (row["reporter_id"], row["reporter_verified_at"]) == (cast.insured.person, row["reported_at"])
    assert [row[column] for column in REPORTER_COLUMNS] == [None] * 3


@pytest.mark.parametrize("left_out", ["name", "phone", "relation"])
def test_c09_who_reports_for_another_gives_name_phone_and_relation_or_reports_nothing(cast, holder, held, left_out):
    some = {item: value for item, value in REPORTER.items() if item != left_out}
    draft = cast.draft(holder, held, **STORY, reporter=some)
    refused = cast.write(holder, "submitClaim", {"id": draft["id"]})
    assert refused["code"] == "ITEM_MISSING"
    assert refused["items"] == [{"field": f"reporter.{left_out}", "clause": "C09"}]
    assert cast.ask(holder, draft["id"])["state"] == "DRAFT"
    cast.write(holder, "draftClaim", {"id": draft["id"], "reporter": {left_out: REPORTER[left_out]}})
    reported = cast.write(holder, "submitClaim", {"id": draft["id"]})
    assert (reported["state"], reported["reporterRelation"]) == ("REPORTED", "配偶")
    row, stored = cast.row(draft["id"]), cast.stored(draft["id"])
    assert (row["reporter_id"], row["reporter_verified_at"]) == (cast.holder.person, row["reported_at"])
    assert (stored["reporterName"], stored["reporterPhone"]) == (REPORTER["name"], REPORTER["phone"])


def test_c09_all_three_are_named_where_none_was_given_and_none_of_them_is_a_claims_own_item(cast, holder, held):
    draft = cast.draft(holder, held, **STORY)
    refused = cast.write(holder, "submitClaim", {"id": draft["id"]})
    assert [one["field"] for one in refused["items"]] == ["reporter.name", "reporter.phone", "reporter.relation"]


def test_c09_nobody_who_reports_for_another_is_the_insured_themself(cast, holder, held):
    refused = cast.draft(holder, held, **STORY, reporter={**REPORTER, "relation": "SELF"})
    assert (refused["code"], refused["field"]) == ("ITEM_INVALID", "reporter.relation")


def test_c09_what_another_had_drafted_of_themself_is_not_kept_where_the_insured_reports(cast, insured, holder, held):
    draft = cast.draft(holder, held, **STORY, reporter=REPORTER)
    cast.write(insured, "draftClaim", {"id": draft["id"], "bankCard": "5500005555555559"})
    assert cast.write(insured, "submitClaim", {"id": draft["id"]})["reporterRelation"] is None
    row = cast.row(draft["id"])
    assert row["reporter_id"] == cast.insured.person
    assert [row[column] for column in REPORTER_COLUMNS] == [None] * 3


def test_c09_after_the_report_its_reporter_is_on_record_and_only_they_correct_themself(cast, insured, holder, held):
    by_insured = cast.claim(held, "MATERIALS_PENDING")
    refused = cast.write(holder, "draftClaim", {"id": by_insured, "reporter": REPORTER})
    assert (refused["code"], refused["field"]) == ("ITEM_ON_RECORD", "reporter")
    by_holder = cast.claim(held, "MATERIALS_PENDING", reporter_id=cast.holder.person, reporter_relation="配偶")
    given = {"id": by_holder, "reporter": {"phone": "13900000000"}}
    assert cast.write(holder, "draftClaim", given)["reporterRelation"] == "配偶"
    assert cast.stored(by_holder)["reporterPhone"] == "13900000000"
    assert cast.write(insured, "draftClaim", given)["code"] == "REPORTER_IS_INSURED"
    # Handing in materials is no new report, whoever does it.
    assert cast.write(insured, "submitClaim", {"id": by_holder})["reporterRelation"] == "配偶"
    assert cast.row(by_holder)["reporter_id"] == cast.holder.person


def test_a_reporter_reads_their_own_name_and_the_desk_reads_it_masked(cast, holder, held):
    claim = cast.draft(holder, held, **STORY, reporter=REPORTER)["id"]
    shown = "... on Claim { reporterName reporterPhone }"
    reported = cast.write(holder, "submitClaim", {"id": claim}, shown)
    assert (reported["reporterName"], reported["reporterPhone"]) == (REPORTER["name"], REPORTER["phone"])
    masked = cast.ask(cast.handler(), claim, "reporterName reporterPhone")
    assert masked == {"reporterName": "王*", "reporterPhone": "139****5678"}


# Minors.


@pytest.fixture
def family(cast):
    """A child of a guardian's, with a policy of its own, and one that the holder holds on it."""
    child = cast.office.customer()
    cast.office.know(child.person, birthDate="2016-05-05", occupation="学生")
    guardian = cast.office.guardian(child.person)
    cast.office.know(guardian.person, birthDate="1983-02-03")
    return child, Caller(guardian.token, OWN), guardian, cast.policy(child, child)


def test_c71_a_minor_files_no_claim_alone_and_nothing_of_it_is_stored_until_a_guardian_has_agreed(cast, family):
    child, guardian, parent, policy = family
    refused = cast.draft(cast.customer(child), policy, **STORY)
    assert (refused["code"], refused["clause"]) == ("MINOR_NEEDS_GUARDIAN", "C71")
    assert cast.count(policy) == 0
    claim = cast.claim(policy, "DRAFT")
    assert cast.write(cast.customer(child), "submitClaim", {"id": claim})["code"] == "MINOR_NEEDS_GUARDIAN"
    assert cast.ask(guardian, claim)["state"] == "DRAFT"
    # What a guardian does is their consent to that, and to nothing that the child does alone.
    assert cast.draft(guardian, policy, **STORY)["state"] == "DRAFT"
    assert cast.office.rows("SELECT FROM consent WHERE person_id = $1", child.person) == []
    assert cast.write(cast.customer(child), "submitClaim", {"id": claim})["code"] == "MINOR_NEEDS_GUARDIAN"
    cast.agree(parent, child)
    assert cast.write(cast.customer(child), "submitClaim", {"id": claim})["state"] == "REPORTED"


def test_c71_nobody_files_for_a_minor_without_its_guardian_though_they_hold_the_policy(cast, holder, family):
    child, guardian, parent, own = family
    policy = cast.policy(cast.holder, child)
    assert cast.draft(guardian, own, **STORY)["state"] == "DRAFT"
    assert cast.draft(holder, policy, **STORY)["code"] == "MINOR_NEEDS_GUARDIAN"
    cast.agree(parent, child)
    assert cast.draft(holder, policy, **STORY)["state"] == "DRAFT"


def test_c71_a_parent_who_holds_the_policy_files_as_a_customer_and_consents_to_that_alone(cast, family):
    child, _, guardian, _ = family
    token = cast.office.token("customer", user=guardian.username, purposes=[OWN])
    parent, policy = Caller(token, OWN), cast.policy(guardian, child)
    draft = cast.draft(parent, policy, **STORY, reporter={**REPORTER, "relation": "PARENT"})
    assert cast.write(parent, "submitClaim", {"id": draft["id"]})["reporterRelation"] == "父母"
    assert cast.office.rows("SELECT FROM consent WHERE person_id = $1", child.person) == []


def test_c09_a_guardian_acts_for_the_child_but_reports_in_a_name_of_their_own(cast, family):
    child, caller, guardian, policy = family
    draft = cast.draft(caller, policy, **{**ITEMS, "occupation": "小学生"})
    assert cast.office.stored("User", child.person, owner=child.person)["occupation"] == "小学生"
    row = cast.row(draft["id"])
    assert row["payee_id"] == child.person
    assert row["payee_verified_at"] is not None
    refused = cast.write(caller, "submitClaim", {"id": draft["id"]})
    assert [one["field"] for one in refused["items"]] == ["reporter.name", "reporter.phone", "reporter.relation"]
    cast.write(caller, "draftClaim", {"id": draft["id"], "reporter": {**REPORTER, "relation": "PARENT"}})
    assert cast.write(caller, "submitClaim", {"id": draft["id"]})["reporterRelation"] == "父母"
    assert cast.row(draft["id"])["reporter_id"] == guardian.person


def test_c09_one_reporters_data_are_never_taken_for_anothers(cast, holder, family):
    child, guardian, parent, _ = family
    cast.agree(parent, child)
    claim = cast.draft(holder, cast.policy(cast.holder, child), **STORY, reporter=REPORTER)["id"]
    cast.write(guardian, "draftClaim", {"id": claim, "bankCard": "5500005555555559"})
    refused = cast.write(guardian, "submitClaim", {"id": claim})
    assert [one["field"] for one in refused["items"]] == ["reporter.name", "reporter.phone", "reporter.relation"]
    cast.write(guardian, "draftClaim", {"id": claim, "reporter": {"relation": "PARENT"}})
    assert cast.row(claim)["reporter_relation"] == "父母"
    assert cast.stored(claim)["reporterName"] is None


def test_c71_an_unverified_guardian_does_not_even_see_the_policy(cast, family):
    child, _, _, policy = family
    claimed = cast.office.guardian(child.person, verified=False)
    assert cast.draft(Caller(claimed.token, OWN), policy, **STORY)["code"] == "NOT_FOUND"


def test_c71_whose_age_is_not_known_files_no_claim(cast):
    somebody = cast.office.customer()
    policy = cast.policy(somebody, somebody)
    refused = cast.draft(cast.customer(somebody), policy, **STORY)
    assert (refused["code"], refused["clause"]) == ("AGE_UNKNOWN", "C71")
    assert cast.count(policy) == 0


def test_c71_who_acts_for_a_grown_up_is_of_age_too(cast, family):
    child, _, _, _ = family
    unknown = cast.office.customer()
    for actor, code in ((child, "MINOR_NEEDS_GUARDIAN"), (unknown, "AGE_UNKNOWN")):
        policy = cast.policy(actor, cast.insured)
        assert cast.draft(cast.customer(actor), policy, **STORY)["code"] == code
        assert cast.count(policy) == 0
        claim = cast.claim(policy, "DRAFT", reporter=actor)
        assert cast.write(cast.customer(actor), "submitClaim", {"id": claim})["code"] == code
        assert cast.row(claim)["version"] == 1


def test_c71_a_minor_takes_no_claim_back_alone_whoever_is_insured_and_of_unknown_age_one_does(cast, family):
    child, guardian, parent, own = family
    for policy, reporter in ((own, None), (cast.policy(child, cast.insured), child)):
        for status in ("DRAFT", "REPORTED"):
            claim = cast.claim(policy, status, reporter=reporter)
            refused = cast.write(cast.customer(child), "withdrawClaim", {"id": claim})
            assert (refused["code"], refused["clause"]) == ("MINOR_NEEDS_GUARDIAN", "C71")
            assert cast.row(claim)["status"] == status
    claim = cast.claim(own, "REPORTED")
    assert cast.write(guardian, "withdrawClaim", {"id": claim})["state"] == "WITHDRAWN"
    claim = cast.claim(own, "REPORTED")
    assert cast.write(cast.customer(child), "withdrawClaim", {"id": claim})["code"] == "MINOR_NEEDS_GUARDIAN"
    cast.agree(parent, child)
    assert cast.write(cast.customer(child), "withdrawClaim", {"id": claim})["state"] == "WITHDRAWN"
    unknown = cast.office.customer()
    claim = cast.claim(cast.policy(unknown, unknown), "REPORTED")
    assert cast.write(cast.customer(unknown), "withdrawClaim", {"id": claim})["state"] == "WITHDRAWN"


def test_a_guardian_may_do_for_a_child_what_the_child_may_and_nothing_for_anybody_else(cast, family, held):
    _, guardian, _, policy = family
    claim = cast.draft(guardian, policy, **STORY)["id"]
    assert cast.write(guardian, "withdrawClaim", {"id": claim}, CLAIM)["state"] == "WITHDRAWN"
    assert cast.draft(guardian, held, **STORY)["code"] == "NOT_FOUND"
