"""What is said of a decision before any row is read holds for every row, and says no more than need be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from authz.compile import READING, slice_of
from authz.possible import OTHERWISE, cases, effects, unheard
from authz.rules import Rule, Ruleset
from authz.situations import pair_bit
from authz.vocabulary import ANY, Action, Basis, Effect, Relation, RuleEffect
from models.vocabulary import Purpose, Role
from schema.build import build_catalogue, build_schema

CATALOGUE = build_catalogue(build_schema())
ROLE, PURPOSE = Role.INSURER, Purpose.CLAIM_HANDLING
OBJECTS = ("User.phone", "phone", "User.name")
RELATIONS = (ANY, Relation.NONE, Relation.UNDERWRITER)
BASES = (ANY, Basis.NONE, Basis.CONTRACT_OPEN)


@st.composite
def rules(draw):
    words = st.builds(
        Rule,
        effect=st.sampled_from(RuleEffect),
        role=st.just(ROLE),
        purpose=st.just(PURPOSE),
        relation=st.sampled_from(RELATIONS).map(str),
        basis=st.sampled_from(BASES).map(str),
        action=st.sampled_from((Action.REVEAL, Action.MASK, Action.FILTER)),
        object=st.sampled_from(OBJECTS),
        clause=st.just("C38"),
    )
    return tuple(draw(st.lists(words, min_size=1, max_size=5, unique=True)))


def compiled(some):
    return slice_of(Ruleset(1, some, {}, ""), ROLE, PURPOSE, catalogue=CATALOGUE, actions=READING)


def pairs(one):
    """Every pair that a situation computed for a slice may hold."""
    return [
        pair_bit(relation, basis) for relation in one.relations | {Relation.NONE} for basis in one.bases | {Basis.NONE}
    ]


@settings(max_examples=60, deadline=None)
@given(rules(), st.data())
def test_every_effect_of_every_situation_is_foreseen(some, data):
    one = compiled(some)
    foreseen = effects(one, "User.phone", one.table("User.phone").__getitem__)
    for _ in range(5):
        held = data.draw(st.sets(st.sampled_from(pairs(one))))
        assert one.table("User.phone")[sum(held)] in foreseen


@settings(max_examples=40, deadline=None)
@given(rules())
def test_no_effect_is_foreseen_that_no_situation_has(some):
    one = compiled(some)
    table, bits = one.table("User.phone"), pairs(one)
    every = {table[left | right] for left in bits for right in bits}
    assert effects(one, "User.phone", table.__getitem__) == every


@settings(max_examples=40, deadline=None)
@given(rules())
def test_where_a_relation_is_known_only_situations_with_it_count(some):
    one = compiled(some)
    table = one.table("User.phone")
    known = effects(one, "User.phone", table.__getitem__, always=Relation.UNDERWRITER)
    if Relation.UNDERWRITER not in one.relations:
        assert known == effects(one, "User.phone", table.__getitem__)
        return
    tied = [pair_bit(Relation.UNDERWRITER, basis) for basis in one.bases | {Basis.NONE}]
    assert known == {table[own | left | right] for own in tied for left in pairs(one) for right in pairs(one)}


@settings(max_examples=40, deadline=None)
@given(rules())
def test_a_case_says_what_its_pair_comes_to_and_the_last_what_nothing_comes_to(some):
    one = compiled(some)
    table = one.table("User.phone")
    *named, last = cases(one, "User.phone", table.__getitem__)
    assert last.words == OTHERWISE
    assert last.effect is table[0]
    for case in named:
        assert case.effect is table[case.situation]
        assert case.effect is not last.effect or any(rule.effect == RuleEffect.DENY for rule in some)
        assert case.clause == "C38" or case.effect is Effect.DENY


def test_a_pair_that_a_rule_denies_is_told_even_where_nothing_else_is_shown():
    one = compiled((rule("underwriter", ANY), rule(ANY, "contract_open", RuleEffect.DENY)))
    table = one.table("User.phone")
    told = [case.line for case in cases(one, "User.phone", table.__getitem__)]
    assert told == ["underwriter: REVEAL", "contract_open: DENY", "otherwise: DENY"]
    assert table[pair_bit(Relation.UNDERWRITER, Basis.CONTRACT_OPEN)] is Effect.DENY


def test_what_a_situation_was_not_computed_for_is_told_apart():
    before = compiled((rule("underwriter", "contract_open"),))
    after = compiled((rule("underwriter", "contract_open"), rule("underwriter", "consent")))
    told = unheard(after, of=before)
    assert set(told) == {pair_bit(Relation.UNDERWRITER, Basis.CONSENT), pair_bit(Relation.NONE, Basis.CONSENT)}
    assert unheard(before, of=after) == []
    assert set(unheard(before, of=None)) == set(pairs(before))


def rule(relation, basis, effect=RuleEffect.ALLOW):
    action = Action.REVEAL if effect == RuleEffect.ALLOW else Action.MASK
    return Rule(effect, ROLE, PURPOSE, relation, basis, action, "phone", "C38")
