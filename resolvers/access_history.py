"""Who looked at a person's data: the person's own answer from the ledger (C18, C64). Never who else stands in a row."""

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Any
from uuid import UUID

from authz.scope import scope_of
from ledger.bodies import SHOWN, SaidEntry, record_of
from ledger.rows import FOUND, WRITE
from ledger.searches import NEWEST, Fetch, Row, history_of
from models.global_ids import NodeType, to_global
from models.vocabulary import Purpose, Role
from privacy.disclosures import secret_from
from resolvers.access_names import organizations_of, purpose_name
from resolvers.aside_pages import BY_INDEX, read_page
from resolvers.asides import Question, RowAside
from resolvers.statements import statement
from resolvers.times import in_shanghai

LARGEST = 50
_COORDINATE = "User.accessHistory"
_WEIGHT = 200

_REFERENCES = """
SELECT p.person_id, p.reference, ARRAY(SELECT a.id FROM account a WHERE a.person_id = p.person_id) AS accounts
FROM person_reference p WHERE p.person_id = ANY($1::uuid[])
"""
_IN_HAND = statement(
    "SELECT t.id FROM person t WHERE t.id = ANY(:people::uuid[])"
    f" AND {scope_of(Role.PRIVACY_OFFICER, Purpose.RIGHTS_REQUEST)['person'].member}"
)

_PARTY = "(holder_id = $1 OR insured_id = $1)"
# Records that the person may know of: contracts and claims as holder or insured, and what is about the person alone.
_GROUNDS = f"""
SELECT 'p' AS letter, id, policy_number AS number FROM policy WHERE id = ANY($2::uuid[]) AND {_PARTY}
UNION ALL SELECT 'c', id, claim_number FROM claim WHERE id = ANY($2::uuid[]) AND {_PARTY}
UNION ALL SELECT 'n', id, NULL FROM consent WHERE id = ANY($2::uuid[]) AND person_id = $1
UNION ALL SELECT 'v', id, NULL FROM verification_case WHERE id = ANY($2::uuid[]) AND person_id = $1
UNION ALL SELECT 'r', id, NULL FROM rights_request WHERE id = ANY($2::uuid[]) AND person_id = $1
UNION ALL SELECT 'd', case_id, NULL FROM disclosure_person WHERE case_id = ANY($2::uuid[]) AND person_id = $1
UNION ALL SELECT 'h', h.id, policy_number FROM health_service h JOIN policy p ON p.id = h.policy_id
    WHERE h.id = ANY($2::uuid[]) AND {_PARTY}
"""
_KINDS: Mapping[str, tuple[str, NodeType | None]] = {
    "p": ("POLICY", NodeType.POLICY),
    "c": ("CLAIM", NodeType.CLAIM),
    "n": ("CONSENT", NodeType.CONSENT),
    "v": ("CASE", None),
    "d": ("CASE", None),
    "r": ("REQUEST", None),
    "h": ("SERVICE", None),
}
"""By a record's letter: the kind of ground, and what its global id is one of, where it has one."""

Ground = tuple[str, UUID]


async def access_history(question: Question, people: Sequence[UUID]) -> Mapping[UUID, Any]:
    """The page of each person that the caller may ask about; there is at most a handful of them."""
    allowed = await _allowed(question, people)
    if not allowed:
        return {}
    question.notes.tell(_COORDINATE, allowed)
    known = {one["person_id"]: one for one in await question.fetch(_REFERENCES, list(allowed))}
    return {person: await _history(question, person, known.get(person)) for person in allowed}


ACCESS_HISTORY = RowAside(_COORDINATE, access_history, LARGEST, _WEIGHT)


async def _allowed(question: Question, people: Sequence[UUID]) -> Collection[UUID]:
    """Those of the people whom the caller is, acts for, or has a request of in hand; each once.

    A narrowed token says nothing of the rest of a person.
    """
    subject = question.subject
    if question.narrowed:
        return ()
    if subject.role == Role.CUSTOMER:
        return {person for person in people if person == subject.person}
    if subject.role == Role.GUARDIAN:
        return {person for person in people if person in question.wards}
    if (subject.role, question.purpose) == (Role.PRIVACY_OFFICER, Purpose.RIGHTS_REQUEST):
        given = {"people": list(set(people)), "account": subject.account}
        return {one["id"] for one in await question.fetch(_IN_HAND.sql, *_IN_HAND.values(given))}
    return ()


async def _history(
    question: Question,
    person: UUID,
    known: Any,  # noqa: ANN401 - asyncpg's record
) -> dict[str, Any]:
    page = read_page(question, f"{_COORDINATE}|{person}", order=BY_INDEX, largest=LARGEST)
    if known is None:
        return page.connection((), lambda _: (), lambda _: None, more=False)
    before = page.after[0] if page.after else NEWEST
    # What the law keeps from the person for a time: until then nothing of it stands here, and nothing shows that.
    secret = {("d", case) for case in await secret_from(question.fetch, person)}
    rows, of_person, more = await _told_rows(question.fetch, known["reference"], secret, before=before, size=page.size)
    own = {*known["accounts"], question.subject.account}
    nodes = await _accesses(question.fetch, person, rows, of_person, own=own)
    return page.connection(rows, lambda row: (row.index,), lambda row: nodes[row.index], more=more)


async def _told_rows(
    fetch: Fetch, reference: int, secret: Collection["Ground"], *, before: int, size: int
) -> tuple[list[Row], dict[int, "Mine"], bool]:
    """Rows below `before` with what they say of the person, secrets left out as if they were not; are there more?"""
    found: list[Row] = []
    of_person: dict[int, Mine] = {}
    more = True
    while more and len(found) <= size:
        rows, more = await history_of(fetch, reference, before=before, size=size + 1)
        for row in rows:
            mine = _of_person(row, reference, secret)
            if any(entry.effect in (*SHOWN, WRITE) for entry, _ in mine):
                found.append(row)
                of_person[row.index] = mine
            before = row.index
        more = more and bool(rows)
    return found[:size], of_person, len(found) > size


Mine = list[tuple[SaidEntry, list[Ground]]]
"""Entries that show or change something of one person, each with the records that witnessed it for them."""


def _of_person(row: Row, reference: int, secret: Collection[Ground]) -> Mine:
    found = []
    for entry in row.said.entries:
        grounds = [record_of(record) for who, record in entry.of if who == reference]
        told = [one for one in grounds if one not in secret]
        if told:
            found.append((entry, [one for one in told if one is not None]))
    return found


async def _accesses(
    fetch: Fetch, person: UUID, rows: Sequence[Row], of_person: Mapping[int, Mine], *, own: Container[UUID | None]
) -> dict[int, dict[str, Any]]:
    organizations = await organizations_of(fetch, (row.said.organization for row in rows))
    grounds = await _grounds(
        fetch, person, {ground for mine in of_person.values() for _, some in mine for ground in some}
    )
    return {
        row.index: {
            "at": in_shanghai(row.at),
            "decisionId": row.said.decision and str(row.said.decision),
            "role": row.said.role,
            "organization": organizations.get(row.said.organization),
            "purpose": purpose_name(row.said.purpose),
            **{name: _names(of_person[row.index], effects) for name, effects in _EFFECTS.items()},
            "under": _under(of_person[row.index], grounds),
            "own": row.said.account is not None and row.said.account in own,
        }
        for row in rows
    }


_EFFECTS = {"revealed": ("REVEAL", FOUND), "masked": ("MASK",), "changed": (WRITE,)}


def _names(mine: Mine, effects: Collection[str]) -> list[str]:
    return sorted({name for entry, _ in mine if entry.effect in effects for name in entry.coordinates})


def _under(mine: Mine, grounds: Mapping[Ground, dict[str, Any]]) -> list[dict[str, Any]]:
    """What it rested on, each ground once; a record that the person may not know of is left out."""
    shown = dict.fromkeys(one for entry, some in mine if entry.effect in (*SHOWN, WRITE) for one in some)
    return [grounds[one] for one in shown if one in grounds]


async def _grounds(fetch: Fetch, person: UUID, records: set[Ground]) -> dict[Ground, dict[str, Any]]:
    if not records:
        return {}
    found = {}
    for one in await fetch(_GROUNDS, person, sorted({row for _, row in records})):
        kind, node_type = _KINDS[one["letter"]]
        number = one["number"]
        found[one["letter"], one["id"]] = {
            "kind": kind,
            "number": number,
            "id": node_type and to_global(node_type, UUID(bytes=one["id"].bytes)),
        }
    return found
