"""Requests about one's own data, their answers, and cancelling an account (C65, C69, C70, C80, C81)."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from models.global_ids import NodeType, to_global
from models.rights import (
    BlockerKind,
    ComplaintMatter,
    DeletionGround,
    EscalationBody,
    RequestState,
    RightsRequestKind,
)
from models.vocabulary import Retention
from privacy.cancellation import Blocker
from privacy.rights import Standing
from privacy.working_days import shanghai_day
from resolvers.global_ids import row_under
from resolvers.payloads import Problem as Found
from resolvers.payloads import Write
from resolvers.writing import rights
from schema.fields import private_input, public, write
from schema.problems import AnyProblem, Problem, told

Info = strawberry.Info[Write, None]

strawberry.enum(RightsRequestKind)
strawberry.enum(RequestState, name="RightsRequestState")
strawberry.enum(DeletionGround)
strawberry.enum(ComplaintMatter)
strawberry.enum(EscalationBody)
strawberry.enum(BlockerKind, name="CancellationBlockerKind")
RetentionClass = strawberry.enum(Retention, name="RetentionClass")

_ESCALATION = "To whom else one may turn who is not content: four regulators, and the court (C81)."


@strawberry.type
class RightsRequest:
    """A request about one's own data, or a complaint; `user` opens as the rules show."""

    id: strawberry.ID = public()
    user: strawberry.ID = public()
    kind: RightsRequestKind = public()
    state: RequestState = public()
    opened_at: datetime = public()
    due_on: date = public(description="The last day for the answer; of a cancellation, for the erasure.")
    provisional: bool = public(description="The calendar of a year on the way is not announced: the day may move.")
    overdue: bool = public()
    extended_until: date | None = public(description="The last day that was promised since (C80).")
    extension_reason: str | None = public()
    ground: DeletionGround | None = public(description="Of a deletion (C65).")
    matter: ComplaintMatter | None = public(description="Of a complaint (C80).")
    statement: str | None = public(description="In the person's words; for them and who has the request in hand.")
    answer: str | None = public(description="For the person and their guardian.")
    decided_at: datetime | None = public()
    closed_at: datetime | None = public()
    erasure_due_on: date | None = public(description="By when what was granted is erased (C70).")
    officer: str | None = public(description="The work name of who has it in hand; for privacy officers.")
    escalation: list[EscalationBody] = public(description=_ESCALATION)


@strawberry.type
class RightsRequestStanding:
    """How a request stands after a write."""

    id: strawberry.ID = public()
    kind: RightsRequestKind = public()
    state: RequestState = public()
    due_on: date = public()
    provisional: bool = public()
    overdue: bool = public()
    extended_until: date | None = public()
    escalation: list[EscalationBody] = public(description=_ESCALATION)


@strawberry.type
class AccountCancelled:
    """An account that has ended. What is open to anybody stays open without it (C70)."""

    request: strawberry.ID = public(description="Of the RightsRequest that says so.")
    erased_by: date = public(description="The last day for the erasure of what the law does not keep.")
    provisional: bool = public(description="The day may move with the calendar of a year that is not announced.")
    escalation: list[EscalationBody] = public(description=_ESCALATION)


@strawberry.type
class CancellationBlocker:
    """One thing that stands in the way: what, and which (C69)."""

    kind: BlockerKind = public()
    reference: str = public(description="The number of the policy, application or claim.")
    status: str = public(description="In which status that is.")
    policy: strawberry.ID = public()
    claim: strawberry.ID | None = public()
    provider: str | None = public(description="Who carries out a health service.")


@strawberry.type
class CancellationBlockedProblem(Problem):
    """The account is as it was; `blockers` lists everything that stands in the way, at once (C69)."""

    blockers: list[CancellationBlocker] = public()


FileRightsRequestPayload = Annotated[RightsRequestStanding | AnyProblem, strawberry.union("FileRightsRequestPayload")]
WithdrawRightsRequestPayload = Annotated[
    RightsRequestStanding | AnyProblem, strawberry.union("WithdrawRightsRequestPayload")
]
CancelAccountPayload = Annotated[
    AccountCancelled | CancellationBlockedProblem | AnyProblem, strawberry.union("CancelAccountPayload")
]
AssignRightsRequestPayload = Annotated[
    RightsRequestStanding | AnyProblem, strawberry.union("AssignRightsRequestPayload")
]
ExtendRightsRequestPayload = Annotated[
    RightsRequestStanding | AnyProblem, strawberry.union("ExtendRightsRequestPayload")
]
DecideRightsRequestPayload = Annotated[
    RightsRequestStanding | AnyProblem, strawberry.union("DecideRightsRequestPayload")
]


@private_input
class FileRightsRequestInput:
    """What is asked for; for a ward by `user`. `password` again, unless a second factor was given a moment ago."""

    kind: RightsRequestKind
    user: strawberry.ID | None = None
    ground: DeletionGround | None = None
    matter: ComplaintMatter | None = None
    statement: str | None = None
    password: str | None = None


@private_input
class CancelAccountInput:
    """Whose account, a ward's by `user`; `password` as in FileRightsRequestInput."""

    user: strawberry.ID | None = None
    password: str | None = None


@private_input
class WithdrawRightsRequestInput:
    """A request that is not answered yet."""

    id: strawberry.ID


@private_input
class AssignRightsRequestInput:
    """An open request; `officer`: a work name, by default one's own."""

    id: strawberry.ID
    officer: str | None = None


@private_input
class ExtendRightsRequestInput:
    """A later day for the answer, and why; the person reads it."""

    id: strawberry.ID
    until: date
    reason: str


@private_input
class DecideRightsRequestInput:
    """Granted or refused, and the answer to the person; `classes`: what is erased when a deletion is granted."""

    id: strawberry.ID
    granted: bool
    answer: str
    classes: list[RetentionClass] | None = None  # type: ignore[valid-type]


@strawberry.type
class RightsWrites:
    """The root fields about requests and cancelling an account."""

    @write(heavy=True)
    async def file_rights_request(
        self,
        info: Info,
        input: FileRightsRequestInput,  # noqa: A002 - GraphQL's name
    ) -> FileRightsRequestPayload:
        """Ask for something about one's own data, or complain; answered within 15 working days as a rule (C65, C80)."""
        asked = rights.Asked(input.kind, _user(input.user), input.ground, input.matter, input.statement, input.password)
        return _standing(info.context, await rights.file(info.context, asked))

    @write()
    async def withdraw_rights_request(
        self,
        info: Info,
        input: WithdrawRightsRequestInput,  # noqa: A002 - as above
    ) -> WithdrawRightsRequestPayload:
        """Take a request back that is not answered yet (C65)."""
        return _standing(info.context, await rights.withdraw(info.context, input.id))

    @write(heavy=True)
    async def cancel_account(
        self,
        info: Info,
        input: CancelAccountInput,  # noqa: A002 - as above
    ) -> CancelAccountPayload:
        """End an account at once, or learn all that stands in the way (C69, C70)."""
        found = await rights.cancel(info.context, _user(input.user), password=input.password)
        if isinstance(found, Found):
            return told(info.context, found)
        if isinstance(found, rights.Blocked):
            problem = found.problem
            info.context.refused = problem.code.value
            return CancellationBlockedProblem(
                code=problem.code,
                message=problem.message,
                field=problem.field,
                clause=problem.clause,
                consequence=problem.consequence,
                blockers=[_blocker(one) for one in found.blockers],
            )
        return AccountCancelled(
            request=strawberry.ID(to_global(NodeType.RECORD, found.request)),
            erased_by=found.due_on,
            provisional=found.provisional,
            escalation=list(EscalationBody),
        )

    @write()
    async def assign_rights_request(
        self,
        info: Info,
        input: AssignRightsRequestInput,  # noqa: A002 - as above
    ) -> AssignRightsRequestPayload:
        """Hand an open request to a privacy officer (C65)."""
        return _standing(info.context, await rights.assign(info.context, input.id, input.officer))

    @write()
    async def extend_rights_request(
        self,
        info: Info,
        input: ExtendRightsRequestInput,  # noqa: A002 - as above
    ) -> ExtendRightsRequestPayload:
        """Promise the answer by a later day, for a reason (C80)."""
        return _standing(info.context, await rights.extend(info.context, input.id, input.until, input.reason))

    @write()
    async def decide_rights_request(
        self,
        info: Info,
        input: DecideRightsRequestInput,  # noqa: A002 - as above
    ) -> DecideRightsRequestPayload:
        """Grant or refuse a request that one has in hand (C65, C80)."""
        classes = input.classes or ()
        found = await rights.decide(info.context, input.id, granted=input.granted, answer=input.answer, classes=classes)
        return _standing(info.context, found)


def _user(given: strawberry.ID | None) -> UUID | None:
    return None if given is None else row_under(given, stored_as=NodeType.USER, argument="user")


def _standing(context: Write, found: Standing | Found) -> RightsRequestStanding | AnyProblem:
    if isinstance(found, Found):
        return told(context, found)
    return RightsRequestStanding(
        id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
        kind=found.kind,
        state=found.state,
        due_on=found.due_on,
        provisional=found.provisional,
        overdue=found.overdue_on(shanghai_day(context.now)),
        extended_until=found.extended_until,
        escalation=list(EscalationBody),
    )


def _blocker(one: Blocker) -> CancellationBlocker:
    return CancellationBlocker(
        kind=one.kind,
        reference=one.reference,
        status=one.state,
        policy=strawberry.ID(to_global(NodeType.POLICY, one.policy)),
        claim=None if one.claim is None else strawberry.ID(to_global(NodeType.CLAIM, one.claim)),
        provider=one.provider,
    )
