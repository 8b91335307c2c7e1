"""Why a recorded decision: its row of the ledger, and under the rules of then an explanation of everything in it.

Nobody is told persons. Those who watch over the rules are told what held; whoever made the operation is told only what
the answer said already: which basis is open for somebody is a datum of theirs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from authz.compile import Snapshot, assemble
from authz.narrowing import Narrowing, Only
from authz.replay import Replayers
from authz.rules import Rule
from authz.situations import NOTHING, pairs
from authz.vocabulary import Effect, Reason
from authz.workbench.explain import Explanation, Failed, explain, explain_untold, idle_rules
from authz.workbench.readings import Act, Token, UnknownCoordinateError, knows_basis
from ledger.bodies import Said, SaidEntry
from ledger.rows import FOUND, WRITE, Kind, Outcome
from ledger.searches import NEWEST, Sought, find_rows
from models.vocabulary import Purpose, Role

MOST = 400
"""Answers that are explained of one decision."""
_KINDS = frozenset({Kind.READ, Kind.WRITE, Kind.REFUSAL})
_ROWS = 4
"""Rows that one decision can have, of all kinds."""
_BESIDE_THE_RULES = frozenset({Reason.LIMIT, Reason.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Explained:
    """One answer of a decision as it was recorded, and why; None where no rule decides on it, or the rules are gone.

    `agrees`: is it what the rules give? None where more than rules and token decided.
    """

    coordinate: str
    effect: str
    reason: str | None
    explanation: Explanation | None
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class ExplainedDecision:
    """A decision, explained; `rules_known`: are the rules of then at hand? `whole`: is everything in it explained?"""

    at: datetime
    said: Said
    rules_known: bool
    whole: bool
    entries: tuple[Explained, ...]


async def explain_decision(
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy
    decision: UUID,
    *,
    snapshot: Snapshot,
    watches: bool,
    own: Callable[[Said], bool],
) -> ExplainedDecision | None:
    """Why a decision, for whoever `watches` over the rules or, by what `own` says of its row, made it.

    None for anybody else, as for a decision that there is not, or not in the index yet. Raises the database's error.
    """
    rows, _ = await find_rows(connection.fetch, Sought(decision=decision), before=NEWEST, size=_ROWS)
    for row in rows:
        said = row.said
        if said.kind in _KINDS and (watches or own(said)):
            ruling = await _rules_of(connection, said, row.at, snapshot)
            entries = list(_entries(said, ruling, watches=watches))
            return ExplainedDecision(row.at, said, ruling is not None, len(entries) <= MOST, tuple(entries[:MOST]))
    return None


_Ruling = tuple[Snapshot, Mapping[Rule, Failed]]
"""The rules that were in force, and those of the same ruleset that were not."""


async def _rules_of(connection: Any, said: Said, at: datetime, now: Snapshot) -> _Ruling | None:  # noqa: ANN401 - as above
    """The rules by which a row was decided, as its digest names them; None where they are not at hand."""
    if said.ruleset is None or said.digest is None:
        return None
    replayers = Replayers(connection, now.catalogue)
    found = await replayers.in_force(said.ruleset, said.digest, said.broken_glass, at=at)
    if found is None:
        return None
    return assemble(found.ruleset, now.catalogue, before=now), idle_rules(found.whole, found.moment)


def _entries(said: Said, ruling: _Ruling | None, *, watches: bool) -> Iterator[Explained]:
    """Everything in a row, what was decided alike once; ends soon after `MOST`."""
    seen: dict[tuple[object, ...], None] = {}
    asked = _asked(said)
    for entry in said.entries:
        told = watches or (asked is not None and knows_basis(asked[0], pairs(entry.situation)))
        for name in entry.coordinates:
            place = name, entry.effect, entry.reason, entry.situation if told else None
            if place in seen:
                continue
            seen[place] = None
            why = None
            if asked is not None and ruling is not None:
                why = _why(said, asked, entry, name, ruling, told=told)
            yield Explained(name, entry.effect, entry.reason, why, _agrees(entry, why))
            if len(seen) > MOST:
                return


_Asked = tuple[Role, Purpose, Token]


def _asked(said: Said) -> _Asked | None:
    """Who asked, what for and with which token; None for a row that does not say so as this release does."""
    scope = said.scope if isinstance(said.scope, dict) else {}
    try:
        narrowing = Narrowing(
            Only(scope.get("only", Only.ALL.value)),
            Effect[scope.get("most", Effect.REVEAL.name)],
            step_up=scope.get("stepUp", False) is True,
        )
        return Role(said.role or ""), Purpose(said.purpose or ""), Token(int(scope["categories"]), narrowing)
    except (KeyError, ValueError, TypeError):
        return None


def _why(  # noqa: PLR0913 - what it depends on
    said: Said, asked: _Asked, entry: SaidEntry, name: str, ruling: _Ruling, *, told: bool
) -> Explanation | None:
    role, purpose, token = asked
    snapshot, idle = ruling
    try:
        if entry.effect == WRITE:
            # A row does not hold what held of what was written.
            effect = Effect.REVEAL if said.outcome in (Outcome.DONE, Outcome.REPEATED) else None
            return explain_untold(
                snapshot, role, purpose, name, act=Act.WRITE, effect=effect, reason=None, token=token, idle=idle
            )
        if entry.effect == FOUND:
            # Whoever looks somebody up by a value has no record of them yet.
            return explain(snapshot, role, purpose, name, NOTHING, act=Act.FILTER, token=token, idle=idle)
        if told:
            return explain(snapshot, role, purpose, name, entry.situation, act=Act.SHOW, token=token, idle=idle)
        reason = Reason(entry.reason) if entry.reason else None
        effect = None if reason in _BESIDE_THE_RULES else Effect[entry.effect]
        return explain_untold(
            snapshot, role, purpose, name, act=Act.SHOW, effect=effect, reason=reason, token=token, idle=idle
        )
    except (UnknownCoordinateError, ValueError, KeyError):
        # Told beside the plan, such as `User.accessHistory`; or a word that this release does not know.
        return None


def _agrees(entry: SaidEntry, why: Explanation | None) -> bool | None:
    if why is None or why.pairs is None or entry.reason in _BESIDE_THE_RULES:
        return None
    recorded = Effect.REVEAL.name if entry.effect == FOUND else entry.effect
    return why.effect is not None and (why.effect.name, why.reason) == (recorded, entry.reason)
