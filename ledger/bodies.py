"""What the text of a row says, whoever wrote it: what cannot be read is left out, and nothing stops the reader.

`ledger.rows` makes these texts. The application's role can add any text, so this trusts none: members of a wrong type
count as not given, a text that is no row is of the kind MALFORMED.
"""

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from uuid import UUID

import orjson

from ledger.rows import FOUND, RECORDS, WRITE, Outcome

MALFORMED = "MALFORMED"
"""The kind of a row whose text does not say one."""
LONGEST = 400
"""Characters of any word of a row; more would not fit an index."""
SHOWN = ("REVEAL", "MASK", FOUND)
"""Effects by which something of a person left."""
_BIGINT = 2**63 - 1
_INT = 2**31 - 1
_MOST_DIGITS = 39
"""Of a situation written as a text: two of 64 bits."""

Who = int | str
"""A person's reference, or the words of a stand-in."""


@dataclass(frozen=True, slots=True)
class SaidEntry:
    """One entry; `of` holds, for each person, the record that witnessed (see `record_of`), or None."""

    coordinates: tuple[str, ...]
    effect: str
    reason: str | None
    situation: int
    of: tuple[tuple[Who, str | None], ...]
    cells: int
    """How many it speaks of: persons, or in a row of the earlier ledger cells."""


@dataclass(frozen=True, slots=True)
class Said:
    """A row as it can be read."""

    kind: str = MALFORMED
    outcome: str = ""
    code: str | None = None
    decision: UUID | None = None
    role: str | None = None
    organization: UUID | None = None
    account: UUID | None = None
    token: str | None = None
    client: str | None = None
    purpose: str | None = None
    operation_hash: str | None = None
    operation_name: str | None = None
    ruleset: int | None = None
    digest: str | None = None
    scope: Any = None
    broken_glass: UUID | None = None
    misses: int = 0
    persons: tuple[Who, ...] = ()
    entries: tuple[SaidEntry, ...] = ()

    @property
    def left(self) -> bool:
        """Did the answer leave, or the change stay? What was refused or withheld showed nobody anything."""
        return self.outcome not in (Outcome.REFUSED, Outcome.WITHHELD) and self.code != "FIELD_DENIED"

    @property
    def references(self) -> frozenset[int]:
        """The persons it names, but for stand-ins."""
        return frozenset(one for one in self.persons if isinstance(one, int))

    @property
    def concerned(self) -> frozenset[int]:
        """Those of the persons of whom something was shown or changed."""
        return frozenset(who for who in self._whom(*SHOWN, WRITE) if isinstance(who, int)) if self.left else frozenset()

    @property
    def coordinates(self) -> list[str]:
        """Whatever was decided on, each once, in order."""
        return sorted({name for one in self.entries for name in one.coordinates})

    def count(self, *effects: str) -> int:
        """How many persons had something decided so; of a row that names none, how many cells."""
        named = len(self._whom(*effects))
        return named or sum(one.cells for one in self.entries if one.effect in effects and not one.of)

    def _whom(self, *effects: str) -> set[Who]:
        """Everybody of whom something was decided so. Each group is looked at once, however many entries share it."""
        groups = {id(one.of): one.of for one in self.entries if one.effect in effects}
        return {who for of in groups.values() for who, _ in of}


def read_body(text: str) -> Said:
    """What a row says. Never raises."""
    try:
        given = orjson.loads(text)
    except ValueError:
        return Said()
    if not isinstance(given, dict):
        return Said()
    operation = given.get("operation")
    operation = operation if isinstance(operation, dict) else {}
    persons = tuple(_who(one) for one in _list(given.get("persons")))
    return Said(
        kind=_text(given.get("kind")) or MALFORMED,
        outcome=_text(given.get("outcome")) or "",
        code=_text(given.get("code")),
        decision=_uuid(given.get("decision")),
        role=_text(given.get("role")),
        organization=_uuid(given.get("organization")),
        account=_uuid(given.get("account")),
        token=_text(given.get("token")),
        client=_text(given.get("client")),
        purpose=_text(given.get("purpose")),
        operation_hash=_text(operation.get("hash")),
        operation_name=_text(operation.get("name")),
        ruleset=_number(given.get("ruleset")),
        digest=_text(given.get("digest")),
        scope=given.get("scope"),
        broken_glass=_uuid(given.get("breakGlass")),
        misses=_number(given.get("misses")) or 0,
        persons=tuple(one for one in persons if one is not None),
        entries=tuple(_entries(given, persons)),
    )


def record_of(named: str | None) -> tuple[str, UUID] | None:
    """The letter and id of a record that a row names; None where it is none."""
    found = _uuid(named[1:]) if named and named[0] in RECORDS else None
    return None if named is None or found is None else (named[0], found)


def _entries(given: dict[str, Any], persons: tuple[Who | None, ...]) -> Iterator[SaidEntry]:
    records = tuple(_text(one) for one in _list(given.get("records")))
    groups = tuple(tuple(_group(_list(one), persons, records)) for one in _list(given.get("groups")))
    for one in _list(given.get("entries")):
        if isinstance(one, list) and len(one) == 5:  # noqa: PLR2004 - as ledger.rows says
            coordinates, effect, reason, situation, group = one
            names = tuple(name for name in map(_text, _list(coordinates)) if name)
            whom = groups[group] if _is_place(group, groups) else ()
            yield SaidEntry(names, _text(effect) or "", _text(reason), _situation(situation), whom, len(whom))
    for one in _list(given.get("cells")):
        if isinstance(one, list) and len(one) == 5:  # noqa: PLR2004 - as the earlier ledger had it
            coordinate, _, effect, reason, count = one
            name = _text(coordinate)
            yield SaidEntry((name,) if name else (), _text(effect) or "", _text(reason), 0, (), _number(count) or 0)


def _group(
    places: list[Any], persons: tuple[Who | None, ...], records: tuple[str | None, ...]
) -> Iterator[tuple[Who, str | None]]:
    of, by = (_list(one) for one in (*places, [], [])[:2])
    for person, record in zip_longest(of, by[: len(of)]):
        who = persons[person] if _is_place(person, persons) else None
        if who is not None:
            yield who, records[record] if _is_place(record, records) else None


def _is_place(given: Any, some: Sized) -> bool:  # noqa: ANN401 - any JSON
    return type(given) is int and 0 <= given < len(some)


def _who(given: Any) -> Who | None:  # noqa: ANN401 - any JSON
    if type(given) is int and 0 <= given <= _BIGINT:
        return given
    return _text(given)


def _list(given: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    return given if isinstance(given, list) else []


def _text(given: Any) -> str | None:  # noqa: ANN401 - any JSON
    # PostgreSQL keeps no NUL.
    return given[:LONGEST].replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(given, str) and given else None


def _number(given: Any, largest: int = _INT) -> int | None:  # noqa: ANN401 - any JSON
    return given if type(given) is int and 0 <= given <= largest else None


def _situation(given: Any) -> int:  # noqa: ANN401 - any JSON
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) <= _MOST_DIGITS:
        return int(given)
    return _number(given, _BIGINT) or 0


def _uuid(given: Any) -> UUID | None:  # noqa: ANN401 - any JSON
    try:
        return UUID(given) if isinstance(given, str) else None
    except ValueError:
        return None
