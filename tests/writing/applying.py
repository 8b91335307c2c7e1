"""What an application needs: people's data made up, the input that says them, and each step by who takes it."""

import itertools
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from models.demo.values import luhn_check, resident_id
from resolvers.times import in_shanghai
from tests.writing.conftest import Customer, Office, row_id

PRODUCT, INSURER = "INS01-ACC", "INS01"
SHOW = (
    "... on Policy { id policyNumber status version startsOn endsOn sumInsured premium currency"
    " policyholder { id name } insured { id name } beneficiaries { id name relation order share } }"
)
TODAY = in_shanghai(datetime.now(UTC)).date()
GROWN, CHILD = date(1988, 3, 14), TODAY - timedelta(days=9 * 365)
_numbers = itertools.count(secrets.randbelow(10**7))


def id_number(born: date = GROWN) -> str:
    """A resident's identity number that nobody else here has."""
    return resident_id("110101", born, order=next(_numbers) % 1_000)


def policyholder(**changed: Any) -> dict[str, Any]:
    """The seven items of a policyholder (C04), but for the phone, which signing up has put on record."""
    card = f"622202{next(_numbers) % 10**9:09d}"
    return {
        "name": "王小明",
        "idNumber": id_number(),
        "phone": None,
        "address": "北京市朝阳区建国路八十八号",
        "bankCard": card + luhn_check(card),
        "occupation": "教师",
        "email": "wang@example.com",
        **changed,
    }


def insured(**changed: Any) -> dict[str, Any]:
    """The five items of an insured (C05)."""
    return {
        "name": "李小红",
        "idNumber": id_number(),
        "phone": "13987654321",
        "healthDeclaration": "健康，无既往病史",
        "occupation": "会计",
        **changed,
    }


def beneficiary(share: Any = "100", order: int = 1, **changed: Any) -> dict[str, Any]:
    """A beneficiary with the three items that a product declares (C06)."""
    items = {"name": "王大山", "idNumber": id_number(), "phone": "13711112222"}
    return {**items, "relation": "PARENT", "order": order, "share": share, **changed}


def application(**changed: Any) -> dict[str, Any]:
    """A complete application for somebody else's life."""
    return {
        "productCode": PRODUCT,
        "policyholder": {"details": policyholder()},
        "insured": {"details": insured()},
        "beneficiaries": [beneficiary("60"), beneficiary("40")],
        "sumInsured": "500000",
        **changed,
    }


@dataclass
class Desk:
    """Who takes part in an application, and what each does; every method gives the payload."""

    office: Office

    def as_customer(self, customer: Customer, name: str, given: dict[str, Any], **headers: str) -> Any:
        """A customer's write."""
        return self.office.write(name, given, token=customer.token, purpose="account_service", show=SHOW, **headers)

    def as_agent(self, name: str, given: dict[str, Any], agent: str = "agent01") -> Any:
        """An agent's write."""
        token = self.office.token("broker_agent", user=agent, purposes=["application"])
        return self.office.write(name, given, token=token, purpose="application", show=SHOW)

    def as_insurer(self, name: str, given: dict[str, Any], *, org: str = INSURER, purpose: str = "application") -> Any:
        """An insurer's write."""
        token = self.office.token("insurer", org=org, purposes=["application", "policy_service", "claim_handling"])
        return self.office.write(name, given, token=token, purpose=purpose, show=SHOW)

    def drafted(self, customer: Customer, **changed: Any) -> dict[str, Any]:
        """A complete draft of a customer's."""
        return self._done(self.as_customer(customer, "draftApplication", application(**changed)))

    def submitted(self, customer: Customer, **changed: Any) -> dict[str, Any]:
        """A submitted application."""
        made = self.drafted(customer, **changed)
        return self._done(self.as_customer(customer, "submitApplication", {"id": made["id"]}))

    def accepted(self, customer: Customer, **changed: Any) -> dict[str, Any]:
        """An application that waits for its first premium."""
        made = self.submitted(customer, **changed)
        return self._done(
            self.as_insurer("recordUnderwriting", {"id": made["id"], "outcome": "ACCEPT", "premium": "888.80"})
        )

    def in_force(self, customer: Customer, **changed: Any) -> dict[str, Any]:
        """A running policy, as its holder sees it."""
        made = self.accepted(customer, **changed)
        assert self.as_insurer("recordPayment", {"id": made["id"], **cover()}) is None, "it passed out of sight"
        return self.seen(customer, made["id"])

    def seen(self, customer: Customer, policy: str) -> Any:
        """A policy as a customer reads it."""
        document = f"query($id: ID!) {{ policy(id: $id) {{ __typename {SHOW} }} }}"
        return self.read(document, {"id": policy}, customer.token)["policy"]

    def read(self, document: str, variables: Any, token: str, purpose: str = "account_service") -> Any:
        """The data of a query."""
        return self.office.post(document, variables, token=token, purpose=purpose).json()["data"]

    def move(self, policy: str, status: str) -> None:
        """As if time had passed: some statuses come by no operation."""
        self.office.execute("UPDATE policy SET status = $2 WHERE id = $1", row_id(policy), status)

    @staticmethod
    def _done(payload: Any) -> Any:
        assert payload["__typename"] == "Policy", payload
        return payload


def cover(days: int = 365) -> dict[str, str]:
    """First and last day of a cover that begins today."""
    return {"startsOn": TODAY.isoformat(), "endsOn": (TODAY + timedelta(days=days)).isoformat()}


def code(payload: Any) -> Any:
    """The code of a problem, or the type of what was written."""
    return payload and payload.get("code", payload["__typename"])


def named(payload: Any) -> set[str]:
    """The items that a problem names."""
    return {item["field"] for item in payload["items"]}


def everything(office):
    """How many rows there are of everything that a draft can write, and every byte about people."""
    tables = "policy", "person", "beneficiary", "assignment", "data_key", "blind_index", "correction", "consent"
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)  # noqa: S608 - our own names
    people = "(SELECT md5(string_agg(p::text, '|' ORDER BY id)) FROM person p)"
    (found,) = office.rows(f"SELECT {counts}, {people}")
    return tuple(found)
