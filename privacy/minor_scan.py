"""The scan for minors whose data are held without a guardian's verifiable consent: it opens cases (C72).

A minor's data are held with such a consent where a guardian whose link is verified and not revoked is of age by their
own record; or where one of such a link, whose age is not on record, agrees to what puts the minor's data there
(`privacy.guardianship.HOLDING`), which stands. A minor who has no birth date on record has no age to look at.

A case closes by itself at the next scan once a guardian is verified, the child has come of age, or the birth date is
erased; or an officer closes it. Where a birth date is there and cannot be opened, nothing is opened or closed. A scan
goes through all people in portions, each in a transaction of its own, and goes on where it was left. Whoever looks
meanwhile finds it at work and leaves it alone.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from authz.reviews import ITSELF
from models.keeping import keep
from models.minor_cases import MinorOutcome
from models.people import age
from models.vocabulary import Retention
from privacy.bundles import Bundle
from privacy.guardianship import HOLDING, STANDS, agreed
from privacy.records import open_value
from vault.keyring import Keyring
from vault.sealing import SealedValueError, column_label

PORTION = 1_000
"""People looked at in one transaction."""
EVERY = timedelta(days=1)
LOOK_SECONDS = 3600.0
FIRST_SECONDS = 60.0
"""A server that has just begun has other things to do."""
_PAUSE_SECONDS = 0.05
"""Between portions in the background: requests come first."""
OVERDUE = "MINOR_CASES_OVERDUE"
UNREADABLE = "MINORS_UNREADABLE"
"""The codes of its alarms."""
_FIRST = UUID(int=0)
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_LABEL = column_label("person", "birth_date_sealed")

_ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(hashtext('minor_scan'))"
_STATE = "SELECT began_at, after, finished_at FROM minor_scan"
_BEGIN = """
INSERT INTO minor_scan (one, began_at, after) VALUES (TRUE, $1, $2)
ON CONFLICT (one) DO UPDATE SET began_at = excluded.began_at, after = excluded.after, finished_at = NULL
"""
_ADVANCE = "UPDATE minor_scan SET after = $1, finished_at = $2"
_PEOPLE = f"""
SELECT p.id, p.birth_date_sealed, k.wrapped, m.id AS open_case FROM person p
LEFT JOIN data_key k ON k.person_id = p.id AND k.retention = {int(Retention.ACCOUNT)}
LEFT JOIN minor_case m ON m.person_id = p.id AND m.closed_at IS NULL
WHERE p.id > $1 ORDER BY p.id LIMIT $2
"""  # noqa: S608 - our own text
_GUARDIANS = f"""
SELECT g.child_id, p.id, p.birth_date_sealed, k.wrapped, {agreed("$2::text[]")} AS agreed
FROM guardian_link g JOIN person p ON p.id = g.guardian_id
LEFT JOIN data_key k ON k.person_id = p.id AND k.retention = {int(Retention.ACCOUNT)}
WHERE g.child_id = ANY($1::uuid[]) AND {STANDS}
"""  # noqa: S608 - as above
_OPEN = """
INSERT INTO minor_case (id, person_id, opened_at, due_at)
SELECT i, p, $3, $4 FROM unnest($1::uuid[], $2::uuid[]) AS n (i, p)
ON CONFLICT (person_id) WHERE closed_at IS NULL DO NOTHING
"""
_CLOSE = """
UPDATE minor_case SET closed_at = $3, outcome = $2, closed_by = $4 WHERE id = ANY($1::uuid[]) AND closed_at IS NULL
"""
_LATE = "SELECT count(*) FROM minor_case WHERE closed_at IS NULL AND due_at < $1"

Sound = Callable[..., None]
"""Sounds an alarm: its code, and details that are of no person."""


@dataclass(slots=True)
class Scanned:
    """What a scan has found so far; of nobody in particular."""

    people: int = 0
    minors: int = 0
    unconsented: int = 0
    opened: int = 0
    closed: int = 0
    unreadable: int = 0
    """People of whom nobody can tell: a birth date, theirs or a guardian's, cannot be opened."""
    done: bool = False
    """Has it come to the end?"""
    busy: bool = False
    """Is another at work, so that this one has left off?"""


@dataclass(frozen=True, slots=True)
class Scanner:
    """Looks through people on one connection; with `dry` nothing is written."""

    connection: Any
    keyring: Keyring
    bundle: Bundle
    now: datetime
    dry: bool = False
    found: Scanned = field(default_factory=Scanned)

    async def portion(self, after: UUID) -> UUID | None:
        """Look at the people after an id; the last of them, or None where there are no more."""
        rows = await self.connection.fetch(_PEOPLE, after, PORTION)
        births = self._births(rows)
        minors = [person for person, birth in births.items() if self._minor(birth)]
        consented, unclear = await self._consented(minors)
        without = set(minors) - consented - unclear
        self.found.people += len(rows)
        self.found.unreadable += len(rows) - len(births) + len(unclear)
        self.found.minors += len(minors)
        self.found.unconsented += len(without)
        await self._open([row["id"] for row in rows if row["id"] in without and row["open_case"] is None])
        endings: dict[MinorOutcome, list[UUID]] = {}
        settled = births.keys() - without - unclear
        for row in rows:
            if row["open_case"] is not None and row["id"] in settled:
                endings.setdefault(self._ending(births[row["id"]]), []).append(row["open_case"])
        for outcome, cases in endings.items():
            await self._close(outcome, cases)
        return rows[-1]["id"] if len(rows) == PORTION else None

    def _births(self, rows: Sequence[Any]) -> dict[UUID, str | None]:
        """By person; whose cannot be opened is missing."""
        found = {}
        for row in rows:
            person, sealed = row["id"], (row["wrapped"], row["birth_date_sealed"])
            with suppress(SealedValueError):
                found[person] = open_value(self.keyring, *sealed, person=person, row=person, label=_LABEL)
        return found

    def _minor(self, birth: str | None) -> bool:
        today = self.now.astimezone(_SHANGHAI).date()
        return birth is not None and age(date.fromisoformat(birth), today) < self.bundle.age_of_majority

    def _ending(self, birth: str | None) -> MinorOutcome:
        if birth is None:
            return MinorOutcome.ERASED
        return MinorOutcome.GUARDIAN_VERIFIED if self._minor(birth) else MinorOutcome.OF_AGE

    async def _consented(self, minors: Sequence[UUID]) -> tuple[set[UUID], set[UUID]]:
        """Those of whom a guardian of age is verified, or one of unknown age agrees to what the data are held for.

        And those of whom nobody can tell.
        """
        if not minors:
            return set(), set()
        found = set()
        guardians = await self.connection.fetch(_GUARDIANS, minors, [one.value for one in HOLDING])
        births = self._births(guardians)
        for row in guardians:
            if row["id"] not in births:
                continue
            birth = births[row["id"]]
            if row["agreed"] if birth is None else not self._minor(birth):
                found.add(row["child_id"])
        return found, {row["child_id"] for row in guardians if row["id"] not in births} - found

    async def _open(self, people: list[UUID]) -> None:
        if not people:
            return
        self.found.opened += len(people)
        if not self.dry:
            due = self.now + timedelta(days=self.bundle.deadlines.minor_case_days)
            await self.connection.execute(_OPEN, [uuid4() for _ in people], people, self.now, due)

    async def _close(self, outcome: MinorOutcome, cases: list[UUID]) -> None:
        self.found.closed += len(cases)
        if not self.dry:
            await self.connection.execute(_CLOSE, cases, outcome.value, self.now, ITSELF)


async def scan(scanner: Scanner, *, pause: float = 0.0) -> Scanned:
    """Go through all people, from where a scan of the last day was left off. Raises the database's error."""
    after: UUID | None = _FIRST
    if scanner.dry:
        while after is not None:
            after = await scanner.portion(after)
        scanner.found.done = True
        return scanner.found
    found = scanner.found
    while not found.done:
        async with scanner.connection.transaction():
            if not await scanner.connection.fetchval(_ONE_AT_A_TIME):
                found.busy = True
                return found
            last = await scanner.portion(await _where(scanner))
            found.done = last is None
            await scanner.connection.execute(_ADVANCE, last or _FIRST, scanner.now if found.done else None)
        # Whoever else waits for this worker goes first.
        await asyncio.sleep(pause)
    return found


async def _where(scanner: Scanner) -> UUID:
    """After whom to go on; a new scan begins where none is left unfinished."""
    state = await scanner.connection.fetchrow(_STATE)
    if state is None or state["finished_at"] is not None or state["began_at"] <= scanner.now - EVERY:
        await scanner.connection.execute(_BEGIN, scanner.now, _FIRST)
        return _FIRST
    after: UUID = state["after"]
    return after


async def overdue(connection: Any, *, now: datetime) -> int:  # noqa: ANN401 - asyncpg's connection or proxy
    """How many open cases are past their day."""
    late: int = await connection.fetchval(_LATE, now)
    return late


async def keep_scanning(  # noqa: PLR0913 - what a scan is done with
    pool: Any,  # noqa: ANN401 - asyncpg's pool
    keyring: Keyring,
    *,
    bundle: Bundle,
    clock: Callable[[], datetime],
    sound: Sound,
    first: float = FIRST_SECONDS,
) -> None:
    """Scan once a day, whichever worker comes to it, and count overdue cases each hour, as long as the task lives."""

    async def look(connection: Any, *, now: datetime) -> None:  # noqa: ANN401 - as above
        await scan_if_due(Scanner(connection, keyring, bundle, now), sound=sound, pause=_PAUSE_SECONDS)

    await asyncio.sleep(first)
    await keep(pool, look, clock=clock, every=LOOK_SECONDS, name="minors")


async def scan_if_due(scanner: Scanner, *, sound: Sound, pause: float = 0.0) -> bool:
    """Tell of overdue cases, and scan where no scan has been finished for a day; was one finished now?

    Raises the database's error.
    """
    late = await overdue(scanner.connection, now=scanner.now)
    if late:
        sound(OVERDUE, cases=late)
    state = await scanner.connection.fetchrow(_STATE)
    if state and state["finished_at"] is not None and state["finished_at"] > scanner.now - EVERY:
        return False
    found = await scan(scanner, pause=pause)
    if found.unreadable:
        sound(UNREADABLE, people=found.unreadable)
    return found.done
