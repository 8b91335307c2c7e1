"""A birth date never stands beside a masked ID number: told of all situations at once, and as Casbin answers each."""

import itertools
import time
from contextlib import suppress
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from authz.catalogue import Catalogue, Coordinate
from authz.compile import assemble, compile_ruleset
from authz.rules import Rule, RulesetError, make_ruleset
from authz.situations import pair_bit
from authz.vocabulary import ANY, Action, Basis, DataSubject, Effect, Relation, RuleEffect
from models.vocabulary import Category, Purpose, Role

PLACE = Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING
IDS = "User.idNumber", "Beneficiary.idNumber"
BIRTHS = "User.birthDate", "User.gender"
CATALOGUE = Catalogue(
    {
        **{name: Coordinate(name, Category.GOVERNMENT_ID, DataSubject.USER) for name in IDS},
        **{name: Coordinate(name, Category.DEMOGRAPHIC, DataSubject.USER) for name in BIRTHS},
    }
)
PAIRS = [
    pair_bit(relation, basis)
    for relation in (Relation.NONE, Relation.ASSIGNED, Relation.HOLDER_OF)
    for basis in (Basis.NONE, Basis.CONTRACT_OPEN, Basis.CONSENT)
]
"""Those of others that the rules below tell apart, of a relation and a basis that they name only as `any` too."""
MOST = 2 + len(IDS)
"""Pairs that it takes at most: one that reveals, one that masks, and for each number one that denies to reveal it."""
SITUATIONS = [sum(some) for count in range(1, MOST + 1) for some in itertools.combinations(PAIRS, count)]
RULES = st.lists(
    st.builds(
        Rule,
        st.sampled_from(RuleEffect),
        st.just(PLACE[0]),
        st.just(PLACE[1]),
        st.sampled_from((Relation.NONE, Relation.ASSIGNED, Relation.SELF, ANY)),
        st.sampled_from((Basis.NONE, Basis.CONTRACT_OPEN, ANY)),
        st.sampled_from((Action.REVEAL, Action.MASK)),
        st.sampled_from((Category.GOVERNMENT_ID.value, Category.DEMOGRAPHIC.value, *IDS, *BIRTHS)),
        st.just("C19"),
    ),
    min_size=2,
    max_size=7,
    unique_by=lambda one: one.sentence,
)


def shows_both(ruleset) -> bool:
    """Does Casbin answer so in some situation, each asked of it?"""
    compiled = assemble(ruleset, CATALOGUE).slice(*PLACE)

    def best(names, situation):
        return max(compiled.table(name)[situation] for name in names)

    return any(best(BIRTHS, one) is Effect.REVEAL and best(IDS, one) is Effect.MASK for one in SITUATIONS)


@given(RULES)
@settings(max_examples=25, deadline=None)
def test_it_is_refused_exactly_where_some_situation_shows_both(rules):
    ruleset = make_ruleset(1, rules, catalogue=CATALOGUE)
    refused = True
    with suppress(RulesetError):
        compile_ruleset(ruleset, CATALOGUE)
        refused = False
    assert refused == shows_both(ruleset)


def test_many_denies_in_many_slices_take_no_time_to_check():
    """Situations of three pairs of these are in the ten thousands, of each slice."""
    denied = {RuleEffect.ALLOW: Action.REVEAL, RuleEffect.DENY: Action.MASK}
    words = itertools.product(denied.items(), list(Relation)[:6], list(Basis)[:6])
    rows = [
        Rule(effect, *PLACE, relation, basis, action, Category.GOVERNMENT_ID.value, "C19")
        for (effect, action), relation, basis in words
    ]
    rows += [replace(one, object=Category.DEMOGRAPHIC.value) for one in rows if one.effect == RuleEffect.ALLOW]
    some = [(role, PLACE[1]) for role in list(Role)[:6]]
    rules = [replace(one, role=role, purpose=purpose) for role, purpose in some for one in rows]
    assert len(rules) > 405
    ruleset = make_ruleset(1, rules, catalogue=CATALOGUE)
    begun = time.process_time()
    compile_ruleset(ruleset, CATALOGUE)
    assert time.process_time() - begun < 0.5
