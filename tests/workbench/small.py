"""A small world of rules: two roles' worth of words, over which every situation can be asked one by one."""

import itertools
from datetime import UTC, datetime

from hypothesis import strategies as st

from authz.catalogue import Catalogue, Coordinate
from authz.compile import assemble
from authz.rules import Budget, Rule, make_ruleset, parse_rule
from authz.ruleset_store import Content
from authz.situations import pair_bit
from authz.vocabulary import Action, Basis, DataSubject, Relation, RuleEffect
from models.vocabulary import Category, Purpose, Role

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CATALOGUE = Catalogue(
    {
        "User.name": Coordinate("User.name", Category.NAME, DataSubject.USER),
        "Claim.reporterName": Coordinate("Claim.reporterName", Category.NAME, DataSubject.REPORTER),
        "User.idNumber": Coordinate("User.idNumber", Category.GOVERNMENT_ID, DataSubject.USER),
        "User.birthDate": Coordinate("User.birthDate", Category.DEMOGRAPHIC, DataSubject.USER),
        "Claim.diagnosis": Coordinate("Claim.diagnosis", Category.HEALTH, DataSubject.INSURED),
    },
    writes={"Mutation.closeClaim"},
)
ROLE, PURPOSE = Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING
BUDGET = Budget(ROLE, PURPOSE, 10, 20, "C08")
WORLD = [
    pair_bit(relation, basis)
    for relation, basis in itertools.product(
        (Relation.NONE, Relation.ASSIGNED, Relation.PROVIDER), (Basis.NONE, Basis.CONTRACT_OPEN, Basis.REQUEST)
    )
]
"""Of each relation and basis that rules here name, and of one that none names."""
EVERY_SITUATION = [sum(chosen) for count in (1, 2, 3) for chosen in itertools.combinations(WORLD, count)]
SHOWN = ("name", "User.name", "government_id", "demographic", "health", "Claim.diagnosis")
MOMENTS = ("", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z")


def rule(words, *bounds):
    effect, relation, basis, action, obj = words.split()
    return parse_rule([effect, ROLE, PURPOSE, relation, basis, action, obj, "C08", *bounds], place="the test")


def content(*rules, budgets=(BUDGET,), cases="[]"):
    return Content(tuple(rule(one) if isinstance(one, str) else one for one in rules), tuple(budgets), cases)


def snapshot(rules, number=1):
    """The rules as if all of them held."""
    return assemble(make_ruleset(number, rules, catalogue=CATALOGUE), CATALOGUE)


@st.composite
def one_rule(draw, *, timed=False, objects=SHOWN):
    obj = draw(st.sampled_from((*objects, "Mutation.closeClaim")))
    writes = obj.startswith("Mutation")
    bounds = tuple(draw(st.sampled_from(MOMENTS)) for _ in range(2)) if timed else ("", "")
    if all(bounds) and bounds[0] >= bounds[1]:
        bounds = ("", "")
    return Rule(
        draw(st.sampled_from(RuleEffect)),
        ROLE,
        PURPOSE,
        draw(st.sampled_from(("none", "assigned", "any"))),
        draw(st.sampled_from(("none", "contract_open", "any"))),
        Action.WRITE if writes else draw(st.sampled_from((Action.REVEAL, Action.MASK, Action.FILTER))),
        obj,
        "C08",
        *bounds,
    )


def rule_sets(*, most=6, timed=False, objects=SHOWN):
    return st.lists(
        one_rule(timed=timed, objects=objects),
        min_size=1,
        max_size=most,
        unique_by=lambda one: (one.sentence, one.valid_from, one.valid_until),
    )
