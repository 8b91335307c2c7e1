"""Virtual numbers: how a recipient of marketing reaches a person whose number it does not know (C21, C22, C37).

A pair of recipient and person has exactly one live number while it is due one, else none. A partner is due one while
a marketing consent for it covers RELAY, the notice that the person stands under tells of that (C75), they refused
marketing by no channel, and have concluded no business: then the contract says how to reach whom (C22). The brokerage
is due one besides while a consent to service messages covers it, or a policy runs (C18). Every write that changes
what is due calls `settle`, in its transaction.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from authz.subjects import active, willing
from models.vocabulary import Category, Purpose, Retention
from privacy.records import account_key
from privacy.relay_numbers import Span, free_number, relay_digest
from vault.keyring import Keyring
from vault.sealing import DataKey, column_label, open_column, seal, unwrap

RELAYED = frozenset({Purpose.MARKETING, Purpose.SERVICE_MESSAGE})
"""The purposes of consents that numbers rest on."""
EXHAUSTED = "RELAY_RANGE_EXHAUSTED"
"""The code of the alarm where somebody is due a number and the range has none left, or none is set."""
_LABEL = column_label("virtual_phone", "number_sealed")
_PHONE_LABEL = column_label("person", "phone_sealed")
_NOBODY = UUID(int=0)
"""Stands for no organization, the brokerage, where places are compared."""
_RELAY = Category.RELAY.bit
_RUNNING = "IN ('IN_FORCE', 'GRACE')"

_AGREED = f"c.categories & {_RELAY} <> 0 AND {active('c')}"
_SERVED = "h.starts_at <= now() AND (h.ends_at IS NULL OR h.ends_at > now())"


def concluded(person: str, organization: str) -> str:
    """SQL: is there business between the two: a running policy, or a running health service? (C22)"""
    return (
        f"(EXISTS (SELECT FROM policy w WHERE w.holder_id = {person} AND w.insurer_id = {organization}"  # noqa: S608
        f" AND w.status {_RUNNING})"
        " OR EXISTS (SELECT FROM health_service h JOIN policy w ON w.id = h.policy_id"
        f" WHERE h.provider_id = {organization} AND {_SERVED}"
        f" AND (w.holder_id = {person} OR w.insured_id = {person})))"
    )


def _told(person: str, organization: str) -> str:
    """SQL: does the notice that the person stands under tell of marketing by such a recipient with a number? (C75)"""
    standing = (
        "(SELECT coalesce((SELECT g.notice FROM notice_agreement g JOIN notice gn ON gn.number = g.notice"  # noqa: S608
        f" AND gn.effective_from <= now() WHERE g.person_id = {person} AND g.agrees IS NOT FALSE"
        " ORDER BY g.notice DESC LIMIT 1), (SELECT min(number) FROM notice)))"
    )
    kind = f"coalesce((SELECT o.kind FROM organization o WHERE o.id = {organization}), 'BROKER')"  # noqa: S608
    told = (
        f"SELECT FROM notice_function nf WHERE nf.notice = {standing} AND nf.purpose = 'marketing'"
        f" AND nf.recipient = {kind} AND nf.categories & {_RELAY} <> 0"
    )
    # Before the first is published nothing is held against anybody.
    return f"(NOT EXISTS (SELECT FROM notice) OR EXISTS ({told}))"


_DUE = f"""
SELECT EXISTS (
  SELECT FROM consent c WHERE c.person_id = $1 AND c.purpose = 'marketing' AND c.recipient_id IS NOT DISTINCT FROM $2
  AND {_AGREED} AND {willing("c.person_id")} AND {_told("$1", "$2")}
  AND ($2::uuid IS NULL OR NOT {concluded("$1", "$2")})
) OR ($2::uuid IS NULL AND (
  EXISTS (SELECT FROM consent c WHERE c.person_id = $1 AND c.purpose = 'service_message' AND c.recipient_id IS NULL
    AND {_AGREED})
  OR EXISTS (SELECT FROM policy w WHERE (w.holder_id = $1 OR w.insured_id = $1) AND w.status {_RUNNING})
))
"""  # noqa: S608 - our own names
# All pairs whose numbers are not as they should be, from a place on: due without, live without being due, old.
_AMISS = f"""
WITH due AS (
  SELECT c.person_id, coalesce(c.recipient_id, '{_NOBODY}') AS organization_id FROM consent c
  WHERE c.purpose = 'marketing' AND {_AGREED} AND {willing("c.person_id")}
  AND {_told("c.person_id", "c.recipient_id")}
  AND (c.recipient_id IS NULL OR NOT {concluded("c.person_id", "c.recipient_id")})
  UNION SELECT c.person_id, '{_NOBODY}' FROM consent c
  WHERE c.purpose = 'service_message' AND c.recipient_id IS NULL AND {_AGREED}
  UNION SELECT w.holder_id, '{_NOBODY}' FROM policy w WHERE w.status {_RUNNING}
  UNION SELECT w.insured_id, '{_NOBODY}' FROM policy w WHERE w.status {_RUNNING}
), live AS (
  SELECT v.person_id, coalesce(v.organization_id, '{_NOBODY}') AS organization_id, count(*) AS numbers,
  max(v.issued_at) AS issued_at FROM virtual_phone v WHERE v.ended_at IS NULL GROUP BY 1, 2
)
SELECT person_id, organization_id, due.person_id IS NOT NULL AS due, live.numbers
FROM due FULL JOIN live USING (person_id, organization_id)
WHERE ((due.person_id IS NULL) <> (live.person_id IS NULL) OR live.numbers > 1 OR live.issued_at < $1)
AND (person_id, organization_id) > ($2, $3)
AND NOT EXISTS (SELECT FROM data_key k WHERE k.person_id = coalesce(due.person_id, live.person_id)
  AND k.retention = {int(Retention.ACCOUNT)} AND k.wrapped IS NULL)
ORDER BY person_id, organization_id LIMIT $4
"""  # noqa: S608 - our own names
# Whoever settles the same person comes before or after, not in between.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 7))"
_ALONE_OR_NOT = "SELECT pg_try_advisory_xact_lock(hashtextextended($1::uuid::text, 7))"
_LIVE = """
SELECT id, issued_at FROM virtual_phone WHERE person_id = $1 AND organization_id IS NOT DISTINCT FROM $2
AND ended_at IS NULL ORDER BY issued_at DESC, id
"""
_END = "UPDATE virtual_phone SET ended_at = greatest($2, issued_at) WHERE id = ANY($1::uuid[])"
_ISSUE = """
INSERT INTO virtual_phone (id, person_id, organization_id, number_sealed, number_digest, issued_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (number_digest) DO NOTHING RETURNING id
"""
_KEY = "SELECT wrapped FROM data_key WHERE person_id = $1 AND retention = $2"
_PAIRS = """
SELECT recipient_id FROM consent WHERE person_id = $1 AND purpose IN ('marketing', 'service_message')
UNION SELECT organization_id FROM virtual_phone WHERE person_id = $1 AND ended_at IS NULL
"""
_POLICY = "SELECT holder_id, insured_id, insurer_id FROM policy WHERE id = $1"
_NUMBER = """
SELECT v.person_id, v.organization_id, o.code, p.phone_sealed FROM virtual_phone v
JOIN person p ON p.id = v.person_id LEFT JOIN organization o ON o.id = v.organization_id
WHERE v.number_digest = $1 AND v.ended_at IS NULL
"""
_log = logging.getLogger("needful.relays")


@dataclass(frozen=True, slots=True)
class Relays:
    """What numbers are made with; no `span`: none is given."""

    keyring: Keyring
    span: Span | None


class Settled(StrEnum):
    """What came of settling a pair."""

    NOTHING = "unchanged"
    ISSUED = "issued"
    REPLACED = "replaced"
    ENDED = "ended"
    EXHAUSTED = "exhausted"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Reached:
    """Whom a number leads to: of which recipient it is (None: the brokerage), and the real number."""

    person: UUID
    organization: str | None
    phone: str | None


async def after_consent(
    connection: Any,  # noqa: ANN401 - asyncpg's proxy, here and below
    relays: Relays,
    person: UUID,
    organization: UUID | None,
    *,
    now: datetime,
) -> None:
    """Call in the transaction of every consent given or withdrawn, once its row says so; None: to the brokerage."""
    await settle(connection, relays, person, organization, now=now)


async def after_word(connection: Any, relays: Relays, person: UUID, *, now: datetime) -> None:  # noqa: ANN401
    """Call in the transaction in which somebody refuses marketing, allows it, or agrees to a notice (C20, C75)."""
    await connection.execute(_ALONE, person)
    for row in await connection.fetch(_PAIRS, person):
        await settle(connection, relays, person, row[0], now=now)


async def after_contract(connection: Any, relays: Relays, policy: UUID, *, now: datetime) -> None:  # noqa: ANN401
    """Call in the transaction in which a policy begins or ends to run (C22)."""
    row = await connection.fetchrow(_POLICY, policy)
    for person in sorted({row["holder_id"], row["insured_id"]}):
        for organization in (None, row["insurer_id"]):
            await settle(connection, relays, person, organization, now=now)


async def settle(  # noqa: PLR0913 - a pair and how it is to be settled
    connection: Any,  # noqa: ANN401
    relays: Relays,
    person: UUID,
    organization: UUID | None,
    *,
    now: datetime,
    older_than: datetime | None = None,
    wait: bool = True,
) -> Settled:
    """Bring the numbers of a pair to where they should be; in a transaction. Twice comes to the same.

    A number issued before `older_than` is replaced. Without `wait`, as in rounds that have time, a person whom somebody
    else settles is BUSY, and a free number is looked for throughout the range; somebody who waits gets one that is soon
    found, or has it by the next round. Raises SealedValueError for a data key that does not open.
    """
    if wait:
        await connection.execute(_ALONE, person)
    elif not await connection.fetchval(_ALONE_OR_NOT, person):
        return Settled.BUSY
    due = await connection.fetchval(_DUE, person, organization)
    live = await connection.fetch(_LIVE, person, organization)
    kept = live[:1] if due else []
    old = bool(kept) and older_than is not None and kept[0]["issued_at"] < older_than
    if not due or (kept and not old):
        return await _end(connection, live[len(kept) :], now)
    came = await _issue(connection, relays, person, organization, now, thorough=not wait)
    # The old one, where there is no other, goes on: nobody who agreed is left without.
    await _end(connection, live if came is Settled.ISSUED else live[len(kept) :], now)
    return Settled.REPLACED if kept and came is Settled.ISSUED else came


async def _end(connection: Any, rows: Iterable[Any], now: datetime) -> Settled:  # noqa: ANN401
    ids = [row["id"] for row in rows]
    if not ids:
        return Settled.NOTHING
    await connection.execute(_END, ids, now)
    return Settled.ENDED


async def _issue(  # noqa: PLR0913 - as settle
    connection: Any,  # noqa: ANN401
    relays: Relays,
    person: UUID,
    organization: UUID | None,
    now: datetime,
    *,
    thorough: bool,
) -> Settled:
    if relays.span is None:
        return Settled.EXHAUSTED
    key = await account_key(connection, relays.keyring, person)
    while key is not None:
        number = await free_number(connection, relays.keyring, relays.span, thorough=thorough)
        if number is None:
            return Settled.EXHAUSTED
        row = uuid4()
        sealed = seal(key, number, label=_LABEL, row=row.bytes)
        digest = relay_digest(relays.keyring, number)
        # Somebody else may have drawn the same meanwhile.
        if await connection.fetchval(_ISSUE, row, person, organization, sealed, digest, now):
            return Settled.ISSUED
    return Settled.NOTHING


async def _known_key(connection: Any, keyring: Keyring, person: UUID) -> DataKey | None:  # noqa: ANN401
    """The person's account key; None where there is none, or none any more. Raises SealedValueError."""
    retention = int(Retention.ACCOUNT)
    wrapped = await connection.fetchval(_KEY, person, retention)
    return None if wrapped is None else unwrap(keyring, wrapped, person_id=person, retention=retention)


@dataclass(frozen=True, slots=True)
class Amiss:
    """A pair whose numbers are not as they should be."""

    person: UUID
    organization: UUID | None
    due: bool
    live: int

    @property
    def would(self) -> Settled:
        """What settling it comes to, while the range lasts."""
        if not self.due:
            return Settled.ENDED
        return Settled.REPLACED if self.live else Settled.ISSUED


async def amiss(
    connection: Any,  # noqa: ANN401
    *,
    older_than: datetime | None,
    after: Amiss | None = None,
    most: int = 5_000,
) -> list[Amiss]:
    """The next pairs to settle, in a fixed order, after one of them."""
    place = (after.person, after.organization or _NOBODY) if after else (_NOBODY, _NOBODY)
    rows = await connection.fetch(_AMISS, older_than, *place, most)
    return [Amiss(row[0], None if row[1] == _NOBODY else row[1], row[2], row[3] or 0) for row in rows]


async def rotate(
    connection: Any,  # noqa: ANN401
    relays: Relays,
    *,
    days: int,
    now: datetime,
    dry_run: bool = False,
) -> dict[Settled, int]:
    """Settle every pair that is amiss, and replace numbers older than `days`; how often what came of it.

    A transaction a pair, so this is called in none: whoever is stopped is resumed by the next. Several may do this at
    once. Once the range is found used up, nobody looks for a number for another pair. Raises the database's error.
    """
    done = dict.fromkeys(Settled, 0)
    left = relays.span is not None
    older_than = now - timedelta(days=days)
    found = await amiss(connection, older_than=older_than)
    while found:
        for one in found:
            if not left and one.due and one.live <= 1:
                done[Settled.EXHAUSTED] += 1
                continue
            if dry_run:
                done[one.would] += 1
                continue
            async with connection.transaction():
                came = await settle(
                    connection, relays, one.person, one.organization, now=now, older_than=older_than, wait=False
                )
            done[came] += 1
            left = left and came is not Settled.EXHAUSTED
        found = await amiss(connection, older_than=older_than, after=found[-1])
    if done[Settled.EXHAUSTED]:
        _log.error(
            "%d pairs are due a relay number and none is left: widen NEEDFUL_RELAY_RANGE", done[Settled.EXHAUSTED]
        )
    return done


async def resolve(connection: Any, relays: Relays, number: str) -> Reached | None:  # noqa: ANN401
    """Whom a number leads to now; None for a dead one, also before its row says so, and for any other.

    A look-up: it changes nothing. Raises SealedValueError for what does not open.
    """
    row = await connection.fetchrow(_NUMBER, relay_digest(relays.keyring, number))
    if row is None or not await connection.fetchval(_DUE, row["person_id"], row["organization_id"]):
        return None
    key = await _known_key(connection, relays.keyring, row["person_id"])
    (phone,) = open_column([row["phone_sealed"]], [key], [row["person_id"].bytes], label=_PHONE_LABEL)
    return Reached(row["person_id"], row["code"], phone)
