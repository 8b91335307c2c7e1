"""Corrections: which datum of a person was corrected, who may have had what it was before, and applied it (C64)."""

from datetime import datetime
from typing import Annotated

import strawberry

from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing import corrections
from schema.fields import edge, private_input, public, write
from schema.problems import AnyProblem, told

Info = strawberry.Info[Write, None]


@strawberry.type
class CorrectionHandover:
    """One organization that may have had the earlier value, and what it did about the correction."""

    organization: str = public(description="Its name.")
    code: str = public()
    handed_on_at: datetime | None = public(description="When it was first told; null: not yet.")
    acknowledged_at: datetime | None = public(description="When it said that its record is put right; null: not yet.")


@strawberry.type
class Correction:
    """One corrected datum; what it was before is kept sealed, and given to the person in their archive only."""

    coordinate: str = public(description="The field, such as `User.address`.")
    corrected_at: datetime = public()
    recipients: list[str] = public(description="Names of the organizations that may have had the earlier value.")
    handovers: list[CorrectionHandover] = edge(description="Of each recipient, how far it was handed on.")


@strawberry.type
class CorrectionToApply:
    """A datum that was corrected after the caller had it. It tells no value: read the new one, as the rules allow."""

    id: strawberry.ID = public(description="For `acknowledgeCorrection`.")
    user: strawberry.ID = public(description="Of a User, as the caller knows them.")
    coordinate: str = public(description="The field, such as `User.address`.")
    corrected_at: datetime = public()


@strawberry.type
class CorrectionAcknowledged:
    """A correction that is applied by the caller; `acknowledgedAt`: since it first said so."""

    id: strawberry.ID = public()
    acknowledged_at: datetime = public()


AcknowledgeCorrectionPayload = Annotated[
    CorrectionAcknowledged | AnyProblem, strawberry.union("AcknowledgeCorrectionPayload")
]


@private_input
class AcknowledgeCorrectionInput:
    """A correction, by the id that `correctionsToApply` gives."""

    id: strawberry.ID


@strawberry.type
class CorrectionWrites:
    """The root field of recipients of corrections."""

    @write()
    async def acknowledge_correction(
        self,
        info: Info,
        input: AcknowledgeCorrectionInput,  # noqa: A002 - GraphQL's name
    ) -> AcknowledgeCorrectionPayload:
        """Say that one's own record is put right; the person sees it (C64)."""
        found = await corrections.acknowledge_correction(info.context, input.id)
        if isinstance(found, Problem):
            return told(info.context, found)
        return CorrectionAcknowledged(id=input.id, acknowledged_at=in_shanghai(found.at))
