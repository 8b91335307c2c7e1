"""Replay: what a row of the ledger says was decided, decided again from the row and its ruleset.

A row holds everything that a decision depends on: role, purpose, how the token narrowed, coordinate and situation.
Denials for other reasons than rules and token (a ceiling, something that could not be had) are taken as recorded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from authz.compile import Snapshot
from authz.narrowing import Narrowing, Only, effects_of, refused
from authz.vocabulary import Effect, Reason
from ledger.rows import FOUND, WRITE, decided
from models.vocabulary import Purpose, Role

AS_RECORDED = frozenset({Reason.UNAVAILABLE.value, Reason.LIMIT.value})
"""Reasons of which a row does not hold what they depended on."""

_KEPT = 1 << 16
"""Answers that are remembered: a ledger of any length asks few different questions."""

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


class Replayer:
    """Decides again under one ruleset; what was asked lately is not decided anew."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Rows of another ruleset's digest are another replayer's."""
        self._snapshot = snapshot
        self._decide = lru_cache(maxsize=_KEPT)(self._decided)

    def knows(self, body: Mapping[str, Any]) -> bool:
        """Was this row decided under this ruleset?"""
        return body.get("digest") == self._snapshot.ruleset.digest

    def replay(self, body: Mapping[str, Any]) -> Iterator[Replayed]:
        """Every decision of a row, both ways. Raises KeyError or ValueError for a row that is none of this ledger's."""
        scope = body.get("scope", {})
        narrowing = Narrowing(
            Only(scope.get("only", Only.ALL.value)),
            Effect[scope.get("most", Effect.REVEAL.name)],
            step_up=scope.get("stepUp", False),
        )
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
        coordinate = self._snapshot.catalogue[name]
        out_of_token = refused(coordinate.category, categories, narrowing)
        if out_of_token is not None:
            return Effect.DENY.name, out_of_token.value
        table = effects_of(compiled, coordinate, narrowing)
        effect = table[situation] if compiled.could_show(name) else Effect.DENY
        return effect.name, None if effect else table.reason(situation).value
