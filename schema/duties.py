"""The register of the operator's duties, and that one was done (C41, C46, C47, C56, C61, C62)."""

from datetime import date
from typing import Annotated

import strawberry

from privacy.duties import DutyState, Standing
from resolvers.payloads import Problem, Write
from resolvers.writing import duties
from schema.fields import edge, private_input, public, write
from schema.problems import AnyProblem, told

Info = strawberry.Info[Write, None]

strawberry.enum(DutyState)


@strawberry.type
class DutyOfMember:
    """How a duty of each member of staff stands for one of them."""

    member: strawberry.ID = public()
    username: str = public(description="The work name.")
    last_on: date | None = public()
    due_on: date = public()
    overdue: bool = public()


@strawberry.type
class Duty:
    """One of the operator's duties: how often it is due, when next, and when it was last done."""

    code: str = public()
    title: str = public()
    clause: str | None = public()
    state: DutyState = public()
    due_on: date | None = public(description="Null: nothing is due until something happens.")
    days: int | None = public(description="Until then; less than none once it is overdue.")
    last_on: date | None = public()
    every_months: int = public()
    waiting: int = public(description="Of how many members of staff, or grants, it is due or overdue.")
    members: list[DutyOfMember] = edge(description="Of a duty of each member of staff.")


@strawberry.type
class DutyRecorded:
    """How a duty stands once it was done."""

    duty: str = public()
    state: DutyState = public()
    due_on: date | None = public()


RecordDutyPayload = Annotated[DutyRecorded | AnyProblem, strawberry.union("RecordDutyPayload")]


@private_input
class RecordDutyInput:
    """Which duty, and where it is filed that it was done. `member`: a work name, for a duty of each of the staff.

    `doneOn`: today, where it is left out.
    """

    duty: str
    evidence: str
    done_on: date | None = None
    member: str | None = None


@strawberry.type
class DutyWrites:
    """The root field about duties."""

    @write()
    async def record_duty(
        self,
        info: Info,
        input: RecordDutyInput,  # noqa: A002 - GraphQL's name
    ) -> RecordDutyPayload:
        """Record that a duty was done; the next time follows from it (C61, C62)."""
        found = await duties.record_duty(
            info.context, input.duty, input.evidence, done_on=input.done_on, member=input.member
        )
        return told(info.context, found) if isinstance(found, Problem) else _recorded(found)


def _recorded(found: Standing) -> DutyRecorded:
    return DutyRecorded(duty=found.duty.code, state=found.state, due_on=found.due_on)
