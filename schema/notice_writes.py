"""Writes about notices: a version published, an impact assessed, a notice acknowledged (C75-C78)."""

from datetime import date, datetime
from functools import partial
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from models.global_ids import NodeType, to_global
from privacy.assessments import Risk
from privacy.comparison import Ground
from resolvers.global_ids import row_under
from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing import notices
from schema.fields import private_input, public, write
from schema.problems import AnyProblem, told, written
from schema.users import User

Info = strawberry.Info[Write, None]


@strawberry.type
class NoticePublished:
    """A version that has been published, and by which grounds it is major."""

    version: str = public()
    hash: str = public()
    effective_on: date = public()
    major: bool = public()
    grounds: list[Ground] = public()


@strawberry.type
class ImpactAssessed:
    """An impact assessment that has been recorded."""

    id: strawberry.ID = public()
    risk: Risk = public()
    assessed_at: datetime = public()
    asks_for_notice: bool = public()


PublishNoticePayload = Annotated[NoticePublished | AnyProblem, strawberry.union("PublishNoticePayload")]
AssessImpactPayload = Annotated[ImpactAssessed | AnyProblem, strawberry.union("AssessImpactPayload")]
AcknowledgeNoticePayload = Annotated[User | AnyProblem, strawberry.union("AcknowledgeNoticePayload")]


@private_input
class PublishNoticeInput:
    """A content as docs/notices.md has it, and why it is published. `effectiveOn` takes the place of the date in it.

    `answersAssessments`: ids of the impact assessments of high risk that it tells of.
    """

    content: JSON
    reason: str
    effective_on: date | None = None
    answers_assessments: list[strawberry.ID] | None = None


@private_input
class AssessImpactInput:
    """What was assessed and found, and how high the risk is."""

    title: str
    text: str
    risk: Risk


@private_input
class AcknowledgeNoticeInput:
    """The hash of a notice that was shown, and whether it is agreed to. `user`: a guardian's ward, else the caller."""

    notice_hash: str
    agrees: bool
    user: strawberry.ID | None = None


@strawberry.type
class NoticeWrites:
    """The root fields about notices."""

    @write()
    async def publish_notice(
        self,
        info: Info,
        input: PublishNoticeInput,  # noqa: A002 - GraphQL's name
    ) -> PublishNoticePayload:
        """Publish the next version, for tomorrow at the earliest. Whether it is major is found (C76, C77, C82)."""
        given = notices.Given(input.content, input.reason, input.effective_on, input.answers_assessments or ())
        found = await notices.publish_notice(info.context, given)
        if isinstance(found, Problem):
            return told(info.context, found)
        return NoticePublished(
            version=found.content.version,
            hash=found.content.digest,
            effective_on=found.content.effective_on,
            major=found.comparison.major,
            grounds=list(found.comparison.grounds),
        )

    @write()
    async def assess_impact(
        self,
        info: Info,
        input: AssessImpactInput,  # noqa: A002 - as above
    ) -> AssessImpactPayload:
        """Record an impact assessment. One of high risk asks for a notice until a version answers it (C77)."""
        found = await notices.assess_impact(info.context, title=input.title, text=input.text, risk=input.risk)
        if isinstance(found, Problem):
            return told(info.context, found)
        return ImpactAssessed(
            id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
            risk=found.risk,
            assessed_at=in_shanghai(found.assessed_at),
            asks_for_notice=found.asks_for_notice,
        )

    @write()
    async def acknowledge_notice(
        self,
        info: Info,
        input: AcknowledgeNoticeInput,  # noqa: A002 - as above
    ) -> AcknowledgeNoticePayload | None:
        """Say that one was shown a notice, and whether one agrees. Without, the earlier one's terms stay (C75, C78)."""
        user = None if input.user is None else row_under(input.user, NodeType.USER, argument="user")
        work = partial(
            notices.acknowledge_notice,
            info.context,
            user,
            notice_hash=input.notice_hash,
            agrees=input.agrees,
        )
        return await written(info.context, work, User)
