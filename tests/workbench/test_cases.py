"""Cases: they ask the compiled rules, hold the default rules to their intent, and tell what no case would miss."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.default_cases import default_cases, generated
from authz.default_rules import CASES
from authz.default_ruleset import default_content
from authz.rules import RulesetError, moment_text
from authz.situations import pairs
from authz.vocabulary import Basis, Relation
from authz.workbench import cases as cases_room
from authz.workbench.cases import (
    At,
    Case,
    CaseGroup,
    Expected,
    coverage,
    from_now_on,
    grouped,
    read_cases,
    run_cases,
    write_cases,
)
from authz.workbench.checks import check
from authz.workbench.findings import FindingKind
from models.vocabulary import Purpose, Role
from schema.build import build_schema
from tests.rules import default_snapshot
from tests.workbench.small import (
    CATALOGUE,
    EVERY_SITUATION,
    NOW,
    PURPOSE,
    ROLE,
    content,
    rule,
    rule_sets,
    snapshot,
)

DEFAULT = default_content()
SNAPSHOT = default_snapshot(build_schema())
OPEN = ((Relation.ASSIGNED, Basis.CONTRACT_OPEN),)
NOTHING = ((Relation.NONE, Basis.NONE),)
NAMES = {
    "User.name": (Expected.REVEAL, Expected.FILTER),
    "Claim.diagnosis": (Expected.REVEAL, Expected.NO_FILTER),
    "Mutation.closeClaim": (Expected.WRITE,),
}


def case(coordinate, effect, some=OPEN):
    return Case(ROLE, PURPOSE, some, coordinate, Expected(effect))


def ran(rules, *cases):
    found = run_cases((CaseGroup("It holds.", cases),), At("", snapshot([rule(one) for one in rules])))
    return [(one.got, one.passed) for one in found]


# --- The default cases ----------------------------------------------------------------------------------------


def test_the_case_files_are_those_the_matrix_generates():
    assert {path.name: path.read_text() for path in CASES.glob("*.csv")} == generated()
    assert read_cases(DEFAULT.cases) == default_cases()


def test_every_default_case_passes():
    found = run_cases(default_cases(), At("", SNAPSHOT))
    assert len(found) > 700
    assert [one.message for one in found if not one.passed] == []


def test_every_default_rule_is_exercised_and_missed_by_some_case():
    covered = coverage(default_cases(), DEFAULT, SNAPSHOT.catalogue)
    assert (covered.unexercised, covered.unnoticed) == ((), ())


def test_every_intent_is_a_sentence_with_the_clause_it_rests_on():
    for group in default_cases():
        assert re.fullmatch(r"[^,]+\((C\d\d[ C\d-]*)\)\.", group.intent), group.intent


def test_default_cases_hold_what_is_not_to_be_seen_as_well():
    expected = [one.effect for group in default_cases() for one in group.cases]
    assert expected.count(Expected.DENY) > 200
    assert expected.count(Expected.NO_WRITE) > 50
    assert expected.count(Expected.NO_FILTER) > 3


# --- Running --------------------------------------------------------------------------------------------------


def test_a_case_is_asked_of_the_compiled_rules():
    rules = ("allow assigned contract_open reveal health", "allow any any mask name", "allow any any filter name")
    assert ran(rules, case("Claim.diagnosis", "reveal")) == [(Expected.REVEAL, True)]
    assert ran(rules, case("Claim.diagnosis", "reveal", NOTHING)) == [(Expected.DENY, False)]
    assert ran(rules, case("User.name", "mask"), case("User.name", "filter")) == [
        (Expected.MASK, True),
        (Expected.FILTER, True),
    ]
    assert ran(rules, case("Claim.diagnosis", "no_filter")) == [(Expected.NO_FILTER, True)]
    write = "allow assigned any write Mutation.closeClaim"
    assert ran([write], case("Mutation.closeClaim", "write")) == [(Expected.WRITE, True)]
    assert ran([write], case("Mutation.closeClaim", "write", NOTHING)) == [(Expected.NO_WRITE, False)]


def test_pairs_of_a_case_hold_at_once():
    rules = ("allow assigned contract_open reveal health", "deny none consent reveal health")
    both = (*OPEN, (Relation.NONE, Basis.CONSENT))
    assert ran(rules, case("Claim.diagnosis", "deny", both)) == [(Expected.DENY, True)]


@pytest.mark.parametrize(
    "name, effect", [("Claim.nothing", "deny"), ("Mutation.closeClaim", "deny"), ("User.id", "no_write")]
)
def test_a_case_about_what_is_not_there_fails_whatever_it_expects(name, effect):
    assert ran(["allow any any reveal name"], case(name, effect)) == [(None, False)]


def test_a_failed_case_is_an_error_that_says_what_was_expected_and_what_came():
    cases = write_cases((CaseGroup("The diagnosis is hidden.", (case("Claim.diagnosis", "deny"),)),))
    given = content("allow assigned contract_open reveal health", cases=cases)
    found = check(given, catalogue=CATALOGUE, now=NOW)
    assert found.refused
    assert [one.kind for one in found.findings] == [FindingKind.CASE_FAILED]
    assert "The diagnosis is hidden." in found.findings[0].message
    assert "is reveal, not deny" in found.findings[0].message


def test_a_rule_that_begins_later_can_have_its_case_today_and_one_that_ended_has_none():
    later = rule("allow assigned contract_open reveal health", "2030-01-01T00:00:00Z", "")
    ended = rule("allow any any reveal name", "", "2026-01-01T00:00:00Z")
    found = from_now_on(content(later, ended), CATALOGUE, now=NOW)
    cases = (CaseGroup("It holds.", (case("Claim.diagnosis", "reveal"), case("User.name", "deny"))),)
    assert all(one.passed for one in run_cases(cases, *found))


@pytest.mark.parametrize(
    "bounds, says",
    [
        (("2090-01-01T00:00:00Z", ""), "is reveal, not deny"),
        (("", "2030-01-01T00:00:00Z"), "is reveal from 2030-01-01T00:00:00Z on, not deny"),
    ],
)
def test_a_case_that_denies_fails_where_the_deny_begins_later_or_ends(bounds, says):
    cases = write_cases((CaseGroup("It is hidden.", (case("Claim.diagnosis", "deny"),)),))
    rules = "allow any any reveal health", rule("deny any any reveal health")
    assert not check(content(*rules, cases=cases), catalogue=CATALOGUE, now=NOW).refused
    timed = content(rules[0], rule("deny any any reveal health", *bounds), cases=cases)
    found = check(timed, catalogue=CATALOGUE, now=NOW)
    assert found.refused
    assert says in found.findings[0].message


def test_a_case_that_denies_passes_where_one_deny_follows_another():
    cases = write_cases((CaseGroup("It is hidden.", (case("Claim.diagnosis", "deny"),)),))
    first = rule("deny any any reveal health", "", "2030-01-01T00:00:00Z")
    second = rule("deny any any reveal health", "2030-01-01T00:00:00Z", "")
    given = content("allow any any reveal health", first, second, cases=cases)
    assert not check(given, catalogue=CATALOGUE, now=NOW).refused


@given(
    rule_sets(objects=("name", "health"), most=5, timed=True),
    st.sampled_from([(name, one) for name, several in NAMES.items() for one in several]),
    st.sampled_from(EVERY_SITUATION),
)
@settings(max_examples=60, deadline=None)
def test_what_a_case_gets_is_the_most_that_comes_at_any_moment_from_now_on(rules, asked, bits):
    (name, effect), later = asked, NOW + timedelta(days=70)
    one = case(name, effect, tuple(pairs(bits)))
    some = (CaseGroup("It holds.", (one,)),)
    lasting = [held for held in rules if not held.valid_until or held.valid_until > moment_text(later)]
    if not lasting:
        return
    (told,) = run_cases(some, *from_now_on(content(*rules), CATALOGUE, now=later))
    bounds = {bound for held in rules for bound in (held.valid_from, held.valid_until) if bound > moment_text(later)}
    came = []
    for moment in (moment_text(later), *bounds):
        held = [one for one in rules if one.holds_at(moment)]
        plain = list(dict.fromkeys(untimed(one) for one in held))
        came.append(outcomes(plain, some)[0] if plain else _nothing(one.effect))
    order = (Expected.DENY, Expected.NO_FILTER, Expected.NO_WRITE, Expected.MASK, Expected.REVEAL, *Expected)
    assert told.got is max(came, key=order.index)
    assert told.passed == (told.got is effect)


def untimed(one):
    return replace(one, valid_from="", valid_until="")


def test_beyond_the_moments_that_are_allowed_a_deny_that_is_not_for_good_counts_for_nothing(monkeypatch):
    monkeypatch.setattr(cases_room, "MOST_MOMENTS", 1)
    rules = [
        rule("deny any any reveal name", "", "2030-01-01T00:00:00Z"),
        rule("deny any any reveal name", "2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"),
        rule("allow any any reveal name", "2032-01-01T00:00:00Z", "2033-01-01T00:00:00Z"),
    ]
    (at,) = from_now_on(content(*rules), CATALOGUE, now=NOW)
    (told,) = run_cases((CaseGroup("It holds.", (case("User.name", "deny"),)),), at)
    assert (told.got, told.passed) == (Expected.REVEAL, False)


# --- Their text -----------------------------------------------------------------------------------------------


@st.composite
def groups(draw):
    chosen = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["It holds.", "Nobody sees it (C24).", "理赔员只看需要的（C55）。"]),
                st.builds(
                    Case,
                    st.sampled_from(Role),
                    st.sampled_from(Purpose),
                    st.sampled_from(EVERY_SITUATION).map(lambda bits: tuple(pairs(bits))),
                    st.sampled_from(["User.name", "Mutation.closeClaim"]),
                    st.sampled_from(Expected),
                ),
            ),
            unique=True,
            max_size=8,
        )
    )
    return grouped(chosen)


@given(groups())
@settings(max_examples=60, deadline=None)
def test_cases_written_and_read_again_are_the_same_in_whatever_order(some):
    text = write_cases(some)
    assert read_cases(text) == some
    backwards = [CaseGroup(one.intent, one.cases[::-1]) for one in reversed(some)]
    assert write_cases(backwards) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "1", "[1]", "[[1]]", '[["a"]]', '[["It holds.", [1]]]', '[["It holds.", [["a"]]]]', "null"),
        '[["=cmd.", [["insurer","research","none:none","User.name","deny"]]]]',
        '[["It holds.", [["insurer","research","none:none","User.name",7]]]]',
        '[["It holds.", [["insurer","research",["none"],"User.name","deny"]]]]',
        '[["It holds.", "insurer"]]',
    ],
)
def test_a_text_that_is_no_cases_is_refused(text):
    with pytest.raises(RulesetError):
        read_cases(text)
    found = check(content("allow any any reveal name", cases=text), catalogue=CATALOGUE, now=NOW)
    assert found.refused


# --- Coverage -------------------------------------------------------------------------------------------------


def outcomes(rules, some):
    return [one.got for one in run_cases(some, At("", snapshot(rules)))] if rules else None


@given(
    rule_sets(objects=("name", "User.name", "health"), most=5),
    st.lists(
        st.tuples(
            st.sampled_from([(name, one) for name, several in NAMES.items() for one in several]),
            st.sampled_from(EVERY_SITUATION),
        ),
        max_size=5,
        unique=True,
    ),
)
@settings(max_examples=40, deadline=None)
def test_a_rule_is_unnoticed_exactly_if_without_it_every_case_comes_out_the_same(rules, asked):
    some = grouped(("It holds.", case(name, effect, tuple(pairs(bits)))) for (name, effect), bits in asked)
    covered = coverage(some, content(*rules), CATALOGUE)
    whole = outcomes(rules, some)
    for one in rules:
        others = [other for other in rules if other != one]
        without = outcomes(others, some) if others else [_nothing(case.effect) for g in some for case in g.cases]
        assert (one in covered.unnoticed) == (without == whole)
    assert set(covered.unexercised) <= set(covered.unnoticed)


def _nothing(effect):
    """What comes where there is no rule at all."""
    return {"reveal": Expected.DENY, "filter": Expected.NO_FILTER, "write": Expected.NO_WRITE}[effect.action]


def test_a_rule_that_no_case_asks_about_is_unexercised_and_one_that_others_cover_unnoticed():
    broad, narrow = rule("allow any any reveal name"), rule("allow assigned any reveal name")
    other, near = rule("allow any any reveal health"), rule("allow assigned request reveal name")
    some = (CaseGroup("It holds.", (case("User.name", "reveal"),)),)
    covered = coverage(some, content(broad, narrow, other, near), CATALOGUE)
    assert covered.unexercised == (other, near)
    assert covered.unnoticed == (broad, narrow, other, near)
    assert coverage(some, content(broad, other), CATALOGUE).unnoticed == (other,)


def test_of_two_rules_that_say_the_same_of_a_field_neither_is_missed():
    category, field = rule("allow any any reveal name"), rule("allow any any reveal User.name")
    some = (CaseGroup("It holds.", (case("User.name", "reveal"),)),)
    covered = coverage(some, content(category, field), CATALOGUE)
    assert (covered.unexercised, covered.unnoticed) == ((), (category, field))
