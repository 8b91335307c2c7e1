"""What every read of a plan is given, whether it answers a query or shows what a mutation wrote."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from authz.budget import Disclosures, Spending
from authz.caveats import RowCeiling
from authz.compile import Snapshot
from authz.narrowing import bound_names, let_through, row_ceiling
from authz.subjects import Subject
from authz.tokens import LONGEST
from models.vocabulary import Purpose, Role
from privacy.bundles import Bundle
from privacy.campaigns import LEAST_AUDIENCE
from privacy.receipts import Receipts
from privacy.relays import Relays
from privacy.statistics_releases import USUAL, StatisticsSettings
from privacy.tombstones import Tombstones
from resolvers.field_access import Planner
from resolvers.masks import Masks
from resolvers.problems import Code, RequestRefusedError
from resolvers.run import Run
from resolvers.times import SHANGHAI
from resolvers.wards import wards_of
from vault.keyring import Keyring
from vault.sealing import KeyCache

_COUNT_PEOPLE = """
INSERT INTO audience_use (recipient, day, shown) VALUES ($1, $2, $3)
ON CONFLICT (recipient, day) DO UPDATE SET shown = audience_use.shown + excluded.shown RETURNING shown
"""
# What was refused counts on too, and must not run over the counter's end.
_COUNT_ROWS = """
INSERT INTO token_use (token_id, shown, expires_at) VALUES ($1, $2, $3) ON CONFLICT (token_id) DO UPDATE
SET shown = least(token_use.shown::bigint + excluded.shown, 2147483647) RETURNING shown
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads are done with."""

    keyring: Keyring
    keys: KeyCache
    masks: Masks
    audience_ceiling: int
    disclosures: Disclosures
    clock: Callable[[], datetime]
    bundle: Bundle
    """What the law asks for."""
    relays: Relays
    """What relay numbers are made with."""
    planner: Planner | None = None
    """Plans operations of the schema for whoever asks about them."""
    audience_least: int = LEAST_AUDIENCE
    """A campaign that meets fewer people shows nobody (C21)."""
    receipts: Receipts | None = None
    """Signs what a person agreed to, for the person."""
    statistics: StatisticsSettings = USUAL
    """The least group of statistics, and the questions of a month (C40)."""

    tombstones: Tombstones | None = None
    """Where it stands whom a write has erased (C66)."""

    async def wards(self, connection: Any, guardian: UUID, *, now: datetime) -> list[UUID]:  # noqa: ANN401 - as above
        """The children a guardian acts for."""
        age = self.bundle.age_of_majority
        return await wards_of(connection, guardian, keys=self.keys, now=now, age_of_majority=age)

    async def caller(self, connection: Any, subject: Subject) -> dict[str, Any]:  # noqa: ANN401 - asyncpg's proxy
        """What belongs to the caller, by the names that statements bind it under."""
        wards = []
        if subject.role == Role.GUARDIAN and subject.person:
            wards = await self.wards(connection, subject.person, now=self.clock())
        return {
            "person": subject.person,
            "account": subject.account,
            "organization": subject.organization,
            "wards": wards,
            "audience_least": self.audience_least,
            "consent_days": self.bundle.consent.longest_days,
            **bound_names(subject),
        }

    async def run(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's proxy
        subject: Subject,
        purpose: Purpose,
        *,
        snapshot: Snapshot,
        variables: Mapping[str, Any],
    ) -> Run:
        """One execution of a plan on one connection."""
        ceiling = row_ceiling(subject)
        caller = await self.caller(connection, subject)
        own = {*caller["wards"], *((subject.person,) if subject.person else ())}
        budget = snapshot.ruleset.budgets.get((subject.role, purpose))
        return Run(
            fetch=connection.fetch,
            subject=subject,
            purpose=purpose,
            snapshot=snapshot,
            caller=caller,
            variables=variables,
            keyring=self.keyring,
            keys=self.keys,
            masks=self.masks,
            now=self.clock(),
            bundle=self.bundle,
            count_people=partial(self._count_people, connection, subject),
            spending=Spending(self.disclosures, connection, subject, purpose, budget, self.clock, own),
            count_rows=partial(self._count_rows, connection, subject, ceiling) if ceiling else None,
            planner=self.planner,
            receipts=self.receipts,
            statistics=self.statistics,
        )

    async def _count_rows(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's proxy
        subject: Subject,
        ceiling: RowCeiling,
        count: int,
    ) -> int:
        """How many of `count` rows about to be shown stay under the ceiling of the token's whole life."""
        shown = await connection.fetchval(_COUNT_ROWS, subject.token_id, count, self.clock() + LONGEST)
        return let_through(ceiling, shown=shown, count=count)

    async def _count_people(self, connection: Any, subject: Subject, count: int) -> None:  # noqa: ANN401 - as above
        """A marketing recipient sees so many people a day and no more (C21: no enumeration)."""
        now = self.clock().astimezone(SHANGHAI)
        recipient = str(subject.organization or "brokerage")
        shown = await connection.fetchval(_COUNT_PEOPLE, recipient, now.date(), count)
        if shown > self.audience_ceiling:
            tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            message = "Today's ceiling of people shown for marketing is reached. Come back tomorrow."
            wait = str(int((tomorrow - now).total_seconds()) + 1)
            raise RequestRefusedError(Code.RATE_LIMITED, message, headers={"Retry-After": wait})
