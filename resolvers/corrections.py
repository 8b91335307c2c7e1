"""How a Correction is stored, and how far it was handed on; the earlier value is sealed and stands in archives only."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from models.global_ids import NodeType, to_global
from models.vocabulary import PARTNER_ROLES, Purpose, Role
from privacy.correction_handovers import MOST, Waiting, hand_on, handovers_of, waiting_for
from resolvers.asides import Question, RootAside, RowAside
from resolvers.nouns import Noun, Order, Public
from resolvers.paging import LARGEST_PAGE
from resolvers.problems import bad_input
from resolvers.times import in_shanghai

USUAL_PAGE = 50
_TO_APPLY = "Query.correctionsToApply"
_WEIGHT = 500

_RECIPIENTS = (
    "coalesce((SELECT array_agg(o.name::text ORDER BY o.name, o.code) FROM correction_recipient r"
    " JOIN organization o ON o.id = r.organization_id WHERE r.correction_id = t.id), '{}')"
)


async def handovers(question: Question, corrections: Sequence[UUID]) -> Mapping[UUID, Any]:
    """By correction: each recipient, when it was told and when it said that it has applied it."""
    found: dict[UUID, list[dict[str, Any]]] = {one: [] for one in corrections}
    for row in await handovers_of(question.fetch, list(corrections)):
        handed_on, done = row["handed_on_at"], row["acknowledged_at"]
        found[row["correction_id"]].append(
            {
                "organization": row["name"],
                "code": row["code"],
                "handedOnAt": handed_on and in_shanghai(handed_on),
                "acknowledgedAt": done and in_shanghai(done),
            }
        )
    return found


CORRECTION = Noun(
    name="Correction",
    table="correction",
    fields={
        "coordinate": Public("t.coordinate"),
        "correctedAt": Public("t.corrected_at", in_shanghai),
        "recipients": Public(_RECIPIENTS),
        "handovers": RowAside("Correction.handovers", handovers, LARGEST_PAGE, 10),
    },
    orders={"POSITION": Order(("t.corrected_at", "t.id"), ("timestamptz", "uuid"))},
)


async def corrections_to_apply(question: Question) -> Any:  # noqa: ANN401 - plain values
    """What the caller's organization has yet to apply, the oldest first; None for anybody else.

    A narrowed token is told nothing: which of these persons it is for is for the plan to say, and this is beside it.
    """
    subject = question.subject
    if subject.role not in PARTNER_ROLES - {Role.AD_PARTNER} or subject.organization is None or question.narrowed:
        return None
    size: int = question.arguments.get("first", USUAL_PAGE)
    if not 1 <= size <= MOST:
        raise bad_input("first", f"A page has 1 to {MOST} entries.")
    question.notes.ask(_TO_APPLY, {"first": size})
    marketing = question.purpose is Purpose.MARKETING
    found = await waiting_for(question.fetch, subject.organization, marketing=marketing, most=size)
    await hand_on(question.fetch, subject.organization, [one.id for one in found], now=question.now)
    question.notes.tell(_TO_APPLY, (one.person for one in found))
    return [_waiting(one) for one in found]


CORRECTIONS_TO_APPLY = RootAside(_TO_APPLY, corrections_to_apply, MOST, _WEIGHT)


def _waiting(one: Waiting) -> dict[str, Any]:
    user = (NodeType.USER, one.person) if one.audience is None else (NodeType.AUDIENCE_USER, one.audience)
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "user": to_global(*user),
        "coordinate": one.coordinate,
        "correctedAt": in_shanghai(one.corrected_at),
    }
