"""Officers, persons and organizations of the tests of disclosures, at one server."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from models.global_ids import from_global
from tests.writing.conftest import Customer, Office

STANDING = "... on DisclosureCaseStanding { id state persons frozen }"
ITEMS = "username name idNumber gender birthDate phone email address bankCard occupation healthDeclaration nickname"
KNOWN = {
    "name": "周清清",
    "idNumber": "110101199003078515",
    "gender": "FEMALE",
    "birthDate": "1990-03-07",
    "email": "zhou@example.com",
    "address": "北京市东城区东华门街道1号",
    "bankCard": "6222020200112233447",
    "occupation": "会计",
    "healthDeclaration": "哮喘",
    "nickname": "清清",
}
DOCUMENT = {"kind": "SUBPOENA", "reference": "京公调字〔2026〕12号", "filed": "档案室A-7"}


def in_days(days: float) -> str:
    """A moment from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@dataclass
class Disclosing:
    """Two officers and a world of their own. The first opens, the second reviews."""

    office: Office
    officers: tuple[tuple[UUID, str], ...] = field(init=False)
    tokens: dict[tuple[int, str], str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Hire both; their work names are new."""
        mark = secrets.token_hex(4)
        self.officers = tuple((uuid4(), f"officer-{mark}-{number}") for number in range(2))
        for row, username in self.officers:
            self.office.execute(
                "INSERT INTO staff (id, username, role) VALUES ($1, $2, 'privacy_officer')", row, username
            )

    def token(self, place: int = 0, purpose: str = "administration") -> str:
        """An officer's token; they have one for each purpose."""
        if (place, purpose) not in self.tokens:
            username = self.officers[place][1]
            self.tokens[place, purpose] = self.office.token("privacy_officer", user=username, purposes=[purpose])
        return self.tokens[place, purpose]

    def person(self) -> Customer:
        """Somebody of whom something of every kind is known."""
        made = self.office.customer()
        self.office.know(made.person, **KNOWN)
        return made

    def organization(self, kind: str = "INSURER") -> str:
        """A new organization's code."""
        code = f"Y{secrets.token_hex(5)}"
        self.office.execute(
            "INSERT INTO organization (id, code, name, kind) VALUES ($1, $2, $2, $3)", uuid4(), code, kind
        )
        return code

    def write(self, name: str, given: dict[str, Any], place: int = 0) -> dict[str, Any]:
        """What an officer is answered."""
        token = self.token(place)
        return self.office.write(name, given, token=token, purpose="administration", show=STANDING) or {}

    def open(self, *persons: Customer, place: int = 0, **more: Any) -> dict[str, Any]:
        """Open a case for an authority about the name of some persons, or what is given."""
        given = {
            "kind": "AUTHORITY",
            "users": [one.id for one in persons],
            "categories": ["NAME"],
            "exception": "CRIMINAL_JUSTICE",
            "authority": "市公安局经侦支队",
            "document": DOCUMENT,
            "expiresAt": in_days(30),
            **more,
        }
        return self.write(
            "openDisclosureCase", {name: one for name, one in given.items() if one is not None}, place=place
        )

    def review(self, case: dict[str, Any], verdict: str = "APPROVED", place: int = 1) -> dict[str, Any]:
        """Decide on a case."""
        given = {"id": case["id"], "verdict": verdict, "note": "已核对原件"}
        return self.write("reviewDisclosureCase", given, place=place)

    def approved(self, *persons: Customer, **more: Any) -> dict[str, Any]:
        """A case that both officers want."""
        case = self.open(*persons, **more)
        assert case["state"] == "PROPOSED", case
        assert self.review(case)["state"] == "APPROVED"
        return case

    def read(self, person: Customer, place: int = 0) -> set[str] | None:
        """What is shown of somebody to an officer who discloses; None where they do not exist for them."""
        token = self.token(place, "regulatory_disclosure")
        query = f"query($id: ID!) {{ user(id: $id) {{ {ITEMS} }} }}"
        answer = self.office.post(query, {"id": person.id}, token=token, purpose="regulatory_disclosure").json()
        user = answer["data"]["user"]
        return user and {name for name, value in user.items() if value is not None}

    def own(self, person: Customer, query: str) -> Any:
        """What somebody is answered about themselves."""
        return self.office.post(query, token=person.token, purpose="account_service").json()["data"]

    def choose(self, person: Customer, name: str, **given: Any) -> dict[str, Any]:
        """What somebody chooses."""
        found = self.office.write(name, given, token=person.token, purpose="account_service", show="... on User { id }")
        return found or {}


def row_of(case: dict[str, Any]) -> UUID:
    """The row of a case."""
    named = from_global(case["id"])
    assert named
    return named[1]
