"""Who is in an audience: refusals of marketing by the person, campaigns by the brokerage's marketers (C20, C21)."""

from datetime import datetime
from functools import partial
from typing import Annotated

import strawberry

from models.audiences import Campaign, MarketingChannel
from models.global_ids import NodeType, to_global
from privacy.campaigns import Wanted
from resolvers.global_ids import row_under
from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing import audiences
from schema.fields import private_input, public, write
from schema.problems import AnyProblem, told, written
from schema.users import User

Info = strawberry.Info[Write, None]


@strawberry.type
class CampaignStanding:
    """How a campaign stands after a write."""

    id: strawberry.ID = public()
    opens_at: datetime = public()
    closes_at: datetime = public()
    ended_at: datetime | None = public()


RefuseMarketingPayload = Annotated[User | AnyProblem, strawberry.union("RefuseMarketingPayload")]
OpenCampaignPayload = Annotated[CampaignStanding | AnyProblem, strawberry.union("OpenCampaignPayload")]
EndCampaignPayload = Annotated[CampaignStanding | AnyProblem, strawberry.union("EndCampaignPayload")]


@private_input
class RefuseMarketingInput:
    """The channel, whether marketing by it is refused, and by `user` a guardian's ward, by default the caller."""

    channel: MarketingChannel
    refused: bool
    user: strawberry.ID | None = None


@private_input
class OpenCampaignInput:
    """For whom (a partner's code; null: the brokerage), whom with (any of the tags), from when (now) until when."""

    recipient: str | None = None
    tags: list[str]
    since: datetime | None = strawberry.field(name="from", default=None)
    until: datetime


@private_input
class EndCampaignInput:
    """The campaign that is over."""

    campaign: strawberry.ID


@strawberry.type
class AudienceWrites:
    """The root fields about audiences. Each counts from the next read on."""

    @write()
    async def refuse_marketing(self, info: Info, input: RefuseMarketingInput) -> RefuseMarketingPayload | None:  # noqa: A002 - GraphQL's name
        """Refuse marketing by a channel, or allow it again. Who refuses any is in no audience; consents stay (C20)."""
        user = None if input.user is None else row_under(input.user, NodeType.USER, argument="user")
        work = partial(audiences.refuse, info.context, user, input.channel, refused=input.refused)
        return await written(info.context, work, User)

    @write()
    async def open_campaign(self, info: Info, input: OpenCampaignInput) -> OpenCampaignPayload:  # noqa: A002 - as above
        """Narrow a recipient's audience to people with one of some tags, where it names the campaign (C20, C21)."""
        wanted = Wanted(input.recipient, input.tags, input.since, input.until)
        return _standing(info.context, await audiences.open_campaign(info.context, wanted))

    @write()
    async def end_campaign(self, info: Info, input: EndCampaignInput) -> EndCampaignPayload:  # noqa: A002 - as above
        """End a campaign before its time (C21)."""
        campaign = row_under(input.campaign, NodeType.RECORD, argument="campaign")
        return _standing(info.context, await audiences.end_campaign(info.context, campaign))


def _standing(context: Write, found: Campaign | Problem) -> CampaignStanding | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    return CampaignStanding(
        id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
        opens_at=in_shanghai(found.opens_at),
        closes_at=in_shanghai(found.closes_at),
        ended_at=found.ended_at and in_shanghai(found.ended_at),
    )
