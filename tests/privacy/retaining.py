"""What tests of retention do at one server: days pass for some persons alone, and what is due of them is erased."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from models.vocabulary import Retention
from privacy.bundles import BundleName, read_bundle
from privacy.orders import order_erasure
from privacy.sweep import Sweeper, Swept
from privacy.tombstones import Tombstone, Tombstones
from privacy.working_days import shanghai_day
from tests.privacy.disclosing import Disclosing
from tests.privacy.world import transact
from vault.sealing import column_label, new_data_key, seal

FIELDS = (
    "class begins until winner candidates { criterion until } duty { law until } held erasedFrom"
    " agreement { id until } words"
)
OF = f"query($user: ID) {{ retentionOf(user: $user) {{ {FIELDS} }} }}"
HOLD = "... on LegalHold { id user classes reference until liftedAt }"
AGREEMENT = "... on RetentionAgreement { id class until agreedAt endedAt }"
HOLDS = "query($lifted: Boolean!) { legalHolds(lifted: $lifted, first: 100) { id user reference liftedAt } }"
KEYS = "SELECT retention FROM data_key WHERE person_id = $1 AND wrapped IS NOT NULL ORDER BY retention"


def today(days: int = 0) -> date:
    """A day of Shanghai, so many from now."""
    return shanghai_day(datetime.now(UTC)) + timedelta(days=days)


@dataclass
class Retaining(Disclosing):
    """Officers, persons whose data end, and a sweep that looks at those that it is given and no others."""

    def of(self, token: str, user: str | None = None, purpose: str = "account_service") -> Any:
        """By class, what `retentionOf` tells; None where it is not for the caller."""
        body = self.office.post(OF, {"user": user}, token=token, purpose=purpose).json()
        found = body["data"]["retentionOf"]
        return found and {one["class"]: one for one in found}

    def hold(self, name: str, **given: Any) -> Any:
        """Place or lift a hold, as an officer."""
        return self.office.write(name, given, token=self.token(), purpose="administration", show=HOLD)

    def holds(self, *, lifted: bool = False) -> Any:
        """The holds, as an officer lists them."""
        answer = self.office.post(HOLDS, {"lifted": lifted}, token=self.token(), purpose="administration").json()
        return answer["data"]["legalHolds"]

    def agreed(self, token: str, name: str = "agreeRetention", purpose: str = "account_service", **given: Any) -> Any:
        """Agree to a longer period, or end that."""
        return self.office.write(name, given, token=token, purpose=purpose, show=AGREEMENT)

    def contract(self, holder: UUID, *, ended: int, years: int = 1, status: str = "EXPIRED") -> UUID:
        """A contract that ended so many days ago, with a premium under its holder's key."""
        made, key = uuid4(), new_data_key(self.office.keyring, holder, retention=int(Retention.CONTRACT))
        premium = seal(key, "100.00", label=column_label("policy", "premium_sealed"), row=made.bytes)
        ends = today(-ended)
        self.office.execute(
            "INSERT INTO policy (id, policy_number, product_id, insurer_id, status, holder_id, insured_id, currency,"
            " starts_on, ends_on, changed_on, premium_sealed) SELECT $1, $2, id, insurer_id, $3, $4, $4, 'CNY',"
            " $5::date, $6::date, $6::date, $7 FROM product ORDER BY code LIMIT 1",
            *(made, f"T{made.hex[:12].upper()}", status, holder, ends - timedelta(days=365 * years), ends, premium),
        )
        self.office.execute(
            "INSERT INTO data_key (person_id, retention, wrapped) VALUES ($1, 2, $2) ON CONFLICT DO NOTHING",
            *(holder, key.wrapped),
        )
        return made

    def order(self, person: UUID, classes: Iterable[Retention]) -> UUID:
        """Order that classes be erased, as a granted deletion does."""
        made: UUID = transact(
            self.office,
            lambda connection: order_erasure(
                connection,
                person,
                frozenset(classes),
                ground="DELETION",
                request=None,
                due=today(15),
                now=datetime.now(UTC),
            ),
        )
        return made

    def sweep(self, *persons: UUID, days: int = 0, times: int = 1) -> Swept:
        """Sweep over these, as if so many days had passed; what the last of `times` sweeps by that moment counted."""
        at = datetime.now(UTC) + timedelta(days=days)
        people = sorted(persons)

        async def work(connection: Any) -> Swept:
            sweeper = Sweeper(connection, self.office.keyring, read_bundle(BundleName.SEED), self.tombstones, at)
            if due := await sweeper.look(people, at):
                await sweeper.batch(due, at)
            return sweeper.found

        for _ in range(times):
            found: Swept = transact(self.office, work)
        return found

    @property
    def tombstones(self) -> Tombstones:
        """The server's own."""
        return Tombstones(self.office.installation.tombstones_path)

    def stones(self, person: UUID) -> list[Tombstone]:
        """Somebody's."""
        return [one for one in self.tombstones.read() if one.person == person]

    def keys(self, person: UUID) -> set[Retention]:
        """Of which classes there is a key."""
        return {Retention(row[0]) for row in self.office.rows(KEYS, person)}

    def run(self, work: Any) -> Any:
        """Do something on the owner's connection, and take it all back."""

        async def undone(connection: Any) -> Any:
            inner = connection.transaction()
            await inner.start()
            try:
                return await work(connection)
            finally:
                await inner.rollback()

        return transact(self.office, undone)


def counted(found: Swept) -> dict[str, int]:
    """What a sweep counted, without what was kept."""
    return {name: count for name, count in found.counts.items() if not name.startswith("KEPT")}
