"""What was decided, for the client and the ledger: one error per coordinate, path pattern and reason; no values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from authz.vocabulary import Effect, Reason
from resolvers.disclosure import SPENT, Tally, reason_of
from resolvers.rows import Path
from resolvers.times import in_shanghai
from resolvers.withholding import Lost

_REMEDIES = {
    Reason.UNAVAILABLE: "Try again later; if it goes on, quote the decision id to the operator.",
    Reason.LIMIT: "A ceiling of the token is reached. Ask for less, or with a new token.",
    Reason.TOKEN_SCOPE: "Use a token that lists the category {category!r} and is not narrowed to masked values.",
    Reason.STEP_UP: "Confirm with a second factor and ask again.",
    Reason.RULE_DENIES: "A rule denies this field. Ask the security team if that is meant.",
    Reason.ROLE: "Your role never sees this field. Leave it out.",
    Reason.PURPOSE: "Your role sees this field for another purpose only. Name that one in X-Purpose, if it is yours.",
    Reason.RELATION: "Shown only where an open contract, assignment, case or consent ties you to this person.",
    Reason.BASIS: "Shown only while its basis is open: a running contract, a consent, a request.",
}

_SPENT = "You have been shown as many persons as you may be for this purpose. Ask again from {again} on."


def remedy_of(reason: Reason, category: str) -> str:
    """What to do about a denial for a reason, in words."""
    return _REMEDIES[reason].format(category=category)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response body and its status under `application/graphql-response+json`."""

    body: dict[str, Any]
    status: int = 200
    recorded: bool = True
    """Is what it shows in the ledger? If not, everything sensitive was taken out of it."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands beside every decision of one operation."""

    purpose: str
    ruleset: int
    decision_id: UUID
    broken_glass: UUID | None = None
    """The broken glass that it owes something to."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Cells of one coordinate and path pattern that were denied for one reason."""

    tally: Tally
    reason: Reason
    count: int
    path: Path


@dataclass(frozen=True, slots=True)
class Report:
    """The decisions of one operation, in the order of the answer."""

    denials: tuple[Denial, ...]
    shown: tuple[tuple[Tally, Effect, int], ...]
    again: datetime | None = None
    """When the disclosure budget begins anew, where it is spent."""
    lost: tuple[Lost, ...] = ()
    """What was told beside the plan and taken out again."""

    def withheld(self, lost: tuple[Lost, ...]) -> "Report":
        """The same operation, but nothing of it is shown since it could not be recorded; nor what was `lost`."""
        every = {id(tally): tally for tally, _, _ in self.shown}
        denials = tuple(
            Denial(tally, Reason.UNAVAILABLE, sum(tally.counts.values()), next(tally.occurrences())[1])
            for tally in every.values()
        )
        return Report(denials, tuple((one.tally, Effect.DENY, one.count) for one in denials), lost=lost)

    def errors(self, heading: Heading) -> list[dict[str, Any]]:
        """The field errors (INTERFACE.md, FIELD_DENIED)."""
        denied = [_error(denial, heading, self.again) for denial in self.denials]
        return denied + [_lost(one, heading) for one in self.lost]

    def authorization(self, heading: Heading) -> dict[str, Any]:
        """`extensions.authorization` of the response."""
        return {
            "purpose": heading.purpose,
            "ruleset": heading.ruleset,
            "decisionId": str(heading.decision_id),
            **({"breakGlass": True} if heading.broken_glass else {}),
            "fields": [
                {
                    "coordinate": tally.cell.coordinate.name,
                    "pathPattern": tally.cell.pattern,
                    "effect": effect.name,
                    "count": count,
                }
                for tally, effect, count in self.shown
            ],
        }


def make_report(tallies: Sequence[Tally], *, again: datetime | None = None) -> Report:
    """Sum up the tallies of one run."""
    denials: list[Denial] = []
    shown: list[tuple[Tally, Effect, int]] = []
    for tally in tallies:
        if tally.counts:
            found = list(_denials(tally))
            denials.extend(found)
            shown.extend(_shown(tally, sum(denial.count for denial in found)))
    return Report(tuple(denials), tuple(shown), again)


def _shown(tally: Tally, denied: int) -> Iterator[tuple[Tally, Effect, int]]:
    unopened: dict[Effect, int] = {}
    for row in tally.unopened:
        effect = tally.effects[tally.situations[row]]
        unopened[effect] = unopened.get(effect, 0) + _weight(tally, row)
    for effect in (Effect.REVEAL, Effect.MASK):
        count = sum(number for situation, number in tally.counts.items() if tally.effects[situation] is effect)
        count -= unopened.get(effect, 0)
        if count:
            yield tally, effect, count
    if denied:
        yield tally, Effect.DENY, denied


def _denials(tally: Tally) -> Iterator[Denial]:
    by_reason: dict[Reason, set[int]] = {}
    for situation, effect in tally.effects.items():
        if effect is Effect.DENY and tally.counts.get(situation):
            by_reason.setdefault(reason_of(tally, situation), set()).add(situation)
    for reason, situations in by_reason.items():
        count = sum(tally.counts[situation] for situation in situations)
        path = next(path for row, path in tally.occurrences() if tally.situations[row] in situations)
        yield Denial(tally, reason, count, path)
    if tally.unopened:
        rows = frozenset(tally.unopened)
        path = next(path for row, path in tally.occurrences() if row in rows)
        yield Denial(tally, Reason.UNAVAILABLE, sum(_weight(tally, row) for row in rows), path)


def _weight(tally: Tally, row: int) -> int:
    return 1 if tally.weights is None else tally.weights[row]


def _error(denial: Denial, heading: Heading, again: datetime | None) -> dict[str, Any]:
    cell = denial.tally.cell
    coordinate = cell.coordinate
    remedy = remedy_of(denial.reason, coordinate.category.value)
    when = {}
    if denial.reason is Reason.LIMIT and SPENT in denial.tally.counts and again:
        when["again"] = in_shanghai(again).isoformat()
        remedy = _SPENT.format(**when)
    return {
        "message": f"{coordinate.name} is not shown: {denial.reason.value}.",
        "path": [*denial.path, cell.key],
        "extensions": {
            "code": "UNAVAILABLE" if denial.reason is Reason.UNAVAILABLE else "FIELD_DENIED",
            "coordinate": coordinate.name,
            "category": coordinate.category.value,
            "pathPattern": cell.pattern,
            "count": denial.count,
            "reason": denial.reason.value,
            "purpose": heading.purpose,
            "ruleset": heading.ruleset,
            "decisionId": str(heading.decision_id),
            "remedy": remedy,
            **when,
        },
    }


def _lost(lost: Lost, heading: Heading) -> dict[str, Any]:
    return {
        "message": f"{lost.coordinate} is not shown: {Reason.UNAVAILABLE.value}.",
        "path": list(lost.path),
        "extensions": {
            "code": "UNAVAILABLE",
            "coordinate": lost.coordinate,
            "pathPattern": lost.pattern,
            "count": lost.count,
            "reason": Reason.UNAVAILABLE.value,
            "purpose": heading.purpose,
            "ruleset": heading.ruleset,
            "decisionId": str(heading.decision_id),
            "remedy": _REMEDIES[Reason.UNAVAILABLE],
        },
    }
