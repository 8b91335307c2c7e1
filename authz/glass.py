"""Break glass: for some minutes a named member of staff is shown categories that the rules would not (C46, C55).

Somebody else opens it, everybody who watches hears of it, it ends by itself, and a third one looks at it afterwards.
What is shown is decided by Casbin as ever: by the rules in force and, for that account and purpose, one more rule for
each category (`glass_rules`). So a deny wins; rows that do not exist for the role still do not; a token and a lapsed
grant narrow, and the disclosure budget counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from authz.compile import Snapshot, checked_slice
from authz.rules import Rule, Ruleset, RulesetError, digest_of
from authz.scope import scope_of, sees_audience
from authz.sessions import purposes_of
from authz.vocabulary import ANY, Action, RuleEffect
from authz.workbench.acts import Actor, Refused, RulesRefusal, row_of, said
from ledger.append import add_alone
from models.rulesets import Verdict
from models.vocabulary import Category, Purpose, Role, from_bits, to_bits

GLASS_MINUTES = "NEEDFUL_GLASS_MINUTES"
MOST_MINUTES = 60
WITHOUT_DATA = frozenset({Role.SECURITY_ADMIN, Role.AUDITOR, Role.DEVELOPER})
"""Who sees no personal data at all, in whatever emergency."""
CLAUSE = "C55 break glass"

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('broken_glass'))"
_MEMBER = "SELECT id, role FROM staff WHERE username = $1 AND left_at IS NULL FOR SHARE"
_OPEN = """
INSERT INTO broken_glass (id, account, role, purpose, categories, reason, opened_by, opened_at, until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_RUNNING = """
SELECT FROM broken_glass WHERE account = $1 AND purpose = $2 AND ended_at IS NULL AND until > $3
"""
_COLUMNS = """
id, account, role, purpose, categories, reason, opened_by, opened_at, until, ended_at, ended_by, reviewed_by,
reviewed_at, verdict, note
"""
_ONE = f"SELECT {_COLUMNS} FROM broken_glass WHERE id = $1"
_LOCKED = f"{_ONE} FOR UPDATE"
_ALL = f"SELECT {_COLUMNS} FROM broken_glass ORDER BY opened_at DESC, id LIMIT $1"
_END = "UPDATE broken_glass SET ended_at = $2, ended_by = $3 WHERE id = $1"
_REVIEW = "UPDATE broken_glass SET reviewed_by = $2, reviewed_at = $3, verdict = $4, note = $5 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """For whom the glass is broken, by their work name; for what, why and for how long."""

    username: str
    purpose: Purpose
    categories: frozenset[Category]
    reason: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Glass:
    """One broken glass; accounts are ids of staff, `opened_by` and `ended_by` as `Actor.by`."""

    id: UUID
    account: UUID
    role: Role
    purpose: Purpose
    categories: tuple[Category, ...]
    reason: str
    opened_by: str
    opened_at: datetime
    until: datetime
    ended_at: datetime | None
    ended_by: str | None
    reviewed_by: str | None
    reviewed_at: datetime | None
    verdict: Verdict | None
    note: str | None

    def over_at(self, now: datetime) -> datetime | None:
        """When it ended, by somebody or by itself; None while it has not."""
        return self.ended_at or (self.until if self.until <= now else None)


async def find(connection: Any, glass: UUID, *, locked: bool = False) -> Glass | None:  # noqa: ANN401 - asyncpg's
    """One broken glass; `locked`: nobody else changes it before the transaction ends. Raises the database's error."""
    row = await connection.fetchrow(_LOCKED if locked else _ONE, glass)
    return row and _glass(row)


async def some(connection: Any, *, most: int) -> list[Glass]:  # noqa: ANN401 - as above
    """Broken glasses, the latest first. Raises the database's error."""
    return [_glass(row) for row in await connection.fetch(_ALL, most)]


async def break_glass(  # noqa: PLR0911, PLR0913 - one refusal after the other
    connection: Any,  # noqa: ANN401 - as above
    wanted: Wanted,
    *,
    snapshot: Snapshot,
    most: int,
    actor: Actor,
    now: datetime,
) -> Glass | Refused:
    """Break the glass for somebody else, for `most` minutes at most; from the commit on it counts within a second.

    `snapshot`: the rules in force. Raises the database's error.
    """
    refused = await actor.stands(connection, Role.SECURITY_ADMIN)
    if refused:
        return refused
    if not said(wanted.reason):
        return Refused(RulesRefusal.TEXT_INVALID)
    if not 1 <= wanted.minutes <= min(most, MOST_MINUTES):
        return Refused(RulesRefusal.MINUTES_INVALID, f"It is 1 to {min(most, MOST_MINUTES)} minutes.")
    if not wanted.categories:
        return Refused(RulesRefusal.CATEGORIES_INVALID)
    async with connection.transaction():
        await connection.execute(_LOCK)
        member = await connection.fetchrow(_MEMBER, wanted.username)
        if member is None:
            return Refused(RulesRefusal.MEMBER_UNKNOWN)
        account, role = member["id"], Role(member["role"])
        if str(account) == actor.by:
            return Refused(RulesRefusal.GLASS_YOURS)
        hopeless = _hopeless(role, wanted, snapshot)
        if hopeless:
            return hopeless
        if await connection.fetchrow(_RUNNING, account, wanted.purpose.value, now) is not None:
            return Refused(RulesRefusal.GLASS_OPEN)
        glass, until = uuid4(), now + timedelta(minutes=wanted.minutes)
        head = glass, account, role.value, wanted.purpose.value, to_bits(wanted.categories)
        await connection.execute(_OPEN, *head, wanted.reason.strip(), actor.by, now, until)
        row = row_of(
            actor,
            now,
            "breakGlass",
            glass=str(glass),
            account=str(account),
            role=role.value,
            purpose=wanted.purpose.value,
            categories=sorted(category.value for category in wanted.categories),
            until=until.isoformat(),
        )
        await add_alone(connection, row)
        return await find(connection, glass) or Refused(RulesRefusal.GLASS_UNKNOWN)


def _hopeless(role: Role, wanted: Wanted, snapshot: Snapshot) -> Refused | None:
    """Why nothing may be shown to a role for a purpose, or not this."""
    if role in WITHOUT_DATA:
        return Refused(RulesRefusal.ROLE_SEES_NOTHING)
    if wanted.purpose not in purposes_of(role):
        return Refused(RulesRefusal.PURPOSE_UNKNOWN)
    # Without a budget nobody is revealed; without rows there is nobody.
    nobody = (role, wanted.purpose) not in snapshot.ruleset.budgets or not scope_of(role, wanted.purpose)
    # Nor is marketing ever an emergency (C21).
    if nobody or sees_audience(role, wanted.purpose):
        return Refused(RulesRefusal.ROLE_SEES_NOTHING)
    try:
        under_glass(snapshot, role, wanted.purpose, wanted.categories)
    except RulesetError as refused:
        return Refused(RulesRefusal.RULES_INVALID, f"Take more categories or fewer: {refused}.")
    return None


async def end(connection: Any, glass_id: UUID, *, actor: Actor, now: datetime) -> Glass | Refused:  # noqa: ANN401
    """End it before its time: no worker heeds it from the next second on. Raises the database's error."""
    refused = await actor.may_edit(connection)
    if refused:
        return refused
    async with connection.transaction():
        found = await find(connection, glass_id, locked=True)
        if found is None:
            return Refused(RulesRefusal.GLASS_UNKNOWN)
        if found.over_at(now):
            return Refused(RulesRefusal.GLASS_STATE)
        await connection.execute(_END, glass_id, now, actor.by)
        await add_alone(connection, row_of(actor, now, "endGlass", glass=str(glass_id)))
        return await find(connection, glass_id) or Refused(RulesRefusal.GLASS_UNKNOWN)


async def review(  # noqa: PLR0913 - what is known of a verdict
    connection: Any,  # noqa: ANN401 - as above
    glass_id: UUID,
    *,
    verdict: Verdict,
    note: str,
    actor: Actor,
    now: datetime,
) -> Glass | Refused:
    """Say, once it is over, whether it was right: somebody who neither opened it nor was shown anything by it.

    Raises the database's error.
    """
    refused = await actor.stands(connection, Role.SECURITY_ADMIN, Role.PRIVACY_OFFICER)
    if refused:
        return refused
    if not said(note, least=0):
        return Refused(RulesRefusal.TEXT_INVALID)
    async with connection.transaction():
        found = await find(connection, glass_id, locked=True)
        if found is None:
            return Refused(RulesRefusal.GLASS_UNKNOWN)
        if actor.by in (found.opened_by, str(found.account)):
            return Refused(RulesRefusal.GLASS_YOURS)
        if not found.over_at(now) or found.reviewed_at:
            return Refused(RulesRefusal.GLASS_STATE)
        await connection.execute(_REVIEW, glass_id, actor.by, now, verdict.value, note)
        row = row_of(actor, now, "reviewGlass", glass=str(glass_id), verdict=verdict.value)
        await add_alone(connection, row)
        return await find(connection, glass_id) or Refused(RulesRefusal.GLASS_UNKNOWN)


def _glass(row: Any) -> Glass:  # noqa: ANN401 - asyncpg's record
    given = dict(row)
    return Glass(
        **{
            **given,
            "role": Role(given["role"]),
            "purpose": Purpose(given["purpose"]),
            "categories": from_bits(given["categories"]),
            "verdict": given["verdict"] and Verdict(given["verdict"]),
        }
    )


# What it does.


def glass_rules(role: Role, purpose: Purpose, categories: Iterable[Category]) -> tuple[Rule, ...]:
    """What a broken glass adds: each category is revealed, whatever ties the subject to the person."""
    return tuple(
        Rule(RuleEffect.ALLOW, role, purpose, ANY, ANY, Action.REVEAL, category.value, CLAUSE)
        for category in sorted(categories)
    )


def under_glass(snapshot: Snapshot, role: Role, purpose: Purpose, categories: Iterable[Category]) -> Snapshot:
    """The rules in force and those of a broken glass, as one account for one purpose is answered by them.

    The ruleset keeps its number; its digest names both. A row of the ledger that has `breakGlass` is decided again by
    this. Raises RulesetError where a birth date would stand beside a masked ID number, or where nobody can tell which
    rules are in force.
    """
    if snapshot.is_closed:
        message = "it cannot be told which rules are in force"
        raise RulesetError(message)
    ruleset = widened(snapshot.ruleset, role, purpose, categories)
    own = checked_slice(ruleset, role, purpose, catalogue=snapshot.catalogue, law=snapshot.law)
    return replace(snapshot, ruleset=ruleset, slices={**snapshot.slices, (role, purpose): own})


def widened(ruleset: Ruleset, role: Role, purpose: Purpose, categories: Iterable[Category]) -> Ruleset:
    """A ruleset in force with the rules of a broken glass, under its number and a digest that names both."""
    known = {rule.sentence for rule in ruleset.rules}
    added = (rule for rule in glass_rules(role, purpose, categories) if rule.sentence not in known)
    rules = tuple(sorted((*ruleset.rules, *added), key=lambda rule: rule.line))
    digest = digest_of(rules, sorted(ruleset.budgets.values()))
    return Ruleset(ruleset.number, rules, ruleset.budgets, digest)
