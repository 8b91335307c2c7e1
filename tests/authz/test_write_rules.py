"""Who may write what: exactly what writes.csv says, decided by Casbin, apart from what may be read."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.compile import READING, WRITING, slice_of
from authz.default_rules import DATA
from authz.rules import RulesetError, make_ruleset, parse_rule
from authz.situations import NOTHING, pair_bit, pairs
from authz.vocabulary import ANY, Action, Basis, Reason, Relation
from models.vocabulary import Purpose, Role
from schema.build import build_schema
from tests.rules import default_snapshot

SNAPSHOT = default_snapshot(build_schema())
CATALOGUE = SNAPSHOT.catalogue
RULES = [rule for rule in SNAPSHOT.ruleset.rules if rule.action == Action.WRITE]
NAMES = sorted({*CATALOGUE, *CATALOGUE.writes})
SITUATIONS = st.sets(st.tuples(st.sampled_from(Relation), st.sampled_from(Basis)), max_size=4)

# By hand, from the privacy policy and the words of the work: by role and purpose, what is done by whom it is tied to.
DONE_BY = {
    ("customer", "account_service"): {
        "self": (
            "draftApplication submitApplication withdrawApplication setBeneficiaries surrenderPolicy draftClaim"
            " submitClaim withdrawClaim linkWechat updateProfile setPermission usePermission setPushIdentifiers"
            " grantConsent withdrawConsent"
            " requestGuardianLink revokeGuardianLink"
            " acknowledgeNotice refuseMarketing acknowledgeLetter"
            " choosePublicDisclosure agreeToTransfer"
            " fileRightsRequest withdrawRightsRequest cancelAccount"
            " agreeRetention endRetention"
        ),
        "holder_of": "draftClaim submitClaim withdrawClaim",
    },
    ("customer", "rights_request"): {
        "self": (
            "updateProfile grantConsent withdrawConsent fileRightsRequest withdrawRightsRequest cancelAccount"
            " requestExport endRetention"
        )
    },
    ("guardian", "rights_request"): {
        "guardian_of": (
            "grantConsent withdrawConsent fileRightsRequest withdrawRightsRequest cancelAccount requestExport"
            " endRetention"
        )
    },
    ("guardian", "account_service"): {
        "guardian_of": (
            "draftApplication submitApplication withdrawApplication setBeneficiaries surrenderPolicy draftClaim"
            " submitClaim withdrawClaim updateProfile grantConsent withdrawConsent acknowledgeNotice refuseMarketing"
            " choosePublicDisclosure agreeToTransfer"
            " fileRightsRequest withdrawRightsRequest cancelAccount"
            " acknowledgeLetter agreeRetention endRetention"
        ),
    },
    ("broker_agent", "application"): {
        "assigned": "draftApplication withdrawApplication recordPayment openVerification closeVerification",
    },
    ("insurer", "application"): {"none": "acknowledgeCorrection", "underwriter": "recordUnderwriting recordPayment"},
    ("insurer", "policy_service"): {"none": "acknowledgeCorrection", "underwriter": "recordPayment"},
    ("insurer", "claim_handling"): {
        "none": "acknowledgeCorrection",
        "underwriter": "requestMaterials recordClaimDecision recordClaimPayment",
    },
    **{
        one: {"none": "acknowledgeCorrection"}
        for one in (
            ("insurer", "marketing"),
            ("health_provider", "health_service"),
            ("health_provider", "marketing"),
            ("loss_adjuster", "claim_handling"),
            ("affiliate", "verification"),
            ("affiliate", "marketing"),
        )
    },
    ("claims_handler", "claim_handling"): {
        "assigned": "assignClaim requestMaterials recordClaimPayment closeClaim openVerification closeVerification",
        "none": "assignClaim",
    },
    ("security_admin", "administration"): {
        "none": (
            "recertifyGrant lapseGrant restoreGrant draftRules editDraft withdrawDraft proposeRules reviewRules"
            " publishRules rollBackRules breakGlass endGlass reviewGlass"
            " recordDuty openIncident describeIncident reportIncident closeIncident"
            " proposeCeasing confirmCeasing takeBackCeasing"
        ),
    },
    ("developer", "administration"): {"none": "registerOperation unregisterOperation"},
    ("privacy_officer", "administration"): {
        "none": (
            "reviewRules reviewGlass verifyGuardianLink revokeGuardianLink publishNotice assessImpact"
            " openDisclosureCase reviewDisclosureCase closeDisclosureCase assignDisclosureCase assignRightsRequest"
            " recordDuty openIncident describeIncident reportIncident closeIncident sendIncidentLetters"
            " withholdIncidentLetters"
            " proposeCeasing confirmCeasing takeBackCeasing placeHold liftHold"
        ),
    },
    ("privacy_officer", "rights_request"): {"assigned": "extendRightsRequest decideRightsRequest"},
    ("risk_analyst", "verification"): {"assigned": "recordVerification closeVerification"},
    ("service_provider", "verification"): {
        "assigned": "recordVerification closeVerification",
        "none": "acknowledgeCorrection",
    },
    ("marketer", "marketing"): {"none": "openCampaign endCampaign"},
}
HEALTH_MAY_BE_GIVEN_BY = {("customer", "self"), ("customer", "holder_of"), ("guardian", "guardian_of")}
"""A holder gives it of those whom they insure, or file a claim for."""


def words(pair):
    return Relation(pair[0]), Basis(pair[1])


def bits(found):
    return sum({pair_bit(*one) for one in found})


def rows():
    """The source, read by nobody but this test."""
    with Path(DATA / "writes.csv").open(newline="", encoding="utf-8") as stream:
        yield from csv.DictReader(line for line in stream if not line.startswith("#"))


def naive(role, purpose, situation, name):
    """May it be written, read off the source row by row?"""
    category = CATALOGUE[name].category.value if name in CATALOGUE else None
    return any(
        (row["role"], row["purpose"]) == (role.value, purpose.value)
        and {name, category} & set(row["writes"].split())
        and any(row["relation"] in (ANY, one.value) and row["basis"] in (ANY, other.value) for one, other in situation)
        for row in rows()
    )


@given(st.sampled_from(Role), st.sampled_from(Purpose), SITUATIONS, st.sampled_from(NAMES))
def test_a_write_is_allowed_exactly_where_a_row_of_the_source_fits(role, purpose, situation, name):
    held = bits(situation)
    expected = naive(role, purpose, set(pairs(held)), name)
    assert SNAPSHOT.writing(role, purpose).may_write(name, held) == expected


def test_every_root_field_is_done_by_whom_it_is_for_and_by_nobody_else():
    done = {
        (role.value, purpose.value): {
            relation.value: {
                name.removeprefix("Mutation.")
                for name in CATALOGUE.writes
                if SNAPSHOT.writing(role, purpose).may_write(name, pair_bit(relation, Basis.CONTRACT_OPEN))
            }
            for relation in Relation
        }
        for role in Role
        for purpose in Purpose
    }
    for who, by_relation in done.items():
        promised = DONE_BY.get(who, {})
        always = set(promised.get("none", "").split())
        for relation, found in by_relation.items():
            assert found == set(promised.get(relation, "").split()) | always, (who, relation)
    assert CATALOGUE.writes == {
        f"Mutation.{one}" for who in DONE_BY.values() for names in who.values() for one in names.split()
    }


def test_health_data_is_given_by_the_person_their_policyholder_and_their_guardian_only():
    by = {
        (role.value, relation.value)
        for role in Role
        for purpose in Purpose
        for relation in Relation
        if SNAPSHOT.writing(role, purpose).may_write("User.healthDeclaration", pair_bit(relation, Basis.CONTRACT_OPEN))
    }
    assert by == HEALTH_MAY_BE_GIVEN_BY


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.role}-{rule.purpose}-{rule.relation}-{rule.object}")
def test_without_any_single_write_rule_something_cannot_be_written(rule):
    ruleset = make_ruleset(2, [one for one in SNAPSHOT.ruleset.rules if one != rule], catalogue=CATALOGUE)
    less = slice_of(ruleset, rule.role, rule.purpose, catalogue=CATALOGUE, actions=WRITING)
    relation = Relation.NONE if rule.relation == ANY else Relation(rule.relation)
    basis = Basis.NONE if rule.basis == ANY else Basis(rule.basis)
    names = [name for name in NAMES if CATALOGUE.covers(name, rule.object)]
    assert [name for name in names if not less.may_write(name, pair_bit(relation, basis))] == names
    assert less.why_not_write(names[0], pair_bit(relation, basis)) in (Reason.ROLE, Reason.PURPOSE, Reason.RELATION)


def test_what_may_be_written_changes_nothing_about_what_is_read():
    read_only = [rule for rule in SNAPSHOT.ruleset.rules if rule.action != Action.WRITE]
    ruleset = make_ruleset(2, read_only, catalogue=CATALOGUE)
    for place, compiled in SNAPSHOT.slices.items():
        alone = slice_of(ruleset, *place, catalogue=CATALOGUE, actions=READING)
        assert (compiled.rules, compiled.relations, compiled.bases) == (alone.rules, alone.relations, alone.bases)


def rule(text):
    effect, relation, basis, action, obj = text.split()
    place = "the test"
    return parse_rule([effect, "customer", "account_service", relation, basis, action, obj, "C04"], place=place)


def test_a_deny_on_a_write_wins_and_says_so():
    allowed, denied = (
        rule("allow any any write Mutation.surrenderPolicy"),
        rule("deny guardian_of any write Mutation.surrenderPolicy"),
    )
    ruleset = make_ruleset(1, [allowed, denied], catalogue=CATALOGUE)
    found = slice_of(ruleset, Role.CUSTOMER, Purpose.ACCOUNT_SERVICE, catalogue=CATALOGUE, actions=WRITING)
    tied = pair_bit(Relation.GUARDIAN_OF, Basis.NONE)
    assert found.may_write("Mutation.surrenderPolicy", NOTHING)
    assert not found.may_write("Mutation.surrenderPolicy", tied | NOTHING)
    assert found.why_not_write("Mutation.surrenderPolicy", tied | NOTHING) is Reason.RULE_DENIES


def test_writing_allows_no_reading_and_reading_no_writing():
    ruleset = make_ruleset(
        1, [rule("allow any any write name"), rule("allow any any reveal phone")], catalogue=CATALOGUE
    )
    place = (Role.CUSTOMER, Purpose.ACCOUNT_SERVICE)
    reads = slice_of(ruleset, *place, catalogue=CATALOGUE)
    writes = slice_of(ruleset, *place, catalogue=CATALOGUE, actions=WRITING)
    assert not reads.could_show("User.name")
    assert not reads.decide("User.name", NOTHING)
    assert not writes.may_write("User.phone", NOTHING)
    assert not writes.may_write("Mutation.unheardOf", NOTHING)


@pytest.mark.parametrize(
    "text", ["allow any any reveal Mutation.surrenderPolicy", "allow any any write Mutation.unheardOf"]
)
def test_a_rule_that_reveals_a_write_or_names_an_unknown_one_is_refused(text):
    with pytest.raises(RulesetError):
        make_ruleset(1, [rule(text)], catalogue=CATALOGUE)
