"""Writes to claims: from a draft to a claim's end (C08-C10, C17)."""

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Annotated

import strawberry

from models.beneficiaries import RelationToInsured
from models.claims import ClaimItem
from models.global_ids import NodeType
from resolvers.global_ids import row_under
from resolvers.payloads import Write
from resolvers.writing import claim_handling, claims
from schema.claims import Claim
from schema.fields import private_input, write
from schema.problems import AnyProblem, written

Info = strawberry.Info[Write, None]

strawberry.enum(ClaimItem)
strawberry.enum(RelationToInsured)
strawberry.enum(claim_handling.ClaimDecision)

DraftClaimPayload = Annotated[Claim | AnyProblem, strawberry.union("DraftClaimPayload")]
SubmitClaimPayload = Annotated[Claim | AnyProblem, strawberry.union("SubmitClaimPayload")]
WithdrawClaimPayload = Annotated[Claim | AnyProblem, strawberry.union("WithdrawClaimPayload")]
AssignClaimPayload = Annotated[Claim | AnyProblem, strawberry.union("AssignClaimPayload")]
RequestMaterialsPayload = Annotated[Claim | AnyProblem, strawberry.union("RequestMaterialsPayload")]
RecordClaimDecisionPayload = Annotated[Claim | AnyProblem, strawberry.union("RecordClaimDecisionPayload")]
RecordClaimPaymentPayload = Annotated[Claim | AnyProblem, strawberry.union("RecordClaimPaymentPayload")]
CloseClaimPayload = Annotated[Claim | AnyProblem, strawberry.union("CloseClaimPayload")]


@private_input
class ReporterInput:
    """Who reports a claim, if not the insured themself; all three are needed then (C09)."""

    name: str | None = None
    phone: str | None = None
    relation: RelationToInsured | None = None


@private_input
class DraftClaimInput:
    """What a claim needs, as far as it is known: items that are left out or null stay as they are (C08).

    `policy`: the one to claim on, for a new claim; `id`: the claim to add to. `occupation` is the insured's and is kept
    with them. `expenses` and `amountClaimed`: yuan. `diagnosisCode`: ICD-10. `bankCard`: where the insured is paid.
    `reporter`: only of somebody who is not the insured.
    """

    id: strawberry.ID | None = None
    if_version: int | None = None
    policy: strawberry.ID | None = None
    incident_date: date | None = None
    incident_description: str | None = None
    hospital: str | None = None
    occupation: str | None = None
    bank_card: str | None = None
    diagnosis: str | None = None
    diagnosis_code: str | None = None
    medical_record: str | None = None
    expenses: Decimal | None = None
    amount_claimed: Decimal | None = None
    reporter: ReporterInput | None = None

    @property
    def items(self) -> dict[str, str | date | Decimal | None]:
        """Data items by name; null is not given."""
        return {
            "incidentDate": self.incident_date,
            "incidentDescription": self.incident_description,
            "hospital": self.hospital,
            "occupation": self.occupation,
            "bankCard": self.bank_card,
            "diagnosis": self.diagnosis,
            "diagnosisCode": self.diagnosis_code,
            "medicalRecord": self.medical_record,
            "expenses": self.expenses,
            "amountClaimed": self.amount_claimed,
        }


@private_input
class SubmitClaimInput:
    """A draft, or a claim whose materials are pending; `ifVersion`: only if it is still at this version."""

    id: strawberry.ID
    if_version: int | None = None


@private_input
class WithdrawClaimInput:
    """A claim that is not decided yet; `ifVersion`: only if it is still at this version."""

    id: strawberry.ID
    if_version: int | None = None


@private_input
class AssignClaimInput:
    """Exactly one of `handler`, a claims handler's work name, and `lossAdjuster`, the code of an organization."""

    id: strawberry.ID
    if_version: int | None = None
    handler: str | None = None
    loss_adjuster: str | None = None


@private_input
class RequestMaterialsInput:
    """The items that the customer is to give, or to give anew: one or more of those that the product needs."""

    id: strawberry.ID
    if_version: int | None = None
    items: list[ClaimItem]


@private_input
class RecordClaimDecisionInput:
    """What the insurer decided; `ifVersion`: only if it is still at this version."""

    id: strawberry.ID
    if_version: int | None = None
    decision: claim_handling.ClaimDecision


@private_input
class RecordClaimPaymentInput:
    """What was paid, in yuan; `ifVersion`: only if it is still at this version."""

    id: strawberry.ID
    if_version: int | None = None
    amount: Decimal


@private_input
class CloseClaimInput:
    """A claim that is paid, rejected or withdrawn; `ifVersion`: only if it is still at this version."""

    id: strawberry.ID
    if_version: int | None = None


@strawberry.type
class ClaimWrites:
    """The root fields that write claims."""

    @write()
    async def draft_claim(
        self,
        info: Info,
        input: DraftClaimInput,  # noqa: A002 - GraphQL's name
    ) -> DraftClaimPayload | None:
        """Begin a claim on a policy, or add to one that is a draft or whose materials are pending."""
        draft = claims.Draft(
            claim=None if input.id is None else row_under(input.id, NodeType.CLAIM, argument="id"),
            policy=None if input.policy is None else row_under(input.policy, NodeType.POLICY, argument="policy"),
            if_version=input.if_version,
            items=input.items,
            reporter={"name": input.reporter.name, "phone": input.reporter.phone} if input.reporter else {},
            relation=input.reporter.relation if input.reporter else None,
        )
        return await written(info.context, partial(claims.draft, info.context, draft), Claim)

    @write()
    async def submit_claim(
        self,
        info: Info,
        input: SubmitClaimInput,  # noqa: A002 - as above
    ) -> SubmitClaimPayload | None:
        """Report a drafted claim, or hand in what was still asked for."""
        claim = row_under(input.id, NodeType.CLAIM, argument="id")
        work = partial(claims.submit, info.context, claim, if_version=input.if_version)
        return await written(info.context, work, Claim)

    @write()
    async def withdraw_claim(
        self,
        info: Info,
        input: WithdrawClaimInput,  # noqa: A002 - as above
    ) -> WithdrawClaimPayload | None:
        """Take a claim back before it is decided. A draft was never reported, and stays the drafter's alone."""
        claim = row_under(input.id, NodeType.CLAIM, argument="id")
        work = partial(claims.withdraw, info.context, claim, if_version=input.if_version)
        return await written(info.context, work, Claim)

    @write()
    async def assign_claim(
        self,
        info: Info,
        input: AssignClaimInput,  # noqa: A002 - as above
    ) -> AssignClaimPayload | None:
        """Take a claim that nobody handles, hand over one's own, or engage a loss adjuster on it (C17)."""
        claim = row_under(input.id, NodeType.CLAIM, argument="id")
        to = claim_handling.Assignee(handler=input.handler, loss_adjuster=input.loss_adjuster)
        work = partial(claim_handling.assign, info.context, claim, to, if_version=input.if_version)
        return await written(info.context, work, Claim)

    @write()
    async def request_materials(
        self,
        info: Info,
        input: RequestMaterialsInput,  # noqa: A002 - as above
    ) -> RequestMaterialsPayload | None:
        """Ask the customer for some items, or for better ones."""
        claim = row_under(input.id, NodeType.CLAIM, argument="id")
        work = partial(claim_handling.request_materials, info.context, claim, input.items, if_version=input.if_version)
        return await written(info.context, work, Claim)

    @write()
    async def record_claim_decision(
        self,
        info: Info,
        input: RecordClaimDecisionInput,  # noqa: A002 - as above
    ) -> RecordClaimDecisionPayload | None:
        """Record what the insurer decided."""
        claim = row_under(input.id, NodeType.CLAIM, argument="id")
        work = partial(claim_handling.decide, info.context, claim, input.decision, if_version=input.if_version)
        return await written(info.context, work, Claim)

    @write()
    async def record_claim_payment(
        self,
        info: Info,
        input: RecordClaimPaymentInput,  # noqa: A002 - as above
    ) -> RecordClaimPaymentPayload | None:
        """Record what was paid on an approved claim."""
        claim = row_under(input.id, NodeType.CLAIM, argument="id")
        work = partial(claim_handling.record_payment, info.context, claim, input.amount, if_version=input.if_version)
        return await written(info.context, work, Claim)

    @write()
    async def close_claim(
        self,
        info: Info,
        input: CloseClaimInput,  # noqa: A002 - as above
    ) -> CloseClaimPayload | None:
        """Close a claim that has come to its end."""
        claim = row_under(input.id, NodeType.CLAIM, argument="id")
        work = partial(claim_handling.close, info.context, claim, if_version=input.if_version)
        return await written(info.context, work, Claim)
