"""Targets: the row a write is about, locked, and whether its caller may run the write on it in its status.

Casbin decides by the situation of the row, computed by the statement that reads it; the lifecycle says which status
an event needs. A row outside the caller's reach does not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from authz.category_masks import Mask
from authz.compile import Slice
from authz.narrowing import STEP_UP, Only, narrowing_of
from authz.scope import scope_of
from authz.situations import NOTHING, has_relation, pair_bit
from authz.vocabulary import Basis, DataSubject, Effect, Reason, Relation
from authz.witnesses import combine, situation_sql
from models.lifecycles import LIFECYCLES, Event
from models.vocabulary import PERSON_ROLES
from resolvers import statements
from resolvers.nouns import Noun
from resolvers.payloads import Problem, ProblemCode, Standing, Write, Written
from resolvers.registry import NOUNS
from resolvers.statements import Columns, Reach

OF: Mapping[str, DataSubject] = {
    "User": DataSubject.USER,
    "Device": DataSubject.USER,
    "Policy": DataSubject.HOLDER,
    "Claim": DataSubject.INSURED,
    "Consent": DataSubject.USER,
}
"""Whose situation decides about a write to a noun."""

_OWNERS = {"Permission": "person_id"}
"""By noun whose owner decides, the column that says who that is."""

_REMEDIES = {
    Reason.UNAVAILABLE: "Which rules are in force is not known at the moment. Try again later.",
    Reason.TOKEN_SCOPE: "This token may not write this. Use one that is not narrowed, and lists the category.",
    Reason.STEP_UP: "Confirm with a second factor (`stepUp`) and send it again.",
    Reason.RULE_DENIES: "A rule denies this. Ask the security team if that is meant.",
    Reason.ROLE: "Your role does not do this.",
    Reason.PURPOSE: "Your role does this for another purpose. Name that one in X-Purpose, if it is yours.",
    Reason.RELATION: (
        "Only somebody tied to this row may do this: the person, their guardian, who is assigned to it."
        " A handler takes a claim first, by assignClaim."
    ),
    Reason.BASIS: "This can only be done while its basis is open: a running application, contract or claim.",
}
_CANCELLED = "SELECT cancelled_at IS NOT NULL FROM account WHERE id = $1"
_WHATEVER_ROW = frozenset({Reason.UNAVAILABLE, Reason.TOKEN_SCOPE, Reason.ROLE, Reason.PURPOSE})
"""What refuses a write before any row is looked for."""


@dataclass(frozen=True, slots=True)
class Target:
    """A row that a write is about: it exists for the caller, is locked, and the write may be run on it."""

    noun: Noun
    row: Any
    """The row itself, by column; its sealed columns are closed."""
    situation: int

    @property
    def id(self) -> UUID:
        """The row's id."""
        found: UUID = self.row["id"]
        return found


async def target(  # noqa: PLR0913 - what a target depends on
    write: Write,
    noun_name: str,
    row_id: UUID | None,
    *,
    of: DataSubject | None = None,
    event: Event | None = None,
    if_version: int | None = None,
) -> Target | Problem:
    """The row with this id, if the caller may run this write on it now.

    Problems, in this order: WRITE_DENIED whatever the row, NOT_FOUND, WRITE_DENIED on this one, VERSION_CONFLICT,
    WRONG_STATUS.
    """
    refused = _hopeless(write)
    if refused:
        return refused
    noun = NOUNS[noun_name]
    reading = _Reading(write, noun, of or OF[noun_name])
    # Looked for first, so that nobody can lock a row that does not exist for them.
    if row_id is None or await reading.row(row_id) is None:
        return not_found()
    await write.connection.execute(f"SELECT FROM {noun.table} WHERE id = $1 FOR NO KEY UPDATE", row_id)
    found = await reading.row(row_id)
    if found is None:
        return not_found()
    refused = await _ended(write)
    if refused:
        return refused
    refused = _refused(write, reading.compiled, f"Mutation.{write.name}", found.situation)
    return refused or _misplaced(found, event, if_version) or found


async def _ended(write: Write) -> Problem | None:
    """ACCOUNT_CANCELLED where the caller's was while they waited: nothing of theirs comes after (C70)."""
    subject = write.subject
    if subject.role not in PERSON_ROLES or not await write.connection.fetchval(_CANCELLED, subject.account):
        return None
    return account_cancelled()


def account_cancelled() -> Problem:
    """Of whom nothing more is collected, by whomever: their data are about to be erased (C70)."""
    message = "This account was cancelled: nothing is begun for it any more. A new one can be opened after the erasure."
    return Problem(ProblemCode.ACCOUNT_CANCELLED, message, clause="C70")


async def still_permitted(write: Write, written: Written) -> Problem | None:
    """May the caller, who wrote this before, be shown it again? Its status may have moved on since.

    What is out of their reach by now is no problem: like the first answer after such a write, this one is null.
    """
    noun = NOUNS[written.noun]
    if written.noun in _OWNERS:
        statement = f"SELECT {_OWNERS[written.noun]} FROM {noun.table} WHERE id = $1"
        owner = await write.connection.fetchval(statement, written.id)
        noun, written = NOUNS["User"], Written("User", owner)
    reading = _Reading(write, noun, OF[written.noun])
    found = await reading.row(written.id)
    if found is None:
        return None
    refused = _refused(write, reading.compiled, f"Mutation.{write.name}", found.situation)
    return None if refused and refused.reason is Reason.BASIS else refused


def out_of_question(write: Write) -> Problem | None:
    """WRITE_DENIED where the caller may not begin anything by this write: by role, purpose or token."""
    if narrowing_of(write.subject, write.purpose, now=write.now).only is not Only.ALL:
        # What is begun anew is none of the policies or products that the token is for.
        return _denied(Reason.TOKEN_SCOPE)
    return _hopeless(write)


def not_listed(write: Write, categories: int) -> Problem | None:
    """WRITE_DENIED where the token does not list one of these categories (a stored set): nor are others let to it."""
    return _denied(Reason.TOKEN_SCOPE) if categories & ~write.subject.categories else None


def without_target(write: Write) -> Problem | None:
    """WRITE_DENIED where the caller may not run a write that is about no row of anybody."""
    compiled = write.snapshot.writing(write.subject.role, write.purpose)
    return _refused(write, compiled, f"Mutation.{write.name}", NOTHING)


def _hopeless(write: Write) -> Problem | None:
    """WRITE_DENIED where the caller may not run this write on any row."""
    compiled = write.snapshot.writing(write.subject.role, write.purpose)
    refused = _refused(write, compiled, f"Mutation.{write.name}", NOTHING)
    return refused if refused and refused.reason in _WHATEVER_ROW else None


def as_holder(found: Target) -> Target:
    """The same target where a datum is not the holder's own, but that of somebody whom they insure."""
    if not has_relation(found.situation, Relation.SELF):
        return found
    return replace(found, situation=pair_bit(Relation.HOLDER_OF, Basis.NONE))


async def exists(write: Write, noun_name: str, row_id: UUID) -> bool:
    """Does this row exist for the caller?"""
    return await _Reading(write, NOUNS[noun_name], OF[noun_name]).row(row_id) is not None


def may_give(write: Write, found: Target, coordinates: Mapping[str, str]) -> Problem | None:
    """WRITE_DENIED where the caller may not give one of some data: coordinates (`User.email`) by input field."""
    compiled = write.snapshot.writing(write.subject.role, write.purpose)
    narrowing = narrowing_of(write.subject, write.purpose, now=write.now)
    for field, name in coordinates.items():
        category = write.snapshot.catalogue[name].category
        reason = None
        if not write.subject.categories & category.bit:
            reason = Reason.TOKEN_SCOPE
        elif narrowing.step_up and category in STEP_UP:
            reason = Reason.STEP_UP
        elif not compiled.may_write(name, found.situation):
            reason = compiled.why_not_write(name, found.situation)
        if reason:
            return Problem(ProblemCode.WRITE_DENIED, _REMEDIES[reason], field=field, reason=reason)
    return None


def not_found() -> Problem:
    """What does not exist, or not for the caller."""
    return Problem(ProblemCode.NOT_FOUND, "There is no such row. Use an id as the API returned it to you.", field="id")


def _refused(write: Write, compiled: Slice, name: str, situation: int) -> Problem | None:
    narrowing = narrowing_of(write.subject, write.purpose, now=write.now)
    reason = None
    if narrowing.most is not Effect.REVEAL:
        reason = Reason.TOKEN_SCOPE
    elif not compiled.may_write(name, situation):
        reason = compiled.why_not_write(name, situation)
    return _denied(reason) if reason else None


def _denied(reason: Reason) -> Problem:
    return Problem(ProblemCode.WRITE_DENIED, _REMEDIES[reason], reason=reason)


def _misplaced(found: Target, event: Event | None, if_version: int | None) -> Problem | None:
    version = found.row.get("version")
    status = found.row.get("status")
    if if_version is not None and if_version != version:
        message = f"This was changed meanwhile: it is at version {version}. Read it again before you change it."
        return Problem(ProblemCode.VERSION_CONFLICT, message, field="ifVersion", standing=Standing(status, version))
    lifecycle = LIFECYCLES.get(found.noun.name)
    if event is None or lifecycle is None or lifecycle.after(event, status) is not None:
        return None
    allowed = lifecycle.statuses_of(event)
    message = f"This cannot be done in the status {status}, only in {', '.join(allowed)}."
    return Problem(ProblemCode.WRONG_STATUS, message, standing=Standing(status, version, allowed))


class _Reading:
    """Reads one row as it exists for the caller, with its situation for writing."""

    def __init__(self, write: Write, noun: Noun, of: DataSubject) -> None:
        role, purpose = write.subject.role, write.purpose
        self.compiled = write.snapshot.writing(role, purpose)
        self._write = write
        self._noun = noun
        narrowing = narrowing_of(write.subject, purpose, now=write.now)
        reach = Reach(role, purpose, scope_of(role, purpose), narrowing.only)
        columns = Columns()
        columns.add("t.*")
        sql = situation_sql(self.compiled, noun.table, of=of)
        if sql.joins_policy:
            columns.joins["p"] = "JOIN policy p ON p.id = t.policy_id"
        if sql.bits:
            columns.add(f"{sql.bits} AS situation")
        self._masks: list[tuple[Mask, str]] = []
        for place, mask in enumerate(sql.masks):
            columns.add(f"{mask.sql} AS mask_{place}")
            self._masks.append((mask, f"mask_{place}"))
        self._bits = sql.bits is not None
        self._statement = statements.by_id(reach, noun, columns)

    async def row(self, row_id: UUID) -> Target | None:
        """The row, if it exists for the caller."""
        write = self._write
        caller = await write.reader.caller(write.connection, write.subject)
        row = await write.connection.fetchrow(self._statement.sql, *self._statement.values({**caller, "id": row_id}))
        if row is None:
            return None
        bits = row["situation"] if self._bits else NOTHING
        # No category: of records that open some categories only, that they tie counts.
        masks = tuple((mask, row[name]) for mask, name in self._masks)
        return Target(self._noun, row, combine(bits, masks, category_bit=0))
