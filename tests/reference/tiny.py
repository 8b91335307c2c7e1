"""A hand-made world for the reference's own tests: lines as `docs/plaintext.md` has them, a few at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from models.global_ids import NodeType, to_global
from tests.reference.callers import Caller, Subject
from tests.reference.rules import categories
from tests.reference.server import examine
from tests.reference.witnesses import pairs
from tests.reference.world import LINKS, Row, World

NOTHING = {("none", "none")}
"""The situation in which nothing witnesses."""

NOW = datetime(2026, 6, 1, 4, tzinfo=UTC)
PAST = (NOW - timedelta(days=30)).isoformat()
FUTURE = (NOW + timedelta(days=30)).isoformat()
ALL = frozenset(categories())
EVERYTHING = sorted(category.upper() for category in ALL)

USER_FIELDS: dict[str, Any] = {
    "username": "zhangsan",
    "name": "张三丰",
    "idType": "RESIDENT_ID",
    "idNumber": "110101199003074514",
    "gender": "MALE",
    "birthDate": "1990-03-07",
    "phone": "13812341234",
    "email": "zhang@example.com",
    "address": "浙江省杭州市西湖区文三路1号",
    "bankCard": "6222020000000000018",
    "occupation": "会计",
    "healthDeclaration": "无既往病史",
    "region": "浙江",
    "nickname": "小张",
    "avatar": "https://pictures.example.com/1.jpg",
    "profileSource": "WECHAT",
    "tags": ["旅行"],
}
CLAIM_FIELDS: dict[str, Any] = {
    "reporterName": "李四",
    "reporterPhone": "13900001111",
    "incidentDate": "2026-04-01",
    "incidentDescription": "骑车摔伤",
    "hospital": "市一医院",
    "diagnosis": "桡骨骨折",
    "medicalRecord": "病历一份",
    "expenses": "1200.00",
    "amountClaimed": "1000.00",
    "amountPaid": None,
    "bankCard": "6222020000000000026",
    "reportedAt": PAST,
    "closedAt": None,
}


class Tiny:
    """Builds a world line by line; every method returns the id of the line it adds."""

    def __init__(self) -> None:
        """Start empty."""
        self.lines: list[dict[str, Any]] = []

    def add(self, kind: str, /, **fields: Any) -> str:
        """Add a line of any type; the nth line's id has the bytes of n."""
        node_type = {
            "User": NodeType.USER,
            "Policy": NodeType.POLICY,
            "Beneficiary": NodeType.BENEFICIARY,
            "Claim": NodeType.CLAIM,
            "Consent": NodeType.CONSENT,
            "Device": NodeType.DEVICE,
        }.get(kind, NodeType.RECORD)
        row_id = to_global(node_type, UUID(int=len(self.lines) + 1))
        self.lines.append({"type": kind, "id": row_id, **fields})
        return row_id

    def user(self, username: str | None = None, **fields: Any) -> str:
        """A person, with an account if there is a username."""
        person = self.add("User", **{**USER_FIELDS, "username": username, **fields})
        if username:
            self.add("Account", user=person, username=username, role="customer")
        return person

    def staff(self, username: str, role: str) -> str:
        """A member of staff."""
        self.add("Staff", username=username, role=role, leftAt=None)
        return username

    def organization(self, code: str, kind: str = "INSURER") -> str:
        """An organization."""
        self.add("Organization", code=code, name=code, kind=kind)
        return code

    def policy(self, holder: str, insured: str, insurer: str, status: str = "IN_FORCE", **fields: Any) -> str:
        """A policy with a product of its own."""
        number = len(self.lines)
        product = f"PR{number:04}"
        items = [{"part": "POLICYHOLDER", "item": "name", "clause": "C04"}]
        self.add("Product", code=product, name="意外险", insurer=insurer, items=items)
        given = {
            "startsOn": "2026-01-01",
            "endsOn": "2026-12-31",
            "premium": "100.00",
            "sumInsured": "5000.00",
            **fields,
        }
        return self.add(
            "Policy",
            policyNumber=f"P{number:04}",
            product=product,
            insurer=insurer,
            status=status,
            currency="CNY",
            policyholder=holder,
            insured=insured,
            **given,
        )

    def beneficiary(self, policy: str, person: str | None = None, *, verified: bool = False, order: int = 1) -> str:
        """A beneficiary, linked to a person or not."""
        return self.add(
            "Beneficiary",
            policy=policy,
            person=person,
            personVerifiedAt=PAST if verified else None,
            name="王小明",
            idNumber="110101199003074522",
            phone="13700002222",
            relation="CHILD",
            order=order,
            share="50.00",
        )

    def claim(self, policy: str, status: str = "REVIEWING", **fields: Any) -> str:
        """A claim without verified links."""
        links = {"reporter": None, "reporterVerifiedAt": None, "payee": None, "payeeVerifiedAt": None}
        number = f"C{len(self.lines):04}"
        return self.add(
            "Claim", claimNumber=number, policy=policy, status=status, **{**CLAIM_FIELDS, **links, **fields}
        )

    def consent(self, person: str, purpose: str, recipient: str | None = None, **fields: Any) -> str:
        """A consent for every category, active."""
        audience = to_global(NodeType.AUDIENCE_USER, UUID(int=10_000 - len(self.lines)))
        given = {"categories": EVERYTHING, "withdrawnAt": None, "expiresAt": None, **fields}
        return self.add(
            "Consent",
            user=person,
            purpose=purpose,
            recipient=recipient,
            noticeVersion="1",
            noticeHash="00",
            grantedAt=PAST,
            audienceId=audience if purpose == "MARKETING" else None,
            **given,
        )

    def assign(
        self,
        target: str,
        row: str,
        *,
        staff: str | None = None,
        organization: str | None = None,
        ended: bool = False,
    ) -> str:
        """An assignment of a row, for instance `assign("claim", claim, staff=clerk)`."""
        nothing = dict.fromkeys(link for link in LINKS["Assignment"])
        given = {**nothing, "staff": staff, "organization": organization, target: row}
        return self.add("Assignment", endedAt=PAST if ended else None, **given)

    def world(self) -> World:
        """The world so far."""
        return World(self.lines)


def caller(role: str, purpose: str, **given: Any) -> Caller:
    """A caller whose token has every category."""
    return Caller(role, purpose, **{"categories": ALL, **given})


def subject(world: World, role: str, purpose: str, **given: Any) -> Subject:
    """That caller in a world."""
    return Subject(world, caller(role, purpose, **given), at=NOW)


def row(world: World, row_id: str) -> Row:
    """The row of an id that a tiny world gave."""
    return next(found for (_, name), found in world._named.items() if name == row_id)


def ask(tiny: Tiny, document: str, role: str, purpose: str, variables=None, **who) -> dict:
    """What the reference answers to a document."""
    return examine(tiny.world(), caller(role, purpose, **who), document, variables, at=NOW).response


def situation(tiny: Tiny, role: str, purpose: str, of: str, record: str, category: str = "name", **who) -> set:
    """The pairs that witness for a data subject of a record."""
    world = tiny.world()
    return set(pairs(subject(world, role, purpose, **who), of, row(world, record), category))
