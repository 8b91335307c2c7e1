"""The access review: which grants are used, and what was decided of them: recertified, lapsed, restored (C56).

A lapsed grant narrows its holder as a token would (`authz.lapses`); the ruleset stays as it is. Decisions are kept for
good, one after the other; of each grant the last one counts. Writes are not reviewed: they are rules on root fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from authz.compile import Snapshot
from authz.grants import Grant, Holder, granted, read_grant
from authz.subjects import Subject
from ledger.append import add_alone
from ledger.rows import Kind, Operation
from ledger.searches import Fetch
from models.reviews import Decision, HolderKind
from models.vocabulary import Purpose

USUAL_UNUSED_DAYS = 90
MOST_DAYS = 730
"""Days for which a grant may be recertified, or asked about; two years."""
OPERATOR = "operator"
ITSELF = "needful"
"""Who decided, where nobody of the staff did."""

# Decisions get their numbers under this lock and keep it to the end: the greater number is the later decision, and a
# worker that has seen one has missed none before it.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('grant_review'))"
_DECIDE = """
INSERT INTO grant_review (holder_kind, holder, purpose, category, decision, until, decided_at, decided_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_LAST = """
SELECT DISTINCT ON (holder_kind, holder, purpose, category)
  holder_kind, holder, purpose, category, decision, until, decided_at, decided_by
FROM grant_review ORDER BY holder_kind, holder, purpose, category, id DESC
"""
_LAST_OF = """
SELECT decision FROM grant_review WHERE holder_kind = $1 AND holder = $2 AND purpose = $3 AND category = $4
ORDER BY id DESC LIMIT 1
"""
_USES = "SELECT holder_kind, holder, purpose, coordinate, last_used FROM ledger_use"
_HELD = "SELECT holder_kind, holder, purpose, category, since, reported_at FROM grant_held"
_PROGRESS = """
SELECT (SELECT max(decided_at) FROM grant_review WHERE decided_by <> $1) AS last_at,
  (SELECT count(*) FROM grant_held WHERE reported_at IS NOT NULL) AS waiting,
  (SELECT min(reported_at) FROM grant_held) AS first_at
"""


class GrantState(StrEnum):
    """How a grant stands in the review."""

    NEW = "NEW"
    """Never used, and not for long enough to be called unused."""
    IN_USE = "IN_USE"
    UNUSED = "UNUSED"
    RECERTIFIED = "RECERTIFIED"
    LAPSED = "LAPSED"


class ReviewRefusal(StrEnum):
    """Why nothing was decided."""

    GRANT_UNKNOWN = "GRANT_UNKNOWN"
    GRANT_LAPSED = "GRANT_LAPSED"
    GRANT_NOT_LAPSED = "GRANT_NOT_LAPSED"
    DAYS_INVALID = "DAYS_INVALID"

    @property
    def message(self) -> str:
        """What to do."""
        return _MESSAGES[self]


_MESSAGES: Mapping[ReviewRefusal, str] = {
    ReviewRefusal.GRANT_UNKNOWN: "Nobody holds such a grant: take holder, purpose and category from the access review.",
    ReviewRefusal.GRANT_LAPSED: "The grant has lapsed already: restore it first.",
    ReviewRefusal.GRANT_NOT_LAPSED: "The grant has not lapsed, so there is nothing to restore.",
    ReviewRefusal.DAYS_INVALID: f"A grant is recertified for 1 to {MOST_DAYS} days.",
}


@dataclass(frozen=True, slots=True)
class LastReview:
    """The last decision on a grant; `by`: a member of staff's id, or `operator`, or `needful` itself."""

    decision: Decision
    at: datetime
    by: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One grant as the review has it."""

    grant: Grant
    since: datetime
    """Since when it has been known to stand without a break."""
    last_used: datetime | None
    idle: timedelta
    """For how long nobody has used it, since it was granted, used or last restored."""
    state: GrantState
    review: LastReview | None
    reported_at: datetime | None
    """Since when it is known as unused, where unused grants lapse."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the review is: when somebody last decided, and how many grants are known as unused, since when."""

    last_at: datetime | None
    waiting: int
    first_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided of a grant."""

    grant: Grant
    decision: Decision
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who decides, and under which rules: for the ledger."""

    snapshot: Snapshot
    by: str = OPERATOR
    subject: Subject | None = None
    purpose: Purpose | None = None
    operation: UUID = field(default_factory=uuid4)
    """The decision id of the operation that it is part of."""


async def review(fetch: Fetch, snapshot: Snapshot, *, now: datetime, unused_days: int) -> list[Reviewed]:
    """Every grant in force, in order; unused is what nobody used for so many days. Raises the database's error."""
    uses = await _uses(fetch, snapshot)
    reviews = {read_grant(*row[:4]): LastReview(Decision(row[4]), row[6], row[7], row[5]) for row in await fetch(_LAST)}
    held = {read_grant(*row[:4]): (row[4], row[5]) for row in await fetch(_HELD)}
    found = []
    for grant in sorted(await granted(fetch, snapshot)):
        since, reported = held.get(grant, (now, None))
        last, used = reviews.get(grant), uses.get(grant)
        restored = last.at if last and last.decision is Decision.RESTORED else since
        idle = max(now - max(since, restored, used or since), timedelta())
        state = _state(last, used, idle, now=now, unused=timedelta(days=unused_days))
        found.append(Reviewed(grant, since, used, idle, state, last, reported))
    return found


async def progress(fetch: Fetch) -> Progress:
    """How far the review is. Raises the database's error."""
    (row,) = await fetch(_PROGRESS, ITSELF)
    return Progress(row["last_at"], row["waiting"], row["first_at"])


def _state(
    last: LastReview | None, used: datetime | None, idle: timedelta, *, now: datetime, unused: timedelta
) -> GrantState:
    if last and last.decision is Decision.LAPSED:
        return GrantState.LAPSED
    if last and last.decision is Decision.RECERTIFIED and last.until and last.until > now:
        return GrantState.RECERTIFIED
    if idle >= unused:
        return GrantState.UNUSED
    return GrantState.IN_USE if used else GrantState.NEW


async def _uses(fetch: Fetch, snapshot: Snapshot) -> dict[Grant, datetime]:
    """When each grant was last used. A coordinate that the schema no longer has is of no category any more."""
    found: dict[Grant, datetime] = {}
    for kind, key, purpose, name, last_used in await fetch(_USES):
        coordinate = snapshot.catalogue.get(name)
        if coordinate is not None:
            grant = Grant(Holder(HolderKind(kind), key), Purpose(purpose), coordinate.category)
            found[grant] = max(last_used, found.get(grant, last_used))
    return found


async def recertify(
    connection: Any,  # noqa: ANN401 - as above
    grant: Grant,
    *,
    days: int,
    reviewer: Reviewer,
    now: datetime,
) -> Decided | ReviewRefusal:
    """Keep a grant for some days, used or not. With its ledger row, in the connection's transaction if there is one."""
    if not 1 <= days <= MOST_DAYS:
        return ReviewRefusal.DAYS_INVALID
    decided = Decided(grant, Decision.RECERTIFIED, now, now + timedelta(days=days))
    return await _decide(connection, decided, reviewer, must_be_lapsed=False)


async def lapse(connection: Any, grant: Grant, *, reviewer: Reviewer, now: datetime) -> Decided | ReviewRefusal:  # noqa: ANN401
    """End a grant, whether it is used or not: from the commit on its holder is shown nothing by it (C56)."""
    return await _decide(connection, Decided(grant, Decision.LAPSED, now, None), reviewer, must_be_lapsed=False)


async def restore(connection: Any, grant: Grant, *, reviewer: Reviewer, now: datetime) -> Decided | ReviewRefusal:  # noqa: ANN401
    """Give back what has lapsed; its days unused begin anew."""
    return await _decide(connection, Decided(grant, Decision.RESTORED, now, None), reviewer, must_be_lapsed=True)


async def _decide(
    connection: Any,  # noqa: ANN401 - as above
    decided: Decided,
    reviewer: Reviewer,
    *,
    must_be_lapsed: bool,
) -> Decided | ReviewRefusal:
    async with connection.transaction():
        await connection.execute(_LOCK)
        lapsed = await connection.fetchval(_LAST_OF, *decided.grant.words) == Decision.LAPSED
        if must_be_lapsed and not lapsed:
            return ReviewRefusal.GRANT_NOT_LAPSED
        # What has lapsed can be given back whether or not the rules still give it.
        if not must_be_lapsed and decided.grant not in await granted(connection.fetch, reviewer.snapshot):
            return ReviewRefusal.GRANT_UNKNOWN
        if lapsed and not must_be_lapsed:
            return ReviewRefusal.GRANT_LAPSED
        await keep(connection, decided, reviewer)
    return decided


async def keep(connection: Any, decided: Decided, reviewer: Reviewer) -> None:  # noqa: ANN401 - as above
    """Write a decision and its ledger row, in the connection's transaction, which has `lock`."""
    words = (*decided.grant.words, decided.decision.value, decided.until, decided.at, reviewer.by)
    await connection.execute(_DECIDE, *words)
    await add_alone(connection, _row(decided, reviewer))


async def lock(connection: Any) -> None:  # noqa: ANN401 - as above
    """Let nobody else decide until the connection's transaction ends."""
    await connection.execute(_LOCK)


def _row(decided: Decided, reviewer: Reviewer) -> Operation:
    subject, ruleset = reviewer.subject, reviewer.snapshot.ruleset
    holder, grant = decided.grant.holder, decided.grant
    return Operation(
        kind=Kind.RULES,
        decision=reviewer.operation,
        at=decided.at,
        role=subject.role if subject else None,
        account=subject.account if subject else None,
        token=subject.token_id if subject else None,
        purpose=reviewer.purpose,
        ruleset=ruleset.number,
        digest=ruleset.digest,
        detail={
            "grant": decided.decision.value,
            "holderKind": holder.kind.value,
            "holder": holder.key,
            "purpose": grant.purpose.value,
            "category": grant.category.value,
            "until": decided.until.isoformat() if decided.until else None,
            "by": reviewer.by,
        },
    )
