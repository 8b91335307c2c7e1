"""Writes a history into a database, event by event, as it happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from models.vocabulary import Category, to_bits
from tests.privacy import naive
from tests.privacy.naive import Agreed, Closed, Granted, Opened, Published, Requested, Withdrawn
from vault.blind import audience_id
from vault.keyring import Keyring


@dataclass(frozen=True)
class Place:
    """Whom a history is about, as the database has them: people by number, organizations by code."""

    people: Sequence[UUID]
    claim: UUID
    organizations: Mapping[str, UUID]
    keyring: Keyring


class Happening:
    """Writes a history, event by event, as it happened."""

    def __init__(self, place: Place, connection: Any, now: datetime) -> None:
        self._place, self._connection, self._now = place, connection, now
        self._consents: dict[int, UUID] = {}
        self._cases: dict[int, UUID] = {}
        self._requests: dict[int, UUID] = {}

    async def write(self, history: list[naive.Event]) -> None:
        for event in history:
            await self._happen(event)

    def _at(self, days: float | None) -> datetime | None:
        return None if days is None else self._now + timedelta(days=days)

    async def _insert(self, table: str, **values: Any) -> UUID:
        row = {"id": uuid4(), **values}
        await self._put(table, row)
        return row["id"]

    async def _put(self, table: str, row: dict[str, Any]) -> None:
        places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
        statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"  # noqa: S608 - our own names
        await self._connection.execute(statement, *row.values())

    async def _happen(self, event: naive.Event) -> None:
        at, people = self._at(event.at), self._place.people
        match event:
            case Published():
                await self._publish(event)
            case Agreed():
                await self._insert(
                    "notice_agreement",
                    person_id=people[event.person],
                    notice=event.notice,
                    agrees=event.agrees,
                    said_at=at,
                )
            case Granted():
                await self._grant(event)
            case Withdrawn():
                given = self._consents[event.consent]
                await self._connection.execute("UPDATE consent SET withdrawn_at = $2 WHERE id = $1", given, at)
            case Opened():
                self._cases[event.case] = case = await self._insert(
                    "verification_case",
                    person_id=people[event.person],
                    claim_id=self._place.claim if event.of_claim else None,
                    consent_id=self._consents[event.consent],
                    opened_at=at,
                )
                await self._assign("verification_case_id", case, event.worker, at)
            case Requested():
                self._requests[event.request] = request = await self._insert(
                    "rights_request",
                    person_id=people[event.person],
                    requester_id=people[event.person],
                    kind="ACCESS",
                    opened_at=at,
                )
                await self._assign("rights_request_id", request, event.worker, at)
            case Closed():
                await self._close(event, at)

    async def _publish(self, event: Published) -> None:
        await self._put(
            "notice",
            {
                "number": event.number, "version": str(event.number), "effective_from": self._at(event.effective),
                "major": True, "content": "{}", "digest": f"{event.number:064d}", "summary": "", "published_by": "test",
                "published_at": self._at(event.at),
            },
        )  # fmt: skip
        for (purpose, kind), categories in event.functions.items():
            bits = to_bits(set(map(Category, categories)))
            row = {"notice": event.number, "purpose": purpose, "recipient": kind, "categories": bits}
            await self._put("notice_function", row)

    async def _grant(self, event: Granted) -> None:
        place = self._place
        person, recipient = place.people[event.person], place.organizations.get(event.recipient or "")
        marketing = event.purpose == "marketing"
        self._consents[event.consent] = await self._insert(
            "consent",
            person_id=person,
            purpose=event.purpose,
            recipient_id=recipient,
            categories=to_bits(set(map(Category, event.categories))),
            notice_version="1",
            notice_hash="",
            granted_at=self._at(event.at),
            expires_at=self._at(event.expires),
            audience_id=audience_id(place.keyring, recipient, person) if marketing else None,
        )

    async def _assign(self, column: str, row: UUID, worker: str, at: datetime | None) -> None:
        partner = self._place.organizations.get(worker)
        staff = None
        if partner is None:
            staff = await self._connection.fetchval("SELECT id FROM staff WHERE username = $1", worker)
        await self._insert("assignment", staff_id=staff, organization_id=partner, assigned_at=at, **{column: row})

    async def _close(self, event: Closed, at: datetime | None) -> None:
        table, row = ("verification_case", self._cases.get(event.case)) if event.case is not None else (
            "rights_request", self._requests.get(event.request)
        )  # fmt: skip
        await self._connection.execute(f"UPDATE {table} SET closed_at = $2 WHERE id = $1", row, at)  # noqa: S608
