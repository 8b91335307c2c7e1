"""Whether the house operates, how two officers end that, and what ends with it (C30)."""

from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from inspect import isawaitable
from typing import Annotated, Any

import strawberry
from graphql import GraphQLResolveInfo, GraphQLSchema

from models.global_ids import NodeType, to_global
from privacy.ceasing import Ceasing
from resolvers.collecting import ceased
from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing import ceasing
from schema.fields import edge, private_input, public, write
from schema.problems import AnyProblem, told

Info = strawberry.Info[Write, None]


@strawberry.type
class CeasingStanding:
    """What was proposed and not taken back; `confirmed`: by another officer, so that it takes effect on its day."""

    id: strawberry.ID = public()
    announcement: str = public()
    day: date = public()
    confirmed: bool = public()


@strawberry.type
class Operations:
    """Whether the house operates. The announcement stands from its confirmation on, for everybody."""

    ceased_at: datetime | None = public(description="Since when nothing is collected; null until then.")
    ceases_at: datetime | None = public(description="When that is, once two officers have said so.")
    announcement: str | None = public()
    standing: CeasingStanding | None = edge(description="For privacy officers and the security team, to decide on.")


@strawberry.type
class CeasingDecided:
    """How it stands after a write; `ceasesAt`: once it is confirmed."""

    id: strawberry.ID = public()
    day: date = public()
    ceases_at: datetime | None = public()


ProposeCeasingPayload = Annotated[CeasingDecided | AnyProblem, strawberry.union("ProposeCeasingPayload")]
ConfirmCeasingPayload = Annotated[CeasingDecided | AnyProblem, strawberry.union("ConfirmCeasingPayload")]
TakeBackCeasingPayload = Annotated[CeasingDecided | AnyProblem, strawberry.union("TakeBackCeasingPayload")]


@private_input
class ProposeCeasingInput:
    """The text that everybody is shown, and the day from whose beginning in Shanghai on nothing is collected."""

    announcement: str
    day: date


@private_input
class ConfirmCeasingInput:
    """What another proposed."""

    id: strawberry.ID


@private_input
class TakeBackCeasingInput:
    """What stands, and has not taken effect."""

    id: strawberry.ID


@strawberry.type
class CeasingWrites:
    """The root fields that cease operations. They count from the next write on."""

    @write()
    async def propose_ceasing(
        self,
        info: Info,
        input: ProposeCeasingInput,  # noqa: A002 - GraphQL's name
    ) -> ProposeCeasingPayload:
        """Propose to cease operations; another privacy officer or security admin has to confirm it (C30)."""
        return _decided(info.context, await ceasing.propose(info.context, input.announcement, input.day))

    @write()
    async def confirm_ceasing(
        self,
        info: Info,
        input: ConfirmCeasingInput,  # noqa: A002 - as above
    ) -> ConfirmCeasingPayload:
        """Confirm what another proposed: final from its day on (C30)."""
        return _decided(info.context, await ceasing.confirm(info.context, input.id))

    @write()
    async def take_back_ceasing(
        self,
        info: Info,
        input: TakeBackCeasingInput,  # noqa: A002 - as above
    ) -> TakeBackCeasingPayload:
        """Go on as before, as long as the day has not come (C30)."""
        return _decided(info.context, await ceasing.take_back(info.context, input.id))


def _decided(context: Write, found: Ceasing | Problem) -> CeasingDecided | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    at = found.ceases_at and in_shanghai(found.ceases_at)
    return CeasingDecided(
        id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
        day=found.day,
        ceases_at=at,
    )


def stop_when_ceased(schema: GraphQLSchema) -> None:
    """Put in front of every mutation that it does nothing once it must not collect any more (C30)."""
    for field in schema.mutation_type.fields.values() if schema.mutation_type else ():
        if field.resolve is not None:
            field.resolve = _unless_ceased(field.resolve)


def _unless_ceased(resolve: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(resolve)
    async def resolved(source: object, info: GraphQLResolveInfo[Any], **given: Any) -> Any:  # noqa: ANN401 - GraphQL's
        refused = await ceased(info.context)
        if refused is not None:
            return told(info.context, refused)
        found = resolve(source, info, **given)
        return await found if isawaitable(found) else found

    return resolved
