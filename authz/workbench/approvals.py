"""Four eyes: a proposal is reviewed by others than those who wrote it, and published only as they approved it (C46).

Eyes on exactly a content are those of whoever proposed it, if that is a security_admin, and of each reviewer who
approved the digest of it. Publishing takes two people's:

* one reviewer is a security_admin;
* where anybody would be shown more of a category that is watched, or of more persons, one reviewer is a
  privacy_officer;
* nobody reviews what they wrote, edited or proposed, and a machine (`operator`) reviews nothing: what it proposes takes
  two reviewers;
* eyes count as long as their owner works here in the role they had then.

Judging takes seconds where rules are many, so nothing is locked meanwhile: once all is known the draft is locked, and
must be what was judged.
"""

import hashlib
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from authz import ruleset_store
from authz.catalogue import Catalogue
from authz.rules import RulesetError
from authz.ruleset_store import Content, StaleError
from authz.workbench import drafts
from authz.workbench.acts import Actor, Refused, RulesRefusal, row_of, said, standing
from authz.workbench.drafts import Changes, Draft
from authz.workbench.editing import in_state
from authz.workbench.judging import judge
from ledger.append import add_alone
from models.rulesets import DraftState, RulesetKind, Verdict
from models.vocabulary import Role

REVIEWERS = (Role.SECURITY_ADMIN, Role.PRIVACY_OFFICER)
PEOPLE = 2
"""Whose eyes a publication takes."""

_REVIEW = """
INSERT INTO rule_review (draft, approves, reviewer, role, verdict, note, reviewed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_LAST_REVIEWS = """
SELECT DISTINCT ON (reviewer) reviewer, role, verdict FROM rule_review WHERE draft = $1 AND approves = $2
ORDER BY reviewer, id DESC
"""
_REVIEWS = "SELECT approves, reviewer, role, verdict, note, reviewed_at FROM rule_review WHERE draft = $1 ORDER BY id"


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody said of a proposal; `approves`: of exactly which."""

    approves: str
    reviewer: str
    role: Role
    verdict: Verdict
    note: str
    reviewed_at: datetime


@dataclass(frozen=True, slots=True)
class Missing:
    """What a proposal lacks before it may be published: reviewers in these roles, and so many people in all."""

    roles: tuple[Role, ...]
    people: int

    def __bool__(self) -> bool:
        """Is there anything?"""
        return bool(self.roles or self.people)

    @property
    def sentence(self) -> str:
        """It, in words."""
        wanted = [f"a {role.value}" for role in self.roles]
        more = self.people - len(self.roles)
        wanted += [f"{more} more of {' or '.join(REVIEWERS)}"] if more > 0 else []
        return f"Still missing: {', '.join(wanted)}." if wanted else ""


def approves_of(draft: Draft) -> str:
    """The digest that a verdict speaks of: this proposal of this draft, its rules, budgets, cases and impact."""
    said = (str(draft.id), draft.revision, draft.parent, draft.restores, draft.digest, draft.cases, draft.impact)
    return hashlib.sha256(orjson.dumps((*said, draft.widens, draft.proposed_by))).hexdigest()


def missing(
    *,
    widening: bool,
    hands: Collection[str],
    proposer: str | None,
    approved: Mapping[str, Role],
    working: Mapping[str, Role],
) -> Missing:
    """What is missing, by who approved in which role and who works here in which."""
    counted = {who: role for who, role in approved.items() if who not in hands and working.get(who) is role}
    needed = (Role.SECURITY_ADMIN, *((Role.PRIVACY_OFFICER,) if widening else ()))
    people = set(counted)
    if proposer is not None and working.get(proposer) is Role.SECURITY_ADMIN:
        people.add(proposer)
    lacking = tuple(role for role in needed if role not in counted.values())
    return Missing(lacking, max(PEOPLE - len(people), 0))


async def missing_of(connection: Any, draft: Draft, *, locked: bool = True) -> Missing:  # noqa: ANN401 - asyncpg's own
    """What a proposed draft still lacks; `locked`: nobody who counts leaves before the transaction ends."""
    rows = await connection.fetch(_LAST_REVIEWS, draft.id, approves_of(draft))
    approved = {row["reviewer"]: Role(row["role"]) for row in rows if row["verdict"] == Verdict.APPROVED}
    working = await standing(connection, [*approved, *draft.hands], locked=locked)
    return missing(
        widening=draft.widens is not False,
        hands=draft.hands,
        proposer=draft.proposed_by,
        approved=approved,
        working=working,
    )


async def reviews_of(connection: Any, draft: UUID) -> list[Review]:  # noqa: ANN401 - as above
    """What was said of a draft, the first first. Raises the database's error."""
    return [
        Review(row[0], row[1], Role(row[2]), Verdict(row[3]), row[4], row[5])
        for row in await connection.fetch(_REVIEWS, draft)
    ]


async def propose(  # noqa: PLR0911, PLR0913 - one refusal after the other
    connection: Any,  # noqa: ANN401 - as above
    draft_id: UUID,
    *,
    actor: Actor,
    catalogue: Catalogue,
    now: datetime,
    report: Callable[[], Awaitable[str | None]],
) -> Draft | Refused:
    """Put a draft before its reviewers; as it is then. `report` makes the text of its impact, kept with it.

    Raises the database's error, and what `report` does.
    """
    refused = await actor.may_edit(connection)
    if refused:
        return refused
    seen = await in_state(connection, draft_id, DraftState.OPEN, locked=False)
    if isinstance(seen, Refused):
        return seen
    proposed = await _proposed(connection, seen, catalogue, now)
    if isinstance(proposed, Refused):
        return proposed
    content, widening = proposed
    digest, impact_text = _digest(content), await report()
    async with connection.transaction():
        found = await _unchanged(connection, seen)
        if isinstance(found, Refused):
            return found
        if impact_text is None:
            return Refused(RulesRefusal.IMPACT_MISSING)
        await drafts.mark_proposed(
            connection, draft_id, digest=digest, impact=impact_text, widens=widening, by=actor.by, now=now
        )
        changed = await drafts.find(connection, draft_id)
        if changed is None:
            return Refused(RulesRefusal.DRAFT_UNKNOWN)
        approves = approves_of(changed)
        row = row_of(
            actor, now, "propose", draft=str(draft_id), approves=approves, widens=widening, impact=changed.impact
        )
        await add_alone(connection, row)
        return changed


async def _unchanged(connection: Any, seen: Draft) -> Draft | Refused:  # noqa: ANN401 - as above
    """A draft that was looked at, locked, and why it is another by now."""
    found = await in_state(connection, seen.id, seen.state)
    if isinstance(found, Draft) and approves_of(found) != approves_of(seen):
        return Refused(RulesRefusal.PROPOSAL_CHANGED)
    return found


async def _proposed(
    connection: Any,  # noqa: ANN401 - as above
    draft: Draft,
    catalogue: Catalogue,
    now: datetime,
) -> tuple[Content, bool] | Refused:
    """What a draft says, if that may be proposed and published, and whether it shows anybody more."""
    if await ruleset_store.latest(connection) != draft.parent:
        return Refused(RulesRefusal.PARENT_STALE)
    try:
        parent = await ruleset_store.published(connection, draft.parent)
        content = await drafts.content_of(connection, draft)
    except RulesetError as fault:
        return Refused(RulesRefusal.RULES_INVALID, str(fault))
    if _digest(content) == _digest(parent):
        return Refused(RulesRefusal.NOTHING_CHANGED)
    judged = await to_thread(judge, content, parent, catalogue, now)
    if judged.errors:
        return Refused(RulesRefusal.FINDINGS, _first(judged.errors))
    # What was in force before is not kept from coming back by a case that the years have overtaken.
    if judged.failed and draft.restores is None:
        return Refused(RulesRefusal.CASES_FAIL, _first(judged.failed))
    return content, judged.widens


async def review(  # noqa: PLR0913 - what is known of a verdict
    connection: Any,  # noqa: ANN401 - as above
    draft_id: UUID,
    *,
    approves: str,
    verdict: Verdict,
    note: str,
    actor: Actor,
    now: datetime,
) -> Missing | Refused:
    """Say yes or no to exactly what `approves` is the digest of; what is missing then. One no ends the proposal.

    Raises the database's error.
    """
    refused = await actor.stands(connection, *REVIEWERS)
    if refused:
        return refused
    if not said(note, least=0):
        return Refused(RulesRefusal.TEXT_INVALID)
    async with connection.transaction():
        found = await in_state(connection, draft_id, DraftState.PROPOSED)
        if isinstance(found, Refused):
            return found
        if actor.by in found.hands:
            return Refused(RulesRefusal.OWN_DRAFT)
        if approves != approves_of(found):
            return Refused(RulesRefusal.PROPOSAL_CHANGED)
        role = actor.role.value if actor.role else ""
        await connection.execute(_REVIEW, draft_id, approves, actor.by, role, verdict.value, note, now)
        if verdict is Verdict.REJECTED:
            await drafts.move(connection, draft_id, DraftState.REJECTED, now=now)
        row = row_of(actor, now, "review", draft=str(draft_id), approves=approves, verdict=verdict.value)
        await add_alone(connection, row)
        return await missing_of(connection, found)


async def publish(
    connection: Any,  # noqa: ANN401 - as above
    draft_id: UUID,
    *,
    actor: Actor,
    catalogue: Catalogue,
    now: datetime,
) -> int | Refused:
    """Publish what was approved, as it was approved; the number of the ruleset. Raises the database's error."""
    refused = await actor.may_edit(connection)
    if refused:
        return refused
    publishable = await _publishable(connection, draft_id, catalogue, now)
    if isinstance(publishable, Refused):
        return publishable
    seen, content = publishable
    async with connection.transaction():
        found = await _approved(connection, seen)
        if isinstance(found, Refused):
            return found
        number, approves = found.parent + 1, approves_of(found)
        row = row_of(
            actor,
            now,
            "publish",
            ruleset=number,
            digest=content.digest,
            draft=str(draft_id),
            approves=approves,
            restores=found.restores,
        )
        try:
            await ruleset_store.publish(
                connection,
                content,
                parent=found.parent,
                kind=RulesetKind.PUBLISHED if found.restores is None else RulesetKind.ROLLBACK,
                author=found.author,
                reason=found.reason,
                now=now,
                row=row,
                draft=draft_id,
                restores=found.restores,
            )
        except StaleError:
            return Refused(RulesRefusal.PARENT_STALE)
        await drafts.move(connection, draft_id, DraftState.PUBLISHED, now=now)
    return number


async def _publishable(
    connection: Any,  # noqa: ANN401 - as above
    draft_id: UUID,
    catalogue: Catalogue,
    now: datetime,
) -> tuple[Draft, Content] | Refused:
    """A draft that enough people have approved as it is, and what it says."""
    found = await in_state(connection, draft_id, DraftState.PROPOSED, locked=False)
    if isinstance(found, Refused):
        return found
    lacking = await missing_of(connection, found, locked=False)
    if lacking:
        return Refused(RulesRefusal.NOT_APPROVED, lacking.sentence)
    # Looked at again: a release may have come since, or a rule that holds for a time have ended.
    proposed = await _proposed(connection, found, catalogue, now)
    if isinstance(proposed, Refused):
        return proposed
    content, widening = proposed
    if _digest(content) != found.digest or (widening and not found.widens):
        return Refused(RulesRefusal.PROPOSAL_CHANGED)
    return found, content


async def _approved(connection: Any, seen: Draft) -> Draft | Refused:  # noqa: ANN401 - as above
    """A draft that was found publishable, locked with the staff whose eyes it has, if all of that still holds."""
    found = await _unchanged(connection, seen)
    if isinstance(found, Refused):
        return found
    lacking = await missing_of(connection, found)
    return Refused(RulesRefusal.NOT_APPROVED, lacking.sentence) if lacking else found


async def roll_back(  # noqa: PLR0911, PLR0913 - as above
    connection: Any,  # noqa: ANN401 - as above
    to: int,
    *,
    reason: str,
    actor: Actor,
    catalogue: Catalogue,
    now: datetime,
) -> UUID | Refused:
    """Propose an earlier ruleset's rules, budgets and cases again, at once and without a report; the draft's id.

    It takes its own two people to publish. Raises the database's error.
    """
    refused = await actor.may_edit(connection)
    if refused:
        return refused
    if not said(reason):
        return Refused(RulesRefusal.TEXT_INVALID)
    if await ruleset_store.publication(connection, to) is None:
        return Refused(RulesRefusal.RULESET_UNKNOWN)
    parent = await ruleset_store.latest(connection)
    try:
        wanted = await ruleset_store.published(connection, to)
        base = await ruleset_store.published(connection, parent)
    except RulesetError as fault:
        return Refused(RulesRefusal.RULES_INVALID, str(fault))
    if _digest(wanted) == _digest(base):
        return Refused(RulesRefusal.NOTHING_CHANGED)
    judged = await to_thread(judge, wanted, base, catalogue, now)
    if judged.errors:
        return Refused(RulesRefusal.FINDINGS, _first(judged.errors))
    async with connection.transaction():
        draft = await drafts.open_draft(
            connection,
            parent=parent,
            author=actor.by,
            title=f"Back to ruleset {to}",
            reason=reason.strip(),
            now=now,
            changes=Changes.between(base, wanted),
            cases=wanted.cases,
            restores=to,
        )
        await drafts.mark_proposed(
            connection, draft, digest=_digest(wanted), impact=None, widens=judged.widens, by=actor.by, now=now
        )
        proposed = await drafts.find(connection, draft)
        if proposed is None:
            return Refused(RulesRefusal.DRAFT_UNKNOWN)
        row = row_of(
            actor,
            now,
            "rollBack",
            ruleset=to,
            digest=wanted.digest,
            draft=str(draft),
            approves=approves_of(proposed),
            restores=to,
            widens=judged.widens,
        )
        await add_alone(connection, row)
    return draft


def _digest(content: Content) -> str:
    """The name of rules, budgets and cases together."""
    return hashlib.sha256(f"{content.digest}\n{ruleset_store.text_digest(content.cases)}".encode()).hexdigest()


def _first(sentences: tuple[str, ...]) -> str:
    more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
    return sentences[0] + more
