"""A row of the ledger: what it says of one operation, and the text that is kept and sealed (C59). Never a value.

The text is JSON, UTF-8, of these members; one that has nothing to say is left out.

| member | what |
|---|---|
| `v` | 2; rows of an earlier ledger have 1, `cells` instead of `entries`, and name no persons |
| `at` | when, RFC 3339 in UTC, with microseconds |
| `kind` | a `Kind` |
| `outcome`, `code` | an `Outcome`; the code of a refusal, problem or alarm |
| `decision` | the id that the client got, a UUID |
| `role`, `organization`, `account`, `token`, `client`, `agreement` | who: ids, never names |
| `purpose`, `operation` | `operation` has a `hash` (SHA-256 of the document without its literals) and a `name` |
| `ruleset`, `digest` | the rules it was decided by; the digest of those in force at that moment |
| `scope` | how the token narrowed: `categories` (bits), `only`, `most`, `stepUp` |
| `breakGlass` | the id of the broken glass it was answered under, whose rules are part of the digest then |
| `misses` | ids that were asked for and do not exist for the caller |
| `persons` | of whom: references (numbers), or a `stand_in`: "beneficiary ID", "reporter ID", "payee ID" |
| `records` | what witnessed: a letter of `RECORDS` and the id of the policy, claim, consent or case |
| `groups` | of whom, and by which record: `[places in persons]` or `[places in persons, places in records or null]` |
| `entries` | `[coordinates, effect, reason or null, situation, place in groups]`; a large situation is a text |
| `detail` | what else a kind has to say: counts, arguments of a command, of a question to the ledger (`asked`) |
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from models.vocabulary import Purpose, Role

VERSION = 2
_LARGEST = 1 << 53
RECORDS = {
    "p": "policy",
    "c": "claim",
    "n": "consent",
    "v": "verification case",
    "r": "rights request",
    "d": "disclosure case",
    "h": "health service",
}
"""What can witness a situation, by the letter that its ids begin with in a row."""
DENY, UNAVAILABLE = "DENY", "UNAVAILABLE"
FOUND = "FOUND"
"""The effect of an entry about those who were found by the full value of its coordinates, which confirms it."""
WRITE = "WRITE"
"""The effect of an entry that says whose data an operation changed; its coordinates are root fields."""


class Kind(StrEnum):
    """What a row is about."""

    READ = "READ"
    WRITE = "WRITE"
    REFUSAL = "REFUSAL"
    """A request that was refused as a whole; nothing of it was answered."""
    LOGIN = "LOGIN"
    TOKEN = "TOKEN"  # noqa: S105 - a kind of row
    """A partner's token issued, refused or revoked."""
    COMMAND = "COMMAND"
    """An operator's command."""
    JOB = "JOB"
    """A turn of what is done by a timetable."""
    RULES = "RULES"
    """A draft, approval or publication of rules, or a grant reviewed."""
    ALARM = "ALARM"
    START = "START"
    """A process begins to write."""
    STOP = "STOP"
    EARLIER = "EARLIER"
    """Whatever an earlier ledger held."""
    ERASURE = "ERASURE"
    """Classes of a person's data were destroyed: which, and on what ground."""


class Outcome(StrEnum):
    """What came of it."""

    BEGUN = "BEGUN"
    """A command that changes something beside the database is about to; the next row of its decision says the rest."""
    DONE = "DONE"
    REPEATED = "REPEATED"
    """A write that had been done before, under the same idempotency key."""
    REFUSED = "REFUSED"
    WITHHELD = "WITHHELD"
    """The row of what would have been shown could not be written in time, so nothing sensitive was; it comes later."""


Person = UUID | str
"""Of whom: a person's id, which a row turns into the reference; or a `stand_in`."""


Named = Person | int
"""Whom a row names: a person, or one by their reference where only that is known."""


def stand_in(what: str, row: UUID) -> str:
    """Somebody whom a record names and who is no person of the database, by the record's id.

    `what` is "beneficiary", or of a claim "reporter" or "payee".
    """
    return f"{what} {row.hex}"


Group = tuple[Sequence[int], Sequence[int | None] | None]
"""Places in the operation's `persons`; and, one for each, in its `records`, if a record witnessed any of them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was decided alike: some coordinates, for the persons of the group at that place."""

    coordinates: tuple[str, ...]
    effect: str
    reason: str | None
    situation: int
    group: int


@dataclass(frozen=True, slots=True)
class Operation:
    """What the ledger keeps of one operation."""

    kind: Kind
    decision: UUID
    at: datetime
    outcome: Outcome = Outcome.DONE
    code: str | None = None
    role: Role | None = None
    organization: UUID | None = None
    account: UUID | None = None
    token: str | None = None
    client: str | None = None
    agreement: UUID | None = None
    purpose: Purpose | None = None
    operation_hash: str | None = None
    operation_name: str | None = None
    ruleset: int | None = None
    digest: str | None = None
    scope: Mapping[str, Any] | None = None
    break_glass: UUID | None = None
    misses: int = 0
    persons: Sequence[Named] = ()
    records: Sequence[str] = ()
    groups: Sequence[Group] = ()
    entries: Sequence[Entry] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def people(self) -> list[UUID]:
        """The persons that have a reference."""
        return [one for one in self.persons if not isinstance(one, str | int)]


def withheld(operation: Operation) -> Operation:
    """The row of an operation of which nothing sensitive was shown, since its own row could not be written."""
    entries = [replace(one, effect=DENY, reason=UNAVAILABLE) for one in operation.entries]
    return replace(operation, outcome=Outcome.WITHHELD, entries=entries)


def body_of(operation: Operation, reference: Callable[[UUID], int]) -> str:
    """The text that is kept and sealed; `reference` gives what each person is called. Raises its KeyError."""
    said = {
        "v": VERSION,
        "at": time_text(operation.at),
        "kind": operation.kind.value,
        "outcome": operation.outcome.value,
        "code": operation.code,
        "decision": operation.decision,
        "role": operation.role,
        "organization": operation.organization,
        "account": operation.account,
        "token": operation.token,
        "client": operation.client,
        "agreement": operation.agreement,
        "purpose": operation.purpose,
        "operation": _named(operation),
        "ruleset": operation.ruleset,
        "digest": operation.digest,
        "scope": operation.scope,
        "breakGlass": operation.break_glass,
        "misses": operation.misses or None,
        "persons": [one if isinstance(one, str | int) else reference(one) for one in operation.persons] or None,
        "records": list(operation.records) or None,
        "groups": [[persons] if records is None else [persons, records] for persons, records in operation.groups]
        or None,
        "entries": [_entry(one) for one in operation.entries] or None,
        "detail": operation.detail or None,
    }
    return orjson.dumps({name: value for name, value in said.items() if value is not None}, default=str).decode()


def _entry(one: Entry) -> list[Any]:
    # Two situations in one (`authz.narrowing.both`) are more than JSON's numbers are good for.
    situation = one.situation if one.situation < _LARGEST else str(one.situation)
    return [one.coordinates, one.effect, one.reason, situation, one.group]


def _named(operation: Operation) -> dict[str, str] | None:
    if operation.operation_hash is None:
        return None
    named = {"hash": operation.operation_hash, "name": operation.operation_name}
    return {name: value for name, value in named.items() if value is not None}


def time_text(at: datetime) -> str:
    """A moment as rows and heads have it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def leaf_text(writer: UUID, sequence: int, body: str) -> str:
    """What is hashed as one leaf of the tree: the row's place and its text."""
    return f"{writer}:{sequence}:{body}"


def decided(body: Mapping[str, Any]) -> Iterator[tuple[Entry, list[tuple[int | str, str | None]]]]:
    """The entries of a read body, each with its persons (references and stand-ins) and their records.

    Rows of an earlier ledger have none: their `cells` are [coordinate, path pattern, effect, reason or null, count].
    """
    persons, records = body.get("persons", ()), body.get("records", ())
    groups = [
        list(zip((persons[at] for at in places), _named_records(records, witnesses, len(places)), strict=True))
        for places, *witnesses in body.get("groups", ())
    ]
    for coordinates, effect, reason, situation, group in body.get("entries", ()):
        yield Entry(tuple(coordinates), effect, reason, int(situation), group), groups[group]


def _named_records(records: Sequence[str], witnesses: Sequence[Sequence[int | None]], count: int) -> list[str | None]:
    (places,) = witnesses or ([None] * count,)
    return [None if at is None else records[at] for at in places]
