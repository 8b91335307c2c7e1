"""Acts on rules: who does one, why it is refused, and the row that it leaves in the ledger (C46, C59)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID, uuid4

from authz.reviews import OPERATOR
from authz.subjects import Subject
from ledger.rows import Kind, Operation
from models.vocabulary import Purpose, Role

LONGEST_REASON = 2_000

_STANDING = "SELECT id::text, role FROM staff WHERE id::text = ANY($1::text[]) AND left_at IS NULL"
_STAYING = f"{_STANDING} FOR SHARE"


class RulesRefusal(StrEnum):
    """Why nothing was done about rules, or about a broken glass."""

    NOT_YOURS = "NOT_YOURS"
    NOT_STAFF = "NOT_STAFF"
    DRAFT_UNKNOWN = "DRAFT_UNKNOWN"
    RULESET_UNKNOWN = "RULESET_UNKNOWN"
    DRAFT_STATE = "DRAFT_STATE"
    TEXT_INVALID = "TEXT_INVALID"
    RULES_INVALID = "RULES_INVALID"
    NOTHING_CHANGED = "NOTHING_CHANGED"
    PARENT_STALE = "PARENT_STALE"
    ROLLBACK_FIXED = "ROLLBACK_FIXED"
    FINDINGS = "FINDINGS"
    CASES_FAIL = "CASES_FAIL"
    IMPACT_MISSING = "IMPACT_MISSING"
    OWN_DRAFT = "OWN_DRAFT"
    PROPOSAL_CHANGED = "PROPOSAL_CHANGED"
    NOT_APPROVED = "NOT_APPROVED"
    GLASS_UNKNOWN = "GLASS_UNKNOWN"
    GLASS_STATE = "GLASS_STATE"
    MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
    ROLE_SEES_NOTHING = "ROLE_SEES_NOTHING"
    PURPOSE_UNKNOWN = "PURPOSE_UNKNOWN"
    MINUTES_INVALID = "MINUTES_INVALID"
    CATEGORIES_INVALID = "CATEGORIES_INVALID"
    GLASS_OPEN = "GLASS_OPEN"
    GLASS_YOURS = "GLASS_YOURS"

    @property
    def message(self) -> str:
        """What to do."""
        return _MESSAGES[self]


_MESSAGES: Mapping[RulesRefusal, str] = {
    RulesRefusal.NOT_YOURS: "Your role does not do this: rules are drafted by security_admin or on the command line,"
    " and reviewed by people, security_admin and privacy_officer.",
    RulesRefusal.NOT_STAFF: "You do not work here in that role (any more): log in anew.",
    RulesRefusal.DRAFT_UNKNOWN: "There is no such draft: take its id from the list of drafts.",
    RulesRefusal.RULESET_UNKNOWN: "There is no ruleset of that number: take it from the list of rulesets.",
    RulesRefusal.DRAFT_STATE: "The draft is in another state by now: look at it anew.",
    RulesRefusal.TEXT_INVALID: "A title has 1 to 120 characters, a reason 1 to 2,000 and a note up to 2,000, all on"
    " one line: say what is changed, and why.",
    RulesRefusal.RULES_INVALID: "A row cannot be used.",
    RulesRefusal.NOTHING_CHANGED: "Nothing would change: rules, budgets and cases are those of the ruleset in force.",
    RulesRefusal.PARENT_STALE: "Another ruleset has been published since: rebase the draft, look at it, propose it.",
    RulesRefusal.ROLLBACK_FIXED: "A roll back is what was published before, unchanged: withdraw it, and roll back anew"
    " or draft what you mean.",
    RulesRefusal.FINDINGS: "The rules have an error: mend it and propose again.",
    RulesRefusal.CASES_FAIL: "A case fails: mend the rules or the case and propose again.",
    RulesRefusal.IMPACT_MISSING: "A draft is proposed with a report of its impact.",
    RulesRefusal.OWN_DRAFT: "Whoever wrote or proposed a draft does not review it: ask a colleague.",
    RulesRefusal.PROPOSAL_CHANGED: "This is not what is proposed by now: look at the draft anew.",
    RulesRefusal.NOT_APPROVED: "Not enough people have approved exactly this.",
    RulesRefusal.GLASS_UNKNOWN: "There is no such broken glass: take its id from the list.",
    RulesRefusal.GLASS_STATE: "That has been done already, or it is too early: look at the list.",
    RulesRefusal.MEMBER_UNKNOWN: "Nobody of that name works here.",
    RulesRefusal.ROLE_SEES_NOTHING: "Somebody in that role sees no personal data, or not for that purpose, in whatever"
    " emergency.",
    RulesRefusal.PURPOSE_UNKNOWN: "That role does not have this purpose.",
    RulesRefusal.MINUTES_INVALID: "The time is more than may be given, or none.",
    RulesRefusal.CATEGORIES_INVALID: "Name the categories that are needed, one at least.",
    RulesRefusal.GLASS_OPEN: "The glass is broken already for that person and purpose: end that first.",
    RulesRefusal.GLASS_YOURS: "Nobody breaks the glass for themself, and neither who opened it nor whom it was for"
    " reviews it: ask a colleague.",
}


def said(text: str, longest: int = LONGEST_REASON, *, least: int = 1) -> bool:
    """Is it one line that says something? It is shown beside digests that people copy, so it holds what it shows."""
    return least <= len(text.strip()) and len(text) <= longest and text.isprintable()


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was done; `detail` says what exactly is in the way. It names rows and roles, never a person."""

    why: RulesRefusal
    detail: str = ""

    @property
    def message(self) -> str:
        """What to do."""
        return f"{self.why.message} {self.detail}" if self.detail else self.why.message


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a member of staff as `by`, their id, in a role; or `operator`, whoever runs commands, a machine too.

    The operator is no person here: it may draft, propose and publish what people have approved, and approve nothing.
    """

    by: str = OPERATOR
    role: Role | None = None
    subject: Subject | None = None
    purpose: Purpose | None = None
    operation: UUID = field(default_factory=uuid4)
    """The decision id of the operation that it is part of."""

    @classmethod
    def of(cls, subject: Subject, purpose: Purpose | None, operation: UUID | None = None) -> Self:
        """The caller of an operation."""
        return cls(str(subject.account), subject.role, subject, purpose, operation or uuid4())

    @property
    def machine(self) -> bool:
        """Is it nobody of the staff?"""
        return self.by == OPERATOR

    async def may_edit(self, connection: Any) -> Refused | None:  # noqa: ANN401 - asyncpg's connection or proxy
        """Why it may not draft, propose, publish or take back. Raises the database's error."""
        return None if self.machine else await self.stands(connection, Role.SECURITY_ADMIN)

    async def stands(self, connection: Any, *roles: Role) -> Refused | None:  # noqa: ANN401 - as above
        """Why it is nobody who works here in one of these roles. Raises the database's error."""
        if self.role not in roles:
            return Refused(RulesRefusal.NOT_YOURS)
        found = await standing(connection, [self.by])
        return None if found.get(self.by) is self.role else Refused(RulesRefusal.NOT_STAFF)


async def standing(connection: Any, who: list[str], *, locked: bool = True) -> dict[str, Role]:  # noqa: ANN401 - as above
    """Of these, who works here, and in which role; `locked`: nobody of them leaves before the transaction ends."""
    return {key: Role(role) for key, role in await connection.fetch(_STAYING if locked else _STANDING, who)}


def row_of(
    actor: Actor, now: datetime, act: str, *, ruleset: int | None = None, digest: str | None = None, **detail: object
) -> Operation:
    """The ledger's row of an act: ids, numbers and digests, no titles, reasons or names."""
    subject = actor.subject
    return Operation(
        kind=Kind.RULES,
        decision=actor.operation,
        at=now,
        role=actor.role,
        account=subject.account if subject else None,
        token=subject.token_id if subject else None,
        purpose=actor.purpose,
        ruleset=ruleset,
        digest=digest,
        detail={"act": act, "by": actor.by, **{name: one for name, one in detail.items() if one is not None}},
    )
