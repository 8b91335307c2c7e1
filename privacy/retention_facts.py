"""What decides how long data are kept, read for many persons at once: records, agreements, holds, orders.

What a policy, a claim or a device is kept for ends on a day that stands in the clear: `ends_on`, `closed_at`, or the
day on which something was last said of it. A person without an account is kept while something names them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.retention import AgreementKind
from models.vocabulary import Retention
from privacy.bundles import Bundle
from privacy.ceasing import ceased_at
from privacy.holds import Hold
from privacy.retention import Agreed, Duty, Explained, Facts, Record, explain, kept_by_law
from privacy.working_days import shanghai_day

_LAW = 0
"""Stands for no class: records that the law keeps, of who holds or is insured."""

# $1: the persons; $2 and $3: after how many days an application and a claim that nobody goes on with are abandoned.
_RECORDS = f"""
WITH policies AS (
  SELECT p.id, p.holder_id, p.insured_id,
  CASE WHEN p.status = 'DRAFT' THEN p.changed_on + $2::int WHEN p.status = 'DECLINED' THEN p.changed_on
    WHEN p.status = 'IN_FORCE' THEN p.ends_on
    WHEN p.status IN ('LAPSED', 'SURRENDERED', 'EXPIRED', 'TERMINATED') THEN least(p.ends_on, p.changed_on)
  END AS ended,
  CASE WHEN p.starts_on IS NULL OR p.status IN ('DRAFT', 'SUBMITTED', 'UNDERWRITING', 'DECLINED', 'AWAITING_PAYMENT')
    THEN 'none' WHEN p.ends_on <= p.starts_on + interval '1 year' THEN 'short' ELSE 'long' END AS duty
  FROM policy p WHERE p.id IN (
    SELECT id FROM policy WHERE holder_id = ANY($1) UNION SELECT id FROM policy WHERE insured_id = ANY($1)
    UNION SELECT policy_id FROM beneficiary WHERE person_id = ANY($1))
), claims AS (
  SELECT c.id, c.holder_id, c.insured_id, c.reporter_id, c.payee_id,
  CASE WHEN c.closed_at IS NOT NULL THEN (c.closed_at AT TIME ZONE 'Asia/Shanghai')::date
    WHEN c.status = 'DRAFT' THEN c.changed_on + $3::int WHEN c.status = 'WITHDRAWN' THEN c.changed_on END AS ended,
  CASE WHEN c.status = 'DRAFT' OR (c.status = 'WITHDRAWN' AND c.closed_at IS NULL) THEN 'none' ELSE 'claim' END AS duty
  FROM claim c WHERE c.id IN (
    SELECT id FROM claim WHERE holder_id = ANY($1) UNION SELECT id FROM claim WHERE insured_id = ANY($1)
    UNION SELECT id FROM claim WHERE reporter_id = ANY($1) UNION SELECT id FROM claim WHERE payee_id = ANY($1))
), naming AS (
  SELECT holder_id AS person, duty, ended, TRUE AS party FROM policies
  UNION ALL SELECT insured_id, duty, ended, TRUE FROM policies WHERE insured_id <> holder_id
  UNION ALL SELECT b.person_id, duty, ended, FALSE FROM beneficiary b JOIN policies p ON p.id = b.policy_id
    WHERE b.person_id = ANY($1)
  UNION ALL SELECT holder_id, duty, ended, TRUE FROM claims
  UNION ALL SELECT insured_id, duty, ended, TRUE FROM claims WHERE insured_id <> holder_id
  UNION ALL SELECT reporter_id, duty, ended, FALSE FROM claims WHERE reporter_id IS NOT NULL
  UNION ALL SELECT payee_id, duty, ended, FALSE FROM claims WHERE payee_id IS NOT NULL
), found AS (
  SELECT holder_id AS person, {int(Retention.CONTRACT)} AS class, duty, ended FROM policies
  UNION ALL SELECT insured_id, {int(Retention.CLAIM)}, duty, ended FROM claims
  UNION ALL SELECT person_id, {int(Retention.DEVICE)}, 'device', changed_on FROM device WHERE person_id = ANY($1)
  UNION ALL SELECT person_id, {int(Retention.ACCOUNT)}, 'account', NULL FROM account WHERE person_id = ANY($1)
  UNION ALL SELECT person, {int(Retention.ACCOUNT)}, 'none', ended FROM naming
  UNION ALL SELECT child_id, {int(Retention.ACCOUNT)}, 'none', (revoked_at AT TIME ZONE 'Asia/Shanghai')::date
    FROM guardian_link WHERE child_id = ANY($1) AND verified_at IS NOT NULL
  UNION ALL SELECT person_id, {int(Retention.ACCOUNT)}, 'none', (said_at AT TIME ZONE 'Asia/Shanghai')::date
    FROM notice_agreement WHERE person_id = ANY($1)
  UNION ALL SELECT person_id, {int(Retention.RESTRICTED)}, 'kept', until FROM restricted_record
    WHERE person_id = ANY($1)
  UNION ALL SELECT person, {_LAW}, duty, ended FROM naming WHERE party AND duty <> 'none'
)
SELECT person, class, duty, max(ended) AS ended, bool_or(ended IS NULL) AS open FROM found
WHERE person = ANY($1) GROUP BY person, class, duty
"""  # noqa: S608 - our own names
_KEYS = "SELECT person_id, retention FROM data_key WHERE person_id = ANY($1) AND wrapped IS NOT NULL"
_AGREED = """
SELECT a.person_id, a.retention, a.kind, a.until FROM retention_agreement a
WHERE a.person_id = ANY($1) AND a.ended_at IS NULL
"""
_HOLDS = "SELECT * FROM legal_hold WHERE person_id = ANY($1) AND lifted_at IS NULL"
_ORDERS = (
    "SELECT id, person_id, classes, ground, ordered_at FROM erasure_order WHERE person_id = ANY($1) ORDER BY ordered_at"
)


@dataclass(slots=True)
class Standing:
    """One person's, class by class, as it was read."""

    records: dict[int, list[Record]] = field(default_factory=dict)
    agreed: dict[int, list[Agreed]] = field(default_factory=dict)
    ordered: dict[int, date] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    alive: set[Retention] = field(default_factory=set)
    """The classes that have a key."""

    def facts(self, retention: Retention, *, ceased: date | None) -> Facts:
        """What decides about one class."""
        records, agreed = self.records.get(retention, ()), self.agreed.get(retention, ())
        return Facts(retention, records, agreed, self.ordered.get(retention), ceased, self.holds)


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to become of one person's data on a day."""

    explained: Mapping[Retention, Explained]
    """Of each class that there is anything of."""
    remainder: date | None
    """Until when the law wants to know who they were."""

    def due(self, today: date) -> frozenset[Retention]:
        """The classes to erase."""
        return frozenset(one for one, told in self.explained.items() if told.due(today))


async def decide(
    connection: Any,  # noqa: ANN401 - asyncpg's
    people: Sequence[UUID],
    bundle: Bundle,
    now: datetime,
) -> dict[UUID, Decided]:
    """Decide for many at once, by one day (Shanghai). Raises the database's error."""
    today = shanghai_day(now)
    ceasing = await ceased_at(connection, now=now)
    ceased = ceasing and shanghai_day(ceasing)
    decided = {}
    for person, standing in (await read(connection, people, bundle)).items():
        explained = {one: explain(standing.facts(one, ceased=ceased), bundle, today) for one in sorted(standing.alive)}
        remainder = kept_by_law(standing.records.get(_LAW, ()), bundle, ceased=ceased, today=today)
        decided[person] = Decided(explained, remainder)
    return decided


async def read(connection: Any, people: Sequence[UUID], bundle: Bundle) -> dict[UUID, Standing]:  # noqa: ANN401 - asyncpg's
    """What is known of each. Raises the database's error."""
    found = {person: Standing() for person in people}
    drafts = (bundle.schedule[one].draft_days for one in (Retention.CONTRACT, Retention.CLAIM))
    for row in await connection.fetch(_RECORDS, people, *drafts):
        ended, named = None if row["open"] else row["ended"], row["duty"] == Duty.NONE
        record = Record(Duty(row["duty"]), ended, named and row["class"] == Retention.ACCOUNT)
        found[row["person"]].records.setdefault(row["class"], []).append(record)
    for row in await connection.fetch(_KEYS, people):
        found[row["person_id"]].alive.add(Retention(row["retention"]))
    for row in await connection.fetch(_AGREED, people):
        agreed = Agreed(AgreementKind(row["kind"]), row["until"])
        found[row["person_id"]].agreed.setdefault(row["retention"], []).append(agreed)
    for row in await connection.fetch(_HOLDS, people):
        found[row["person_id"]].holds.append(Hold.of(row))
    for row in await connection.fetch(_ORDERS, people):
        for one in row["classes"]:
            found[row["person_id"]].ordered.setdefault(one, shanghai_day(row["ordered_at"]))
    return found
