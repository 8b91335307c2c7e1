"""Impact: what the operations of the last days would have come to under other rules, and what registered ones would.

Both sides are decided anew, never taken from the row: once for each distinct asker, coordinate and situation, however
many rows hold it. What a ceiling, a broken glass or a fault decided is left out and counted. Where a row does not hold
whether something ties or opens that the new rules ask for, the most that it could come to is told as uncertain.

Rules that begin or end later are looked at as if they had already (`authz.workbench.impact_moments`): told is whatever
changes at any of these moments.

Rows are read as the owner of the ledger, by a cursor, or as the application, which sees sealed rows only, newest first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from authz.grants import codes
from authz.workbench.impact_changes import Change, Moved, Planned, moved, stale
from authz.workbench.impact_moments import Sides
from authz.workbench.impact_tally import KINDS, Tally
from authz.workbench.impact_words import Language, sentences
from ledger.rows import time_text
from ledger.searches import NEWEST, Fetch, pending

VERSION = 1
USUAL_DAYS = 30
MOST_DAYS = 400
AT_ONCE = 500
"""Rows read by one statement."""
_IN_ONE_GO = 20
"""Rows looked at before others get their turn."""

_ROWS = "SELECT body FROM ledger WHERE at >= $1 AND at < $2"
# Index rows are found by their time, backwards from the last one looked at; a text is read only then.
_SEALED = """
SELECT r.index, r.at, s.body FROM (
  SELECT index, at FROM ledger_record WHERE at >= $1 AND (at, index) < ($2, $3) AND kind = ANY($4)
    AND cardinality(coordinates) > 0
  ORDER BY at DESC, index DESC LIMIT $5
) r JOIN ledger_sealed s USING (index, at) ORDER BY r.at DESC, r.index DESC
"""


@dataclass(frozen=True, slots=True)
class Impact:
    """What other rules would have meant from `since` until `until`.

    `ruleset`: the number of the rules compared with; `digest`: of those that would come. `purposes`: operations looked
    at, by purpose. `moments`: later ones looked at besides now; `worst`: so many would have been too many, and the most
    that could be shown or taken away is told instead.

    Left out are registered operations that are refused anyway (`stale`) or that there was no time to plan
    (`unplanned`), decisions of a ceiling or a fault (`taken`), operations under a broken glass (`glass`), texts that
    are no rows (`unreadable`), rows not sealed yet (`pending`) and the older ones beyond a limit (`limited`: how many
    rows were looked at then).
    """

    since: datetime
    until: datetime
    ruleset: int
    digest: str
    purposes: Mapping[str, int]
    changes: tuple[Change, ...]
    registered: int
    moved: tuple[Moved, ...]
    moments: tuple[str, ...] = ()
    worst: int = 0
    stale: int = 0
    unplanned: int = 0
    taken: int = 0
    glass: int = 0
    unreadable: int = 0
    pending: int = 0
    limited: int | None = None

    @property
    def operations(self) -> int:
        """How many operations were decided anew."""
        return sum(self.purposes.values())

    @property
    def text(self) -> str:
        """Canonical JSON: the same impact has the same text, and so the same digest."""
        said = {"v": VERSION, **asdict(self), "since": time_text(self.since), "until": time_text(self.until)}
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()

    def sentences(self, language: Language = Language.ENGLISH) -> list[str]:
        """What it says in the consumer's words."""
        return sentences(self, language)


def read_impact(text: str) -> Impact:
    """The impact of its text. Raises KeyError, TypeError or ValueError for what is none."""
    given = orjson.loads(text)
    if given.pop("v") != VERSION:
        message = "an impact of another version"
        raise ValueError(message)
    since, until = (datetime.fromisoformat(given.pop(name)) for name in ("since", "until"))
    changes = tuple(Change(**one) for one in given.pop("changes"))
    moved = tuple(Moved(**one) for one in given.pop("moved"))
    moments = tuple(given.pop("moments", ()))
    return Impact(since=since, until=until, changes=changes, moved=moved, moments=moments, **given)


@dataclass(frozen=True, slots=True)
class Plans:
    """Registered operations: how many there are, and those that a change could touch, planned under both rules.

    One stands in both as often as moments differ for it. `left_out`: there was no time to plan so many of them.
    """

    total: int
    before: Sequence[Planned]
    after: Sequence[Planned]
    left_out: int = 0


Hurry = Callable[[], bool]
"""Is it time to come to an end, and to say what was left out?"""


def at_leisure() -> bool:
    """It never is."""
    return False


Plan = Callable[[Sides], Awaitable[Plans]]
"""Plans what is registered."""


async def impact(connection: Any, sides: Sides, *, days: int, now: datetime, plan: Plan) -> Impact:  # noqa: ANN401 - asyncpg
    """The impact on every operation of so many days, as the owner of the ledger. Raises the database's error."""
    since, tally = now - timedelta(days=days), Tally(sides)
    async with connection.transaction():
        cursor = await connection.cursor(_ROWS, since, now)
        while some := await cursor.fetch(AT_ONCE):
            for row in some:
                tally.add(row["body"])
    return await _made(connection.fetch, sides, tally, (since, now), plan=plan)


async def sealed_impact(  # noqa: PLR0913 - what is asked, and how much
    fetch: Fetch, sides: Sides, *, days: int, now: datetime, plan: Plan, most: int, hurry: Hurry = at_leisure
) -> Impact:
    """The impact on the newest `most` sealed operations of so many days, in steps. Raises the database's error.

    In a hurry it looks at fewer, at those of one step at least.
    """
    since, tally = now - timedelta(days=days), Tally(sides)
    looked, more, before = 0, True, (now, NEWEST)
    while more and looked < most and not (looked and hurry()):
        size = min(AT_ONCE, most - looked)
        some = await fetch(_SEALED, since, *before, list(KINDS), size)
        for place, row in enumerate(some):
            if place % _IN_ONE_GO == 0:
                await asyncio.sleep(0)
            tally.add(row["body"])
        looked += len(some)
        more = len(some) == size
        before = (some[-1]["at"], some[-1]["index"]) if some else before
    limited = looked if more and await fetch(_SEALED, since, *before, list(KINDS), 1) else None
    unsealed = await pending(fetch)
    return await _made(fetch, sides, tally, (since, now), plan=plan, unsealed=unsealed, limited=limited)


async def _made(  # noqa: PLR0913 - what an impact is made from
    fetch: Fetch,
    sides: Sides,
    tally: Tally,
    span: tuple[datetime, datetime],
    *,
    plan: Plan,
    unsealed: int = 0,
    limited: int | None = None,
) -> Impact:
    plans = await plan(sides)
    return Impact(
        since=span[0],
        until=span[1],
        ruleset=sides.before.ruleset.number,
        digest=sides.after.ruleset.digest,
        purposes=dict(sorted(tally.purposes.items())),
        changes=tally.changes(await codes(fetch)),
        registered=plans.total - plans.left_out,
        moved=moved(plans.before, plans.after),
        moments=sides.moments,
        worst=sides.worst,
        stale=stale(plans.before, plans.after),
        unplanned=plans.left_out,
        taken=tally.taken,
        glass=tally.glass,
        unreadable=tally.unreadable,
        pending=unsealed,
        limited=limited,
    )
