"""Campaigns, for the brokerage's marketers: nobody else learns by which tags one selects (C20, C21)."""

from typing import Any
from uuid import UUID

from models.audiences import Campaign
from models.global_ids import NodeType, to_global
from models.vocabulary import Category, Purpose, Role
from privacy.campaigns import some
from resolvers.access_names import organizations_of
from resolvers.aside_pages import read_page
from resolvers.asides import Fetching, Question, RootAside
from resolvers.nouns import Order
from resolvers.paging import LARGEST_PAGE
from resolvers.times import in_shanghai

_PLACE = "Query.campaigns"
_WEIGHT = 500
_LAST_OPENED = Order(("opened_at", "id"), ("timestamptz", "uuid"))


async def campaigns(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Campaigns, the last opened first. None for who is no marketer at marketing, with tags in the token."""
    subject = question.subject
    marketing = subject.role is Role.MARKETER and question.purpose is Purpose.MARKETING
    if not marketing or question.narrowed or not subject.categories & Category.TAG.bit:
        return None
    page = read_page(question, _PLACE, order=_LAST_OPENED, largest=LARGEST_PAGE)
    after: tuple[Any, UUID] | None = (page.after[0], page.after[1]) if page.after else None
    question.notes.ask(_PLACE, {"first": page.size})
    found = await some(Fetching(question.fetch), after=after, most=page.size + 1)
    organizations = await organizations_of(question.fetch, (one.recipient for _, one in found))
    return page.connection(
        found[: page.size],
        lambda one: (one[0].isoformat(), str(one[1].id)),
        lambda one: {
            **campaign_fields(one[1]),
            "recipient": organizations.get(one[1].recipient),
        },
        more=len(found) > page.size,
    )


CAMPAIGNS = RootAside(_PLACE, campaigns, LARGEST_PAGE, _WEIGHT)


def campaign_fields(one: Campaign) -> dict[str, Any]:
    """What a campaign says of itself, by the schema's names."""
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "tags": list(one.tags),
        "opensAt": in_shanghai(one.opens_at),
        "closesAt": in_shanghai(one.closes_at),
        "endedAt": one.ended_at and in_shanghai(one.ended_at),
    }
