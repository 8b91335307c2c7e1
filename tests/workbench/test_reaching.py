"""What a role can reach, and who can reach a field: the same as asking for every situation one by one."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.situations import pair_bit
from authz.vocabulary import ANY, Basis, Effect, Relation
from authz.workbench.reaching import EVERY_PAIR, in_words, pairs_in, reach, who
from authz.workbench.readings import Act, UnknownCoordinateError
from models.vocabulary import Purpose, Role
from schema.build import build_schema
from tests.rules import default_snapshot
from tests.workbench.engines import FIELDS, PURPOSES, ROLES, WRITES, Naive, Request, random_rules, seeded, snapshot_of

DEFAULT = default_snapshot(build_schema())
SINGLE = [frozenset({pair}) for pair in EVERY_PAIR]


def situation_of(held):
    return sum(pair_bit(*pair) for pair in held)


def asked_one_by_one(snapshot, role, purpose, coordinate, act, held):
    """By the compiled rules, which ask Casbin."""
    situation = situation_of(held)
    if act is Act.WRITE:
        return Effect.REVEAL if snapshot.writing(role, purpose).may_write(coordinate, situation) else Effect.DENY
    asked = snapshot.slice(role, purpose)
    if act is Act.FILTER:
        return Effect.REVEAL if asked.may_filter(coordinate, situation) else Effect.DENY
    return asked.table(coordinate)[situation]


@settings(max_examples=15, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_reach_and_who_are_equal_to_asking_one_by_one(seed):
    random = seeded(seed)
    rules = random_rules(random)
    snapshot, _ = snapshot_of(rules)
    role, purpose = random.choice(rules).role, random.choice(PURPOSES)
    situations = [*random.sample(SINGLE, 6), *(frozenset(random.sample(EVERY_PAIR, 3)) for _ in range(4))]
    reached = {(one.coordinate, one.act): one for one in reach(snapshot, role, purpose)}
    coordinate = random.choice((*FIELDS, *WRITES))
    able = {(one.role, one.purpose, one.act): one for one in who(snapshot, coordinate)}
    assert set(able) <= {(one, other, act) for one in ROLES for other in PURPOSES for act in Act}
    for held in situations:
        for name in (*FIELDS, *WRITES):
            for act in (Act.WRITE,) if name in WRITES else Act:
                found = reached.get((name, act))
                one_by_one = asked_one_by_one(snapshot, role, purpose, name, act, held)
                assert (found.effect(situation_of(held)) if found else Effect.DENY) is one_by_one
        for one, other in ((one, other) for one in ROLES for other in PURPOSES):
            for act in (Act.WRITE,) if coordinate in WRITES else Act:
                found = able.get((one, other, act))
                one_by_one = asked_one_by_one(snapshot, one, other, coordinate, act, held)
                assert (found.effect(situation_of(held)) if found else Effect.DENY) is one_by_one


@settings(max_examples=15, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_the_best_effect_is_the_best_of_all_situations_and_pairs_are_those_that_give_it(seed):
    random = seeded(seed)
    rules = random_rules(random)
    snapshot, _ = snapshot_of(rules)
    naive = Naive(rules)
    rule = random.choice(rules)
    for one in reach(snapshot, rule.role, rule.purpose)[:3]:
        for effect in (Effect.MASK, Effect.REVEAL):
            alone = pairs_in(one.under(effect))
            expected = {
                pair
                for pair in EVERY_PAIR
                if naive.answer(Request(one.role, one.purpose, one.coordinate, one.act, frozenset({pair}))) is effect
            }
            assert alone == expected
        together = (frozenset(some) for some in combinations(random.sample(EVERY_PAIR, 6), 2))
        assert all(one.effect(situation_of(held)) <= one.best for held in together)
        assert one.best is max(one.effect(situation_of(held)) for held in SINGLE)


@given(st.sets(st.sampled_from(EVERY_PAIR)))
def test_pairs_in_words_stand_for_exactly_these_pairs(pairs):
    assert pairs_in(in_words(pairs)) == pairs


def test_what_holds_always_is_said_in_two_words():
    assert in_words(EVERY_PAIR) == ((ANY, ANY),)
    assert in_words((relation, Basis.CONSENT) for relation in Relation) == ((ANY, "consent"),)
    assert in_words((Relation.SELF, basis) for basis in Basis) == (("self", ANY),)


def test_the_default_rules_reach_what_the_matrix_says():
    found = {(one.coordinate, one.act): one for one in reach(DEFAULT, Role.INSURER, Purpose.CLAIM_HANDLING)}
    diagnosis, number = found["Claim.diagnosis", Act.SHOW], found["User.idNumber", Act.SHOW]
    assert (diagnosis.best, diagnosis.under(Effect.REVEAL)) == (Effect.REVEAL, (("underwriter", "contract_open"),))
    assert diagnosis.under(Effect.MASK) == ()
    assert diagnosis.clauses == ("C38",)
    masked = pairs_in(number.under(Effect.MASK))
    assert masked == {(Relation.UNDERWRITER, basis) for basis in Basis if basis != Basis.CONTRACT_OPEN}
    assert ("User.tags", Act.SHOW) not in found
    service = {(one.coordinate, one.act) for one in reach(DEFAULT, Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE)}
    assert ("User.phone", Act.FILTER) in service
    assert ("User.email", Act.FILTER) not in service


def test_who_can_reach_a_field_is_every_role_and_purpose_that_some_rule_gives_it():
    able = {(one.role, one.purpose) for one in who(DEFAULT, "Claim.diagnosis") if one.act is Act.SHOW}
    assert (Role.INSURER, Purpose.CLAIM_HANDLING) in able
    assert (Role.MARKETER, Purpose.MARKETING) not in able
    assert not {role for role, _ in able} & {Role.SECURITY_ADMIN, Role.AUDITOR, Role.DEVELOPER}
    writers = {(one.role, one.purpose, one.act) for one in who(DEFAULT, "Mutation.recertifyGrant")}
    assert writers == {(Role.SECURITY_ADMIN, Purpose.ADMINISTRATION, Act.WRITE)}
    with pytest.raises(UnknownCoordinateError):
        who(DEFAULT, "User.id")
