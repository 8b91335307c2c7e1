"""Disclosure cases for officers, recipients and choices for the persons themselves, answered beside the plan."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from authz.scope import scope_of
from models.disclosures import LawfulException, items_of
from models.global_ids import NodeType, from_global, to_global
from models.organizations import OrganizationKind
from models.vocabulary import Category, Purpose, Role, from_bits
from privacy.disclosure_choices import Choice, choices
from privacy.disclosure_report import Left, left_under
from privacy.disclosures import Case, cases
from privacy.recipients import Recipient, recipients_of
from resolvers.access_records import audits
from resolvers.aside_turns import turn
from resolvers.asides import Asked, Fetching, Question, RootAside
from resolvers.paging import LARGEST_PAGE
from resolvers.problems import bad_id, bad_input
from resolvers.staff_names import names_of, who
from resolvers.statements import statement
from resolvers.times import in_shanghai

USUAL_PAGE = 20
_CASES, _RECIPIENTS, _CHOICES = "Query.disclosureCases", "Query.recipients", "Query.disclosureChoices"
_WEIGHT, _OF_LEDGER = 1_000, 10_000
_OWN = (Purpose.ACCOUNT_SERVICE, Purpose.RIGHTS_REQUEST)
_IN_HAND = statement(
    "SELECT t.id FROM person t WHERE t.id = :wanted"
    f" AND {scope_of(Role.PRIVACY_OFFICER, Purpose.RIGHTS_REQUEST)['person'].member}"
)


def _of_ledger(asked: Asked, _: Mapping[str, Any]) -> int:
    return _OF_LEDGER if asked.find("disclosed") else 0


async def disclosure_cases(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Cases, the last opened first; for privacy officers and auditors. None for anybody else."""
    if not audits(question, Role.PRIVACY_OFFICER, Role.AUDITOR):
        return None
    given = question.arguments
    size: int = given.get("first", USUAL_PAGE)
    if not 1 <= size <= LARGEST_PAGE:
        raise bad_input("first", f"A page has 1 to {LARGEST_PAGE} entries.")
    only = None if given.get("id") is None else _row(given["id"], NodeType.RECORD, "id")
    question.notes.ask(_CASES, {"first": size, "id": only and str(only)})
    found = await cases(question.fetch, only, most=size)
    left: Mapping[UUID, Left] = {}
    if question.asked.find("disclosed"):
        async with turn():
            left = await left_under(question.fetch, [one.id for one in found])
    officers = [one.row[name] for one in found for name in _BY]
    names = await names_of(question.fetch, *officers)
    return [_case(one, question, names, left.get(one.id)) for one in found]


DISCLOSURE_CASES = RootAside(_CASES, disclosure_cases, LARGEST_PAGE, _WEIGHT, _of_ledger)
_BY = ("opened_by", "approved_by", "rejected_by", "closed_by")


def _case(one: Case, question: Question, names: Mapping[str | None, str], left: Left | None) -> dict[str, Any]:
    row = one.row
    moments = ("opened_at", "approved_at", "rejected_at", "closed_at", "expires_at", "secret_until")
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "kind": row["kind"],
        "state": one.state(question.now).name,
        "exception": row["exception"],
        "clause": row["exception"] and LawfulException(row["exception"]).clause,
        "authority": row["authority"],
        "recipient": row["receiver"],
        "documentKind": row["document_kind"],
        "document": row["document"],
        "filed": row["filed"],
        "justification": row["justification"],
        "basis": row["basis"],
        "undertaking": row["undertaking"],
        "manner": row["manner"],
        "items": [item.name for item in items_of(row["items"] or 0)],
        "categories": _categories(row["categories"]),
        "persons": one.persons,
        "frozen": one.frozen,
        "assigned": row["assigned"] or [],
        "reviewNote": row["review_note"],
        "secretGround": row["secret_ground"],
        **{_camel(name): row[name] and in_shanghai(row[name]) for name in moments},
        **{_camel(name): row[name] and names.get(str(row[name]), who(str(row[name]))) for name in _BY},
        "disclosed": left and _left(left),
    }


def _left(left: Left) -> dict[str, Any]:
    return {
        "persons": len(left.persons),
        "answers": left.answers,
        "coordinates": left.coordinates,
        "first": left.first and in_shanghai(left.first),
        "last": left.last and in_shanghai(left.last),
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


async def recipients(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Who got data of one person: for themselves, a guardian, and the officer who has their request in hand (C64)."""
    person = await person_asked(question)
    if person is None:
        return None
    question.notes.ask(_RECIPIENTS, {})
    question.notes.tell(_RECIPIENTS, (person,))
    fetching = Fetching(question.fetch)
    found = await recipients_of(fetching, person, catalogue=question.snapshot.catalogue)
    return [_recipient(one) for one in found]


RECIPIENTS = RootAside(_RECIPIENTS, recipients, LARGEST_PAGE, _OF_LEDGER)


def _recipient(one: Recipient) -> dict[str, Any]:
    organization = None
    if one.organization is not None and one.kind is not None:
        kind = OrganizationKind(one.kind).name
        organization = {"code": one.code, "name": one.name, "kind": kind, "privacyPolicy": one.policy}
    return {
        "name": one.name,
        "organization": organization,
        "grounds": sorted(ground.name for ground in one.grounds),
        "purposes": [purpose.name for purpose in Purpose if purpose in one.purposes],
        "categories": [category.name for category in Category if category in one.categories],
        "coordinates": sorted(one.coordinates),
        "times": one.times,
        "first": one.first and in_shanghai(one.first),
        "last": one.last and in_shanghai(one.last),
    }


async def disclosure_choices(question: Question) -> Any:  # noqa: ANN401 - plain values
    """The choices that stand, of oneself or a ward. None for who is neither."""
    person = await person_asked(question)
    if person is None:
        return None
    question.notes.ask(_CHOICES, {})
    question.notes.tell(_CHOICES, (person,))
    return [_choice(one) for one in await choices(question.fetch, [person])]


DISCLOSURE_CHOICES = RootAside(_CHOICES, disclosure_choices, LARGEST_PAGE, _WEIGHT)


def _choice(one: Choice) -> dict[str, Any]:
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "user": to_global(NodeType.USER, one.person),
        "manner": one.manner and one.manner.name,
        "items": [item.name for item in items_of(one.items or 0)],
        "recipient": one.receiver,
        "categories": _categories(one.categories or 0),
        "chosenAt": in_shanghai(one.chosen_at),
    }


async def person_asked(question: Question) -> UUID | None:
    """Whom it is about, if the caller is, acts for, or has a request of this person in hand. Others do not exist."""
    subject, named = question.subject, question.arguments.get("user")
    wanted = subject.person if named is None else _row(named, NodeType.USER, "user")
    if question.narrowed or wanted is None:
        return None
    allowed: Collection[UUID] = ()
    if subject.role is Role.CUSTOMER and question.purpose in _OWN and subject.person is not None:
        allowed = (subject.person,)
    elif subject.role is Role.GUARDIAN and question.purpose in _OWN:
        allowed = question.wards
    elif (subject.role, question.purpose) == (Role.PRIVACY_OFFICER, Purpose.RIGHTS_REQUEST):
        given = {"wanted": wanted, "account": subject.account}
        allowed = [row["id"] for row in await question.fetch(_IN_HAND.sql, *_IN_HAND.values(given))]
    return wanted if wanted in allowed else None


def _row(named: str, node_type: NodeType, argument: str) -> UUID:
    found = from_global(named)
    if found is None or found[0] is not node_type:
        raise bad_id(argument)
    return found[1]


def _categories(bits: int) -> list[str]:
    return [category.name for category in from_bits(bits)]
