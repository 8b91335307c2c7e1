"""Unused grants: those that nobody uses are reported, and lapse unless somebody recertifies them in time (C56).

A grant is unused after NEEDFUL_GRANT_DAYS without use since it was first seen, last used or last restored. It is
reported then, and lapses once it has been reported for 30 days and still nobody uses it. Every worker looks each hour;
one at a time does the work.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from authz.compile import Snapshot
from authz.grants import Grant, granted
from authz.reviews import ITSELF, Decided, GrantState, Reviewed, Reviewer, keep, lock, review
from models.keeping import keep as keep_at
from models.reviews import Decision

EVERY_SECONDS = 3600.0
GRANT_DAYS = 180
NOTICE = timedelta(days=30)
"""How long a grant is known as unused before it lapses: time to recertify it."""
REPORTED, LAPSED = "GRANTS_UNUSED", "GRANT_LAPSED"
"""The codes of its alarms."""

_ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(hashtext('grant_held'))"
# While the index is behind, what looks unused may not be.
_UP_TO_DATE = """
SELECT (SELECT coalesce(sum(last), 0) FROM ledger_writer) <= i.next
  OR EXISTS (SELECT FROM ledger_leaf WHERE index = i.next - 1 AND at > $1::timestamptz - interval '1 day')
FROM ledger_indexed i
"""
_FORGET = """
DELETE FROM grant_held WHERE (holder_kind, holder, purpose, category)
NOT IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]))
"""
_SEE = """
INSERT INTO grant_held (holder_kind, holder, purpose, category, since)
SELECT *, $5::timestamptz FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING
"""
_REPORT = """
UPDATE grant_held SET reported_at = $5 WHERE holder_kind = $1 AND holder = $2 AND purpose = $3 AND category = $4
"""
_TAKE_BACK = "UPDATE grant_held SET reported_at = NULL WHERE reported_at IS NOT NULL"

Sound = Callable[..., None]
"""Sounds an alarm: its code, and details that are of no person."""

_log = logging.getLogger("needful.grants")


async def look_after(connection: Any, snapshot: Snapshot, *, days: int, now: datetime, sound: Sound) -> list[Grant]:  # noqa: ANN401
    """Note which grants there are, report those unused for `days` and end those reported long enough; those ended.

    In one transaction; nothing where another worker is at it. `days` 0: nothing is reported and nothing lapses, and
    what was reported is so no more. Nor does anything lapse by an index of the ledger that is behind by a day.
    Raises the database's error.
    """
    async with connection.transaction():
        if not await connection.fetchval(_ONE_AT_A_TIME):
            return []
        await _note(connection, await granted(connection.fetch, snapshot), now)
        if not days:
            # Whoever sets days again gives notice anew.
            await connection.execute(_TAKE_BACK)
            return []
        if not await connection.fetchval(_UP_TO_DATE, now):
            _log.warning("no grant lapses while the index of the ledger is behind: see that the sealer runs")
            return []
        # Whoever recertifies one meanwhile comes before or after, not in between.
        await lock(connection)
        found = await review(connection.fetch, snapshot, now=now, unused_days=days)
        reported = [one for one in found if one.state is GrantState.UNUSED and one.reported_at is None]
        for one in found:
            if (one.state is GrantState.UNUSED) is (one.reported_at is None):
                await connection.execute(_REPORT, *one.grant.words, now if one in reported else None)
        ended = [one.grant for one in found if _over(one, now)]
        for grant in ended:
            await keep(connection, Decided(grant, Decision.LAPSED, now, None), Reviewer(snapshot, by=ITSELF))
    _tell(sound, reported, ended)
    return ended


async def _note(connection: Any, grants: frozenset[Grant], now: datetime) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Since when each stands: one that is gone for a while begins anew."""
    columns = [list(column) for column in zip(*(one.words for one in sorted(grants)), strict=True)] or [[]] * 4
    await connection.execute(_FORGET, *columns)
    await connection.execute(_SEE, *columns, now)


def _over(one: Reviewed, now: datetime) -> bool:
    return one.state is GrantState.UNUSED and one.reported_at is not None and one.reported_at + NOTICE <= now


def _tell(sound: Sound, reported: list[Reviewed], ended: list[Grant]) -> None:
    if reported:
        sound(REPORTED, grants=len(reported))
    for grant in ended:
        _, holder, purpose, category = grant.words
        sound(LAPSED, holder=holder, purpose=purpose, category=category)


async def keep_looking(
    pool: Any,  # noqa: ANN401 - asyncpg's pool
    snapshot: Callable[[], Snapshot],
    *,
    days: int,
    clock: Callable[[], datetime],
    sound: Sound,
) -> None:
    """Look after the grants each hour, for as long as the task lives."""

    async def look(connection: Any, *, now: datetime) -> None:  # noqa: ANN401 - as above
        await look_after(connection, snapshot(), days=days, now=now, sound=sound)

    await keep_at(pool, look, clock=clock, every=EVERY_SECONDS, name="grants")
