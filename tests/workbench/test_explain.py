"""Why this answer: each rule about it with what fails, the smallest change for more, and only what may be known."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.narrowing import Narrowing, Only
from authz.rules import moment_text, parse_rule
from authz.situations import NOTHING, pair_bit
from authz.vocabulary import Basis, Effect, Reason, Relation
from authz.workbench.explain import Failed, explain, explain_untold, idle_rules
from authz.workbench.missing import _stepped_up, answered, smallest_missing
from authz.workbench.readings import Act, Reading, Token, UnknownCoordinateError, knows_basis
from authz.workbench.wording import answer_said, candidate_said, missing_said, rule_said
from models.vocabulary import Category, Purpose, Role, to_bits
from tests.workbench.engines import AT, MOMENTS, PAIRS, PURPOSES, random_requests, random_rules, seeded, snapshot_of

EVERY = to_bits(set(Category))
TIED = pair_bit(Relation.UNDERWRITER, Basis.NONE)
OPEN = pair_bit(Relation.UNDERWRITER, Basis.CONTRACT_OPEN)
LATER, EARLIER = (moment_text(MOMENTS[place]) for place in (-1, 0))


def rule(words, *bounds, role="insurer", purpose="claim_handling"):
    effect, relation, basis, action, obj = words.split()
    return parse_rule([effect, role, purpose, relation, basis, action, obj, "C38", *bounds], place="the test")


def snapshot(*rules):
    return snapshot_of([rule(one) if isinstance(one, str) else one for one in rules])[0]


def asked(found, coordinate="Claim.diagnosis", situation=NOTHING, purpose=Purpose.CLAIM_HANDLING, **more):
    return explain(found, Role.INSURER, purpose, coordinate, situation, **more)


def failed(explanation):
    return {rule_said(one.rule).split(" (")[0]: set(one.failed) for one in explanation.candidates}


def test_each_rule_about_the_field_is_told_with_every_condition_that_fails():
    found = asked(
        snapshot(
            "allow underwriter contract_open reveal health",
            "allow assigned any mask Claim.diagnosis",
            "allow any consent filter health",
            rule("allow underwriter none reveal health", purpose="policy_service"),
            "allow any any reveal name",
            rule("allow any any reveal health", role="customer"),
        ),
        situation=TIED,
    )
    assert failed(found) == {
        "allow insurer for claim_handling, when underwriter and contract_open, to reveal health": {Failed.BASIS},
        "allow insurer for claim_handling, when assigned, to mask Claim.diagnosis": {
            *(Failed.RELATION, Failed.UNMASKABLE),
        },
        "allow insurer for claim_handling, when consent, to filter health": {Failed.ACTION, Failed.BASIS},
        "allow insurer for policy_service, when underwriter and no basis, to reveal health": {Failed.PURPOSE},
    }
    assert (found.effect, found.reason, found.clauses) == (Effect.DENY, Reason.RELATION, ())
    assert [len(one.failed) for one in found.candidates] == [1, 1, 2, 2]


def test_halves_of_two_records_fail_together_and_a_deny_overrides_what_holds():
    rules = snapshot("allow underwriter contract_open reveal health", "deny any consent reveal health")
    halves = TIED | pair_bit(Relation.NONE, Basis.CONTRACT_OPEN)
    (allow,) = [one for one in asked(rules, situation=halves).candidates if one.rule.effect == "allow"]
    assert allow.failed == (Failed.TOGETHER,)
    denied = asked(rules, situation=OPEN | pair_bit(Relation.NONE, Basis.CONSENT))
    assert (denied.reason, denied.clauses) == (Reason.RULE_DENIES, ("C38",))
    assert {one.rule.effect.value: one.failed for one in denied.candidates} == {
        "allow": (Failed.OVERRIDDEN,),
        "deny": (),
    }
    assert denied.missing is None, "no further pair takes a deny away"


def test_a_rule_before_and_after_its_time_is_told_as_such():
    rules = [
        rule("allow any any reveal health", LATER, ""),
        rule("allow any any mask health", "", EARLIER),
        rule("allow any any reveal name", LATER, ""),
    ]
    found, whole = snapshot_of([*rules, rule("deny self any reveal health")])
    told = asked(found, idle=idle_rules(whole, AT))
    assert {one.rule: one.failed for one in told.candidates if one.rule in rules} == {
        rules[0]: (Failed.NOT_YET,),
        rules[1]: (Failed.EXPIRED, Failed.UNMASKABLE),
    }
    assert told.effect is Effect.DENY


def test_writes_and_look_ups_are_explained_like_what_is_shown():
    found = snapshot("allow underwriter contract_open write Mutation.submitClaim", "allow none none filter name")
    write = asked(found, "Mutation.submitClaim", TIED)
    assert (write.act, write.effect, write.reason) == (Act.WRITE, Effect.DENY, Reason.BASIS)
    assert write.missing.pair == (Relation.UNDERWRITER, Basis.CONTRACT_OPEN)
    assert asked(found, "Mutation.submitClaim", OPEN).effect is Effect.REVEAL
    assert asked(found, "User.name", act=Act.FILTER).effect is Effect.REVEAL
    assert asked(found, "User.name", OPEN, act=Act.FILTER).reason is Reason.RELATION
    assert asked(found, "User.name", act=Act.SHOW).reason is Reason.ROLE


def test_a_field_that_no_rule_can_be_about_is_refused():
    for name in ("User.id", "health", "", "Mutation.logIn"):
        with pytest.raises(UnknownCoordinateError, match="public"):
            asked(snapshot("allow any any reveal health"), name)


@pytest.mark.parametrize(
    "narrowing,categories,effect,reason,gives",
    [
        (Narrowing(), EVERY, Effect.REVEAL, None, None),
        (Narrowing(), EVERY & ~Category.GOVERNMENT_ID.bit, Effect.DENY, Reason.TOKEN_SCOPE, Effect.REVEAL),
        (Narrowing(most=Effect.MASK), EVERY, Effect.MASK, None, Effect.REVEAL),
        (Narrowing(step_up=True), EVERY, Effect.DENY, Reason.STEP_UP, Effect.REVEAL),
    ],
)
def test_a_token_that_decided_is_told_and_what_another_would_give(narrowing, categories, effect, reason, gives):
    found = snapshot("allow any any reveal government_id")
    told = asked(found, "User.idNumber", token=Token(categories, narrowing))
    assert (told.effect, told.reason, told.by_rules) == (effect, reason, Effect.REVEAL)
    expected = Reason.STEP_UP if narrowing.step_up else Reason.TOKEN_SCOPE
    assert (told.missing and (told.missing.gives, told.missing.token)) == (gives and (gives, (expected,)))


def test_the_smallest_change_is_a_pair_another_purpose_or_both():
    rules = snapshot(
        "allow underwriter contract_open reveal health",
        "allow any any reveal financial",
        rule("allow none none reveal name", purpose="policy_service"),
        rule("allow provider consent reveal government_id", purpose="rights_request"),
    )
    near = asked(rules, situation=TIED).missing
    assert (near.pair, near.purpose, near.gives) == ((Relation.UNDERWRITER, Basis.CONTRACT_OPEN), None, Effect.REVEAL)
    other = asked(rules, "User.name").missing
    assert (other.pair, other.purpose) == (None, Purpose.POLICY_SERVICE)
    both = asked(rules, "User.idNumber").missing
    assert (both.pair, both.purpose, both.changes) == (
        *((Relation.PROVIDER, Basis.CONSENT), Purpose.RIGHTS_REQUEST, 2),
    )
    assert asked(rules, "Claim.bankCard").missing is None
    assert asked(rules, "Policy.premium").missing is None, "there is no more than all"


def test_fewer_changes_come_before_more_that_is_given_and_that_before_less():
    rules = snapshot(
        "allow self consent mask name",
        "allow holder_of consent reveal name",
        "allow self consent mask government_id",
        rule("allow any consent reveal government_id", purpose="policy_service"),
    )
    name = asked(rules, "User.name").missing
    assert (name.pair, name.gives) == ((Relation.HOLDER_OF, Basis.CONSENT), Effect.REVEAL)
    number = asked(rules, "User.idNumber").missing
    assert (number.pair, number.purpose, number.gives) == ((Relation.SELF, Basis.CONSENT), None, Effect.MASK)


def test_of_pairs_that_would_do_the_nearest_is_told_with_the_narrowest_rule():
    rules = snapshot("allow any contract_open reveal health", "allow underwriter contract_open reveal Claim.diagnosis")
    told = asked(rules, situation=TIED).missing
    assert told.pair == (Relation.UNDERWRITER, Basis.CONTRACT_OPEN)
    assert told.rule.object == "Claim.diagnosis"


def changes(reading, request, parts):
    """Every set of changes there is, with what the compiled rules then answer."""
    token = request.token
    tokens = [(0, token)]
    if token is not None and reading.category is not None:
        wider = Token(token.categories | reading.category.bit, replace(token.narrowing, most=Effect.REVEAL))
        tokens = [(0, token), (1, wider), (1, Token(token.categories, _stepped_up(token.narrowing)))]
        tokens.append((2, Token(wider.categories, _stepped_up(wider.narrowing))))
    for purpose, pair, (size, other) in product(PURPOSES, (None, *PAIRS), tokens):
        held = tuple(one if pair is None else one | {pair} for one in parts)
        cost = size + (purpose != request.purpose) + (pair is not None)
        yield cost, answered(reading, purpose, held, other)


@settings(max_examples=25, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_no_fewer_changes_would_give_more_and_those_told_do(seed):
    random = seeded(seed)
    rules = random_rules(random)
    (request,) = random_requests(rules, random, 1)
    # What only some records witness is compared elsewhere: here the situation is one.
    token = request.token and Token(request.token.categories, replace(request.token.narrowing, only=Only.ALL))
    request = replace(request, token=token, held=request.held - {PAIRS[0]} or frozenset({PAIRS[0]}))
    found, _ = snapshot_of(rules)
    reading = Reading(found, request.role, request.coordinate, request.act)
    parts = (request.held,)
    told = smallest_missing(reading, request.purpose, parts, request.token)
    now = answered(reading, request.purpose, parts, request.token)
    untied = request.held == {PAIRS[0]}
    every = [one for one in changes(reading, request, parts) if one[1] > now]
    if told is None:
        assert every == []
        return
    smallest = min((cost for cost, _ in every), default=told.changes)
    assert told.changes <= smallest
    # Where nothing held, a pair that is witnessed replaces that.
    assert untied or (told.changes, told.gives) == (
        *(smallest, max(effect for cost, effect in every if cost == smallest)),
    )
    assert told.gives > now


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_whoever_may_not_know_a_basis_is_told_the_same_whatever_holds(seed):
    random = seeded(seed)
    rules = random_rules(random)
    found, _ = snapshot_of(rules)
    (request,) = random_requests(rules, random, 1)
    told = {}
    reading = Reading(found, request.role, request.coordinate, request.act)
    for pair in PAIRS:
        held = frozenset({pair})
        if knows_basis(request.role, held):
            continue
        effect = reading.answer(request.purpose, (held,), None)
        reason = None if effect else reading.reason(request.purpose, (held,), None)
        asked_as = request.role, request.purpose, request.coordinate
        one = explain_untold(found, *asked_as, act=request.act, effect=effect, reason=reason)
        assert told.setdefault((effect, reason), one) == one
        assert one.pairs is None
        assert not {Failed.RELATION, Failed.BASIS, Failed.TOGETHER, Failed.OVERRIDDEN} & {
            each for candidate in one.candidates for each in candidate.failed
        }
        if one.missing is not None and one.missing.purpose is None:
            more = answered(reading, request.purpose, (held | {one.missing.pair},), None)
            assert more >= one.missing.gives > effect, "and it is true for each of them"


def test_of_rules_that_are_for_this_it_is_not_told_whether_they_hold():
    rules = snapshot("allow underwriter contract_open reveal health")
    told = explain_untold(
        rules,
        *(Role.INSURER, Purpose.CLAIM_HANDLING, "Claim.diagnosis"),
        act=Act.SHOW,
        effect=Effect.DENY,
        reason=Reason.RELATION,
    )
    assert [(one.holds, one.failed) for one in told.candidates] == [(None, ())]
    assert told.missing.pair == (Relation.UNDERWRITER, Basis.CONTRACT_OPEN)
    shown = replace(told, effect=Effect.REVEAL, reason=None)
    assert (shown.pairs, shown.by_rules) == (None, None)


def test_two_situations_are_explained_by_the_one_that_gives_less():
    rules = snapshot("allow any any reveal health", "deny underwriter none reveal health")
    token = Token(EVERY, Narrowing(only=Only.POLICIES))
    found = asked(rules, situation=NOTHING | TIED << 64, token=token)
    assert (found.effect, found.reason) == (Effect.DENY, Reason.RULE_DENIES)
    assert found.pairs == ((Relation.UNDERWRITER, Basis.NONE),)
    assert asked(rules, situation=NOTHING | NOTHING << 64, token=token).effect is Effect.REVEAL


def test_what_is_found_reads_as_sentences():
    timed = rule("allow any consent mask name", "", LATER)
    found = asked(snapshot(timed, "deny none any reveal name"), "User.name", TIED)
    assert rule_said(timed) == (f"allow insurer for claim_handling, when consent, to mask name until {LATER} (C38)")
    assert answer_said(found) == (
        "insurer for claim_handling, show User.name: DENY,"
        " since nothing ties the subject to the person as a rule asks (RELATION)"
    )
    assert missing_said(found.missing, found.act) == "one record that witnesses underwriter/consent would give MASK"
    assert {candidate_said(one) for one in found.candidates} == {
        "the basis is not open",
        "the relation does not hold",
    }
