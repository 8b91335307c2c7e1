"""The auditor's answers from the ledger: its rows by who, what for and when, and whom an incident befell (C59, C63)."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from authz.situations import words
from ledger.bodies import MALFORMED, SaidEntry, record_of
from ledger.rows import RECORDS, Kind, time_text
from ledger.searches import NEWEST, YEARS, Fetch, Row, Sought, find_rows
from models.global_ids import NodeType, from_global, to_global
from models.vocabulary import Purpose, Role
from resolvers.access_names import organizations_of, purpose_name
from resolvers.aside_pages import BY_INDEX, read_page
from resolvers.asides import Question, RootAside
from resolvers.paging import LARGEST_PAGE
from resolvers.problems import bad_id, bad_input
from resolvers.times import in_shanghai

_COORDINATE = re.compile("[A-Z][A-Za-z]*[.][A-Za-z]+")
_ORGANIZATION = "SELECT id FROM organization WHERE code = $1"
_LARGEST_REFERENCE = 2**63 - 1
_WORD = re.compile("[A-Za-z0-9][A-Za-z0-9._:-]{0,119}")
"""What may be the id of a token or client: it is kept in the ledger, which holds no value of anybody."""
_PLACE = "Query.accessRecords"
_WEIGHT = 2_000


async def access_records(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Rows of the ledger, newest first. For auditors; None for anybody else."""
    if not audits(question, Role.AUDITOR):
        return None
    page = read_page(question, _PLACE, order=BY_INDEX, largest=LARGEST_PAGE)
    sought = await sought_of(question.fetch, question.arguments)
    question.notes.ask(_PLACE, said_of(sought))
    before = page.after[0] if page.after else NEWEST
    rows, more = await find_rows(question.fetch, sought, before=before, size=page.size)
    organizations = await organizations_of(question.fetch, (row.said.organization for row in rows))
    return page.connection(rows, lambda row: (row.index,), lambda row: _record(row, organizations), more=more)


ACCESS_RECORDS = RootAside(_PLACE, access_records, LARGEST_PAGE, _WEIGHT)


def audits(question: Question, *roles: Role) -> bool:
    """May the caller look into the ledger as one of these? Not with a narrowed token."""
    return not question.narrowed and question.subject.role in roles and question.purpose == Purpose.ADMINISTRATION


def _record(row: Row, organizations: Mapping[UUID | None, dict[str, Any]]) -> dict[str, Any]:
    said = row.said
    return {
        "index": str(row.index),
        "at": in_shanghai(row.at),
        "kind": said.kind,
        "outcome": said.outcome or None,
        "code": said.code,
        "decisionId": said.decision and str(said.decision),
        "role": said.role,
        "organization": organizations.get(said.organization),
        "account": said.account and to_global(NodeType.RECORD, said.account),
        "tokenId": said.token,
        "client": said.client,
        "purpose": purpose_name(said.purpose),
        "operationName": said.operation_name,
        "operationHash": said.operation_hash,
        "ruleset": said.ruleset,
        "digest": said.digest,
        "scope": said.scope,
        "coordinates": said.coordinates,
        "entries": [_entry(one) for one in said.entries],
        "text": row.leaf,
    }


def _entry(entry: SaidEntry) -> dict[str, Any]:
    records = (record_of(named) for named in dict.fromkeys(named for _, named in entry.of))
    return {
        "coordinates": list(entry.coordinates),
        "effect": entry.effect,
        "reason": entry.reason,
        "situation": words(entry.situation) if entry.of else [],
        "persons": [str(who) for who in dict.fromkeys(who for who, _ in entry.of)],
        "records": [f"{RECORDS[one[0]]} {one[1]}" for one in records if one],
    }


# Arguments.


async def sought_of(
    fetch: Fetch,
    given: Mapping[str, Any],
    *,
    within: str = "",
    effect: str | None = None,
    ruleset: int | None = None,
) -> Sought:
    """The rows that some arguments tell, and what else has been checked already; `within` stands before their names.

    Raises BAD_USER_INPUT or BAD_ID, naming the argument.
    """
    read = {name: value for name, value in given.items() if value is not None}
    sought = Sought(
        kind=_one_of(read, "kind", (*Kind, MALFORMED), within),
        role=_one_of(read, "role", tuple(Role), within),
        purpose=Purpose[_name(read["purpose"])].value if "purpose" in read else None,
        token=_word(read, "token", within),
        client=_word(read, "client", within),
        decision=_uuid(read, "decision", within),
        coordinates=_coordinates(read, within),
        effect=effect,
        ruleset=ruleset,
        reference=_reference(read, within),
        account=_account(read, within),
        since=_moment(read, "from", within),
        until=_moment(read, "to", within),
    )
    if sought.since and sought.until and sought.since >= sought.until:
        raise bad_input(f"{within}to", "'to' must be later than 'from'.")
    if "organization" not in read:
        return sought
    found = await fetch(_ORGANIZATION, read["organization"])
    if not found:
        raise bad_input(f"{within}organization", "There is no organization of that code.")
    return replace(sought, organization=found[0]["id"])


def said_of(sought: Sought) -> dict[str, Any]:
    """What was asked for, as the ledger says it: every word of it has been checked; a person goes by the reference."""
    said = {one.name: getattr(sought, one.name) for one in fields(sought)}
    moments = {_SAID.get(name, name): said.pop(name) for name in ("since", "until")}
    return {
        **{_SAID.get(name, name): value for name, value in said.items()},
        **{name: moment and time_text(moment) for name, moment in moments.items()},
    }


_SAID = {"since": "from", "until": "to", "reference": "person"}


def _name(given: Any) -> str:  # noqa: ANN401 - an enum within an object, or its name
    return given if isinstance(given, str) and given in Purpose.__members__ else given.name


def _one_of(read: Mapping[str, Any], name: str, words: tuple[str, ...], within: str) -> str | None:
    value: str | None = read.get(name)
    if value is not None and value not in words:
        raise bad_input(f"{within}{name}", f"{name!r} is one of: {', '.join(words)}.")
    return value


def _word(read: Mapping[str, Any], name: str, within: str) -> str | None:
    value: str | None = read.get(name)
    if value is not None and not _WORD.fullmatch(value):
        raise bad_input(f"{within}{name}", f"{name!r} is an id, as records give it: letters, digits and ._:- only.")
    return value


def _uuid(read: Mapping[str, Any], name: str, within: str) -> UUID | None:
    if name not in read:
        return None
    try:
        return UUID(read[name])
    except ValueError:
        raise bad_input(f"{within}{name}", f"{name!r} is a decision's id, as `decisionId` gives it.") from None


def _coordinates(read: Mapping[str, Any], within: str) -> tuple[str, ...]:
    one = [read["coordinate"]] if "coordinate" in read else []
    for name, given in (("coordinate", one), ("coordinates", read.get("coordinates", ()))):
        if not all(_COORDINATE.fullmatch(each) for each in given):
            raise bad_input(f"{within}{name}", "A coordinate is a type and its field, as `User.idNumber`.")
    return (*one, *read.get("coordinates", ()))


def _reference(read: Mapping[str, Any], within: str) -> int | None:
    text = read.get("person")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _LARGEST_REFERENCE):  # noqa: PLR2004
        raise bad_input(
            f"{within}person", "'person' is a reference, as `persons` of an entry gives it: a whole number."
        )
    return int(text)


def _account(read: Mapping[str, Any], within: str) -> UUID | None:
    if "account" not in read:
        return None
    found = from_global(read["account"])
    if found is None or found[0] != NodeType.RECORD:
        raise bad_id(f"{within}account")
    return found[1]


def _moment(read: Mapping[str, Any], name: str, within: str) -> datetime | None:
    moment: datetime | None = read.get(name)
    if moment is not None and moment.tzinfo is None:
        raise bad_input(f"{within}{name}", f"{name!r} needs an offset, as 2026-11-22T09:00:00+08:00.")
    check_year(moment, argument=f"{within}{name}")
    return moment


def check_year(day: date | None, *, argument: str) -> None:
    """Refuse a day or moment at the end of the calendar, where no arithmetic works. Raises BAD_USER_INPUT."""
    if day is not None and day.year not in YEARS:
        raise bad_input(argument, f"{argument!r} lies in the years {YEARS[0]} to {YEARS[-1]}.")


def check_span(since: datetime, until: datetime, *, days: int, argument: str) -> None:
    """Refuse a span of time that is longer than one may ask about. Raises BAD_USER_INPUT."""
    if until - since > timedelta(days=days):
        raise bad_input(argument, f"At most {days} days at once: ask for one part after the other.")
