"""Writes to policies: from an application to a policy's end."""

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Annotated

import strawberry

from models.global_ids import NodeType
from resolvers.global_ids import row_under
from resolvers.payloads import Write
from resolvers.writing import applications, beneficiaries, policies
from resolvers.writing.policies import Cover, Underwriting, UnderwritingOutcome
from schema.applications import BeneficiaryInput, DraftApplicationInput, SubmitApplicationInput, named_in
from schema.fields import private_input, write
from schema.policies import Policy
from schema.problems import AnyProblem, written

Info = strawberry.Info[Write, None]

strawberry.enum(UnderwritingOutcome)

DraftApplicationPayload = Annotated[Policy | AnyProblem, strawberry.union("DraftApplicationPayload")]
SubmitApplicationPayload = Annotated[Policy | AnyProblem, strawberry.union("SubmitApplicationPayload")]
WithdrawApplicationPayload = Annotated[Policy | AnyProblem, strawberry.union("WithdrawApplicationPayload")]
RecordUnderwritingPayload = Annotated[Policy | AnyProblem, strawberry.union("RecordUnderwritingPayload")]
RecordPaymentPayload = Annotated[Policy | AnyProblem, strawberry.union("RecordPaymentPayload")]
SetBeneficiariesPayload = Annotated[Policy | AnyProblem, strawberry.union("SetBeneficiariesPayload")]
SurrenderPolicyPayload = Annotated[Policy | AnyProblem, strawberry.union("SurrenderPolicyPayload")]


@private_input
class WithdrawApplicationInput:
    """An application; `ifVersion`: only if it is still at this version."""

    id: strawberry.ID
    if_version: int | None = None


@private_input
class RecordUnderwritingInput:
    """An application and what its underwriter says; `premium`, in yuan, with ACCEPT and only then."""

    id: strawberry.ID
    if_version: int | None = None
    outcome: UnderwritingOutcome
    premium: Decimal | None = None


@private_input
class RecordPaymentInput:
    """A policy whose premium was paid.

    The first premium begins the cover: first and last day are needed. In grace the cover may be prolonged: `endsOn`.
    """

    id: strawberry.ID
    if_version: int | None = None
    starts_on: date | None = None
    ends_on: date | None = None


@private_input
class SetBeneficiariesInput:
    """A policy and all of its beneficiaries; nobody: the insured's legal heirs."""

    id: strawberry.ID
    if_version: int | None = None
    beneficiaries: list[BeneficiaryInput]


@private_input
class SurrenderPolicyInput:
    """A policy in force; `ifVersion`: only if it is still at this version."""

    id: strawberry.ID
    if_version: int | None = None


@strawberry.type
class PolicyWrites:
    """The root fields that write policies."""

    @write()
    async def draft_application(
        self,
        info: Info,
        input: DraftApplicationInput,  # noqa: A002 - GraphQL's name
    ) -> DraftApplicationPayload | None:
        """Begin an application, or say more of one (C04-C06)."""
        work = partial(applications.draft, info.context, input.draft())
        return await written(info.context, work, Policy)

    @write()
    async def submit_application(
        self,
        info: Info,
        input: SubmitApplicationInput,  # noqa: A002 - as above
    ) -> SubmitApplicationPayload | None:
        """Hand a complete application to the insurer; what is missing is named (C04-C07)."""
        policy = row_under(input.id, NodeType.POLICY, argument="id")
        work = partial(applications.submit, info.context, policy, if_version=input.if_version)
        return await written(info.context, work, Policy)

    @write()
    async def withdraw_application(
        self,
        info: Info,
        input: WithdrawApplicationInput,  # noqa: A002 - as above
    ) -> WithdrawApplicationPayload | None:
        """End an application that was not paid for yet."""
        policy = row_under(input.id, NodeType.POLICY, argument="id")
        work = partial(policies.withdraw_application, info.context, policy, if_version=input.if_version)
        return await written(info.context, work, Policy)

    @write()
    async def record_underwriting(
        self,
        info: Info,
        input: RecordUnderwritingInput,  # noqa: A002 - as above
    ) -> RecordUnderwritingPayload | None:
        """The insurer takes an application on, accepts or declines it."""
        policy = row_under(input.id, NodeType.POLICY, argument="id")
        said = Underwriting(input.outcome, input.premium)
        work = partial(policies.record_underwriting, info.context, policy, said, if_version=input.if_version)
        return await written(info.context, work, Policy)

    @write()
    async def record_payment(
        self,
        info: Info,
        input: RecordPaymentInput,  # noqa: A002 - as above
    ) -> RecordPaymentPayload | None:
        """A premium was paid: the policy is in force. Null for whom it passes out of sight by that."""
        policy = row_under(input.id, NodeType.POLICY, argument="id")
        cover = Cover(input.starts_on, input.ends_on)
        work = partial(policies.record_payment, info.context, policy, cover, if_version=input.if_version)
        return await written(info.context, work, Policy)

    @write()
    async def set_beneficiaries(
        self,
        info: Info,
        input: SetBeneficiariesInput,  # noqa: A002 - as above
    ) -> SetBeneficiariesPayload | None:
        """Name all beneficiaries anew (C06)."""
        policy = row_under(input.id, NodeType.POLICY, argument="id")
        named = named_in(input.beneficiaries)
        work = partial(beneficiaries.set_beneficiaries, info.context, policy, named, if_version=input.if_version)
        return await written(info.context, work, Policy)

    @write()
    async def surrender_policy(
        self,
        info: Info,
        input: SurrenderPolicyInput,  # noqa: A002 - as above
    ) -> SurrenderPolicyPayload | None:
        """End a running policy today."""
        policy = row_under(input.id, NodeType.POLICY, argument="id")
        work = partial(policies.surrender, info.context, policy, if_version=input.if_version)
        return await written(info.context, work, Policy)
