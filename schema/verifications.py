"""Verification with third parties: cases, what their sources said, and how they stand (C11)."""

from datetime import datetime
from typing import Annotated

import strawberry

from authz.vocabulary import Reason
from models.cases import Aspect, VerificationOutcome
from models.global_ids import NodeType, to_global
from privacy.verification import Case
from resolvers.global_ids import row_under
from resolvers.payloads import Problem, Write
from resolvers.writing import verification
from schema.fields import edge, private_input, public, write
from schema.problems import AnyProblem, told

Info = strawberry.Info[Write, None]

strawberry.enum(Aspect, name="VerificationAspect")
strawberry.enum(VerificationOutcome)


@strawberry.type
class VerificationResult:
    """What the source said of one aspect."""

    aspect: Aspect = public()
    outcome: VerificationOutcome = public()
    note: str | None = public()
    recorded_at: datetime = public()


@strawberry.type
class VerificationCase:
    """A case about one person; `user`, `claim` and `policy` are ids, and open as the rules show."""

    id: strawberry.ID = public()
    user: strawberry.ID = public()
    claim: strawberry.ID | None = public()
    policy: strawberry.ID | None = public()
    aspects: list[Aspect] = public()
    source: str | None = public(description="The code of an organization, or the name of an institution.")
    live: bool = public(description="Is it open, and does the consent that it names stand?")
    opened_at: datetime = public()
    closed_at: datetime | None = public()
    results: list[VerificationResult] = edge()
    withheld: Reason | None = public(
        description="Why results are left out: the consent stands no more (BASIS), or the token is for less than their"
        " aspects are about (TOKEN_SCOPE)."
    )


@strawberry.type
class VerificationStanding:
    """How a case stands after a write."""

    id: strawberry.ID = public()
    live: bool = public()
    aspects: list[Aspect] = public()
    closed_at: datetime | None = public()


OpenVerificationPayload = Annotated[VerificationStanding | AnyProblem, strawberry.union("OpenVerificationPayload")]
RecordVerificationPayload = Annotated[VerificationStanding | AnyProblem, strawberry.union("RecordVerificationPayload")]
CloseVerificationPayload = Annotated[VerificationStanding | AnyProblem, strawberry.union("CloseVerificationPayload")]


@private_input
class VerificationSourceInput:
    """Exactly one: the code of an organization, or the name of an authority or institution."""

    organization: str | None = None
    name: str | None = None


@private_input
class VerificationAssigneeInput:
    """Exactly one: a risk analyst's work name, or the code of a service provider."""

    analyst: str | None = None
    service_provider: str | None = None


@private_input
class OpenVerificationInput:
    """A claims handler names the claim, a broker agent the policy; without `consent` the latest that fits counts."""

    user: strawberry.ID
    claim: strawberry.ID | None = None
    policy: strawberry.ID | None = None
    consent: strawberry.ID | None = None
    source: VerificationSourceInput
    aspects: list[Aspect]
    assignee: VerificationAssigneeInput


@private_input
class RecordVerificationInput:
    """What the case's source said of one aspect; `note` names no person and holds no number of one."""

    case: strawberry.ID
    source: VerificationSourceInput
    aspect: Aspect
    outcome: VerificationOutcome
    note: str | None = None


@private_input
class CloseVerificationInput:
    """A case that one opened, or has in hand."""

    case: strawberry.ID


@strawberry.type
class VerificationWrites:
    """The root fields about verification cases."""

    @write()
    async def open_verification(
        self,
        info: Info,
        input: OpenVerificationInput,  # noqa: A002 - GraphQL's name
    ) -> OpenVerificationPayload:
        """Have a third party verify something of a person, who has consented to that (C11)."""
        wanted = verification.Wanted(
            user=row_under(input.user, NodeType.USER, argument="user"),
            claim=None if input.claim is None else row_under(input.claim, NodeType.CLAIM, argument="claim"),
            policy=None if input.policy is None else row_under(input.policy, NodeType.POLICY, argument="policy"),
            consent=None if input.consent is None else row_under(input.consent, NodeType.CONSENT, argument="consent"),
            source=verification.Named(input.source.organization, input.source.name),
            assignee=verification.Named(input.assignee.service_provider, input.assignee.analyst),
            aspects=tuple(dict.fromkeys(input.aspects)),
        )
        return _standing(info.context, await verification.open_case(info.context, wanted))

    @write()
    async def record_verification(
        self,
        info: Info,
        input: RecordVerificationInput,  # noqa: A002 - as above
    ) -> RecordVerificationPayload:
        """Keep what the source said, while case and consent are live (C11)."""
        found = await verification.record(
            info.context,
            row_under(input.case, NodeType.RECORD, argument="case"),
            verification.Named(input.source.organization, input.source.name),
            aspect=input.aspect,
            outcome=input.outcome,
            note=input.note,
        )
        return _standing(info.context, found)

    @write()
    async def close_verification(
        self,
        info: Info,
        input: CloseVerificationInput,  # noqa: A002 - as above
    ) -> CloseVerificationPayload:
        """End a case: nothing is read through it from the next read on (C11)."""
        case = row_under(input.case, NodeType.RECORD, argument="case")
        return _standing(info.context, await verification.close(info.context, case))


def _standing(context: Write, found: Case | Problem) -> VerificationStanding | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    return VerificationStanding(
        id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
        live=found.live,
        aspects=list(found.aspects),
        closed_at=found.closed_at,
    )
