"""People with a policy to claim on, and claims in any state: what the tests of claims share."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from models.global_ids import NodeType, to_global
from models.notices import FIRST
from models.vocabulary import Category, Retention, to_bits
from resolvers.registry import NOUNS
from resolvers.writing.rows import sealed_column
from tests.writing.conftest import Customer, Office, row_id
from vault.sealing import DataKey, KeyCache, column_label, new_data_key, seal

SHOWN = "id claimNumber state: status version requestedItems reporterRelation reportedAt closedAt"
CLAIM = f"... on Claim {{ {SHOWN} }}"
"""What is public of a claim."""
STARTED, ENDS = date(2024, 1, 1), date(2044, 12, 31)
INCIDENT = (datetime.now(UTC) - timedelta(days=10)).date().isoformat()
ITEMS: dict[str, str] = {
    "incidentDate": INCIDENT,
    "incidentDescription": "骑电动车转弯时摔倒，右手撑地",
    "hospital": "杭州市第一人民医院",
    "occupation": "会计",
    "bankCard": "4111111111111111",
    "diagnosis": "右桡骨远端骨折",
    "medicalRecord": "住院号12345678；切开复位内固定",
    "expenses": "18230.50",
    "amountClaimed": "15000.00",
}
"""Everything that the demo's products need of a claim."""
SEVEN = ("incidentDescription", "hospital", "occupation", "bankCard", "diagnosis", "medicalRecord", "expenses")
"""The items that the privacy policy names (C08)."""
REPORTER: dict[str, str] = {"name": "王小明", "phone": "13912345678", "relation": "SPOUSE"}
HANDLER, COLLEAGUE, LEAVER = "handler01", "handler02", "leaver01"
INSURER, OTHER_INSURER, ADJUSTER, OTHER_ADJUSTER = "INS01", "INS02", "LA01", "LA02"
OWN = "account_service"
HANDLING = "claim_handling"


@dataclass(frozen=True, repr=False)
class Caller:
    """Who writes: a token and the purpose they write under."""

    token: str
    purpose: str


@dataclass(frozen=True, repr=False)
class Cast:
    """A holder, an insured who is somebody else, a child with a guardian, a stranger; the desk and the partners."""

    office: Office
    holder: Customer
    insured: Customer
    guardian: Customer
    child: Customer
    stranger: Customer

    def customer(self, who: Customer) -> Caller:
        """A customer about what is theirs."""
        return Caller(who.token, OWN)

    def handler(self, work_name: str = HANDLER) -> Caller:
        """A claims handler."""
        return Caller(self.office.token("claims_handler", user=work_name, purposes=[HANDLING]), HANDLING)

    def partner(self, role: str, code: str) -> Caller:
        """A partner, handling claims."""
        return Caller(self.office.token(role, org=code, purposes=[HANDLING]), HANDLING)

    def insurer(self, code: str = INSURER) -> Caller:
        """An insurer."""
        return self.partner("insurer", code)

    def write(self, caller: Caller, name: str, given: dict[str, Any], show: str = CLAIM, **headers: str) -> Any:
        """The payload of a write."""
        return self.office.write(name, given, token=caller.token, purpose=caller.purpose, show=show, **headers)

    def ask(self, caller: Caller, claim: str, fields: str = SHOWN) -> Any:
        """A claim as this caller sees it; null where it does not exist for them."""
        document = f"query($id: ID!) {{ claim(id: $id) {{ {fields} }} }}"
        answer = self.office.post(document, {"id": claim}, token=caller.token, purpose=caller.purpose)
        return answer.json()["data"]["claim"]

    def policy(self, holder: Customer, insured: Customer, status: str = "IN_FORCE", **columns: Any) -> str:
        """The id of a policy of the first insurer, as if it had been applied for and paid earlier."""
        product = self.office.rows(
            "SELECT id, insurer_id FROM product WHERE code LIKE $1 ORDER BY code", f"{INSURER}-%"
        )
        row = {
            "id": uuid4(),
            "policy_number": f"P{uuid4().int % 10**16:016d}",
            "product_id": product[0][0],
            "insurer_id": product[0][1],
            "status": status,
            "holder_id": holder.person,
            "insured_id": insured.person,
            "currency": "CNY",
            "starts_on": STARTED,
            "ends_on": ENDS,
            **columns,
        }
        insert(self.office, "policy", [row])
        return to_global(NodeType.POLICY, row["id"])

    def draft(self, caller: Caller, policy: str, **items: Any) -> Any:
        """A new draft with all that is needed, or with what is given instead; its payload."""
        return self.write(caller, "draftClaim", {"policy": policy, **(items or ITEMS)})

    def claim(self, policy: str, status: str = "REPORTED", **columns: Any) -> str:
        """The id of a claim with all that is needed, as if it had come this far; reported by the insured."""
        return self.claims(policy, [{"status": status, **columns}])[0]

    def claims(self, policy: str, given: list[dict[str, Any]]) -> list[str]:
        """The same for many at once; `reporter`: a customer who reports for the insured."""
        holder, insured, insurer = self.office.rows(
            "SELECT holder_id, insured_id, insurer_id FROM policy WHERE id = $1", row_id(policy)
        )[0]
        texts = {item: text for item, text in ITEMS.items() if item != "occupation"}
        sealed = partial(_sealed, _key(self.office, insured), texts)
        rows = []
        for told in given:
            columns = dict(told)
            reporter = columns.pop("reporter", None)
            claim, over = uuid4(), columns["status"] in ("REJECTED", "PAID", "CLOSED", "WITHDRAWN")
            rows.append(
                {
                    "id": claim,
                    "claim_number": f"C{claim.int % 10**16:016d}",
                    "policy_id": row_id(policy),
                    "insurer_id": insurer,
                    "holder_id": holder,
                    "insured_id": insured,
                    "reporter_id": reporter.person if reporter else insured,
                    "reporter_relation": "配偶" if reporter else None,
                    "reporter_verified_at": datetime.now(UTC),
                    "payee_id": insured,
                    "payee_verified_at": datetime.now(UTC),
                    "reported_at": datetime.now(UTC),
                    "closed_at": datetime.now(UTC) if over else None,
                    **sealed(claim, named=reporter is not None),
                    **columns,
                }
            )
        insert(self.office, "claim", rows)
        return [to_global(NodeType.CLAIM, row["id"]) for row in rows]

    def assign(self, claim: str, *, staff: str | None = None, organization: str | None = None) -> None:
        """Give a claim to somebody, as if it had been assigned earlier."""
        where = "staff WHERE username = $1" if staff else "organization WHERE code = $1"
        assignee = self.office.rows(f"SELECT id FROM {where}", staff or organization)[0][0]  # noqa: S608 - our own words
        column = "staff_id" if staff else "organization_id"
        row = {"id": uuid4(), column: assignee, "claim_id": row_id(claim), "assigned_at": datetime.now(UTC)}
        insert(self.office, "assignment", [row])

    def product(self, *items: str) -> dict[str, UUID]:
        """A new product of the first insurer that needs these items of a claim, as columns of a policy."""
        insurer = self.office.rows("SELECT id FROM organization WHERE code = $1", INSURER)[0][0]
        product = {"id": uuid4(), "code": f"LEAN{uuid4().hex[:8]}", "name": "轻装", "insurer_id": insurer}
        insert(self.office, "product", [product])
        needs = {"product_id": product["id"], "part": "claim", "clause": "C08"}
        insert(self.office, "product_item", [{"id": uuid4(), "item": item, **needs} for item in items])
        return {"product_id": product["id"], "insurer_id": insurer}

    def agree(self, guardian: Customer, child: Customer) -> None:
        """A guardian's standing consent to claims of the child's, as if it had been given earlier."""
        row = {
            "id": uuid4(),
            "person_id": child.person,
            "guardian_id": guardian.person,
            "purpose": HANDLING,
            "categories": to_bits(set(Category)),
            "notice_version": FIRST.version,
            "notice_hash": FIRST.digest,
            "granted_at": datetime.now(UTC),
        }
        insert(self.office, "consent", [row])

    def stored(self, claim: str) -> dict[str, str | None]:
        """What is stored of a claim, opened."""
        insured = self.office.rows("SELECT insured_id FROM claim WHERE id = $1", row_id(claim))[0][0]
        return self.office.stored("Claim", row_id(claim), owner=insured)

    def row(self, claim: str) -> Any:
        """The stored row of a claim."""
        return self.office.rows("SELECT * FROM claim WHERE id = $1", row_id(claim))[0]

    def count(self, policy: str) -> int:
        """How many claims there are on a policy."""
        return self.office.rows("SELECT count(*) FROM claim WHERE policy_id = $1", row_id(policy))[0][0]


_made: dict[int, Cast] = {}
"""One cast a server, whichever test asks first."""


def cast_of(office: Office) -> Cast:
    """The people of the tests of claims, all of whom are known to be of age but the child."""
    if id(office) not in _made:
        holder, insured, child, stranger = (office.customer() for _ in range(4))
        for grown in (holder, insured, stranger):
            office.know(grown.person, birthDate="1985-06-01")
        office.know(child.person, birthDate=f"{date.today().year - 8}-01-15")  # noqa: DTZ011 - a day more or less
        guardian = office.guardian(child.person)
        office.know(guardian.person, birthDate="1983-02-03")
        _made[id(office)] = Cast(office, holder, insured, guardian, child, stranger)
    return _made[id(office)]


def insert(office: Office, table: str, rows: list[dict[str, Any]]) -> None:
    """Add rows that have the same columns, on one connection."""
    places = ", ".join(f"${place}" for place in range(1, len(rows[0]) + 1))
    statement = f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({places})"  # noqa: S608 - our own names
    values = [tuple(row.values()) for row in rows]
    asyncio.run(office._as_owner(lambda owner: owner.executemany(statement, values)))


def _sealed(key: DataKey, texts: dict[str, str], claim: UUID, *, named: bool) -> dict[str, bytes | None]:
    noun, found = NOUNS["Claim"], {}
    reporter = {"reporterName": REPORTER["name"], "reporterPhone": REPORTER["phone"]}
    for item, text in {**texts, **reporter}.items():
        column = sealed_column(noun, item)
        hidden = item in reporter and not named
        found[column] = None if hidden else seal(key, text, label=column_label("claim", column), row=claim.bytes)
    return found


def _key(office: Office, insured: UUID) -> DataKey:
    where = "SELECT wrapped FROM data_key WHERE person_id = $1 AND retention = $2"
    found = office.rows(where, insured, Retention.CLAIM)
    if found:
        return KeyCache(office.keyring).get(found[0][0], person_id=insured, retention=Retention.CLAIM)
    key = new_data_key(office.keyring, insured, retention=Retention.CLAIM)
    row = {"person_id": insured, "retention": int(Retention.CLAIM), "wrapped": key.wrapped}
    insert(office, "data_key", [row])
    return key
