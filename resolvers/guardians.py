"""Guardian links and cases of minors, answered beside the plan: no datum of anybody stands in them (C71-C73)."""

from typing import Any
from uuid import UUID

from models.global_ids import NodeType, to_global
from models.guardian_links import LinkState
from models.vocabulary import PERSON_ROLES, Purpose, Role
from privacy.guardian_lists import Link, links
from privacy.minor_cases import MinorCase, cases
from resolvers.access_records import audits
from resolvers.asides import Question, RootAside
from resolvers.paging import LARGEST_PAGE
from resolvers.problems import bad_input
from resolvers.times import in_shanghai

USUAL_PAGE = 20
_LINKS, _CASES = "Query.guardianLinks", "Query.minorCases"
_WEIGHT = 500
_OWN = (Purpose.ACCOUNT_SERVICE, Purpose.RIGHTS_REQUEST)


async def guardian_links(question: Question) -> Any:  # noqa: ANN401 - plain values
    """One's own from either side; for a privacy officer all. None for anybody else."""
    subject = question.subject
    officer = audits(question, Role.PRIVACY_OFFICER)
    own = subject.role in PERSON_ROLES and not question.narrowed and question.purpose in _OWN
    if not officer and not (own and subject.person):
        return None
    size, state = _size(question), question.arguments.get("state")
    question.notes.ask(_LINKS, {"first": size, "state": getattr(state, "name", state)})
    person = None if officer else subject.person
    found = await links(question.fetch, person=person, state=state and LinkState(_name(state)), most=size)
    question.notes.tell(_LINKS, (who for one in found for who in (one.guardian, one.child) if who is not None))
    return [_link(one, person) for one in found]


GUARDIAN_LINKS = RootAside(_LINKS, guardian_links, LARGEST_PAGE, _WEIGHT)


async def minor_cases(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Cases, the first due before all; for privacy officers. None for anybody else."""
    if not audits(question, Role.PRIVACY_OFFICER):
        return None
    size, is_open = _size(question), question.arguments.get("open")
    question.notes.ask(_CASES, {"first": size, "open": is_open})
    found = await cases(question.fetch, is_open=is_open, most=size)
    question.notes.tell(_CASES, (one.person for one in found))
    return [_case(one, question) for one in found]


MINOR_CASES = RootAside(_CASES, minor_cases, LARGEST_PAGE, _WEIGHT)


def _size(question: Question) -> int:
    size: int = question.arguments.get("first", USUAL_PAGE)
    if not 1 <= size <= LARGEST_PAGE:
        raise bad_input("first", f"A page has 1 to {LARGEST_PAGE} entries.")
    return size


def _name(state: Any) -> str:  # noqa: ANN401 - an enum's member or its name
    name: str = getattr(state, "name", state)
    return name


def _link(one: Link, person: UUID | None) -> dict[str, Any]:
    named = person is not None
    for_child = named and one.guardian != person
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "state": one.state.name,
        "guardian": to_global(NodeType.USER, one.guardian) if named else None,
        "child": to_global(NodeType.USER, one.child) if named and one.child else None,
        "evidence": one.kind and one.kind.name,
        "reference": None if for_child else one.reference,
        "requestedAt": one.requested_at and in_shanghai(one.requested_at),
        "verifiedAt": one.verified_at and in_shanghai(one.verified_at),
        "endedAt": one.ended_at and in_shanghai(one.ended_at),
        "note": None if for_child else one.note,
    }


def _case(one: MinorCase, question: Question) -> dict[str, Any]:
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "user": to_global(NodeType.USER, one.person),
        "openedAt": in_shanghai(one.opened_at),
        "dueAt": in_shanghai(one.due_at),
        "overdue": one.overdue_at(question.now),
        "closedAt": one.closed_at and in_shanghai(one.closed_at),
        "outcome": one.outcome and one.outcome.name,
    }
