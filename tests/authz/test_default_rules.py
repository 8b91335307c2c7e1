"""The default ruleset says exactly what the matrix and its grants say: every rule counts, and none is missing."""

import pytest

from authz.compile import slice_of
from authz.default_rules import RULES, generated, read_necessity
from authz.rules import make_ruleset, read_rules
from authz.situations import NOTHING, pair_bit
from authz.vocabulary import ANY, Action, Basis, Effect, Relation
from models.vocabulary import Category, Purpose, Role
from schema.build import build_schema
from tests.rules import default_snapshot

SNAPSHOT = default_snapshot(build_schema())
RULE_LIST = [rule for rule in SNAPSHOT.ruleset.rules if rule.action != Action.WRITE]
MATRIX = read_necessity()
LEVELS = (Effect.DENY, Effect.MASK, Effect.REVEAL)
FILTERS = {(Role(rule.role), rule.purpose, rule.object) for rule in RULE_LIST if rule.action == Action.FILTER}


def situations(role, purpose):
    """Every single pair that the rows of a (role, purpose) name, `any` standing for none, and a foreign pair."""
    rows = [row for row in MATRIX if (row.role, row.purpose) == (role, purpose)]
    for relation in {row.relation for row in rows} | {"none", "assigned"}:
        for basis in {row.basis for row in rows} | {"none", "contract_open"}:
            yield "none" if relation == ANY else relation, "none" if basis == ANY else basis


def level(role, purpose, category, relation, basis):
    fitting = [
        row.levels[category]
        for row in MATRIX
        if (row.role, row.purpose) == (role, purpose) and row.relation in (relation, ANY) and row.basis in (basis, ANY)
    ]
    return LEVELS[max(fitting, default=0)]


def mismatches(compiled, categories):
    """Where a slice does not answer as the matrix does, and which filters it does not allow as granted."""
    found = []
    for name, coordinate in SNAPSHOT.catalogue.items():
        if coordinate.category not in categories:
            continue
        for relation, basis in set(situations(compiled.role, compiled.purpose)):
            situation = pair_bit(Relation(relation), Basis(basis))
            wanted = level(compiled.role, compiled.purpose, coordinate.category, relation, basis)
            if compiled.decide(name, situation) != wanted:
                found.append((name, relation, basis))
        granted = (compiled.role, compiled.purpose, coordinate.category.value) in FILTERS
        if compiled.may_filter(name, NOTHING) != granted:
            found.append((name, "filter", ""))
    counting = {name for name in SNAPSHOT.catalogue.counts if compiled.may_filter(name, NOTHING)}
    granted = {obj for role, purpose, obj in FILTERS if (role, purpose) == (compiled.role, compiled.purpose)}
    return found + [(name, "filter", "") for name in counting ^ (granted & SNAPSHOT.catalogue.counts)]


def test_the_rule_files_are_those_the_matrix_generates():
    assert {path.name: path.read_text() for path in RULES.glob("*.csv")} == generated()


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("purpose", list(Purpose))
def test_every_role_and_purpose_gets_what_the_matrix_says_and_nothing_else(role, purpose):
    assert mismatches(SNAPSHOT.slice(role, purpose), set(Category)) == []


@pytest.mark.parametrize(
    "rule", RULE_LIST, ids=lambda rule: f"{rule.role}-{rule.purpose}-{rule.relation}-{rule.object}"
)
def test_without_any_single_rule_some_cell_is_answered_otherwise(rule):
    others = [other for other in RULE_LIST if other != rule]
    ruleset = make_ruleset(2, others, catalogue=SNAPSHOT.catalogue)
    compiled = slice_of(ruleset, rule.role, rule.purpose, catalogue=SNAPSHOT.catalogue)
    assert mismatches(compiled, {one for one in Category if one == rule.object})


def test_no_rule_repeats_what_a_broader_one_grants():
    strength = {Action.MASK: 1, Action.REVEAL: 2}
    for rule in RULE_LIST:
        for other in RULE_LIST:
            same = (rule.role, rule.purpose, rule.object) == (other.role, other.purpose, other.object)
            if same and rule != other and rule.action in strength and other.action in strength:
                broader = other.relation in (ANY, rule.relation) and other.basis in (ANY, rule.basis)
                assert not (broader and strength[other.action] >= strength[rule.action]), (rule, other)


def test_the_default_ruleset_has_no_deny_rule():
    assert {rule.effect.value for rule in read_rules(RULES)} == {"allow"}
