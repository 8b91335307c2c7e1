"""Replay: what a row of the ledger says was decided, decided again from the row and its ruleset.

A row holds everything that a decision depends on: role, purpose, how the token narrowed, coordinate and situation.
Denials for other reasons than rules and token (a ceiling, something that could not be had) are taken as recorded.
The ruleset is found by the number and the digest of the row: the digest names what of it held at that moment.
"""

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from authz.catalogue import Catalogue, Coordinate
from authz.compile import Slice, Snapshot, assemble
from authz.glass import find, widened
from authz.narrowing import Narrowing, Only, effects_of, refused
from authz.rules import Ruleset, RulesetError, boundaries, in_force
from authz.rulesets import load
from authz.vocabulary import Effect, Reason
from ledger.rows import FOUND, WRITE, decided
from models.vocabulary import Purpose, Role

AS_RECORDED = frozenset({Reason.UNAVAILABLE.value, Reason.LIMIT.value})
"""Reasons of which a row does not hold what they depended on."""

_KEPT = 1 << 16
"""Answers that are remembered: a ledger of any length asks few different questions."""

_KEPT_RULESETS = 8
_MOST_PERIODS = 64
"""Of a ruleset in which much begins and ends, so many periods around a row's moment are looked at."""
_OF_DIGEST = "SELECT number FROM ruleset WHERE digest = $1 ORDER BY number DESC LIMIT 1"
_NUMBERS = range(1, 1 << 31)
_DIGEST = re.compile("[0-9a-f]{64}")

Decision = tuple[str, str | None]
"""Effect, and the reason of a denial."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One coordinate of one entry: what the row says, and what the ruleset says."""

    coordinate: str
    situation: int
    recorded: Decision
    recomputed: Decision

    @property
    def equal(self) -> bool:
        """Do they agree?"""
        return self.recorded == self.recomputed


def narrowing_said(scope: Mapping[str, Any]) -> Narrowing:
    """How a token narrowed, as a row's `scope` says it. Raises KeyError or ValueError for what is none."""
    return Narrowing(
        Only(scope.get("only", Only.ALL.value)),
        Effect[scope.get("most", Effect.REVEAL.name)],
        step_up=scope.get("stepUp", False),
    )


def decide_again(
    compiled: Slice, coordinate: Coordinate, categories: int, narrowing: Narrowing, *, situation: int
) -> Decision:
    """What a slice and a token that narrows so come to. Raises DecisionFaultError."""
    out_of_token = refused(coordinate.category, categories, narrowing)
    if out_of_token is not None:
        return Effect.DENY.name, out_of_token.value
    table = effects_of(compiled, coordinate, narrowing)
    effect = table[situation] if compiled.could_show(coordinate.name) else Effect.DENY
    return effect.name, None if effect else table.reason(situation).value


@dataclass(frozen=True, slots=True)
class InForce:
    """What of a published ruleset held at a moment, with the rules of a broken glass where there was one."""

    whole: Ruleset
    moment: datetime
    ruleset: Ruleset


class Replayer:
    """Decides again under one ruleset; what was asked lately is not decided anew."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Rows of another ruleset, or of another of its periods, are another replayer's: see `Replayers`."""
        self._snapshot = snapshot
        self._decide = lru_cache(maxsize=_KEPT)(self._decided)

    def knows(self, body: Mapping[str, Any]) -> bool:
        """Was this row decided under this ruleset, in this of its periods?"""
        return body.get("digest") == self._snapshot.ruleset.digest

    def replay(self, body: Mapping[str, Any]) -> Iterator[Replayed]:
        """Every decision of a row, both ways. Raises KeyError or ValueError for a row that is none of this ledger's."""
        scope = body.get("scope", {})
        narrowing = narrowing_said(scope)
        for entry, _ in decided(body):
            if entry.effect in (FOUND, WRITE):
                continue
            recorded = entry.effect, entry.reason
            for coordinate in entry.coordinates:
                if coordinate not in self._snapshot.catalogue:
                    # Told beside the plan (`User.accessHistory`): no rule decides on it.
                    continue
                again = recorded
                if entry.reason not in AS_RECORDED:
                    asked = Role(body["role"]), Purpose(body["purpose"]), scope["categories"], narrowing
                    again = self._decide(*asked, coordinate, entry.situation)
                yield Replayed(coordinate, entry.situation, recorded, again)

    def _decided(  # noqa: PLR0913 - what a decision depends on
        self, role: Role, purpose: Purpose, categories: int, narrowing: Narrowing, name: str, situation: int
    ) -> Decision:
        compiled = self._snapshot.slice(role, purpose)
        return decide_again(compiled, self._snapshot.catalogue[name], categories, narrowing, situation=situation)


class Replayers:
    """A replayer for every row whose ruleset is in the database, made when it is first asked for."""

    def __init__(self, connection: Any, catalogue: Catalogue, *, most: int = _KEPT_RULESETS) -> None:  # noqa: ANN401 - asyncpg's
        """`most` compiled rulesets are held at once."""
        self._connection = connection
        self._catalogue = catalogue
        self._most = most
        self._found: OrderedDict[tuple[int, str, UUID | None], Replayer | None] = OrderedDict()
        self._last: Snapshot | None = None
        self._whole: OrderedDict[int, Ruleset | None] = OrderedDict()

    async def of(self, body: Mapping[str, Any]) -> Replayer | None:
        """The replayer of a row that names its ruleset; None where that is not in the database, or cannot be used.

        Raises KeyError or ValueError for a row that is none of this ledger's, and the database's error.
        """
        glass = body.get("breakGlass")
        place = int(body["ruleset"]), str(body["digest"]), UUID(glass) if glass is not None else None
        if place not in self._found:
            found = await self.in_force(*place, at=datetime.fromisoformat(body["at"]))
            self._found[place] = self._replayer(found.ruleset) if found else None
            if len(self._found) > self._most:
                self._found.popitem(last=False)
        self._found.move_to_end(place)
        return self._found[place]

    async def in_force(self, number: int, digest: str, glass: UUID | None, *, at: datetime) -> InForce | None:
        """What of a ruleset, and of a broken glass, has this digest: as it was at that moment, or near it.

        None where that is not in the database, or cannot be used. Raises the database's error.
        """
        if number not in _NUMBERS or not _DIGEST.fullmatch(digest):
            return None
        whole = await self._ruleset(number)
        broken = await find(self._connection, glass) if glass else None
        if whole is not None and (broken is not None or glass is None):
            for moment in _moments(whole, at):
                active = in_force(whole, moment)
                if broken is not None:
                    active = widened(active, broken.role, broken.purpose, broken.categories)
                if active.digest == digest:
                    return InForce(whole, moment, active)
        # Rows of before rulesets had numbers of their own: a digest names its rules all the same.
        other = await self._connection.fetchval(_OF_DIGEST, digest)
        whole = await self._ruleset(other) if other is not None and other != number else None
        return InForce(whole, at, whole) if whole is not None else None

    def _replayer(self, active: Ruleset) -> Replayer:
        # What was answered by it is not judged here, nor is whether it should have been published.
        self._last = assemble(active, self._catalogue, before=self._last)
        return Replayer(self._last)

    async def _ruleset(self, number: int) -> Ruleset | None:
        if number not in self._whole:
            try:
                self._whole[number] = await load(self._connection, number, self._catalogue)
            except RulesetError:
                self._whole[number] = None
            if len(self._whole) > self._most:
                self._whole.popitem(last=False)
        self._whole.move_to_end(number)
        return self._whole[number]


def _moments(whole: Ruleset, at: datetime) -> Iterator[datetime]:
    """A moment of each period of a ruleset, that of `at` first: rows are written after what they tell was decided."""
    bounds = [datetime.fromisoformat(bound) for bound in boundaries(whole)]
    own = bisect_right(bounds, at)
    before = range(own, max(-1, own - _MOST_PERIODS), -1)
    after = range(own + 1, min(len(bounds) + 1, own + _MOST_PERIODS))
    for place in (*before, *after):
        yield bounds[place - 1] if place else bounds[0] - timedelta(seconds=1) if bounds else at
