"""Which pairs some record can ever witness: read off the statements that compute situations, so both say the same.

A rule that fits none of them is never used by anybody, whatever happens: a finding, not a fault.
"""

import itertools
import re
from functools import cache

from authz.catalogue import Catalogue
from authz.compile import Slice
from authz.rules import Rule
from authz.scope import scope_of, sees_audience
from authz.situations import NOTHING, pair_bit
from authz.vocabulary import Action, Basis, DataSubject, Relation, RuleEffect
from authz.witnesses import situation_sql
from models.vocabulary import Category, Purpose, Role

EVERY_PAIR = sum(pair_bit(relation, basis) for relation in Relation for basis in Basis)
FILTERS = frozenset({"User.phone", "User.idNumber"})
"""What rows can be looked up by; `resolvers.users` declares the same."""
NEVER_GIVEN = frozenset({Category.RELAY, Category.ACCOUNT, Category.TAG})
"""Data that no write takes: the brokerage makes them itself, and a username is chosen at the sign-up."""

_TABLES = {
    "User": "person",
    "Device": "device",
    "Policy": "policy",
    "Beneficiary": "beneficiary",
    "Claim": "claim",
}
_WRITTEN = (
    ("person", DataSubject.USER),
    ("device", DataSubject.USER),
    ("policy", DataSubject.HOLDER),
    ("claim", DataSubject.INSURED),
)
"""The rows whose situation decides about a write, and by whose tie (`resolvers.writing.targets`)."""
_NO_NAMES = Catalogue({})
# A pair as the statements have it: `CASE WHEN … THEN 64 ELSE 32 END`.
_PAIRS = re.compile(r"\b(?:THEN|ELSE) (\d+)\b")


def reachable(role: Role, purpose: Purpose, name: str, *, action: Action, catalogue: Catalogue) -> int:
    """The pairs, as bits, that can hold where a role asks for this coordinate or write; 0: it has no such rows."""
    if action == Action.WRITE:
        return _written(role, purpose, known=name in catalogue)
    if action == Action.FILTER:
        # Asked before any row is known. Who counts needs no rows of its own.
        if name in catalogue.counts:
            return NOTHING
        return NOTHING if name in FILTERS and "person" in scope_of(role, purpose) else 0
    coordinate = catalogue.get(name)
    table = _TABLES.get(name.partition(".")[0])
    if coordinate is None or table is None:
        return EVERY_PAIR
    return _of_rows(role, purpose, table, coordinate.of)


@cache
def _written(role: Role, purpose: Purpose, *, known: bool) -> int:
    """Data are given with a row; a write may be about no row of anybody."""
    tables = [place for place in _WRITTEN if place[0] in scope_of(role, purpose)]
    found = 0 if known and not tables else NOTHING
    for table, of in tables:
        found |= _of_rows(role, purpose, table, of)
    # What a holder gives of somebody whom they insure.
    return found | (pair_bit(Relation.HOLDER_OF, Basis.NONE) if role == Role.CUSTOMER else 0)


@cache
def _of_rows(role: Role, purpose: Purpose, table: str, of: DataSubject) -> int:
    if table not in scope_of(role, purpose) or (sees_audience(role, purpose) and table != "person"):
        return 0
    try:
        return (
            NOTHING
            | witnessed(_naming(role, purpose), table, of)
            | witnessed(_naming(role, purpose, without=Relation.AUDIENCE), table, of)
        )
    except KeyError:
        # No such person in rows of this table: nothing is known of it, so nothing is told.
        return EVERY_PAIR


def witnessed(compiled: Slice, table: str, of: DataSubject) -> int:
    """The pairs, as bits, that a slice's statement can give. Raises KeyError where the table has no such person."""
    sql = situation_sql(compiled, table, of=of)
    found = 0
    for part in sql.parts:
        for number in _PAIRS.findall(part.sql):
            found |= int(number)
    for mask in sql.masks:
        found |= pair_bit(mask.relation, mask.basis)
        if mask.relation is not Relation.NONE:
            found |= pair_bit(mask.relation, Basis.NONE)
    return found


def _naming(role: Role, purpose: Purpose, *, without: Relation | None = None) -> Slice:
    """A slice whose rules tell every pair apart: each that can be witnessed is computed for it."""
    rules = tuple(
        Rule(RuleEffect.ALLOW, role, purpose, relation, basis, Action.REVEAL, Category.NAME, "-")
        for relation, basis in itertools.product(Relation, Basis)
        if relation is not without
    )
    return Slice(role, purpose, rules=rules, of_role=frozenset(), catalogue=_NO_NAMES)
