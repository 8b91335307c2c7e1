"""Made-up rows of the ledger, and rules that are a little other than the default ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from authz.compile import compile_ruleset
from authz.default_ruleset import default_content
from authz.rules import Rule
from authz.situations import pair_bit
from authz.vocabulary import ANY, Action, Basis, Relation, RuleEffect
from authz.workbench.impact import Plans
from authz.workbench.impact_moments import Sides
from ledger.rows import Entry, Kind, Operation
from models.vocabulary import Category, Purpose, Role, to_bits
from schema.build import build_catalogue, build_schema

NOW = datetime(2031, 5, 20, 4, tzinfo=UTC)
EVERY = {"categories": to_bits(set(Category))}
OPEN, CLOSED = (pair_bit(Relation.UNDERWRITER, basis) for basis in (Basis.CONTRACT_OPEN, Basis.NONE))
SCHEMA = build_schema()
CATALOGUE = build_catalogue(SCHEMA)
DEFAULT = default_content()


def rule(role, purpose, relation, basis, action, obj, effect=RuleEffect.ALLOW):
    return Rule(effect, Role(role), Purpose(purpose), relation, basis, Action(action), obj, "C38")


def without(role, purpose, obj, *, action=None):
    """The default rules without those of a role and purpose on an object."""
    gone = [
        one
        for one in DEFAULT.rules
        if (one.role, one.purpose, one.object) == (role, purpose, obj) and action in (None, one.action)
    ]
    assert gone
    return replace(DEFAULT, rules=tuple(one for one in DEFAULT.rules if one not in gone))


def with_rules(*rules, content=DEFAULT):
    return replace(content, rules=(*content.rules, *rules))


def compiled(content):
    before = compile_ruleset(DEFAULT.ruleset(1, CATALOGUE), CATALOGUE)
    return Sides(before, compile_ruleset(content.ruleset(1, CATALOGUE), CATALOGUE, before=before))


def operation(*entries, persons=(7,), **more):
    """A claim read of an insurer's; entries: coordinates, effect, reason, situation, places of persons."""
    told = {
        "kind": Kind.READ,
        "role": Role.INSURER,
        "purpose": Purpose.CLAIM_HANDLING,
        "organization": UUID(int=1),
        "scope": EVERY,
        "digest": "d" * 64,
        **more,
    }
    groups = [(places, None) for *_, places in entries]
    made = [
        Entry(tuple(names.split()), effect, reason, situation, place)
        for place, (names, effect, reason, situation, _) in enumerate(entries)
    ]
    return Operation(decision=uuid4(), at=NOW - timedelta(days=1), persons=persons, groups=groups, entries=made, **told)


NUMBER = ("User.idNumber", "MASK", None, CLOSED, (0,))
REVEALED = with_rules(rule("insurer", "claim_handling", "underwriter", ANY, "reveal", "User.idNumber"))


async def nothing_planned(_):
    return Plans(0, (), ())
