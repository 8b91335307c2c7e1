"""Whom an incident befell, for the auditor by reference and for the privacy officer by id (C63)."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from ledger.incidents import MOST_ROWS, Affected, TooManyRowsError, extent_of
from ledger.searches import Fetch, pending
from models.global_ids import NodeType, to_global
from models.vocabulary import Role
from resolvers.access_records import audits, check_span, said_of, sought_of
from resolvers.aside_pages import read_page
from resolvers.aside_turns import HEAVY, turn
from resolvers.asides import Question, RootAside
from resolvers.nouns import Order
from resolvers.paging import LARGEST_PAGE
from resolvers.problems import over_limit
from resolvers.times import in_shanghai

MOST_DAYS = 400
_PLACE = "Query.affectedPersons"
_ORDER = Order(("kind", "reference", "words"), ("smallint", "bigint", "text"))
_PEOPLE = "SELECT reference, person_id FROM person_reference WHERE reference = ANY($1::bigint[])"


async def affected_people(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Everybody whom an incident befell. For auditors and privacy officers; None for anybody else."""
    if not audits(question, Role.AUDITOR, Role.PRIVACY_OFFICER):
        return None
    page = read_page(question, _PLACE, order=_ORDER, largest=LARGEST_PAGE)
    given = question.arguments["incident"]
    incident = await sought_of(question.fetch, given, within="incident.")
    check_span(given["from"], given["to"], days=MOST_DAYS, argument="incident.to")
    question.notes.ask(_PLACE, said_of(incident))
    try:
        async with turn():
            extent = await extent_of(question.fetch, incident)
    except TooManyRowsError:
        raise over_limit("records", maximum=MOST_ROWS, actual=MOST_ROWS + 1) from None
    start = bisect_right(extent.people, page.after, key=lambda one: one.place) if page.after else 0
    shown = extent.people[start : start + page.size]
    question.notes.tell(_PLACE, [one.who for one in shown])
    ids = await _people(question.fetch, shown) if question.subject.role == Role.PRIVACY_OFFICER else {}
    more = start + len(shown) < len(extent.people)
    return {
        "total": len(extent.people),
        "recordsTotal": extent.rows,
        "pending": await pending(question.fetch),
        "persons": page.connection(shown, lambda one: one.place, lambda one: _person(one, ids), more=more),
    }


AFFECTED_PEOPLE = RootAside(_PLACE, affected_people, LARGEST_PAGE, HEAVY)


async def _people(fetch: Fetch, shown: Sequence[Affected]) -> Mapping[int, UUID]:
    references = [one.who for one in shown if isinstance(one.who, int)]
    return {one["reference"]: UUID(bytes=one["person_id"].bytes) for one in await fetch(_PEOPLE, references)}


def _person(one: Affected, ids: Mapping[int, UUID]) -> dict[str, Any]:
    referenced = isinstance(one.who, int)
    return {
        "reference": str(one.who) if referenced else None,
        "user": to_global(NodeType.USER, ids[one.who]) if isinstance(one.who, int) and one.who in ids else None,
        "standIn": None if referenced else one.who,
        "revealed": sorted(one.revealed),
        "masked": sorted(one.masked),
        "changed": sorted(one.changed),
        "first": in_shanghai(one.first),
        "last": in_shanghai(one.last),
        "times": one.times,
    }
