"""What was decided, for the client and the ledger: one error per coordinate, path pattern and reason; no values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, Self
from uuid import UUID

import orjson

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

_KEPT = 8_192
"""How many beginnings of what is said of a cell are kept: they are the same for every answer of one plan."""
_KEPT_TOLD, _LARGEST_KEPT = 256, 64
"""How many lists of cells are kept as they were said, and how long: who asks for one row is told the same each time."""

_SPENT = "You have been shown as many persons as you may be for this purpose. Ask again from {again} on."


def remedy_of(reason: Reason, category: str) -> str:
    """What to do about a denial for a reason, in words."""
    return _REMEDIES[reason].format(category=category)


class Decided(NamedTuple):
    """What metrics and the access line say of an operation."""

    decision: str
    purpose: str
    cells: "Cells"
    """Of what is refused as a whole nothing was shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response body as JSON in UTF-8, and its status under `application/graphql-response+json`."""

    encoded: bytes = field(repr=False)
    status: int = 200
    partial: bool = False
    """Are there data, and errors beside them?"""
    decided: Decided | None = None
    recorded: bool = True
    """Is what it shows in the ledger? If not, everything sensitive was taken out of it."""

    @classmethod
    def of(
        cls, body: Mapping[str, Any], status: int = 200, *, decided: Decided | None = None, recorded: bool = True
    ) -> Self:
        """Written down once; there is nothing to be changed in it afterwards."""
        partial = status == 200 and "errors" in body and body["data"] is not None  # noqa: PLR2004 - OK
        return cls(orjson.dumps(body), status, partial, decided, recorded)

    @property
    def body(self) -> dict[str, Any]:
        """The body read back, for whoever asks within this process."""
        body: dict[str, Any] = orjson.loads(self.encoded)
        return body


class Heading(NamedTuple):
    """What stands beside every decision of one operation."""

    purpose: str
    ruleset: int
    decision_id: UUID
    decision: str
    """The same as text."""
    broken_glass: UUID | None = None
    """The broken glass that it owes something to."""

    @classmethod
    def of(cls, purpose: str, ruleset: int, decision: UUID, broken_glass: UUID | None) -> Self:
        """Of an operation under a decision's id."""
        return cls(purpose, ruleset, decision, str(decision), broken_glass)


class Denial(NamedTuple):
    """Cells of one coordinate and path pattern that were denied for one reason."""

    tally: Tally
    reason: Reason
    cells: int
    path: Path


Shown = tuple[str, str, Effect, int]
"""How many cells of a coordinate and path pattern had an effect."""
Cells = Mapping[tuple[str, str | None], int]
"""How many were decided, by effect and, where denied, reason."""


class Report(NamedTuple):
    """The decisions of one operation, in the order of the answer."""

    denials: tuple[Denial, ...]
    shown: tuple[Shown, ...]
    tallies: tuple[Tally, ...] = ()
    """Whatever was decided something about."""
    again: datetime | None = None
    """When the disclosure budget begins anew, where it is spent."""
    lost: tuple[Lost, ...] = ()
    """What was told beside the plan and taken out again."""

    def withheld(self, lost: tuple[Lost, ...]) -> "Report":
        """The same operation, but nothing of it is shown since it could not be recorded; nor what was `lost`."""
        denials = tuple(
            Denial(tally, Reason.UNAVAILABLE, sum(tally.counts.values()), next(tally.occurrences())[1])
            for tally in self.tallies
        )
        shown = tuple(_shown_of(one.tally, Effect.DENY, one.cells) for one in denials)
        return Report(denials, shown, self.tallies, lost=lost)

    def errors(self, heading: Heading) -> list[Any]:
        """The field errors (INTERFACE.md, FIELD_DENIED), as orjson writes them."""
        if not self.denials and not self.lost:
            return []
        decided = orjson.dumps(_decided(heading))[1:-1]
        denied = [_error(denial, decided, self.again) for denial in self.denials]
        return denied + [_lost(one, heading) for one in self.lost]

    def authorization(self, heading: Heading) -> dict[str, Any]:
        """`extensions.authorization` of the response, as orjson writes it."""
        return {
            **_decided(heading),
            **({"breakGlass": True} if heading.broken_glass else {}),
            "fields": _told(self.shown)[0],
        }

    def decided(self, heading: Heading, *, refused: bool = False) -> Decided:
        """What metrics and the access line say; `refused`: as a whole, since something is denied."""
        cells = {} if refused else dict(_told(self.shown)[1])
        for one in self.denials:
            denied = _DENIED[one.reason]
            cells[denied] = cells.get(denied, 0) + one.cells
        for lost in self.lost:
            cells[_TAKEN_OUT] = cells.get(_TAKEN_OUT, 0) + lost.count
        return Decided(heading.decision, heading.purpose, cells)


_DENY = Effect.DENY.name
_SHOWN: dict[Effect, tuple[str, str | None]] = {effect: (effect.name, None) for effect in Effect}
_DENIED = {reason: (_DENY, reason.value) for reason in Reason}
_TAKEN_OUT = _DENIED[Reason.UNAVAILABLE]


def make_report(tallies: Sequence[Tally], *, again: datetime | None = None) -> Report:
    """Sum up the tallies of one run."""
    denials: list[Denial] = []
    shown: list[Shown] = []
    found: list[Tally] = []
    for tally in tallies:
        before = len(shown)
        if len(tally.counts) == 1 and not tally.unopened:
            ((situation, count),) = tally.counts.items()
            effect = tally.effects[situation]
            if count and not effect:
                denials.append(Denial(tally, reason_of(tally, situation), count, next(tally.occurrences())[1]))
            if count:
                shown.append(_shown_of(tally, effect, count))
        elif tally.counts:
            denied = list(_denials(tally))
            denials += denied
            shown += _shown(tally, sum(denial.cells for denial in denied))
        if len(shown) != before:
            found.append(tally)
    return Report(tuple(denials), tuple(shown), tuple(found), again)


def _shown_of(tally: Tally, effect: Effect, count: int) -> Shown:
    cell = tally.cell
    return cell.coordinate.name, cell.pattern, effect, count


def _shown(tally: Tally, denied: int) -> Iterator[Shown]:
    unopened: dict[Effect, int] = {}
    for row in tally.unopened:
        effect = tally.effects[tally.situations[row]]
        unopened[effect] = unopened.get(effect, 0) + _weight(tally, row)
    for effect in (Effect.REVEAL, Effect.MASK):
        count = sum(number for situation, number in tally.counts.items() if tally.effects[situation] is effect)
        count -= unopened.get(effect, 0)
        if count:
            yield _shown_of(tally, effect, count)
    if denied:
        yield _shown_of(tally, Effect.DENY, denied)


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


def _decided(heading: Heading) -> dict[str, Any]:
    return {"purpose": heading.purpose, "ruleset": heading.ruleset, "decisionId": heading.decision}


def _told(shown: tuple[Shown, ...]) -> tuple[orjson.Fragment, Cells]:
    """What `extensions.authorization` says of cells, and how many of them were shown in what way."""
    return _kept_told(shown) if len(shown) <= _LARGEST_KEPT else _new_told(shown)


def _new_told(shown: tuple[Shown, ...]) -> tuple[orjson.Fragment, Cells]:
    cells: dict[tuple[str, str | None], int] = {}
    fields = []
    for coordinate, pattern, effect, count in shown:
        fields.append(b"%b%d}" % (_shown_start(coordinate, pattern, effect), count))
        if effect:
            kind = _SHOWN[effect]
            cells[kind] = cells.get(kind, 0) + count
    return orjson.Fragment(b"[%b]" % b",".join(fields)), cells


_kept_told = lru_cache(_KEPT_TOLD)(_new_told)


@lru_cache(_KEPT)
def _shown_start(coordinate: str, pattern: str, effect: Effect) -> bytes:
    """What `extensions.authorization` says of a cell, up to the number."""
    said = {"coordinate": coordinate, "pathPattern": pattern, "effect": effect.name, "count": 0}
    return orjson.dumps(said).removesuffix(b"0}")


@lru_cache(_KEPT)
def _denied_parts(coordinate: str, category: str, pattern: str, reason: Reason) -> tuple[bytes, bytes, bytes, bytes]:
    """What the error of a denied cell says before its path, its number and what was decided, and the remedy."""
    start = orjson.dumps({"message": f"{coordinate} is not shown: {reason.value}."})
    said = {
        "code": "UNAVAILABLE" if reason is Reason.UNAVAILABLE else "FIELD_DENIED",
        "coordinate": coordinate,
        "category": category,
        "pathPattern": pattern,
    }
    return (
        b'%b,"path":' % start.removesuffix(b"}"),
        b',"extensions":%b,"count":' % orjson.dumps(said).removesuffix(b"}"),
        b',"reason":%b,' % orjson.dumps(reason.value),
        b',"remedy":%b}}' % orjson.dumps(remedy_of(reason, category)),
    )


def _error(denial: Denial, decided: bytes, again: datetime | None) -> orjson.Fragment:
    """One error; `decided` is the members that all of one operation have."""
    cell = denial.tally.cell
    coordinate = cell.coordinate
    start, middle, reason, remedy = _denied_parts(
        coordinate.name, coordinate.category.value, cell.pattern, denial.reason
    )
    if denial.reason is Reason.LIMIT and SPENT in denial.tally.counts and again:
        when = in_shanghai(again).isoformat()
        said = {"remedy": _SPENT.format(again=when), "again": when}
        remedy = b",%b}" % orjson.dumps(said)[1:]
    path = orjson.dumps([*denial.path, cell.key])
    return orjson.Fragment(b"%b%b%b%d%b%b%b" % (start, path, middle, denial.cells, reason, decided, remedy))


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
            "decisionId": heading.decision,
            "remedy": _REMEDIES[Reason.UNAVAILABLE],
        },
    }
