"""Requests about one's own data: made, withdrawn, assigned, extended and answered (C65, C80, C81).

Every caller holds the lock of the person's row, so of two requests at once one comes first. Words that are free are
sealed under the person's account key and shown to them and to the officer who has the request in hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from models.rights import ComplaintMatter, DeletionGround, RequestState, RightsRequestKind
from models.vocabulary import Retention
from privacy.bundles import Deadlines
from privacy.cancellation import CLASSES, Blocker, blockers_of
from privacy.orders import order_erasure
from privacy.records import account_key, open_value
from privacy.working_days import calendar_after, due_after, shanghai_day
from vault.keyring import Keyring
from vault.sealing import SealedValueError, column_label, seal

LONGEST_WORDS = 500
LONGEST_REASON = 200
UNSTATED = "UNSTATED"
"""The ground of a deletion that was asked for before grounds were."""
MOST_TIMES = 3
"""How often the days for an answer may pass before one has to be given, reasons or not (C80)."""
STATEMENT, ANSWER = (column_label("rights_request", f"{name}_sealed") for name in ("statement", "answer"))

_ARCHIVE = """
SELECT id FROM rights_request WHERE person_id = $1 AND requester_id = $2 AND kind = 'export' AND closed_at IS NULL
AND due_on IS NOT NULL ORDER BY opened_at, id LIMIT 1
"""
_OF_KIND = f"""
SELECT q.*, k.wrapped FROM rights_request q
LEFT JOIN data_key k ON k.person_id = q.person_id AND k.retention = {int(Retention.ACCOUNT)}
WHERE q.person_id = $1 AND q.kind = $2 AND q.closed_at IS NULL AND q.due_on IS NOT NULL
ORDER BY q.opened_at, q.id LIMIT 1
"""  # noqa: S608 - our own text
_ADD = """
INSERT INTO rights_request (id, person_id, requester_id, kind, opened_at, state, deadline_days, due_on, provisional,
ground, matter, statement_sealed, identity_checked_at)
VALUES ($1, $2, $3, $4, $5, 'OPEN', $6, $7, $8, $9, $10, $11, $5) RETURNING *
"""
_LOCK = "SELECT * FROM rights_request WHERE id = $1 AND due_on IS NOT NULL FOR UPDATE"
_CLOSE = """
UPDATE rights_request SET state = $2, closed_at = $3, answer_sealed = $4, decided_at = $5, decided_by = $6
WHERE id = $1 RETURNING *
"""
_EXTEND = "UPDATE rights_request SET extended_until = $2, extension_reason = $3 WHERE id = $1 RETURNING *"
_LEAST_BUSY = """
SELECT s.id FROM staff s WHERE s.role = 'privacy_officer' AND s.left_at IS NULL ORDER BY
(SELECT count(*) FROM assignment a JOIN rights_request q ON q.id = a.rights_request_id
WHERE a.staff_id = s.id AND a.ended_at IS NULL AND q.closed_at IS NULL), s.id LIMIT 1
"""
_OFFICER = "SELECT id FROM staff WHERE role = 'privacy_officer' AND left_at IS NULL AND (username = $1 OR id = $2)"
_RELIEVE = """
UPDATE assignment SET ended_at = $3 WHERE rights_request_id = $1 AND staff_id <> $2 AND ended_at IS NULL
"""
_HANDLED = "SELECT EXISTS (SELECT FROM assignment WHERE rights_request_id = $1 AND ended_at IS NULL)"
_HAND_TO = """
INSERT INTO assignment (id, staff_id, rights_request_id, assigned_at) SELECT $3, $2, $1, $4
WHERE NOT EXISTS (SELECT FROM assignment WHERE rights_request_id = $1 AND staff_id = $2 AND ended_at IS NULL)
"""
_IN_HAND = """
SELECT EXISTS (SELECT FROM assignment WHERE rights_request_id = $1 AND staff_id = $2 AND ended_at IS NULL)
"""


class RightsRefusal(StrEnum):
    """Why nothing was done about a request."""

    REQUEST_UNKNOWN = "REQUEST_UNKNOWN"
    REQUEST_STATE = "REQUEST_STATE"
    REQUEST_OPEN = "REQUEST_OPEN"
    REQUEST_NOT_YOURS = "REQUEST_NOT_YOURS"
    OFFICER_UNKNOWN = "OFFICER_UNKNOWN"
    EXTENSION_INVALID = "EXTENSION_INVALID"
    CLASSES_INVALID = "CLASSES_INVALID"

    @property
    def message(self) -> str:
        """What to do."""
        return _MESSAGES[self]


_MESSAGES: Mapping[RightsRefusal, str] = {
    RightsRefusal.REQUEST_UNKNOWN: "There is no such request for you: take its id from the list of requests.",
    RightsRefusal.REQUEST_STATE: "That request is answered, or was withdrawn: look at the list of requests.",
    RightsRefusal.REQUEST_OPEN: "A request of this kind is open already. Wait for its answer, or withdraw it and ask"
    " anew.",
    RightsRefusal.REQUEST_NOT_YOURS: "Somebody else has this request in hand: have it assigned to you first.",
    RightsRefusal.OFFICER_UNKNOWN: "No privacy officer at work has this work name.",
    RightsRefusal.EXTENSION_INVALID: "Name a day from today on that is later than the one promised, and not later than"
    f" {MOST_TIMES} times the days for an answer after receipt.",
    RightsRefusal.CLASSES_INVALID: "Classes of data are named when a deletion is granted, and only then.",
}


@dataclass(frozen=True, slots=True)
class Bureau:
    """Where requests are dealt with: a connection in a transaction, the keys, the moment, and the days promised."""

    connection: Any
    keyring: Keyring
    now: datetime
    deadlines: Deadlines

    @property
    def today(self) -> date:
        """The day it is where the brokerage is."""
        return shanghai_day(self.now)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: a deletion's ground, a complaint's matter, and words of the person's own."""

    kind: RightsRequestKind
    ground: DeletionGround | None = None
    matter: ComplaintMatter | None = None
    statement: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a request stands; `due_on` is the last day as promised at first, `extended_until` as promised since."""

    id: UUID
    person: UUID
    kind: RightsRequestKind
    state: RequestState
    opened_at: datetime
    due_on: date
    provisional: bool
    extended_until: date | None

    def overdue_on(self, today: date) -> bool:
        """Has its last day passed without an answer?"""
        return self.state is RequestState.OPEN and (self.extended_until or self.due_on) < today


Found = Standing | RightsRefusal


async def file(bureau: Bureau, person: UUID, requester: UUID, wanted: Wanted) -> Found:
    """Take a request from who has proved who they are, and hand it to the officer with the fewest in hand.

    The very same again is the same request. Raises SealedValueError where words cannot be sealed any more.
    """
    earlier = await bureau.connection.fetchrow(_OF_KIND, person, wanted.kind.value)
    if earlier is not None:
        said_before = open_value(
            *(bureau.keyring, earlier["wrapped"], earlier["statement_sealed"]),
            person=person,
            row=earlier["id"],
            label=STATEMENT,
        )
        same = (earlier["ground"], earlier["matter"], said_before) == (wanted.ground, wanted.matter, wanted.statement)
        if not same:
            return RightsRefusal.REQUEST_OPEN
        # One for an archive may be in nobody's hands until somebody asks for it so.
        await _hand_to_least_busy(bureau, earlier["id"])
        return standing_of(earlier)
    row = await _opened(bureau, person, requester, wanted)
    await _hand_to_least_busy(bureau, row["id"])
    return standing_of(row)


async def for_archive(bureau: Bureau, person: UUID, requester: UUID) -> UUID:
    """The open request that an archive will answer, the requester's own: no officer is asked, so none reads on it."""
    found: UUID | None = await bureau.connection.fetchval(_ARCHIVE, person, requester)
    if found is not None:
        return found
    made: UUID = (await _opened(bureau, person, requester, Wanted(RightsRequestKind.EXPORT)))["id"]
    return made


async def person_of(connection: Any, request: UUID | None) -> UUID | None:  # noqa: ANN401 - asyncpg's proxy
    """Whose request it is; None where there is none."""
    found: UUID | None = await connection.fetchval("SELECT person_id FROM rights_request WHERE id = $1", request)
    return found


async def withdraw(bureau: Bureau, request: UUID) -> Found:
    """Take a request back that is not answered yet; the caller has seen whose it is."""
    row = await _open(bureau, request)
    if isinstance(row, RightsRefusal):
        return row
    closed = RequestState.WITHDRAWN.value, bureau.now, None, None, None
    return standing_of(await bureau.connection.fetchrow(_CLOSE, request, *closed))


async def assign(bureau: Bureau, request: UUID, officer: str | None, *, by: UUID) -> Found:
    """Hand an open request to a privacy officer by work name, or to who asks; nobody else has it in hand then."""
    row = await _open(bureau, request)
    if isinstance(row, RightsRefusal):
        return row
    member = await bureau.connection.fetchval(_OFFICER, officer, by if officer is None else None)
    if member is None:
        return RightsRefusal.OFFICER_UNKNOWN
    await bureau.connection.execute(_RELIEVE, request, member, bureau.now)
    await bureau.connection.execute(_HAND_TO, request, member, uuid4(), bureau.now)
    return standing_of(row)


async def extend(bureau: Bureau, request: UUID, until: date, reason: str, *, by: UUID) -> Found:
    """Promise an answer by a later day, for a reason that the person reads; once, or again (C80)."""
    row = await _in_hand(bureau, request, by)
    if isinstance(row, RightsRefusal):
        return row
    promised = standing_of(row)
    received = shanghai_day(promised.opened_at)
    days = (row["deadline_days"] or bureau.deadlines.answer_working_days) * MOST_TIMES
    last = (await calendar_after(bureau.connection, received)).due(received, days).day
    if not max(bureau.today, promised.extended_until or promised.due_on) <= until <= last or until == (
        promised.extended_until or promised.due_on
    ):
        return RightsRefusal.EXTENSION_INVALID
    return standing_of(await bureau.connection.fetchrow(_EXTEND, request, until, reason))


async def decide(  # noqa: PLR0913 - what a decision says
    bureau: Bureau, request: UUID, *, granted: bool, answer: str, classes: frozenset[Retention], by: UUID
) -> Found | list[Blocker]:
    """Grant or refuse a request, with an answer for the person; to grant a deletion orders the erasure of `classes`.

    What runs keeps a person's account and contracts from being erased: then the blockers are given, and nothing done.
    """
    row = await _in_hand(bureau, request, by)
    if isinstance(row, RightsRefusal):
        return row
    deletes = granted and row["kind"] == RightsRequestKind.DELETION
    if deletes != bool(classes) or classes - CLASSES:
        return RightsRefusal.CLASSES_INVALID
    person = row["person_id"]
    if classes & {Retention.ACCOUNT, Retention.CONTRACT, Retention.CLAIM}:
        running = await blockers_of(bureau.connection, person, now=bureau.now)
        if running:
            return running
    if deletes:
        due = await due_after(bureau.connection, bureau.now, bureau.deadlines.erasure_working_days)
        ground = row["ground"] or UNSTATED
        await order_erasure(
            bureau.connection, person, classes, ground=ground, request=request, due=due.day, now=bureau.now
        )
    state = RequestState.GRANTED if granted else RequestState.REFUSED
    said = await _sealed(bureau, person, request, answer, ANSWER)
    closed = state.value, bureau.now, said, bureau.now, by
    return standing_of(await bureau.connection.fetchrow(_CLOSE, request, *closed))


def standing_of(row: Mapping[str, Any]) -> Standing:
    """A row of `rights_request` that has a date, as it stands."""
    ended = RequestState.OPEN if row["closed_at"] is None else RequestState.CLOSED
    state = ended if row["state"] is None else RequestState(row["state"])
    dates = row["opened_at"], row["due_on"], row["provisional"], row["extended_until"]
    return Standing(row["id"], row["person_id"], RightsRequestKind(row["kind"]), state, *dates)


async def _opened(bureau: Bureau, person: UUID, requester: UUID, wanted: Wanted) -> Any:  # noqa: ANN401 - asyncpg's row
    made, days = uuid4(), bureau.deadlines.answer_working_days
    due = await due_after(bureau.connection, bureau.now, days)
    said = await _sealed(bureau, person, made, wanted.statement, STATEMENT)
    return await bureau.connection.fetchrow(
        *(_ADD, made, person, requester, wanted.kind.value, bureau.now, days, due.day, due.provisional),
        *(wanted.ground, wanted.matter, said),
    )


async def _hand_to_least_busy(bureau: Bureau, request: UUID) -> None:
    if await bureau.connection.fetchval(_HANDLED, request):
        return
    officer = await bureau.connection.fetchval(_LEAST_BUSY)
    if officer is not None:
        await bureau.connection.execute(_HAND_TO, request, officer, uuid4(), bureau.now)


async def _open(bureau: Bureau, request: UUID) -> Any:  # noqa: ANN401 - asyncpg's row, or a refusal
    row = await bureau.connection.fetchrow(_LOCK, request)
    if row is None:
        return RightsRefusal.REQUEST_UNKNOWN
    return row if row["closed_at"] is None else RightsRefusal.REQUEST_STATE


async def _in_hand(bureau: Bureau, request: UUID, officer: UUID) -> Any:  # noqa: ANN401 - as above
    row = await _open(bureau, request)
    if isinstance(row, RightsRefusal):
        return row
    return row if await bureau.connection.fetchval(_IN_HAND, request, officer) else RightsRefusal.REQUEST_NOT_YOURS


async def _sealed(bureau: Bureau, person: UUID, request: UUID, words: str | None, label: bytes) -> bytes | None:
    if words is None:
        return None
    key = await account_key(bureau.connection, bureau.keyring, person)
    if key is None:
        message = "a data key that is destroyed"
        raise SealedValueError(message)
    return seal(key, words, label=label, row=request.bytes)
