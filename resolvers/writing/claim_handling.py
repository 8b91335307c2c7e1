"""Claims as the desk and the insurer write them: assigned, asked about, decided, paid, closed (C16, C17)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import orjson

from authz.situations import has_relation
from authz.vocabulary import Reason, Relation
from models import formats
from models.claims import ClaimItem
from models.formats import FormatError
from models.lifecycles import Event
from models.organizations import OrganizationKind
from models.products import Part
from models.vocabulary import Role
from resolvers.payloads import Item, Problem, ProblemCode, Write, Written
from resolvers.registry import NOUNS
from resolvers.writing.items import declared_by
from resolvers.writing.rows import change, insert, sealed
from resolvers.writing.targets import Target, may_give, target

_HANDLER = "SELECT id FROM staff WHERE username = $1 AND role = $2 AND left_at IS NULL"
_ADJUSTER = "SELECT id FROM organization WHERE code = $1 AND kind = $2"
_PRODUCT = "SELECT product_id FROM policy WHERE id = $1"
# An assignment to somebody who has left binds nobody: the claim is to be taken.
_HANDLED = """
SELECT EXISTS (SELECT FROM assignment a JOIN staff s ON s.id = a.staff_id
WHERE a.claim_id = $1 AND a.ended_at IS NULL AND s.role = $2 AND s.left_at IS NULL)
"""
_END_HANDLERS = """
UPDATE assignment a SET ended_at = $3 FROM staff s
WHERE s.id = a.staff_id AND s.role = $4 AND a.claim_id = $1 AND a.staff_id <> $2 AND a.ended_at IS NULL
"""
_END_ADJUSTERS = """
UPDATE assignment SET ended_at = $3
WHERE claim_id = $1 AND organization_id <> $2 AND ended_at IS NULL
"""
_ASSIGNED = """
SELECT EXISTS (SELECT FROM assignment
WHERE claim_id = $1 AND (staff_id = $2 OR organization_id = $2) AND ended_at IS NULL)
"""


class ClaimDecision(StrEnum):
    """What an insurer decides about a claim."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"


@dataclass(frozen=True, slots=True)
class Assignee:
    """Who is to get a claim: a claims handler by work name, or a loss adjuster by code."""

    handler: str | None
    loss_adjuster: str | None


async def assign(write: Write, claim: UUID | None, to: Assignee, *, if_version: int | None) -> Written | Problem:
    """Take a claim that nobody handles, hand over one's own, or engage a loss adjuster on it.

    One handler and one loss adjuster at a time: whoever had it before loses it. Problems, beside a target's:
    NOTHING_GIVEN, ITEM_INVALID (both given), CLAIM_IS_HANDLED, ASSIGNEE_UNKNOWN; WRITE_DENIED where somebody engages a
    loss adjuster on a claim that they have not taken.
    """
    if to.handler is None and to.loss_adjuster is None:
        message = "Say who gets the claim: a handler's work name, or a loss adjuster's code."
        return Problem(ProblemCode.NOTHING_GIVEN, message, field="handler")
    if to.handler is not None and to.loss_adjuster is not None:
        message = "Assign one at a time: a handler or a loss adjuster."
        return Problem(ProblemCode.ITEM_INVALID, message, field="lossAdjuster")
    event = Event.HANDLER_ASSIGNED if to.handler is not None else Event.LOSS_ADJUSTER_ENGAGED
    found = await target(write, "Claim", claim, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    if event is Event.HANDLER_ASSIGNED:
        return await _hand_over(write, found, to.handler)
    return await _engage(write, found, to.loss_adjuster)


async def request_materials(
    write: Write, claim: UUID | None, asked: Sequence[ClaimItem], *, if_version: int | None
) -> Written | Problem:
    """Ask the customer for items that the product needs: they are given, or given again, before it goes on."""
    event = Event.REQUEST_MATERIALS
    found = await target(write, "Claim", claim, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    names = [item.value for item in dict.fromkeys(asked)]
    if not names:
        return Problem(ProblemCode.NOTHING_GIVEN, "Name the items that you need.", field="items")
    declared = await declared_by(write, await write.connection.fetchval(_PRODUCT, found.row["policy_id"]))
    beyond = tuple(Item(name, "C08") for name in names if not declared.needs(Part.CLAIM, name))
    if beyond:
        message = "This product does not need these items, so they are not asked for."
        return Problem(ProblemCode.ITEM_NOT_DECLARED, message, field="items", clause="C08", items=beyond)
    return await change(write, found, {"requested_items": orjson.dumps(names).decode()}, event)


async def decide(
    write: Write, claim: UUID | None, decision: ClaimDecision, *, if_version: int | None
) -> Written | Problem:
    """Record the insurer's decision; a rejected claim is open no more."""
    approved = decision is ClaimDecision.APPROVE
    event = Event.CLAIM_APPROVED if approved else Event.CLAIM_REJECTED
    found = await target(write, "Claim", claim, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    return await change(write, found, {} if approved else {"closed_at": write.now}, event)


async def record_payment(
    write: Write, claim: UUID | None, amount: Decimal, *, if_version: int | None
) -> Written | Problem:
    """Record what was paid, more than nothing; the claim is open no more."""
    event = Event.RECORD_CLAIM_PAYMENT
    found = await target(write, "Claim", claim, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    refused = may_give(write, found, {"amount": "Claim.amountPaid"})
    if refused:
        return refused
    try:
        paid = formats.amount(amount)
    except FormatError as expected:
        return Problem(ProblemCode.ITEM_INVALID, str(expected), field="amount")
    if not paid:
        message = "Nothing was paid. Give an amount above 0, or let the insurer reject the claim."
        return Problem(ProblemCode.ITEM_INVALID, message, field="amount")
    owner = found.row["insured_id"]
    columns = await sealed(write, NOUNS["Claim"], found.id, owner=owner, values={"amountPaid": str(paid)})
    return await change(write, found, {**columns, "closed_at": write.now}, event)


async def close(write: Write, claim: UUID | None, *, if_version: int | None) -> Written | Problem:
    """Close a claim that was paid, rejected or withdrawn."""
    event = Event.CLOSE_CLAIM
    found = await target(write, "Claim", claim, event=event, if_version=if_version)
    return found if isinstance(found, Problem) else await change(write, found, {"closed_at": write.now}, event)


async def _hand_over(write: Write, found: Target, work_name: str | None) -> Written | Problem:
    if not _theirs(found) and await _handled(write, found):
        return _of_a_colleague()
    handler = await write.connection.fetchval(_HANDLER, work_name, Role.CLAIMS_HANDLER.value)
    if handler is None:
        message = "No claims handler of that work name works here. Check the name."
        return Problem(ProblemCode.ASSIGNEE_UNKNOWN, message, field="handler")
    await write.connection.execute(_END_HANDLERS, found.id, handler, write.now, Role.CLAIMS_HANDLER.value)
    await _give(write, found, {"staff_id": handler})
    return await change(write, found, {}, Event.HANDLER_ASSIGNED)


async def _engage(write: Write, found: Target, code: str | None) -> Written | Problem:
    if not _theirs(found):
        if await _handled(write, found):
            return _of_a_colleague()
        message = "Only who handles a claim engages a loss adjuster on it. Take it first."
        return Problem(ProblemCode.WRITE_DENIED, message, reason=Reason.RELATION)
    adjuster = await write.connection.fetchval(_ADJUSTER, code, OrganizationKind.LOSS_ADJUSTER.value)
    if adjuster is None:
        message = "There is no loss adjuster of that code. Check the code."
        return Problem(ProblemCode.ASSIGNEE_UNKNOWN, message, field="lossAdjuster")
    await write.connection.execute(_END_ADJUSTERS, found.id, adjuster, write.now)
    await _give(write, found, {"organization_id": adjuster})
    return await change(write, found, {}, Event.LOSS_ADJUSTER_ENGAGED)


def _theirs(found: Target) -> bool:
    return has_relation(found.situation, Relation.ASSIGNED)


async def _handled(write: Write, found: Target) -> Any:  # noqa: ANN401 - asyncpg's boolean
    return await write.connection.fetchval(_HANDLED, found.id, Role.CLAIMS_HANDLER.value)


def _of_a_colleague() -> Problem:
    message = "A colleague handles this claim. Ask them to hand it over."
    return Problem(ProblemCode.CLAIM_IS_HANDLED, message)


async def _give(write: Write, found: Target, to: dict[str, UUID]) -> None:
    (assignee,) = to.values()
    if not await write.connection.fetchval(_ASSIGNED, found.id, assignee):
        row = {"id": uuid4(), **to, "claim_id": found.id, "assigned_at": write.now}
        await insert(write, "assignment", row)
