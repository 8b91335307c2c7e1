"""Requests about one's own data, answered beside the plan: what structures them, and words of the case (C65, C80).

Data of the person open by `user`, as the rules show. The words of a request are shown to the person, a guardian of
theirs, and the officer who has it in hand, at work on rights requests; to nobody else.
"""

from typing import Any
from uuid import UUID

from models.global_ids import NodeType, to_global
from models.rights import EscalationBody
from models.vocabulary import Category, Purpose, Role, to_bits
from privacy.rights_lists import Shown, Sought, day_within, requests
from privacy.working_days import shanghai_day
from resolvers.aside_pages import read_page
from resolvers.asides import Fetching, Question, RootAside
from resolvers.nouns import Order
from resolvers.paging import LARGEST_PAGE
from resolvers.problems import bad_input
from resolvers.times import in_shanghai

_PLACE = "Query.rightsRequests"
_WEIGHT = 500
_FIRST_DUE = Order(("ended", "last_day", "id"), ("bigint", "date", "uuid"))
_OWN = (Purpose.ACCOUNT_SERVICE, Purpose.RIGHTS_REQUEST)
_MOST_DAYS = 250
_EVERYTHING = to_bits(set(Category))


async def rights_requests(question: Question) -> Any:  # noqa: ANN401 - plain values
    """One's own or one's wards'; an officer's in hand at `rights_request`, all at `administration`. Else None."""
    whose = _whose(question)
    if whose is None:
        return None
    people, officer = whose
    given, page = question.arguments, read_page(question, _PLACE, order=_FIRST_DUE, largest=LARGEST_PAGE)
    after: tuple[int, Any, UUID] | None = (page.after[0], page.after[1], page.after[2]) if page.after else None
    within, is_open = given.get("due_within"), given.get("open")
    if within is not None and not 0 <= within <= _MOST_DAYS:
        raise bad_input("dueWithin", f"Name 0 to {_MOST_DAYS} working days.")
    question.notes.ask(_PLACE, {"first": page.size, "open": is_open, "dueWithin": within})
    today = shanghai_day(question.now)
    until = None if within is None else await day_within(Fetching(question.fetch), today, within)
    sought = Sought(people, officer, is_open, until, after)
    found = await requests(question.fetch, sought, most=page.size + 1)
    shown = found[: page.size]
    question.notes.tell(_PLACE, (one.standing.person for one in shown))
    return page.connection(
        shown,
        lambda one: (one.place[0], one.place[1].isoformat(), str(one.place[2])),
        lambda one: _request(one, question),
        more=len(found) > page.size,
    )


RIGHTS_REQUESTS = RootAside(_PLACE, rights_requests, LARGEST_PAGE, _WEIGHT)


def _whose(question: Question) -> tuple[list[UUID] | None, UUID | None] | None:
    """Of which people (None: of all), and in whose hands; None where it is not for the caller."""
    subject, purpose = question.subject, question.purpose
    if question.narrowed:
        return None
    if subject.role is Role.CUSTOMER and purpose in _OWN and subject.person:
        return [subject.person], None
    if subject.role is Role.GUARDIAN and purpose in _OWN:
        return list(question.wards), None
    if subject.role is Role.PRIVACY_OFFICER and purpose is Purpose.RIGHTS_REQUEST and subject.account:
        return None, subject.account
    if subject.role is Role.PRIVACY_OFFICER and purpose is Purpose.ADMINISTRATION:
        return None, None
    return None


def _request(one: Shown, question: Question) -> dict[str, Any]:
    standing = one.standing
    staff = question.subject.role is Role.PRIVACY_OFFICER
    # Words may be of any category, and a token that lists some of them shows no others. Once it is answered, a request
    # is no ground for an officer to read on.
    whole = question.subject.categories == _EVERYTHING
    reads = whole and (not staff or (question.purpose is Purpose.RIGHTS_REQUEST and one.closed_at is None))
    return {
        "id": to_global(NodeType.RECORD, standing.id),
        "user": to_global(NodeType.USER, standing.person),
        "kind": standing.kind.name,
        "state": standing.state.name,
        "openedAt": in_shanghai(standing.opened_at),
        "dueOn": standing.due_on,
        "provisional": standing.provisional,
        "overdue": standing.overdue_on(shanghai_day(question.now)),
        "extendedUntil": standing.extended_until,
        "extensionReason": one.extension_reason,
        "ground": one.ground and one.ground.name,
        "matter": one.matter and one.matter.name,
        "statement": one.statement(question.keyring) if reads else None,
        "answer": one.answer(question.keyring) if whole and not staff else None,
        "decidedAt": one.decided_at and in_shanghai(one.decided_at),
        "closedAt": one.closed_at and in_shanghai(one.closed_at),
        "erasureDueOn": one.erasure_due_on,
        "officer": one.officer if staff else None,
        "escalation": [body.name for body in EscalationBody],
    }
