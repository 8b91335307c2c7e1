"""The matrix: what a cell shows is what its rules say, and an edit of a cell makes it show what was asked for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.rules import Rule
from authz.vocabulary import ANY, MASKABLE, Action, Basis, Relation, RuleEffect
from console.matrix import DENY, MASK, NOTHING, REVEAL, cells, edited, possible
from models.vocabulary import Category, Purpose, Role
from schema.build import build_catalogue, build_schema

CATALOGUE = build_catalogue(build_schema())
ROLE, PURPOSE = Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING
PAIRS = st.tuples(st.sampled_from((ANY, *Relation)).map(str), st.sampled_from((ANY, *Basis)).map(str))


def rule(category, pair, action, effect=RuleEffect.ALLOW, role=ROLE):
    return Rule(effect, role, PURPOSE, *pair, action, str(category), "C08")


RULES = st.lists(
    st.builds(
        rule,
        st.sampled_from(Category),
        PAIRS,
        st.sampled_from((Action.REVEAL, Action.MASK)),
        st.sampled_from(RuleEffect),
        st.sampled_from((ROLE, Role.INSURER)),
    ),
    max_size=12,
    unique=True,
)


@settings(deadline=None)
@given(rules=RULES, category=st.sampled_from(Category), data=st.data())
def test_an_edited_cell_shows_what_was_asked_for_and_no_other_changes(rules, category, data):
    wanted = data.draw(st.dictionaries(PAIRS, st.sampled_from(possible(category)), max_size=4))
    change = edited(rules, ROLE, PURPOSE, category, wanted=wanted, clause="C55")
    assert set(change.remove) <= set(rules)
    after = [one for one in rules if one not in change.remove] + list(change.add)
    before, now = cells(rules, PURPOSE, CATALOGUE), cells(after, PURPOSE, CATALOGUE)
    shown = now.get(ROLE, {}).get(category)
    for pair, letter in wanted.items():
        assert (shown.pairs.get(pair, NOTHING) if shown else NOTHING) == letter
    untouched = {pair: one for pair, one in (shown.pairs if shown else {}).items() if pair not in wanted}
    old = before.get(ROLE, {}).get(category)
    assert untouched == {pair: one for pair, one in (old.pairs if old else {}).items() if pair not in wanted}
    for role, row in before.items():
        for other, cell in row.items():
            if (role, other) != (ROLE, category):
                assert now[role][other] == cell


@settings(deadline=None)
@given(rules=RULES, category=st.sampled_from(Category), data=st.data())
def test_what_stays_as_it_is_changes_no_row(rules, category, data):
    cell = cells(rules, PURPOSE, CATALOGUE).get(ROLE, {}).get(category)
    pairs = dict(cell.pairs) if cell else {}
    allowed = {pair: letter for pair, letter in pairs.items() if letter in possible(category)}
    change = edited(rules, ROLE, PURPOSE, category, wanted=allowed, clause="")
    assert (change.add, change.remove) == ((), ())


@pytest.mark.parametrize("category", sorted(set(Category) - MASKABLE))
def test_what_has_no_masked_form_cannot_be_masked(category):
    with pytest.raises(ValueError, match=MASK):
        edited([], ROLE, PURPOSE, category, wanted={(ANY, ANY): MASK}, clause="C55")


def test_rules_on_fields_denials_and_bounds_are_seen_in_the_cell():
    rules = [
        rule(Category.HEALTH, (ANY, ANY), Action.REVEAL, RuleEffect.DENY),
        rule("Claim.diagnosis", ("assigned", ANY), Action.REVEAL),
        Rule(RuleEffect.ALLOW, ROLE, PURPOSE, ANY, ANY, Action.MASK, "name", "C1", "", "2027-01-01T00:00:00Z"),
        rule(Category.PHONE, (ANY, ANY), Action.FILTER),
    ]
    row = cells(rules, PURPOSE, CATALOGUE)[ROLE]
    assert row[Category.HEALTH].letter == REVEAL
    assert [one.effect for one in row[Category.HEALTH].denied] == [RuleEffect.DENY]
    assert (row[Category.NAME].letter, row[Category.NAME].timed) == (MASK, True)
    assert Category.PHONE not in row
    assert DENY not in {cell.letter for cell in row.values()}
