"""Finding rows by the index: of one person newest first, or by who, what for and when."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.bodies import Said, read_body
from ledger.rows import leaf_text

Fetch = Callable[..., Any]

NEWEST = 2**63 - 1
"""Before this index stand all."""
YEARS = range(2000, 2101)
"""Of days and moments that one may ask about: arithmetic works on all of them."""

# Persons' rows never overlap (`ledger.index`), so their order is that of their first leaves. Rows are read one by one
# until there are enough, and a row of the ledger only once it is on the page.
_OF_PERSON = """
SELECT a.first, i.index FROM ledger_access a
CROSS JOIN LATERAL (SELECT e AS index FROM unnest({which}) e WHERE e < $2 ORDER BY e DESC) i
WHERE a.reference = $1 AND a.first < $2
"""
_SHOWN = f"""
SELECT p.index FROM ({_OF_PERSON.format(which="coalesce(a.shown, a.indexes)")}) p
ORDER BY p.first DESC, p.index DESC LIMIT $3
"""  # noqa: S608 - one of two columns
_NAMED = f"""
SELECT p.index FROM ({_OF_PERSON.format(which="a.indexes")}) p
ORDER BY p.first DESC, p.index DESC LIMIT $3
"""  # noqa: S608 - as above
_RECORDS = "SELECT f.index FROM ledger_leaf f JOIN ledger_record r ON r.index = f.index AND r.at = f.at"
_AT_FIRST, _THEN = 500, 5_000
"""How many leaves of a person are looked through by one statement."""
_TEXTS = (
    "SELECT index, at, writer, sequence, body FROM ledger_sealed WHERE index = ANY($1::bigint[]) ORDER BY index DESC"
)

_PENDING = """
SELECT (SELECT count(*) FROM ledger_leaf WHERE index >= (SELECT next FROM ledger_indexed))
    + coalesce((SELECT sum(w.last - coalesce((SELECT max(f.sequence) FROM ledger_leaf f WHERE f.writer = w.id), 0))
        FROM ledger_writer w), 0)::bigint AS pending
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One row found: its leaf's index, its time, what it says, and the text that was hashed as its leaf."""

    index: int
    at: datetime
    said: Said
    leaf: str


@dataclass(frozen=True, slots=True)
class Sought:
    """Which rows: whatever is given holds for each of them; from `since` on and before `until`."""

    kind: str | None = None
    role: str | None = None
    organization: UUID | None = None
    account: UUID | None = None
    token: str | None = None
    client: str | None = None
    purpose: str | None = None
    decision: UUID | None = None
    coordinates: tuple[str, ...] = ()
    """Any of them."""
    effect: str | None = None
    """Decided for somebody in it: REVEAL, MASK or DENY."""
    ruleset: int | None = None
    decided: bool | None = None
    """Is it a read or write in which something was decided, or a refusal?"""
    reference: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, values: list[Any]) -> Iterator[str]:
        """As SQL over a record `r`, all but the person; `values` takes what it binds."""
        for one in fields(self):
            value = getattr(self, one.name)
            condition = _CONDITIONS.get(one.name)
            if value not in (None, ()) and condition is not None:
                values.append(list(value) if isinstance(value, tuple) else value)
                yield condition.format(f"${len(values)}")


_BY_EFFECT = (
    "CASE {}::text WHEN 'REVEAL' THEN r.revealed > 0 WHEN 'MASK' THEN r.masked > 0 WHEN 'DENY' THEN r.denied > 0 END"
)
_CONDITIONS = {
    **{name: f"r.{name} = {{}}" for name in ("kind", "role", "organization", "account", "token", "client")},
    **{name: f"r.{name} = {{}}" for name in ("purpose", "decision", "ruleset")},
    "effect": _BY_EFFECT,
    "decided": "{}::boolean = (r.kind = 'REFUSAL' OR r.kind IN ('READ', 'WRITE') AND cardinality(r.coordinates) > 0)",
    "coordinates": "r.coordinates && {}::text[]",
    "since": "r.at >= {}",
    "until": "r.at < {}",
}


async def history_of(fetch: Fetch, reference: int, *, before: int, size: int) -> tuple[list[Row], bool]:
    """Rows below `before` in which something of a person left or changed, newest first; and are there more?"""
    found = [one["index"] for one in await fetch(_SHOWN, reference, before, size + 1)]
    return await texts_of(fetch, found[:size]), len(found) > size


async def pending(fetch: Fetch) -> int:
    """Rows of the ledger, of any time, that are not sealed and indexed yet."""
    (row,) = await fetch(_PENDING)
    found: int = row["pending"]
    return found


async def find_rows(fetch: Fetch, sought: Sought, *, before: int, size: int) -> tuple[list[Row], bool]:
    """Rows below `before`, newest first; and are there more?"""
    if sought.reference is not None:
        found = await _of_person(fetch, sought, sought.reference, before=before, size=size + 1)
        return await texts_of(fetch, found[:size]), len(found) > size
    values: list[Any] = [before, size + 1]
    conditions = " AND ".join(["r.index < $1", *sought.conditions(values)])
    text = f"SELECT r.index FROM ledger_record r WHERE {conditions} ORDER BY r.index DESC LIMIT $2"  # noqa: S608 - names
    found = [one["index"] for one in await fetch(text, *values)]
    return await texts_of(fetch, found[:size]), len(found) > size


async def _of_person(fetch: Fetch, sought: Sought, reference: int, *, before: int, size: int) -> list[int]:
    """The newest leaves that name a person and for which the rest holds; some at a time, so that no plan reads all."""
    values: list[Any] = [[]]
    conditions = " AND ".join(["f.index = ANY($1::bigint[])", *sought.conditions(values)])
    text = f"{_RECORDS} WHERE {conditions} ORDER BY f.index DESC"
    found: list[int] = []
    some = _AT_FIRST
    while len(found) < size:
        values[0] = [one["index"] for one in await fetch(_NAMED, reference, before, some)]
        found += [one["index"] for one in await fetch(text, *values)]
        if len(values[0]) < some:
            break
        before, some = values[0][-1], _THEN
    return found[:size]


async def texts_of(fetch: Fetch, indexes: Sequence[int]) -> list[Row]:
    """The rows of some leaves, newest first; one whose month was dropped meanwhile is left out."""
    if not indexes:
        return []
    return [
        Row(one["index"], one["at"], read_body(one["body"]), leaf_text(one["writer"], one["sequence"], one["body"]))
        for one in await fetch(_TEXTS, list(indexes))
    ]
