"""Until when data are kept and why, longer periods that persons agree to, and legal holds (C27, C28)."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from models.global_ids import NodeType, to_global
from privacy.agreements import Agreement
from privacy.holds import Hold
from privacy.retention import Criterion
from resolvers.global_ids import row_under
from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing import retention
from schema.fields import edge, private_input, public, write
from schema.problems import AnyProblem, told
from schema.rights import RetentionClass

Info = strawberry.Info[Write, None]

strawberry.enum(Criterion, name="RetentionCriterion")


@strawberry.type
class RetentionCandidate:
    """Until when one criterion keeps a class; null: until something ends of which nobody knows when."""

    criterion: Criterion = public()
    until: date | None = public()


@strawberry.type
class LegalDuty:
    """A law that keeps a class: it lengthens, and never shortens."""

    law: str | None = public()
    until: date | None = public()


@strawberry.type
class RetentionAgreement:
    """A longer period that a person agreed to, until `endRetention` or a longer one takes its place."""

    id: strawberry.ID = public()
    retention: RetentionClass = public(name="class")  # type: ignore[valid-type]
    until: date = public()
    agreed_at: datetime = public()
    ended_at: datetime | None = public()


@strawberry.type
class DataRetention:
    """One class of a person's data: the longest of all criteria keeps it, and a hold whatever the day."""

    retention: RetentionClass = public(name="class")  # type: ignore[valid-type]
    begins: date | None = public(description="From when it counts: what it is for ended, or will; null: nobody knows.")
    until: date | None = public(description="Its last day by `winner`; null: none yet.")
    winner: Criterion | None = public()
    candidates: list[RetentionCandidate] = edge()
    duty: LegalDuty | None = edge()
    held: bool = public(description="Does a legal hold stand?")
    erased_from: date | None = public(description="The first day on which it is erased; null: none yet.")
    agreement: RetentionAgreement | None = edge(description="What was agreed to beside it, if that stands.")
    words: str = public(description="The same in plain words.")


@strawberry.type
class LegalHold:
    """Classes of one person's data of which nothing is erased, by the file that it is for."""

    id: strawberry.ID = public()
    user: strawberry.ID = public()
    classes: list[RetentionClass] = public()  # type: ignore[valid-type]
    reference: str = public()
    placed_at: datetime = public()
    until: date | None = public(description="Its last day; null: until it is lifted.")
    lifted_at: datetime | None = public()


PlaceHoldPayload = Annotated[LegalHold | AnyProblem, strawberry.union("PlaceHoldPayload")]
LiftHoldPayload = Annotated[LegalHold | AnyProblem, strawberry.union("LiftHoldPayload")]
AgreeRetentionPayload = Annotated[RetentionAgreement | AnyProblem, strawberry.union("AgreeRetentionPayload")]
EndRetentionPayload = Annotated[RetentionAgreement | AnyProblem, strawberry.union("EndRetentionPayload")]


@private_input
class PlaceHoldInput:
    """Whose data, which classes (by default all), and where the proceeding is filed: no names, no numbers of people."""

    user: strawberry.ID
    reference: str
    classes: list[RetentionClass] | None = None  # type: ignore[valid-type]
    until: date | None = None


@private_input
class LiftHoldInput:
    """A hold that stands."""

    id: strawberry.ID


@private_input
class AgreeRetentionInput:
    """Which class, and its last day. `user`: a guardian's ward, by default the caller."""

    retention: RetentionClass = strawberry.field(name="class")  # type: ignore[valid-type]
    until: date
    user: strawberry.ID | None = None


@private_input
class EndRetentionInput:
    """An agreement that stands."""

    id: strawberry.ID


@strawberry.type
class RetentionWrites:
    """The root fields about how long data are kept. Each counts from the next sweep on."""

    @write()
    async def place_hold(
        self,
        info: Info,
        input: PlaceHoldInput,  # noqa: A002 - GraphQL's name
    ) -> PlaceHoldPayload:
        """Have nothing of somebody's erased while a proceeding runs, whoever asks; for privacy officers (C28)."""
        person = row_under(input.user, NodeType.USER, argument="user")
        found = await retention.place(info.context, person, input.classes, input.reference, input.until)
        return _hold(info.context, found)

    @write()
    async def lift_hold(
        self,
        info: Info,
        input: LiftHoldInput,  # noqa: A002 - as above
    ) -> LiftHoldPayload:
        """Let a hold go; for privacy officers (C28)."""
        return _hold(info.context, await retention.lift(info.context, input.id))

    @write()
    async def agree_retention(
        self,
        info: Info,
        input: AgreeRetentionInput,  # noqa: A002 - as above
    ) -> AgreeRetentionPayload:
        """Agree that a class of one's data is kept longer than by anything else (C27)."""
        user = None if input.user is None else row_under(input.user, NodeType.USER, argument="user")
        return _agreement(info.context, await retention.agree(info.context, user, input.retention, input.until))

    @write()
    async def end_retention(
        self,
        info: Info,
        input: EndRetentionInput,  # noqa: A002 - as above
    ) -> EndRetentionPayload:
        """End what was agreed to: the other criteria count again (C27, C68)."""
        return _agreement(info.context, await retention.end(info.context, input.id))


def _hold(context: Write, found: Hold | Problem) -> LegalHold | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    return LegalHold(
        id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
        user=strawberry.ID(to_global(NodeType.USER, found.person)),
        classes=sorted(found.classes),
        reference=found.reference,
        placed_at=in_shanghai(found.placed_at),
        until=found.until,
        lifted_at=found.lifted_at and in_shanghai(found.lifted_at),
    )


def _agreement(context: Write, found: Agreement | Problem) -> RetentionAgreement | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    return RetentionAgreement(
        id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
        retention=found.retention,
        until=found.until,
        agreed_at=in_shanghai(found.agreed_at),
        ended_at=found.ended_at and in_shanghai(found.ended_at),
    )
