"""Marketing refused by a channel (C20); campaigns opened and ended by the brokerage's marketers (C21)."""

from dataclasses import replace
from uuid import UUID

from authz.vocabulary import Reason
from models.audiences import Campaign, MarketingChannel
from privacy import campaigns
from privacy.campaigns import CampaignRefusal, Wanted
from privacy.refusals import refuse_marketing
from resolvers.payloads import Problem, ProblemCode, Write, Written
from resolvers.problems import unavailable
from resolvers.writing.targets import not_listed, target, without_target

_FIELDS = {
    CampaignRefusal.RECIPIENT_UNKNOWN: "recipient",
    CampaignRefusal.TAGS_INVALID: "tags",
    CampaignRefusal.TIMES_INVALID: "until",
    CampaignRefusal.CAMPAIGN_UNKNOWN: "campaign",
}


async def refuse(write: Write, user: UUID | None, channel: MarketingChannel, *, refused: bool) -> Written | Problem:
    """The caller's own word on a channel or, by `user`, a guardian's for a ward. Whatever their age: it narrows."""
    found = await target(write, "User", user or write.subject.person)
    if isinstance(found, Problem):
        return replace(found, field="user") if found.code is ProblemCode.NOT_FOUND else found
    said_by = None if found.id == write.subject.person else write.subject.person
    await refuse_marketing(
        write.connection, write.reader.relays, found.id, channel, refused=refused, said_by=said_by, now=write.now
    )
    return Written("User", found.id)


async def open_campaign(write: Write, wanted: Wanted) -> Campaign | Problem:
    """Open a campaign."""
    refused = without_target(write) or _may_not_know_tags(write)
    if refused:
        return refused
    return _told(
        await campaigns.open_campaign(
            write.connection, write.accounts.keyring, wanted, by=_marketer(write), now=write.now
        )
    )


async def end_campaign(write: Write, campaign: UUID | None) -> Campaign | Problem:
    """End a campaign."""
    refused = without_target(write)
    if refused:
        return refused
    return _told(await campaigns.end_campaign(write.connection, campaign, by=_marketer(write), now=write.now))


def _may_not_know_tags(write: Write) -> Problem | None:
    """WRITE_DENIED to who could not read the tags by which a campaign selects: whom it meets tells of them."""
    tags = write.snapshot.catalogue["User.tags"]
    refused = not_listed(write, tags.category.bit)
    if refused or write.snapshot.slice(write.subject.role, write.purpose).reveals_to_audience(tags.name):
        return refused
    return Problem(ProblemCode.WRITE_DENIED, "No rule shows you tags. Ask the security team.", reason=Reason.ROLE)


def _marketer(write: Write) -> UUID:
    if write.subject.account is None:
        # No rule lets anybody but staff do this.
        raise unavailable()
    return write.subject.account


def _told(found: Campaign | CampaignRefusal) -> Campaign | Problem:
    if isinstance(found, Campaign):
        return found
    return Problem(ProblemCode[found.name], found.value, field=_FIELDS[found], clause="C21")
