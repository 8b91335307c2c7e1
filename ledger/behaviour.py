"""How partners behave: what each did in some days, and what of it is out of the ordinary by stated rules (C41).

Read from the index of the ledger, never from rows of persons: persons are counted and not named. A day is one of
Asia/Shanghai. `ledger.anomalies` has the rules.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from ledger.anomalies import EARLIER_DAYS, NARROW, PROBED, WORK_BEGINS, WORK_ENDS, Anomaly, Day, Finding, findings
from ledger.searches import YEARS, Fetch

SHANGHAI = ZoneInfo("Asia/Shanghai")
MOST_DAYS = 92
"""Days that one report may cover."""
USUAL_DAYS = 7
"""Days that it covers where nobody says."""
_EXAMPLES = 5
_REACH_FROM = 100
"""From how many persons a day on it is worth counting how many there are in all."""
_BATCH = timedelta(days=2)
"""For how long rows may lie about unindexed: an access stands at the time of the first row of its batch."""

_PARTNERS = """
SELECT id, code, kind FROM organization WHERE kind <> 'BROKER' AND ($1::text IS NULL OR code = $1) ORDER BY code
"""
_OF = "organization = ANY($1::uuid[]) AND at >= $2 AND at < $3"
_DEALINGS = "kind IN ('READ', 'WRITE', 'REFUSAL')"
_SHOWN = (
    "CASE WHEN outcome IN ('REFUSED', 'WITHHELD') OR code = 'FIELD_DENIED' THEN 0 ELSE greatest(revealed, masked) END"
)
"""Persons of whom a row shows something: who is shown one thing masked is, as a rule, revealed another."""

_HOURS = f"""
SELECT organization, date_trunc('hour', at) AS hour, coalesce(purpose, 'none') AS purpose, outcome, code,
  count(*) FILTER (WHERE {_DEALINGS}) AS operations, count(*) FILTER (WHERE outcome = 'REFUSED') AS refused,
  count(*) FILTER (WHERE {_DEALINGS} AND denied > 0) AS denied, sum(misses) AS misses, max({_SHOWN}) AS most
FROM ledger_record WHERE {_OF} AND kind IN ('READ', 'WRITE', 'REFUSAL', 'TOKEN') GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608 - our own words
_STATISTICS = f"""
SELECT organization, count(*) AS operations FROM ledger_record
WHERE {_OF} AND kind = 'READ' AND outcome = 'DONE'
  AND coordinates && ARRAY['Query.policyStatistics', 'Query.claimStatistics'] GROUP BY 1
"""  # noqa: S608 - as above
_COORDINATES = f"""
SELECT organization, coordinate, count(*) AS operations FROM ledger_record, unnest(coordinates) AS coordinate
WHERE {_OF} AND {_DEALINGS} GROUP BY 1, 2
"""  # noqa: S608 - as above
# Whom partners were shown: in the period, by day; and by hour those whom they had not been shown for 28 days, if only
# few were shown with them.
_PERSONS = f"""
WITH told AS MATERIALIZED (
  SELECT index, at, organization, {_SHOWN} AS shown FROM ledger_record
  WHERE {_OF} AND {_DEALINGS} AND {_SHOWN} > 0
), seen AS MATERIALIZED (
  SELECT t.organization, a.reference, t.at, t.shown FROM ledger_access a
  CROSS JOIN LATERAL unnest(coalesce(a.shown, a.indexes)) AS leaf JOIN told t ON t.index = leaf
  WHERE a.at >= $4 AND a.at < $3
), gap AS (
  SELECT organization, at, shown, at - lag(at) OVER (PARTITION BY organization, reference ORDER BY at) AS since
  FROM seen
)
SELECT 'period', organization, NULL::timestamptz, count(DISTINCT reference) FROM seen WHERE at >= $5 GROUP BY 2
UNION ALL
SELECT 'day', organization, date_trunc('day', at, 'Asia/Shanghai') AS day, count(DISTINCT reference) FROM seen
GROUP BY 2, 3
UNION ALL
SELECT 'hour', organization, date_trunc('hour', at) AS hour, count(*) FROM gap
WHERE shown <= {NARROW} AND (since IS NULL OR since > interval '{EARLIER_DAYS} days') GROUP BY 2, 3
"""  # noqa: S608 - as above
_EXAMPLE = f"""
SELECT decision FROM (
  SELECT index, decision, outcome, code, misses, {_SHOWN} AS shown,
    extract(hour FROM at AT TIME ZONE 'Asia/Shanghai') AS hour
  FROM ledger_record WHERE organization = $1 AND at >= $2 AND at < $3
    AND kind IN ('READ', 'WRITE', 'REFUSAL', 'TOKEN')
) r WHERE {{example}} ORDER BY shown DESC, index DESC LIMIT {_EXAMPLES}
"""  # noqa: S608 - the examples are the rules' own

Reach = Callable[[UUID], Awaitable[int]]
"""How many persons there are within a partner's reach at all."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """An anomaly: by which rule, the figure, what it exceeds, from when to when, and decisions to look at."""

    rule: Anomaly
    figure: float
    threshold: float
    since: datetime
    until: datetime
    decisions: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one partner did from `since` to `until`: how often, of how many, and what of it is out of the ordinary.

    `coordinates` and `purposes`: operations by each; `refusals`: by code; `hours`: operations by hour of the day.
    """

    id: UUID
    organization: str
    """Its code."""
    kind: str
    since: datetime
    until: datetime
    operations: int
    persons: int
    misses: int
    denied: int
    """Operations in which something was denied."""
    statistics: int
    """Operations in which statistics were answered (C40)."""
    purposes: Mapping[str, int]
    coordinates: Mapping[str, int]
    refusals: Mapping[str, int]
    hours: Sequence[int]
    anomalies: Sequence[Flagged]


@dataclass(slots=True)
class _Partner:
    """One partner's figures as they are counted."""

    days: dict[date, Day] = field(default_factory=dict)
    persons: int = 0
    misses: int = 0
    denied: int = 0
    statistics: int = 0
    purposes: Counter[str] = field(default_factory=Counter)
    coordinates: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    hours: list[int] = field(default_factory=lambda: [0] * 24)

    def day(self, of: date) -> Day:
        return self.days.get(of) or Day(of)


def period(since: date | None, until: date | None, *, now: datetime) -> tuple[datetime, datetime]:
    """The moments between which some days lie, both included; by default the last seven. Raises ValueError."""
    if any(day is not None and day.year not in YEARS for day in (since, until)):
        message = f"A report covers days of the years {YEARS[0]} to {YEARS[-1]}: choose from and to accordingly."
        raise ValueError(message)
    last = until or now.astimezone(SHANGHAI).date()
    first = since or last - timedelta(days=USUAL_DAYS - 1)
    if not 0 <= (last - first).days < MOST_DAYS:
        message = f"A report covers 1 to {MOST_DAYS} days: choose from and to accordingly."
        raise ValueError(message)
    return _midnight(first), _midnight(last + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, SHANGHAI)


async def behaviour(
    fetch: Fetch,
    organization: str | None,
    *,
    since: datetime,
    until: datetime,
    reach: Reach,
) -> list[Behaviour]:
    """The report of one partner, by its code, or of all, in the order of their codes; of an unknown one nothing.

    `since` and `until` are midnights of Shanghai (`period`). Raises the database's error.
    """
    partners = await fetch(_PARTNERS, organization)
    ids = [row["id"] for row in partners]
    counted = {one: _Partner() for one in ids}
    before = since - timedelta(days=EARLIER_DAYS)
    seen = before - timedelta(days=EARLIER_DAYS)
    for row in await fetch(_HOURS, ids, before, until):
        _count(counted[row["organization"]], row, since)
    for row in await fetch(_COORDINATES, ids, since, until):
        counted[row["organization"]].coordinates[row["coordinate"]] = row["operations"]
    for row in await fetch(_STATISTICS, ids, since, until):
        counted[row["organization"]].statistics = row["operations"]
    for what, partner, at, persons in await fetch(_PERSONS, ids, seen, until, seen - _BATCH, since):
        _count_persons(counted[partner], what, at, persons)
    return [await _behaviour(fetch, row, counted[row["id"]], since=since, until=until, reach=reach) for row in partners]


def _count(partner: _Partner, row: Any, since: datetime) -> None:  # noqa: ANN401 - asyncpg's row
    hour = row["hour"].astimezone(SHANGHAI)
    outside = 0 if WORK_BEGINS <= hour.hour < WORK_ENDS else row["operations"]
    day = partner.day(hour.date())
    partner.days[day.day] = replace(
        day,
        operations=day.operations + row["operations"],
        outside=day.outside + outside,
        misses=day.misses + row["misses"],
        refused=day.refused + row["refused"],
        probed=day.probed + (row["refused"] if row["code"] == PROBED else 0),
        most=max(day.most, row["most"]),
    )
    if hour < since:
        return
    partner.hours[hour.hour] += row["operations"]
    partner.misses += row["misses"]
    partner.denied += row["denied"]
    if row["operations"]:
        partner.purposes[row["purpose"]] += row["operations"]
    if row["refused"]:
        partner.refusals[row["code"] or "UNKNOWN"] += row["refused"]


def _count_persons(partner: _Partner, what: str, at: datetime | None, persons: int) -> None:
    if at is None:
        partner.persons = persons
        return
    moment = at.astimezone(SHANGHAI)
    day = partner.day(moment.date())
    if what == "day":
        partner.days[day.day] = replace(day, persons=persons)
    elif persons > day.looked_up:
        partner.days[day.day] = replace(day, looked_up=persons, looked_up_at=moment)


async def _behaviour(  # noqa: PLR0913 - what a report is made from
    fetch: Fetch,
    row: Any,  # noqa: ANN401 - asyncpg's row
    partner: _Partner,
    *,
    since: datetime,
    until: datetime,
    reach: Reach,
) -> Behaviour:
    days = list(partner.days.values())
    if any(one.persons >= _REACH_FROM and one.day >= since.date() for one in days):
        within = await reach(row["id"])
        days = [replace(one, reach=within) for one in days]
    return Behaviour(
        id=row["id"],
        organization=row["code"],
        kind=row["kind"],
        since=since,
        until=until,
        operations=sum(partner.hours),
        persons=partner.persons,
        misses=partner.misses,
        denied=partner.denied,
        statistics=partner.statistics,
        purposes=_ordered(partner.purposes),
        coordinates=_ordered(partner.coordinates),
        refusals=_ordered(partner.refusals),
        hours=partner.hours,
        anomalies=[await _flagged(fetch, row["id"], one) for one in findings(days, since.date())],
    )


def _ordered(counts: Counter[str]) -> dict[str, int]:
    """The most frequent first, those as frequent by name: the same rows give the same report."""
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


async def _flagged(fetch: Fetch, organization: UUID, finding: Finding) -> Flagged:
    since = _midnight(finding.day.day)
    until = since + timedelta(days=1)
    if finding.rule.name is Anomaly.ENUMERATION_LOOKUPS and finding.day.looked_up_at:
        since = finding.day.looked_up_at
        until = since + timedelta(hours=1)
    examples = await fetch(_EXAMPLE.format(example=finding.rule.example), organization, since, until)
    return Flagged(
        rule=finding.rule.name,
        figure=round(finding.figure, 3),
        threshold=round(finding.threshold, 3),
        since=since,
        until=until,
        decisions=tuple(one["decision"] for one in examples),
    )
