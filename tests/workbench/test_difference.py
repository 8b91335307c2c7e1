"""The difference of two rulesets: exact for every single pair, and nothing that changes goes untold (C24)."""

from dataclasses import replace

from hypothesis import given, settings

from authz.compile import compile_ruleset
from authz.default_ruleset import default_content
from authz.rules import parse_rule
from authz.situations import pair_bit
from authz.vocabulary import Action, Basis, Effect, Relation
from authz.workbench.behaviours import behaviour, by_name, objects_of
from authz.workbench.difference import (
    MOST_MOMENTS,
    described,
    difference,
    difference_in_time,
    matrix,
    widened,
)
from models.vocabulary import Category, Purpose, Role
from schema.build import build_catalogue, build_schema
from tests.workbench.small import (
    CATALOGUE,
    EVERY_SITUATION,
    MOMENTS,
    NOW,
    PURPOSE,
    ROLE,
    content,
    rule,
    rule_sets,
    snapshot,
)

WHOLE = build_catalogue(build_schema())
DEFAULT = default_content()
PAIRS = [(relation, basis) for relation in Relation for basis in Basis]


def asked(one, name, action, situation):
    if action is Action.WRITE:
        return one.writing(ROLE, PURPOSE).may_write(name, situation)
    compiled = one.slice(ROLE, PURPOSE)
    return compiled.may_filter(name, situation) if action is Action.FILTER else compiled.decide(name, situation)


def everything():
    for name in CATALOGUE:
        yield from ((name, action) for action in (Action.REVEAL, Action.FILTER))
    yield from ((name, Action.WRITE) for name in CATALOGUE.writes)


def answers(rules):
    """What rules answer, by what is asked of which name: as Casbin does (tests/workbench/test_findings.py)."""
    by = by_name(rules, objects_of(CATALOGUE))
    said = {name: behaviour(by.get(name, ()), name, CATALOGUE) for name in (*CATALOGUE, *CATALOGUE.writes)}
    return {
        (name, action, situation): said[name].answer(action, situation)
        for name, action in everything()
        for situation in EVERY_SITUATION
    }


def situation_of(pairs):
    return sum(pair_bit(*pair) for pair in pairs)


@given(rule_sets(most=4), rule_sets(most=4))
@settings(max_examples=15, deadline=None)
def test_single_pairs_are_told_exactly_as_casbin_decides_them_before_and_after(before, after):
    one, other = snapshot(before), snapshot(after, number=2)
    found = difference(one, other)
    told = {
        (change.coordinate, change.action, pair): (change.before, change.after)
        for change in found
        if len(change.pairs) == 1
        for pair in change.alike
    }
    changed = {}
    for name, action in everything():
        for pair in PAIRS:
            was, is_ = (asked(some, name, action, pair_bit(*pair)) for some in (one, other))
            if was != is_:
                changed[name, action, pair] = was, is_
    assert told == changed


@given(rule_sets(most=5), rule_sets(most=5))
@settings(max_examples=40, deadline=None)
def test_what_is_told_is_so_and_every_kind_of_change_is_told(before, after):
    one, other = snapshot(before), snapshot(after, number=2)
    found = difference(one, other)
    for change in found:
        situation = situation_of(change.pairs)
        for some, answer in ((one, change.before), (other, change.after)):
            assert asked(some, change.coordinate, change.action, situation) == answer
        assert change.before != change.after
    told = {(change.coordinate, change.action, change.before, change.after) for change in found}
    then = answers(after)
    for (name, action, situation), was in answers(before).items():
        is_ = then[name, action, situation]
        assert was == is_ or (name, action, was, is_) in told


def test_two_records_at_once_are_told_where_neither_changes_alone():
    allow = rule("allow assigned contract_open reveal health")
    before, after = snapshot([allow]), snapshot([allow, rule("deny none contract_open reveal health")], number=2)
    (one,) = difference(before, after)
    assert set(one.pairs) == {(Relation.ASSIGNED, Basis.CONTRACT_OPEN), (Relation.NONE, Basis.CONTRACT_OPEN)}
    assert (one.before, one.after, one.widens) == (Effect.REVEAL, Effect.DENY, False)


def test_two_records_that_deny_a_write_only_together_are_told():
    allow = rule("allow assigned contract_open write Mutation.closeClaim")
    deny = rule("deny none contract_open write Mutation.closeClaim")
    (one,) = difference(snapshot([allow]), snapshot([allow, deny], number=2))
    assert (len(one.pairs), one.before, one.after, one.action) == (2, True, False, Action.WRITE)


def test_the_same_rules_under_another_number_clause_or_order_differ_in_nothing():
    after = [replace(one, clause="C99") for one in reversed(DEFAULT.rules)]
    given = replace(DEFAULT, rules=tuple(after))
    assert difference_in_time(DEFAULT, given, catalogue=WHOLE, now=NOW) == []
    one = compile_ruleset(DEFAULT.ruleset(1, WHOLE), WHOLE)
    assert difference(one, compile_ruleset(given.ruleset(2, WHOLE), WHOLE, before=one)) == []


def test_other_slices_are_not_looked_at():
    one = compile_ruleset(DEFAULT.ruleset(1, WHOLE), WHOLE)
    more = parse_rule(
        ["allow", "insurer", "policy_service", "underwriter", "any", "mask", "phone", "C38"], place="the test"
    )
    other = compile_ruleset(replace(DEFAULT, rules=(*DEFAULT.rules, more)).ruleset(2, WHOLE), WHOLE, before=one)
    found = difference(one, other)
    assert {(change.role, change.purpose) for change in found} == {(Role.INSURER, Purpose.POLICY_SERVICE)}
    assert {change.coordinate for change in found} == {"User.phone", "Beneficiary.phone", "Claim.reporterPhone"}
    assert widened(found) == {Category.PHONE}
    (cell,) = matrix(found)
    assert (cell.purpose, cell.role, cell.object) == (Purpose.POLICY_SERVICE, Role.INSURER, "phone")
    assert cell.when == ("underwriter any but contract_open",)
    assert [change.occurs for change in found if change.coordinate == "Claim.reporterPhone"] == [False]
    assert [change.occurs for change in found if change.coordinate == "User.phone"] == [True]


def test_a_look_up_widens_what_it_confirms_and_a_write_nothing():
    name = "allow any any reveal name"
    before = content(name)
    after = content(name, "allow any any filter health", "allow any any write Mutation.closeClaim")
    found = difference_in_time(before, after, catalogue=CATALOGUE, now=NOW)
    assert widened(found) == {Category.HEALTH}
    assert {change.action for change in found} == {Action.FILTER, Action.WRITE}
    assert widened(difference_in_time(after, before, catalogue=CATALOGUE, now=NOW)) == set()


# --- Times ----------------------------------------------------------------------------------------------------


TIMED = rule_sets(most=4, timed=True, objects=("name", "health"))


@given(TIMED, TIMED)
@settings(max_examples=30, deadline=None)
def test_a_change_at_whatever_moment_from_now_on_is_told_and_none_that_never_comes(before, after):
    found = difference_in_time(content(*before), content(*after), catalogue=CATALOGUE, now=NOW)
    told = {(one.coordinate, one.action, one.before, one.after) for one in found}
    changed = set()
    for moment in ("2026-11-23T00:00:00Z", *MOMENTS[1:]):
        was, is_ = (answers([one for one in rules if one.holds_at(moment)]) for rules in (before, after))
        changed |= {(*place[:2], answer, is_[place]) for place, answer in was.items() if answer != is_[place]}
    assert told == changed


def test_a_rule_that_begins_later_is_told_with_the_moment():
    later = rule("allow any any reveal health", "2027-01-01T00:00:00Z", "")
    (one,) = difference_in_time(
        content("allow any any reveal name"), content("allow any any reveal name", later), catalogue=CATALOGUE, now=NOW
    )
    assert (one.coordinate, one.since) == ("Claim.diagnosis", "2027-01-01T00:00:00Z")
    assert matrix([one])[0].when == ("any any from 2027-01-01T00:00:00Z on",)


def test_with_more_moments_than_are_compared_no_widening_is_missed():
    name = "allow any any reveal name"
    rules = [
        rule("deny any any reveal health", f"20{27 + n}-01-01T00:00:00Z", f"20{27 + n}-02-01T00:00:00Z")
        for n in range(MOST_MOMENTS)
    ]
    allow = rule("allow any any reveal health")
    found = difference_in_time(content(name, *rules), content(name, *rules, allow), catalogue=CATALOGUE, now=NOW)
    assert widened(found) == {Category.HEALTH}
    gone = difference_in_time(
        content(name, *rules, allow), content(name, *rules[1:], allow), catalogue=CATALOGUE, now=NOW
    )
    assert widened(gone) == {Category.HEALTH}


def test_situations_are_told_in_words():
    every = [(Relation.ASSIGNED, basis) for basis in Basis]
    assert described(every) == "assigned any"
    assert described(every[1:]) == "assigned any but none"
    assert described(PAIRS) == "any any"
    two = [(Relation.ASSIGNED, Basis.NONE), (Relation.SELF, Basis.CONSENT)]
    assert described(two) == "assigned none, or self consent"
    assert described(two, joined=True) == "assigned none and self consent"
