"""Decisions on grants: what the security team recertifies, ends and gives back (C56)."""

from datetime import datetime
from typing import Annotated

import strawberry

from authz.reviews import Decided
from models.reviews import Decision
from models.vocabulary import Category, Purpose
from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing import reviews
from schema.fields import private_input, public, write
from schema.problems import AnyProblem, told

strawberry.enum(Decision, name="GrantDecision")

Info = strawberry.Info[Write, None]


@strawberry.type
class GrantDecided:
    """What was decided of a grant; `until`: to when it is recertified."""

    holder: str = public()
    purpose: Purpose = public()
    category: Category = public()
    decision: Decision = public()
    decided_at: datetime = public()
    until: datetime | None = public()


# Any payload may hold any kind of problem: a new one breaks no client.
RecertifyGrantPayload = Annotated[GrantDecided | AnyProblem, strawberry.union("RecertifyGrantPayload")]
LapseGrantPayload = Annotated[GrantDecided | AnyProblem, strawberry.union("LapseGrantPayload")]
RestoreGrantPayload = Annotated[GrantDecided | AnyProblem, strawberry.union("RestoreGrantPayload")]


@private_input
class RecertifyGrantInput:
    """A grant of the access review, `holder` a role or the code of a partner; and for how many days it is kept."""

    holder: str
    purpose: Purpose
    category: Category
    days: int


@private_input
class LapseGrantInput:
    """A grant of the access review; `holder`: a role of the brokerage, or the code of a partner."""

    holder: str
    purpose: Purpose
    category: Category


@private_input
class RestoreGrantInput:
    """A grant that has lapsed; `holder`: a role of the brokerage, or the code of a partner."""

    holder: str
    purpose: Purpose
    category: Category


_Input = RecertifyGrantInput | LapseGrantInput | RestoreGrantInput


def _named(given: _Input) -> reviews.Named:
    return reviews.Named(given.holder, given.purpose, given.category)


@strawberry.type
class ReviewWrites:
    """The root fields that decide on grants. Each decision counts within a second, in every worker."""

    @write()
    async def recertify_grant(
        self,
        info: Info,
        input: RecertifyGrantInput,  # noqa: A002 - GraphQL's name
    ) -> RecertifyGrantPayload:
        """Keep a grant for some days, whether it is used or not (C56)."""
        return _told(info.context, input, await reviews.recertify(info.context, _named(input), days=input.days))

    @write()
    async def lapse_grant(
        self,
        info: Info,
        input: LapseGrantInput,  # noqa: A002 - as above
    ) -> LapseGrantPayload:
        """End a grant: its holder is refused the category for that purpose, with `TOKEN_SCOPE`. Writes stay (C56)."""
        return _told(info.context, input, await reviews.lapse(info.context, _named(input)))

    @write()
    async def restore_grant(
        self,
        info: Info,
        input: RestoreGrantInput,  # noqa: A002 - as above
    ) -> RestoreGrantPayload:
        """Give back a grant that has lapsed; its days unused begin anew (C56)."""
        return _told(info.context, input, await reviews.restore(info.context, _named(input)))


def _told(context: Write, given: _Input, found: Decided | Problem) -> GrantDecided | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    until = found.until and in_shanghai(found.until)
    return GrantDecided(
        holder=given.holder,
        purpose=given.purpose,
        category=given.category,
        decision=found.decision,
        decided_at=in_shanghai(found.at),
        until=until,
    )
