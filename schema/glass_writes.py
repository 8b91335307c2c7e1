"""The glass broken for somebody, ended, and looked at by somebody else (C46, C55)."""

from datetime import datetime
from typing import Annotated

import strawberry

from authz.glass import Glass, Wanted
from models.global_ids import NodeType, to_global
from models.rulesets import Verdict
from models.vocabulary import Category, Purpose
from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing import glass
from schema.fields import private_input, public, write
from schema.problems import AnyProblem, told

Info = strawberry.Info[Write, None]


@strawberry.type
class GlassStanding:
    """How a broken glass stands after a write."""

    id: strawberry.ID = public()
    until: datetime = public()
    ended_at: datetime | None = public(description="When somebody ended it; null where it ends by itself.")
    verdict: Verdict | None = public()


BreakGlassPayload = Annotated[GlassStanding | AnyProblem, strawberry.union("BreakGlassPayload")]
EndGlassPayload = Annotated[GlassStanding | AnyProblem, strawberry.union("EndGlassPayload")]
ReviewGlassPayload = Annotated[GlassStanding | AnyProblem, strawberry.union("ReviewGlassPayload")]


@private_input
class BreakGlassInput:
    """For whom of the staff, by their work name; for which purpose of theirs, which categories, why and how long."""

    username: str
    purpose: Purpose
    categories: list[Category]
    reason: str
    minutes: int


@private_input
class EndGlassInput:
    """The broken glass that has been needed for long enough."""

    glass: strawberry.ID


@private_input
class ReviewGlassInput:
    """Whether it was right, once it is over."""

    glass: strawberry.ID
    verdict: Verdict
    note: str = ""


@strawberry.type
class GlassWrites:
    """The root fields about broken glasses. Each counts within a second, in every worker."""

    @write()
    async def break_glass(self, info: Info, input: BreakGlassInput) -> BreakGlassPayload:  # noqa: A002 - GraphQL's name
        """Show somebody else more than the rules do, for some minutes; an alarm sounds (C55)."""
        wanted = Wanted(input.username, input.purpose, frozenset(input.categories), input.reason, input.minutes)
        return _standing(info.context, await glass.break_glass(info.context, wanted))

    @write()
    async def end_glass(self, info: Info, input: EndGlassInput) -> EndGlassPayload:  # noqa: A002 - as above
        """End it before its time (C55)."""
        return _standing(info.context, await glass.end(info.context, input.glass))

    @write()
    async def review_glass(self, info: Info, input: ReviewGlassInput) -> ReviewGlassPayload:  # noqa: A002 - as above
        """Say whether it was right: neither who opened it nor who was shown something by it (C46, C55)."""
        found = await glass.review(info.context, input.glass, verdict=input.verdict, note=input.note)
        return _standing(info.context, found)


def _standing(context: Write, found: Glass | Problem) -> GlassStanding | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    return GlassStanding(
        id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
        until=in_shanghai(found.until),
        ended_at=found.ended_at and in_shanghai(found.ended_at),
        verdict=found.verdict,
    )
