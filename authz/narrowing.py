"""What a token narrows: its kinds as a plan depends on them, effects bounded by them, and the rows left by a caveat.

docs/decisions/005-narrowing.md says how this is read. Numbers and codes are the caller's own: bind parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from authz.catalogue import Coordinate
from authz.caveats import MaskOnly, OnlyPolicies, OnlyProducts, RowCeiling, Until, Use
from authz.compile import EffectTable, Slice
from authz.subjects import Subject
from authz.vocabulary import MASKABLE, Effect, Reason
from authz.witnesses import Part, SituationSql
from models.vocabulary import PERSON_ROLES, Category, Purpose

STEP_UP = frozenset({Category.GOVERNMENT_ID, Category.BANK_ACCOUNT})
"""What identifies or pays: it waits for a second factor."""
_WHOLE_SHIFT = 64


class Only(StrEnum):
    """Which policies exist for a token: all, those of some numbers, or those of some products."""

    ALL = "all"
    POLICIES = "policies"
    PRODUCTS = "products"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The kinds of narrowing that a plan depends on."""

    only: Only = Only.ALL
    most: Effect = Effect.REVEAL
    """The most that any cell is shown."""
    step_up: bool = False
    """Must numbers that identify or pay wait for a second factor? It runs out, so it is asked for every operation."""


def narrowing_of(subject: Subject, purpose: Purpose, *, now: datetime) -> Narrowing:
    """How a subject's token narrows an operation. Raises ValueError for two caveats on policies or products."""
    asked_of = subject.role in PERSON_ROLES and purpose == Purpose.RIGHTS_REQUEST
    step_up = asked_of and subject.stepped_up_until <= now.timestamp()
    return Narrowing(_only(subject), _most(subject, now), step_up) if subject.caveats or step_up else _NOTHING


_NOTHING = Narrowing()


def _only(subject: Subject) -> Only:
    rows = [one for one in subject.caveats if isinstance(one, OnlyPolicies | OnlyProducts)]
    if len(rows) > 1:
        # One of them would go unheeded.
        message = "a token narrowed to policies or products twice"
        raise ValueError(message)
    if not rows:
        return Only.ALL
    return Only.POLICIES if isinstance(rows[0], OnlyPolicies) else Only.PRODUCTS


def _most(subject: Subject, now: datetime) -> Effect:
    """The most that the caveats on effect and time let through. A token out of time is refused long before."""
    bounds = [one for one in subject.caveats if isinstance(one, MaskOnly | Until)]
    uses = (Use(now=int(now.timestamp()), effect=effect) for effect in Effect)
    within = (use.effect for use in uses if all(one.verify(use) is None for one in bounds))
    return max(within, default=Effect.DENY)


def bound_names(subject: Subject) -> dict[str, Any]:
    """The numbers and codes of a token's caveats, by the names that narrowed statements bind them under."""
    found: dict[str, Any] = {}
    for caveat in subject.caveats:
        if isinstance(caveat, OnlyPolicies):
            found["token_policies"] = list(caveat.numbers)
        elif isinstance(caveat, OnlyProducts):
            found["token_products"] = list(caveat.codes)
    return found


def row_ceiling(subject: Subject) -> RowCeiling | None:
    """The lowest ceiling of rows shown, if the token has one."""
    ceilings = (one for one in subject.caveats if isinstance(one, RowCeiling))
    return min(ceilings, key=lambda one: one.rows, default=None)


def let_through(ceiling: RowCeiling, *, shown: int, count: int) -> int:
    """How many of `count` rows are within a ceiling, where `shown` counts them and all before them."""
    before = shown - count
    return sum(ceiling.verify(Use(rows=before + place)) is None for place in range(1, count + 1))


# Effects.


def refused(category: Category, categories: int, narrowing: Narrowing) -> Reason | None:
    """TOKEN_SCOPE where a token shows nothing of a category in any situation; its columns are not even read."""
    listed = categories & category.bit
    return None if listed and _most_of(category, narrowing) else Reason.TOKEN_SCOPE


def _most_of(category: Category, narrowing: Narrowing) -> Effect:
    unmaskable = narrowing.most is Effect.MASK and category not in MASKABLE
    return Effect.DENY if unmaskable else narrowing.most


def effects_of(compiled: Slice, coordinate: Coordinate, narrowing: Narrowing) -> "EffectTable | NarrowedTable":
    """The effects of a coordinate by situation: what the rules say, and no more than the token allows."""
    rules = compiled.table(coordinate.name)
    most = _most_of(coordinate.category, narrowing)
    step_up = narrowing.step_up and coordinate.category in STEP_UP
    compared = compares(compiled, narrowing)
    if most is Effect.REVEAL and not step_up and not compared:
        return rules
    return NarrowedTable(rules, most, step_up=step_up, compared=compared)


def compares(compiled: Slice, narrowing: Narrowing) -> bool:
    """Must the situation that every record witnesses be computed too, lest fewer witnesses show more?"""
    return narrowing.only is not Only.ALL and compiled.loosens


def both(narrowed: int, whole: int) -> int:
    """Two situations as one: what the records left to the token witness, and what all of them do."""
    return narrowed | whole << _WHOLE_SHIFT


class NarrowedTable(dict[int, Effect]):
    """The effect of one coordinate by situation, bounded by the token; `compared` situations are of `both`."""

    def __init__(self, rules: EffectTable, most: Effect, *, step_up: bool, compared: bool) -> None:
        """Start empty."""
        super().__init__()
        self._rules = rules
        self._most = most
        self._step_up = step_up
        self._compared = compared

    def __missing__(self, situation: int) -> Effect:
        """Raises DecisionFaultError where Casbin cannot answer, and then remembers nothing."""
        by_rules = min(self._rules[part] for part in self._parts(situation))
        waits = self._step_up and by_rules is Effect.REVEAL
        effect = self[situation] = Effect.DENY if waits else min(by_rules, self._most)
        return effect

    def reason(self, situation: int) -> Reason:
        """Why a denied cell is not shown. Where the rules would show it, the token's own reason."""
        for part in self._parts(situation):
            if self._rules[part] is Effect.DENY:
                return self._rules.reason(part)
        return Reason.STEP_UP if self._most else Reason.TOKEN_SCOPE

    def _parts(self, situation: int) -> tuple[int, ...]:
        if not self._compared:
            return (situation,)
        return situation & (1 << _WHOLE_SHIFT) - 1, situation >> _WHOLE_SHIFT


# Rows. A narrowed statement begins by giving the name of each table to those of its rows that are left. In SQL such a
# name hides the table in the whole statement, so no sub-select, join or filter of it can read the table itself.

_POLICIES: Mapping[Only, str] = {
    Only.POLICIES: "policy_number = ANY(:token_policies::text[])",
    Only.PRODUCTS: "product_id IN (SELECT id FROM product WHERE code = ANY(:token_products::text[]))",
}
_OF_POLICY = "policy_id IN (SELECT id FROM policy)"
_OF_PARTY = "person_id IN (SELECT id FROM party)"
_PARTY = "party AS (SELECT holder_id AS id FROM policy UNION SELECT insured_id FROM policy)"
_LEFT: Mapping[str, str] = {
    "claim": _OF_POLICY,
    "beneficiary": _OF_POLICY,
    "health_service": _OF_POLICY,
    "person": "id IN (SELECT id FROM party)",
    "device": _OF_PARTY,
    "permission": _OF_PARTY,
    "correction": _OF_PARTY,
    "consent": _OF_PARTY,
    "rights_request": _OF_PARTY,
    "disclosure_person": _OF_PARTY,
    "verification_case": (
        f"{_OF_PARTY} AND (claim_id IS NULL OR claim_id IN (SELECT c.id FROM claim c))"
        " AND (policy_id IS NULL OR policy_id IN (SELECT id FROM policy))"
    ),
}
NARROWED_TABLES = ("policy", *_LEFT)


def narrow(text: str, only: Only) -> str:
    """A SELECT that reads only what is left of each table; without a caveat on policies the very same text."""
    if only is Only.ALL:
        return text
    left = [_left("policy", _POLICIES[only]), _PARTY, *(_left(table, rows) for table, rows in _LEFT.items())]
    return f"WITH {', '.join(left)} {text}"


def _left(table: str, rows: str) -> str:
    # Not materialized: PostgreSQL plans the rows of each use for themselves, as if their conditions stood there.
    return (
        f"every_{table} AS NOT MATERIALIZED (SELECT * FROM {table}),"
        f" {table} AS NOT MATERIALIZED (SELECT * FROM every_{table} WHERE {rows})"
    )


def whole(sql: SituationSql) -> SituationSql:
    """The same situation within a narrowed statement, but as every record witnesses it."""
    masks = tuple(replace(mask, sql=_unnarrowed(mask.sql)) for mask in sql.masks)
    return replace(sql, parts=(Part(_unnarrowed(sql.bits)),) if sql.bits else (), masks=masks)


def _unnarrowed(text: str) -> str:
    tables = ", ".join(f"{table} AS NOT MATERIALIZED (SELECT * FROM every_{table})" for table in NARROWED_TABLES)
    return f"(WITH {tables} SELECT {text})"
