"""Whether the house operates, for everybody; what is proposed, for those who may confirm it (C30)."""

from typing import Any

from models.global_ids import NodeType, to_global
from privacy.ceasing import OFFICERS, standing
from resolvers.access_records import audits
from resolvers.asides import Fetching, Question, RootAside
from resolvers.times import in_shanghai

_WEIGHT = 1


async def operations(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Since when operations have ceased, or will, and the announcement, once it is confirmed."""
    found = await standing(Fetching(question.fetch))
    confirmed = found if found and found.ceases_at else None
    at = confirmed and confirmed.ceases_at
    return {
        "ceasedAt": in_shanghai(at) if at and at <= question.now else None,
        "ceasesAt": in_shanghai(at) if at else None,
        "announcement": confirmed and confirmed.announcement,
        "standing": {
            "id": to_global(NodeType.RECORD, found.id),
            "announcement": found.announcement,
            "day": found.day.isoformat(),
            "confirmed": confirmed is not None,
        }
        if found and audits(question, *OFFICERS)
        else None,
    }


OPERATIONS = RootAside("Query.operations", operations, 1, _WEIGHT)
